"""Policies of an operator's own: from TOML, JSON and mappings, and back."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybound import AudiencePolicy, KeyboundError, PolicyError
from keybound.audience import POLICIES, AudienceRule

TOML = """
name = "bank"
source = "Security handbook, 4.2"
note = "Until all partners have moved."
aliases = true

[client_assertion.token_endpoint]
accept = ["issuer", "token_endpoint"]
recommend = ["issuer"]
form = "sole"

[client_assertion.any_endpoint]
accept = ["issuer"]
recommend_form = "string"

[request_object.authorization_endpoint]
accept = ["issuer", "this_endpoint"]
"""
POLICY = AudiencePolicy(
    name="bank",
    source="Security handbook, 4.2",
    note="Until all partners have moved.",
    aliases=True,
    client_assertion=(
        AudienceRule(
            at="token_endpoint", accept=("issuer", "token_endpoint"), recommend=("issuer",), form="sole"
        ),
        AudienceRule(at="any_endpoint", accept=("issuer",), recommend_form="string"),
    ),
    request_object=(AudienceRule(at="authorization_endpoint", accept=("issuer", "this_endpoint")),),
)
MEMBERS = POLICY.to_mapping()
RULE = {"accept": ["issuer"]}


def test_a_policy_from_toml():
    """S002-14"""
    assert AudiencePolicy.from_toml(TOML) == AudiencePolicy.from_toml(TOML.encode()) == POLICY


@pytest.mark.parametrize("policy", [POLICY, *POLICIES.values()], ids=lambda policy: policy.name)
def test_a_policy_survives_being_written(policy):
    """S002-14"""
    members = policy.to_mapping()
    assert AudiencePolicy.from_mapping(members) == policy
    assert AudiencePolicy.from_json(json.dumps(members)) == policy
    assert AudiencePolicy.from_json(json.dumps(members).encode()) == policy
    for again in (pickle.loads(pickle.dumps(policy)), copy.deepcopy(policy), dataclasses.replace(policy)):
        assert again == policy
        assert hash(again) == hash(policy)


def test_a_policy_cannot_be_changed():
    for thing, name in ((POLICY, "aliases"), (POLICY.client_assertion[0], "form")):
        with pytest.raises(AttributeError):
            setattr(thing, name, "any")
    with pytest.raises(TypeError):
        POLICIES["mine"] = POLICY


def test_a_list_will_do_for_a_tuple():
    rule = AudienceRule(at="token_endpoint", accept=["issuer", "issuer"])
    assert rule.accept == ("issuer",)
    assert AudiencePolicy(name="a", source="b", client_assertion=[rule]).client_assertion == (rule,)


def test_request_objects_are_for_the_issuer_when_nothing_is_said():
    """S002-12"""
    policy = AudiencePolicy.from_mapping({"name": "a", "source": "b"})
    assert policy.request_object == (AudienceRule(at="any_endpoint", accept=("issuer",)),)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "Bank"},
        {"name": "a b"},
        {"name": "a--b"},
        {"name": "\x1b[31m"},
        {"name": None},
        {"source": ""},
        {"source": 5},
        {"note": None},
        {"obliges": "both"},
        {"obliges": []},
        {"aliases": "false"},
        {"aliases": 1},
        {"alias": True},
        {5: 5},
        {"client_assertion": None},
        {"client_assertion": []},
        {"client_assertion": {"token": RULE}},
        {"client_assertion": {"this_endpoint": RULE}},
        {"client_assertion": {5: RULE}},
        {"client_assertion": {"token_endpoint": None}},
        {"client_assertion": {"token_endpoint": []}},
        {"client_assertion": {"token_endpoint": {}}},
        {"client_assertion": {"token_endpoint": {"form": "any"}}},
        {"client_assertion": {"token_endpoint": {"accept": []}}},
        {"client_assertion": {"token_endpoint": {"accept": None}}},
        {"client_assertion": {"token_endpoint": {"accept": [5]}}},
        {"client_assertion": {"token_endpoint": {"accept": ["https://as.example.com"]}}},
        {"client_assertion": {"token_endpoint": {"accept": ["client"]}}},
        {"client_assertion": {"token_endpoint": RULE | {"recommend": ["token_endpoint"]}}},
        {"client_assertion": {"token_endpoint": RULE | {"recommend": 5}}},
        {"client_assertion": {"token_endpoint": RULE | {"form": "array"}}},
        {"client_assertion": {"token_endpoint": RULE | {"form": None}}},
        {"client_assertion": {"token_endpoint": RULE | {"form": ["any"]}}},
        {"client_assertion": {"token_endpoint": RULE | {"form": "string", "recommend_form": "any"}}},
        {"client_assertion": {"token_endpoint": RULE | {"form": "sole", "recommend_form": "any"}}},
        {"client_assertion": {"token_endpoint": RULE | {"recommend_form": "x"}}},
        {"client_assertion": {"token_endpoint": RULE | {"reject": ["token_endpoint"]}}},
        {"client_assertion": {"token_endpoint": RULE | {"at": "token_endpoint"}}},
        {"request_object": {"authorization_endpoint": 5}},
    ],
    ids=str,
)
def test_a_policy_that_cannot_be(changes):
    with pytest.raises(PolicyError):
        AudiencePolicy.from_mapping(MEMBERS | changes)


@pytest.mark.parametrize("missing", ["name", "source"])
def test_a_member_that_is_missing(missing):
    members = {name: value for name, value in MEMBERS.items() if name != missing}
    with pytest.raises(PolicyError, match=missing):
        AudiencePolicy.from_mapping(members)


def test_two_rules_for_one_endpoint():
    rule = AudienceRule(at="token_endpoint", accept=("issuer",))
    with pytest.raises(PolicyError, match="two rules"):
        AudiencePolicy(name="a", source="b", client_assertion=(rule, rule))
    for rules in (5, (5,), ({"at": "token_endpoint"},)):
        with pytest.raises(PolicyError, match="AudienceRule"):
            AudiencePolicy(name="a", source="b", client_assertion=rules)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "name = ",
        'name = "a"\nname = "b"',
        'name = "bank"\nsource = "x"\n[client_assertion]\ntoken_endpoint = 5',
        "a = " + "[" * 5000,
        b"\xff",
        None,
        5,
        ["name"],
    ],
    ids=lambda document: str(document)[:30],
)
def test_what_is_not_a_policy_in_toml(document):
    with pytest.raises(PolicyError):
        AudiencePolicy.from_toml(document)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[]",
        "null",
        '{"name":"a","name":"b","source":"c"}',
        '{"name":"a","source":"b","aliases":NaN}',
        "[" * 5000,
        "\ud800",
        b"\xff",
        None,
        5,
    ],
    ids=lambda document: str(document)[:30].encode("ascii", "replace").decode(),
)
def test_what_is_not_a_policy_in_json(document):
    with pytest.raises(PolicyError):
        AudiencePolicy.from_json(document)


def test_a_mistake_in_toml_is_told_by_its_place_alone():
    with pytest.raises(PolicyError) as caught:
        AudiencePolicy.from_toml('name = "bank"\nsecret = hunter2')
    assert "at line 2, column 10" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@given(text=st.text() | st.binary())
def test_no_document_raises_anything_else(text):
    for load in (AudiencePolicy.from_toml, AudiencePolicy.from_json):
        with pytest.raises(KeyboundError):
            load(text)


values = st.sampled_from(["issuer", "this_endpoint", "any_endpoint", "token_endpoint", "x", "", None, 5, []])
rules = st.fixed_dictionaries(
    {},
    optional={
        "accept": st.lists(values, max_size=3) | values,
        "recommend": st.lists(values, max_size=2) | values,
        "form": st.sampled_from(["any", "sole", "string", "x", None]),
        "recommend_form": st.sampled_from(["any", "sole", "string", "x", None]),
    },
)


@given(
    members=st.fixed_dictionaries(
        {"name": st.just("a"), "source": st.just("b")},
        optional={
            kind: st.dictionaries(st.sampled_from(["token_endpoint", "any_endpoint", "x", 5]), rules | values)
            for kind in ("client_assertion", "request_object")
        },
    )
)
def test_every_mapping_is_a_policy_or_a_policy_error(members):
    try:
        policy = AudiencePolicy.from_mapping(members)
    except PolicyError:
        return
    assert AudiencePolicy.from_mapping(policy.to_mapping()) == policy
    assert policy.name in str(policy)
