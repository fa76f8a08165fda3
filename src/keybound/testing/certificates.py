"""A certificate authority in memory, its client and server certificates, and TLS contexts of them."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keybound.errors import PolicyError
from keybound.testing import _base64url

__all__ = [
    "AnyCertificate",
    "CertificateAuthority",
    "ClientCertificate",
    "ServerCertificate",
    "certificate_der",
    "self_signed_client",
    "thumbprint_of",
]

KeyType: TypeAlias = Literal["ec", "rsa", "ed25519"]
CertificateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
AnyCertificate: TypeAlias = "bytes | str | x509.Certificate | IssuedCertificate"
"""DER octets, PEM text or octets, a ``cryptography`` certificate, or one that was issued here."""

Anchor: TypeAlias = "CertificateAuthority | ClientCertificate"

_CLIENT_AUTH = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL}


def thumbprint_of(der: bytes) -> str:
    """``x5t#S256``: SHA-256 of the DER octets in base64url without padding (RFC 8705, 3.1)."""
    return _base64url.encode(hashlib.sha256(der).digest())


def certificate_der(certificate: AnyCertificate) -> bytes:
    """The DER octets of a certificate in any form. Octets that are not PEM pass as they are.

    :raises PolicyError: the PEM text holds no certificate
    """
    if isinstance(certificate, IssuedCertificate):
        return certificate.der
    if isinstance(certificate, x509.Certificate):
        return certificate.public_bytes(serialization.Encoding.DER)
    data = certificate.encode() if isinstance(certificate, str) else certificate
    if isinstance(certificate, bytes) and not data.lstrip().startswith(b"-----BEGIN "):
        return data
    try:
        return certificate_der(x509.load_pem_x509_certificate(data))
    except ValueError:
        raise PolicyError("the PEM text holds no certificate") from None


@dataclass(frozen=True)
class IssuedCertificate:
    """A certificate together with its private key.

    :ivar certificate: the certificate as a ``cryptography`` object
    :ivar private_key: its private key as a ``cryptography`` object
    """

    certificate: x509.Certificate
    private_key: CertificateKey = field(repr=False)

    @property
    def der(self) -> bytes:
        """The certificate in DER (RFC 5280, 4.1)."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM (RFC 7468, 5)."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def private_key_pem(self) -> bytes:
        """The private key in PEM, PKCS #8, not encrypted (RFC 7468, 10)."""
        return self.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def thumbprint(self) -> str:
        """``x5t#S256`` of the certificate (RFC 8705, 3.1)."""
        return thumbprint_of(self.der)

    def _load_into(self, context: ssl.SSLContext) -> ssl.SSLContext:
        # ssl reads private keys from files only; this one lives in a directory of mode 0700 for one call.
        with tempfile.TemporaryDirectory(prefix="keybound-testing-") as directory:
            chain = Path(directory, "chain.pem")
            chain.write_bytes(self.private_key_pem + self.pem)
            context.load_cert_chain(chain)
        return context


@dataclass(frozen=True)
class ClientCertificate(IssuedCertificate):
    """A TLS client certificate and its private key."""

    def client_context(self, ca: CertificateAuthority) -> ssl.SSLContext:
        """TLS settings of a client that presents this certificate.

        :param ca: issuer of the server's certificate; no other is trusted
        """
        return self._load_into(ca.client_context())


@dataclass(frozen=True)
class ServerCertificate(IssuedCertificate):
    """A TLS server certificate and its private key."""

    def server_context(
        self, ca: Anchor | Iterable[Anchor], *, client_auth: Literal["required", "optional"] = "required"
    ) -> ssl.SSLContext:
        """TLS settings of a server that asks for a client certificate.

        :param ca: whose client certificates are accepted: an authority, a self-signed certificate
            (RFC 8705, 2.2), or several of either
        :param client_auth: whether a client without a certificate is refused in the handshake
        :raises PolicyError: ``client_auth`` is neither of the two
        """
        if client_auth not in _CLIENT_AUTH:
            raise PolicyError("client_auth must be 'required' or 'optional'")
        trusted = [ca] if isinstance(ca, CertificateAuthority | ClientCertificate) else ca
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=_text(trusted))
        context.verify_mode = _CLIENT_AUTH[client_auth]
        return self._load_into(context)


class CertificateAuthority:
    """A root that issues client and server certificates of the form RFC 5280 prescribes.

    :param common_name: its name, at most 64 characters
    :param key_type: kind of its key
    """

    def __init__(self, common_name: str = "Keybound Test CA", *, key_type: KeyType = "ec") -> None:
        self._key = _generate(key_type)
        now = _now()
        self.certificate = _certificate(
            subject=_name(common_name),
            key=self._key,
            issuer=None,
            validity=(now - datetime.timedelta(days=1), now + datetime.timedelta(days=3650)),
            extensions=[
                (x509.BasicConstraints(ca=True, path_length=0), True),
                (_key_usage(certifies=True), True),
            ],
        )

    @property
    def pem(self) -> bytes:
        """The certificate of the authority in PEM (RFC 7468, 5)."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def client_context(self) -> ssl.SSLContext:
        """TLS settings of a client that trusts this authority alone and presents no certificate."""
        return ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=_text([self]))

    def issue_client(
        self,
        common_name: str,
        *,
        key_type: KeyType = "ec",
        lifetime: datetime.timedelta = datetime.timedelta(days=30),
        not_after: datetime.datetime | None = None,
        san_dns: Iterable[str] = (),
        san_uri: Iterable[str] = (),
        san_ip: Iterable[str] = (),
        san_email: Iterable[str] = (),
        subject: str | x509.Name | None = None,
    ) -> ClientCertificate:
        """A client certificate of this authority.

        :param common_name: CN of the subject, unless ``subject`` is given
        :param key_type: P-256, RSA of 2048 bits or Ed25519
        :param lifetime: validity counted from now
        :param not_after: end of the validity, with a time zone, in place of ``lifetime``; may be past
        :param san_dns: subject alternative names (RFC 5280, 4.2.1.6) of this and the next three kinds
        :param subject: whole subject, as RFC 4514 text or a ``cryptography`` name
        :raises ValueError: a name is not one
        """
        key = _generate(key_type)
        certificate = _leaf(
            subject=_name(common_name) if subject is None else _parsed(subject),
            key=key,
            issuer=self,
            not_after=not_after or _now() + lifetime,
            names=_general_names(dns=san_dns, uri=san_uri, ip=san_ip, email=san_email),
            purpose=ExtendedKeyUsageOID.CLIENT_AUTH,
        )
        return ClientCertificate(certificate, key)

    def issue_server(self, *hosts: str, key_type: KeyType = "ec") -> ServerCertificate:
        """A server certificate for ``hosts``, DNS names or IP addresses; ``localhost`` when none is given."""
        key = _generate(key_type)
        hosts = hosts or ("localhost",)
        addresses = [host for host in hosts if _is_address(host)]
        certificate = _leaf(
            subject=_name(hosts[0]),
            key=key,
            issuer=self,
            not_after=_now() + datetime.timedelta(days=30),
            names=_general_names(dns=[host for host in hosts if host not in addresses], ip=addresses),
            purpose=ExtendedKeyUsageOID.SERVER_AUTH,
        )
        return ServerCertificate(certificate, key)

    def __repr__(self) -> str:
        return f"CertificateAuthority({self.certificate.subject.rfc4514_string()!r})"


def self_signed_client(
    common_name: str,
    *,
    key_type: KeyType = "ec",
    lifetime: datetime.timedelta = datetime.timedelta(days=30),
    san_dns: Iterable[str] = (),
) -> ClientCertificate:
    """A client certificate that signed itself (``self_signed_tls_client_auth``, RFC 8705, 2.2).

    :param common_name: CN of subject and issuer
    :param key_type: P-256, RSA of 2048 bits or Ed25519
    :param lifetime: validity counted from now
    :param san_dns: DNS names (RFC 5280, 4.2.1.6)
    :raises ValueError: a name is not one
    """
    key = _generate(key_type)
    certificate = _leaf(
        subject=_name(common_name),
        key=key,
        issuer=None,
        not_after=_now() + lifetime,
        names=_general_names(dns=san_dns),
        purpose=ExtendedKeyUsageOID.CLIENT_AUTH,
    )
    return ClientCertificate(certificate, key)


def _leaf(
    *,
    subject: x509.Name,
    key: CertificateKey,
    issuer: CertificateAuthority | None,
    not_after: datetime.datetime,
    names: list[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
) -> x509.Certificate:
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(certifies=False), True),
        (x509.ExtendedKeyUsage([purpose]), False),
    ]
    if names:
        # RFC 5280, 4.1.2.6: critical when the subject is empty, because nothing else names the holder.
        extensions.append((x509.SubjectAlternativeName(names), not subject.rdns))
    not_before = min(_now(), not_after) - datetime.timedelta(days=1)
    return _certificate(
        subject=subject, key=key, issuer=issuer, validity=(not_before, not_after), extensions=extensions
    )


def _certificate(
    *,
    subject: x509.Name,
    key: CertificateKey,
    issuer: CertificateAuthority | None,
    validity: tuple[datetime.datetime, datetime.datetime],
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    """Sign a certificate with the key of ``issuer``, or with its own ``key`` when there is none."""
    signer = issuer._key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        # RFC 5280, 4.2.1.1 and 4.2.1.2: what VERIFY_X509_STRICT, the default since Python 3.13, insists on.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def _generate(key_type: KeyType) -> CertificateKey:
    if key_type == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if key_type == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if key_type == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    raise PolicyError("key_type must be 'ec', 'rsa' or 'ed25519'")


def _key_usage(*, certifies: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certifies,
        key_cert_sign=certifies,
        crl_sign=certifies,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_names(
    *,
    dns: Iterable[str] = (),
    uri: Iterable[str] = (),
    ip: Iterable[str] = (),
    email: Iterable[str] = (),
) -> list[x509.GeneralName]:
    return [
        *map(x509.DNSName, dns),
        *map(x509.UniformResourceIdentifier, uri),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in ip),
        *map(x509.RFC822Name, email),
    ]


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _parsed(subject: str | x509.Name) -> x509.Name:
    return x509.Name.from_rfc4514_string(subject) if isinstance(subject, str) else subject


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _text(trusted: Iterable[Anchor]) -> str:
    return b"".join(anchor.pem for anchor in trusted).decode("ascii")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
