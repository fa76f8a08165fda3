"""The linter: for each rule a file that breaks it and one that does not."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import pytest

import keybound
from keybound import configuration
from keybound.configuration.rules import RULES

CLEAN = """
[server]
issuer = "https://as.example.com"
token_endpoint = "https://as.example.com/token"
pushed_authorization_request_endpoint = "https://as.example.com/par"
# server

[keys.main]
jwks_file = "jwks.json"
[keys.other]
pem_file = "key.pem"
[keys.rsa]
jwks_file = "rsa.json"
[keys.secret]
secret_env = "CLIENT_SECRET"
alg = "HS256"
[keys.remote]
jwks_uri = "https://as.example.com/jwks"
# remote
[decryption_keys.private]
pem_file = "encrypted.pem"
password_env = "PASSWORD"
[stores.proofs]
kind = "redis"
url_env = "REDIS_URL"
# proofs
# lists

[profiles.ours]
derive = "rfc9068"
algorithms = ["ES256"]
# ours
[audience_policies.house]
source = "handbook"
client_assertion.any_endpoint.accept = ["issuer"]

[validators.accounts]
kind = "access_token"
issuer = "https://as.example.com"  # of accounts
audience = "https://rs.example.org/"
keys = "main"
profile = "ours"
# accounts

[validators.payments]
kind = "access_token"
issuer = "https://payments.example.com"
audience = "https://rs.example.org/"  # of payments
keys = "rsa"
profile = "rfc9068"
algorithms = ["RS256"]

[validators.login]
kind = "id_token"
issuer = "https://as.example.com"
client_id = "client-1"
keys = "remote"
algorithms = ["ES256"]
# login

[validators.login.decryption]
keys = "private"
algorithms = ["RSA-OAEP-256"]
encryptions = ["A256GCM"]
# decryption

[validators.client]
kind = "client_assertion"
client_id = "client-1"
keys = "main"
algorithms = ["ES256"]  # of client
replay = "proofs"  # of client
explicit_typing = true
audience_policy = "house"
# client

[validators.request]
kind = "request_object"
client_id = "client-1"
keys = "other"
algorithms = ["ES256"]
replay = "proofs"  # of request
explicit_typing = true
audience = "https://as.example.com"

[validators.proof]
kind = "dpop_proof"
algorithms = ["ES256"]
replay = "proofs"  # of proof
# proof

[validators.logout]
kind = "logout_token"
issuer = "https://as.example.com"
client_id = "client-1"
keys = "remote"
algorithms = ["ES256"]
replay = "proofs"  # of logout
explicit_typing = true  # of logout
# logout

[validators.response]
kind = "authorization_response"
issuer = "https://as.example.com"
client_id = "client-1"  # of response
keys = "remote"
algorithms = ["ES256"]
# response

[validators.confidential]
kind = "client_assertion"
client_id = "client-2"
keys = "secret"
algorithms = ["HS256"]
replay = "proofs"
explicit_typing = true
audience_policy = "house"

[validators.deployments]
kind = "access_token"
preset = "github-actions"
audience = "https://deploy.example.org"
expected_claims = { repository = "example/app" }

[validators.answers]
kind = "introspection_response"
issuer = "https://as.example.com"
audience = "https://rs.example.org/"

[introspection_clients.opaque]
endpoint = "https://as.example.com/introspect"
validator = "answers"
authentication = { method = "client_secret_basic", client_id = "rs-1", client_secret_env = "CLIENT_SECRET" }
# opaque

[routers.gateway]
validators = ["accounts", "payments"]

[routers.workforce]
tenants = ["72f988bf-86f1-41af-91ab-2d7cd011db47"]
[routers.workforce.each]
kind = "access_token"
preset = "entra-v2"
audience = "6e74172b-be56-4843-9ff4-e66a39bb12e3"  # of workforce
# each
"""
"""A file in which no rule finds anything. Comments mark where tests write."""


class Case(NamedTuple):
    """:ivar place: where the rule finds something
    :ivar changes: texts of the clean file and what stands in their place
    :ivar fine: other changes after which it finds nothing, as close as may be
    """

    place: str
    changes: dict[str, str]
    fine: dict[str, str]


def more(table: str, lines: str) -> dict[str, str]:
    """Further lines in a table of the clean file."""
    return {f"\n# {table}\n": f"\n{lines}\n# {table}\n"}


JWKS_URI = 'jwks_uri = "https://as.example.com/jwks"'
INTROSPECT = 'endpoint = "https://as.example.com/introspect"'
OF_PAYMENTS = 'issuer = "https://payments.example.com"'
SAME_ISSUER = {OF_PAYMENTS: 'issuer = "https://as.example.com"'}
RS256 = 'algorithms = ["RS256"]'
POLICY = 'audience_policy = "house"\n# client'
FAPI2 = {'algorithms = ["ES256"]  # of client': 'profile = "fapi2"'}
DEMANDING = more("ours", 'binding = "required"')
SHORT = more("ours", "kinds.access_token.max_lifetime = 60")
TYPED = 'kinds.access_token = { types = "at+jwt", typ_required = true }'
ROUTER_ALONE = CLEAN[CLEAN.index("[routers.workforce]") :]
PAR = 'mtls_endpoint_aliases.pushed_authorization_request_endpoint = "https://mtls.example.com/par"'


def denied(*lists: str | int) -> dict[str, str]:
    """Deny-lists on the server of the clean file, each of a name and a ``token_lifetime``."""
    named = lists if len(lists) > 1 else (*lists, 86_400)
    pairs = zip(named[::2], named[1::2], strict=True)
    return more(
        "lists",
        "".join(
            f"[revocation_lists.{name}]\nkind = 'redis'\nurl_env = 'REDIS_URL'\ntoken_lifetime = {seconds}\n"
            for name, seconds in pairs
        ),
    )


ACCOUNTS_DENIED = denied("one") | more("accounts", "revocation = 'one'")
LOGIN_DENIED = denied("one", 300)
MORE = "[stores.more]\nkind = 'redis'\nurl_env = 'REDIS_URL'"
AGAIN = more(
    "client",
    """
[validators.again]
kind = "client_assertion"
client_id = "client-1"
keys = "main"
algorithms = ["ES256"]
replay = "more"
audience = "https://as.example.com"
""",
)

CASES: dict[str, list[Case]] = {
    "form": [
        Case("validators.accounts.leewai", more("accounts", "leewai = 5"), more("accounts", "leeway = 5")),
        Case("validators.payments.keys", {'"rsa"': '"ras"'}, {'"rsa"': '"remote"'}),
        Case(
            "introspection_clients.opaque.validator", {'validator = "answers"': 'validator = "accounts"'}, {}
        ),
        Case("routers.deployments", {"[routers.gateway]": "[routers.deployments]"}, {}),
        Case("routers.workforce.each.preset", {'preset = "entra-v2"': 'preset = "okta"'}, {}),
    ],
    "secret-in-file": [
        Case("keys.secret.secret", {'secret_env = "CLIENT_SECRET"': 'secret = "0123"'}, {}),
        Case(
            "stores.proofs.url",
            {'url_env = "REDIS_URL"': 'url = "redis://:pass@x"'},
            {'url_env = "REDIS_URL"': 'url = "redis://x"'},
        ),
    ],
    "refused": [
        Case(
            "validators.accounts.leeway", more("accounts", "leeway = 90000"), more("accounts", "leeway = 60")
        ),
        Case("routers.gateway", SAME_ISSUER, {}),
        Case("routers.workforce.tenants[0]", {'"72f988bf-86f1-41af-91ab-2d7cd011db47"': '"common"'}, {}),
        Case(
            "introspection_clients.opaque.max_questions",
            more("opaque", "max_questions = 0"),
            more("opaque", "max_questions = 1"),
        ),
        Case("keys.other", {'"key.pem"': '"encrypted.pem"'}, {'"key.pem"': '"key.pem"\nkid = "1"'}),
    ],
    "algorithms-mixed": [
        Case(
            "validators.payments.algorithms",
            {**SAME_ISSUER, RS256: 'algorithms = ["HS256"]', 'keys = "rsa"': 'keys = "secret"'},
            SAME_ISSUER,
        ),
        Case(
            "validators.payments.algorithms",
            {RS256: 'algorithms = ["RS256", "HS256"]'},
            {RS256: 'algorithms = ["RS256", "PS256"]'},
        ),
    ],
    "algorithms-beyond-profile": [
        Case(
            "validators.accounts.algorithms",
            more("accounts", 'algorithms = ["ES256", "ES384"]'),
            more("accounts", 'algorithms = ["ES256"]'),
        ),
    ],
    "binding-weakened": [
        Case(
            "validators.accounts.binding",
            more("accounts", 'binding = "ignore"'),
            more("accounts", 'binding = "if-present"'),
        ),
        Case(
            "validators.accounts.binding",
            more("accounts", 'binding = "if-present"') | DEMANDING,
            more("accounts", 'binding = "required"') | DEMANDING,
        ),
    ],
    "audience-missing": [
        Case("validators.payments.audience", {'audience = "https://rs.example.org/"  # of payments': ""}, {}),
        Case(
            "routers.workforce.each.audience",
            {'audience = "6e74172b-be56-4843-9ff4-e66a39bb12e3"  # of workforce': ""},
            {},
        ),
        Case("validators.response.client_id", {'client_id = "client-1"  # of response': ""}, {}),
        Case("validators.client.audience", {POLICY: ""}, {POLICY: 'audience = "https://as.example.com"'}),
    ],
    "audience-array": [Case("validators.client.audience_policy", FAPI2, {**FAPI2, POLICY: ""})],
    "replay-unchecked": [
        Case("validators.client.replay", {'replay = "proofs"  # of client': "replay = false"}, {}),
        Case("validators.proof.replay", {'replay = "proofs"  # of proof': "replay = false"}, {}),
    ],
    "event-replay-unchecked": [
        Case("validators.logout.replay", {'replay = "proofs"  # of logout': "replay = false"}, {}),
        Case("validators.request.replay", {'replay = "proofs"  # of request': ""}, {}),
    ],
    "store-in-memory": [
        Case("stores.proofs", {'kind = "redis"\nurl_env = "REDIS_URL"': 'kind = "memory"'}, {}),
        Case(
            "revocation_lists.revoked",
            more("ours", '[revocation_lists.revoked]\nkind = "memory"')
            | more("accounts", 'revocation = "revoked"'),
            more("ours", '[revocation_lists.revoked]\nkind = "redis"\nurl_env = "REDIS_URL"')
            | more("accounts", 'revocation = "revoked"'),
        ),
    ],
    "store-on-loss": [
        Case(
            "stores.proofs.on_loss",
            more("proofs", 'on_loss = "memory"'),
            more("proofs", 'on_loss = "refuse"'),
        ),
    ],
    "skew-below-leeway": [
        Case("stores.proofs.skew", more("proofs", "skew = 9"), more("proofs", "skew = 10")),
        Case("stores.proofs.skew", more("proof", "leeway = 31"), more("proof", "leeway = 30")),
        Case(
            "revocation_lists.one.skew",
            denied("one") | more("accounts", "leeway = 31\nrevocation = 'one'"),
            denied("one") | more("accounts", "leeway = 30\nrevocation = 'one'"),
        ),
    ],
    "lifetime-beyond-store": [
        Case(
            "stores.proofs.max_lifetime",
            more("proofs", "max_lifetime = 80"),
            more("proofs", "max_lifetime = 81"),
        ),
        Case(
            "stores.proofs.max_lifetime",
            more("client", "max_lifetime = 3880"),
            more("client", "max_lifetime = 3879"),
        ),
    ],
    "revocation-forgotten": [
        Case(
            "revocation_lists.one.token_lifetime",
            ACCOUNTS_DENIED | more("ours", "kinds.access_token.max_lifetime = 86391"),
            ACCOUNTS_DENIED | more("ours", "kinds.access_token.max_lifetime = 86390"),
        ),
        Case(
            "revocation_lists.one.token_lifetime",
            LOGIN_DENIED | more("login", "max_token_age = 291\nrevocation = 'one'"),
            LOGIN_DENIED | more("login", "max_token_age = 290\nrevocation = 'one'"),
        ),
    ],
    "revocation-unbounded": [
        Case(
            "validators.accounts.max_lifetime",
            ACCOUNTS_DENIED,
            ACCOUNTS_DENIED | more("ours", "kinds.access_token.max_lifetime = 600"),
        ),
        # With iat the greatest distance of exp, a day if nothing else is said, is a lifetime.
        Case(
            "validators.client.max_lifetime",
            denied("one", 90_000) | more("client", "revocation = 'one'"),
            denied("one", 90_000) | more("client", "revocation = 'one'\nrequired_claims = 'iat'"),
        ),
        # Of an ID token max_age is how long ago the user was there.
        Case(
            "validators.login.max_lifetime",
            LOGIN_DENIED | more("login", "max_age = 300\nrevocation = 'one'"),
            LOGIN_DENIED | more("login", "max_token_age = 290\nrevocation = 'one'"),
        ),
    ],
    "stores-differ": [
        *(
            Case(
                f"stores.more.{option.split()[0]}",
                more("proofs", f"{MORE}\n{option}"),
                more("proofs", f"{MORE}\n{option}\nnamespace = 'more'"),
            )
            for option in ("max_lifetime = 7200", "skew = 60", "durable = true")
        ),
        Case(
            "revocation_lists.other.token_lifetime",
            denied("one", 600, "other", 86_400),
            denied("one", 600, "other", 600),
        ),
    ],
    "replay-split": [
        Case(
            "validators.again.replay",
            AGAIN | more("proofs", "[stores.more]\nkind = 'memory'"),
            AGAIN | more("proofs", MORE),
        ),
    ],
    "cache-outlives-token": [
        Case(
            "validators.accounts.cache.lifetime",
            more("accounts", "cache = { lifetime = 90 }\nmax_age = 60"),
            more("accounts", "cache = { lifetime = 60 }\nmax_age = 60"),
        ),
        Case(
            "validators.accounts.cache.lifetime",
            more("accounts", "cache = { lifetime = 90 }") | SHORT,
            more("accounts", "cache = false") | SHORT,
        ),
    ],
    "keys-over-http": [
        Case(
            "keys.remote.jwks_uri",
            {JWKS_URI: 'jwks_uri = "http://as.example.com/jwks"\nallow_http = true'},
            {JWKS_URI: 'jwks_uri = "http://127.0.0.1:8080/jwks"\nallow_http = true'},
        ),
        Case(
            "keys.remote.issuer",
            {JWKS_URI: 'issuer = "http://as.example.com"\nallow_http = true'},
            {JWKS_URI: 'issuer = "https://as.example.com"'},
        ),
        Case("keys.remote.jwks_uri", {JWKS_URI: 'jwks_uri = "http://as.example.com/jwks"'}, {}),
    ],
    "introspection-over-http": [
        Case(
            "introspection_clients.opaque.endpoint",
            {INTROSPECT: 'endpoint = "http://as.example.com/introspect"\nallow_http = true'},
            {INTROSPECT: 'endpoint = "http://localhost/introspect"\nallow_http = true'},
        ),
        Case(
            "introspection_clients.opaque.endpoint",
            {INTROSPECT: 'endpoint = "http://as.example.com/introspect"'},
            {},
        ),
    ],
    "introspection-cache-long": [
        Case(
            "introspection_clients.opaque.cache.lifetime",
            more("opaque", "cache = { lifetime = 61 }"),
            more("opaque", "cache = { lifetime = 60 }"),
        ),
        Case(
            "introspection_clients.opaque.cache.lifetime",
            more("opaque", "cache = { lifetime = 300 }"),
            more("opaque", "cache = false"),
        ),
    ],
    "keys-kept-long": [
        Case(
            "keys.remote.refresh.max_stale",
            more("remote", "refresh = { max_stale = 90000 }"),
            more("remote", "refresh = { max_stale = 86400 }"),
        ),
    ],
    "keys-do-not-fit": [
        Case("validators.payments.keys", {'"rsa"': '"main"'}, {'"rsa"': '"remote"'}),
        Case(
            "validators.payments.keys",
            {RS256: 'algorithms = ["HS256"]', '"rsa"': '"remote"'},
            {RS256: 'algorithms = ["HS256"]', '"rsa"': '"secret"'},
        ),
    ],
    "keys-shared": [Case("validators.request.keys", {'keys = "other"': 'keys = "main"'}, {})],
    "profiles-differ": [
        Case(
            "validators.payments.profile",
            SAME_ISSUER,
            {**SAME_ISSUER, f'profile = "rfc9068"\n{RS256}': 'profile = "ours"'},
        ),
    ],
    "leeway-long": [
        Case("validators.accounts.leeway", more("accounts", "leeway = 61"), more("accounts", "leeway = 60")),
        Case("routers.workforce.each.leeway", more("each", "leeway = 61"), more("each", "leeway = 60")),
    ],
    "expiry-waived": [
        Case(
            "validators.logout.allow_missing_exp",
            {'replay = "proofs"  # of logout': "allow_missing_exp = true"},
            more("logout", "allow_missing_exp = true\nmax_age = 120"),
        ),
        Case(
            "validators.accounts.allow_missing_exp",
            more("accounts", "allow_missing_exp = true"),
            more("accounts", "allow_missing_exp = false"),
        ),
    ],
    "proof-window-long": [
        Case("validators.proof.max_age", more("proof", "max_age = 301"), more("proof", "max_age = 300")),
    ],
    "typ-not-enforced": [
        Case(
            "validators.accounts",
            {'derive = "rfc9068"': 'derive = "oauth"'},
            {'derive = "rfc9068"': f'derive = "oauth"\n{TYPED}'},
        ),
        Case("validators.logout", {"explicit_typing = true  # of logout": ""}, {}),
    ],
    "encryption-deprecated": [
        Case(
            "validators.login.decryption.algorithms",
            {'["RSA-OAEP-256"]': '["RSA-OAEP"]\nallow_deprecated = ["RSA-OAEP"]'},
            {'["RSA-OAEP-256"]': '["RSA-OAEP-384"]'},
        ),
    ],
    "encryption-compressed": [
        Case(
            "validators.login.decryption.allow_compression",
            more("decryption", "allow_compression = true"),
            more("decryption", "allow_compression = false"),
        ),
    ],
    "mtls-alias-trap": [
        Case("validators.client", more("server", PAR), more("server", "mtls_endpoint_aliases = {}"))
    ],
    "issuer-almost": [
        Case(
            "validators.accounts.issuer",
            {'com"  # of accounts': 'com/"  # of accounts'},
            {'com"  # of accounts': 'com/tenant"  # of accounts'},
        ),
        Case("validators.payments.issuer", {OF_PAYMENTS: 'issuer = "https://as.example.com/"'}, {}),
    ],
    "preset-open": [
        Case(
            "validators.deployments.expected_claims",
            {'repository = "example/app"': 'actor = "somebody"'},
            {'repository = "example/app"': 'sub = "repo:example/app:ref:refs/heads/main"'},
        ),
        Case(
            "validators.deployments.expected_claims",
            {'expected_claims = { repository = "example/app" }': ""},
            {
                'preset = "github-actions"': 'preset = "auth0"\nparameters = { domain = "a.auth0.com" }',
                'expected_claims = { repository = "example/app" }': "",
            },
        ),
    ],
    "responses-unsigned": [
        Case(
            "validators.response.plain_responses",
            more("response", 'plain_responses = "iss-if-present"'),
            more("response", 'plain_responses = "iss-required"'),
        ),
    ],
    "makes-nothing": [
        Case("validators", {CLEAN: ""}, {}),
        Case("validators", {CLEAN: '[stores.proofs]\nkind = "memory"'}, {CLEAN: ROUTER_ALONE}),
        Case("validators", {CLEAN: "[validators]\n[routers]"}, {CLEAN: "[validators.x]"}),
    ],
    "unused": [
        Case("keys.rsa", {'keys = "rsa"': 'keys = "remote"'}, {}),
        Case("profiles.ours", {'profile = "ours"': 'profile = "rfc9068"\nalgorithms = ["ES256"]'}, {}),
        Case(
            "shared_documents.spare",
            more("ours", '[shared_documents.spare]\nkind = "redis"\nurl_env = "REDIS_URL"'),
            {},
        ),
        Case("stores.spare", more("ours", '[stores.spare]\nkind = "memory"'), {}),
    ],
    "not-here": [
        Case("keys.secret.secret_env", {'"CLIENT_SECRET"': '"NO_SUCH_VARIABLE"'}, {}),
        Case("keys.main.jwks_file", {'"jwks.json"': '"nowhere.json"'}, {}),
        Case("stores.proofs.url_env", {'"REDIS_URL"': '"NO_SUCH_VARIABLE"'}, {}),
        Case(
            "revocation_lists.revoked.url_env",
            more("ours", '[revocation_lists.revoked]\nkind = "redis"\nurl_env = "NO_SUCH_VARIABLE"')
            | more("accounts", 'revocation = "revoked"'),
            {},
        ),
    ],
}


EVERY_CASE = [
    pytest.param(rule, case, id=f"{rule}-{number}")
    for rule, listed in CASES.items()
    for number, case in enumerate(listed)
]


def changed(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def test_every_rule_has_a_case() -> None:
    """S003-05: what would fail open is named before any token comes, and a file shows each rule."""
    assert set(CASES) == {rule.name for rule in RULES}


def test_the_clean_file_is_clean(lint: Any, load: Any) -> None:
    assert lint(CLEAN) == ()
    assert load(CLEAN).validators


@pytest.mark.parametrize(("rule", "case"), EVERY_CASE)
def test_a_file_that_breaks_the_rule(lint: Any, rule: str, case: Case) -> None:
    found = lint(changed(CLEAN, case.changes))
    mine = [finding for finding in found if finding.rule == rule]
    assert case.place in [finding.place for finding in mine], found
    row = next(row for row in RULES if row.name == rule)
    assert {(finding.severity, finding.source) for finding in mine} == {(row.severity, row.source)}
    assert all(finding.message for finding in mine)


@pytest.mark.parametrize(("rule", "case"), EVERY_CASE)
def test_a_file_that_does_not(lint: Any, rule: str, case: Case) -> None:
    found = lint(changed(CLEAN, case.fine))
    assert rule not in [finding.rule for finding in found], found


@pytest.mark.parametrize(("rule", "case"), EVERY_CASE)
def test_errors_are_refused_or_typed_out(lint: Any, load: Any, rule: str, case: Case) -> None:
    """A file that cannot be loaded has an error, or not everything that it needs."""
    text = changed(CLEAN, case.changes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", keybound.DeprecatedAlgorithmWarning)
            load(text)
    except keybound.PolicyError:
        found = lint(text)
        assert any(finding.severity == "error" or finding.rule == "not-here" for finding in found)


def test_the_order_and_the_echoes(lint: Any) -> None:
    text = changed(CLEAN, more("accounts", 'algorithms = ["HS256"]\nleeway = 61'))
    found = lint(text)
    severities = [finding.severity for finding in found]
    assert severities == sorted(severities, key=["error", "warning"].index)
    # The constructor refuses the same, and says less.
    assert "refused" not in [finding.rule for finding in found]
    assert len(set(found)) == len(found)


def test_what_cannot_be_read() -> None:
    for source in ("nowhere.toml", b"[keys", None):
        with pytest.raises(keybound.PolicyError):
            configuration.lint(source)  # type: ignore[arg-type]


def test_rules_have_names_and_sources() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.name == rule.name.lower()
        assert rule.source
        assert rule.finds
