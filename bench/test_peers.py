"""Every adapter gives right verdicts, and what the table says a library lacks it does lack."""

from __future__ import annotations

import dataclasses
import functools

import pytest
from cases import BAD_BINDING, BAD_CLAIMS, BAD_SIGNATURES, Case, make_case
from peers import PEERS, Peer
from run import ALGORITHMS, SIZES
from worker import Crowd, problems, ready, stopwatch_of

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
@pytest.mark.parametrize(
    "name", ["keybound", "keybound-claims", "keybound-again", "keybound-miss", "primitive", "json"]
)
def test_keybound_is_right(name: str, algorithm: str) -> None:
    state, _ = ready(PEERS[name], case_of(algorithm))
    assert state == {"state": "ready"}


def test_every_bad_token_has_its_check() -> None:
    assert set(case_of("ES256").bad) == BAD_SIGNATURES | BAD_CLAIMS | BAD_BINDING


def test_wrong_verdicts_are_found() -> None:
    case = case_of("ES256")
    peer = PEERS["keybound-claims"]
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


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # authlib, of itself
@pytest.mark.parametrize(
    "peer",
    [peer for peer in PEERS.values() if peer.sets and not peer.environment],
    ids=lambda peer: peer.name,
)
def test_peer_finds_the_key_in_a_set(peer: Peer) -> None:
    state, _ = ready(peer, make_case("ES256", keys=3, every_key_signs=True))
    if state["state"] == "not installed":
        pytest.skip(state["problem"])
    assert state == {"state": "ready"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES512"])
def test_tokens_have_the_size_they_are_made_for(algorithm: str, size: int) -> None:
    case = make_case(algorithm, size=size, pool=3)
    assert {len(token) for token, _ in case.good} <= set(range(size - 4, size + 1))
    assert len(dict(case.good)) == 3
    state, _ = ready(PEERS["keybound"], case)
    assert state == {"state": "ready"}


@pytest.mark.parametrize("kind", ["new", "again", "batch"])
def test_every_kind_of_work_is_timed(kind: str) -> None:
    case = case_of("HS256")
    validator = PEERS["keybound-again"].prepare(case)
    assert min(stopwatch_of(validator, case, kind).turn(1)) > 0
    assert all(Crowd(validator, case, kind).turn(threads) > 0 for threads in (1, 2))


@pytest.mark.parametrize(("name", "hits"), [("keybound", None), ("keybound-again", 1), ("keybound-miss", 0)])
def test_only_a_peer_with_a_cache_remembers(name: str, hits: int | None) -> None:
    case = case_of("ES256")
    validator = PEERS[name].prepare(case)
    for number in (0, 1, 2, 0):
        assert validator.validate(case.good[number][0]).claims == case.good[number][1]
    assert validator.cache().get("hits") == hits
