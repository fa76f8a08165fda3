"""User claims of AWS Application Load Balancers: padded, signed with the padding, and nobody else's."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

import keybound
from keybound import PolicyError, Reason
from keybound.stores import MemoryRevocationList
from keybound.testing import OMIT, SigningKey

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/front/50dc6c495c0c9188"
ISSUER, CLIENT = "https://op.example.com", "client-1"


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate("ES256", kid="7b1a2c3d")


def segment(data: bytes, *, padded: bool = True) -> bytes:
    encoded = base64.urlsafe_b64encode(data)
    return encoded if padded else encoded.rstrip(b"=")


def signed(key: SigningKey, header: dict[str, Any], claims: Any, *, padded: bool = True) -> str:
    """A token as the load balancer makes it, or without its padding."""
    texts = [json.dumps(part).encode() if not isinstance(part, bytes) else part for part in (header, claims)]
    signing_input = b".".join(segment(text, padded=padded) for text in texts)
    return (signing_input + b"." + segment(key.sign(signing_input), padded=padded)).decode()


def header(world: Any, **changes: Any) -> dict[str, Any]:
    fields = {
        "typ": "JWT",
        "kid": "7b1a2c3d",
        "alg": "ES256",
        "iss": ISSUER,
        "client": CLIENT,
        "signer": ARN,
        "exp": int(world.now) + 120,
    }
    return {name: value for name, value in (fields | changes).items() if value is not OMIT}


def validator(world: Any, key: SigningKey, **options: Any) -> keybound.LoadBalancerTokenValidator:
    usual = {"signer": ARN, "issuer": ISSUER, "client_id": CLIENT, "clock": world.clock}
    keys = keybound.JWKSet.from_pem(key.public_pem(), kid=key.kid)
    return keybound.LoadBalancerTokenValidator(**usual | {"keys": keys} | options)


def reason(world: Any, key: SigningKey, raw: Any, **options: Any) -> Reason:
    with pytest.raises(keybound.TokenRejected) as caught:
        validator(world, key, **options).validate(raw)
    return caught.value.reason


CLAIMS = {"sub": "1234567890", "name": "name", "email": "alias@example.com"}


@pytest.mark.parametrize("filler", ["", "x", "xx", "xxx"])
def test_padded_tokens_are_accepted(world: Any, key: SigningKey, filler: str) -> None:
    """P20, F-12: every length of padding, in every segment."""
    raw = signed(key, header(world, filler=filler), CLAIMS | {"filler": filler})
    token = validator(world, key).validate(raw)
    assert token.subject == "1234567890"
    assert (token.issuer, token.expires_at) == (ISSUER, int(world.now) + 120)
    assert token.claim("email") == "alias@example.com"
    assert validator(world, key).validate(raw.encode()).claims == token.claims
    assert repr(token) == "<keybound.LoadBalancerToken>"


def test_nothing_else_accepts_them(world: Any, key: SigningKey) -> None:
    """F-12: an ALB token is accepted only where one was asked for."""
    raw = signed(
        key, header(world, typ="at+jwt"), CLAIMS | {"iss": ISSUER, "aud": "api", "exp": world.now + 60}
    )
    assert "=" in raw
    keys = keybound.JWKSet.from_pem(key.public_pem(), kid=key.kid)
    usual = keybound.AccessTokenValidator(
        issuer=ISSUER, audience="api", keys=keys, algorithms=["ES256"], clock=world.clock
    )
    with pytest.raises(keybound.MalformedToken) as caught:
        usual.validate(raw)
    assert caught.value.reason is Reason.BASE64URL_INVALID


def test_padding_is_signed_and_all_or_nothing(world: Any, key: SigningKey) -> None:
    good = signed(key, header(world), CLAIMS)
    first, second, third = good.split(".")
    assert validator(world, key).validate(signed(key, header(world), CLAIMS, padded=False))
    for raw in (
        f"{first.rstrip('=')}.{second}.{third}" if "=" in first else f"{first}====.{second}.{third}",
        f"{first}.{second.rstrip('=')}.{third}" if "=" in second else f"{first}.{second}====.{third}",
        f"{first}.{second}.{third}=",
        f"{first}.{second}=.{third}",
        f"={first}.{second}.{third}",
        f"{first[:4]}=={first[4:]}.{second}.{third}",
    ):
        assert reason(world, key, raw) in (Reason.BASE64URL_INVALID, Reason.SIGNATURE_INVALID)
    # The signature covers what stands there: without padding it is another text.
    bare = f"{first.rstrip('=')}.{second.rstrip('=')}.{third.rstrip('=')}"
    assert bare == good or reason(world, key, bare) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"signer": ARN + "x"}, Reason.CLAIM_MISMATCH),
        ({"signer": OMIT}, Reason.CLAIM_MISMATCH),
        ({"signer": [ARN]}, Reason.CLAIM_MISMATCH),
        ({"client": "client-2"}, Reason.CLAIM_MISMATCH),
        ({"client": OMIT}, Reason.CLAIM_MISMATCH),
        ({"iss": "https://op.example.com/"}, Reason.ISS_MISMATCH),
        ({"iss": OMIT}, Reason.ISS_MISSING),
        ({"iss": [ISSUER]}, Reason.ISS_INVALID),
        ({"exp": 1}, Reason.TOKEN_EXPIRED),
        ({"exp": OMIT}, Reason.EXP_MISSING),
        ({"exp": "9999999999"}, Reason.EXP_INVALID),
        ({"exp": True}, Reason.EXP_INVALID),
        ({"alg": "none"}, Reason.ALG_NOT_ALLOWED),
        ({"alg": "HS256"}, Reason.ALG_NOT_ALLOWED),
        ({"alg": "ES384"}, Reason.ALG_NOT_ALLOWED),
        ({"alg": OMIT}, Reason.ALG_MISSING),
        ({"kid": "other"}, Reason.KEY_UNKNOWN),
        ({"crit": ["exp"]}, Reason.CRIT_UNSUPPORTED),
    ],
    ids=str,
)
def test_what_the_header_must_say(
    world: Any, key: SigningKey, changes: dict[str, Any], expected: Reason
) -> None:
    """D24 (ALBeast): the signer is pinned; anybody's load balancer signs for any issuer."""
    assert reason(world, key, signed(key, header(world, **changes), CLAIMS)) is expected


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (CLAIMS | {"iss": "https://evil.example"}, Reason.CLAIM_MISMATCH),
        (CLAIMS | {"exp": 9_999_999_999}, Reason.CLAIM_MISMATCH),
        ({"name": "nobody"}, Reason.SUB_MISSING),
        (CLAIMS | {"sub": 5}, Reason.SUB_INVALID),
        ([], Reason.PAYLOAD_NOT_OBJECT),
        (b'{"sub":"a","sub":"b"}', Reason.JSON_DUPLICATE_MEMBER),
        (b"{", Reason.JSON_INVALID),
    ],
    ids=str,
)
def test_what_the_claims_must_say(world: Any, key: SigningKey, claims: Any, expected: Reason) -> None:
    assert reason(world, key, signed(key, header(world), claims)) is expected


def test_other_keys_and_altered_tokens(world: Any, key: SigningKey) -> None:
    other = SigningKey.generate("ES256", kid=key.kid)
    assert reason(world, key, signed(other, header(world), CLAIMS)) is Reason.SIGNATURE_INVALID
    first, _, third = signed(key, header(world), CLAIMS).split(".")
    altered = segment(json.dumps(CLAIMS | {"sub": "admin"}).encode()).decode()
    assert reason(world, key, f"{first}.{altered}.{third}") is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "raw", [None, "", 5, "a.b", "a.b.c.d.e", "\u00e4.b.c", "....", "=.=.=", "A" * 20_000]
)
def test_what_is_no_token(world: Any, key: SigningKey, raw: Any) -> None:
    assert reason(world, key, raw)


@pytest.mark.parametrize(
    "options",
    [
        {"signer": ""},
        {"signer": []},
        {"signer": None},
        {"signer": [5]},
        {"issuer": ""},
        {"client_id": None},
        {"keys": None},
        {"leeway": -1},
        {"limits": None},
        {"clock": 5},
    ],
    ids=str,
)
def test_options_that_are_refused(world: Any, key: SigningKey, options: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        validator(world, key, **options)


def test_several_load_balancers(world: Any, key: SigningKey) -> None:
    both = validator(world, key, signer=[ARN, ARN + "2"])
    assert both.validate(signed(key, header(world, signer=ARN + "2"), CLAIMS))


async def awaited(judge: Any, raw: Any) -> Any:
    return await judge.avalidate(raw)


ROADS = {
    "validate": lambda judge, raw: judge.validate(raw),
    "avalidate": lambda judge, raw: asyncio.run(awaited(judge, raw)),
}


@pytest.mark.parametrize("road", ROADS)
def test_calls_are_counted_and_told_of(world: Any, key: SigningKey, road: str) -> None:
    """P20 with P35: as of every validator, for registries, exporters and logs."""
    judge, told = validator(world, key), []
    judge.notify(told.append)
    assert judge.stats() == {"accepted": 0, "rejected": {}, "unavailable": 0, "old_secrets": 0}
    ROADS[road](judge, signed(key, header(world), CLAIMS))
    for raw in (signed(key, header(world, signer="x"), CLAIMS), "a.b", None):
        with pytest.raises(keybound.TokenRejected):
            ROADS[road](judge, raw)
    rejected = {"token_missing": 1, "token_malformed": 1, "claim_mismatch": 1}
    assert judge.stats() == {"accepted": 1, "rejected": rejected, "unavailable": 0, "old_secrets": 0}
    assert [(event.kind, event.issuer, str(event.reason), event.claim) for event in told] == [
        ("load_balancer_token", ISSUER, "claim_mismatch", "signer"),
        ("load_balancer_token", ISSUER, "token_malformed", None),
        ("load_balancer_token", ISSUER, "token_missing", None),
    ]
    registry = keybound.metrics.Registry()
    registry.add("front", judge)
    [accepted] = [each for each in registry.samples() if each.name == "keybound.tokens.accepted"]
    assert dict(accepted.labels) == {"name": "front", "kind": "load_balancer_token", "issuer": ISSUER}
    assert (accepted.value, registry.readiness()) == (1, {"front": True})


@pytest.mark.parametrize("road", ROADS)
def test_revoked_users(world: Any, key: SigningKey, road: str) -> None:
    """P33: the load balancer goes on vouching for whoever has logged out at the provider."""
    revocations = MemoryRevocationList(clock=world.clock)
    judge = validator(world, key, revocation=revocations)
    raw = signed(key, header(world), CLAIMS)
    assert ROADS[road](judge, raw)
    revocations.revoke(issuer=ISSUER, sub=CLAIMS["sub"])
    with pytest.raises(keybound.ContextRejected) as caught:
        ROADS[road](judge, raw)
    assert caught.value.reason is Reason.TOKEN_REVOKED
    asked: list[Any] = []
    judge = validator(world, key, revocation=asked.append)
    with pytest.raises(keybound.TokenRejected):
        ROADS[road](judge, signed(key, header(world, client="x"), CLAIMS))
    assert asked == []
    with pytest.raises(keybound.Unavailable):
        ROADS[road](judge, raw)
    assert judge.stats()["unavailable"] == 1


class Seeking:
    """A source that is asked for keys it does not hold."""

    def __init__(self, held: Any, found: Any) -> None:
        self.held, self.found = held, found
        self.asked: list[str] = []

    def snapshot(self) -> Any:
        return self.held

    def peek(self) -> Any:
        return self.held

    async def aget(self) -> Any:
        return self.held

    def refresh_for(self, kid: str) -> bool:
        self.asked.append(kid)
        self.held = self.found
        return True

    async def arefresh_for(self, kid: str) -> bool:
        return self.refresh_for(kid)


@pytest.mark.parametrize("road", ROADS)
def test_nobody_is_asked_for_keys_of_others(world: Any, key: SigningKey, road: str) -> None:
    other = SigningKey.generate("ES256", kid="other")
    held, found = (keybound.JWKSet.from_pem(each.public_pem(), kid=each.kid) for each in (other, key))
    source = Seeking(held, found)
    judge = validator(world, key, keys=source)
    for changes in ({"signer": ARN + "x"}, {"client": "x"}, {"iss": "https://x.example"}, {"kid": OMIT}):
        with pytest.raises(keybound.TokenRejected):
            ROADS[road](judge, signed(key, header(world, **changes), CLAIMS))
    assert source.asked == []
    assert ROADS[road](judge, signed(key, header(world), CLAIMS)).subject == CLAIMS["sub"]
    assert source.asked == [key.kid]
