"""Many issuers: each token goes to the validator of its issuer, and no other sees it."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest

import keybound
from keybound import PolicyError, Reason
from keybound.testing import OMIT, FakeIssuer, make_token

NAMES = [f"https://as.example.com/{name}" for name in ("a", "b", "c")]


@pytest.fixture(scope="module")
def issuers() -> dict[str, FakeIssuer]:
    return {name: FakeIssuer(name) for name in NAMES}


def validator(issuer: FakeIssuer, **options: Any) -> keybound.AccessTokenValidator:
    usual = {"audience": "api", "keys": keybound.JWKSet.from_json(issuer.jwks()), "algorithms": ["ES256"]}
    return keybound.AccessTokenValidator(issuer=issuer.issuer, **usual | options)


@pytest.fixture
def router(issuers: dict[str, FakeIssuer]) -> keybound.IssuerRouter[keybound.AccessTokenValidator]:
    return keybound.IssuerRouter(validator(issuer) for issuer in issuers.values())


def reason(router: Any, raw: Any, **presented: Any) -> Reason:
    with pytest.raises(keybound.TokenRejected) as caught:
        router.validate(raw, **presented)
    with pytest.raises(keybound.TokenRejected) as awaited:
        asyncio.run(router.avalidate(raw, **presented))
    assert awaited.value.reason is caught.value.reason
    found: Reason = caught.value.reason
    return found


def test_each_token_finds_its_validator(router: Any, issuers: dict[str, FakeIssuer]) -> None:
    """P15: by the issuer that it names."""
    for name, issuer in issuers.items():
        raw = issuer.access_token(audience="api")
        assert router.validate(raw).issuer == name
        assert router.validate(raw.encode()).issuer == name
        assert asyncio.run(router.avalidate(raw)).issuer == name
        assert router.validator_for(raw) is router.validators[name]


@pytest.mark.parametrize(
    "iss", ["https://as.example.com/d", "https://as.example.com/A", "https://as.example.com/a/", "", "a"]
)
def test_unknown_issuers_are_rejected(router: Any, issuers: dict[str, FakeIssuer], iss: str) -> None:
    """P15: exact, and no default."""
    assert reason(router, issuers[NAMES[0]].access_token(audience="api", iss=iss)) is Reason.ISS_UNKNOWN


@pytest.mark.parametrize(
    ("iss", "expected"),
    [(OMIT, Reason.ISS_MISSING), (None, Reason.ISS_INVALID), ([NAMES[0]], Reason.ISS_INVALID)],
)
def test_tokens_that_name_no_issuer(
    router: Any, issuers: dict[str, FakeIssuer], iss: Any, expected: Reason
) -> None:
    assert reason(router, issuers[NAMES[0]].access_token(audience="api", iss=iss)) is expected


def test_what_is_no_token(router: Any) -> None:
    for raw, expected in (
        (None, Reason.TOKEN_MISSING),
        ("", Reason.TOKEN_MISSING),
        (5, Reason.TOKEN_NOT_TEXT),
        ("a.b", Reason.TOKEN_MALFORMED),
        ("a.b.c.d.e", Reason.TOKEN_ENCRYPTED),
        ("a.!.c", Reason.BASE64URL_INVALID),
        ("\u00e4.b.c", Reason.BASE64URL_INVALID),
        ("e30.e30=.c", Reason.BASE64URL_INVALID),
        (make_token({}, b"[]", None), Reason.PAYLOAD_NOT_OBJECT),
        (make_token({}, b'{"iss":"a","iss":"b"}', None), Reason.JSON_DUPLICATE_MEMBER),
        (make_token({}, b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", None), Reason.JSON_TOO_DEEP),
        ("e30." + "A" * 20_000 + ".c", Reason.TOKEN_TOO_LARGE),
    ):
        assert reason(router, raw) is expected


def test_no_validator_trusts_what_the_router_read(router: Any, issuers: dict[str, FakeIssuer]) -> None:
    """A token that claims one issuer and is signed by another is that other's failure nowhere."""
    forged = issuers[NAMES[1]].access_token(audience="api", iss=NAMES[0])
    assert reason(router, forged) in (Reason.KEY_UNKNOWN, Reason.SIGNATURE_INVALID)
    escaped = make_token(
        {"alg": "ES256", "kid": issuers[NAMES[0]].key.kid},
        b'{"\\u0069ss":"https:\\/\\/as.example.com\\/a","aud":"api","exp":9999999999}',
        issuers[NAMES[0]].key,
    )
    assert router.validate(escaped).issuer == NAMES[0]


def test_what_is_presented_reaches_the_validator(world: Any, issuers: dict[str, FakeIssuer]) -> None:
    router = keybound.IssuerRouter([validator(issuers[NAMES[0]])])
    raw = issuers[NAMES[0]].access_token(audience="api", certificate=world.client)
    assert router.validate(raw, certificate=world.client.der)
    assert reason(router, raw) is Reason.CERTIFICATE_MISSING
    assert reason(router, raw, certificate=world.stranger.der) is Reason.CERTIFICATE_MISMATCH


def test_issuers_come_and_go(router: Any, issuers: dict[str, FakeIssuer]) -> None:
    """P15: while it runs."""
    late = FakeIssuer("https://late.example")
    raw = late.access_token(audience="api")
    assert reason(router, raw) is Reason.ISS_UNKNOWN
    before = router.validators
    router.add(validator(late))
    assert router.validate(raw)
    assert set(before) == set(NAMES)
    router.remove(late.issuer)
    assert reason(router, raw) is Reason.ISS_UNKNOWN
    with pytest.raises(PolicyError):
        router.remove(late.issuer)
    with pytest.raises(PolicyError):
        router.add(validator(issuers[NAMES[0]]))
    with pytest.raises(TypeError):
        router.validators["x"] = None


def test_what_it_refuses_itself_is_counted(router: Any, issuers: dict[str, FakeIssuer]) -> None:
    """P15, P35: a flood of tokens of unknown issuers is seen, and no token of theirs makes a new number."""
    assert router.stats() == {"rejected": {}, "issuers": 3}
    for number in range(50):
        with pytest.raises(keybound.TokenRejected):
            router.validate(issuers[NAMES[0]].access_token(audience="api", iss=f"https://x.example/{number}"))
    reason(router, issuers[NAMES[0]].access_token(audience="api", iss=OMIT))
    with pytest.raises(keybound.TokenRejected):
        router.validator_for("a.b")
    assert router.stats()["rejected"] == {"token_malformed": 1, "iss_missing": 2, "iss_unknown": 50}
    assert [validator.stats()["rejected"] for validator in router.validators.values()] == [{}, {}, {}]


def test_what_validators_judge_is_theirs_to_count(router: Any, issuers: dict[str, FakeIssuer]) -> None:
    router.validate(issuers[NAMES[0]].access_token(audience="api"))
    reason(router, issuers[NAMES[0]].access_token(audience="another"))
    assert router.stats()["rejected"] == {}
    counted = router.validators[NAMES[0]].stats()
    assert (counted["accepted"], counted["rejected"]) == (1, {"aud_mismatch": 2})


def test_what_it_refuses_itself_is_told(router: Any, issuers: dict[str, FakeIssuer]) -> None:
    told: list[keybound.events.TokenEvent] = []
    router.notify(told.append)
    marked = issuers[NAMES[0]].access_token(audience="api", iss="https://hostile.example")
    reason(router, marked)
    reason(router, issuers[NAMES[0]].access_token(audience="another"))
    assert told == [keybound.events.TokenEvent(None, None, Reason.ISS_UNKNOWN, 401)] * 2
    router.notify(None)
    reason(router, marked)
    assert len(told) == 2
    with pytest.raises(PolicyError, match="callable"):
        router.notify("log")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="the allocator of the sanitizer keeps its locks from children",
)
# Other tests may have left threads that wait; Python 3.12 and later warn of every fork beside those.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_needs_no_lock_of_its_parent(issuers: dict[str, FakeIssuer]) -> None:
    """P32: also where the parent was adding an issuer at the moment of the fork."""
    router = keybound.IssuerRouter([validator(issuers[NAMES[0]])])
    with router._lock, router._outcomes._lock:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                router.add(validator(issuers[NAMES[1]]))
                with pytest.raises(keybound.TokenRejected):
                    router.validate("")
                status = 0 if router.stats() == {"rejected": {"token_missing": 1}, "issuers": 2} else 2
            finally:
                os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_one_issuer_without_keys_is_no_matter_for_the_others(issuers: dict[str, FakeIssuer]) -> None:
    """P15: isolated failure."""

    class Down:
        def snapshot(self) -> keybound.JWKSet:
            raise keybound.Unavailable("down", retry_after=5)

    down, up = issuers[NAMES[0]], issuers[NAMES[1]]
    router = keybound.IssuerRouter([validator(down, keys=Down()), validator(up)])
    with pytest.raises(keybound.Unavailable):
        router.validate(down.access_token(audience="api"))
    assert router.validate(up.access_token(audience="api"))


def test_tenants_are_a_list(issuers: dict[str, FakeIssuer]) -> None:
    """P15, P26: a template only with an explicit list of tenants."""
    template = "https://as.example.com/{tenant}"
    router = keybound.IssuerRouter.of_tenants(template, "a", lambda issuer, _: validator(issuers[issuer]))
    assert router.validate(issuers[NAMES[0]].access_token(audience="api"))
    assert reason(router, issuers[NAMES[1]].access_token(audience="api")) is Reason.ISS_UNKNOWN
    both = keybound.IssuerRouter.of_tenants(
        template, ["a", "b"], lambda issuer, name: validator(issuers[issuer], expected_claims={"tid": name})
    )
    assert both.validate(issuers[NAMES[1]].access_token(audience="api", tid="b"))
    assert reason(both, issuers[NAMES[1]].access_token(audience="api", tid="a")) is Reason.CLAIM_MISMATCH


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("https://as.example.com/{tenant}", []),
        ("https://as.example.com/{tenant}", [""]),
        ("https://as.example.com/{tenant}", None),
        ("https://as.example.com/", ["a"]),
        ("https://as.example.com/{name}", ["a"]),
        ("https://as.example.com/{tenant}/{tenant}", ["a"]),
        ("https://as.example.com/{", ["a"]),
        (None, ["a"]),
    ],
)
def test_templates_that_are_refused(template: Any, names: Any) -> None:
    with pytest.raises(PolicyError):
        keybound.IssuerRouter.of_tenants(template, names, lambda issuer, _: validator(FakeIssuer(issuer)))


@pytest.mark.parametrize("what", [None, "x", object()])
def test_what_cannot_be_routed_to(what: Any) -> None:
    with pytest.raises(PolicyError):
        keybound.IssuerRouter([what])
    with pytest.raises(PolicyError):
        keybound.IssuerRouter(what)
    with pytest.raises(PolicyError):
        keybound.IssuerRouter(limits=what)


def test_changes_while_others_validate(issuers: dict[str, FakeIssuer]) -> None:
    router = keybound.IssuerRouter([validator(issuers[NAMES[0]])])
    raw, wrong = issuers[NAMES[0]].access_token(audience="api"), []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                router.validate(raw)
            except Exception as error:
                wrong.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    other = validator(issuers[NAMES[1]])
    for _ in range(500):
        router.add(other)
        router.remove(NAMES[1])
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
