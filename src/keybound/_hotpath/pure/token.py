"""The road of a token: split, header, key, signature, payload, claims and binding."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast

from keybound._hotpath.compact import OpenedWithOldSecret, split
from keybound._hotpath.contract import ENTRY_BYTES, ClaimRules, HeaderRules, Kind
from keybound._hotpath.header import NO_HEADER, Header, NoHeader, parse_header
from keybound._hotpath.pure import base64url, claims, signature, strict_json
from keybound._hotpath.pure.cache import Entry, TokenCache, seconds
from keybound._hotpath.pure.claims import CompiledClaims
from keybound._hotpath.pure.signature import VerifyKey
from keybound.clock import Clock
from keybound.errors import PolicyError, Reason, Unavailable
from keybound.frozen import FrozenDict
from keybound.limits import MAX_CANDIDATES, MAX_REMEMBERED_HEADERS

if TYPE_CHECKING:
    from keybound.binding.certificate import Certificate

__all__ = [
    "CompiledHeader",
    "CompiledPolicy",
    "KeyIndex",
    "SelfSignedToken",
    "Validator",
    "VerifiedToken",
    "from_claims",
    "open_parts",
    "open_token",
    "thumbprint_beside",
    "unverified_issuer",
    "validate",
]

OK = int(Reason.OK)
_CLAIM_FAMILY = 5


class KeyIndex:
    """Key handles by ``kid``, immutable: one snapshot of a key set."""

    __slots__ = ("_all", "_by_kid", "_current", "_secrets", "_unnamed")

    def __init__(self, entries: Iterable[tuple[str | None, VerifyKey, int]]) -> None:
        """:param entries: ``(kid, key, mask)``, the mask holding a bit per algorithm the key may verify"""
        self._by_kid: dict[str, list[tuple[VerifyKey, int]]] = {}
        self._all: dict[int, list[VerifyKey]] = {}
        self._unnamed: dict[int, list[VerifyKey]] = {}
        for kid, key, mask in entries:
            if kid is not None:
                self._by_kid.setdefault(kid, []).append((key, mask))
            for index in range(mask.bit_length()):
                if mask >> index & 1:
                    self._all.setdefault(index, []).append(key)
                    if kid is None:
                        self._unnamed.setdefault(index, []).append(key)
        # An operator who gives several secrets without a kid means each of them: the new and the old one.
        self._secrets = frozenset(
            index
            for index, pool in self._unnamed.items()
            if len(pool) == len(self._all[index]) and all(key.kind == Kind.SECRET for key in pool)
        )
        self._current = {index: pool[0] for index, pool in self._all.items() if pool[0].kind == Kind.SECRET}

    def candidates(self, kid: str | None, index: int) -> tuple[VerifyKey, ...] | int:
        """The keys to try for a token, at most three, or the reason why there is none.

        :param kid: as in the token header
        :param index: of the algorithm, in the table of algorithms
        """
        named = self._by_kid.get(kid) if kid is not None else None
        if named is not None:
            fitting = tuple(key for key, mask in named if mask >> index & 1)
            return fitting[:MAX_CANDIDATES] or Reason.KEY_UNSUITABLE
        if kid is not None and not self._unnamed:
            return Reason.KEY_UNKNOWN
        # A kid nobody has can only be meant for a key that the operator loaded without one.
        pool = (self._all if kid is None else self._unnamed).get(index, [])
        if len(pool) == 1 or index in self._secrets:
            return tuple(pool[:MAX_CANDIDATES])
        return Reason.KEY_AMBIGUOUS if pool else Reason.KEY_UNSUITABLE

    def is_old_secret(self, key: VerifyKey, index: int) -> bool:
        """Whether a key is a secret, and not the first for this algorithm, which is the current one."""
        return self._current.get(index, key) is not key


class VerifiedToken:
    """Header and claims that passed every check. Made by :func:`validate` alone; immutable."""

    __slots__ = ("_claims", "_header", "_old_secret", "_payload")

    _header: Header | NoHeader
    _payload: bytes
    _claims: FrozenDict | None
    _old_secret: bool

    def __init__(self) -> None:
        raise TypeError("a verified token comes from a validator")

    @property
    def header(self) -> FrozenDict:
        """The protected header, read-only."""
        return self._header.fields

    @property
    def claims(self) -> FrozenDict:
        """The claims set, read-only."""
        if self._claims is None:
            object.__setattr__(self, "_claims", strict_json.load_frozen(self._payload))
        return cast(FrozenDict, self._claims)

    @property
    def old_secret(self) -> bool:
        """Whether it was signed or encrypted with a secret that is being replaced: of several for one
        algorithm, any but the first.
        """
        return self._old_secret

    def claim(self, name: str, default: Any = None) -> Any:
        """One claim, read-only, without making the others; ``default`` where there is none."""
        if not isinstance(name, str):
            raise TypeError("the name of a claim is text")
        return self.claims.get(name, default)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a verified token is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a verified token is immutable")

    def __reduce__(self) -> NoReturn:
        # Whoever unpickles would get a "verified" token that nobody verified.
        raise TypeError("a verified token cannot be pickled")


class SelfSignedToken(VerifiedToken):
    """A token that carried its key in its header. Made by :func:`keybound._hotpath.self_signed.validate`."""

    __slots__ = ("_allowed", "_beside", "_digest")

    _digest: bytes
    _beside: str | None
    _allowed: HeaderRules

    @property
    def thumbprint(self) -> str:
        """The JWK thumbprint of its key with SHA-256 (RFC 7638, 3), 43 characters of base64url."""
        return base64url.encode(self._digest)

    @property
    def allowed_algorithms(self) -> tuple[str, ...]:
        """The algorithms that its validator accepts, for a challenge (RFC 9449, 7.1)."""
        return tuple(row.name for row in self._allowed.algorithms)


class CompiledHeader:
    """Header rules with the memo of headers that came on good tokens."""

    __slots__ = ("_memo", "rules")

    def __init__(self, rules: HeaderRules) -> None:
        self.rules = rules
        self._memo: dict[bytes, Header] = {}

    def parse(self, encoded: bytes) -> Header | int:
        """See :func:`~keybound._hotpath.header.parse_header`."""
        known = self._memo.get(encoded)
        return parse_header(self.rules, encoded, base64url, strict_json) if known is None else known

    def _keep(self, encoded: bytes, header: Header) -> None:
        """Keep a header whose signature verified; what nobody signed cannot fill the memo."""
        if encoded not in self._memo:
            if len(self._memo) >= MAX_REMEMBERED_HEADERS:
                self._memo.clear()
            self._memo[encoded] = header


class CompiledPolicy:
    """Rules prepared for :func:`validate`."""

    __slots__ = ("_claim_rules", "_header", "_result_type")

    def __init__(
        self,
        header_rules: HeaderRules,
        claim_rules: ClaimRules,
        result_type: type[VerifiedToken] = VerifiedToken,
    ) -> None:
        self._header = CompiledHeader(header_rules)
        self._claim_rules = claims.compile_rules(claim_rules)
        self._result_type = result_type


def open_token(header: CompiledHeader, keys: KeyIndex, raw: object) -> tuple[Header, bytes] | int:
    """Verify a compact JWS and return its header and payload; a reason if it does not verify."""
    opened = _open(header, keys, raw)
    return opened if isinstance(opened, int) else opened[:2]


def _open(header: CompiledHeader, keys: KeyIndex, raw: object) -> tuple[Header, bytes, bool] | int:
    parts = split(header.rules, raw)
    if isinstance(parts, int):
        return parts
    parsed = header.parse(parts[0])
    if isinstance(parsed, int):
        return parsed
    if not parsed.b64 and not parts[1].isascii():
        # RFC 7797, 5.2: what stands between two dots is text for a URL.
        return Reason.BASE64URL_INVALID
    opened = _open_parts(parsed, keys, *parts)
    if not isinstance(opened, int):
        header._keep(parts[0], parsed)
    return opened


def open_parts(
    header: Header, keys: KeyIndex, protected: bytes, payload: bytes, encoded_signature: bytes
) -> tuple[Header, bytes] | int:
    """Verify the parts of a JWS whose header has passed its rules (RFC 7515, 5.2).

    :param protected: encoded protected header
    :param payload: encoded payload, or the payload as it is where ``header.b64`` is false (RFC 7797, 3)
    :returns: header and decoded payload, or a reason
    """
    opened = _open_parts(header, keys, protected, payload, encoded_signature)
    return opened if isinstance(opened, int) else opened[:2]


def _open_parts(
    header: Header, keys: KeyIndex, protected: bytes, payload: bytes, encoded_signature: bytes
) -> tuple[Header, bytes, bool] | int:
    """Header, decoded payload, and whether the secret was an old one; or a reason."""
    candidates = keys.candidates(header.kid, header.algorithm.index)
    if isinstance(candidates, int):
        return candidates
    proof = base64url.decode(encoded_signature)
    decoded = base64url.decode(payload) if header.b64 else payload
    if proof is None or decoded is None:
        return Reason.BASE64URL_INVALID
    data = b"%b.%b" % (protected, payload)
    family, bits = header.algorithm.family, header.algorithm.bits
    for key in candidates:
        if signature.verify(key, family, bits, data, proof):
            return header, decoded, keys.is_old_secret(key, header.algorithm.index)
    return Reason.SIGNATURE_INVALID


def validate(
    policy: CompiledPolicy,
    keys: KeyIndex,
    raw: object,
    now: float,
    proof: bytes | None,
    jkt: bytes | None = None,
) -> VerifiedToken | int:
    """Validate a token: one call from bytes to a verified token or a verdict.

    :param raw: the token as ``str`` or ``bytes``
    :param now: seconds since 1970-01-01T00:00:00Z
    :param proof: the presented client certificate in DER, or its SHA-256 (32 bytes), or ``None``
    :param jkt: see :func:`~keybound._hotpath.pure.claims.check`
    """
    opened = _open(policy._header, keys, raw)
    if isinstance(opened, int):
        return opened
    header, payload, old_secret = opened
    verdict = claims.check(policy._claim_rules, payload, policy._header.rules.json_depth, now, proof, jkt)
    if verdict != OK:
        return verdict
    return _token_of(policy._result_type, header, payload, old_secret)


def from_claims(
    rules: CompiledClaims,
    result_type: type[VerifiedToken],
    payload: bytes,
    json_depth: int,
    now: float,
    proof: bytes | None,
    jkt: bytes | None = None,
) -> VerifiedToken | int:
    """Validate a claims set that its issuer has vouched for in another way than by signing it alone.

    :param payload: the claims set as JSON text
    :param now: seconds since 1970-01-01T00:00:00Z
    :param proof: as for :func:`validate`
    :param jkt: as for :func:`validate`
    :returns: a verified token without header, or a verdict
    """
    verdict = claims.check(rules, payload, json_depth, now, proof, jkt)
    return _token_of(result_type, NO_HEADER, payload) if verdict == OK else verdict


def _token_of(
    result_type: type[VerifiedToken], header: Header | NoHeader, payload: bytes, old_secret: bool = False
) -> VerifiedToken:
    token = object.__new__(cast(Any, result_type))
    object.__setattr__(token, "_header", header)
    object.__setattr__(token, "_payload", payload)
    object.__setattr__(token, "_claims", None)
    object.__setattr__(token, "_old_secret", old_secret)
    return cast(VerifiedToken, token)


Result = TypeVar("Result", bound=VerifiedToken)


class Validator(Generic[Result]):
    """The road with everything on it that stays the same from token to token."""

    def __init__(
        self,
        policy: CompiledPolicy,
        *,
        source: Any,
        static_keys: KeyIndex | None,
        clock: Clock,
        to_proof: Callable[[Any], bytes | None],
        reject: Callable[..., Exception],
        cache: TokenCache | None,
        opener: Any = None,
        outcomes: Any = None,
        is_revoked: Callable[[Any], bool] | None = None,
    ) -> None:
        """A road; those of other kinds than access tokens count behind it.

        :param opener: opens the encryption around a token (:class:`~keybound.jose.nesting.Opener`)
        :param outcomes: counts what every call came to (:class:`~keybound.tokens._outcomes.Outcomes`)
        :param is_revoked: whether a verified token was revoked; asked each time one is presented
        """
        self._policy = policy
        self._source = source
        self._seek = getattr(source, "refresh_for", None)
        self._keys = static_keys
        self._clock = clock
        self._to_proof = to_proof
        self._reject = reject
        self._cache = cache
        self._opener = opener
        self._outcomes = outcomes
        self._is_revoked = is_revoked

    def __reduce__(self) -> NoReturn:
        raise TypeError("a validator cannot be pickled")

    def validate(
        self,
        raw: str | bytes,
        *,
        certificate: Certificate | None = None,
        dpop: SelfSignedToken | None = None,
    ) -> Result:
        """Validate a token together with the client certificate or DPoP proof it came with.

        :param raw: the token
        :param certificate: DER or PEM, an ``x509.Certificate``, a
            :class:`~keybound.PresentedCertificate`, or an already verified SHA-256; ``None`` where
            the client presented none
        :param dpop: the :class:`~keybound.DPoPProof` made for this token, or ``None`` where none came along
        :raises TokenRejected: the token must not be accepted; ``.reason`` tells why
        :raises Unavailable: the key source cannot answer now, or nobody can tell whether the token was
            revoked
        """
        try:
            result = self._run(self._index(), raw, certificate, dpop)
            if result == Reason.KEY_UNKNOWN and self._seek is not None:
                kid = self._kid(raw)
                if kid is not None and self._seek(kid):
                    # The source has newer keys now, and this one among them.
                    result = self._run(self._index(), raw, certificate, dpop)
            ask = self._is_revoked
            if ask is not None and isinstance(result, VerifiedToken) and ask(result):
                result = Reason.TOKEN_REVOKED
        except Unavailable as error:
            if self._outcomes is not None:
                self._outcomes.ended(error)
            raise
        return self._conclude(result, dpop)

    def _conclude(self, result: VerifiedToken | int, dpop: Any = None) -> Result:
        """What :meth:`validate` answers or raises for what the road says."""
        if isinstance(result, VerifiedToken):
            if self._outcomes is not None:
                self._outcomes.accepted(old_secrets=int(result.old_secret))
            return cast(Result, result)
        rejected = self._reject(result) if dpop is None else self._reject(result, dpop)
        if self._outcomes is not None:
            self._outcomes.ended(rejected)
        raise rejected

    def _accepted_alone(self) -> int:
        """How many tokens were accepted without telling ``outcomes``, which would cost too much."""
        return 0

    def _judge(self, keys: Any, raw: Any, certificate: Any, dpop: Any = None) -> VerifiedToken | int:
        """A verified token or a verdict, with the keys of this :class:`~keybound.JWKSet`."""
        return self._run(_index_of(keys), raw, certificate, dpop)

    def _kid(self, raw: Any) -> str | None:
        """``kid`` of a token whose header has passed its rules."""
        if self._opener is not None:
            raw = self._opener.open(raw)
            if isinstance(raw, int):
                return None
            if type(raw) is OpenedWithOldSecret:
                raw = bytes(raw)
        parts = split(self._policy._header.rules, raw)
        header = self._policy._header.parse(parts[0]) if not isinstance(parts, int) else parts
        return None if isinstance(header, int) else header.kid

    def _run(self, keys: KeyIndex, raw: Any, certificate: Any, dpop: Any) -> VerifiedToken | int:
        now = self._now()
        # RFC 9449, 4.2: a proof is made for the token as it is presented, encrypted or not.
        proof, jkt = self._to_proof(certificate), thumbprint_beside(dpop, raw)
        if self._opener is not None:
            raw = self._opener.open(raw)
            if isinstance(raw, int):
                return raw
            if type(raw) is OpenedWithOldSecret:
                # Kept for nobody: with the current secret the same token is another case.
                result = validate(self._policy, keys, bytes(raw), now, proof, jkt)
                if isinstance(result, VerifiedToken):
                    object.__setattr__(result, "_old_secret", True)
                return result
        if self._cache is None or not self._may_be_cached(raw):
            return validate(self._policy, keys, raw, now, proof, jkt)
        # One spelling for str and bytes alike; what is not ASCII is never stored.
        text = raw if type(raw) is str else raw.decode("latin-1")
        entry = self._cache.find(text, keys)
        if entry is not None:
            presented = claims.Proof(proof, jkt)
            verdict = claims.recheck(self._policy._claim_rules, entry.token.claims, now, presented)
            if verdict == OK:
                return cast(VerifiedToken, entry.token)
            if verdict // 100 == _CLAIM_FAMILY:
                # Its time is over: a clock that steps back must not find it again.
                self._cache.drop(text)
            return verdict
        result = validate(self._policy, keys, raw, now, proof, jkt)
        if isinstance(result, VerifiedToken):
            self._cache.store(text, keys, Entry(result, _cost(text, result)))
        return result

    def _situation(self) -> tuple[KeyIndex, float]:
        """Keys and time as they are now, in seconds since 1970-01-01T00:00:00Z.

        :raises Unavailable: the key source or the clock answers with something else
        """
        return self._index(), self._now()

    def _index(self) -> KeyIndex:
        if self._keys is not None:
            return self._keys
        return _index_of(self._source.snapshot())

    def _now(self) -> float:
        return seconds(self._clock())

    def _may_be_cached(self, raw: Any) -> bool:
        # A look-up hashes the whole text, so the ceiling comes first.
        return (type(raw) is str or type(raw) is bytes) and len(raw) <= self._policy._header.rules.token_bytes


def unverified_issuer(header: CompiledHeader, raw: object) -> str | int:
    """``iss`` of a token that nobody has verified, or a reason; to choose who is to verify it.

    :param header: rules with the ceilings for size and nesting
    """
    parts = split(header.rules, raw)
    if isinstance(parts, int):
        return parts
    payload = base64url.decode(parts[1])
    if payload is None:
        return Reason.BASE64URL_INVALID
    reason, claims = strict_json.loads(payload, header.rules.json_depth)
    if reason != OK:
        return reason
    if type(claims) is not dict:
        return Reason.PAYLOAD_NOT_OBJECT
    if "iss" not in claims:
        return Reason.ISS_MISSING
    return claims["iss"] if type(claims["iss"]) is str else Reason.ISS_INVALID


def _index_of(keys: Any) -> KeyIndex:
    index = getattr(keys, "_index", None)
    if type(index) is not KeyIndex:
        raise Unavailable("the key source did not answer with a keybound.JWKSet")
    return index


def thumbprint_beside(dpop: object, raw: object) -> bytes | None:
    """The thumbprint of the key of a DPoP proof, 32 bytes; no bytes where it was made for another token."""
    if dpop is None:
        return None
    if not isinstance(dpop, SelfSignedToken):
        raise PolicyError("dpop must be the result of a keybound.DPoPProofValidator")
    # RFC 9449, 7: not for another token, nor for none.
    text = raw.decode("latin-1") if type(raw) is bytes else raw
    return dpop._digest if dpop._beside is not None and text == dpop._beside else b""


def _cost(text: str, token: VerifiedToken) -> int:
    """Memory that a cached token occupies, estimated from above; its header may be shared with others."""
    header = base64url.decode(text.partition(".")[0]) or b""
    return ENTRY_BYTES + len(text) + strict_json.footprint(header) + strict_json.footprint(token._payload)
