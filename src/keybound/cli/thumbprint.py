"""``keybound thumbprint``: the names by which certificates and keys are bound to tokens."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from keybound.binding import PresentedCertificate
from keybound.cli.inputs import Command, Document
from keybound.cli.output import json_option, show, show_facts
from keybound.errors import BindingRejected, PolicyError
from keybound.jose import numbers
from keybound.jose.jwk import JWK
from keybound.jose.jwk_set import JWKSet

__all__ = ["thumbprint"]


@click.command(cls=Command)
@click.argument("file", type=Document())
@json_option
def thumbprint(file: bytes, as_json: bool) -> int:
    """Print the thumbprint of a certificate or key.

    A certificate (PEM, DER): x5t#S256 (RFC 8705). A key (JWK, JWK Set, PEM, DER): its JWK thumbprint
    (RFC 7638) and the URI of that (RFC 9278). FILE may be - for standard input.
    """
    found = _recognize(file)
    certificate = found if isinstance(found, PresentedCertificate) else None
    keys = found if isinstance(found, JWKSet) else None
    document = {
        "certificate": _of_certificate(certificate) if certificate else None,
        "keys": [_of_key(key) for key in keys] if keys else [],
        "skipped": dict(keys.skipped) if keys else {},
    }
    show(document, lambda screen: _render(screen, document), as_json=as_json)
    return 0


def _recognize(data: bytes) -> PresentedCertificate | JWKSet:
    """What the file holds, by how it begins.

    :raises PolicyError: nothing that has a thumbprint
    """
    if data.lstrip()[:1] == b"{":
        return JWKSet.from_json(data)
    try:
        if b"-----BEGIN CERTIFICATE-----" in data:
            return PresentedCertificate.from_pem(data)
        if b"-----BEGIN " in data:
            return JWKSet.from_pem(data)
        # Any DER has a hash; only that of a certificate or key means something.
        loaded = numbers.load_der(data)
        if loaded is not None:
            return _from_object(loaded)
    except BindingRejected:
        raise PolicyError("this is not exactly one certificate in PEM") from None
    raise PolicyError("this is not a certificate, a public key, a JWK or a JWK Set")


def _from_object(loaded: Any) -> PresentedCertificate | JWKSet:
    try:
        return PresentedCertificate.from_certificate(loaded)
    except BindingRejected:
        return JWKSet.from_key(loaded)


def _of_certificate(certificate: PresentedCertificate) -> dict[str, str]:
    return {"x5t#S256": certificate.thumbprint, "sha256": certificate.digest.hex()}


def _of_key(key: JWK) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "kty": key.kty,
        "crv": key.curve,
        "bits": key.bits,
        "thumbprint": key.thumbprint(),
        "uri": key.thumbprint_uri(),
    }


def _render(screen: Console, document: dict[str, Any]) -> None:
    if document["certificate"]:
        show_facts(screen, document["certificate"].items())
    for position, key in enumerate(document["keys"]):
        if position:
            screen.print()
        show_facts(screen, ((name, str(value)) for name, value in key.items() if value is not None))
    for why, count in document["skipped"].items():
        screen.print(f"Skipped {count}: {why}", style="warn")
