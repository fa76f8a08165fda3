"""Issuer routers from a file: validators by name, or one for each tenant that the file lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import keybound
from keybound import configuration
from keybound.configuration.routing import TENANTED
from keybound.metrics import Registry
from keybound.profiles import PRESETS
from keybound.testing import FakeIssuer

NAMES = ["https://a.example.com", "https://b.example.com"]
FILE = """
[keys.first]
jwks_file = "a.json"
[keys.second]
jwks_file = "b.json"

[validators.a]
kind = "access_token"
issuer = "https://a.example.com"
audience = "api"
keys = "first"
algorithms = ["ES256"]

[validators.b]
kind = "access_token"
issuer = "https://b.example.com"
audience = "api"
keys = "second"
algorithms = ["ES256"]

[routers.both]
validators = ["a", "b"]
"""
ONE, OTHER = "72f988bf-86f1-41af-91ab-2d7cd011db47", "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
TENANTS = f"""
[keys.main]
jwks_file = "a.json"

[routers.workforce]
tenants = ["{ONE}", "{OTHER}"]

[routers.workforce.each]
kind = "access_token"
preset = "entra-v2"
audience = "api"
keys = "main"
"""


@pytest.fixture(scope="module")
def issuers(clock: Any) -> dict[str, FakeIssuer]:
    return {name: FakeIssuer(name, clock=clock) for name in NAMES}


@pytest.fixture
def made(issuers: dict[str, FakeIssuer], tmp_path: Path, clock: Any) -> Any:
    """``made(text)``: a configuration beside the keys of two issuers."""
    for name, issuer in issuers.items():
        (tmp_path / f"{name[8]}.json").write_text(json.dumps(issuer.jwks()))
    (tmp_path / "rsa.json").write_text(json.dumps(RSA.jwks()))

    def made(text: str, **options: Any) -> configuration.Configuration:
        return configuration.load(text, directory=tmp_path, clock=clock, **options)

    return made


RSA = FakeIssuer(f"https://login.microsoftonline.com/{ONE}/v2.0", alg="RS256")


def test_validators_by_name(made: Any, issuers: dict[str, FakeIssuer]) -> None:
    """P15: the router has the validators of the file, not others like them."""
    found = made(FILE)
    router = found.routers["both"]
    assert dict(router.validators) == {NAMES[0]: found.validators["a"], NAMES[1]: found.validators["b"]}
    for name, issuer in issuers.items():
        assert router.validate(issuer.access_token(audience="api")).issuer == name
    with pytest.raises(keybound.TokenRejected, match="iss_unknown"):
        router.validate(issuers[NAMES[0]].access_token(audience="api", iss="https://c.example.com"))


def test_one_router_of_a_file(made: Any) -> None:
    text = FILE + TENANTS + '[validators.c]\nkind = "access_token"\npreset = "auth0"\n'
    text += 'audience = "api"\nparameters = { domain = "a.auth0.com" }\n'
    found = made(text, only="both")
    assert (set(found.routers), set(found.validators)) == ({"both"}, {"a", "b"})
    assert set(found.keys) == {"first", "second"}
    assert configuration.validators_in(text, kind="access_token") == ("a", "b", "c", "both", "workforce")
    other = text.replace('[validators.b]\nkind = "access_token"', '[validators.b]\nkind = "id_token"')
    other = other.replace('audience = "api"\nkeys = "second"', 'client_id = "client-1"\nkeys = "second"')
    assert configuration.validators_in(other, kind="access_token") == ("a", "c", "workforce")


def test_tenants_are_a_list(made: Any, clock: Any) -> None:
    """P26: Entra's template with the tenants that are named, and no other."""
    router = made(TENANTS.replace("a.json", "rsa.json")).routers["workforce"]
    assert set(router.validators) == {
        f"https://login.microsoftonline.com/{tenant}/v2.0" for tenant in (ONE, OTHER)
    }
    claims: dict[str, Any] = {"audience": "api", "ver": "2.0", "header": {"typ": "JWT"}}
    RSA.clock = clock
    assert router.validate(RSA.access_token(tid=ONE, **claims)).claims["tid"] == ONE
    with pytest.raises(keybound.TokenRejected, match="claim_mismatch"):
        router.validate(RSA.access_token(tid=OTHER, **claims))
    for tenant in ("common", "organizations", "9188040d-6c67-4c5b-b112-36a304b66dad"):
        with pytest.raises(keybound.TokenRejected, match="iss_unknown"):
            router.validate(
                RSA.access_token(iss=f"https://login.microsoftonline.com/{tenant}/v2.0", tid=tenant, **claims)
            )


def test_each_tenant_has_its_own(made: Any) -> None:
    """P15: keys, cache and counters; the keys from where the tenant publishes them."""
    router = made(
        TENANTS.replace('keys = "main"\n', "").replace('[keys.main]\njwks_file = "a.json"', "")
    ).routers["workforce"]
    one, other = router.validators.values()
    assert one.keys.url == f"https://login.microsoftonline.com/{ONE}/discovery/v2.0/keys"
    assert other.keys.url == f"https://login.microsoftonline.com/{OTHER}/discovery/v2.0/keys"
    assert one.policy.expected_claims == (("ver", "2.0"), ("tid", ONE))


def test_presets_that_have_tenants() -> None:
    assert {name for name in PRESETS if name.startswith("entra")} == set(TENANTED)


def test_routers_can_be_watched(made: Any) -> None:
    registry, found = Registry(), made(FILE)
    registry.add("gateway", found.routers["both"])
    with pytest.raises(keybound.TokenRejected):
        found.routers["both"].validate("hostile")
    told = [dict(sample.labels) for sample in registry.samples() if sample.name == "keybound.tokens.rejected"]
    assert told == [{"name": "gateway", "kind": "", "issuer": "", "reason": "token_malformed"}]


@pytest.mark.parametrize(
    ("text", "old", "new", "place", "message"),
    [
        (FILE, '["a", "b"]', '["a", "c"]', "routers.both.validators[1]", "must be a name in [validators]"),
        (FILE, '["a", "b"]', "[]", "routers.both.validators", "something in it"),
        (FILE, '["a", "b"]', '["a", "a"]', "routers.both", "the same issuer"),
        (FILE, 'validators = ["a", "b"]', "", "routers.both", "needs one of validators, tenants"),
        (FILE, '["a", "b"]', '["a"]\ntenants = ["x"]', "routers.both", "needs one of validators, tenants"),
        (FILE, '["a", "b"]', '["a"]\ndefault = "b"', "routers.both.default", "is not known here"),
        (
            FILE,
            '["a", "b"]',
            '["a"]\nlimits = { json_depth = 0 }',
            "routers.both.limits.json_depth",
            "from 1",
        ),
        (FILE, "[routers.both]", "[routers.a]", "routers.a", "take another name"),
        (TENANTS, f'"{OTHER}"', '"common"', "routers.workforce.tenants[1]", "one tenant"),
        (TENANTS, f'"{OTHER}"', '"x/../y?"', "routers.workforce.tenants[1]", "one tenant"),
        (TENANTS, f'"{OTHER}"', f'"{ONE}"', "routers.workforce", "the same issuer"),
        (TENANTS, f'"{OTHER}"', "5", "routers.workforce.tenants[1]", "non-empty text"),
        (TENANTS, f'["{ONE}", "{OTHER}"]', '"common"', "routers.workforce.tenants", "must be a list"),
        (TENANTS, "entra-v2", "okta", "routers.workforce.each.preset", "has tenants: entra-v2, entra-v1"),
        (TENANTS, 'preset = "entra-v2"', 'issuer = "x"', "routers.workforce.each.preset", "has tenants"),
        (TENANTS, 'audience = "api"', "", "routers.workforce.each.audience", "is missing"),
        (TENANTS, 'audience = "api"', "leewai = 5", "routers.workforce.each.leewai", "is not known here"),
        (TENANTS, "access_token", "id_token", "routers.workforce.each.kind", "must be one of access_token"),
        (
            TENANTS,
            'audience = "api"',
            'audience = "api"\nparameters = { tenant = "x" }',
            "routers.workforce.each.parameters.tenant",
            "comes from tenants",
        ),
        (
            TENANTS,
            'audience = "api"',
            'audience = "api"\nissuer = "x"',
            "routers.workforce.each.issuer",
            "comes from the preset",
        ),
        (
            TENANTS,
            'audience = "api"',
            'audience = "api"\nexpected_claims = { tid = "x" }',
            "routers.workforce.each.expected_claims.tid",
            "contradicts the preset",
        ),
        (
            TENANTS,
            'audience = "api"',
            'audience = "api"\nleeway = 90000',
            "routers.workforce.each.leeway",
            "0 to 86400",
        ),
    ],
    ids=lambda part: str(part)[:60],
)
def test_what_is_refused(made: Any, text: str, old: str, new: str, place: str, message: str) -> None:
    assert old in text
    with pytest.raises(configuration.ConfigurationError) as caught:
        made(text.replace(old, new))
    assert (caught.value.place, message in caught.value.message) == (place, True), caught.value
