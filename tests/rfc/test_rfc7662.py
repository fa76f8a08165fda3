"""The examples of introspection answers: RFC 7662 section 2.2, RFC 8705 section 3.2, RFC 9701 section 5."""

from __future__ import annotations

import json
from typing import Any

from keybound.errors import Reason
from keybound.testing import CertificateAuthority, FakeClock, FakeIssuer

ACTIVE = """
     {
      "active": true,
      "client_id": "l238j323ds-23ij4",
      "username": "jdoe",
      "scope": "read write dolphin",
      "sub": "Z5O3upPC88QrAjx00dis",
      "aud": "https://protected.example.net/resource",
      "iss": "https://server.example.com/",
      "exp": 1419356238,
      "iat": 1419350238,
      "extension_field": "twenty-seven"
     }
"""
INACTIVE = """
     {
      "active": false
     }
"""
BOUND = """
     {
       "active": true,
       "iss": "https://server.example.com",
       "sub": "ty.webb@example.com",
       "exp": 1493726400,
       "nbf": 1493722800,
       "cnf":{
         "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"
       }
     }
"""
SIGNED = {
    "iss": "https://as.example.com/",
    "aud": "https://rs.example.com/resource",
    "iat": 1514797892,
    "token_introspection": {
        "active": True,
        "iss": "https://as.example.com/",
        "aud": "https://rs.example.com/resource",
        "iat": 1514797822,
        "exp": 1514797942,
        "client_id": "paiB2goo0a",
        "scope": "read write dolphin",
        "sub": "Z5O3upPC88QrAjx00dis",
        "birthdate": "1982-02-01",
        "given_name": "John",
        "family_name": "Doe",
        "jti": "t1FoCCaZd4Xv4ORJUWVUeTZfsKhW30CQCrWDDjwXy6w",
    },
}


def judge_at(judge_of: Any, now: float, **usual: Any) -> Any:
    return judge_of(
        lambda package, **options: package.IntrospectionResponseValidator(
            **usual | {"clock": FakeClock(now)} | options
        )
    )


def test_rfc_7662_section_2_2(judge_of: Any) -> None:
    parties = {"issuer": "https://server.example.com/", "audience": "https://protected.example.net/resource"}
    judge = judge_at(judge_of, 1419350238, **parties)
    token = judge.accepts(ACTIVE, options={"scopes": "dolphin"})
    assert (token.username, token.client_id) == ("jdoe", "l238j323ds-23ij4")
    assert token.scopes == {"read", "write", "dolphin"}
    assert token.claims["extension_field"] == "twenty-seven"
    judge.rejects(INACTIVE, Reason.TOKEN_INACTIVE)
    judge.rejects(ACTIVE, Reason.TOKEN_EXPIRED, options={"clock": FakeClock(1419356248)})
    judge.rejects(ACTIVE, Reason.CNF_MISSING, options={"binding": "required"})


def test_rfc_8705_section_3_2(judge_of: Any) -> None:
    """S001-07: the thumbprint of the example is not canonical, here as in a token (RFC 4648, 3.5)."""
    judge = judge_at(
        judge_of, 1493722800, issuer="https://server.example.com", audience="https://rs.example.com"
    )
    client = CertificateAuthority().issue_client("client")
    for certificate in (None, client.der):
        judge.rejects(BOUND, Reason.CNF_THUMBPRINT_NOT_CANONICAL, certificate=certificate)
    members = json.loads(BOUND)
    members["cnf"]["x5t#S256"] = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0"
    judge.rejects(members, Reason.CERTIFICATE_MISSING)
    judge.rejects(members, Reason.CERTIFICATE_MISMATCH, certificate=client.der)
    members["cnf"]["x5t#S256"] = client.thumbprint
    assert judge.accepts(members, certificate=client.der).subject == "ty.webb@example.com"


def test_rfc_9701_section_5(judge_of: Any) -> None:
    server = FakeIssuer("https://as.example.com/", alg="RS256")

    def make(package: Any, **options: Any) -> Any:
        usual = {
            "issuer": "https://as.example.com/",
            "audience": "https://rs.example.com/resource",
            "keys": package.JWKSet.from_json(server.jwks()),
            "algorithms": ["RS256"],
            "clock": FakeClock(1514797892),
        }
        return package.IntrospectionResponseValidator(**usual | options)

    judge = judge_of(make)
    raw = server.sign(SIGNED, typ="token-introspection+jwt")
    token = judge.accepts(raw)
    assert token.claims == SIGNED["token_introspection"]
    assert (token.claims["given_name"], token.expires_at) == ("John", 1514797942)
    # The token inside ends before the answer is too old.
    judge.rejects(raw, Reason.TOKEN_EXPIRED, options={"clock": FakeClock(1514797952)})
    judge.rejects(server.sign(SIGNED, typ="JWT"), Reason.TYP_NOT_ALLOWED)
