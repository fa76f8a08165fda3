"""What the demo sends, and what has to come of it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from keybound._hotpath import base64url
from keybound.cli.demo.resource import Answer, call, serve
from keybound.errors import Reason, rejection
from keybound.jose.jwk_set import JWKSet
from keybound.testing import CertificateAuthority, ClientCertificate, FakeIssuer, SigningKey, make_token
from keybound.tokens.access_token import AccessTokenValidator

__all__ = ["ALGORITHMS", "AUDIENCE", "Case", "Outcome", "run_cases"]

ALGORITHMS = ("PS256", "ES256")
AUDIENCE = "https://rs.example.org/"


@dataclass(frozen=True)
class Case:
    """A request and the verdict it must meet."""

    name: str
    token: str
    context: ssl.SSLContext
    expected: Reason


@dataclass(frozen=True)
class Outcome:
    """A case and the answer it got."""

    case: Case
    answer: Answer

    @property
    def as_expected(self) -> bool:
        """Whether status, reason and challenge are all the right ones."""
        if self.case.expected is Reason.OK:
            return self.answer == Answer(200, Reason.OK.code, None)
        challenge = rejection(self.case.expected).challenge()
        return self.answer == Answer(401, self.case.expected.code, challenge)


def run_cases() -> list[Outcome]:
    """Make all parties in memory, start the resource server, and send it every case."""
    authority = CertificateAuthority("Keybound Demo CA")
    issuer = FakeIssuer("https://as.example.com", alg=ALGORITHMS[0])
    validator = AccessTokenValidator(
        issuer=issuer.issuer, audience=AUDIENCE, keys=JWKSet.from_json(issuer.jwks()), algorithms=ALGORITHMS
    )
    # Optional, so that a request without a certificate reaches the validator.
    context = authority.issue_server("127.0.0.1").server_context(authority, client_auth="optional")
    cases = _cases(authority, issuer)
    with serve(context, validator) as port:
        return [Outcome(case, call(port, case.context, case.token)) for case in cases]


def _cases(authority: CertificateAuthority, issuer: FakeIssuer) -> list[Case]:
    client, thief = authority.issue_client("client-1"), authority.issue_client("client-2")
    own, stolen, bare = (
        client.client_context(authority),
        thief.client_context(authority),
        authority.client_context(),
    )

    def token(**changes: object) -> str:
        return issuer.access_token(**({"audience": AUDIENCE, "certificate": client} | changes))  # type: ignore[arg-type]

    good = token()
    return [
        Case("the client's own token and certificate", good, own, Reason.OK),
        Case("the same token, another client's certificate", good, stolen, Reason.CERTIFICATE_MISMATCH),
        Case("the same token, no certificate", good, bare, Reason.CERTIFICATE_MISSING),
        Case("an expired token", token(lifetime=-60), own, Reason.TOKEN_EXPIRED),
        Case(
            "a token for another audience", token(audience="https://other.example/"), own, Reason.AUD_MISMATCH
        ),
        Case("one bit of the payload flipped", _with_flipped_bit(good), own, Reason.SIGNATURE_INVALID),
        Case("HS256 with the public key as secret", _confused(issuer, client), own, Reason.ALG_NOT_ALLOWED),
        Case("a kid that nobody published", token(header={"kid": "unknown"}), own, Reason.KEY_UNKNOWN),
        Case("a crit that demands the unknown", token(header=_CRITICAL), own, Reason.CRIT_UNSUPPORTED),
    ]


_CRITICAL = {"crit": ["urn:example:policy"], "urn:example:policy": 1}


def _with_flipped_bit(token: str) -> str:
    """``user-1`` becomes ``user-0``: the lowest bit of one character (RFC 7515, 5.2 must notice)."""
    header, payload, signature = token.split(".")
    claims = (base64url.decode(payload) or b"").replace(b'"user-1"', b'"user-0"')
    return make_token(header, claims, None, signature=signature)


def _confused(issuer: FakeIssuer, client: ClientCertificate) -> str:
    """A token "signed" with what everybody can download (RFC 8725, 2.1)."""
    key = SigningKey("HS256", issuer.key.public_pem(), kid=issuer.key.kid)
    return issuer.access_token(audience=AUDIENCE, certificate=client, key=key)
