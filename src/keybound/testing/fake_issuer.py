"""An authorization server in memory: it signs tokens, publishes keys and rotates them."""

from __future__ import annotations

import enum
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from keybound.clock import Clock, system_clock
from keybound.errors import PolicyError
from keybound.testing import _base64url
from keybound.testing.certificates import AnyCertificate, certificate_der, thumbprint_of
from keybound.testing.forging import make_token
from keybound.testing.signing_keys import SigningKey

__all__ = ["OMIT", "SESSION_REVOKED", "FakeIssuer", "Omit"]


class Omit(enum.Enum):
    """The type of :data:`OMIT`."""

    OMIT = enum.auto()

    def __repr__(self) -> str:
        return self.name


OMIT: Final = Omit.OMIT
"""In place of a claim or header parameter: leave it out. (``None`` writes the JSON value ``null``.)"""


SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
"""An event type of the OpenID Continuous Access Evaluation Profile."""


class FakeIssuer:
    """An authorization server with one key that signs and any number that are published.

    :param issuer: issuer identifier, the ``iss`` of its tokens (RFC 8414, 2)
    :param alg: algorithm of its first key
    :param key: first key, instead of a new one of ``alg``
    :param clock: time of issue; the system clock when not given
    :raises PolicyError: ``alg`` is not known
    """

    def __init__(
        self,
        issuer: str = "https://as.example.com",
        *,
        alg: str = "ES256",
        key: SigningKey | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.issuer = issuer
        self.clock: Clock = system_clock if clock is None else clock
        self._key = SigningKey.generate(alg) if key is None else key
        self._published: tuple[SigningKey, ...] = (self._key,)

    @property
    def key(self) -> SigningKey:
        """The key that signs now."""
        return self._key

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The JWK Set (RFC 7517, 5) as published now, oldest key first.

        A shared secret is listed as an ``oct`` JWK so that HS256 can be tested the same way; no real
        server publishes that.
        """
        return {"keys": [key.verification_jwk() for key in self._published]}

    def publish(self, key: SigningKey) -> None:
        """Add ``key`` to the JWK Set without signing with it: the first half of a careful rotation."""
        self._published = (*self._published, key)

    def remove(self, kid: str) -> None:
        """Withdraw the key ``kid`` from the JWK Set. Should it be the one that signs, it still does.

        :raises PolicyError: no published key has this ``kid``
        """
        remaining = tuple(key for key in self._published if key.kid != kid)
        if len(remaining) == len(self._published):
            raise PolicyError("no published key has this kid")
        self._published = remaining

    def rotate(self, *, keep_previous: bool = True, alg: str | None = None) -> SigningKey:
        """Make, publish and return a new key, and sign with it from now on.

        :param keep_previous: whether the keys published so far stay published
        :param alg: algorithm of the new key; that of the current key when not given
        :raises PolicyError: ``alg`` is not known
        """
        curve = self._key.curve if alg is None and self._key.alg == "EdDSA" else None
        new = SigningKey.generate(alg or self._key.alg, curve=curve)
        self._published = (*self._published, new) if keep_previous else (new,)
        self._key = new
        return new

    def sign(
        self,
        claims: Mapping[str, object],
        *,
        typ: str,
        key: SigningKey | None = None,
        header: Mapping[str, object] | None = None,
    ) -> str:
        """A signed JWT (RFC 7519, 7.1) of exactly these claims, less those that are :data:`OMIT`.

        :param claims: the claims set; nothing is added
        :param typ: media type of the token without ``application/`` (RFC 7515, 4.1.9)
        :param key: signs instead of the current key, published or not
        :param header: header parameters to add, replace or, with :data:`OMIT`, leave out
        """
        key = key or self._key
        parameters = {"alg": key.alg, "typ": typ, "kid": key.kid} | dict(header or {})
        return make_token(without_omitted(parameters), without_omitted(claims), key)

    def access_token(
        self,
        *,
        audience: str | Sequence[str] | Omit = "https://rs.example.com",
        certificate: AnyCertificate | None = None,
        dpop_key: SigningKey | None = None,
        subject: str | Omit = "user-1",
        client_id: str | Omit = "client-1",
        scope: str | Omit = "read write",
        lifetime: float = 300,
        key: SigningKey | None = None,
        header: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """An access token as RFC 9068, 2 has it, bound to ``certificate`` or ``dpop_key`` if given.

        :param audience: ``aud``, a string or an array
        :param certificate: client certificate for ``cnf.x5t#S256``: DER bytes, PEM, a ``cryptography``
            certificate or a :class:`~keybound.testing.ClientCertificate` (RFC 8705, 3.1)
        :param dpop_key: key of the client for ``cnf.jkt`` (RFC 9449, 6.1)
        :param subject: ``sub``
        :param client_id: ``client_id``
        :param scope: ``scope``, space-delimited
        :param lifetime: seconds from ``iat`` to ``exp``; negative for a token that has expired
        :param key: signs instead of the current key
        :param header: header parameters to add, replace or, with :data:`OMIT`, leave out
        :param claims: claims to add, replace or, with :data:`OMIT`, leave out
        """
        defaults = self._grant(audience, certificate, dpop_key, subject, client_id, scope, lifetime)
        return self.sign(defaults | claims, typ="at+jwt", key=key, header=header)

    def introspection_response(
        self,
        *,
        audience: str | Sequence[str] | Omit = "https://rs.example.com",
        certificate: AnyCertificate | None = None,
        dpop_key: SigningKey | None = None,
        subject: str | Omit = "user-1",
        client_id: str | Omit = "client-1",
        scope: str | Omit = "read write",
        lifetime: float = 300,
        **members: object,
    ) -> dict[str, object]:
        """What the introspection endpoint answers about an active token (RFC 7662, 2.2), as a mapping.

        :param members: members to add, replace or, with :data:`OMIT`, leave out; the other parameters are
            those of :meth:`access_token`
        """
        grant = self._grant(audience, certificate, dpop_key, subject, client_id, scope, lifetime)
        return without_omitted(
            {"active": True, "token_type": "Bearer" if dpop_key is None else "DPoP"} | grant | members
        )

    def introspection_jwt(
        self,
        response: Mapping[str, object] | None = None,
        *,
        audience: str | Sequence[str] | Omit = "https://rs.example.com",
        key: SigningKey | None = None,
        header: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """An introspection answer as a signed token (RFC 9701, 5).

        :param response: the answer, :meth:`introspection_response` if left out
        :param audience: ``aud``, the resource server that asked
        :param key: signs instead of the current key
        :param header: header parameters to add, replace or, with :data:`OMIT`, leave out
        :param claims: claims to add, replace or, with :data:`OMIT`, leave out
        """
        defaults: dict[str, object] = {
            "iss": self.issuer,
            "aud": audience,
            "iat": int(self.clock()),
            "token_introspection": self.introspection_response() if response is None else dict(response),
        }
        return self.sign(defaults | claims, typ="token-introspection+jwt", key=key, header=header)

    def _grant(
        self,
        audience: str | Sequence[str] | Omit,
        certificate: AnyCertificate | None,
        dpop_key: SigningKey | None,
        subject: str | Omit,
        client_id: str | Omit,
        scope: str | Omit,
        lifetime: float,
    ) -> dict[str, object]:
        """What is true of an access token, whoever tells it."""
        issued_at = int(self.clock())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "sub": subject,
            "aud": audience,
            "client_id": client_id,
            "iat": issued_at,
            "exp": issued_at + lifetime,
            "jti": str(uuid.uuid4()),
            "scope": scope,
        }
        confirmation = {}
        if certificate is not None:
            confirmation["x5t#S256"] = thumbprint_of(certificate_der(certificate))
        if dpop_key is not None:
            confirmation["jkt"] = dpop_key.thumbprint
        if confirmation:
            claims["cnf"] = confirmation
        return claims

    def id_token(
        self,
        *,
        client_id: str | Sequence[str] | Omit = "client-1",
        subject: str | Omit = "user-1",
        nonce: str | Omit = OMIT,
        access_token: str | None = None,
        code: str | None = None,
        state: str | None = None,
        lifetime: float = 300,
        key: SigningKey | None = None,
        header: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """An ID token as OpenID Connect Core, 2 has it.

        :param client_id: ``aud``, a string or an array
        :param subject: ``sub``
        :param nonce: ``nonce``
        :param access_token: its hash becomes ``at_hash``
        :param code: its hash becomes ``c_hash``
        :param state: its hash becomes ``s_hash``
        :param lifetime: seconds from ``iat`` to ``exp``; negative for a token that has expired
        :param key: signs instead of the current key
        :param header: header parameters to add, replace or, with :data:`OMIT`, leave out
        :param claims: claims to add, replace or, with :data:`OMIT`, leave out
        """
        issued_at = int(self.clock())
        defaults: dict[str, object] = {
            "iss": self.issuer,
            "sub": subject,
            "aud": client_id,
            "iat": issued_at,
            "exp": issued_at + lifetime,
            "nonce": nonce,
        }
        signing = key or self._key
        hashed = {"at_hash": access_token, "c_hash": code, "s_hash": state}
        defaults |= {
            name: half_hash(value, signing.alg) for name, value in hashed.items() if value is not None
        }
        return self.sign(defaults | claims, typ="JWT", key=key, header=header)

    def logout_token(
        self,
        *,
        client_id: str | Sequence[str] | Omit = "client-1",
        subject: str | Omit = "user-1",
        session_id: str | Omit = OMIT,
        lifetime: float = 120,
        key: SigningKey | None = None,
        header: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """A logout token as OpenID Connect Back-Channel Logout, 2.4 has it.

        :param client_id: ``aud``, a string or an array
        :param subject: ``sub``
        :param session_id: ``sid``
        :param lifetime: seconds from ``iat`` to ``exp``; negative for a token that has expired
        :param key: signs instead of the current key
        :param header: header parameters to add, replace or, with :data:`OMIT`, leave out
        :param claims: claims to add, replace or, with :data:`OMIT`, leave out
        """
        issued_at = int(self.clock())
        defaults: dict[str, object] = {
            "iss": self.issuer,
            "sub": subject,
            "aud": client_id,
            "iat": issued_at,
            "exp": issued_at + lifetime,
            "jti": str(uuid.uuid4()),
            "sid": session_id,
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        return self.sign(defaults | claims, typ="logout+jwt", key=key, header=header)

    def security_event_token(
        self,
        *,
        audience: str | Sequence[str] | Omit = "https://receiver.example.com",
        events: Mapping[str, object] | Omit = MappingProxyType({SESSION_REVOKED: {}}),
        subject_identifier: Mapping[str, object] | Omit = OMIT,
        key: SigningKey | None = None,
        header: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """A security event token as RFC 8417, 2.2 has it.

        :param audience: ``aud``, a string or an array
        :param events: ``events``, by the URIs of their types; a session that was revoked if left out
        :param subject_identifier: ``sub_id`` (RFC 9493, 4.1)
        :param key: signs instead of the current key
        :param header: header parameters to add, replace or, with :data:`OMIT`, leave out
        :param claims: claims to add, replace or, with :data:`OMIT`, leave out
        """
        defaults: dict[str, object] = {
            "iss": self.issuer,
            "aud": audience,
            "iat": int(self.clock()),
            "jti": str(uuid.uuid4()),
            "sub_id": subject_identifier,
            "events": dict(events) if isinstance(events, Mapping) else events,
        }
        return self.sign(defaults | claims, typ="secevent+jwt", key=key, header=header)

    def authorization_response(
        self,
        *,
        client_id: str | Sequence[str] | Omit = "client-1",
        state: str | Omit = OMIT,
        code: str | Omit = "SplxlOBeZQQYbYS6WxSbIA",
        error: str | Omit = OMIT,
        lifetime: float = 300,
        key: SigningKey | None = None,
        header: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """An authorization response as a JWT (JARM, 2.1), the value of the parameter ``response``.

        :param client_id: ``aud``, a string or an array
        :param state: ``state``
        :param code: ``code``; left out where there is an ``error``
        :param error: ``error``
        :param lifetime: seconds from now to ``exp``; negative for a response that has expired
        :param key: signs instead of the current key
        :param header: header parameters to add, replace or, with :data:`OMIT`, leave out
        :param claims: claims to add, replace or, with :data:`OMIT`, leave out
        """
        defaults: dict[str, object] = {
            "iss": self.issuer,
            "aud": client_id,
            "exp": int(self.clock()) + lifetime,
            "code": code if error is OMIT else OMIT,
            "error": error,
            "state": state,
        }
        return self.sign(defaults | claims, typ="JWT", key=key, header=header)

    def plain_authorization_response(
        self,
        *,
        state: str | Omit = OMIT,
        code: str | Omit = "SplxlOBeZQQYbYS6WxSbIA",
        error: str | Omit = OMIT,
        iss: str | Omit | None = None,
        **parameters: str | Omit,
    ) -> dict[str, str]:
        """The parameters of an authorization response that is no JWT (RFC 6749, 4.1.2; RFC 9207, 2).

        :param state: ``state``
        :param code: ``code``; left out where there is an ``error``
        :param error: ``error``
        :param iss: ``iss``; that of this issuer when not given
        :param parameters: parameters to add, replace or, with :data:`OMIT`, leave out
        """
        members: dict[str, str | Omit] = {
            "code": code if error is OMIT else OMIT,
            "error": error,
            "state": state,
            "iss": self.issuer if iss is None else iss,
        } | parameters
        return {name: value for name, value in members.items() if not isinstance(value, Omit)}

    def __repr__(self) -> str:
        return f"FakeIssuer({self.issuer!r})"


def half_hash(value: str, alg: str) -> str:
    """The left half of the hash of a value, in base64url (OpenID Connect Core, 3.1.3.6).

    :param alg: signature algorithm of the ID token, which decides about the hash
    """
    # Ed25519 hashes with SHA-512 (RFC 8032, 5.1), and for Ed448 nobody has said anything.
    bits = alg[2:5] if alg[2:5] in ("256", "384", "512") else "512"
    hashed = hashlib.new(f"sha{bits}", value.encode()).digest()
    return _base64url.encode(hashed[: len(hashed) // 2])


def without_omitted(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not OMIT}
