"""Which kind a token is of, for people; the validators themselves ask their rules."""

from __future__ import annotations

from typing import Any

import pytest

import keybound
from keybound.kinds import FOREIGN_MARKERS, LOGOUT_EVENT, TYPES, TokenKind


@pytest.mark.parametrize("typ", TYPES)
def test_a_type_of_its_own_decides(typ: str) -> None:
    """SX-01: by ``typ`` where it exists, whatever the claims look like."""
    for spelled in (typ, typ.upper(), f"application/{typ}"):
        assert keybound.classify({"typ": spelled}, {"htm": "GET", "events": {}}) is TYPES[typ]


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ({"htm": "GET", "htu": "https://rs.example/", "jti": "j"}, TokenKind.DPOP_PROOF),
        ({"events": {LOGOUT_EVENT: {}}, "sub": "u", "nonce": "n"}, TokenKind.LOGOUT_TOKEN),
        ({"events": {"https://example.com/event": {}}, "sub": "u"}, TokenKind.SECURITY_EVENT_TOKEN),
        ({"events": LOGOUT_EVENT}, TokenKind.SECURITY_EVENT_TOKEN),
        ({"token_introspection": {"active": True}}, TokenKind.INTROSPECTION_RESPONSE),
        ({"response_type": "code", "client_id": "c", "nonce": "n"}, TokenKind.REQUEST_OBJECT),
        ({"login_hint": "u", "scope": "openid"}, TokenKind.REQUEST_OBJECT),
        ({"code": "c", "state": "s"}, TokenKind.AUTHORIZATION_RESPONSE),
        ({"error": "access_denied"}, TokenKind.AUTHORIZATION_RESPONSE),
        ({"access_token": "a", "token_type": "bearer"}, TokenKind.AUTHORIZATION_RESPONSE),
        ({"id_token": "a.b.c", "state": "s"}, TokenKind.AUTHORIZATION_RESPONSE),
        ({"iss": "c", "sub": "c", "jti": "j"}, TokenKind.CLIENT_ASSERTION),
        ({"iss": "i", "sub": "u", "nonce": "n"}, TokenKind.ID_TOKEN),
        ({"iss": "i", "sub": "u", "at_hash": "h", "code": "c"}, TokenKind.ID_TOKEN),
        ({"iss": "i", "sub": "u", "client_id": "c"}, TokenKind.ACCESS_TOKEN),
        ({"iss": "i", "sub": "u", "scp": []}, TokenKind.ACCESS_TOKEN),
        ({"iss": "i", "sub": "u", "aud": "a"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "other+jwt"}, {"typ": 5}])
def test_claims_decide_otherwise(header: dict[str, Any], claims: dict[str, Any], kind: Any) -> None:
    """SX-01: by claim shape where there is no type of its own."""
    assert keybound.classify(header, claims) is kind


def test_every_kind_has_its_markers() -> None:
    assert set(FOREIGN_MARKERS) == set(TokenKind)
    assert set(TYPES.values()) <= set(TokenKind)
