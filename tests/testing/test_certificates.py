from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keybound.errors import PolicyError
from keybound.testing import CertificateAuthority, ClientCertificate, self_signed_client, thumbprint_of

KeyType = Literal["ec", "rsa", "ed25519"]
KEY_TYPES: dict[KeyType, type] = {
    "ec": ec.EllipticCurvePrivateKey,
    "rsa": rsa.RSAPrivateKey,
    "ed25519": ed25519.Ed25519PrivateKey,
}


@pytest.fixture(scope="module")
def ca() -> CertificateAuthority:
    return CertificateAuthority()


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, *, host: str = "localhost") -> bytes | None:
    """Make one TLS connection over loopback; what the server saw as the client's certificate, in DER.

    A refusal is raised as the side that refused saw it. The client reads one byte, because in TLS 1.3
    it learns of a refusal only after its own handshake.
    """
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default since Python 3.13
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        serving = pool.submit(serve_one, listener, server)
        try:
            with (
                socket.create_connection(listener.getsockname()) as raw,
                client.wrap_socket(raw, server_hostname=host) as connection,
            ):
                connection.recv(1)
        except ssl.SSLCertVerificationError:
            raise
        except OSError:
            pass  # the server refused, and knows why
        return serving.result()


def serve_one(listener: socket.socket, context: ssl.SSLContext) -> bytes | None:
    raw, _ = listener.accept()
    with raw, context.wrap_socket(raw, server_side=True) as connection:
        connection.sendall(b"!")
        return connection.getpeercert(binary_form=True)


def extension(
    certificate: x509.Certificate, kind: type[x509.ExtensionType]
) -> x509.Extension[x509.ExtensionType]:
    return certificate.extensions.get_extension_for_class(kind)


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_mutual_tls_presents_the_client_certificate(ca: CertificateAuthority, key_type: KeyType) -> None:
    client = ca.issue_client("client-1", key_type=key_type)
    server = ca.issue_server("localhost", key_type=key_type)
    assert handshake(server.server_context(ca), client.client_context(ca)) == client.der


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_authority_of_every_key_type(key_type: KeyType) -> None:
    own = CertificateAuthority("Another CA", key_type=key_type)
    client, server = own.issue_client("client-1"), own.issue_server("127.0.0.1")
    assert handshake(server.server_context(own), client.client_context(own), host="127.0.0.1") == client.der


def test_required_client_certificate_is_required(ca: CertificateAuthority) -> None:
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        handshake(ca.issue_server().server_context(ca), ca.client_context())


def test_optional_client_certificate_is_optional(ca: CertificateAuthority) -> None:
    client, server = ca.issue_client("client-1"), ca.issue_server()
    assert handshake(server.server_context(ca, client_auth="optional"), ca.client_context()) is None
    assert (
        handshake(server.server_context(ca, client_auth="optional"), client.client_context(ca)) == client.der
    )


@pytest.mark.parametrize("client_auth", ["required", "optional"])
def test_untrusted_client_certificate_is_refused(
    ca: CertificateAuthority, client_auth: Literal["required", "optional"]
) -> None:
    server = ca.issue_server().server_context(ca, client_auth=client_auth)
    for stranger in (CertificateAuthority().issue_client("client-1"), self_signed_client("client-1")):
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(server, stranger.client_context(ca))


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_self_signed_client_is_accepted_when_trusted(ca: CertificateAuthority, key_type: KeyType) -> None:
    client = self_signed_client("client-1", key_type=key_type)
    server = ca.issue_server().server_context(client)
    assert handshake(server, client.client_context(ca)) == client.der


def test_several_trust_anchors(ca: CertificateAuthority) -> None:
    alone, issued = self_signed_client("client-1"), CertificateAuthority().issue_client("client-1")
    server = ca.issue_server().server_context([ca, alone])
    for client in (alone, ca.issue_client("client-2")):
        assert handshake(server, client.client_context(ca)) == client.der
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, issued.client_context(ca))


def test_server_of_another_name_or_authority_is_refused(ca: CertificateAuthority) -> None:
    client = ca.issue_client("client-1")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(ca.issue_server("rs.example.com").server_context(ca), client.client_context(ca))
    stranger = CertificateAuthority().issue_server()
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(stranger.server_context(ca), client.client_context(ca))


def test_expired_client_certificate_is_refused(ca: CertificateAuthority) -> None:
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)
    expired = ca.issue_client("client-1", not_after=past)
    assert expired.certificate.not_valid_after_utc == past
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        handshake(ca.issue_server().server_context(ca), expired.client_context(ca))


def test_lifetime(ca: CertificateAuthority) -> None:
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    end = ca.issue_client("c", lifetime=datetime.timedelta(hours=2)).certificate.not_valid_after_utc
    after = datetime.datetime.now(datetime.timezone.utc)
    assert before <= end - datetime.timedelta(hours=2) <= after


def test_private_key_leaves_no_file_behind(
    ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    ca.issue_client("client-1").client_context(ca)
    ca.issue_server().server_context(ca)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_forms_of_one_certificate(ca: CertificateAuthority, key_type: KeyType) -> None:
    client = ca.issue_client("client-1", key_type=key_type)
    assert isinstance(client.private_key, KEY_TYPES[key_type])
    assert x509.load_der_x509_certificate(client.der) == client.certificate
    assert x509.load_pem_x509_certificate(client.pem) == client.certificate
    loaded = serialization.load_pem_private_key(client.private_key_pem, password=None)
    assert loaded.public_key() == client.certificate.public_key()
    assert client.thumbprint == thumbprint_of(client.der)
    assert "private" not in repr(client)


def test_thumbprint_reproduces_the_digest() -> None:
    client = self_signed_client("client-1")
    fingerprint = hashlib.sha256(client.der).hexdigest()
    octets = base64.urlsafe_b64decode(client.thumbprint + "=")
    assert len(client.thumbprint) == 43
    assert octets.hex() == fingerprint


def test_subject_alternative_names(ca: CertificateAuthority) -> None:
    client = ca.issue_client(
        "client-1",
        san_dns=["client.example.com"],
        san_uri=["urn:example:client"],
        san_ip=["192.0.2.1", "2001:db8::1"],
        san_email=["client@example.com"],
    )
    names = client.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert not names.critical
    assert names.value.get_values_for_type(x509.DNSName) == ["client.example.com"]
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:example:client"]
    assert names.value.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("192.0.2.1"),
        ipaddress.ip_address("2001:db8::1"),
    ]
    assert names.value.get_values_for_type(x509.RFC822Name) == ["client@example.com"]


def test_no_names_no_extension(ca: CertificateAuthority) -> None:
    with pytest.raises(x509.ExtensionNotFound):
        extension(ca.issue_client("client-1").certificate, x509.SubjectAlternativeName)


def test_subject(ca: CertificateAuthority) -> None:
    (name,) = ca.issue_client("client-1").certificate.subject
    assert (name.oid, name.value) == (NameOID.COMMON_NAME, "client-1")
    text = "CN=a\\, b,OU=x,O=Example,C=DE"
    assert ca.issue_client("unused", subject=text).certificate.subject.rfc4514_string() == text
    empty = ca.issue_client("unused", subject=x509.Name([]), san_dns=["client.example.com"])
    assert extension(empty.certificate, x509.SubjectAlternativeName).critical
    assert handshake(ca.issue_server().server_context(ca), empty.client_context(ca)) == empty.der


def test_extensions_of_rfc_5280(ca: CertificateAuthority) -> None:
    leaf = ca.issue_client("client-1").certificate
    root = ca.certificate
    leaf.verify_directly_issued_by(root)
    assert extension(root, x509.BasicConstraints) == x509.Extension(
        x509.BasicConstraints.oid, True, x509.BasicConstraints(ca=True, path_length=0)
    )
    usage = root.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.key_identifier
    authority = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert authority.key_identifier == identifier
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_purposes(ca: CertificateAuthority) -> None:
    for certificate, purpose in (
        (ca.issue_client("c").certificate, ExtendedKeyUsageOID.CLIENT_AUTH),
        (self_signed_client("c").certificate, ExtendedKeyUsageOID.CLIENT_AUTH),
        (ca.issue_server().certificate, ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [purpose]


def test_server_names(ca: CertificateAuthority) -> None:
    server = ca.issue_server("rs.example.com", "127.0.0.1", "::1").certificate
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["rs.example.com"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["127.0.0.1", "::1"]


def test_two_certificates_of_one_name_differ(ca: CertificateAuthority) -> None:
    makers: list[Callable[[str], ClientCertificate]] = [ca.issue_client, self_signed_client]
    for make in makers:
        first, second = make("client-1"), make("client-1")
        assert first.certificate.serial_number != second.certificate.serial_number
        assert first.thumbprint != second.thumbprint


def test_impossible_options(ca: CertificateAuthority) -> None:
    with pytest.raises(PolicyError):
        ca.issue_client("client-1", key_type="dsa")  # type: ignore[arg-type]
    with pytest.raises(PolicyError):
        ca.issue_server().server_context(ca, client_auth="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not an address"):
        ca.issue_client("client-1", san_ip=["not an address"])
