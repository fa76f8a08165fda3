"""Verification against tables beside that of AWS-LC, on signatures made to tell them apart.

``python tests/tables/differential.py --cases 100000`` runs that many cases per algorithm;
``--seconds 3600 --algorithm ES256`` runs one algorithm for an hour. What differs is printed as a case
that anyone can repeat, and ends the run. Needs the native build.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import os
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from curves import CURVES, Edwards25519, Point

from keybound._hotpath.contract import Family, Kind

KINDS = {"ES256": Kind.P256, "ES384": Kind.P384, "ES512": Kind.P521, "ES256K": Kind.SECP256K1}
ALGORITHMS = (*KINDS, "Ed25519", "RS256", "PS256")
CHUNK = 10_000
"""Cases between two sets of keys."""


class Disagreement(Exception):
    """Table, library and what is known of a case do not all say the same."""


@dataclass(frozen=True)
class Case:
    """A signature, and whether it is good where that is known by construction."""

    shape: str
    key: Pair
    message: bytes
    signature: bytes
    good: bool | None = None


class Pair:
    """One public key twice: a handle with a table, and one that the library serves for ever."""

    def __init__(self, kind: Kind, *material: bytes, tabled: bool = True) -> None:
        from keybound._hotpath.native import signature

        self.native: Any = signature
        self.kind, self.material, self.tabled = kind, material, tabled
        self.by_table = signature.load_key(kind, material)
        self.by_library = signature.load_key(kind, material)
        self.native._leave_to_library(self.by_library)

    def judge(self, algorithm: str, case: Case) -> bool:
        answers = [self.verify(handle, algorithm, case) for handle in (self.by_table, self.by_library)]
        expected = answers[1] if case.good is None else case.good
        in_place = self.native._has_table(self.by_table), self.native._has_table(self.by_library)
        if answers != [expected] * 2 or in_place != (self.tabled, False):
            material = " ".join(part.hex() for part in self.material)
            raise Disagreement(
                f"{algorithm}: {case.shape}\n  table, library and construction say {*answers, case.good}, "
                f"tables are {in_place}\n  key       {self.kind.name} {material}\n"
                f"  message   {case.message.hex()}\n  signature {case.signature.hex()}"
            )
        return expected

    def verify(self, handle: Any, algorithm: str, case: Case) -> bool:
        if algorithm in KINDS:
            return bool(self.native._verify_digest(handle, case.message, case.signature))
        family = {"Ed25519": Family.EDDSA, "RS256": Family.RSA_PKCS1}.get(algorithm, Family.RSA_PSS)
        bits = 0 if algorithm == "Ed25519" else 256
        return bool(self.native.verify(handle, family, bits, case.message, case.signature))


def flipped(rng: random.Random, octets: bytes, *, within: tuple[int, int] | None = None) -> bytes:
    first, last = within or (0, len(octets))
    bit = rng.randrange(8 * first, 8 * last)
    return bytes(octet ^ (1 << bit % 8 if bit // 8 == at else 0) for at, octet in enumerate(octets))


class Ecdsa:
    """With the private key known, nonce and message are chosen to make the scalars what they should be:

    the table code adds ``u1 * G + u2 * Q`` with ``u1 = e / s`` and ``u2 = r / s``, window by window.
    """

    def __init__(self, rng: random.Random, algorithm: str) -> None:
        self.rng, self.curve, self.kind = rng, CURVES[algorithm], KINDS[algorithm]
        curve = self.curve
        self.digest = min(curve.octets, 64)
        top = curve.window * (curve.windows - 1)
        powers = [curve.window * rng.randrange(1, curve.windows - 1) for _ in range(3)]
        special = [1, 2, 3, 1 << (curve.window - 1), 1 << curve.window, 1 << top - curve.window]
        special += [1 << power for power in powers] + [3 << powers[0], rng.randrange(2, 200)]
        special += [pow(2, -1, curve.n), pow(1 << curve.window, -1, curve.n)]
        special += [curve.n - d for d in special]
        keys = [*special, *(rng.randrange(1, curve.n) for _ in range(8))]
        self.keys = {d: self.pair(curve.multiple(d)) for d in keys}
        self.special = special
        nonces = [1, 2, 3, curve.n - 1, *(rng.randrange(1, curve.n) for _ in range(60))]
        self.nonces = [(k, pow(k, -1, curve.n), curve.multiple(k)[0] % curve.n) for k in nonces]
        self.shapes: list[tuple[int, Callable[[], Iterator[Case]]]] = [
            (8, self.signed),
            (3, self.forged),
            (3, self.bounds),
            (4, self.colliding),
            (2, self.scalars),
            (1, self.small_s),
        ]

    def start(self) -> Iterator[Case]:
        """Cases that need a key of their own."""
        yield from self.wrapped_x()
        yield from self.small_e()

    def pair(self, point: Point) -> Pair:
        return Pair(self.kind, *(part.to_bytes(self.curve.octets, "big") for part in point))

    def join(self, r: int, s: int) -> bytes:
        octets = self.curve.octets
        return r.to_bytes(octets, "big") + s.to_bytes(octets, "big")

    def any_signature(self) -> tuple[Pair, bytes, int, int]:
        d, key = self.rng.choice(list(self.keys.items()))
        digest = self.rng.randbytes(self.digest)
        _, inverse, r = self.rng.choice(self.nonces)
        s = (int.from_bytes(digest, "big") + r * d) * inverse % self.curve.n
        return key, digest, r, s

    def signed(self) -> Iterator[Case]:
        key, digest, r, s = self.any_signature()
        good = s != 0
        yield Case("valid", key, digest, self.join(r, s), good)
        yield Case("valid, other s", key, digest, self.join(r, -s % self.curve.n), good)

    def forged(self) -> Iterator[Case]:
        key, digest, r, s = self.any_signature()
        signature, octets, rng = self.join(r, s), self.curve.octets, self.rng
        yield Case("bit of r", key, digest, flipped(rng, signature, within=(0, octets)), False)
        yield Case("bit of s", key, digest, flipped(rng, signature, within=(octets, 2 * octets)), False)
        yield Case("bit of digest", key, flipped(rng, digest), signature, False)
        yield Case("swapped", key, digest, self.join(s, r))
        yield Case("digest cut", key, digest[:-1], signature, False)
        yield from self.cut(key, digest, r, s)
        other = rng.choice(list(self.keys.values()))
        yield Case("other key", other, digest, signature, None if other is key else False)

    def cut(self, key: Pair, digest: bytes, r: int, s: int) -> Iterator[Case]:
        """The same digest in the first bits of a longer one (FIPS 186-5, 6.4.2, step 2)."""
        size = self.curve.octets + self.rng.choice((0, 8))
        shift = 8 * size - self.curve.n.bit_length()
        longer = (int.from_bytes(digest, "big") << shift).to_bytes(size, "big")
        yield Case("digest too long", key, longer, self.join(r, s), True)

    def small_s(self) -> Iterator[Case]:
        """An s that has room for s + n in its octets."""
        d, key = self.rng.choice(list(self.keys.items()))
        k, _, r = self.rng.choice(self.nonces)
        n, s = self.curve.n, self.rng.choice((1, 2, self.rng.randrange(1, 2**64)))
        e, size = (s * k - r * d) % n, n.bit_length() // 8
        if e < 256**size:
            digest = e.to_bytes(size, "big")
            yield Case("small s", key, digest, self.join(r, s), True)
            yield Case("small s + n", key, digest, self.join(r, s + n), False)

    def bounds(self) -> Iterator[Case]:
        key, digest, r, s = self.any_signature()
        n, p, most = self.curve.n, self.curve.p, 256**self.curve.octets - 1
        edges = [0, 1, 2, n - 2, n - 1, n, n + 1, p - n - 1, p - n, p - n + 1, p - 1, p, p + 1, most]
        edges = [edge for edge in edges if edge <= most]
        yield Case("edge r", key, digest, self.join(self.rng.choice(edges), s))
        yield Case("edge s", key, digest, self.join(r, self.rng.choice(edges)))
        yield Case("edge r and s", key, digest, self.join(self.rng.choice(edges), self.rng.choice(edges)))
        yield Case("edge digest", key, bytes([255]) * self.digest, self.join(r, s))
        for shape, big in (("r + n", (r + n, s)), ("s + n", (r, s + n))):
            if max(big) <= most:
                yield Case(shape, key, digest, self.join(*big), False)

    def chosen(self, shape: str, d: int, u1: int, u2: int) -> Iterator[Case]:
        """The one signature whose scalars are these, if its digest has a size that one can have."""
        n = self.curve.n
        k = (u1 + u2 * d) % n
        if k == 0:
            # The sum is infinity: there is no r, so none is right.
            s = self.rng.randrange(1, n)
            r, good = u2 * s % n, False
        else:
            r, good = self.curve.multiple(k)[0] % n, True
            s = r * pow(u2, -1, n) % n
        e = u1 * s % n
        # The curve of 521 bits has no digest of its size: half of the signatures cannot be.
        size = n.bit_length() // 8
        if e < 256**size:
            yield Case(shape, self.keys[d], e.to_bytes(size, "big"), self.join(r, s), good)

    def digits(self, count: int) -> int:
        """A scalar with few digits that are not 0."""
        places = [self.curve.window * self.rng.randrange(self.curve.windows - 1) for _ in range(count)]
        return sum(self.rng.randrange(1, 1 << self.curve.window) << place for place in places)

    def colliding(self) -> Iterator[Case]:
        """The accumulator meets the entry that is added next, or its opposite."""
        n, rng, window = self.curve.n, self.rng, self.curve.window
        d = rng.choice(self.special)
        u2 = rng.randrange(1, 1 + (1 << window - 1)) << window * rng.randrange(self.curve.windows - 1)
        u1 = rng.choice((1, -1)) * u2 * d
        higher = rng.choice((0, self.digits(1), self.digits(2) - self.digits(1)))
        yield from self.chosen("colliding digits", d, (u1 + higher) % n, u2)

    def scalars(self) -> Iterator[Case]:
        n, rng, window, windows = self.curve.n, self.rng, self.curve.window, self.curve.windows
        half = 1 << window - 1
        full = [sum(digit << window * i for i in range(windows - 1)) for digit in (half, half - 1, half + 1)]
        edges = [1, 2, half, half + 1, 2 * half, n - 1, n - 2, n - half, *(value % n for value in full)]
        edges += [1 << n.bit_length() - 1, (1 << n.bit_length() - 1) - 1, self.digits(1), self.digits(3)]
        u1 = rng.choice([0, *edges, rng.randrange(n)])
        yield from self.chosen("chosen scalars", rng.choice(list(self.keys)), u1, rng.choice(edges) % n or 1)

    def by_point(self, shape: str, x: int, r: int, good: bool) -> Iterator[Case]:
        """A signature whose sum is a point with this x, by a key that makes it so."""
        point, n = self.curve.lift(x), self.curve.n
        if point is None or r % n == 0:
            return
        u2 = self.rng.randrange(1, n)
        s = r * pow(u2, -1, n) % n
        e = self.rng.getrandbits(8 * self.digest)
        x1, y1 = self.curve.multiple(e * pow(s, -1, n))
        difference = self.curve.add(point, (x1, self.curve.p - y1))
        key = self.pair(self.curve.times(pow(u2, -1, n), difference))
        digest = e.to_bytes(self.digest, "big")
        yield Case(shape, key, digest, self.join(r, s), good)
        yield Case(f"{shape}, other s", key, digest, self.join(r, n - s), good)
        yield Case(f"{shape}, next r", key, digest, self.join(r + 1, s), False)

    def wrapped_x(self) -> Iterator[Case]:
        """x at or above n gives r = x - n; an r that only fits after reduction mod p is wrong."""
        n, p = self.curve.n, self.curve.p
        for distance in (*range(4), self.rng.randrange(p - n)):
            yield from self.by_point("x = r + n, low", n + distance, distance, True)
            yield from self.by_point("x = r + n, high", p - 1 - distance, p - 1 - distance - n, True)
            yield from self.by_point("x = r + n - p", distance, distance + p - n, False)
            yield from self.by_point("x = r, not below n", n + distance, n + distance, False)
            yield from self.by_point("x = r, low", distance, distance, True)
            yield from self.by_point("x = r, high", n - 1 - distance, n - 1 - distance, True)

    def small_e(self) -> Iterator[Case]:
        for d in self.special[:3]:
            yield from self.chosen("digest 0", d, 0, self.rng.randrange(1, self.curve.n))


class Ed25519:
    """Keys and nonce points with and without a part of small order, encodings canonical and not."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.group = rng, Edwards25519
        group, base, torsion = Edwards25519, Edwards25519.base(), Edwards25519.torsion()
        self.torsion = torsion
        secrets = [1, 2, 3, 64, 128, group.order - 1, group.order - 2, pow(2, -1, group.order)]
        secrets += [1 << 7 * rng.randrange(1, 36), *(rng.randrange(1, group.order) for _ in range(5))]
        points = [(a, group.times(a, base)) for a in secrets]
        points += [(a, group.add(point, rng.choice(torsion[1:]))) for a, point in points]
        self.keys = [(a, self.pair(group.encode(point))) for a, point in points]
        self.keys += [(0, self.pair(group.encode(point))) for point in torsion]
        nonces = [0, 1, 2, group.order - 1, *(rng.randrange(1, group.order) for _ in range(16))]
        pure = [(r, group.times(r, base)) for r in nonces]
        mixed = [(r, group.add(point, rng.choice(torsion[1:]))) for r, point in pure]
        self.nonces = [(r, group.encode(point)) for r, point in pure + mixed]
        self.shapes: list[tuple[int, Callable[[], Iterator[Case]]]] = [
            (8, self.signed),
            (2, self.forged),
            (2, self.bounds),
        ]

    @staticmethod
    def pair(octets: bytes, *, tabled: bool = True) -> Pair:
        return Pair(Kind.ED25519, octets, tabled=tabled)

    def start(self) -> Iterator[Case]:
        """Keys that are not the encoding of a point (RFC 8032, 5.1.3) have no table."""
        p, forms = self.group.p, []
        for y in (*range(19), p - 1, p - 2, 2**255 - 1):
            for sign in (0, 1):
                point = self.group.lift(y, sign) if y < p else None
                forms.append((y, sign, point is not None))
                if y < 19:
                    forms.append((y + p, sign, False))
        for y, sign, is_point in forms:
            octets = (y | sign << 255).to_bytes(32, "little")
            key = self.pair(octets, tabled=is_point)
            for shape, r in (("odd key", self.rng.choice(self.nonces)[1]), ("odd key as R", octets)):
                yield Case(shape, key, b"", r + bytes(32))
                yield Case(shape, key, self.rng.randbytes(8), r + self.rng.randbytes(31) + b"\x0f")

    def any_signature(self) -> tuple[Pair, bytes, bytes, int]:
        a, key = self.rng.choice(self.keys)
        r, encoded = self.rng.choice(self.nonces)
        message = self.rng.randbytes(self.rng.randrange(40))
        digest = hashlib.sha512(encoded + key.material[0] + message).digest()
        s = (r + int.from_bytes(digest, "little") * a) % self.group.order
        return key, message, encoded, s

    def signed(self) -> Iterator[Case]:
        """Good unless parts of small order do not cancel by chance."""
        for _ in range(4):
            key, message, r, s = self.any_signature()
            yield Case("signed", key, message, r + s.to_bytes(32, "little"))

    def forged(self) -> Iterator[Case]:
        key, message, r, s = self.any_signature()
        signature = r + s.to_bytes(32, "little")
        yield Case("bit of R", key, message, flipped(self.rng, signature, within=(0, 32)))
        yield Case("bit of S", key, message, flipped(self.rng, signature, within=(32, 64)))
        yield Case("bit of message", key, flipped(self.rng, message + b"."), signature)
        yield Case("other key", self.rng.choice(self.keys)[1], message, signature)
        yield Case("swapped", key, message, signature[32:] + signature[:32])

    def bounds(self) -> Iterator[Case]:
        key, message, r, s = self.any_signature()
        order, p, rng = self.group.order, self.group.p, self.rng
        edges = [0, 1, order - 1, order, order + 1, 2 * order, 2**252, 2**253 - 1, 2**255 - 1, 2**256 - 1]
        yield Case("S + L", key, message, r + (s + order).to_bytes(32, "little"), False)
        yield Case("edge S", key, message, r + rng.choice(edges).to_bytes(32, "little"))
        # R that is congruent to the right one but written otherwise: y + p, or a sign that x = 0 has not.
        y = rng.choice([*range(19), *range(p, 2**255), p - 1]) | rng.getrandbits(1) << 255
        odd = y.to_bytes(32, "little")
        small = Edwards25519.encode(rng.choice(self.torsion))
        for shape, chosen in (("odd R", odd), ("R of small order", small)):
            for value in (0, rng.choice(edges), s):
                yield Case(shape, key, message, chosen + value.to_bytes(32, "little"))


class Rsa:
    """Signatures by keys that we hold, and encoded messages with each flaw that has ever been accepted."""

    INFO = bytes.fromhex("3031300d060960864801650304020105000420")
    WITHOUT_NULL = bytes.fromhex("302f300b0609608648016503040201 0420".replace(" ", ""))

    def __init__(self, rng: random.Random, algorithm: str) -> None:
        self.rng, self.pss = rng, algorithm == "PS256"
        served = serves_rsa()
        self.keys = [(key, self.pair(key, tabled=served and expected)) for key, expected in rsa_keys()]
        self.shapes: list[tuple[int, Callable[[], Iterator[Case]]]] = [(4, self.signed), (1, self.bounds)]

    @staticmethod
    def pair(key: rsa.RSAPrivateKey, *, tabled: bool) -> Pair:
        numbers = key.public_key().public_numbers()
        parts = (number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (numbers.n, numbers.e))
        return Pair(Kind.RSA, *parts, tabled=tabled)

    def start(self) -> Iterator[Case]:
        """Signatures of encoded messages that are wrong in one place (RFC 8017, 9.1.2 and 9.2)."""
        for key, pair in self.keys:
            message = self.rng.randbytes(20)
            size = len(pair.material[0])
            encoded = self.encoded_pss if self.pss else self.encoded_pkcs1
            numbers = key.private_numbers()
            n = numbers.public_numbers.n
            for shape, em, good in encoded(hashlib.sha256(message).digest(), size):
                if (number := int.from_bytes(em, "big")) < n:
                    yield Case(shape, pair, message, power(number, numbers).to_bytes(size, "big"), good)

    def encoded_pkcs1(self, digest: bytes, size: int) -> Iterator[tuple[str, bytes, bool]]:
        def em(head: bytes, tail: bytes, fill: int = 0xFF) -> bytes:
            return head + bytes([fill]) * (size - len(head) - len(tail)) + tail

        tail = b"\0" + self.INFO + digest
        yield "right", em(b"\0\1", tail), True
        yield "block type 2", em(b"\0\2", tail), False
        yield "block type 0", em(b"\0\0", tail, 0), False
        yield "first octet", em(b"\1\1", tail), False
        yield "padding not ff", em(b"\0\1", tail, 0xFE), False
        yield "padding ends in another octet", em(b"\0\1", b"\1" + tail[1:]), False
        yield "short padding, rest behind", b"\0\1" + b"\xff" * 8 + tail + bytes(size - 10 - len(tail)), False
        yield "no NULL", em(b"\0\1", b"\0" + self.WITHOUT_NULL + digest), False
        yield "no DigestInfo", em(b"\0\1", b"\0" + digest), False
        yield "octet behind", em(b"\0\1", tail + b"\0"), False
        yield "other hash", em(b"\0\1", b"\0" + self.INFO[:-5] + b"\2" + self.INFO[-4:] + digest), False
        for _ in range(8):
            yield "bit of the end", em(b"\0\1", flipped(self.rng, tail)), False

    def encoded_pss(self, digest: bytes, size: int) -> Iterator[tuple[str, bytes, bool]]:
        def mask(seed: bytes, count: int) -> bytes:
            blocks = (hashlib.sha256(seed + i.to_bytes(4, "big")).digest() for i in range(count // 32 + 1))
            return b"".join(blocks)[:count]

        def em(salt: bytes, *, separator: int = 1, fill: int = 0, trailer: int = 0xBC, top: int = 0) -> bytes:
            h = hashlib.sha256(bytes(8) + digest + salt).digest()
            db = bytes([fill]) * (size - 34 - len(salt)) + bytes([separator]) + salt
            masked = bytearray(a ^ b for a, b in zip(db, mask(h, len(db)), strict=True))
            masked[0] = masked[0] & 0x7F | top
            return bytes(masked) + h + bytes([trailer])

        salt = self.rng.randbytes(32)
        yield "right", em(salt), True
        for length in (0, 20, 31, 33, 64, size - 34):
            yield f"salt of {length}", em(self.rng.randbytes(length)), False
        yield "separator", em(salt, separator=2), False
        yield "fill", em(salt, fill=1), False
        yield "trailer", em(salt, trailer=0xCC), False
        yield "top bit", em(salt, top=0x80), False

    def sign(self, key: rsa.RSAPrivateKey, message: bytes) -> bytes:
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if self.pss else padding.PKCS1v15()
        return key.sign(message, scheme, hashes.SHA256())

    def signed(self) -> Iterator[Case]:
        key, pair = self.rng.choices(self.keys, [4, 4, 4, 1, 1])[0]
        message = self.rng.randbytes(20)
        signature = self.sign(key, message)
        yield Case("valid", pair, message, signature, True)
        yield Case("bit of signature", pair, message, flipped(self.rng, signature), False)
        yield Case("bit of message", pair, flipped(self.rng, message), signature, False)
        n = int.from_bytes(pair.material[0], "big")
        s, most = int.from_bytes(signature, "big"), 256 ** len(signature) - 1
        yield Case("n - s", pair, message, (n - s).to_bytes(len(signature), "big"), False)
        if s + n <= most:
            yield Case("s + n", pair, message, (s + n).to_bytes(len(signature), "big"), False)

    def bounds(self) -> Iterator[Case]:
        _, pair = self.rng.choice(self.keys)
        size, n = len(pair.material[0]), int.from_bytes(pair.material[0], "big")
        for s in (0, 1, 2, n - 1, n, n + 1, 256**size - 1, self.rng.getrandbits(8 * size)):
            yield Case("edge s", pair, b"", min(s, 256**size - 1).to_bytes(size, "big"), False)


def power(number: int, key: rsa.RSAPrivateNumbers) -> int:
    """The RSA private operation (RFC 8017, 5.1.2, step 2b)."""
    below_p, below_q = pow(number, key.dmp1, key.p), pow(number, key.dmq1, key.q)
    return below_q + (below_p - below_q) * key.iqmp % key.p * key.q


@functools.cache
def rsa_keys() -> list[tuple[rsa.RSAPrivateKey, bool]]:
    """Keys, made once per process because they take long, and whether such a key has a table."""
    usual, edges = rsa.generate_private_key(65537, 2048), [key_near(2**2047, 2), key_near(2**2048, -2)]
    others = [rsa.generate_private_key(3, 2048), rsa.generate_private_key(65537, 3072)]
    return [(key, True) for key in (usual, *edges)] + [(key, False) for key in others]


def key_near(bound: int, step: int) -> rsa.RSAPrivateKey:
    """A key with e = 65537 whose modulus is as near to the bound as its first factor allows."""
    p = next_prime(random.getrandbits(1024) | 3 << 1022 | 1, 2)
    q = next_prime((bound // p + step) | 1, step)
    phi = (p - 1) * (q - 1)
    if (p * q).bit_length() != 2048 or phi % 65537 == 0:
        return key_near(bound, step)
    d = pow(65537, -1, phi)
    public = rsa.RSAPublicNumbers(65537, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


SMALL_PRIMES = [p for p in range(3, 2000, 2) if all(p % q for q in range(3, int(p**0.5) + 1, 2))]


def next_prime(odd: int, step: int) -> int:
    while not (all(odd % p for p in SMALL_PRIMES) and all(pow(base, odd - 1, odd) == 1 for base in (2, 3))):
        odd += step
    return odd


def serves_rsa() -> bool:
    from keybound._hotpath.native import signature

    return signature.serves_tables(Kind.RSA)


def maker(rng: random.Random, algorithm: str) -> Ecdsa | Ed25519 | Rsa:
    if algorithm in KINDS:
        return Ecdsa(rng, algorithm)
    return Ed25519(rng) if algorithm == "Ed25519" else Rsa(rng, algorithm)


def run(algorithm: str, cases: int, seed: str) -> Counter[str]:
    """Judges this many cases; the counts by shape, of good signatures and of cases left to the library."""
    from keybound._hotpath.native import signature

    signature.configure_tables(1 << 30, 1)
    counts: Counter[str] = Counter()
    before = signature.table_counters()["undecided"]
    rng = random.Random(f"{seed} {algorithm}")
    made = maker(rng, algorithm)
    weights, shapes = zip(*made.shapes, strict=True)
    endless = itertools.chain.from_iterable(
        shape()
        for shape in itertools.chain.from_iterable(
            rng.choices(shapes, weights, k=64) for _ in itertools.count()
        )
    )
    for case in itertools.islice(itertools.chain(made.start(), endless), cases):
        try:
            counts["good"] += case.key.judge(algorithm, case)
        except Disagreement as disagreement:
            raise Disagreement(f"{disagreement}\n  seed      {seed}") from None
        counts[case.shape] += 1
    counts["cases"] = sum(counts.values()) - counts["good"]
    counts["undecided"] = signature.table_counters()["undecided"] - before
    return counts


def collect(totals: dict[str, Counter[str]], running: deque[tuple[str, Future[Counter[str]]]]) -> None:
    name, chunk = running.popleft()
    totals[name] += chunk.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--algorithm", choices=ALGORITHMS, action="append", help="may be given again")
    parser.add_argument("--cases", type=int, default=100_000, help="per algorithm")
    parser.add_argument("--seconds", type=float, help="in all, instead of a number of cases")
    parser.add_argument("--seed", default=os.urandom(8).hex())
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    totals: dict[str, Counter[str]] = {name: Counter() for name in options.algorithm or ALGORITHMS}
    running: deque[tuple[str, Future[Counter[str]]]] = deque()
    end = time.monotonic() + options.seconds if options.seconds else None
    with ProcessPoolExecutor(options.processes) as pool:
        for at in itertools.count() if end else range(-(-options.cases // CHUNK)):
            if end and time.monotonic() > end:
                break
            for name in totals:
                cases = CHUNK if end else min(CHUNK, options.cases - at * CHUNK)
                running.append((name, pool.submit(run, name, cases, f"{options.seed}-{at}")))
                while len(running) > 2 * options.processes:
                    collect(totals, running)
        while running:
            collect(totals, running)
    for algorithm, counts in totals.items():
        shown = ", ".join(f"{shape} {count}" for shape, count in sorted(counts.items()) if shape != "cases")
        print(f"{algorithm}: {counts['cases']} cases, no disagreement ({shown})")


if __name__ == "__main__":
    try:
        main()
    except Disagreement as disagreement:
        sys.exit(f"DISAGREEMENT\n{disagreement}")
