"""The examples of RFC 9493 (subject identifiers), section 3.2."""

from __future__ import annotations

from typing import Any

import pytest

from keybound.testing import FakeIssuer

EXAMPLES: list[dict[str, Any]] = [
    {"format": "account", "uri": "acct:example.user@service.example.com"},
    {"format": "email", "email": "user@example.com"},
    {"format": "iss_sub", "iss": "https://issuer.example.com/", "sub": "145234573"},
    {"format": "opaque", "id": "11112222333344445555"},
    {"format": "phone_number", "phone_number": "+12065550100"},
    {"format": "did", "url": "did:example:123456"},
    {"format": "did", "url": "did:example:123456/did/url/path?versionId=1"},
    {"format": "uri", "uri": "https://user.example.com/"},
    {"format": "uri", "uri": "urn:uuid:4e851e98-83c4-4743-a5da-150ecb53042f"},
    {
        "format": "aliases",
        "identifiers": [
            {"format": "email", "email": "user@example.com"},
            {"format": "phone_number", "phone_number": "+12065550100"},
            {"format": "email", "email": "user+qualifier@example.com"},
        ],
    },
]


@pytest.mark.parametrize("identifier", EXAMPLES, ids=lambda identifier: identifier["format"])
def test_examples(judge_of: Any, identifier: dict[str, Any]) -> None:
    issuer = FakeIssuer()
    judge = judge_of(
        lambda package: package.SecurityEventTokenValidator(
            issuer=issuer.issuer,
            audience="https://receiver.example.com",
            keys=package.JWKSet.from_json(issuer.jwks()),
            algorithms=["ES256"],
        )
    )
    token = judge.accepts(issuer.security_event_token(subject_identifier=identifier))
    assert token.subject_identifier == identifier
