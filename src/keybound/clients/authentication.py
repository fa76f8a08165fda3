"""How a client proves who it is when it calls an authorization server (RFC 6749, 2.3; RFC 8705, 2)."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import orjson

from keybound._hotpath import base64url
from keybound._hotpath.contract import Algorithm, Family
from keybound.clock import Clock, checked, system_clock
from keybound.errors import InvalidKey, PolicyError
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwk import JWK
from keybound.keys.fetching import form_quoted
from keybound.policy import check_seconds, text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = [
    "ClientAuthentication",
    "ClientSecretBasic",
    "ClientSecretPost",
    "MutualTLS",
    "PrivateKeyJWT",
    "form_text",
]

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ClientAuthentication(ABC):
    """What a client adds to a request so that the server knows it. Never prints a secret.

    :param client_id: identifier of the client at the authorization server
    :raises PolicyError: it is no text
    """

    over_mutual_tls = False
    """Whether the connection is what proves it."""

    def __init__(self, client_id: str) -> None:
        self.client_id = form_text("client_id", client_id)

    @abstractmethod
    def parameters(self) -> dict[str, str]:
        """Parameters for the body of one request."""

    def headers(self) -> dict[str, str]:
        """Header fields for one request."""
        return {}

    def __repr__(self) -> str:
        return f"<keybound.clients.{type(self).__name__} {self.client_id!r}>"

    def __reduce__(self) -> Any:
        raise TypeError("what holds a secret cannot be pickled")


class _WithSecret(ClientAuthentication):
    def __init__(self, client_id: str, client_secret: str) -> None:
        super().__init__(client_id)
        self._secret = form_text("client_secret", client_secret)


class ClientSecretBasic(_WithSecret):
    """``client_secret_basic``: the secret in the header ``Authorization`` (RFC 6749, 2.3.1).

    :raises PolicyError: ``client_id`` or ``client_secret`` is no text
    """

    def parameters(self) -> dict[str, str]:
        """None."""
        return {}

    def headers(self) -> dict[str, str]:
        """``Authorization``"""
        pair = f"{form_quoted(self.client_id)}:{form_quoted(self._secret)}"
        return {"Authorization": "Basic " + b64encode(pair.encode()).decode("ascii")}


class ClientSecretPost(_WithSecret):
    """``client_secret_post``: the secret in the body, for servers that know nothing better (RFC 6749, 2.3.1).

    :raises PolicyError: ``client_id`` or ``client_secret`` is no text
    """

    def parameters(self) -> dict[str, str]:
        """``client_id`` and ``client_secret``"""
        return {"client_id": self.client_id, "client_secret": self._secret}


class MutualTLS(ClientAuthentication):
    """``tls_client_auth`` and ``self_signed_tls_client_auth``: the transport's certificate (RFC 8705, 2).

    :raises PolicyError: ``client_id`` is no text
    """

    over_mutual_tls = True

    def parameters(self) -> dict[str, str]:
        """``client_id``"""
        return {"client_id": self.client_id}


class PrivateKeyJWT(ClientAuthentication):
    """``private_key_jwt``: an assertion signed for each request (RFC 7523, 2.2; OpenID Connect Core, 9).

    :param client_id: identifier of the client
    :param private_key: in PEM, without password, or as an object of ``cryptography``
    :param alg: algorithm of the signature; not of the HMAC family
    :param audience: ``aud``, by preference the issuer identifier of the authorization server
    :param kid: ``kid`` of the header, or ``None``
    :param typ: ``typ`` of the header, such as ``client-authentication+jwt``
    :param lifetime: seconds from ``iat`` to ``exp``
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :raises PolicyError: an option cannot be used
    :raises InvalidKey: the key is none, is unsafe, or does not fit ``alg``
    """

    def __init__(
        self,
        client_id: str,
        private_key: str | bytes | PrivateKeyTypes,
        *,
        alg: str,
        audience: str,
        kid: str | None = None,
        typ: str = "JWT",
        lifetime: float = 60,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(client_id)
        self._audience = form_text("audience", audience)
        check_seconds("lifetime", lifetime, 1)
        if not callable(clock):
            raise PolicyError("clock must be callable and return seconds")
        self._lifetime, self._time = lifetime, checked(clock)
        algorithm = ALGORITHMS.get(alg) if isinstance(alg, str) else None
        if algorithm is None or algorithm.family is Family.HMAC:
            raise PolicyError("alg must be an algorithm that signs with a private key")
        self._algorithm = algorithm
        self._key = _signing_key(private_key, algorithm)
        header = {"alg": alg, "typ": form_text("typ", typ)} | (
            {} if kid is None else {"kid": form_text("kid", kid)}
        )
        self._header = base64url.encode(orjson.dumps(header))

    def parameters(self) -> dict[str, str]:
        """A new assertion, for one request.

        :raises Unavailable: the clock answers with something else than a time
        """
        return {
            "client_id": self.client_id,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }

    def _assertion(self) -> str:
        issued_at = int(self._time())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self._audience,
            "iat": issued_at,
            "exp": issued_at + int(self._lifetime),
            "jti": str(uuid.uuid4()),
        }
        signing_input = f"{self._header}.{base64url.encode(orjson.dumps(claims))}"
        signature = _sign(self._key, self._algorithm, signing_input.encode("ascii"))
        return f"{signing_input}.{base64url.encode(signature)}"


def form_text(name: str, value: object) -> str:
    """``value``, if it is text that can be sent.

    :raises PolicyError: it is not
    """
    checked = text(name, value)
    try:
        checked.encode()
    except UnicodeEncodeError:
        raise PolicyError(f"{name} must be text without halves of surrogate pairs") from None
    return checked


def _signing_key(given: Any, algorithm: Algorithm) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if isinstance(given, (str, bytes)):
        data = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
        try:
            given = load_pem_private_key(data, None)
        except Exception:
            # What cryptography raises for a file that is none differs between versions.
            raise InvalidKey("this is not a private key in PEM without password") from None
    public = getattr(given, "public_key", None)
    if public is None or not hasattr(given, "sign"):
        raise InvalidKey("this is not a private key that signs")
    # The rules for keys that verify hold for the one that signs.
    JWK.from_key(public(), alg=algorithm.name)
    return given


def _sign(key: Any, algorithm: Algorithm, data: bytes) -> bytes:
    """The signature octets of a JWS (RFC 7518, 3; RFC 8037, 3.1): ``r || s`` for ECDSA, not DER."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

    if algorithm.family is Family.EDDSA:
        return bytes(key.sign(data))
    hashed = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}[algorithm.bits]
    if algorithm.family is Family.ECDSA:
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashed)))
        size = (key.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if algorithm.family is Family.RSA_PSS:
        # RFC 7518, 3.5: the salt is as long as the hash.
        scheme: padding.AsymmetricPadding = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
    else:
        scheme = padding.PKCS1v15()
    return bytes(key.sign(data, scheme, hashed))
