"""The demo as users run it, and that it notices when something is not as it should be."""

from __future__ import annotations

import json
import socket

import pytest

import keybound
from keybound.cli.demo import cases, throughput
from keybound.cli.demo.resource import Answer, call
from keybound.errors import Reason
from keybound.testing import ALGORITHMS, CertificateAuthority

EXPECTED = [
    (200, "ok"),
    (401, "certificate_mismatch"),
    (401, "certificate_missing"),
    (401, "token_expired"),
    (401, "aud_mismatch"),
    (401, "signature_invalid"),
    (401, "alg_not_allowed"),
    (401, "key_unknown"),
    (401, "crit_unsupported"),
]


@pytest.fixture
def one_short_slice(monkeypatch):
    """Measure as little as can be measured."""
    monkeypatch.setattr(throughput, "SLICES", 1)
    monkeypatch.setattr(throughput, "SLICE_SECONDS", 0)


def test_demo_in_a_process_of_its_own(start):
    done = start("-m", "keybound", "demo", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    document = json.loads(done.stdout)
    assert document["as_expected"] is True
    outcomes = document["outcomes"]
    assert [(outcome["status"], outcome["reason"]) for outcome in outcomes] == EXPECTED
    for outcome in outcomes:
        assert outcome["as_expected"] is True
        if outcome["status"] == 200:
            assert outcome["challenge"] is None
        else:
            description = Reason[outcome["reason"].upper()].description
            wanted = f'Bearer error="invalid_token", error_description="{description}"'
            assert outcome["challenge"] == wanted
    facts = keybound.about()
    assert (document["backend"], document["crypto"]) == (facts["backend"], facts["crypto"])
    assert sorted(row["alg"] for row in document["throughput"]) == sorted(ALGORITHMS)
    assert document["repeated_validations_per_second"] > 0
    for row in document["throughput"]:
        assert row["validations_per_second"] * row["microseconds"] == pytest.approx(1e6, rel=0.01)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_the_table_measures_verification_and_not_the_cache(one_short_slice, alg):
    traffic = throughput.Traffic(alg, cache=None)
    assert traffic.per_second() > 0
    assert traffic.validator.stats()["cache"] == {}


def test_repetition_measures_the_cache_and_nothing_else(one_short_slice):
    traffic = throughput.Traffic("ES256", cache=keybound.CacheSettings())
    assert traffic.per_second() > 0
    counters = traffic.validator.stats()["cache"]
    assert counters["hits"] == counters["misses"] > 0


def test_every_algorithm_is_measured_without_the_cache(one_short_slice, monkeypatch):
    caches = []
    genuine = throughput.Traffic

    def watched(alg, *, cache):
        caches.append(cache)
        return genuine(alg, cache=cache)

    monkeypatch.setattr(throughput, "Traffic", watched)
    assert [row.alg for row in throughput.measure_all()] == list(keybound.about()["algorithms"])
    assert caches == [None] * len(ALGORITHMS)


@pytest.mark.usefixtures("one_short_slice")
def test_tables_for_people(shell):
    result = shell.run("demo")
    assert result.exit_code == 0
    assert "9 of 9 outcomes are the expected ones." in result.output
    for status, reason in EXPECTED:
        assert any(f" {status} " in line and reason in line for line in result.output.splitlines())
    assert 'error_description="The token is bound to another certificate"' in result.output
    assert all(f" {name} " in result.output for name in ALGORITHMS)


@pytest.mark.usefixtures("one_short_slice")
def test_an_unexpected_outcome_is_shown_and_fails(shell, monkeypatch):
    genuine = cases._cases

    def with_a_wrong_expectation(*parties):
        good, *others = genuine(*parties)
        return [cases.Case(good.name, good.token, good.context, Reason.TOKEN_EXPIRED), *others]

    monkeypatch.setattr(cases, "_cases", with_a_wrong_expectation)
    result = shell.run("demo")
    assert result.exit_code == 1
    assert "8 of 9 outcomes are the expected ones." in result.output
    assert "ok (expected token_expired)" in result.output
    status, document = shell.json("demo")
    assert status == 1
    assert document["as_expected"] is False
    assert [outcome["as_expected"] for outcome in document["outcomes"]] == [False] + [True] * 8


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "token_expired", None),
        Answer(401, "token_expired", None),
        Answer(401, "token_expired", "Bearer"),
        Answer(
            401, "aud_mismatch", 'Bearer error="invalid_token", error_description="The token has expired"'
        ),
        Answer(None, None, None),
    ],
)
def test_status_reason_and_challenge_all_count(answer):
    case = cases.Case("expired", "", CertificateAuthority().client_context(), Reason.TOKEN_EXPIRED)
    assert not cases.Outcome(case, answer).as_expected


def test_a_server_that_is_gone_is_no_answer(deaf_port):
    context = CertificateAuthority().client_context()
    assert call(deaf_port, context, "") == Answer(None, None, None)


@pytest.fixture
def deaf_port():
    """A port that is bound but not listening, so that nobody else can answer on it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
