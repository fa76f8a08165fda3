"""DPoP proofs, rule by rule: what is accepted, what is refused and how that is answered (RFC 9449, 4.3)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import pickle
from typing import Any

import pytest

import keybound
from keybound.errors import Reason, Unavailable
from keybound.testing import OMIT, FakeClock, SigningKey, dpop_proof, make_token

URL = "https://rs.example.com/resource"
TOKEN = "an.opaque-token_68"
ATH = base64.urlsafe_b64encode(hashlib.sha256(TOKEN.encode()).digest()).decode().rstrip("=")
KEY = SigningKey.generate("ES256")
STRANGER = SigningKey.generate("ES256")


class Seen:
    """A replay store in a set, with the arguments of every call."""

    def __init__(self) -> None:
        self.known: set[tuple[str, str, str]] = set()
        self.calls: list[tuple[str, str, str, float, float, float | None]] = []

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
        self.calls.append((kind, principal, jti, expires_at, now, issued_at))
        first = (kind, principal, jti) not in self.known
        self.known.add((kind, principal, jti))
        return first

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


class Down(Seen):
    """A replay store that cannot tell."""

    def put(self, *args: Any, **times: Any) -> bool:
        raise Unavailable("the store is down", retry_after=1)


class Desk:
    """Where proofs are made and presented."""

    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.store = Seen()
        usual: dict[str, Any] = {"algorithms": ["ES256", "PS256"], "replay": self.store, "clock": self.clock}
        self.validator = keybound.DPoPProofValidator(**usual | options)

    def make(self, key: SigningKey = KEY, **options: Any) -> str:
        return dpop_proof(key, **{"url": URL, "access_token": TOKEN, "clock": self.clock} | options)

    def validate(self, raw: Any, **request: Any) -> keybound.DPoPProof:
        return self.validator.validate(raw, **{"method": "GET", "url": URL, "access_token": TOKEN} | request)

    def accepts(self, request: dict[str, Any] | None = None, **options: Any) -> keybound.DPoPProof:
        return self.validate(self.make(**options), **request or {})

    def rejects(
        self, reason: Reason, raw: Any = None, claim: str | None = None, request: Any = None, **options: Any
    ) -> keybound.TokenRejected:
        before = len(self.store.calls)
        with pytest.raises(keybound.TokenRejected) as caught:
            self.validate(self.make(**options) if raw is None else raw, **request or {})
        assert caught.value.reason is reason
        assert caught.value.claim == claim
        # What is not good in every other way burns no identifier.
        if reason is not Reason.JTI_REPLAYED:
            assert len(self.store.calls) == before
        return caught.value


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_good_proof(desk: Desk) -> None:
    proof = desk.accepts(jti="id-1", nonce="n")
    assert proof.thumbprint == KEY.thumbprint == proof.key.thumbprint()
    assert (proof.method, proof.url, proof.identifier) == ("GET", URL, "id-1")
    assert (proof.issued_at, proof.nonce) == (desk.clock(), "n")
    assert proof.header["typ"] == "dpop+jwt"
    assert proof.claims["ath"] == proof.claim("ath") == ATH
    assert repr(proof) == "<keybound.DPoPProof>"
    assert desk.validate(desk.make().encode()).thumbprint == KEY.thumbprint
    with pytest.raises(TypeError):
        pickle.dumps(proof)
    with pytest.raises(TypeError):
        pickle.dumps(desk.validator)


@pytest.mark.parametrize(
    "alg", ["ES256", "ES384", "ES512", "ES256K", "RS256", "PS256", "PS512", "Ed25519", "Ed448", "EdDSA"]
)
def test_every_public_key_algorithm(alg: str) -> None:
    desk, key = Desk(algorithms=[alg]), SigningKey.generate(alg, shared=True)
    assert desk.accepts(key=key).thumbprint == key.thumbprint
    desk.rejects(Reason.SIGNATURE_INVALID, key=key, signer=SigningKey.generate(alg))


# The header, checklist section 1: typ, alg, jwk


@pytest.mark.parametrize("typ", ["dpop+jwt", "DPoP+jwt", "application/dpop+jwt"])
def test_type(desk: Desk, typ: str) -> None:
    desk.accepts(header={"typ": typ})


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"typ": OMIT}, Reason.TYP_MISSING),
        ({"typ": "JWT"}, Reason.TYP_NOT_ALLOWED),
        ({"typ": "at+jwt"}, Reason.TYP_NOT_ALLOWED),
        ({"alg": OMIT}, Reason.ALG_MISSING),
        ({"alg": "none"}, Reason.ALG_NOT_ALLOWED),
        ({"alg": "RS256"}, Reason.ALG_NOT_ALLOWED),
        ({"alg": "HS256"}, Reason.ALG_NOT_ALLOWED),
        ({"alg": "PS256"}, Reason.KEY_UNSUITABLE),
        ({"jwk": OMIT}, Reason.DPOP_JWK_MISSING),
        ({"jwk": KEY.private_jwk()}, Reason.DPOP_JWK_PRIVATE),
        ({"jwk": {"kty": "oct", "k": "x" * 43}}, Reason.DPOP_JWK_PRIVATE),
        ({"jwk": {"kty": "EC", "crv": "P-256", "x": "A", "y": "A"}}, Reason.DPOP_JWK_INVALID),
        ({"jwk": STRANGER.public_jwk()}, Reason.SIGNATURE_INVALID),
        ({"crit": ["nonce"], "nonce": "x"}, Reason.CRIT_UNSUPPORTED),
    ],
)
def test_header_that_is_refused(desk: Desk, header: dict[str, Any], reason: Reason) -> None:
    rejected = desk.rejects(reason, header=header)
    assert rejected.challenge().startswith('DPoP error="invalid_dpop_proof", error_description="')
    assert rejected.challenge().endswith('", algs="ES256 PS256"')
    assert (rejected.error, rejected.status) == ("invalid_dpop_proof", 401)
    assert rejected.error_response()["error"] == "invalid_dpop_proof"


def test_rs256_where_the_profile_does_not_allow_it(desk: Desk) -> None:
    """FAPI 2.0, 5.4: the allow-list decides, whatever key comes along."""
    desk.rejects(Reason.ALG_NOT_ALLOWED, key=SigningKey.generate("RS256", shared=True))


def test_unsigned_proofs(desk: Desk) -> None:
    header, payload, _ = desk.make(header={"alg": "none"}).split(".")
    desk.rejects(Reason.ALG_NOT_ALLOWED, f"{header}.{payload}.")
    header, payload, signature = desk.make().split(".")
    for forged in ("", "A" * 86, signature[4:], signature[:84]):
        desk.rejects(Reason.SIGNATURE_INVALID, f"{header}.{payload}.{forged}")


@pytest.mark.parametrize(
    "raw", ["x", "a.b.c", "a.b", "a.b.c.d.e", "{}", " ", "a.b.c, a.b.c", b"\xff", 5, ["a", "b"]]
)
def test_what_is_no_jwt(desk: Desk, raw: Any) -> None:
    with pytest.raises(keybound.MalformedToken) as caught:
        desk.validate(raw)
    assert caught.value.scheme.name == "DPoP"


def test_two_header_fields_in_one(desk: Desk) -> None:
    """Checklist: HTTP stacks join repeated fields with a comma."""
    with pytest.raises(keybound.MalformedToken):
        desk.validate(f"{desk.make()}, {desk.make()}")
    with pytest.raises(keybound.MalformedToken):
        desk.validate([desk.make(), desk.make()])


@pytest.mark.parametrize("raw", [None, "", b""])
def test_no_proof_at_all(desk: Desk, raw: Any) -> None:
    with pytest.raises(keybound.BindingRejected) as caught:
        desk.validate(raw)
    assert caught.value.reason is Reason.DPOP_PROOF_MISSING


def test_other_header_parameters_and_claims_are_ignored(desk: Desk) -> None:
    desk.accepts(
        header={"kid": "k", "x": {"jwk": 1}},
        cnf={"jkt": "x"},
        scope="a b",
        sub="s",
        iss="i",
        act={},
        client_id="c",
        events={},
    )


# The claims: jti, htm, htu, iat, ath


@pytest.mark.parametrize(
    ("claim", "reason", "named"),
    [
        ("jti", Reason.JTI_MISSING, None),
        ("htm", Reason.CLAIM_MISSING, "htm"),
        ("htu", Reason.CLAIM_MISSING, "htu"),
        ("iat", Reason.IAT_MISSING, None),
        ("ath", Reason.CLAIM_MISSING, "ath"),
    ],
)
def test_claims_that_must_be_there(desk: Desk, claim: str, reason: Reason, named: str | None) -> None:
    desk.rejects(reason, claim=named, **{claim: OMIT})


@pytest.mark.parametrize("claim", ["htm", "htu", "ath"])
@pytest.mark.parametrize("value", [5, True, [], {}, ["GET"], 1.5])
def test_claims_that_are_text(desk: Desk, claim: str, value: Any) -> None:
    desk.rejects(Reason.CLAIM_INVALID, claim=claim, **{claim: value})


@pytest.mark.parametrize("value", [None, "", 5, [], True, ["x"], " ", "\t\n", "x" * 129, "é" * 129])
def test_identifier_that_is_malformed(desk: Desk, value: Any) -> None:
    """RFC 9449, 11.1: a store must not be filled with long identifiers."""
    desk.rejects(Reason.JTI_INVALID, jti=value)


@pytest.mark.parametrize("value", ["x", "x" * 128, "é" * 128, " x", "\0"])
def test_identifier(desk: Desk, value: str) -> None:
    assert desk.accepts(jti=value).identifier == value


def test_length_of_the_identifier_is_an_option() -> None:
    desk = Desk(jti_length=16)
    desk.accepts(jti="x" * 16)
    desk.rejects(Reason.JTI_INVALID, jti="x" * 17)


def test_method(desk: Desk) -> None:
    """RFC 9110, 9.1: methods are case-sensitive."""
    desk.accepts(method="POST", request={"method": "POST"})
    for claimed in ("PUT", "get", "Get", "GET ", "", "GE", "POST"):
        desk.rejects(Reason.CLAIM_MISMATCH, claim="htm", method=claimed)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        URL + "?query=1",
        URL + "?query=1#fragment",
        URL + "#fragment",
        "HTTPS://rs.example.com/resource",
        "https://RS.EXAMPLE.com/resource",
        "https://rs.example.com:443/resource",
        "https://rs.example.com:/resource",
        "https://rs.example.com/a/../%72esource",
    ],
)
def test_url(desk: Desk, url: str) -> None:
    """Checklist: query and fragment, letter case and default port do not count, on either side."""
    assert desk.accepts(url=url).url == url
    desk.accepts(request={"url": url})
    desk.accepts(url=url, request={"url": URL + "?of=the+request"})


@pytest.mark.parametrize(
    "url",
    [
        "https://rs.example.com/",
        "https://rs.example.com/resource/",
        "https://rs.example.com/Resource",
        "http://rs.example.com/resource",
        "https://rs.example.com:8443/resource",
        "https://other.example.com/resource",
        "https://rs.example.com.attacker.example/resource",
        "https://rs.example.com@attacker.example/resource",
        "https://attacker.example/?https://rs.example.com/resource",
        "/resource",
        "",
        "resource",
        "https://rs.example.com/resource%00",
        "https://rs.example.com/res\u043eurce",
    ],
)
def test_url_of_another_target(desk: Desk, url: str) -> None:
    desk.rejects(Reason.CLAIM_MISMATCH, claim="htu", url=url)
    desk.rejects(Reason.CLAIM_MISMATCH, claim="htu", request={"url": url})


@pytest.mark.parametrize(
    ("offset", "reason"), [(-70, None), (-71, Reason.TOKEN_TOO_OLD), (10, None), (11, Reason.IAT_IN_FUTURE)]
)
def test_edges_of_the_window(desk: Desk, offset: int, reason: Reason | None) -> None:
    issued = desk.clock() + offset
    if reason is None:
        desk.accepts(iat=issued)
    else:
        desk.rejects(reason, iat=issued)


@pytest.mark.parametrize("offset", [-3600, 3600])
def test_an_hour_off(desk: Desk, offset: int) -> None:
    reason = Reason.IAT_IN_FUTURE if offset > 0 else Reason.TOKEN_TOO_OLD
    desk.rejects(reason, iat=desk.clock() + offset)
    # A nonce is no leave for a clock that is wrong.
    desk.rejects(reason, iat=desk.clock() + offset, nonce="n", request={"nonce": "n"})


@pytest.mark.parametrize("offset", [-10, -5.5, 0, 10])
def test_ten_seconds_off(desk: Desk, offset: float) -> None:
    desk.accepts(iat=desk.clock() + offset)


def test_the_window_is_an_option() -> None:
    desk = Desk(max_age=5, leeway=0)
    desk.accepts(iat=desk.clock() - 5)
    desk.rejects(Reason.TOKEN_TOO_OLD, iat=desk.clock() - 5.5)
    desk.rejects(Reason.IAT_IN_FUTURE, iat=desk.clock() + 0.5)


@pytest.mark.parametrize("value", ["now", True, None, -1, 1.75e12, []])
def test_time_that_is_malformed(desk: Desk, value: Any) -> None:
    desk.rejects(Reason.IAT_INVALID, iat=value)


def test_other_times_are_honoured(desk: Desk) -> None:
    """Checklist: nbf and exp need not be there; milliseconds are an error."""
    now = desk.clock()
    desk.accepts(exp=now + 60, nbf=now - 60)
    desk.accepts(exp=now - 9, nbf=now + 10)
    desk.rejects(Reason.TOKEN_EXPIRED, exp=now - 10)
    desk.rejects(Reason.TOKEN_NOT_YET_VALID, nbf=now + 11)
    desk.rejects(Reason.EXP_INVALID, exp=now * 1000)
    desk.rejects(Reason.NBF_INVALID, nbf="x")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        ATH + "=",
        ATH[:-1],
        ATH[:-1] + "B",
        ATH.lower(),
        hashlib.sha256(TOKEN.encode()).hexdigest(),
        "é",
    ],
)
def test_hash_of_another_token(desk: Desk, value: str) -> None:
    desk.rejects(Reason.CLAIM_MISMATCH, claim="ath", ath=value)


def test_hash_of_the_token(desk: Desk) -> None:
    desk.accepts(ath=ATH)
    desk.accepts(ath=ATH, request={"access_token": TOKEN.encode()})
    desk.rejects(Reason.CLAIM_MISMATCH, claim="ath", request={"access_token": TOKEN + "x"})
    desk.rejects(Reason.CLAIM_MISMATCH, claim="ath", request={"access_token": ""})
    desk.rejects(Reason.CLAIM_MISMATCH, claim="ath", request={"access_token": "\ud800é"})
    desk.rejects(Reason.CLAIM_MISMATCH, claim="ath", request={"access_token": b"\xff"})


def test_token_endpoint(desk: Desk) -> None:
    """RFC 9449, 5 and 7: no token yet, so a proof that was made for one has been stolen or misused."""
    at_token_endpoint = {"access_token": None, "method": "POST", "url": "https://as.example.com/token"}
    made = {"access_token": None, "method": "POST", "url": "https://as.example.com/token"}
    assert desk.accepts(at_token_endpoint, **made).thumbprint == KEY.thumbprint
    for value in (ATH, None, ""):
        desk.rejects(Reason.CLAIM_FORBIDDEN, claim="ath", request=at_token_endpoint, **made, ath=value)
    desk.rejects(Reason.CLAIM_INVALID, claim="ath", ath=None)


def test_order_of_checks(desk: Desk) -> None:
    """The signature decides before any claim is believed."""
    for claims in ({"htm": "PUT"}, {"htu": "x"}, {"iat": 0}, {"jti": OMIT}, {"ath": "x"}):
        desk.rejects(Reason.SIGNATURE_INVALID, signer=STRANGER, **claims)


# Nonces


def test_nonce_that_is_expected(desk: Desk) -> None:
    assert desk.accepts({"nonce": "n-1"}, nonce="n-1").nonce == "n-1"
    assert desk.accepts({"nonce": ["n-2", "n-1"]}, nonce="n-1")
    missing = desk.rejects(Reason.DPOP_NONCE_MISSING, request={"nonce": "n-1"})
    other = desk.rejects(Reason.DPOP_NONCE_INVALID, request={"nonce": "n-1"}, nonce="n-2")
    desk.rejects(Reason.DPOP_NONCE_INVALID, request={"nonce": ["n-1", "n-3"]}, nonce="n-2")
    for rejected in (missing, other):
        # RFC 9449, 9.
        assert rejected.challenge().startswith('DPoP error="use_dpop_nonce", error_description="')
        assert (rejected.error, rejected.status) == ("use_dpop_nonce", 401)
        assert rejected.error_response()["error"] == "use_dpop_nonce"
    # The retry works.
    desk.accepts({"nonce": "n-1"}, nonce="n-1")


@pytest.mark.parametrize("nonce", ["", "n-", "n-11", "N-1", 5, True, [], ["n-1"], {}, "é"])
def test_nonce_of_another_shape(desk: Desk, nonce: Any) -> None:
    desk.rejects(Reason.DPOP_NONCE_INVALID, request={"nonce": "n-1"}, nonce=nonce)


def test_nonce_that_nobody_asked_for(desk: Desk) -> None:
    desk.accepts(nonce="old")
    desk.accepts(nonce=5)


@pytest.mark.parametrize("expected", ["", [], [""], [5], 5, b"n", {"a": 1, "": 2}])
def test_expected_nonce_that_is_none(desk: Desk, expected: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        desk.accepts({"nonce": expected}, nonce="n")


def test_nonces_of_a_server() -> None:
    clock = FakeClock()
    nonces = keybound.DPoPNonces(b"s" * 32, lifetime=120, clock=clock)
    desk = Desk(nonces=nonces, clock=clock, max_age=600)
    desk.clock = clock
    desk.rejects(Reason.DPOP_NONCE_MISSING)
    desk.rejects(Reason.DPOP_NONCE_INVALID, nonce="x")
    desk.rejects(Reason.DPOP_NONCE_INVALID, nonce=5)
    issued = nonces.issue()
    assert desk.accepts(nonce=issued).nonce == issued
    # An expected nonce of the caller's own takes their place.
    assert desk.accepts({"nonce": "mine"}, nonce="mine")
    desk.rejects(Reason.DPOP_NONCE_INVALID, request={"nonce": "mine"}, nonce=issued)
    clock.advance(121)
    desk.rejects(Reason.DPOP_NONCE_INVALID, nonce=issued)


# Replay


def test_second_use(desk: Desk) -> None:
    """F-9: a replay."""
    raw = desk.make()
    desk.validate(raw)
    rejected = desk.rejects(Reason.JTI_REPLAYED, raw)
    assert type(rejected) is keybound.ContextRejected
    assert rejected.error == "invalid_dpop_proof"
    desk.rejects(Reason.JTI_REPLAYED, raw.encode())
    # The same identifier in another proof of the same key is a second use as well.
    desk.accepts(jti="id-1")
    desk.rejects(Reason.JTI_REPLAYED, jti="id-1", iat=desk.clock() - 1)
    desk.accepts(jti="id-2")


def test_identifiers_belong_to_a_key(desk: Desk) -> None:
    """F-9 (inji-certify#1000): nobody can burn the identifiers of somebody else's key."""
    desk.accepts(jti="id-1")
    desk.accepts(jti="id-1", key=STRANGER)
    assert {call[:3] for call in desk.store.calls} == {
        ("dpop", KEY.thumbprint, "id-1"),
        ("dpop", STRANGER.thumbprint, "id-1"),
    }


def test_only_a_good_proof_is_used_up(desk: Desk) -> None:
    """F-9: each rejection above looks at the store too, see :meth:`Desk.rejects`."""
    request = {"nonce": "n"}
    desk.rejects(Reason.SIGNATURE_INVALID, jti="id", signer=STRANGER)
    desk.rejects(Reason.CLAIM_MISMATCH, claim="htm", jti="id", method="PUT")
    desk.rejects(Reason.CLAIM_MISMATCH, claim="ath", jti="id", ath="x")
    desk.rejects(Reason.DPOP_NONCE_MISSING, jti="id", request=request)
    assert not desk.store.calls
    desk.accepts(request, jti="id", nonce="n")


@pytest.mark.parametrize("offset", [-60, 0, 10])
def test_time_for_which_a_use_is_remembered(desk: Desk, offset: int) -> None:
    """F-9 (sourcebot#1395): as long as it could be accepted, and that is longer for one from the future."""
    now = desk.clock()
    raw = desk.make(iat=now + offset)
    desk.validate(raw)
    ((_, _, _, expires_at, at, issued_at),) = desk.store.calls
    assert (at, issued_at) == (now, now + offset)
    assert expires_at > now + offset + 60 + 10
    desk.clock.advance(offset + 70)
    desk.rejects(Reason.JTI_REPLAYED, raw)
    desk.clock.advance(1)
    desk.rejects(Reason.TOKEN_TOO_OLD, raw)
    assert expires_at >= desk.clock()


def test_without_a_store_a_proof_is_as_good_as_its_time() -> None:
    desk = Desk(replay=None)
    raw = desk.make()
    assert desk.validate(raw).identifier == desk.validate(raw).identifier


def test_store_that_cannot_tell() -> None:
    desk = Desk(replay=Down())
    for attempt in (desk.validate, lambda raw: asyncio.run(avalidate(desk, raw))):
        with pytest.raises(Unavailable) as caught:
            attempt(desk.make())
        assert caught.value.retry_after == 1
    # A bad proof never gets so far.
    desk.rejects(Reason.SIGNATURE_INVALID, signer=STRANGER)


async def avalidate(desk: Desk, raw: Any, **request: Any) -> keybound.DPoPProof:
    usual = {"method": "GET", "url": URL, "access_token": TOKEN}
    return await desk.validator.avalidate(raw, **usual | request)


def test_asynchronous_use(desk: Desk) -> None:
    raw = desk.make()
    assert asyncio.run(avalidate(desk, raw)).thumbprint == KEY.thumbprint
    for again in (raw, desk.make(method="PUT"), None):
        with pytest.raises(keybound.TokenRejected):
            asyncio.run(avalidate(desk, again))
    assert len(desk.store.calls) == 2
    assert asyncio.run(avalidate(Desk(replay=None), desk.make(iat=OMIT) and desk.make())).method == "GET"


def test_store_of_the_package(desk: Desk) -> None:
    from keybound.stores import MemoryReplayStore

    desk = Desk(replay=MemoryReplayStore())
    raw = desk.make()
    desk.validate(raw)
    desk.rejects(Reason.JTI_REPLAYED, raw)
    with pytest.raises(keybound.ContextRejected):
        asyncio.run(avalidate(desk, raw))


# Configuration and arguments


@pytest.mark.parametrize(
    "options",
    [
        {"algorithms": None},
        {"algorithms": []},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": ["ES256", "HS256"]},
        {"replay": object()},
        {"replay": {}},
        {"replay": "memory"},
        {"max_age": 0},
        {"max_age": None},
        {"max_age": "60"},
        {"max_age": float("nan")},
        {"leeway": -1},
        {"leeway": 100_000},
        {"nonces": b"s" * 32},
        {"nonces": "x"},
        {"jti_length": 0},
        {"jti_length": 12.5},
        {"jti_length": True},
        {"clock": 5},
        {"profile": "oauth"},
        {"limits": 5},
    ],
)
def test_configuration_that_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        Desk(**options)


def test_the_store_has_to_be_named() -> None:
    with pytest.raises(TypeError):
        keybound.DPoPProofValidator(algorithms=["ES256"])  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "request_",
    [
        {"method": None},
        {"method": b"GET"},
        {"url": None},
        {"url": b"https://h/"},
        {"url": 5},
        {"access_token": 5},
    ],
)
def test_arguments_of_another_type(desk: Desk, request_: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        desk.accepts(request_)


@pytest.mark.parametrize("answer", [None, "1750000000", float("nan"), object()])
def test_clock_that_breaks_its_contract(answer: Any) -> None:
    raw = Desk().make()
    with pytest.raises(keybound.KeyboundError):
        Desk(clock=lambda: answer).validate(raw)


def test_limits() -> None:
    desk = Desk(limits=keybound.Limits(token_bytes=400))
    desk.rejects(Reason.TOKEN_TOO_LARGE)
    desk = Desk(limits=keybound.Limits(json_depth=1))
    desk.rejects(Reason.JSON_TOO_DEEP)


def test_nothing_of_a_proof_is_printed(desk: Desk, leaks_nothing: Any) -> None:
    for reason, options in (
        (Reason.SIGNATURE_INVALID, {"signer": STRANGER}),
        (Reason.DPOP_JWK_PRIVATE, {"header": {"jwk": KEY.private_jwk()}}),
    ):
        raw = desk.make(**options)
        leaks_nothing(raw, desk.rejects(reason, raw))


def test_policy_is_shown(desk: Desk) -> None:
    assert desk.validator.policy.kind is keybound.TokenKind.DPOP_PROOF
    assert desk.validator.policy.max_age == 60


def test_other_kinds_of_token_are_refused(desk: Desk, world: Any) -> None:
    """SX-01: a token of another kind has another type, and brings no key."""
    desk.rejects(Reason.TYP_NOT_ALLOWED, world.token())
    desk.rejects(Reason.DPOP_JWK_MISSING, world.token(header={"typ": "dpop+jwt"}))
    desk.rejects(Reason.TYP_NOT_ALLOWED, make_token({"alg": "ES256", "typ": "JWT"}, world.claims(), KEY))


def test_a_proof_is_no_access_token(judge: Any, world: Any) -> None:
    """SX-01: in the slot of an access token its type, and without one its claims, give it away."""
    judge.rejects(dpop_proof(world.key, clock=world.clock), Reason.TYP_NOT_ALLOWED)
    disguised = world.token(htm="GET", htu=URL)
    judge.rejects(disguised, Reason.KIND_MISMATCH)
