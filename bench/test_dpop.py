"""The benchmark of DPoP: good requests pass, bad ones do not, and keys are as new as is claimed."""

from __future__ import annotations

import dpop
import pytest

import keybound
from keybound.testing import SigningKey


def test_requests_are_good_and_new() -> None:
    bench = dpop.Bench()
    variants = bench.variants()
    strangers, _ = variants["new key"]
    regulars, _ = variants["known key"]
    assert len({bench.proof(bench.proofs, request).thumbprint for request in strangers}) == dpop.BATCH
    assert {bench.proof(bench.proofs, request).thumbprint for request in regulars} == {
        bench.regular.thumbprint
    }
    for name in dpop.NAMES[1:]:
        batch, work = bench.variants()[name]
        assert all(isinstance(work(request), keybound.AccessToken) for request in batch)


def test_bad_requests_are_rejected() -> None:
    bench = dpop.Bench()
    one, other = bench.requests([SigningKey.generate("ES256") for _ in range(2)])
    work = bench.both(bench.storing)
    for bad in (
        one._replace(proof=other.proof),
        one._replace(token=other.token),
        one._replace(proof=one.proof[:-4] + "AAAA"),
    ):
        with pytest.raises(keybound.TokenRejected):
            work(bad)
    work(one)
    with pytest.raises(keybound.ContextRejected):
        work(one)
    with pytest.raises(ValueError, match="does not verify"):
        dpop._verify(one._replace(data=other.data))


def test_the_table_has_every_variant() -> None:
    best = dpop.measure(1)
    assert tuple(best) == dpop.NAMES
    assert all(value > 0 for value in best.values())
    assert len(dpop.table(best).splitlines()) == len(dpop.NAMES) + 3
