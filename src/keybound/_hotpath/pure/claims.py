"""Registered-claim and ``cnf`` checks: each check is one function, in the order of the road.

A check answers with a reason, or ``None`` where there was nothing to check.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from keybound._hotpath.contract import DETAIL_SHIFT, AudienceForm, Binding, ClaimRules
from keybound._hotpath.markers import markers
from keybound._hotpath.pure import base64url, digest, strict_json
from keybound._hotpath.scope import scope_tokens
from keybound.errors import Reason
from keybound.limits import MAX_NUMERIC_DATE

__all__ = [
    "CHECKS",
    "CompiledClaims",
    "Proof",
    "check",
    "check_claims",
    "compile_rules",
    "thumbprint_verdict",
]

OK = int(Reason.OK)
_THUMBPRINT_OF_NOTHING = digest.sha2(256, b"")

Claims = Mapping[str, Any]


class Proof(NamedTuple):
    """What came with a token: see :func:`check`."""

    certificate: bytes | None
    jkt: bytes | None


Check = Callable[[ClaimRules, Claims, float, Proof], "int | None"]
CompiledClaims = ClaimRules
"""The pure twin runs on the rules as they are; the native twin turns them into C."""


def compile_rules(rules: ClaimRules) -> CompiledClaims:
    """Prepare ``rules`` for :func:`check`; done once per validator."""
    return rules


def check(
    rules: CompiledClaims,
    payload: bytes,
    json_depth: int,
    now: float,
    proof: bytes | None,
    jkt: bytes | None = None,
) -> int:
    """Check a JWT claims set.

    :param payload: the claims set as JSON text
    :param now: seconds since 1970-01-01T00:00:00Z
    :param proof: the presented client certificate in DER, or its SHA-256 (32 bytes), or ``None``
    :param jkt: the thumbprint of the key of the DPoP proof (32 bytes), no bytes if that proof was made for
        another token, or ``None``
    :returns: a verdict (see :data:`~keybound._hotpath.contract.DETAIL_SHIFT`)
    """
    reason, claims = strict_json.loads(payload, json_depth)
    if reason != OK:
        return reason
    if type(claims) is not dict:
        return Reason.PAYLOAD_NOT_OBJECT
    return check_claims(rules, claims, now, Proof(proof, jkt))


def check_claims(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int:
    """The first verdict of :data:`CHECKS` that is not good."""
    for _, judge in CHECKS:
        verdict = judge(rules, claims, now, proof)
        if verdict is not None and verdict != OK:
            return verdict
    return OK


def thumbprint_verdict(expected: str, proof: bytes | None) -> int:
    """Compare a ``x5t#S256`` value with the presented certificate (RFC 8705, 3.1).

    :param expected: the confirmation value as the token or another credential carries it
    :param proof: certificate in DER, or its SHA-256 (32 bytes), or ``None``
    """
    wanted = _thumbprint(expected)
    if wanted is None:
        return (
            Reason.CNF_THUMBPRINT_NOT_CANONICAL if _has_loose_end(expected) else Reason.CNF_THUMBPRINT_INVALID
        )
    # Some proxies send the hash of zero bytes for "no certificate"; no token may be bound to that.
    if wanted == _THUMBPRINT_OF_NOTHING:
        return Reason.CNF_THUMBPRINT_OF_NOTHING
    if proof is None:
        return Reason.CERTIFICATE_MISSING
    presented = proof if len(proof) == 32 else digest.certificate_thumbprint(proof)
    if presented is None:
        return Reason.CERTIFICATE_INVALID
    return OK if hmac.compare_digest(presented, wanted) else Reason.CERTIFICATE_MISMATCH


def _key_verdict(expected: str, jkt: bytes | None) -> int:
    """Compare a ``jkt`` value with the key of the DPoP proof (RFC 9449, 6.1 and 7.1)."""
    wanted = _thumbprint(expected)
    if wanted is None:
        return Reason.CNF_JKT_NOT_CANONICAL if _has_loose_end(expected) else Reason.CNF_JKT_INVALID
    # RFC 9449, 7.2: a bound token is never good as a bearer token.
    if jkt is None:
        return Reason.DPOP_PROOF_MISSING
    if len(jkt) != 32:
        return Reason.DPOP_TOKEN_MISMATCH
    return OK if hmac.compare_digest(jkt, wanted) else Reason.DPOP_KEY_MISMATCH


def _thumbprint(text: str) -> bytes | None:
    return base64url.decode(text) if len(text) == 43 and text.isascii() else None


def _has_loose_end(text: str) -> bool:
    """Whether nothing but the unused bits at the end keeps ``text`` from being a SHA-256 (RFC 4648, 3.5)."""
    if len(text) != 43 or not text.isascii():
        return False
    # 43 characters carry 258 bits: only the last one can break the canonical form.
    lenient, last = base64url.decode(text[:42] + "A"), base64url.decode("AAA" + text[42])
    return lenient is not None and last is not None


def _kind(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    if not rules.foreign:
        return None
    return Reason.KIND_MISMATCH if rules.foreign & markers(claims) else OK


def _issuer(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    if "iss" not in claims:
        return None if rules.issuer is None or not rules.iss_required else Reason.ISS_MISSING
    if type(claims["iss"]) is not str:
        return Reason.ISS_INVALID
    if rules.issuer is not None and claims["iss"] != rules.issuer:
        return Reason.ISS_MISMATCH
    return OK


def _audience(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    name = "client_id" if rules.audience_is_client else "aud"
    if name not in claims:
        return Reason.AUD_MISSING if rules.audiences and rules.aud_required else None
    value = claims[name]
    if rules.audience_form == AudienceForm.STRING and type(value) is list:
        return Reason.AUD_ARRAY
    members = [value] if type(value) is str else value
    if type(members) is not list or not members or not all(type(member) is str for member in members):
        return Reason.AUD_INVALID
    if rules.audience_form == AudienceForm.SOLE and len(members) > 1:
        return Reason.AUD_NOT_SOLE
    # RFC 7519, 2 (StringOrURI): compared as case-sensitive strings, without any transformation.
    if rules.audiences and not any(member in rules.audiences for member in members):
        return Reason.AUD_MISMATCH
    return OK


def _numeric_date(claims: Claims, name: str) -> float | None:
    """The NumericDate (RFC 7519, 2), or ``None`` if the value is not a sane one. ``true`` is not 1."""
    value = claims[name]
    if type(value) is not int and type(value) is not float:
        return None
    return value if 0 <= value <= MAX_NUMERIC_DATE and math.isfinite(value) else None


def _expiration(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    if "exp" not in claims:
        return Reason.EXP_MISSING if rules.exp_required else None
    exp = _numeric_date(claims, "exp")
    if exp is None:
        return Reason.EXP_INVALID
    if rules.expired_accepted:
        return None
    # Every comparison with the clock is true for a good token, so a clock that says NaN accepts none.
    return OK if now < exp + rules.leeway else Reason.TOKEN_EXPIRED


def _not_before(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    if "nbf" not in claims:
        return Reason.NBF_MISSING if rules.nbf_required else None
    nbf = _numeric_date(claims, "nbf")
    if nbf is None:
        return Reason.NBF_INVALID
    return OK if nbf <= now + rules.leeway else Reason.TOKEN_NOT_YET_VALID


def _issued_at(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    if "iat" not in claims:
        return Reason.IAT_MISSING if rules.iat_required else None
    iat = _numeric_date(claims, "iat")
    if iat is None:
        return Reason.IAT_INVALID
    return OK if iat <= now + rules.leeway else Reason.IAT_IN_FUTURE


def _lifetime(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    distance = rules.max_expiry_distance
    if rules.max_lifetime is None and distance is None:
        return None
    if rules.max_lifetime is not None and claims["exp"] - claims["iat"] > rules.max_lifetime:
        return Reason.LIFETIME_TOO_LONG
    if distance is None or _is_near(claims, now + rules.leeway, distance):
        return OK
    return Reason.LIFETIME_TOO_LONG


def _is_near(claims: Claims, now: float, distance: float) -> bool:
    """Whether ``exp`` is at most ``distance`` seconds from now, and from ``iat`` where there is one."""
    exp: float = claims["exp"]
    return exp - now <= distance and ("iat" not in claims or exp - claims["iat"] <= distance)


def _age(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    bounds = [("iat", rules.max_age), ("nbf", rules.max_nbf_age)]
    ages = [(now - claims[name], bound) for name, bound in bounds if bound is not None]
    if not ages:
        return None
    return OK if all(age <= bound + rules.leeway for age, bound in ages) else Reason.TOKEN_TOO_OLD


def _text(claims: Claims, name: str, required: bool, missing: Reason, invalid: Reason) -> int | None:
    if name not in claims:
        return missing if required else None
    value = claims[name]
    return OK if type(value) is str and value else invalid


def _subject(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    return _text(claims, "sub", rules.sub_required, Reason.SUB_MISSING, Reason.SUB_INVALID)


def _client(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    missing, invalid = Reason.CLIENT_ID_MISSING, Reason.CLIENT_ID_INVALID
    return _text(claims, "client_id", rules.client_id_required, missing, invalid)


def _identifier(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    verdict = _text(claims, "jti", rules.jti_required, Reason.JTI_MISSING, Reason.JTI_INVALID)
    if verdict != OK or rules.max_jti is None or len(claims["jti"]) <= rules.max_jti:
        return verdict
    return Reason.JTI_INVALID


def _scope(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    if "scope" not in claims and "scp" not in claims:
        return None
    if type(claims.get("scope", "")) is not str:
        return Reason.SCOPE_INVALID
    listed = claims.get("scp", "")
    if type(listed) is list and all(type(member) is str for member in listed):
        return OK
    return OK if type(listed) is str else Reason.SCOPE_INVALID


def _required(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    for position, name in enumerate(rules.required):
        if claims.get(name) is None:
            return Reason.CLAIM_MISSING | position << DETAIL_SHIFT
    return OK if rules.required else None


def _expected(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    for position, (name, text) in enumerate(rules.expected):
        if type(claims.get(name)) is not str or claims[name] != text:
            return Reason.CLAIM_MISMATCH | position << DETAIL_SHIFT
    return OK if rules.expected else None


def _forbidden(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    for position, name in enumerate(rules.forbidden):
        if name in claims:
            return Reason.CLAIM_FORBIDDEN | position << DETAIL_SHIFT
    return OK if rules.forbidden else None


def _confirmation(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    """RFC 7800, 3.1: a present ``cnf`` is checked or the token is rejected."""
    if rules.binding == Binding.IGNORE:
        return None
    verdict: int | None = None
    if "cnf" in claims:
        verdict = _confirmed(claims["cnf"], proof)
    elif rules.binding == Binding.REQUIRED:
        return Reason.CNF_MISSING
    # RFC 9449, 7.1: the key of the proof must be the one that the token is bound to.
    if verdict in (None, OK) and proof.jkt is not None and "jkt" not in claims.get("cnf", ()):
        return Reason.DPOP_PROOF_UNEXPECTED
    return verdict


def _confirmed(confirmation: object, proof: Proof) -> int:
    # Claims of a verified token come as a FrozenDict.
    if not isinstance(confirmation, dict) or not confirmation:
        return Reason.CNF_INVALID
    if len(confirmation) > 1:
        return Reason.CNF_AMBIGUOUS
    ((method, expected),) = confirmation.items()
    if method == "jkt":
        return _key_verdict(expected, proof.jkt) if type(expected) is str else Reason.CNF_JKT_INVALID
    if method != "x5t#S256":
        return Reason.CNF_UNSUPPORTED
    if type(expected) is not str:
        return Reason.CNF_THUMBPRINT_INVALID
    return thumbprint_verdict(expected, proof.certificate)


def _required_scopes(rules: ClaimRules, claims: Claims, now: float, proof: Proof) -> int | None:
    if not rules.scopes:
        return None
    granted = scope_tokens(claims.get("scope", ""), claims.get("scp", ""))
    return OK if set(rules.scopes).issubset(granted) else Reason.SCOPE_INSUFFICIENT


def recheck(rules: CompiledClaims, claims: Claims, now: float, proof: Proof) -> int:
    """What changes from one presentation of a good token to the next: time and proofs."""
    for judge in (_expiration, _not_before, _issued_at, _lifetime, _age, _confirmation):
        verdict = judge(rules, claims, now, proof)
        if verdict is not None and verdict != OK:
            return verdict
    return OK


CHECKS: tuple[tuple[str, Check], ...] = (
    # First: what another kind of token lacks or says otherwise tells nobody anything.
    ("kind", _kind),
    ("issuer", _issuer),
    ("audience", _audience),
    ("expiration time", _expiration),
    ("not before", _not_before),
    ("issued at", _issued_at),
    ("lifetime", _lifetime),
    ("age", _age),
    ("subject", _subject),
    ("client", _client),
    ("token identifier", _identifier),
    ("scope syntax", _scope),
    ("required claims", _required),
    ("forbidden claims", _forbidden),
    ("expected claims", _expected),
    # Last but one: a token that fails above would be bad for its rightful holder as well.
    ("confirmation", _confirmation),
    # Last: 403 tells the caller that the token itself is good (RFC 6750, 3.1).
    ("required scope", _required_scopes),
)
