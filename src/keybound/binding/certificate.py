"""The client certificate of a request, reduced to the one fact that binding needs: its SHA-256.

Nothing here parses X.509. The TLS handshake proved possession, and the hash names the
certificate (RFC 8705, 3); issuer, validity and extensions do not matter on this path.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from keybound._hotpath import base64url, digest
from keybound.errors import BindingRejected, Reason

if TYPE_CHECKING:
    from cryptography import x509

    Certificate: TypeAlias = "bytes | str | PresentedCertificate | x509.Certificate"

__all__ = ["PresentedCertificate", "proof_of", "thumbprint"]

_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_DIGEST_BYTES = 32
_MAX_CERTIFICATE_BYTES = 64 * 1024


class PresentedCertificate:
    """A client certificate, known by its SHA-256. Immutable.

    :ivar digest: SHA-256 of the DER certificate, 32 bytes
    """

    __slots__ = ("digest",)

    digest: bytes

    def __init__(self, digest_: bytes) -> None:
        """:param digest_: an already verified SHA-256 of the certificate, 32 bytes

        :raises BindingRejected: it is not 32 bytes, or the hash of nothing
        """
        if type(digest_) is not bytes or len(digest_) != _DIGEST_BYTES or digest_ == digest.sha2(256, b""):
            raise BindingRejected(Reason.CERTIFICATE_INVALID)
        object.__setattr__(self, "digest", digest_)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a presented certificate is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a presented certificate is immutable")

    def __reduce__(self) -> tuple[type[PresentedCertificate], tuple[bytes]]:
        return PresentedCertificate, (self.digest,)

    def __repr__(self) -> str:
        return f"<keybound.PresentedCertificate {self.thumbprint}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PresentedCertificate) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def thumbprint(self) -> str:
        """The ``x5t#S256`` value (RFC 8705, 3.1), 43 characters."""
        return base64url.encode(self.digest)

    @classmethod
    def from_der(cls, der: bytes) -> PresentedCertificate:
        """A certificate as the TLS layer gives it, such as ``SSLSocket.getpeercert(True)``.

        :raises BindingRejected: it is not exactly one DER SEQUENCE
        """
        if isinstance(der, bytes) and len(der) <= _MAX_CERTIFICATE_BYTES:
            # The hot path takes no subclass.
            hashed = digest.certificate_thumbprint(bytes(der))
            if hashed is not None:
                return cls(hashed)
        raise BindingRejected(Reason.CERTIFICATE_INVALID)

    @classmethod
    def from_pem(cls, pem: str | bytes) -> PresentedCertificate:
        """Exactly one PEM certificate, with any white space between the base64 groups (RFC 7468, 3 lax).

        :raises BindingRejected: it is anything else
        """
        text = pem.decode("latin-1") if isinstance(pem, bytes) else pem
        match = (
            _PEM.fullmatch(text)
            if isinstance(text, str) and len(text) <= 2 * _MAX_CERTIFICATE_BYTES
            else None
        )
        der = _strict_base64("".join(match[1].split())) if match else None
        if der is None:
            raise BindingRejected(Reason.CERTIFICATE_INVALID)
        return cls.from_der(der)

    @classmethod
    def from_sha256(cls, value: bytes | str) -> PresentedCertificate:
        """An already verified SHA-256, as proxies hand it on: 32 bytes, hexadecimal, base64 or base64url.

        The three texts cannot be confused: 64 hexadecimal digits; 43 or 44 characters else.

        :raises BindingRejected: it is none of these, or the hash of nothing
        """
        if isinstance(value, str):
            value = _digest_of_text(value)
        return cls(value)

    @classmethod
    def from_certificate(cls, certificate: x509.Certificate) -> PresentedCertificate:
        """A certificate object of ``cryptography``.

        :raises BindingRejected: it is not one
        """
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        if not isinstance(certificate, x509.Certificate):
            raise BindingRejected(Reason.CERTIFICATE_INVALID)
        return cls.from_der(certificate.public_bytes(Encoding.DER))


def proof_of(certificate: Certificate | None) -> bytes | None:
    """What the hot path compares: the certificate in DER, or its SHA-256.

    :param certificate: DER or PEM bytes, PEM text, a SHA-256 (see
        :meth:`PresentedCertificate.from_sha256`), an ``x509.Certificate``, a
        :class:`PresentedCertificate`, or ``None``
    :returns: no bytes at all for anything else: whether a malformed certificate matters depends on
        the token, and the hot path rejects a bound one
    """
    if certificate is None:
        return None
    if (
        type(certificate) is bytes
        and certificate[:1] == b"0"
        and _DIGEST_BYTES < len(certificate) <= _MAX_CERTIFICATE_BYTES
    ):
        return certificate  # hashed by the hot path, and only if the token is bound
    try:
        return presented(certificate).digest
    except BindingRejected:
        return b""


def presented(certificate: Certificate) -> PresentedCertificate:
    """``certificate`` in any of the forms of :func:`proof_of`, as one object."""
    if isinstance(certificate, PresentedCertificate):
        return certificate
    if isinstance(certificate, bytes):
        if len(certificate) == _DIGEST_BYTES:
            return PresentedCertificate.from_sha256(certificate)
        is_pem = b"-----BEGIN" in certificate[:64]
        return (
            PresentedCertificate.from_pem(certificate)
            if is_pem
            else PresentedCertificate.from_der(certificate)
        )
    if isinstance(certificate, str):
        is_pem = "-----BEGIN" in certificate[:64]
        return (
            PresentedCertificate.from_pem(certificate)
            if is_pem
            else PresentedCertificate.from_sha256(certificate)
        )
    return PresentedCertificate.from_certificate(certificate)


def thumbprint(certificate: Certificate) -> str:
    """The ``x5t#S256`` of a client certificate: base64url of the SHA-256 of its DER (RFC 8705, 3.1).

    :param certificate: as for :func:`proof_of`
    :returns: 43 characters without padding
    :raises BindingRejected: it is not a certificate

    >>> thumbprint("5e421c241ae8f3c592248f67e2b92ad35c87397a5a2c8a58d6c5de248d8ec9df")
    'XkIcJBro88WSJI9n4rkq01yHOXpaLIpY1sXeJI2Oyd8'
    """
    return presented(certificate).thumbprint


def _digest_of_text(text: str) -> bytes:
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    if len(text) == 44 and ("+" in text or "/" in text):
        return _strict_base64(text) or b""
    unpadded = text[:-1] if len(text) == 44 and text[-1] == "=" else text
    if len(unpadded) != 43:
        return b""
    if "+" in unpadded or "/" in unpadded:
        return _strict_base64(unpadded + "=") or b""
    return base64url.decode(unpadded) or b""


def _strict_base64(text: str) -> bytes | None:
    """Canonical base64 with padding (RFC 4648, 4 and 3.5), or ``None``."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None
