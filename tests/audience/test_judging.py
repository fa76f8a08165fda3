"""One ``aud`` against one rule, whatever JSON it is."""

from __future__ import annotations

import dataclasses
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybound import Reason
from keybound._hotpath.contract import AudienceForm
from keybound.audience import FORMS, POLICIES, AudienceRule
from keybound.audience.judging import ACCEPTED
from keybound.frozen import freeze

ISSUER = "https://as.example.com"
ENDPOINTS = {
    "token_endpoint": f"{ISSUER}/token",
    "backchannel_authentication_endpoint": f"{ISSUER}/bc",
    "authorization_endpoint": f"{ISSUER}/authorize",
    "pushed_authorization_request_endpoint": f"{ISSUER}/par",
}
JUDGES = {name: policy.bind(issuer=ISSUER, endpoints=ENDPOINTS) for name, policy in POLICIES.items()}

known = st.sampled_from([ISSUER, *ENDPOINTS.values()])
texts = known | st.text() | st.builds(str.__add__, known, st.sampled_from(["", "/", " ", "\ud800"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def at(name: str, endpoint: str = "token_endpoint"):
    return JUDGES[name].at(endpoint)


@pytest.mark.parametrize("name", POLICIES)
@given(aud=json_values)
def test_no_json_value_raises_and_only_named_urls_are_accepted(name, aud):
    bound = JUDGES[name]
    for kind in ("client_assertion", "request_object"):
        for endpoint in bound.endpoints(kind):
            judge = bound.at(endpoint, kind)
            verdict = judge.judge(aud)
            assert bound.judge(endpoint, aud, kind=kind) is verdict
            assert judge.judge(freeze(aud)) is verdict
            members = [aud] if isinstance(aud, str) else aud if isinstance(aud, list) else []
            named = any(type(member) is str and member in judge.accepted for member in members)
            sound = bool(members) and all(type(member) is str for member in members)
            wide = judge.form is AudienceForm.ANY or (judge.form is AudienceForm.SOLE and len(members) == 1)
            fits = isinstance(aud, str) or wide
            assert bool(verdict) == (named and sound and fits)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize(
    ("aud", "reason"),
    [
        (None, Reason.AUD_MISSING),
        ([], Reason.AUD_INVALID),
        ({}, Reason.AUD_INVALID),
        ({ISSUER: ISSUER}, Reason.AUD_INVALID),
        (True, Reason.AUD_INVALID),
        (1, Reason.AUD_INVALID),
        (1.5, Reason.AUD_INVALID),
        (ISSUER.encode(), Reason.AUD_INVALID),
        ((ISSUER,), Reason.AUD_INVALID),
        ([ISSUER, None], Reason.AUD_INVALID),
        ([ISSUER, ENDPOINTS["token_endpoint"], 1], Reason.AUD_INVALID),
        ([[ISSUER]], Reason.AUD_INVALID),
        ([{}], Reason.AUD_INVALID),
        ("", Reason.AUD_MISMATCH),
    ],
    ids=str,
)
def test_what_no_policy_accepts(name, aud, reason):
    verdict = at(name).judge(aud)
    assert verdict.outcome == "reject"
    assert verdict.reason is reason
    assert verdict.code == reason.code
    assert not verdict


@pytest.mark.parametrize(
    ("name", "aud", "code"),
    [
        ("fapi2-final", [ISSUER], "aud_array"),
        ("fapi2-final", ["x", "y"], "aud_array"),
        ("rfc7523bis", [ISSUER], "ok"),
        ("rfc7523bis", ["x"], "aud_mismatch"),
        ("rfc7523bis", [ISSUER, "x"], "aud_not_sole"),
        ("rfc7523bis", [ISSUER, ISSUER], "aud_not_sole"),
        ("fapi2-client", ISSUER, "ok"),
        ("fapi2-client", [ISSUER], "aud_array_not_recommended"),
        ("fapi2-client", ["x", ISSUER], "aud_array_not_recommended"),
        ("fapi2-client", ["x"], "aud_mismatch"),
        ("ciba-core", [ENDPOINTS["token_endpoint"]], "aud_not_recommended"),
        ("ciba-core", [ENDPOINTS["token_endpoint"], ISSUER], "ok"),
        ("ciba-core", [ISSUER, ENDPOINTS["token_endpoint"]], "ok"),
        ("ciba-core", ["x", ENDPOINTS["token_endpoint"], "x"], "aud_not_recommended"),
    ],
)
def test_forms(name, aud, code):
    assert at(name).judge(aud).code == code


def test_forms_are_those_that_the_hot_path_knows():
    assert sorted(FORMS) == sorted(form.name.lower() for form in AudienceForm)
    assert [at(name).form.name for name in ("oidc-core", "rfc7523bis", "fapi2-final")] == [
        "ANY",
        "SOLE",
        "STRING",
    ]


def test_what_is_not_recommended_matters_more_than_its_form(server):
    rule = AudienceRule(
        at="token_endpoint", accept=("issuer", "token_endpoint"), recommend=("issuer",), recommend_form="sole"
    )
    policy = dataclasses.replace(POLICIES["oidc-core"], client_assertion=(rule,))
    judge = policy.bind(issuer=ISSUER, endpoints=ENDPOINTS).at("token_endpoint")
    assert judge.judge([ISSUER]).code == "ok"
    assert judge.judge([ISSUER, "x"]).code == "aud_array_not_recommended"
    assert judge.judge([ENDPOINTS["token_endpoint"], "x"]).code == "aud_not_recommended"


def test_a_text_that_is_not_plain_is_not_looked_up():
    class Text(str):
        def __hash__(self):
            raise AssertionError("asked for its hash")

    assert at("oidc-core").judge(Text(ISSUER)).reason is Reason.AUD_INVALID
    assert at("oidc-core").judge([Text(ISSUER)]).reason is Reason.AUD_INVALID


def test_a_hundred_thousand_members_are_looked_at_once():
    array = ["x"] * 100_000
    assert at("oidc-core").judge([*array, ISSUER]).outcome == "warn"
    assert at("oidc-core").judge([*array, 1]).reason is Reason.AUD_INVALID
    assert at("fapi2-final").judge(array).reason is Reason.AUD_ARRAY


def test_judges_and_verdicts_cannot_be_changed():
    judge = at("fapi2-final")
    for thing, name in (
        (judge, "form"),
        (judge, "_verdicts"),
        (ACCEPTED, "outcome"),
        (JUDGES["oidc-core"], "policy"),
    ):
        with pytest.raises(AttributeError):
            setattr(thing, name, "any")


def test_a_verdict_shows_what_it_is():
    assert "aud_array" in repr(at("fapi2-final").judge([ISSUER]))
    assert "fapi2-final" in repr(JUDGES["fapi2-final"])


def test_one_judge_serves_all_threads():
    judge, seen = at("ciba-core"), []

    def work():
        for _ in range(500):
            seen.append((judge.judge(ISSUER).outcome, judge.judge([ENDPOINTS["token_endpoint"]]).outcome))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [("accept", "warn")] * 2000
