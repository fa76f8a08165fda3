"""Which keys have a table, and what tables may cost."""

from __future__ import annotations

import gc
import os
import random
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import keybound
from keybound._hotpath.contract import Family, Kind
from keybound.jose.algorithms import ALGORITHMS
from keybound.testing import SigningKey

DATA = b"signed"
SERVED = ("RS256", "PS256", "ES256", "ES384", "ES512", "ES256K", "Ed25519")
# Windows, entries in each, octets of an entry.
BYTES = {"RS256": 2 * 256, "ES256": 37 * 64 * 64, "ES256K": 37 * 64 * 64, "Ed25519": 37 * 64 * 96}
BYTES |= {"ES384": 55 * 64 * 96, "ES512": 87 * 32 * 144}


class HotKey:
    """A key that is used by verifying its one signature."""

    def __init__(self, native: Any, alg: str = "ES256", signer: SigningKey | None = None) -> None:
        self.native, self.row = native, ALGORITHMS[alg]
        signer = signer or SigningKey.generate(alg)
        jwk = keybound.JWK.from_json(signer.verification_jwk())
        self.handle = native.load_key(jwk._kind, jwk._material)
        self.signature = signer.sign(DATA)

    def use(self, times: int = 1) -> None:
        for _ in range(times):
            assert self.judge(DATA)
            assert not self.judge(b"forged")

    def judge(self, data: bytes) -> bool:
        return bool(self.native.verify(self.handle, self.row.family, self.row.bits, data, self.signature))

    @property
    def has_table(self) -> bool:
        return bool(self.native._has_table(self.handle))


def need_tables(native: Any, alg: str) -> None:
    if not any(map(native.serves_tables, ALGORITHMS[alg].kinds)):
        pytest.skip(f"no tables for {alg} on this machine")


@pytest.mark.parametrize("alg", SERVED)
@pytest.mark.parametrize("threshold", [0, 1, 2, 16])
def test_a_table_is_earned_by_use(native: Any, alg: str, threshold: int) -> None:
    need_tables(native, alg)
    native.configure_tables(64 << 20, threshold)
    key = HotKey(native, alg, SigningKey.generate(alg, shared=True))
    for _ in range(threshold - 1):
        key.judge(DATA)
        assert not key.has_table
    assert key.judge(DATA)
    assert key.has_table
    key.use()


def test_keys_used_once_cost_nothing(native: Any) -> None:
    for _ in range(40):
        HotKey(native).judge(DATA)
    counters = native.table_counters()
    assert (counters["tables"], counters["bytes"]) == (0, 0)


@pytest.mark.parametrize("alg", ["HS256", "RS256", "Ed448"])
def test_keys_that_never_get_one(native: Any, alg: str) -> None:
    native.configure_tables(64 << 20, 1)
    signer = SigningKey.generate(alg) if alg != "RS256" else SigningKey.generate("RS256", rsa_bits=3072)
    HotKey(native, alg, signer).use(3)
    assert native.table_counters()["tables"] == 0


def test_sizes_are_documented() -> None:
    text = Path(__file__).parents[2].joinpath("ext/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:P|Ed|RSA)[^|]+ \| ([\d ]+) \|$", text, re.MULTILINE)
    assert sorted(int(row.replace(" ", "")) for row in rows) == sorted(set(BYTES.values()))


@pytest.mark.parametrize("alg", BYTES)
def test_counters(native: Any, alg: str) -> None:
    need_tables(native, alg)
    native.configure_tables(64 << 20, 1)
    before = native.table_counters()
    keys = [HotKey(native, alg, SigningKey.generate(alg, shared=True)) for _ in range(3)]
    for key in keys:
        key.use()
    counters = native.table_counters()
    assert counters["tables"] == 3
    assert counters["bytes"] == 3 * BYTES[alg]
    assert counters["built"] - before["built"] == 3
    assert counters["evicted"] == before["evicted"]
    assert counters["limit_bytes"] == 64 << 20
    if keybound.BACKEND == "native":
        assert {**keybound.about()["tables"], "algorithms": 0} == {**counters, "algorithms": 0}
    del keys, key
    gc.collect()
    assert native.table_counters()["bytes"] == native.table_counters()["tables"] == 0


def test_the_table_that_was_idle_longest_makes_room(native: Any) -> None:
    native.configure_tables(3 * BYTES["ES256"], 4)
    first, second, third, newcomer = (HotKey(native) for _ in range(4))
    for key in (first, second, third, first, third):
        key.use(4)
    newcomer.use(2)
    assert [key.has_table for key in (first, second, third, newcomer)] == [True, False, True, True]
    assert native.table_counters()["bytes"] == 3 * BYTES["ES256"]
    second.use(2)
    assert [key.has_table for key in (first, second, third, newcomer)] == [False, True, True, True]


def test_a_large_table_takes_the_room_of_several(native: Any) -> None:
    native.configure_tables(BYTES["ES512"], 1)
    small = [HotKey(native) for _ in range(2)]
    for key in small:
        key.use()
    assert all(key.has_table for key in small)
    large = HotKey(native, "ES512")
    large.use()
    assert large.has_table
    assert not any(key.has_table for key in small)
    assert native.table_counters()["bytes"] == BYTES["ES512"]


def test_keys_equally_hot_do_not_push_each_other_out(native: Any) -> None:
    """With more hot keys than room, those that have a table keep it: nobody builds for the next round."""
    native.configure_tables(2 * BYTES["ES256"], 4)
    before = native.table_counters()
    keys = [HotKey(native) for _ in range(5)]
    for _ in range(40):
        for key in keys:
            assert key.judge(DATA)
    counters = native.table_counters()
    assert counters["built"] - before["built"] == 2
    assert counters["evicted"] == before["evicted"]
    assert sum(key.has_table for key in keys) == 2


def test_a_table_larger_than_the_limit_costs_nobody_else(native: Any) -> None:
    native.configure_tables(BYTES["Ed25519"] - 1, 1)
    small = HotKey(native)
    small.use()
    before = native.table_counters()
    large = HotKey(native, "Ed25519")
    large.use(5)
    assert not large.has_table
    assert small.has_table
    assert native.table_counters() == before


def test_a_lower_limit_holds_at_once(native: Any) -> None:
    native.configure_tables(64 << 20, 1)
    keys = [HotKey(native) for _ in range(4)]
    for key in keys:
        key.use()
    native.configure_tables(2 * BYTES["ES256"] + 1, 1)
    assert [key.has_table for key in keys] == [False, False, True, True]
    native.configure_tables(0, 1)
    assert native.table_counters()["bytes"] == native.table_counters()["tables"] == 0
    for key in keys:
        key.use(2)
        assert not key.has_table


def test_a_digest_longer_than_the_order_is_left_to_the_library(native: Any) -> None:
    """FIPS 186-5, 6.4.2: it is cut; JWS has no such algorithm, so the table code does not do it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    native.configure_tables(64 << 20, 1)
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    key = native.load_key(Kind.P256, (numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")))
    for hashed, bits in ((hashes.SHA384(), 384), (hashes.SHA512(), 512)):
        r, s = utils.decode_dss_signature(private.sign(DATA, ec.ECDSA(hashed)))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        for _ in range(3):
            assert native.verify(key, Family.ECDSA, bits, DATA, signature)
            assert not native.verify(key, Family.ECDSA, bits, b"forged", signature)
    assert native._has_table(key)


def test_threads_use_and_evict_at_once(native: Any) -> None:
    """Little room, every use earns a table, keys come and go: nobody sees a wrong verdict."""
    native.configure_tables(BYTES["ES256"] + BYTES["Ed25519"], 1)
    signers = [SigningKey.generate(alg) for alg in ("ES256", "ES256", "Ed25519", "RS256", "ES256K")]
    shared = [HotKey(native, signer.alg, signer) for signer in signers]
    wrong: list[str] = []
    before = native.table_counters()

    def work(seed: int) -> None:
        rng = random.Random(seed)
        own = None
        for _ in range(150):
            signer = rng.choice(signers)
            if own is None or rng.random() < 0.3:
                own = HotKey(native, signer.alg, signer)
            for key in (own, rng.choice(shared)):
                if not key.judge(DATA) or key.judge(b"forged"):
                    wrong.append(key.row.name)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    counters = native.table_counters()
    assert counters["evicted"] > before["evicted"] + 100
    assert counters["bytes"] <= counters["limit_bytes"]
    shared.clear()
    gc.collect()
    assert native.table_counters()["bytes"] == native.table_counters()["tables"] == 0


FORKS = """
import os, sys, threading
from keybound._hotpath.native import signature
sys.path.insert(0, {folder!r})
from test_hot_keys import DATA, HotKey

signature.configure_tables(2 << 20, 1)
keys = [HotKey(signature, alg) for alg in ("ES256", "ES384", "Ed25519", "ES256K", "ES512", "ES256", "ES384")]
signature.configure_tables(500_000, 1)
stop = False

def work(mine):
    while not stop:
        for key in mine:
            key.use()

# Each thread begins with a curve that nobody has used yet, and tables are built, used and evicted throughout.
threads = [threading.Thread(target=work, args=(keys[at:] + keys[:at],)) for at in range(4)]
for thread in threads:
    thread.start()
failed = 0
for _ in range(30):
    child = os.fork()
    if child == 0:
        for key in keys:
            key.use(2)
            assert key.has_table, key.row.name
        counters = signature.table_counters()
        assert counters["bytes"] <= counters["limit_bytes"], counters
        os._exit(0)
    failed += os.waitpid(child, 0)[1] != 0
stop = True
for thread in threads:
    thread.join()
sys.exit(failed)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="the allocator of the sanitizer keeps its locks from children",
)
def test_children_forked_while_tables_are_in_use(native: Any) -> None:
    """Other threads may be anywhere in the code at a fork; in the child nobody waits for them."""
    program = FORKS.format(folder=os.path.dirname(__file__))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("value", "tables"), [("0", False), ("1", True)])
def test_the_environment_turns_tables_off(native: Any, value: str, tables: bool) -> None:
    program = f"""
import sys
from keybound._hotpath.native import signature
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_hot_keys import HotKey

key = HotKey(signature)
key.use(40)
print(key.has_table, signature.table_counters()["limit_bytes"] > 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KEYBOUND_TABLES": value},
    )
    assert done.stdout.split() == [str(tables)] * 2
