"""The comparison of kinds runs, and every token in it is accepted."""

from __future__ import annotations

from itertools import count

import kinds
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import keybound
from keybound.testing import FakeClient


def test_the_table_has_every_kind() -> None:
    head, _, row = kinds.table(["HS256"], rounds=1).splitlines()
    titles, cells = ([cell.strip() for cell in line.split("|")[1:-1]] for line in (head, row))
    assert [title for title in titles[1:] if title != "more"] == list(kinds.CONTESTANTS)
    assert len(cells) == len(titles)
    assert all(
        float(cell) > 0 for title, cell in zip(titles, cells, strict=True) if title in kinds.CONTESTANTS
    )


def test_an_assertion_is_good_once_in_a_lap() -> None:
    contestant = kinds.client_assertion("HS256")
    contestant.lap()
    with pytest.raises(keybound.ContextRejected):
        contestant.work(contestant.tokens[0])
    contestant.lap()


@pytest.mark.parametrize("algorithm", ["HS256", "PS256", "ES256"])
def test_client_assertion(benchmark: BenchmarkFixture, algorithm: str) -> None:
    """Signed ahead, as each is good once."""
    contestant = kinds.client_assertion(algorithm)
    numbers = count()

    def fresh() -> tuple[tuple[str], dict[str, str]]:
        number = next(numbers) % len(contestant.tokens)
        if number == 0:
            contestant.renew()
        return (contestant.tokens[number],), {}

    client_id = benchmark.pedantic(contestant.work, setup=fresh, rounds=1000)  # type: ignore[no-untyped-call]
    assert client_id == FakeClient().client_id


@pytest.mark.parametrize("algorithm", ["PS256", "ES256"])
def test_request_object(benchmark: BenchmarkFixture, algorithm: str) -> None:
    contestant = kinds.request_object(algorithm)
    assert benchmark(contestant.work, contestant.tokens[0])["scope"] == "openid"
