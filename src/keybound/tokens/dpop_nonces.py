"""Nonces for DPoP proofs that need no memory: any process with the secret recognises them."""

from __future__ import annotations

from collections.abc import Iterable
from hmac import compare_digest, digest
from typing import NoReturn

from keybound._hotpath import base64url
from keybound.clock import Clock, checked, system_clock
from keybound.errors import PolicyError, Unavailable

__all__ = ["DPoPNonces"]

_TIME_BYTES = 6
_TAG_BYTES = 16
_SECRET_BYTES = 32
_PURPOSE = b"keybound DPoP nonce 1"
_LONGEST = 86_400
_SKEW = 10
"""Seconds by which the clocks of two processes may differ."""


class DPoPNonces:
    """Issues nonces and recognises them (RFC 9449, 8 and 9): a time and its HMAC. Immutable.

    Resource and authorization servers need secrets of their own, because a nonce is good only where it
    was issued.

    :param secrets: 32 random bytes or more; several for a rotation: the first makes new nonces, all recognise
    :param lifetime: seconds for which a nonce is good
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :raises PolicyError: a secret is too short, or ``lifetime`` is not between one second and one day
    """

    def __init__(
        self, secrets: bytes | Iterable[bytes], *, lifetime: float = 300, clock: Clock = system_clock
    ) -> None:
        if isinstance(secrets, bytes):
            secrets = [secrets]
        given = list(secrets) if isinstance(secrets, Iterable) else []
        if not given or not all(type(one) is bytes and len(one) >= _SECRET_BYTES for one in given):
            raise PolicyError(f"secrets must be {_SECRET_BYTES} random bytes or more, or a list of such")
        if type(lifetime) not in (int, float) or not 1 <= lifetime <= _LONGEST:
            raise PolicyError(f"lifetime of a nonce must be a number of seconds from 1 to {_LONGEST}")
        self._secrets = tuple(given)
        self._lifetime = lifetime
        self._clock = checked(clock)

    def __repr__(self) -> str:
        return f"<keybound.DPoPNonces {self._lifetime} seconds>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets cannot be pickled")

    def issue(self) -> str:
        """A new nonce for the response header ``DPoP-Nonce``, 30 characters."""
        time = self._now().to_bytes(_TIME_BYTES, "big")
        return base64url.encode(time + _tag(self._secrets[0], time))

    def recognizes(self, nonce: object) -> bool:
        """Whether ``nonce`` was issued here, or elsewhere with a secret of these, and is still good."""
        data = base64url.decode(nonce) if isinstance(nonce, str) and nonce.isascii() else None
        if data is None or len(data) != _TIME_BYTES + _TAG_BYTES:
            return False
        time, tag = data[:_TIME_BYTES], data[_TIME_BYTES:]
        # No early exit: the time tells nothing about which secret it was.
        known = sum(compare_digest(tag, _tag(secret, time)) for secret in self._secrets)
        age = self._now() - int.from_bytes(time, "big")
        return known > 0 and -_SKEW <= age <= self._lifetime

    def _now(self) -> int:
        now = self._clock()
        if not 0 <= now < 1 << 8 * _TIME_BYTES:
            raise Unavailable("the clock did not answer with a number of seconds")
        return int(now)


def _tag(secret: bytes, time: bytes) -> bytes:
    return digest(secret, _PURPOSE + time, "sha256")[:_TAG_BYTES]
