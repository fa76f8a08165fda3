"""Examples of RFC 9396 (Rich Authorization Requests), 2.2 and 9.1, as a resource server meets them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from keybound.testing import FakeClock, SigningKey, make_token

KEY = SigningKey.generate("ES256")
PAYMENT = "https://scheme.example.com/payment_initiation"
# 9.1.
CLAIMS: dict[str, Any] = {
    "iss": "https://as.example.com",
    "sub": "24400320",
    "aud": "a7AfcPcsl2",
    "exp": 1311281970,
    "acr": "psd2_sca",
    "txn": "8b4729cc-32e4-4370-8cf0-5796154d1296",
    "authorization_details": [
        {
            "type": PAYMENT,
            "actions": ["initiate", "status", "cancel"],
            "locations": ["https://example.com/payments"],
            "instructedAmount": {"currency": "EUR", "amount": "123.50"},
            "creditorName": "Merchant A",
            "creditorAccount": {"iban": "DE02100100109307118603"},
            "remittanceInformationUnstructured": "Ref Number Merchant",
        }
    ],
    "debtorAccount": {"iban": "DE40100100103307118608", "user_role": "owner"},
}
# 2.2: "The client is asking for read access to the contacts and write access to the photos".
APART = [
    {
        "type": "customer_information",
        "locations": ["https://example.com/customers"],
        "actions": ["read"],
        "datatypes": ["contacts"],
    },
    {
        "type": "customer_information",
        "locations": ["https://example.com/customers"],
        "actions": ["write"],
        "datatypes": ["photos"],
    },
]


def verdict(package: ModuleType, claims: dict[str, Any], **demanded: Any) -> tuple[str, Any]:
    """The code of the reason, and the token where it is accepted."""
    validator = package.AccessTokenValidator(
        issuer="https://as.example.com",
        audience="a7AfcPcsl2",
        keys=package.JWKSet.from_json(KEY.public_jwk()),
        algorithms=["ES256"],
        clock=FakeClock(1311281970 - 60),
    )
    token = validator.validate(make_token({"alg": "ES256", "kid": KEY.kid}, claims, KEY))
    pattern = package.AuthorizationDetails(**demanded)
    try:
        validator.require(token, package.Demands(acr_values="psd2_sca", authorization_details=pattern))
    except package.TokenRejected as rejected:
        return str(rejected.reason), None
    return "ok", token


def test_the_payment(package: ModuleType) -> None:
    found, token = verdict(
        package, CLAIMS, type=PAYMENT, actions="initiate", locations="https://example.com/payments"
    )
    assert found == "ok"
    # What only the interface knows about, it reads for itself.
    (payment,) = token.authorization_details(PAYMENT)
    assert payment["instructedAmount"] == {"currency": "EUR", "amount": "123.50"}


@pytest.mark.parametrize(
    "demanded",
    [
        {"type": "payment_initiation", "actions": "initiate"},
        {"type": PAYMENT, "actions": "refund"},
        {"type": PAYMENT, "locations": "https://example.com/accounts"},
    ],
)
def test_what_the_payment_does_not_grant(package: ModuleType, demanded: dict[str, str]) -> None:
    assert verdict(package, CLAIMS, **demanded)[0] == "authorization_details_insufficient"


@pytest.mark.parametrize(
    ("actions", "datatypes", "found"),
    [
        ("read", "contacts", "ok"),
        ("write", "photos", "ok"),
        ("write", "contacts", "authorization_details_insufficient"),
        ("read", "photos", "authorization_details_insufficient"),
    ],
)
def test_objects_grant_apart(package: ModuleType, actions: str, datatypes: str, found: str) -> None:
    claims = CLAIMS | {"authorization_details": APART}
    demanded = {"type": "customer_information", "actions": actions, "datatypes": datatypes}
    assert verdict(package, claims, **demanded)[0] == found
