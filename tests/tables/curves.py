"""Affine arithmetic on the curves of the tables, in plain integers: slow, and easy to check by eye."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

Point = tuple[int, int]


@dataclass(frozen=True)
class Curve:
    """y^2 = x^3 + ax + b over the integers mod p, with a generator of prime order n (SEC 2)."""

    library: ec.EllipticCurve
    p: int
    n: int
    a: int
    window: int
    """Bits of a window of the tables."""

    @property
    def octets(self) -> int:
        return (self.p.bit_length() + 7) // 8

    @property
    def windows(self) -> int:
        return -(-(self.p.bit_length() + 1) // self.window)

    def multiple(self, k: int) -> Point:
        """k times the generator; ``k`` is not a multiple of n."""
        numbers = ec.derive_private_key(k % self.n, self.library).public_key().public_numbers()
        return numbers.x, numbers.y

    def add(self, one: Point, other: Point) -> Point:
        """The sum of two points that are neither equal nor opposite."""
        (x1, y1), (x2, y2) = one, other
        slope = (y2 - y1) * pow(x2 - x1, -1, self.p)
        x3 = (slope * slope - x1 - x2) % self.p
        return x3, (slope * (x1 - x3) - y1) % self.p

    def times(self, k: int, point: Point) -> Point:
        """k times any point of order n, for 0 < k < n."""
        result = None
        for bit in reversed(range(k.bit_length())):
            result = result and self.double(result)
            if k >> bit & 1:
                result = self.add(result, point) if result else point
        assert result is not None
        return result

    def double(self, point: Point) -> Point:
        x, y = point
        slope = (3 * x * x + self.a) * pow(2 * y, -1, self.p)
        x3 = (slope * slope - 2 * x) % self.p
        return x3, (slope * (x - x3) - y) % self.p

    def lift(self, x: int) -> Point | None:
        """A point with this x coordinate, if there is one; p is 3 mod 4 on all of these curves."""
        gx, gy = self.multiple(1)
        b = gy * gy - gx**3 - self.a * gx
        square = (x**3 + self.a * x + b) % self.p
        y = pow(square, (self.p + 1) // 4, self.p)
        return (x, y) if y * y % self.p == square else None


CURVES = {
    "ES256": Curve(
        ec.SECP256R1(),
        p=2**256 - 2**224 + 2**192 + 2**96 - 1,
        n=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        a=-3,
        window=7,
    ),
    "ES384": Curve(
        ec.SECP384R1(),
        p=2**384 - 2**128 - 2**96 + 2**32 - 1,
        n=2**384 - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D,
        a=-3,
        window=7,
    ),
    "ES512": Curve(
        ec.SECP521R1(),
        p=2**521 - 1,
        n=2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
        a=-3,
        window=6,
    ),
    "ES256K": Curve(
        ec.SECP256K1(),
        p=2**256 - 2**32 - 977,
        n=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
        a=0,
        window=7,
    ),
}


class Edwards25519:
    """RFC 8032, 5.1: points as (x, y)."""

    p = 2**255 - 19
    order = 2**252 + 27742317777372353535851937790883648493
    d = -121665 * pow(121666, -1, p) % p

    @classmethod
    def add(cls, one: Point, other: Point) -> Point:
        """The sum of any two points: the formula is complete."""
        (x1, y1), (x2, y2) = one, other
        product = cls.d * x1 * x2 * y1 * y2 % cls.p
        x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, cls.p)
        y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, cls.p)
        return x % cls.p, y % cls.p

    @classmethod
    def times(cls, k: int, point: Point) -> Point:
        result = (0, 1)
        for bit in reversed(range(k.bit_length())):
            result = cls.add(result, result)
            if k >> bit & 1:
                result = cls.add(result, point)
        return result

    @classmethod
    def lift(cls, y: int, sign: int) -> Point | None:
        """The point with this y whose x has this lowest bit, if there is one (5.1.3)."""
        square = (y * y - 1) * pow(cls.d * y * y + 1, -1, cls.p) % cls.p
        x = pow(square, (cls.p + 3) // 8, cls.p)
        if (x * x - square) % cls.p:
            x = x * pow(2, (cls.p - 1) // 4, cls.p) % cls.p
        if (x * x - square) % cls.p or (x == 0 and sign):
            return None
        return (x, y) if x & 1 == sign else (cls.p - x, y)

    @classmethod
    def base(cls) -> Point:
        point = cls.lift(4 * pow(5, -1, cls.p) % cls.p, 0)
        assert point is not None
        return point

    @classmethod
    def torsion(cls) -> list[Point]:
        """The eight points whose order divides the cofactor."""
        y = 2
        while True:
            point = cls.lift(y, 0)
            generator = point and cls.times(cls.order, point)
            if generator and cls.times(4, generator) != (0, 1):
                return [cls.times(i, generator) for i in range(8)]
            y += 1

    @staticmethod
    def encode(point: Point) -> bytes:
        x, y = point
        return (y | (x & 1) << 255).to_bytes(32, "little")
