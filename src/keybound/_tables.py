"""Tables of hot keys: how much memory they may take, and which keys earn one."""

from __future__ import annotations

from keybound._hotpath import signature
from keybound.errors import PolicyError

__all__ = ["configure_tables"]


def configure_tables(*, memory_bytes: int, uses: int = 16) -> None:
    """Bound the tables of multiples of hot keys, for the whole process.

    A key that has verified ``uses`` signatures gets a table (152 KB for P-256), which makes each
    further verification several times cheaper; the one that was idle longest makes room. Tables
    above a lowered bound go when the next one is built. In pure Python there are none.

    :param memory_bytes: memory of all tables together; 0 for no tables
    :param uses: signatures after which a key is hot
    :raises PolicyError: a value is not a whole number, or out of range
    """
    for name, value, least, most in (
        ("memory_bytes", memory_bytes, 0, 2**40),
        ("uses", uses, 1, 2**31),
    ):
        if type(value) is not int or not least <= value <= most:
            raise PolicyError(f"{name} must be a whole number from {least} to {most}")
    signature.configure_tables(memory_bytes, uses)
