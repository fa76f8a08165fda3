"""Every named policy against the table in the text it comes from, written out by hand.

A is accept, W accept with a warning, R reject, ``-`` no rule, so that nothing can be judged. After the
bar stand arrays: one of the best value of the row alone, the same with a stranger beside it, and that of
the token and the backchannel authentication endpoint. There ``array`` and ``sole`` are rejections that
say so, and ``form`` is a warning about the array as such.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import keybound
from keybound.audience import KINDS, POLICIES, AudiencePolicy
from keybound.audience.table import TITLES
from keybound.errors import PolicyError
from keybound.testing import FakeIssuer

COLUMNS = ["issuer", "token", "bc", "authz", "par", "itself", "other"]
STRANGER = "https://rs.example.org/"

ISSUER_FOR_REQUEST_OBJECTS = """
    authz          A R R R R R R | A A R
    par            A R R R R R R | A A R
    bc             A R R R R R R | A A R
"""
"""S002-12: the default (RFC 9101, 4)."""

ASSERTIONS = {
    "oidc-core": """
        token          W A R R R A R | A A A
        bc             W A W R R W R | A A A
        par            W A R R W W R | A A A
        introspection  W A R R R W R | A A A
    """,
    "ciba-core": """
        token          A W W R R W R | A A W
        bc             A W W R R W R | A A W
        par            A W W R R R R | A A W
        introspection  A W W R R R R | A A W
    """,
    "fapi2-server-draft": """
        token          A A R R R A R | A A A
        bc             A A A R R A R | A A A
        par            A A R R A A R | A A A
        introspection  A A R R R A R | A A A
    """,
    "fapi2-client": """
        token          A R R R R R R | form form R
        bc             A R R R R R R | form form R
        par            A R R R R R R | form form R
        introspection  A R R R R R R | form form R
    """,
    "fapi2-final": """
        token          A R R R R R R | array array array
        bc             A R R R R R R | array array array
        par            A R R R R R R | array array array
        introspection  A R R R R R R | array array array
    """,
    "rfc7523bis": """
        token          A R R R R R R | A sole sole
        bc             A R R R R R R | A sole sole
        par            A R R R R R R | A sole sole
        introspection  A R R R R R R | A sole sole
    """,
    "camara-endpoint-only": """
        token          R A R R R A R | array array array
        bc             R R A R R A R | array array array
        par            R R R R A A R | array array array
        introspection  R R R R R A R | array array array
    """,
    "camara-strict-v1": """
        token          R A R R R A R | array array array
        bc             R R A R R A R | array array array
        par            - - - - - - - | - - -
        introspection  - - - - - - - | - - -
    """,
    "camara-interop": """
        token          A A R R R A R | A A A
        bc             A A A R R A R | A A A
        par            - - - - - - - | - - -
        introspection  - - - - - - - | - - -
    """,
    "camara-interop-text": """
        token          A A R R R A R | A A A
        bc             A A A R R A R | A A A
        par            A A R R A A R | A A A
        introspection  A A R R R A R | A A A
    """,
    "camara-pr121": """
        token          R A R R R A R | A A A
        bc             R R A R R A R | A A A
        par            - - - - - - - | - - -
        introspection  - - - - - - - | - - -
    """,
    "camara-pr121-first-text": """
        token          R A R R R A R | A A A
        bc             R R A R R A R | A A A
        par            R A R R R R R | A A A
        introspection  - - - - - - - | - - -
    """,
    "camara-strict-v2": """
        token          R A R R R A R | array array array
        bc             R R A R R A R | array array array
        par            - - - - - - - | - - -
        introspection  - - - - - - - | - - -
    """,
    "camara-earlier": """
        token          R A R R R A R | A A A
        bc             R A R R R R R | A A A
        par            R A R R R R R | A A A
        introspection  R A R R R R R | A A A
    """,
    "camara-final": """
        token          W A R R R A R | A A A
        bc             W W A R R A R | A A A
        par            W A R R W W R | A A A
        introspection  A A R R R A R | A A A
    """,
    "camara-2026": """
        token          W A R R R A R | A A A
        bc             W W A R R A R | A A A
        par            W W R R A A R | A A W
        introspection  W W R R R A R | A A W
    """,
}

STRICT_REQUEST_OBJECTS = """
    authz          R R R A R A R | array array array
    par            R R R A R R R | array array array
    bc             - - - - - - - | - - -
"""
REQUEST_OBJECTS = dict.fromkeys(ASSERTIONS, ISSUER_FOR_REQUEST_OBJECTS) | {
    "camara-strict-v1": STRICT_REQUEST_OBJECTS,
    "camara-strict-v2": STRICT_REQUEST_OBJECTS,
    "camara-2026": """
        authz          W R R A R A R | A A R
        par            W R R A R R R | A A R
        bc             W R A R R A R | A A A
    """,
}
TABLES = {"client_assertion": ASSERTIONS, "request_object": REQUEST_OBJECTS}

MEANING = {
    "A": ("accept", "ok"),
    "W": ("warn", "aud_not_recommended"),
    "form": ("warn", "aud_array_not_recommended"),
    "R": ("reject", "aud_mismatch"),
    "array": ("reject", "aud_array"),
    "sole": ("reject", "aud_not_sole"),
}

every_policy = pytest.mark.parametrize("name", ASSERTIONS)
every_kind = pytest.mark.parametrize("kind", TABLES)


def written(name: str, kind: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """The rows of a table: place, cells of single values, cells of arrays."""
    for line in TABLES[kind][name].strip().splitlines():
        at, *cells = line.replace("|", " ").split()
        yield at, cells[: len(COLUMNS)], cells[len(COLUMNS) :]


def arrays(server: Any, at: str, cells: list[str]) -> list[list[str]]:
    best = server.url(COLUMNS[cells.index("A")], at=at)
    return [[best], [STRANGER, best], [server.url("token"), server.url("bc")]]


def judged(bound: Any, endpoint: str, kind: str, aud: object) -> tuple[str, str]:
    verdict = bound.judge(endpoint, aud, kind=kind)
    assert bool(verdict) == (verdict.outcome != "reject") == (verdict.reason is keybound.Reason.OK)
    return verdict.outcome, verdict.code


def test_every_policy_has_its_tables():
    assert list(ASSERTIONS) == list(REQUEST_OBJECTS) == list(POLICIES)
    assert tuple(TABLES) == KINDS
    assert all(policy.name == name and policy.source for name, policy in POLICIES.items())


@every_policy
@every_kind
def test_verdicts_are_those_of_the_table(server, name, kind):
    bound, checked = server.bind(POLICIES[name]), 0
    for at, singles, several in written(name, kind):
        endpoint = server.names[at]
        if "-" in singles:
            with pytest.raises(PolicyError, match="no rule"):
                bound.judge(endpoint, server.issuer, kind=kind)
            continue
        for column, cell in zip(COLUMNS, singles, strict=True):
            aud = server.url(column, at=at)
            assert judged(bound, endpoint, kind, aud) == MEANING[cell], f"{aud} at {at}"
        for aud, cell in zip(arrays(server, at, singles), several, strict=True):
            assert judged(bound, endpoint, kind, aud) == MEANING[cell], f"{aud} at {at}"
        assert judged(bound, endpoint, kind, STRANGER) == MEANING["R"]
        checked += 1
    assert checked


@every_policy
@every_kind
def test_the_printed_table_is_that_of_the_text(server, name, kind):
    """S002-14: what an operator reads is what is judged."""
    _, _, text = str(POLICIES[name]).partition(f"{TITLES[kind]}:")
    table = text.strip().split("\n\n")[0].splitlines()
    head, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in table)
    shown = {place: dict(zip(head[1:], cells, strict=True)) for place, *cells in lines}
    seen = set()
    for at, singles, _ in written(name, kind):
        place = next((place for place in (at, "elsewhere", "everywhere") if place in shown), None)
        assert (place is None) == ("-" in singles)
        if place is None:
            continue
        seen.add(place)
        for column, cell in zip(COLUMNS, singles, strict=True):
            # A row for many endpoints speaks under "itself" of those that have no column.
            many = place in ("elsewhere", "everywhere")
            if not (many and at in COLUMNS and column in (at, "itself")):
                printed = shown[place].get("another" if column == "other" else column, cell)
                assert printed == cell, (at, column)
    assert seen == set(shown)


class TestSentencesBeyondTheTables:
    @pytest.mark.parametrize("name", ["camara-strict-v1", "camara-strict-v2", "camara-endpoint-only"])
    @pytest.mark.parametrize("at", ["token", "bc"])
    def test_an_array_of_one_is_rejected_and_the_reason_says_array(self, server, name, at):
        """S002-01: even if its only member is acceptable."""
        bound, url = server.bind(POLICIES[name]), server.url(at)
        assert bound.judge(server.names[at], url).outcome == "accept"
        verdict = bound.judge(server.names[at], [url])
        assert verdict.reason is keybound.Reason.AUD_ARRAY
        assert "array" in verdict.code
        assert "array" in verdict.reason.description

    @pytest.mark.parametrize("at", ["token", "bc"])
    def test_several_endpoints_are_rejected_everywhere(self, server, at):
        """S002-02: under camara-strict-v2, ``[token, bc]``."""
        both = [server.url("token"), server.url("bc")]
        verdict = server.bind(POLICIES["camara-strict-v2"]).judge(server.names[at], both)
        assert verdict.reason is keybound.Reason.AUD_ARRAY
        requests = server.bind(POLICIES["camara-strict-v2"]).at("authorization_endpoint", "request_object")
        assert requests.judge([server.url("authz"), server.url("token")]).outcome == "reject"

    @pytest.mark.parametrize("name", ["camara-interop", "fapi2-server-draft"])
    def test_an_array_with_an_accepted_member_is_accepted(self, server, name):
        """S002-03"""
        bound = server.bind(POLICIES[name])
        for member in (server.issuer, server.url("token")):
            assert bound.judge("token_endpoint", [STRANGER, member]).outcome == "accept"
        assert bound.judge("token_endpoint", [STRANGER]).reason is keybound.Reason.AUD_MISMATCH

    def test_one_assertion_goes_through_every_policy(self, server):
        """S002-04: the token endpoint as ``aud``, at the backchannel authentication endpoint."""
        client = FakeIssuer("client-1", alg="ES256")
        claims = {"iss": "client-1", "sub": "client-1", "aud": server.url("token"), "jti": "1", "exp": 1}
        signed = client.sign(claims, typ="JWT")
        verified = keybound.jws.verify(signed, keybound.JWKSet.from_json(client.jwks()), algorithms=["ES256"])
        aud = json.loads(verified.payload)["aud"]
        verdicts = {
            name: server.bind(policy).judge("backchannel_authentication_endpoint", aud).outcome
            for name, policy in POLICIES.items()
        }
        assert verdicts == {
            "oidc-core": "accept",
            "ciba-core": "warn",
            "fapi2-server-draft": "accept",
            "fapi2-client": "reject",
            "fapi2-final": "reject",
            "rfc7523bis": "reject",
            "camara-endpoint-only": "reject",
            "camara-strict-v1": "reject",
            "camara-interop": "accept",
            "camara-interop-text": "accept",
            "camara-pr121": "reject",
            "camara-pr121-first-text": "reject",
            "camara-strict-v2": "reject",
            "camara-earlier": "accept",
            "camara-final": "warn",
            "camara-2026": "warn",
        }

    @every_policy
    def test_request_objects_are_for_the_issuer_unless_the_text_says_otherwise(self, server, name):
        """S002-12"""
        judge = server.bind(POLICIES[name]).at("authorization_endpoint", "request_object")
        strict = name in ("camara-strict-v1", "camara-strict-v2")
        assert bool(judge.judge(server.issuer)) is not strict
        assert judge.judge(server.url("authz")).outcome == (
            "accept" if strict or name == "camara-2026" else "reject"
        )

    @every_policy
    @pytest.mark.parametrize(
        "change",
        [
            lambda url: url + "/",
            lambda url: url.replace("https", "http"),
            lambda url: url.replace("https", "HTTPS"),
            lambda url: url.replace("as.example", "AS.example"),
            lambda url: url.replace(".com", ".com:443"),
            lambda url: url.replace("tenant", "%74enant"),
            lambda url: url.replace("/tenant", "/./tenant"),
            lambda url: url + "?",
            lambda url: url + "#",
            lambda url: url + " ",
            lambda url: url + "\x00",
            lambda url: url[:-1],
            lambda url: url.replace("a", "\u0430"),
            lambda url: "",
        ],
    )
    def test_comparison_is_exact_code_point_by_code_point(self, server, name, change):
        """S002-13"""
        bound = server.bind(POLICIES[name])
        for kind in KINDS:
            for endpoint in bound.endpoints(kind):
                for url in bound.at(endpoint, kind).accepted:
                    assert bound.judge(endpoint, url, kind=kind)
                    assert bound.judge(endpoint, change(url), kind=kind).code == "aud_mismatch"

    @every_policy
    def test_an_alias_counts_only_if_the_policy_says_so(self, server, name):
        """S000-09"""
        alias, root = server.aliases["token_endpoint"], server.endpoints["token_endpoint"]
        members = POLICIES[name].to_mapping()
        listing = AudiencePolicy.from_mapping(members | {"aliases": True})
        for endpoint in ("token_endpoint", "backchannel_authentication_endpoint"):
            plain, listed = (
                server.bind(policy, aliases=server.aliases) for policy in (POLICIES[name], listing)
            )
            assert plain.judge(endpoint, alias).reason is keybound.Reason.AUD_MISMATCH
            assert listed.judge(endpoint, alias) is listed.judge(endpoint, root)
            assert listed.judge(endpoint, root) is plain.judge(endpoint, root)
            assert server.bind(listing).judge(endpoint, alias).reason is keybound.Reason.AUD_MISMATCH


def test_no_policy_lists_aliases():
    """S000-09: no text of the named policies speaks of them."""
    assert not [name for name, policy in POLICIES.items() if policy.aliases]


def test_what_clients_shall_send_is_told_apart():
    assert [name for name, policy in POLICIES.items() if policy.obliges == "client"] == ["fapi2-client"]


@every_policy
def test_what_a_client_sends_is_accepted_without_a_warning(server, name):
    bound = server.bind(POLICIES[name])
    for kind in KINDS:
        for endpoint in bound.endpoints(kind):
            judge = bound.at(endpoint, kind)
            assert judge.judge(judge.recommended[0]).outcome == "accept"
