"""What ``keybound bench`` measures, and the stopwatch that it measures with."""

from __future__ import annotations

import gc
import json

import pytest

import keybound
import keybound.testing
from keybound.cli.stopwatch import BATCHES_PER_TURN, Stopwatch
from keybound.cli.trials import KINDS, make_trial
from keybound.errors import Reason, TokenRejected
from keybound.jose.algorithms import ALGORITHMS


# In processes of their own: before each batch garbage is collected, which takes long beside the rest of
# the tests.
def test_json_has_every_time(start):
    done = start("-m", "keybound", "bench", "--alg", "ES256", "--alg", "HS256", "--rounds", "1", "--json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    facts = keybound.about()
    assert {name: document[name] for name in ("version", "backend", "python", "platform")} == {
        name: facts[name] for name in ("version", "backend", "python", "platform")
    }
    assert document["batches"] == BATCHES_PER_TURN
    assert [(row["alg"], row["key"]) for row in document["algorithms"]] == [
        ("ES256", "P-256"),
        ("HS256", "256 bits"),
    ]
    for row in document["algorithms"]:
        assert list(row["microseconds"]) == list(KINDS)
        assert all(time > 0 for time in row["microseconds"].values())
        assert row["bound_per_second"] * row["microseconds"]["bound"] == pytest.approx(1e6, rel=0.01)
        assert row["library"] == facts["algorithms"][row["alg"]]
        assert row["token_bytes"] > 400


def test_table_for_people_has_every_algorithm(start):
    done = start("-m", "keybound", "bench", "--rounds", "1")
    assert done.returncode == 0
    text = done.stdout.decode()
    rows = [line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│")]
    assert [row for row in rows if row] == ["alg", *ALGORITHMS]
    assert "processor time" in text


def test_progress_is_for_terminals_alone(start):
    done = start("-m", "keybound", "bench", "--alg", "HS256", "--rounds", "1", "--json")
    assert done.returncode == 0
    assert done.stderr == b""


@pytest.mark.parametrize("wrong", [["--alg", "none"], ["--alg", "es256"], ["--rounds", "0"]])
def test_wrong_calls(shell, wrong):
    assert shell.json("bench", *wrong)[0] == 2


@pytest.mark.parametrize("alg", ["HS256", "EdDSA"])
def test_what_is_measured_is_accepted_and_only_the_last_kind_is_remembered(alg):
    trial = make_trial(alg)
    trial.take_turn()
    assert list(trial.samples) == list(trial.stopwatches) == list(KINDS)
    assert all(len(samples) == BATCHES_PER_TURN for samples in trial.samples.values())
    assert all(trial.microseconds(kind) == min(trial.samples[kind]) / 1000 for kind in KINDS)


def test_an_input_that_fails_ends_the_measurement():
    issuer = keybound.testing.FakeIssuer()
    validator = keybound.AccessTokenValidator(
        issuer=issuer.issuer,
        audience="a",
        keys=keybound.JWKSet.from_json(issuer.jwks()),
        algorithms=["ES256"],
    )
    with pytest.raises(TokenRejected) as caught:
        Stopwatch(validator.validate, [issuer.access_token(audience="b")])
    assert caught.value.reason is Reason.AUD_MISMATCH


def test_every_input_has_its_turn():
    seen = []
    stopwatch = Stopwatch(seen.append, ["a", "b", "c"])
    seen.clear()
    times = stopwatch.turn(2)
    assert len(times) == 2
    assert min(times) > 0
    assert set(seen) == {"a", "b", "c"}
    seen.clear()
    assert stopwatch.full_pass() > 0
    assert seen == ["a", "b", "c"]


def test_copies_are_equal_and_never_the_same_object():
    text = "a text of some length"
    seen = []
    stopwatch = Stopwatch(seen.append, [text], copies=True)
    stopwatch.turn(1)
    assert set(seen) == {text}
    timed = seen[-100:]
    assert len({id(copy) for copy in timed}) == 100
    assert not any(copy is text for copy in timed)


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_collection_is_left_as_it_was(collecting):
    before = gc.isenabled()
    states = []
    try:
        (gc.enable if collecting else gc.disable)()
        stopwatch = Stopwatch(lambda _: states.append(gc.isenabled()), [1])
        states.clear()
        assert stopwatch.full_pass() > 0
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()
    assert states == [False]
