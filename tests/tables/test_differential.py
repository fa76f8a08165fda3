"""The short form of differential.py; `bash .ci/run tables` runs the long one."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from differential import ALGORITHMS, KINDS, Case, Disagreement, Pair, flipped, run

import keybound
from keybound._hotpath.contract import Kind
from keybound.jose.algorithms import ALGORITHMS as ALGORITHMS_OF
from keybound.testing import SigningKey

pytestmark = pytest.mark.usefixtures("native")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tables_and_library_agree(algorithm: str) -> None:
    counts = run(algorithm, 2_500, os.urandom(8).hex())
    assert counts["cases"] == 2_500
    assert 250 < counts["good"] < 2_250
    # Equal and opposite operands were met, on each curve where the formulas have such exceptions.
    assert (counts["undecided"] > 20) == (algorithm in KINDS)


@pytest.mark.parametrize("algorithm", KINDS)
def test_groups_have_the_verdicts_of_single_signatures(native: Any, algorithm: str) -> None:
    """One inversion for all of them: a bad one spoils no other, wherever it stands."""
    native.configure_tables(1 << 30, 1)
    rng = random.Random(os.urandom(8))
    row, signer = ALGORITHMS_OF[algorithm], SigningKey.generate(algorithm)
    jwk = keybound.JWK.from_json(signer.verification_jwk())
    pair = Pair(jwk._kind, *jwk._material)
    signed = [(data, signer.sign(data)) for data in (rng.randbytes(8) for _ in range(64))]
    half = len(signed[0][1]) // 2
    for count in (0, 1, 2, 3, 17, 63, 64):
        group = []
        for data, good in rng.sample(signed, count):
            wrong = [
                flipped(rng, good),
                bytes(2 * half),
                good[:half] + bytes(half),
                bytes(half) + good[half:],
            ]
            wrong += [good[:-1], good + b"\0", b"", b"\xff" * 2 * half, good[half:] + good[:half]]
            group.append((data, rng.choice([good] * 6 + wrong)))
        expected = [pair.native.verify(pair.by_library, row.family, row.bits, *item) for item in group]
        for _ in range(2):
            assert native._verify_group(pair.by_table, row.family, row.bits, group) == expected
        assert native._verify_group(pair.by_table, row.family, 224, group) == [False] * count
    assert native._has_table(pair.by_table)


def test_a_disagreement_is_seen(native: Any) -> None:
    native.configure_tables(1 << 30, 1)
    key = Pair(Kind.ED25519, b"\x58" + b"\x66" * 31)
    good = Case("nothing signed", key, b"", bytes(64), False)
    assert not key.judge("Ed25519", good)
    with pytest.raises(Disagreement, match=r"construction say \(False, False, True\)"):
        key.judge("Ed25519", Case("nothing signed", key, b"", bytes(64), True))
    key.tabled = False
    with pytest.raises(Disagreement, match=r"tables are \(True, False\)"):
        key.judge("Ed25519", good)
