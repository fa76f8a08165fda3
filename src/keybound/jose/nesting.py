"""What opens the encryption around a signed token (RFC 7519, 2: Nested JWT).

Apart from what decrypts, which validators know by this class alone and load only where it is used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from keybound._hotpath.compact import OpenedWithOldSecret

__all__ = ["OpenedWithOldSecret", "Opener"]


class Opener(ABC):
    """Opens encrypted tokens: :class:`keybound.Decryption`, or what you write to decrypt elsewhere."""

    @abstractmethod
    def open(self, raw: object) -> bytes | int:
        """The compact JWS inside an encrypted token, of which nothing is verified yet; or a reason.

        :param raw: the token as ``str`` or ``bytes``, in the compact serialization alone
        :returns: the signed token, as :class:`OpenedWithOldSecret` where that was the case; or the number of
            the :class:`keybound.Reason` why there is none
        :raises Unavailable: it cannot tell now
        """
