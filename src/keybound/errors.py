"""Every way a Keybound call can fail.

.. code-block:: text

    KeyboundError
    ├── TokenRejected              this token is bad; never retry            .reason .error .status
    │   ├── MalformedToken         1xx  not a well-formed compact JWS or JWE
    │   ├── HeaderRejected         2xx  alg, typ, crit, b64
    │   ├── KeyRejected            3xx  no key, or none that fits
    │   ├── SignatureRejected      4xx  the signature is not one of ours
    │   ├── ClaimRejected          5xx  iss, aud, exp, ...                   .claim
    │   ├── BindingRejected        6xx  cnf, the presented certificate, DPoP proofs
    │   ├── InsufficientScope      7xx  a good token that may not do this (HTTP 403)
    │   ├── DecryptionRejected     8xx  an encrypted token that does not open
    │   └── ContextRejected        9xx  a good token of another exchange     .claim
    ├── Unavailable                I cannot tell right now (HTTP 503)        .retry_after
    └── PolicyError                the operator asked for something unsafe or impossible
        └── InvalidKey             a key that cannot be loaded safely

The hot path returns a :class:`Reason`; this module alone decides which class, status and text
belong to it. No message ever holds bytes of a token or of a key.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = [
    "BindingRejected",
    "ClaimRejected",
    "ContextRejected",
    "DecryptionRejected",
    "HeaderRejected",
    "InsufficientScope",
    "InvalidKey",
    "KeyRejected",
    "KeyboundError",
    "MalformedToken",
    "PolicyError",
    "Reason",
    "Scheme",
    "SignatureRejected",
    "TokenRejected",
    "Unavailable",
]


class Reason(enum.IntEnum):
    """Why a token was rejected: a stable number, a stable name and one fixed English sentence.

    ``str(reason)`` is the stable lower-case code (``"token_expired"``) for logs and metrics. The
    hundreds name the family and with it the exception class. ``OK`` is not 0, so that zeroed
    memory in native code is never a success.
    """

    _description: str

    def __new__(cls, value: int, description: str = "") -> Reason:
        member = int.__new__(cls, value)
        member._value_ = value
        member._description = description
        return member

    OK = 1, "The token is accepted"

    TOKEN_MISSING = 100, "No token was presented"
    TOKEN_NOT_TEXT = 101, "The token is neither str nor bytes"
    TOKEN_TOO_LARGE = 102, "The token is larger than the configured ceiling"
    TOKEN_MALFORMED = 103, "The token does not have the segments of a signed token"
    TOKEN_ENCRYPTED = 104, "The token is encrypted where a signed token is expected"
    HEADER_TOO_LARGE = 105, "The token header is larger than the configured ceiling"
    BASE64URL_INVALID = 106, "A segment of the token is not canonical base64url"
    JSON_INVALID = 107, "The header or payload is not valid JSON"
    JSON_DUPLICATE_MEMBER = 108, "The header or payload repeats a member name"
    JSON_TOO_DEEP = 109, "The header or payload is nested too deeply"
    JSON_NUMBER_OUT_OF_RANGE = 110, "The header or payload holds a number that is out of range"
    HEADER_NOT_OBJECT = 111, "The token header is not a JSON object"
    PAYLOAD_NOT_OBJECT = 112, "The token payload is not a JSON object"
    SERIALIZATION_INVALID = 113, "The JSON serialization of the signature is not well-formed"
    PAYLOAD_MISSING = 114, "The payload is detached and was not supplied"
    PAYLOAD_NOT_DETACHED = 115, "A payload was supplied for a token that carries its own"
    PARAMETER_REPEATED = 116, "A parameter of the response is repeated"
    JWE_MALFORMED = 120, "The token does not have the segments of an encrypted token"
    TOKEN_NOT_ENCRYPTED = 121, "The token is not encrypted where an encrypted token is expected"
    JWE_SERIALIZATION_INVALID = 122, "The JSON serialization of the encryption is not well-formed"
    ENCRYPTED_KEY_INVALID = 123, "The encrypted key does not have the size that its algorithm gives it"
    IV_INVALID = 124, "The initialization vector does not have the size that its algorithm gives it"
    TAG_INVALID = 125, "The authentication tag does not have the size that its algorithm gives it"
    CONTENT_NOT_SIGNED = 126, "The decrypted content is not a signed token"
    CONTENT_TOO_LARGE = 127, "The decompressed content is larger than the configured ceiling"
    COMPRESSION_INVALID = 128, "The decrypted content cannot be decompressed"

    ALG_MISSING = 200, "The token header names no algorithm"
    ALG_NOT_ALLOWED = 201, "The algorithm of the token is not allowed"
    TYP_MISSING = 202, "The token header has no type"
    TYP_NOT_ALLOWED = 203, "The token is of another type"
    CRIT_INVALID = 204, "The critical header parameter is malformed"
    CRIT_UNSUPPORTED = 205, "The token demands an extension that is not supported"
    B64_NOT_ALLOWED = 206, "The token uses an unencoded payload where that is not allowed"
    HEADER_MEMBER_INVALID = 207, "A header parameter has the wrong type"
    HEADER_MEMBER_REPEATED = 208, "A header parameter is both protected and unprotected"
    ENC_MISSING = 220, "The token header names no content encryption that is protected"
    ENC_NOT_ALLOWED = 221, "The content encryption of the token is not allowed"
    ZIP_NOT_ALLOWED = 222, "The token is compressed in a way that is not allowed"
    EPK_INVALID = 223, "The ephemeral public key is malformed or on a curve that is not supported"
    CTY_MISSING = 224, "The header of the encrypted token does not say that it holds a token"
    CTY_NOT_ALLOWED = 225, "The header of the encrypted token says that it holds something else"

    KEY_UNKNOWN = 300, "The token names a key that is not known"
    KEY_UNSUITABLE = 301, "No known key fits the algorithm of the token"
    KEY_AMBIGUOUS = 302, "The token names no key and more than one would fit"

    SIGNATURE_INVALID = 400, "The signature does not verify"

    CLAIM_MISSING = 500, "A required claim is missing"
    CLAIM_FORBIDDEN = 501, "A forbidden claim is present"
    CLAIM_MISMATCH = 502, "A claim does not have the value it must have"
    CLAIM_INVALID = 503, "A claim is malformed"
    KIND_MISMATCH = 504, "The claims are those of another kind of token"
    ISS_MISSING = 510, "The token names no issuer"
    ISS_INVALID = 511, "The issuer of the token is malformed"
    ISS_MISMATCH = 512, "The token is from another issuer"
    ISS_UNKNOWN = 513, "The token is from an issuer that is not known"
    AUD_MISSING = 520, "The token names no audience"
    AUD_INVALID = 521, "The audience of the token is malformed"
    AUD_MISMATCH = 522, "The token is for another audience"
    AUD_ARRAY = 523, "The audience of the token is an array where a string is demanded"
    AUD_NOT_SOLE = 524, "The token is for other audiences as well"
    EXP_MISSING = 530, "The token has no expiration time"
    EXP_INVALID = 531, "The expiration time of the token is malformed"
    TOKEN_EXPIRED = 532, "The token has expired"
    NBF_MISSING = 540, "The token has no not-before time"
    NBF_INVALID = 541, "The not-before time of the token is malformed"
    TOKEN_NOT_YET_VALID = 542, "The token is not valid yet"
    IAT_MISSING = 550, "The token has no time of issue"
    IAT_INVALID = 551, "The time of issue of the token is malformed"
    IAT_IN_FUTURE = 552, "The token was issued in the future"
    LIFETIME_TOO_LONG = 553, "The token is valid for longer than allowed"
    TOKEN_TOO_OLD = 554, "The token was issued too long ago"
    SUB_MISSING = 560, "The token names no subject"
    SUB_INVALID = 561, "The subject of the token is malformed"
    CLIENT_ID_MISSING = 570, "The token names no client"
    CLIENT_ID_INVALID = 571, "The client identifier of the token is malformed"
    JTI_MISSING = 580, "The token has no identifier"
    JTI_INVALID = 581, "The identifier of the token is malformed"
    SCOPE_INVALID = 591, "The scope of the token is malformed"

    CNF_MISSING = 600, "The token is not bound to a key"
    CNF_INVALID = 601, "The confirmation of the token is malformed"
    CNF_UNSUPPORTED = 602, "The token is bound by a method that is not supported"
    CNF_AMBIGUOUS = 603, "The token is bound by more than one method"
    CNF_THUMBPRINT_INVALID = 604, "The certificate thumbprint in the token is not a SHA-256 in base64url"
    CNF_THUMBPRINT_NOT_CANONICAL = 605, "The certificate thumbprint in the token is not canonical base64url"
    CNF_THUMBPRINT_OF_NOTHING = 606, "The certificate thumbprint in the token is the SHA-256 of nothing"
    CERTIFICATE_MISSING = 610, "The token is bound to a certificate and none was presented"
    CERTIFICATE_INVALID = 611, "The presented client certificate is malformed"
    CERTIFICATE_MISMATCH = 612, "The token is bound to another certificate"

    CNF_JKT_INVALID = 620, "The key thumbprint in the token is not a SHA-256 in base64url"
    CNF_JKT_NOT_CANONICAL = 621, "The key thumbprint in the token is not canonical base64url"
    DPOP_PROOF_MISSING = 622, "A DPoP proof is required and none was presented"
    DPOP_PROOF_UNEXPECTED = 623, "A DPoP proof was presented with a token that is not bound to a key"
    DPOP_TOKEN_MISMATCH = 624, "The DPoP proof was made for another token"
    DPOP_KEY_MISMATCH = 625, "The token is bound to another key than that of the DPoP proof"
    DPOP_JWK_MISSING = 630, "The DPoP proof carries no public key"
    DPOP_JWK_INVALID = 631, "The key in the DPoP proof is malformed or unsafe"
    DPOP_JWK_PRIVATE = 632, "The DPoP proof reveals a private key or a secret"
    DPOP_NONCE_MISSING = 640, "A nonce is required in the DPoP proof"
    DPOP_NONCE_INVALID = 641, "The nonce in the DPoP proof is not one that was issued lately"

    SCOPE_INSUFFICIENT = 700, "The token does not carry the required scope"
    AUTHENTICATION_INSUFFICIENT = 701, "The user was not authenticated in a way that suffices"
    AUTHENTICATION_TOO_OLD = 702, "The user was authenticated too long ago"
    AUTHORIZATION_DETAILS_INSUFFICIENT = 703, "The token does not carry the required authorization details"
    ROLE_INSUFFICIENT = 704, "The token does not carry the required role"

    DECRYPTION_FAILED = 800, "The token cannot be decrypted"

    NONCE_MISMATCH = 900, "The nonce is not the one that was sent"
    AZP_MISMATCH = 901, "The token was issued to another party"
    HASH_MISMATCH = 902, "A hash in the token is not that of what came with it"
    STATE_MISMATCH = 903, "The state is not the one that was sent"
    RESPONSE_NOT_SIGNED = 904, "The authorization response is not signed"
    RESPONSE_AMBIGUOUS = 905, "The authorization response can be read in more than one way"

    JTI_REPLAYED = 910, "The token was used before"
    TOKEN_REVOKED = 911, "The token was revoked"

    EVENT_UNEXPECTED = 920, "The token tells of no event that is expected"

    TOKEN_INACTIVE = 930, "The authorization server says that the token is not active"

    SUBJECT_IS_CLIENT = 940, "The subject of the request object is the client"
    PARAMETER_MISMATCH = 941, "A parameter beside the request object is not the one within"

    ASSERTION_TYPE_MISMATCH = 950, "The client assertion is not declared to be a JWT"
    CLIENT_MISMATCH = 951, "The request names another client than the token"
    GRANT_TYPE_NOT_ALLOWED = 952, "The client may not use this grant type"

    @property
    def code(self) -> str:
        """The stable lower-case code, as ``str(reason)`` gives it."""
        return self.name.lower()

    @property
    def description(self) -> str:
        """One fixed English sentence without its full stop, fit for ``error_description`` (RFC 6750, 3)."""
        return self._description

    def __str__(self) -> str:
        return self.code

    def __format__(self, spec: str) -> str:
        # Without this a width would turn the code into the number from Python 3.11 on.
        return format(self.code, spec)


class KeyboundError(Exception):
    """Base of every exception that Keybound raises on purpose."""


class Scheme(NamedTuple):
    """The authentication scheme in which a rejection is answered (RFC 9110, 11.1).

    :ivar name: as in ``WWW-Authenticate``
    :ivar algs: ``alg`` values that are accepted in a DPoP proof (RFC 9449, 7.1)
    """

    name: str = "Bearer"
    algs: tuple[str, ...] = ()


class TokenRejected(KeyboundError):
    """The token must not be accepted, now or later.

    Raised through one of its subclasses, one per family of reasons.

    :ivar reason: the one :class:`Reason`
    :ivar error: OAuth error code of the answer: ``invalid_token`` of a resource server (RFC 6750, 3.1), or
        what an authorization server says of this kind of token, such as ``invalid_client`` (RFC 6749, 5.2)
    :ivar status: HTTP status that goes with ``error``
    :ivar scheme: the :class:`Scheme` of the challenge
    :ivar claim: name of the claim the policy asked for, where the reason is about one that has no
        reason of its own; never text from the token
    """

    status: int = 401
    error: str = "invalid_token"

    def __init__(
        self,
        reason: Reason,
        *,
        claim: str | None = None,
        scope: str | None = None,
        error: str | None = None,
        scheme: Scheme | None = None,
    ) -> None:
        self.reason = reason
        self.claim = claim
        self.scope = scope
        self.scheme = scheme or Scheme("DPoP" if reason in _OF_DPOP else "Bearer")
        if error is None:
            error = _ERRORS_OF_REASONS.get(reason)
        if error is not None:
            self.error, self.status = error, _STATUS_OF_ERRORS.get(error, 400)
        super().__init__(reason, claim)

    def __str__(self) -> str:
        about = f" ({self.claim})" if self.claim else ""
        return f"{self.reason.description}{about} [{self.reason.code}]"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.reason, self._details())

    def error_response(self) -> dict[str, str]:
        """The JSON members with which an authorization server answers (RFC 6749, 5.2; RFC 9126, 2.3)."""
        return {"error": self.error, "error_description": self.reason.description}

    def _details(self) -> dict[str, Any]:
        """What was given besides the reason."""
        error = self.error if "error" in vars(self) else None
        return {"claim": self.claim, "scope": self.scope, "error": error, "scheme": self.scheme}

    def _conditions(self) -> list[tuple[str, str]]:
        """Further parameters of the challenge."""
        return []

    def challenge(
        self, *, realm: str | None = None, scope: str | None = None, algs: Iterable[str] | None = None
    ) -> str:
        """The value of the ``WWW-Authenticate`` response header of a resource server (RFC 6750, 3).

        :param realm: protection realm; must not hold control characters
        :param scope: space-delimited scope to advertise; defaults to what the policy required
        :param algs: ``alg`` values accepted in DPoP proofs, where the resource takes such; a rejection in
            another scheme then offers DPoP in a second challenge (RFC 9449, 7.2)
        :raises PolicyError: ``realm``, ``scope`` or ``algs`` cannot stand in a header
        """
        parameters = []
        if realm is not None:
            parameters.append(("realm", _quotable("realm", realm)))
        # RFC 6750, 3.1: a request without any authentication information gets no error code.
        if self.reason is not Reason.TOKEN_MISSING:
            parameters.append(("error", self.error))
            parameters.append(("error_description", self.reason.description))
        wanted = self.scope if scope is None else scope
        if wanted:
            parameters.append(("scope", scope_text(wanted)))
        parameters += self._conditions()
        accepted = _algs(self.scheme.algs if algs is None else algs)
        if self.scheme.name == "DPoP":
            return _in_scheme("DPoP", parameters + accepted)
        first = _in_scheme(self.scheme.name, parameters)
        return f"{first}, {_in_scheme('DPoP', accepted)}" if accepted else first


class MalformedToken(TokenRejected):
    """Not a well-formed JWS or JWE with what belongs inside (RFC 7515, 5.2; RFC 7516, 5.2; RFC 7519, 7.2)."""


class HeaderRejected(TokenRejected):
    """The protected header asks for something the policy does not allow (RFC 7515, 4.1)."""


class KeyRejected(TokenRejected):
    """No key of the issuer fits the token."""


class SignatureRejected(TokenRejected):
    """The signature does not verify."""


class ClaimRejected(TokenRejected):
    """A claim is missing, malformed or not what the policy demands (RFC 7519, 4.1)."""


class BindingRejected(TokenRejected):
    """Proof of possession failed (RFC 7800, 3; RFC 8705, 3; RFC 9449, 4.3 and 7)."""


class InsufficientScope(TokenRejected):
    """A valid token without the scope this resource needs (RFC 6750, 3.1), or whose user has to
    authenticate anew or better (RFC 9470, 3).

    :ivar acr_values: space-delimited authentication contexts that would do, the best one first, or ``None``
    :ivar max_age: seconds that may have passed since the user authenticated, or ``None``
    """

    status = 403
    error = "insufficient_scope"

    def __init__(
        self,
        reason: Reason,
        *,
        claim: str | None = None,
        scope: str | None = None,
        error: str | None = None,
        scheme: Scheme | None = None,
        acr_values: str | None = None,
        max_age: int | None = None,
    ) -> None:
        super().__init__(reason, claim=claim, scope=scope, error=error, scheme=scheme)
        self.acr_values = acr_values
        self.max_age = max_age

    def _details(self) -> dict[str, Any]:
        return {**super()._details(), "acr_values": self.acr_values, "max_age": self.max_age}

    def _conditions(self) -> list[tuple[str, str]]:
        # RFC 9470, 3.
        named = (("acr_values", self.acr_values), ("max_age", self.max_age))
        return [(name, _quotable(name, str(value))) for name, value in named if value is not None]


class DecryptionRejected(TokenRejected):
    """The token does not open with any key it may be for; which step failed is not told (RFC 7516, 11.5)."""


class ContextRejected(TokenRejected):
    """A good token that does not belong to this exchange: another nonce, another code, a second use."""


class Unavailable(KeyboundError):
    """Keybound cannot tell right now; answer 503. Never the fault of the token.

    :ivar retry_after: seconds after which a retry makes sense, or ``None``
    """

    status: int = 503

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class PolicyError(KeyboundError):
    """The configuration is unsafe, contradictory or impossible. Raised when an object is made."""


class InvalidKey(PolicyError):
    """A key cannot be loaded safely. The message names the rule, never the key."""


_FAMILIES: dict[int, type[TokenRejected]] = {
    1: MalformedToken,
    2: HeaderRejected,
    3: KeyRejected,
    4: SignatureRejected,
    5: ClaimRejected,
    6: BindingRejected,
    7: InsufficientScope,
    8: DecryptionRejected,
    9: ContextRejected,
}


# RFC 9470, 3; RFC 9449, 9: what no other reason of the family is answered with.
_ERRORS_OF_REASONS = {
    Reason.AUTHENTICATION_INSUFFICIENT: "insufficient_user_authentication",
    Reason.AUTHENTICATION_TOO_OLD: "insufficient_user_authentication",
    Reason.DPOP_NONCE_MISSING: "use_dpop_nonce",
    Reason.DPOP_NONCE_INVALID: "use_dpop_nonce",
}
# RFC 6749, 5.2 leaves 400 or 401 for a client that did not authenticate by HTTP; every other code is 400.
# The last two are those of a resource server (RFC 9449, 7.1); an authorization server says 400 with them.
_STATUS_OF_ERRORS = {
    "invalid_client": 401,
    "insufficient_user_authentication": 401,
    "invalid_dpop_proof": 401,
    "use_dpop_nonce": 401,
}
_OF_DPOP = range(620, 650)


def rejection(
    reason: int,
    *,
    claim: str | None = None,
    scope: str | None = None,
    error: str | None = None,
    scheme: Scheme | None = None,
) -> TokenRejected:
    """The exception that belongs to ``reason``; the caller raises it.

    :param error: OAuth error code in place of that of a resource server
    :param scheme: scheme of the challenge in place of that of the reason
    """
    member = Reason(reason)
    return _FAMILIES[member // 100](member, claim=claim, scope=scope, error=error, scheme=scheme)


def _rebuild(kind: type[TokenRejected], reason: Reason, details: dict[str, Any]) -> TokenRejected:
    return kind(reason, **details)


def _algs(names: Iterable[str]) -> list[tuple[str, str]]:
    members = [names] if isinstance(names, str) or not isinstance(names, Iterable) else list(names)
    if not all(isinstance(name, str) for name in members):
        raise PolicyError("algs must be a list of algorithm names")
    return [("algs", scope_text(" ".join(members), "algs"))] if members else []


def _in_scheme(scheme: str, parameters: list[tuple[str, str]]) -> str:
    text = ", ".join(f'{name}="{value}"' for name, value in parameters)
    return f"{scheme} {text}" if text else scheme


def _quotable(name: str, value: str) -> str:
    """Escape ``value`` for a quoted-string (RFC 9110, 5.6.4)."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise PolicyError(f"{name} must be text in printable ASCII")
    return value.replace("\\", "\\\\").replace('"', '\\"')


def scope_text(value: str, name: str = "scope") -> str:
    """``value`` if it is scope tokens, or what is written like them, with one space between them.

    :raises PolicyError: it is not
    """
    # RFC 6749, 3.3: scope = scope-token *( SP scope-token ), scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
    if not isinstance(value, str) or not re.fullmatch(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*", value):
        raise PolicyError(f"{name} holds something that RFC 6749 section 3.3 forbids")
    return value
