"""A client in memory: it signs what proves who it is, and what it asks for."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from keybound.clock import Clock
from keybound.testing.fake_issuer import OMIT, FakeIssuer, Omit
from keybound.testing.signing_keys import SigningKey

__all__ = ["FakeClient"]


class FakeClient:
    """A client of an authorization server, with one key that signs.

    :param client_id: its identifier
    :param alg: algorithm of its first key; of the HMAC family for one with a secret
    :param key: first key, instead of a new one of ``alg``
    :param clock: time of issue; the system clock when not given
    :raises PolicyError: ``alg`` is not known
    """

    def __init__(
        self,
        client_id: str = "client-1",
        *,
        alg: str = "ES256",
        key: SigningKey | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.client_id = client_id
        self._issuer = FakeIssuer(client_id, alg=alg, key=key, clock=clock)

    @property
    def key(self) -> SigningKey:
        """The key that signs now; ``.secret`` of one of the HMAC family is the client secret."""
        return self._issuer.key

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The JWK Set that the client has registered, oldest key first; a secret as an ``oct`` JWK."""
        return self._issuer.jwks()

    def rotate(self, *, keep_previous: bool = True, alg: str | None = None) -> SigningKey:
        """Make a new key and sign with it from now on; see :meth:`FakeIssuer.rotate`."""
        return self._issuer.rotate(keep_previous=keep_previous, alg=alg)

    def assertion(
        self,
        *,
        audience: str | Sequence[str] | Omit = "https://as.example.com",
        lifetime: float = 60,
        typ: str = "JWT",
        key: SigningKey | None = None,
        header: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """A client assertion as RFC 7523, 3 and OpenID Connect Core, 9 have it.

        :param audience: ``aud``, a string or an array
        :param lifetime: seconds from ``iat`` to ``exp``; negative for an assertion that has expired
        :param typ: ``typ``, such as ``client-authentication+jwt``
        :param key: signs instead of the current key
        :param header: header parameters to add, replace or, with :data:`OMIT`, leave out
        :param claims: claims to add, replace or, with :data:`OMIT`, leave out
        """
        issued_at = int(self._issuer.clock())
        defaults: dict[str, object] = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "iat": issued_at,
            "exp": issued_at + lifetime,
            "jti": str(uuid.uuid4()),
        }
        return self._issuer.sign(defaults | claims, typ=typ, key=key, header=self._header(key, header))

    def request_object(
        self,
        *,
        audience: str | Sequence[str] | Omit = "https://as.example.com",
        lifetime: float = 300,
        typ: str = "oauth-authz-req+jwt",
        key: SigningKey | None = None,
        header: Mapping[str, object] | None = None,
        **parameters: object,
    ) -> str:
        """A request object as RFC 9101, 4 has it, with the times that FAPI 1 Advanced, 5.2.2 demands.

        :param audience: ``aud``, a string or an array
        :param lifetime: seconds from ``nbf`` and ``iat`` to ``exp``; negative for one that has expired
        :param typ: ``typ``, such as ``JWT``
        :param key: signs instead of the current key
        :param header: header parameters to add, replace or, with :data:`OMIT`, leave out
        :param parameters: parameters of the request, and other claims, to add, replace or, with :data:`OMIT`,
            leave out
        """
        issued_at = int(self._issuer.clock())
        defaults: dict[str, object] = {
            "iss": self.client_id,
            "aud": audience,
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at + lifetime,
            "jti": str(uuid.uuid4()),
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": "https://client.example.org/cb",
            "scope": "openid",
            "state": "af0ifjsldkj",
        }
        return self._issuer.sign(defaults | parameters, typ=typ, key=key, header=self._header(key, header))

    def _header(self, key: SigningKey | None, header: Mapping[str, object] | None) -> dict[str, object]:
        # A secret has no kid that both sides would know.
        unnamed = (key or self.key).alg.startswith("HS")
        return ({"kid": OMIT} if unnamed else {}) | dict(header or {})

    def __repr__(self) -> str:
        return f"FakeClient({self.client_id!r})"
