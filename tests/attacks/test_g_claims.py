"""Claims that were not checked, or not as they were meant."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.stores import MemoryRevocationList
from keybound.testing import OMIT, FakeClock, FakeIssuer, SigningKey, dpop_proof

ISSUER = "https://as.example.com/tenant"
AUDIENCE = "https://rs.example.com/"


@pytest.mark.parametrize(
    "issuer", ["https", "", "h", "https://as.example.com", ISSUER[1:], ISSUER + "/", ISSUER + "x"]
)
def test_g1_part_of_an_issuer(world: Any, judge: Any, issuer: str) -> None:
    judge.rejects(world.token(iss=issuer), Reason.ISS_MISMATCH)
    if issuer:
        judge.rejects(world.token(), Reason.ISS_MISMATCH, issuer=issuer)
    judge.accepts(world.token())


@pytest.mark.parametrize("issuer", [[ISSUER], [ISSUER, "x"], {"iss": ISSUER}, {ISSUER: 1}, None, 5])
def test_g2_list_of_issuers(world: Any, judge: Any, issuer: Any) -> None:
    judge.rejects(world.token(iss=issuer), Reason.ISS_INVALID)


@pytest.mark.parametrize(
    "audience", [[], [""], "", None, {}, [[]], [[AUDIENCE]], {"0": AUDIENCE}, [None], False, 0]
)
def test_g3_empty_audiences(world: Any, judge: Any, audience: Any) -> None:
    expected = Reason.AUD_MISMATCH if audience in ("", [""]) else Reason.AUD_INVALID
    judge.rejects(world.token(aud=audience), expected)
    judge.accepts(world.token(aud=[AUDIENCE]))


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["1", "", [], [1], {}, None, True, False, "1750000000", "never"])
def test_g4_g5_times_of_another_type(world: Any, judge: Any, claim: str, value: Any) -> None:
    reason = {"exp": Reason.EXP_INVALID, "nbf": Reason.NBF_INVALID, "iat": Reason.IAT_INVALID}[claim]
    judge.rejects(world.token(**{claim: value}), reason)
    judge.rejects(world.token(**{claim: value}), reason, allow_missing_exp=True)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e309", "true"])
def test_g6_numbers_that_are_none(world: Any, judge: Any, value: str) -> None:
    for claim in ("exp", "nbf", "iat"):
        (verdict,) = judge.verdicts(
            world.validator(), world.with_text(f'"{claim}":{value}', instead_of=claim)
        )
        assert verdict in (
            Reason.JSON_INVALID,
            Reason.JSON_NUMBER_OUT_OF_RANGE,
            Reason.EXP_INVALID,
            Reason.NBF_INVALID,
            Reason.IAT_INVALID,
        )


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("jti", Reason.JTI_INVALID),
        ("sub", Reason.SUB_INVALID),
        ("client_id", Reason.CLIENT_ID_INVALID),
        ("scope", Reason.SCOPE_INVALID),
    ],
)
def test_g7_text_claims_of_another_type(world: Any, judge: Any, claim: str, reason: Reason) -> None:
    for value in (["good"], {"good": 1}, 5, True, None):
        judge.rejects(world.token(**{claim: value}), reason)
    judge.accepts(world.token(**{claim: "good"}))


def test_g8_the_signature_error_wins_and_carries_no_claims(world: Any, judge: Any) -> None:
    stranger = SigningKey.generate("ES256", kid=world.key.kid)
    for wrong in ({"lifetime": -60}, {"aud": "x"}, {"iss": "x"}, {"cnf": {}}, {"exp": "x"}):
        error = judge.rejects(world.token(key=stranger, **wrong), Reason.SIGNATURE_INVALID)
        assert (error.reason, error.claim, error.scope) == (Reason.SIGNATURE_INVALID, None, None)
        assert set(vars(error)) == {"reason", "claim", "scope", "scheme"}
    judge.rejects(world.token(lifetime=-60), Reason.TOKEN_EXPIRED)


def test_g9_audience_is_checked_by_default(world: Any, judge: Any) -> None:
    judge.rejects(world.token(aud=OMIT), Reason.AUD_MISSING)
    judge.rejects(world.token(aud="https://other.example.com/"), Reason.AUD_MISMATCH)
    with pytest.raises(TypeError, match="audience"):
        keybound.AccessTokenValidator(issuer=ISSUER, keys=world.keys, algorithms=["ES256"])  # type: ignore[call-arg]
    with pytest.raises(keybound.PolicyError):
        world.validator(audience=None)


def test_g10_expiry_is_checked_by_default(world: Any, judge: Any) -> None:
    judge.rejects(world.token(exp=OMIT), Reason.EXP_MISSING)
    judge.rejects(world.token(lifetime=-60), Reason.TOKEN_EXPIRED)
    judge.rejects(world.token(exp=OMIT), Reason.EXP_MISSING, profile=keybound.profiles.RFC9068)


@pytest.mark.parametrize(
    "spelling", ["https:\\/\\/as.example.com\\/tenant", "\\u0068ttps://as.example.com/tenant"]
)
def test_g11_issuer_is_compared_as_it_reads(world: Any, judge: Any, spelling: str) -> None:
    judge.accepts(world.with_text(f'"iss":"{spelling}"', instead_of="iss"))
    judge.rejects(world.with_text(f'"iss":"{spelling}x"', instead_of="iss"), Reason.ISS_MISMATCH)


@pytest.mark.parametrize("raw", ["null", " ", "x", ".", "undefined", b"\0", "Bearer"])
def test_g12_a_bad_token_is_not_no_token(judge: Any, raw: Any) -> None:
    assert 'error="invalid_token"' in judge.rejects(raw, Reason.TOKEN_MALFORMED).challenge()
    for nothing in (None, "", b""):
        assert judge.rejects(nothing, Reason.TOKEN_MISSING).challenge() == "Bearer"


@pytest.mark.parametrize(
    "typ",
    [
        "vp+jwt",
        "dpop+jwt",
        "logout+jwt",
        "oauth-authz-req+jwt",
        "token-introspection+jwt",
        "id+jwt",
        "secevent+jwt",
    ],
)
def test_g15_another_kind_of_token(world: Any, judge: Any, typ: str) -> None:
    judge.rejects(world.token(header={"typ": typ}), Reason.TYP_NOT_ALLOWED)
    judge.rejects(world.token(header={"typ": f"application/{typ}"}), Reason.TYP_NOT_ALLOWED)
    for generic in ("JWT", OMIT):
        with pytest.raises(keybound.HeaderRejected):
            world.validator(profile=keybound.profiles.RFC9068).validate(world.token(header={"typ": generic}))
    judge.accepts(world.token(), profile=keybound.profiles.RFC9068)


def test_g16_another_tenant(world: Any, judge: Any) -> None:
    """One key set for all tenants, as some providers have it."""
    judge.rejects(world.token(iss="https://as.example.com/other"), Reason.ISS_MISMATCH)
    judge.rejects(world.token(aud="https://rs.example.com/other"), Reason.AUD_MISMATCH)
    judge.rejects(world.token(), Reason.ISS_MISMATCH, issuer="https://as.example.com/other")
    judge.accepts(world.token())


def id_tokens(issuer: FakeIssuer) -> Any:
    return lambda package: package.IDTokenValidator(
        issuer=issuer.issuer,
        client_id="client-1",
        keys=package.JWKSet.from_json(issuer.jwks()),
        algorithms=[issuer.key.alg],
    )


@pytest.mark.parametrize("what", [{"jti": "t-1"}, {"sid": "s-1"}, {"sub": "user-1"}], ids=str)
def test_g17_a_token_that_was_revoked(world: Any, what: dict[str, str]) -> None:
    """Also where the validator kept it, and not its neighbours."""
    revocations = MemoryRevocationList(clock=world.clock)
    validator = world.validator(revocation=revocations)
    raw = world.token(jti="t-1", sid="s-1", sub="user-1")
    other = world.token(jti="t-2", sid="s-2", sub="user-2")
    for each in (raw, other):
        assert validator.validate(each)
    revocations.revoke(issuer=ISSUER, **what)
    assert validator.validate(other)
    with pytest.raises(keybound.TokenRejected) as rejected:
        validator.validate(raw)
    assert rejected.value.reason is Reason.TOKEN_REVOKED
    assert validator.stats()["cache"]["hits"] == 2


@pytest.mark.parametrize("value", [False, True, "false", None])
def test_g23_a_claim_that_switches_the_nonce_off(judge_of: Any, value: Any) -> None:
    issuer = FakeIssuer()
    judge = judge_of(id_tokens(issuer))
    raw = issuer.id_token(nonce_supported=value)
    judge.rejects(raw, Reason.CLAIM_MISSING, claim="nonce", nonce="n")
    judge.rejects(issuer.id_token(nonce="m", nonce_supported=value), Reason.NONCE_MISMATCH, nonce="n")
    judge.accepts(issuer.id_token(nonce="n", nonce_supported=value), nonce="n")


class Store:
    """A replay store in a dict that forgets what is over, as all of them do."""

    def __init__(self) -> None:
        self.used: dict[tuple[str, str, str], float] = {}

    def put(
        self,
        kind: str,
        principal: str,
        jti: str,
        *,
        expires_at: float,
        now: float,
        issued_at: float | None = None,
    ) -> bool:
        self.used = {use: until for use, until in self.used.items() if until > now}
        if (kind, principal, jti) in self.used:
            return False
        self.used[kind, principal, jti] = expires_at
        return True

    async def aput(
        self,
        kind: str,
        principal: str,
        jti: str,
        *,
        expires_at: float,
        now: float,
        issued_at: float | None = None,
    ) -> bool:
        return self.put(kind, principal, jti, expires_at=expires_at, now=now, issued_at=issued_at)


def proofs(clock: FakeClock) -> tuple[Any, Store]:
    """Validates DPoP proofs of GET requests for one URL."""
    store = Store()
    validator = keybound.DPoPProofValidator(algorithms=["ES256"], replay=store, clock=clock)
    return functools.partial(validator.validate, method="GET", url="https://rs.example.com/resource"), store


def test_g18_a_forged_proof_burns_no_identifier(world: Any) -> None:
    """F-9: burned only after full success."""
    validate, store = proofs(world.clock)
    key, stranger = SigningKey.generate("ES256"), SigningKey.generate("ES256")
    for wrong in ({"signer": stranger}, {"method": "PUT"}, {"iat": 1}, {"url": "https://x/"}, {"ath": "x"}):
        with pytest.raises(keybound.TokenRejected):
            validate(dpop_proof(key, clock=world.clock, **{"jti": "id"} | wrong))
        assert not store.used
    assert validate(dpop_proof(key, clock=world.clock, jti="id")).identifier == "id"


def test_g19_an_identifier_belongs_to_its_key(world: Any) -> None:
    """F-9: one jti with two keys."""
    validate, _ = proofs(world.clock)
    attacker, victim = SigningKey.generate("ES256"), SigningKey.generate("ES256")
    validate(dpop_proof(attacker, clock=world.clock, jti="guessed"))
    assert validate(dpop_proof(victim, clock=world.clock, jti="guessed")).thumbprint == victim.thumbprint
    with pytest.raises(keybound.ContextRejected):
        validate(dpop_proof(victim, clock=world.clock, jti="guessed"))


@pytest.mark.parametrize("ahead", [-60, 0, 10])
def test_g20_a_use_is_remembered_as_long_as_the_proof_is_good(ahead: int) -> None:
    """F-9: to the edge of the window of a proof from the future."""
    clock = FakeClock()
    validate, _ = proofs(clock)
    raw = dpop_proof(SigningKey.generate("ES256"), clock=clock, iat=clock() + ahead)
    assert validate(raw)
    over = clock() + ahead + 60 + 10
    for _ in range(ahead + 75):
        with pytest.raises(keybound.TokenRejected) as caught:
            validate(raw)
        assert caught.value.reason is (Reason.JTI_REPLAYED if clock() <= over else Reason.TOKEN_TOO_OLD)
        clock.advance(1)


def test_g24_no_audience_is_not_every_audience(world: Any) -> None:
    for audience in ((), [], "", [""], {}, iter(())):
        with pytest.raises(keybound.PolicyError):
            world.validator(audience=audience)


def test_g26_options_are_not_changed(world: Any, judge: Any) -> None:
    options: dict[str, Any] = {"audience": [AUDIENCE], "required_claims": ["acr"], "scopes": ["read"]}
    before = copy.deepcopy(options)
    validator = world.validator(**options)
    for _ in range(3):
        judge.rejects(world.token(), Reason.CLAIM_MISSING, claim="acr", validator=validator)
        judge.accepts(world.token(acr="1"), validator=validator)
    assert options == before


@pytest.mark.parametrize("claimed", ["", "x", "77QmUPtjPfzWtF2AnpK9RQ"])
def test_g28_an_algorithm_without_a_hash(judge_of: Any, claimed: str) -> None:
    """Nobody has said what hash belongs to Ed448, and a hash that nobody computes proves nothing."""
    issuer = FakeIssuer(alg="Ed448")
    judge = judge_of(id_tokens(issuer))
    for claim, name in (("at_hash", "access_token"), ("c_hash", "code"), ("s_hash", "state")):
        raw = issuer.id_token(**{claim: claimed})
        judge.rejects(raw, Reason.HASH_MISMATCH, claim=claim, nonce=None, **{name: "value"})
        judge.accepts(raw, nonce=None)
