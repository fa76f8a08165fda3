"""The validator as an object, and the token it returns: immutable, printable, never forgeable."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import Any

import orjson
import pytest

import keybound
from keybound.errors import Reason
from keybound.frozen import FrozenDict, FrozenList
from keybound.testing import ALGORITHMS, FakeIssuer, SigningKey

NESTED = {"a": {"b": [1, {"c": [2.5, None, True, "x"]}]}, "list": [[1], []], "empty": {}}


@pytest.fixture(scope="module")
def token(world: Any, judge: Any) -> keybound.AccessToken:
    return judge.accepts(world.token(certificate=world.client, **NESTED), certificate=world.client.der)


def objects_of(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for member in inner for found in objects_of(member))]


def test_every_container_is_frozen(token: keybound.AccessToken) -> None:
    for part in (token.claims, token.header, token.confirmation):
        kinds = {type(value) for value in objects_of(part) if isinstance(value, dict | list)}
        assert kinds <= {FrozenDict, FrozenList}
        assert FrozenDict in kinds


@pytest.mark.parametrize(
    "mutate",
    [
        lambda d: d.__setitem__("sub", "admin"),
        lambda d: d.__delitem__("a"),
        lambda d: d.update(sub="admin"),
        lambda d: d.update({"sub": "admin"}),
        lambda d: d.setdefault("sub", "admin"),
        lambda d: d.setdefault("a"),
        lambda d: d.pop("a"),
        lambda d: d.pop("absent", None),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.__ior__({"sub": "admin"}),
        lambda d: d.__init__({"sub": "admin"}),
    ],
)
def test_objects_refuse_to_change(token: keybound.AccessToken, mutate: Any) -> None:
    for value in objects_of(token.claims):
        if isinstance(value, dict):
            before = dict(value)
            with pytest.raises(TypeError, match="read-only"):
                mutate(value)
            assert value == before


@pytest.mark.parametrize(
    "mutate",
    [
        lambda v: v.__setitem__(slice(None), []),
        lambda v: v.__delitem__(slice(None)),
        lambda v: v.append(1),
        lambda v: v.extend([1]),
        lambda v: v.insert(0, 1),
        lambda v: v.pop(),
        lambda v: v.remove(1),
        lambda v: v.clear(),
        lambda v: v.sort(),
        lambda v: v.reverse(),
        lambda v: v.__iadd__([1]),
        lambda v: v.__imul__(2),
        lambda v: v.__init__([1]),
    ],
)
def test_arrays_refuse_to_change(token: keybound.AccessToken, mutate: Any) -> None:
    arrays = [value for value in objects_of(token.claims) if isinstance(value, list)]
    assert arrays
    for value in arrays:
        before = list(value)
        with pytest.raises(TypeError, match="read-only"):
            mutate(value)
        assert value == before


def test_claims_are_plain_json_to_everybody_else(world: Any, token: keybound.AccessToken) -> None:
    assert token.claims["a"] == NESTED["a"]
    assert {**NESTED}.items() <= token.claims.items()
    for load, dump in ((json.loads, json.dumps), (orjson.loads, orjson.dumps)):
        assert load(dump(token.claims)) == token.claims
        assert load(dump(token.header)) == token.header == world.header()
    assert isinstance(token.claims, dict)
    assert isinstance(token.claims["list"], list)
    assert dict(token.claims) == token.claims
    assert list(token.claims["list"]) == token.claims["list"] == [[1], []]


def test_copies_of_claims_may_change_and_do_not_reach_back(token: keybound.AccessToken) -> None:
    plain = dict(token.claims)
    plain["sub"] = "admin"
    merged = token.claims | {"sub": "admin"}
    assert token.subject == "user-1"
    assert type(merged) is dict
    for again in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        twin = again(token.claims)
        assert twin == token.claims
        assert type(twin) is FrozenDict
        assert type(again(token.claims["list"])) is FrozenList


def test_claims_are_read_once(token: keybound.AccessToken) -> None:
    assert token.claims is token.claims
    assert token.header is token.header


@pytest.mark.parametrize(
    "name", ["claims", "header", "subject", "issuer", "scopes", "_claims", "_payload", "new"]
)
def test_token_cannot_be_changed(token: keybound.AccessToken, name: str) -> None:
    claims = token.claims
    with pytest.raises(AttributeError):
        setattr(token, name, {"sub": "admin"})
    with pytest.raises(AttributeError):
        delattr(token, name)
    assert token.claims is claims
    assert not hasattr(token, "__dict__")


def test_token_cannot_be_pickled_or_copied(token: keybound.AccessToken) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(token, protocol)
    for again in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            again(token)


def test_token_cannot_be_made(token: keybound.AccessToken) -> None:
    with pytest.raises(TypeError):
        keybound.AccessToken()
    with pytest.raises(TypeError):
        keybound.AccessToken({"sub": "admin"})  # type: ignore[call-arg]
    empty = keybound.AccessToken.__new__(keybound.AccessToken)
    with pytest.raises((AttributeError, TypeError, ValueError)):
        empty.claims  # noqa: B018
    with pytest.raises(AttributeError):
        empty.header  # noqa: B018


def test_token_never_prints_itself(world: Any, token: keybound.AccessToken, judge: Any) -> None:
    """F-18: nor any of its claims."""
    assert repr(token) == str(token) == "<keybound.AccessToken bound>"
    assert repr(judge.accepts(world.token())) == "<keybound.AccessToken bearer>"


def test_public_attributes(token: keybound.AccessToken) -> None:
    names = {name for name in dir(token) if not name.startswith("_")}
    assert names == {
        *(
            "audience",
            "authorization_details",
            "claim",
            "claims",
            "client_id",
            "confirmation",
            "expires_at",
            "header",
            "identifier",
            "issued_at",
            "issuer",
            "old_secret",
            "scopes",
            "subject",
        )
    }


def test_token_outlives_its_validator(world: Any) -> None:
    keys = keybound.JWKSet.from_json(world.issuer.jwks())
    raw = world.token(x=[1])
    token = world.validator(keys=keys).validate(raw)
    del keys, raw
    assert token.claims["x"] == [1]


def test_tokens_of_one_header_share_no_claims(world: Any) -> None:
    validator = world.validator()
    one, two = (validator.validate(world.token(subject=name, x=[name])) for name in ("a", "b"))
    assert (one.subject, two.subject) == ("a", "b")
    assert one.header == two.header


def test_one_validator_many_verdicts(world: Any, judge: Any) -> None:
    """What went before changes nothing: refusals stay refusals, and good tokens pass between them."""
    validator = world.validator()
    good, forged = world.token(), world.token(key=SigningKey.generate("ES256", kid=world.key.kid))
    for _ in range(10):
        judge.rejects(forged, Reason.SIGNATURE_INVALID, validator=validator)
        judge.accepts(good, validator=validator)
        judge.rejects(good[:-2] + "AA", Reason.SIGNATURE_INVALID, validator=validator)


def test_more_headers_than_are_remembered(world: Any, judge: Any) -> None:
    validator = world.validator()
    for number in range(600):
        assert validator.validate(world.token(header={"x": number})).header["x"] == number
    judge.accepts(world.token(header={"x": 0}), validator=validator)
    judge.rejects(world.token(header={"x": 0, "crit": ["x"]}), Reason.CRIT_UNSUPPORTED, validator=validator)


def test_a_remembered_header_does_not_excuse_the_signature(world: Any, judge: Any) -> None:
    validator = world.validator()
    raw = world.token()
    judge.accepts(raw, validator=validator)
    protected, _, signature = raw.split(".")
    other = world.token(subject="admin").split(".")[1]
    judge.rejects(f"{protected}.{other}.{signature}", Reason.SIGNATURE_INVALID, validator=validator)
    judge.rejects(f"{protected}.{other}.", Reason.SIGNATURE_INVALID, validator=validator)


def test_validators_of_different_policies_do_not_mix(world: Any, judge: Any) -> None:
    """Two verifiers with other audiences or bindings in one process."""
    raw = world.token(certificate=world.client)
    strict, lax = world.validator(), world.validator(binding="ignore")
    elsewhere = world.validator(audience="urn:elsewhere")
    for _ in range(3):
        judge.accepts(raw, validator=lax)
        judge.rejects(raw, Reason.CERTIFICATE_MISSING, validator=strict)
        judge.accepts(raw, validator=strict, certificate=world.client.der)
        judge.rejects(raw, Reason.AUD_MISMATCH, validator=elsewhere, certificate=world.client.der)


def test_two_issuers_with_the_same_kid(world: Any, judge: Any) -> None:
    signers = [SigningKey.generate("ES256", kid="1") for _ in range(2)]
    issuers = [
        FakeIssuer(f"https://{n}.example.com", key=key, clock=world.clock) for n, key in enumerate(signers)
    ]
    validators = [
        world.validator(issuer=issuer.issuer, keys=keybound.JWKSet.from_json(issuer.jwks()))
        for issuer in issuers
    ]
    raws = [issuer.access_token(audience="https://rs.example.com/") for issuer in issuers]
    for _ in range(2):
        for n in (0, 1):
            judge.accepts(raws[n], validator=validators[n])
            judge.rejects(raws[1 - n], Reason.SIGNATURE_INVALID, validator=validators[n])


def test_key_rotation(world: Any) -> None:
    """A key source is asked with every token, and a key that is gone takes its tokens along."""
    issuer = FakeIssuer("https://as.example.com/tenant", clock=world.clock)

    class Source:
        def snapshot(self) -> keybound.JWKSet:
            return keybound.JWKSet.from_json(issuer.jwks())

    validator = world.validator(keys=Source())
    old = issuer.access_token(audience="https://rs.example.com/")
    validator.validate(old)
    issuer.rotate()
    validator.validate(old)
    validator.validate(issuer.access_token(audience="https://rs.example.com/"))
    issuer.rotate(keep_previous=False)
    with pytest.raises(keybound.KeyRejected) as caught:
        validator.validate(old)
    assert caught.value.reason is Reason.KEY_UNKNOWN


def test_an_outage_is_not_a_verdict(world: Any) -> None:
    class Down:
        def snapshot(self) -> keybound.JWKSet:
            raise keybound.Unavailable("no key set yet", retry_after=5)

    for raw in (world.token(), "junk", ""):
        with pytest.raises(keybound.Unavailable) as caught:
            world.validator(keys=Down()).validate(raw)
        assert (caught.value.status, caught.value.retry_after) == (503, 5)


def test_async_validation(world: Any) -> None:
    validator = world.validator()
    token = asyncio.run(
        validator.avalidate(world.token(certificate=world.client), certificate=world.client.der)
    )
    assert token.subject == "user-1"
    with pytest.raises(keybound.BindingRejected):
        asyncio.run(validator.avalidate(world.token(certificate=world.client)))
    with pytest.raises(keybound.MalformedToken):
        asyncio.run(validator.avalidate(""))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm_of_the_table(world: Any, judge: Any, alg: str) -> None:
    key = SigningKey.generate(alg, shared=True)
    other = SigningKey.generate(alg, kid=key.kid, rsa_bits=2048)
    keys = keybound.JWKSet.from_json({"keys": [key.verification_jwk()]})
    options = {"keys": keys, "algorithms": [alg]}
    judge.accepts(world.token(key=key, certificate=world.client), certificate=world.client.der, **options)
    judge.rejects(world.token(key=other), Reason.SIGNATURE_INVALID, **options)
    judge.rejects(world.token(key=key, header={"alg": "none"}), Reason.ALG_NOT_ALLOWED, **options)
    good = key.sign(b"anything")
    for forged in (b"", b"\0", bytes(len(good)), good, good[:-1], good + b"\0", b"\0" + good, good * 2):
        raw = world.forge(header=world.header(alg=alg, kid=key.kid), signature=forged)
        judge.rejects(raw, Reason.SIGNATURE_INVALID, **options)
