"""SHA-2 and the one DER check there is (FIPS 180-4; X.690, 10.1)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest


@pytest.mark.parametrize("bits", [256, 384, 512])
@pytest.mark.parametrize("size", [0, 1, 3, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1_000_000])
def test_sha2(twins: Any, bits: int, size: int) -> None:
    data = b"a" * size
    assert twins.digest.sha2(bits, data) == hashlib.new(f"sha{bits}", data).digest()


def test_sha2_known_answers(twins: Any) -> None:
    expected = {
        256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        384: "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
        "8086072ba1e7cc2358baeca134c825a7",
        512: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    }
    for bits, digest in expected.items():
        assert twins.digest.sha2(bits, b"abc").hex() == digest


@pytest.mark.parametrize("bits", [0, 1, 160, 224, 255, 257, -256, 1024])
def test_no_other_hash(twins: Any, bits: int) -> None:
    with pytest.raises(ValueError, match="bits must be 256, 384 or 512"):
        twins.digest.sha2(bits, b"")


def definite(size: int, count: int) -> bytes:
    """A SEQUENCE of ``size`` octets whose length takes ``count`` octets (0: the short form)."""
    length = bytes([size]) if count == 0 else bytes([0x80 | count]) + size.to_bytes(count, "big")
    return b"\x30" + length + bytes(size)


@pytest.mark.parametrize(
    ("size", "count"), [(1, 0), (32, 0), (127, 0), (128, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 3)]
)
def test_shortest_length_is_the_only_one(twins: Any, size: int, count: int) -> None:
    der = definite(size, count)
    assert twins.digest.certificate_thumbprint(der) == hashlib.sha256(der).digest()
    for longer in range(count + 1, 6):
        assert twins.digest.certificate_thumbprint(definite(size, longer)) is None


@pytest.mark.parametrize("size", [1, 127, 128, 255, 256, 65_535])
def test_length_must_be_exact(twins: Any, size: int) -> None:
    der = definite(size, 0 if size < 128 else 1 if size < 256 else 2)
    assert twins.digest.certificate_thumbprint(der) is not None
    assert twins.digest.certificate_thumbprint(der + b"\0") is None
    for cut in range(min(len(der), 8)):
        assert twins.digest.certificate_thumbprint(der[:cut]) is None
    assert twins.digest.certificate_thumbprint(der[:-1]) is None


def test_length_does_not_wrap_around(twins: Any) -> None:
    for octets in (
        b"\x84\xff\xff\xff\xff",
        b"\x88" + b"\xff" * 8,
        b"\x88" + b"\0" * 7 + b"\x01",
        b"\xff" * 128,
    ):
        assert twins.digest.certificate_thumbprint(b"\x30" + octets + b"x") is None


@pytest.mark.parametrize("tag", [tag for tag in range(256) if tag != 0x30])
def test_no_other_tag(twins: Any, tag: int) -> None:
    assert twins.digest.certificate_thumbprint(bytes([tag, 1, 0])) is None
