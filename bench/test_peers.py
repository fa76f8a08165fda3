"""Every adapter gives right verdicts, and what the table says a library lacks it does lack."""

from __future__ import annotations

import dataclasses
import functools

import pytest
from cases import BAD_BINDING, BAD_CLAIMS, BAD_SIGNATURES, Case, make_case
from peers import PEERS, Peer
from run import ALGORITHMS, markdown
from worker import problems, ready

IN_THIS_PROCESS = [peer for peer in PEERS.values() if not peer.environment]


@functools.cache
def case_of(algorithm: str) -> Case:
    return make_case(algorithm)


@pytest.mark.filterwarnings("ignore::UserWarning")  # joserfc on EdDSA
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "Ed25519"])
@pytest.mark.parametrize("peer", IN_THIS_PROCESS, ids=lambda peer: peer.name)
def test_peer_is_right(peer: Peer, algorithm: str) -> None:
    state, validator = ready(dataclasses.replace(peer, lacks=frozenset()), case_of(algorithm))
    if state["state"] == "not installed":
        pytest.skip(state["problem"])
    expected = "wrong" if algorithm in peer.lacks else "ready"
    assert state["state"] == expected, state
    assert (validator is None) == (algorithm in peer.lacks)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "Ed25519", "Ed448"])
@pytest.mark.parametrize("name", ["keybound", "keybound-unread", "primitive"])
def test_keybound_is_right(name: str, algorithm: str) -> None:
    state, _ = ready(PEERS[name], case_of(algorithm))
    assert state == {"state": "ready"}


def test_every_bad_token_has_its_check() -> None:
    assert set(case_of("ES256").bad) == BAD_SIGNATURES | BAD_CLAIMS | BAD_BINDING


def test_wrong_verdicts_are_found() -> None:
    case = case_of("ES256")
    peer = PEERS["keybound"]
    validator = peer.prepare(case)
    claims = case.good[0][1]
    accepts_all = validator._replace(validate=lambda token: claims)
    rejects_all = validator._replace(validate=lambda token: validator.validate(case.bad["expired"]))
    assert list(problems(peer, validator, case)) == []
    assert list(problems(peer, accepts_all, case)) == ["returns wrong claims"]
    assert next(problems(peer, rejects_all, case)).startswith("rejects a good token: ")
    one_good = dataclasses.replace(case, good=case.good[:1])
    assert list(problems(peer, accepts_all, one_good)) == [
        f"accepts a token: {name}" for name in sorted(case.bad)
    ]


def test_report_names_losses_and_wrong_verdicts() -> None:
    rows = {
        "keybound": {"state": "ready", "best": 2000.0, "median": 2100.0},
        "ryjwt": {"state": "ready", "best": 1000.0, "median": 1100.0},
        "oxyjwt": {"state": "unsupported"},
        "pyjwt": {"state": "wrong", "problem": "accepts a token: expired"},
    }
    report = {
        "date": "",
        "machine": "",
        "python": "",
        "rounds": 1,
        "versions": {},
        "results": {"ES256": rows},
    }
    text = markdown(report)
    assert "| ES256 | 2.00 | 0.50 | - | WRONG |" in text
    assert "ES256: ryjwt is faster, Keybound takes 2.00 times as long" in text
    assert "ES256: pyjwt was not timed: accepts a token: expired" in text
