"""Which numbers make a key: sizes, ranges, curves and weak forms."""

from __future__ import annotations

import hashlib
import hmac
import math
from functools import cache, reduce

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, x448, x25519

import keybound
from keybound import JWK, InvalidKey, jws
from keybound._hotpath.contract import Kind
from keybound.jose import numbers
from keybound.testing import SigningKey, make_token

P25519, P448 = 2**255 - 19, 2**448 - 2**224 - 1
# The order-8 points of edwards25519 have one of these for y (RFC 8032, 5.1).
ORDER_8 = (
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
)
CURVES = {
    Kind.P256: ec.SECP256R1(),
    Kind.P384: ec.SECP384R1(),
    Kind.P521: ec.SECP521R1(),
    Kind.SECP256K1: ec.SECP256K1(),
}
FIELDS = {
    Kind.P256: 2**256 - 2**224 + 2**192 + 2**96 - 1,
    Kind.P384: 2**384 - 2**128 - 2**96 + 2**32 - 1,
    Kind.P521: 2**521 - 1,
    Kind.SECP256K1: 2**256 - 2**32 - 977,
}
NAMES = {Kind.P256: "P-256", Kind.P384: "P-384", Kind.P521: "P-521", Kind.SECP256K1: "secp256k1"}


def octets(number: int, size: int | None = None) -> bytes:
    return number.to_bytes(size or (number.bit_length() + 7) // 8, "big")


def encoded(data: bytes) -> str:
    return keybound._hotpath.base64url.encode(data)


@cache
def primes(count: int) -> list[int]:
    """Primes of 1024 bits, from keys that take no time to make."""
    pairs = [SigningKey.generate("RS256").private_key.private_numbers() for _ in range(count // 2)]
    return [prime for pair in pairs for prime in (pair.p, pair.q)]


def modulus(bits: int) -> int:
    """An odd number of exactly this size that is not of a weak form."""
    return (1 << (bits - 1)) + 12345


class TestRSA:
    @pytest.mark.parametrize("bits", [2048, 2049, 3072, 4096, 8192, 16383, 16384])
    def test_sizes_that_are_safe(self, bits):
        assert numbers.check(Kind.RSA, (octets(modulus(bits)), b"\1\0\1")) == bits

    @pytest.mark.parametrize("bits", [1, 512, 1024, 2040, 2047, 16385, 32768])
    def test_sizes_that_are_not(self, bits):
        with pytest.raises(InvalidKey, match="2048 to 16384 bits"):
            numbers.check(Kind.RSA, (octets(modulus(bits) if bits > 64 else 1), b"\1\0\1"))

    @pytest.mark.parametrize("e", [3, 17, 65537, 2**31 + 1, 2**32 - 1])
    def test_exponents_that_are_safe(self, e):
        assert numbers.check(Kind.RSA, (octets(modulus(2048)), octets(e))) == 2048

    @pytest.mark.parametrize("e", [1, 2, 4, 65536, 2**32 - 2, 2**32 + 1, 2**64 + 1, 2**4096 + 1])
    def test_exponents_that_are_not(self, e):
        with pytest.raises(InvalidKey, match="exponent"):
            numbers.check(Kind.RSA, (octets(modulus(2048)), octets(e)))

    @pytest.mark.parametrize(
        ("n", "e"),
        [
            (b"", b"\3"),
            (b"\0", b"\3"),
            (b"\0" + b"\xff" * 256, b"\3"),
            (b"\xff" * 256, b""),
            (b"\xff" * 256, b"\0"),
            (b"\xff" * 256, b"\0\3"),
        ],
    )
    def test_numbers_are_written_in_the_fewest_octets(self, n, e):
        with pytest.raises(InvalidKey, match="empty or has a leading zero"):
            numbers.check(Kind.RSA, (n, e))

    def test_an_even_modulus_is_refused(self):
        with pytest.raises(InvalidKey, match="even"):
            numbers.check(Kind.RSA, (octets(modulus(2048) + 1), b"\1\0\1"))

    def test_a_modulus_of_roca_form_is_refused(self):
        """CVE-2017-15361: modulo the product of the small primes it is a power of 65537."""
        small = [number for number in range(3, 168) if all(number % factor for factor in range(2, number))]
        product = math.prod(small)
        for exponent in (1, 7, 10**6):
            n = pow(65537, exponent, product) + product * (2**2047 // product + 1)
            n += 0 if n % 2 else product
            with pytest.raises(InvalidKey, match="CVE-2017-15361"):
                numbers.check(Kind.RSA, (octets(n), b"\1\0\1"))
            assert numbers.check(Kind.RSA, (octets(n + 2), b"\1\0\1")) == 2048

    @pytest.mark.parametrize("bits", [2048, 3072, 4096])
    @pytest.mark.parametrize("alg", ["RS256", "PS256", "RS512", "PS512"])
    def test_real_keys_verify(self, alg, bits):
        key = SigningKey.generate(alg, rsa_bits=bits, shared=True)
        verified = JWK.from_json(key.public_jwk())
        assert verified.bits == bits
        assert jws.verify(make_token({"alg": alg}, b"x", key), verified, algorithms=[alg]).payload == b"x"

    @pytest.mark.parametrize("factors", [8, 16], ids=["8192 bits", "16384 bits"])
    @pytest.mark.parametrize("alg", ["RS256", "PS384", "PS512"])
    def test_the_largest_keys_verify(self, alg, factors):
        """Signed with many primes: a key of two takes minutes to make, and a verifier sees no difference."""
        key = ManyPrimeKey(primes(16)[:factors])
        verified = JWK.from_json(key.public_jwk())
        assert verified.bits > factors * 1024 - factors
        token = make_token({"alg": alg}, b"x", lambda data: key.sign(alg, data))
        assert jws.verify(token, verified, algorithms=[alg]).payload == b"x"
        forged = make_token({"alg": alg}, b"y", None, signature=token.rpartition(".")[2])
        with pytest.raises(keybound.SignatureRejected):
            jws.verify(forged, verified, algorithms=[alg])


class ManyPrimeKey:
    """RSASSA-PKCS1-v1_5 and RSASSA-PSS of RFC 8017, 8, with any number of primes."""

    def __init__(self, factors: list[int]) -> None:
        self.factors, self.n, self.e = factors, math.prod(factors), 65537

    def public_jwk(self) -> dict[str, str]:
        return {"kty": "RSA", "n": encoded(octets(self.n)), "e": encoded(octets(self.e))}

    def sign(self, alg: str, data: bytes) -> bytes:
        name = f"sha{alg[2:]}"
        message = self.pkcs1(name, data) if alg.startswith("RS") else self.pss(name, data)
        return octets(self.root(message), (self.n.bit_length() + 7) // 8)

    def root(self, message: int) -> int:
        """The signature by the Chinese remainder theorem (RFC 8017, 5.2.1)."""
        parts = [(pow(message, pow(self.e, -1, p - 1), p), p) for p in self.factors]
        return (
            reduce(
                lambda total, part: total + part[0] * (rest := self.n // part[1]) * pow(rest, -1, part[1]),
                parts,
                0,
            )
            % self.n
        )

    def pkcs1(self, name: str, data: bytes) -> int:
        size = (self.n.bit_length() + 7) // 8
        info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.new(name, data).digest()
        return int.from_bytes(b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info, "big")

    def pss(self, name: str, data: bytes) -> int:
        """RFC 8017, 9.1.1, with a fixed salt of the length of the hash."""
        bits = self.n.bit_length() - 1
        size, width = (bits + 7) // 8, hashlib.new(name).digest_size
        salt = hmac.digest(b"salt", data, name)
        proof = hashlib.new(name, bytes(8) + hashlib.new(name, data).digest() + salt).digest()
        block = bytes(size - 2 * width - 2) + b"\1" + salt
        blocks = range(-(-len(block) // width))
        mask = b"".join(hashlib.new(name, proof + octets(count, 4)).digest() for count in blocks)[
            : len(block)
        ]
        masked = int.from_bytes(block, "big") ^ int.from_bytes(mask, "big")
        masked &= (1 << (8 * len(block) - (8 * size - bits))) - 1
        return int.from_bytes(octets(masked, len(block)) + proof + b"\xbc", "big")


class TestEC:
    def point(self, kind: Kind) -> tuple[int, int]:
        key = ec.derive_private_key(7, CURVES[kind]).public_key().public_numbers()
        return key.x, key.y

    def load(self, kind: Kind, x: int, y: int, size: int | None = None) -> JWK:
        size = (FIELDS[kind].bit_length() + 7) // 8 if size is None else size
        members = {"x": encoded(octets(x, size)), "y": encoded(octets(y, size))}
        return JWK.from_json({"kty": "EC", "crv": NAMES[kind]} | members)

    @pytest.mark.parametrize("kind", CURVES)
    def test_points_of_the_curve(self, kind):
        x, y = self.point(kind)
        assert self.load(kind, x, y).curve == NAMES[kind]
        assert self.load(kind, x, FIELDS[kind] - y).bits == FIELDS[kind].bit_length()

    @pytest.mark.parametrize("kind", CURVES)
    def test_points_off_the_curve(self, kind):
        x, y = self.point(kind)
        p = FIELDS[kind]
        for off in ((x, y ^ 1), (x ^ 1, y), (y, x), (0, 0), (0, 1), (1, 0), (p - 1, p - 1), (x, 0)):
            with pytest.raises(InvalidKey, match="not on the curve"):
                self.load(kind, *off)

    @pytest.mark.parametrize("kind", CURVES)
    def test_coordinates_above_the_field(self, kind):
        """SEC 1, 3.2.2.1. A library that reduces them would know one key by two thumbprints."""
        x, y = self.point(kind)
        p, top = FIELDS[kind], 256 ** ((FIELDS[kind].bit_length() + 7) // 8)
        small = next(value for value in small_abscissas(kind) if value + p < top)
        root = abscissa_root(kind, small)
        assert self.load(kind, small, root).kty == "EC"
        for above in ((small + p, root), (p, y), (top - 1, y), (x, top - 1), (x, p), (p + small, top - 1)):
            with pytest.raises(InvalidKey):
                self.load(kind, *above)

    @pytest.mark.parametrize("kind", CURVES)
    @pytest.mark.parametrize("extra", [-1, 1, 32])
    def test_coordinates_have_the_size_of_the_field(self, kind, extra):
        size = (FIELDS[kind].bit_length() + 7) // 8
        x = y = encoded(bytes(size + extra))
        with pytest.raises(InvalidKey, match="size of its curve"):
            JWK.from_json({"kty": "EC", "crv": NAMES[kind], "x": x, "y": y})

    def test_leading_zeros_belong_to_a_coordinate(self):
        """RFC 7518, 6.2.1.2: the length is that of the field, which Java and .NET got wrong for years."""
        short = next(
            key
            for key in map(self.key_of, range(1, 10_000))
            if octets(key.x)[0] and key.x.bit_length() <= 248
        )
        assert self.load(Kind.P256, short.x, short.y).kty == "EC"
        with pytest.raises(InvalidKey, match="size of its curve"):
            JWK.from_json(
                {"kty": "EC", "crv": "P-256", "x": encoded(octets(short.x)), "y": encoded(octets(short.y))}
            )

    def key_of(self, scalar: int) -> ec.EllipticCurvePublicNumbers:
        return ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()


def right_side(kind: Kind, x: int) -> int:
    """x^3 + a x + b, with b from a point that is known to be on the curve."""
    p, a = FIELDS[kind], 0 if kind is Kind.SECP256K1 else -3
    known = ec.derive_private_key(7, CURVES[kind]).public_key().public_numbers()
    b = (known.y**2 - known.x**3 - a * known.x) % p
    return (x**3 + a * x + b) % p


def abscissa_root(kind: Kind, x: int) -> int:
    p = FIELDS[kind]
    return pow(right_side(kind, x), (p + 1) // 4, p)


def small_abscissas(kind: Kind) -> list[int]:
    return [x for x in range(200) if pow(abscissa_root(kind, x), 2, FIELDS[kind]) == right_side(kind, x)]


class TestEdwards:
    @pytest.mark.parametrize("sign", [0, 1])
    @pytest.mark.parametrize("y", [0, 1, P25519 - 1, *ORDER_8])
    def test_small_order_on_edwards25519(self, y, sign):
        with pytest.raises(InvalidKey, match=r"small order|not a point"):
            numbers.check(Kind.ED25519, ((y | sign << 255).to_bytes(32, "little"),))

    @pytest.mark.parametrize("sign", [0, 1])
    @pytest.mark.parametrize("y", [0, 1, P448 - 1])
    def test_small_order_on_edwards448(self, y, sign):
        with pytest.raises(InvalidKey, match=r"small order|not a point"):
            numbers.check(Kind.ED448, ((y | sign << 455).to_bytes(57, "little"),))

    @pytest.mark.parametrize("excess", range(19))
    def test_not_canonical_on_edwards25519(self, excess):
        for sign in (0, 1):
            with pytest.raises(InvalidKey, match="not canonical"):
                numbers.check(Kind.ED25519, ((P25519 + excess | sign << 255).to_bytes(32, "little"),))

    @pytest.mark.parametrize("y", [P448, P448 + 1, 2**448 - 1, 2**448, 2**455 - 1, 5 | 0x7F << 448])
    def test_not_canonical_on_edwards448(self, y):
        for sign in (0, 1):
            with pytest.raises(InvalidKey, match="not canonical"):
                numbers.check(Kind.ED448, ((y | sign << 455).to_bytes(57, "little"),))

    @pytest.mark.parametrize("y", [2, 7, 8])
    def test_off_edwards25519(self, y):
        with pytest.raises(InvalidKey, match="not a point"):
            numbers.check(Kind.ED25519, (y.to_bytes(32, "little"),))

    @pytest.mark.parametrize("y", [2, 6, 10])
    def test_off_edwards448(self, y):
        with pytest.raises(InvalidKey, match="not a point"):
            numbers.check(Kind.ED448, (y.to_bytes(57, "little"),))

    @pytest.mark.parametrize(("kind", "size"), [(Kind.ED25519, 32), (Kind.ED448, 57)])
    def test_sizes(self, kind, size):
        for wrong in (0, 1, size - 1, size + 1, 2 * size):
            with pytest.raises(InvalidKey, match="size"):
                numbers.check(kind, (bytes(wrong),))

    @pytest.mark.parametrize("alg", ["Ed25519", "Ed448"])
    def test_real_keys(self, alg):
        for _ in range(20):
            raw = SigningKey.generate(alg).private_key.public_key().public_bytes_raw()
            kind = Kind.ED25519 if alg == "Ed25519" else Kind.ED448
            assert numbers.check(kind, (raw,)) == 8 * len(raw)

    def test_a_key_of_small_order_would_take_a_signature_of_nobody(self):
        """Why it is refused: this is what a library does with it."""
        neutral = (1).to_bytes(32, "little")
        ed25519.Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), b"any message at all")


class TestObjectsOfCryptography:
    def test_public_keys_keep_their_numbers(self):
        for alg in ("RS256", "ES256", "ES384", "ES512", "ES256K", "Ed25519", "Ed448"):
            key = SigningKey.generate(alg, shared=True)
            loaded = JWK.from_key(key.private_key.public_key())
            assert loaded.thumbprint() == JWK.from_json(key.public_jwk()).thumbprint()

    def test_private_keys_are_refused(self):
        for alg in ("RS256", "ES256", "Ed25519", "Ed448"):
            with pytest.raises(InvalidKey, match="private"):
                numbers.material_of(SigningKey.generate(alg, shared=True).private_key)

    @pytest.mark.parametrize(
        "curve", [ec.SECP224R1(), ec.BrainpoolP256R1(), ec.BrainpoolP384R1()], ids=lambda curve: curve.name
    )
    def test_curves_without_an_algorithm(self, curve):
        with pytest.raises(InvalidKey, match="curve"):
            numbers.material_of(ec.generate_private_key(curve).public_key())

    @pytest.mark.parametrize(
        "key",
        [
            *(None, b"", "key", 5, object()),
            x25519.X25519PrivateKey.generate().public_key(),
            x448.X448PrivateKey.generate().public_key(),
        ],
        ids=lambda key: type(key).__name__,
    )
    def test_what_is_no_verification_key(self, key):
        with pytest.raises(InvalidKey):
            numbers.material_of(key)

    def test_edwards_keys_are_checked_like_all_others(self):
        with pytest.raises(InvalidKey, match="small order"):
            JWK.from_key(ed25519.Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little")))
        with pytest.raises(InvalidKey, match="small order"):
            JWK.from_key(ed448.Ed448PublicKey.from_public_bytes((1).to_bytes(57, "little")))
