"""Report-only: the verdicts are those of the enforced policy, and the counts tell who would break."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybound.audience import KINDS, POLICIES, BoundAudiencePolicy, ReportOnly
from keybound.errors import PolicyError
from keybound.kinds import TokenKind
from keybound.limits import MAX_REPORTED_CLIENT_ID, MAX_REPORTED_CLIENTS

ISSUER = "https://as.example.com"
ENDPOINTS = {
    "token_endpoint": f"{ISSUER}/token",
    "backchannel_authentication_endpoint": f"{ISSUER}/bc",
    "authorization_endpoint": f"{ISSUER}/authorize",
    "pushed_authorization_request_endpoint": f"{ISSUER}/par",
}
TOKEN = ENDPOINTS["token_endpoint"]
BOUND = {name: policy.bind(issuer=ISSUER, endpoints=ENDPOINTS) for name, policy in POLICIES.items()}


def beside(enforced: str, stricter: str | None = None, **options: int) -> ReportOnly:
    return ReportOnly(BOUND[enforced], BOUND[stricter] if stricter else None, **options)


def counted(report_only: ReportOnly) -> dict[tuple[str | None, str, str, str], int]:
    counts = report_only.snapshot().counts
    return {(count.client_id, count.policy, count.outcome, count.code): count.count for count in counts}


def test_who_would_break_is_counted_with_the_reason():
    """S002-14"""
    report_only = beside("fapi2-server-draft", "fapi2-final")
    judge = report_only.at("token_endpoint")
    for client_id, aud in (
        ("good", ISSUER),
        ("old", TOKEN),
        ("old", TOKEN),
        ("old", [ISSUER]),
        ("good", ISSUER),
        ("array", [ISSUER, "https://rs.example.org/"]),
    ):
        assert judge.judge(aud, client_id).outcome == "accept"
    assert not judge.judge("https://elsewhere.example.com", "lost")

    report = report_only.snapshot()
    assert (report.enforced, report.stricter) == ("fapi2-server-draft", "fapi2-final")
    assert (report.judged, report.rejected) == (7, 1)
    assert report.would_break == ("old", "array")
    assert counted(report_only) == {
        ("old", "fapi2-final", "reject", "aud_mismatch"): 2,
        ("old", "fapi2-final", "reject", "aud_array"): 1,
        ("array", "fapi2-final", "reject", "aud_array"): 1,
    }
    assert {(count.kind, count.endpoint) for count in report.counts} == {
        ("client_assertion", "token_endpoint")
    }


def test_warnings_are_counted_for_both():
    report_only = beside("camara-final", "ciba-core")
    assert report_only.judge("token_endpoint", ISSUER, "a").outcome == "warn"
    assert report_only.judge("token_endpoint", TOKEN, "b").outcome == "accept"
    assert counted(report_only) == {
        ("a", "camara-final", "warn", "aud_not_recommended"): 1,
        ("b", "ciba-core", "warn", "aud_not_recommended"): 1,
    }
    assert report_only.snapshot().would_break == ()


def test_without_a_stricter_policy_the_warnings_of_the_enforced_one_are_counted():
    report_only = beside("oidc-core")
    for aud in (TOKEN, ISSUER, [ISSUER], "x"):
        report_only.judge("token_endpoint", aud, "a")
    report = report_only.snapshot()
    assert (report.judged, report.rejected, report.stricter) == (4, 1, None)
    assert counted(report_only) == {("a", "oidc-core", "warn", "aud_not_recommended"): 2}


def test_where_the_stricter_policy_has_no_rule_it_says_nothing():
    report_only = beside("camara-interop-text", "camara-strict-v2")
    pushed = "pushed_authorization_request_endpoint"
    assert report_only.judge(pushed, ISSUER, "a")
    assert report_only.judge("token_endpoint", ISSUER, "a")
    assert [count.endpoint for count in report_only.snapshot().counts] == ["token_endpoint"]


def test_request_objects_are_counted_as_such():
    report_only = beside("camara-2026", "camara-strict-v2")
    judge = report_only.at("authorization_endpoint", TokenKind.REQUEST_OBJECT)
    assert judge.judge(ENDPOINTS["authorization_endpoint"], "a").outcome == "accept"
    assert judge.judge(ISSUER, "a").outcome == "warn"
    assert [(count.kind, count.policy, count.outcome) for count in report_only.snapshot().counts] == [
        ("request_object", "camara-2026", "warn"),
        ("request_object", "camara-strict-v2", "reject"),
    ]


auds = st.sampled_from([ISSUER, *ENDPOINTS.values(), "x", None, 5]) | st.lists(
    st.sampled_from([ISSUER, *ENDPOINTS.values(), "x", 5]), max_size=3
)


@pytest.mark.parametrize("enforced", POLICIES)
@given(stricter=st.none() | st.sampled_from(sorted(POLICIES)), asked=st.lists(auds, max_size=8))
def test_the_verdict_is_that_of_the_enforced_policy(enforced, stricter, asked):
    report_only, bound = beside(enforced, stricter), BOUND[enforced]
    for kind in KINDS:
        assert report_only.endpoints(kind) == bound.endpoints(kind)
        for endpoint in bound.endpoints(kind):
            for aud in asked:
                expected = bound.judge(endpoint, aud, kind=kind)
                assert report_only.judge(endpoint, aud, "client-1", kind=kind) is expected
                assert report_only.at(endpoint, kind).judge(aud) is expected


def test_it_stands_wherever_a_bound_policy_does():
    report_only = beside("fapi2-server-draft", "fapi2-final")
    assert isinstance(report_only, BoundAudiencePolicy)
    assert report_only.policy is POLICIES["fapi2-server-draft"]
    assert report_only.issuer == ISSUER
    judge, plain = report_only.at("token_endpoint"), BOUND["fapi2-server-draft"].at("token_endpoint")
    for name in ("endpoint", "accepted", "recommended", "form", "recommended_form"):
        assert getattr(judge, name) == getattr(plain, name)
    with pytest.raises(PolicyError):
        report_only.at("userinfo_endpoint")
    with pytest.raises(AttributeError):
        judge.form = None
    assert "ReportOnly" in repr(report_only)


def test_two_policies_may_be_on_trial():
    inner = beside("fapi2-server-draft", "fapi2-final")
    outer = ReportOnly(inner, BOUND["camara-strict-v2"])
    assert outer.judge("token_endpoint", [ISSUER], "a").outcome == "accept"
    assert inner.snapshot().would_break == outer.snapshot().would_break == ("a",)
    assert outer.snapshot().stricter == "camara-strict-v2"


class TestBounds:
    def test_further_clients_share_one_count(self):
        report_only = beside("oidc-core", "fapi2-final", max_clients=2)
        for client_id in ("a", "b", "c", "d", "a", "c"):
            report_only.judge("token_endpoint", TOKEN, client_id)
        assert counted(report_only) == {
            ("a", "fapi2-final", "reject", "aud_mismatch"): 2,
            ("b", "fapi2-final", "reject", "aud_mismatch"): 1,
            (None, "fapi2-final", "reject", "aud_mismatch"): 3,
        }
        assert report_only.snapshot().would_break == ("a", "b")

    def test_a_client_that_would_not_break_takes_no_place(self):
        report_only = beside("oidc-core", "fapi2-server-draft", max_clients=1)
        for number in range(10):
            report_only.judge("token_endpoint", TOKEN, f"good-{number}")
        report_only.judge("token_endpoint", ISSUER, "warned")
        assert [count.client_id for count in report_only.snapshot().counts] == ["warned"]

    @pytest.mark.parametrize(
        "client_id", [None, 5, b"a", ["a"], "a" * (MAX_REPORTED_CLIENT_ID + 1)], ids=type
    )
    def test_a_client_without_a_short_name_is_one_of_the_others(self, client_id):
        report_only = beside("oidc-core", "fapi2-final", max_clients=1)
        report_only.judge("token_endpoint", TOKEN, client_id)
        report_only.judge("token_endpoint", TOKEN, "a" * MAX_REPORTED_CLIENT_ID)
        assert [count.client_id for count in report_only.snapshot().counts] == [
            None,
            "a" * MAX_REPORTED_CLIENT_ID,
        ]

    @pytest.mark.parametrize("max_clients", [0, -1, MAX_REPORTED_CLIENTS + 1, 1.0, "5", None, True])
    def test_a_bound_that_cannot_be(self, max_clients):
        with pytest.raises(PolicyError, match="max_clients"):
            beside("oidc-core", max_clients=max_clients)

    @pytest.mark.parametrize("max_clients", [1, MAX_REPORTED_CLIENTS])
    def test_a_bound_that_can(self, max_clients):
        assert beside("oidc-core", max_clients=max_clients).judge("token_endpoint", TOKEN)


@pytest.mark.parametrize(
    ("enforced", "stricter"),
    [
        (POLICIES["oidc-core"], None),
        (None, None),
        (BOUND["oidc-core"], POLICIES["fapi2-final"]),
        (BOUND["oidc-core"], "fapi2-final"),
        (
            BOUND["oidc-core"],
            POLICIES["fapi2-final"].bind(issuer="https://other.example.com", endpoints=ENDPOINTS),
        ),
        (
            POLICIES["oidc-core"].bind(issuer=ISSUER, endpoints={"token_endpoint": TOKEN}),
            POLICIES["fapi2-final"].bind(
                issuer=ISSUER, endpoints={"revocation_endpoint": f"{ISSUER}/revoke"}
            ),
        ),
    ],
)
def test_policies_that_do_not_fit(enforced, stricter):
    with pytest.raises(PolicyError):
        ReportOnly(enforced, stricter)


def test_reset_returns_what_it_forgets():
    report_only = beside("oidc-core", "fapi2-final")
    report_only.judge("token_endpoint", TOKEN, "a")
    before = report_only.snapshot()
    assert report_only.reset() == before
    assert report_only.snapshot().counts == ()
    assert report_only.snapshot().judged == 0
    report_only.judge("token_endpoint", TOKEN, "b")
    assert report_only.snapshot().would_break == ("b",)
    assert before.would_break == ("a",)


def test_a_report_is_plain_data():
    report_only = beside("oidc-core", "fapi2-final")
    report_only.judge("token_endpoint", TOKEN, "a")
    assert json.loads(json.dumps(report_only.snapshot().to_mapping())) == {
        "enforced": "oidc-core",
        "stricter": "fapi2-final",
        "judged": 1,
        "rejected": 0,
        "counts": [
            {
                "client_id": "a",
                "policy": "fapi2-final",
                "kind": "client_assertion",
                "endpoint": "token_endpoint",
                "outcome": "reject",
                "code": "aud_mismatch",
                "count": 1,
            }
        ],
    }


def test_no_count_is_lost_between_threads():
    report_only = beside("oidc-core", "fapi2-final", max_clients=3)
    judge, taken = report_only.at("token_endpoint"), []

    def work(number: int) -> None:
        for turn in range(500):
            judge.judge(TOKEN, f"client-{(number + turn) % 5}")
            judge.judge("x", "nobody")
            if turn % 100 == 0:
                taken.append(report_only.reset())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.append(report_only.reset())
    assert sum(report.judged for report in taken) == 4000
    assert sum(report.rejected for report in taken) == 2000
    assert sum(count.count for report in taken for count in report.counts) == 2000
    assert all(len({count.client_id for count in report.counts}) <= 4 for report in taken)
