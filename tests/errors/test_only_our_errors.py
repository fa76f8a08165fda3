"""Whatever is put in, nothing but a ``KeyboundError`` comes out: no TypeError, no RecursionError, no crash.

Values of any type go into every public callable, in every place where a caller puts what came from
elsewhere or what an operator wrote.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import decimal
import enum
import fractions
import functools
import inspect
import json
import types
import uuid
from typing import Any

import pytest

pytest.importorskip("hypothesis")

from hypothesis import example, given
from hypothesis import strategies as st

import keybound
from keybound import (
    JWK,
    AccessTokenValidator,
    AuthorizationDetails,
    AuthorizationResponseValidator,
    CacheSettings,
    Decryption,
    DecryptionKey,
    DecryptionKeys,
    Demands,
    JWKSet,
    Limits,
    PresentedCertificate,
    jwe,
    jws,
)
from keybound.errors import Reason, rejection
from keybound.testing import (
    EncryptionKey,
    FakeClient,
    FakeIssuer,
    SigningKey,
    dpop_proof,
    encrypt_jwe,
    encrypt_jwe_json,
)


class Colour(str, enum.Enum):
    RED = "red"


class Text(str):
    pass


class Octets(bytes):
    pass


def deep(levels: int, kind: type = list) -> Any:
    value: Any = kind()
    for _ in range(levels):
        value = [value] if kind is list else {"keys": value}
    return value


def endless() -> Any:
    value: dict[str, Any] = {}
    value["keys"] = [value]
    value["header"] = value
    return value


OBJECTS = [object(), object, type, print, ..., lambda: None, bytearray(b"a.b.c"), memoryview(b"a.b.c")]
OBJECTS += [decimal.Decimal("NaN"), fractions.Fraction(1, 3), datetime.date(2025, 1, 1), uuid.UUID(int=0)]
NUMBERS = [1j, float("nan"), float("inf"), -0.0, 10**400, -(10**400), 2**63, -1, 0, True]
TEXTS = [
    "",
    "\0",
    "\ud800",
    "\udfff" * 50,
    "\u00e9" * 10,
    "x" * 100_000,
    Colour.RED,
    Text("a.b.c"),
    "." * 100_000,
]
TEXTS += [
    "[" * 100_000,
    "{" * 100_000,
    '{"keys":[' * 1000,
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN " * 1000,
]
TEXTS += ["eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"]
OCTETS = [
    b"",
    b"\xff",
    Octets(b"a.b.c"),
    Octets(bytes(32)),
    Octets(b"\x30\x01x"),
    b'{"a":' * 50_000,
    b"0" * 70_000,
]
OCTETS += [
    b"\x30\x82",
    b"\x30" * 100,
    b"\x30\x80" * 50_000,
    b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
]
CONTAINERS = [
    range(3),
    {1, 2},
    frozenset("a"),
    {1: 2},
    {None: None},
    {"a": object()},
    [[]],
    [None],
    [{}],
    ({},),
]
CONTAINERS += [
    {"keys": None},
    {"kty": []},
    types.MappingProxyType({"keys": []}),
    collections.OrderedDict(kty="oct"),
]
ODD = [None, *OBJECTS, *NUMBERS, *TEXTS, *OCTETS, *CONTAINERS]
# Too deep for what hypothesis prints.
ENDLESS = [deep(5_000), deep(300, dict), deep(100_000), endless()]

KEY = SigningKey.generate("ES256")
KEYS = JWKSet.from_json(KEY.public_jwk())
PARTS = [
    "payload",
    "protected",
    "signature",
    "signatures",
    "header",
    "keys",
    "kty",
    "kid",
    "alg",
    "crv",
    "x",
    "y",
]
PARTS += ["n", "e", "k", "d", "use", "key_ops", "crit", "b64", "typ", ""]
WORDS = [
    "RSA",
    "EC",
    "OKP",
    "oct",
    "P-256",
    "Ed25519",
    "sig",
    "verify",
    "ES256",
    "HS256",
    "none",
    "AQAB",
    "AA",
    "e30",
]
WORDS += [KEY.public_jwk()["x"], KEY.public_jwk()["y"], "eyJhbGciOiJFUzI1NiJ9", "A" * 43, "AQ" + "A" * 340]

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.sampled_from(WORDS)
)
SCALARS |= st.text(st.characters(codec=None), max_size=5) | st.sampled_from(ODD)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(st.sampled_from(PARTS), inner, max_size=6)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)
JSON_TEXT = ANYTHING.map(lambda value: dumped(value))


def dumped(value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return repr(type(value))


def jsonable(value: Any) -> Any:
    """The value if JSON can hold it, else its name: who makes a token can write nothing else."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return repr(type(value))
    return value


SETTINGS: dict[str, Any] = {"algorithms": ["ES256"]}


def validator(**options: Any) -> AccessTokenValidator:
    return AccessTokenValidator(**{"issuer": "i", "audience": "a", "keys": KEYS, **SETTINGS} | options)


VALIDATOR = validator()
VALIDATED = VALIDATOR.validate(FakeIssuer("i", key=KEY).access_token(audience="a"))

SENDER = EncryptionKey.generate("ECDH-ES")
HELD = DecryptionKey.from_json(SENDER.private_jwk())
OPENING: dict[str, Any] = {"algorithms": ["ECDH-ES"], "encryptions": ["A128CBC-HS256"]}
ENCRYPTED = encrypt_jwe("a.b.c", SENDER)
DOCUMENT = encrypt_jwe_json("a.b.c", SENDER)


def decryption(**options: Any) -> Decryption:
    return Decryption(**{"keys": HELD, **OPENING} | options)


class Source:
    """A source of decryption keys that answers with anything."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def snapshot(self) -> Any:
        return self.answer


def responses(**options: Any) -> AuthorizationResponseValidator:
    return AuthorizationResponseValidator(
        **{"issuer": "i", "client_id": "c", "keys": KEYS} | SETTINGS | options
    )


SERVER = {"issuer": "i", "authorization_response_iss_parameter_supported": True}
CLIENT = {"client_id": "c", "authorization_signed_response_alg": "ES256"}
SERVER_MEMBERS = ["issuer", "authorization_response_iss_parameter_supported", "response_modes_supported"]
SERVER_MEMBERS += ["authorization_signing_alg_values_supported"]
PLAIN = responses(plain_responses="iss-if-present")


def from_metadata(server: Any = SERVER, client: Any = CLIENT, **options: Any) -> Any:
    return AuthorizationResponseValidator.from_metadata(
        server, client, **{"issuer": "i", "keys": KEYS} | options
    )


SIGNER = FakeClient("c", key=KEY)
OF_A_CLIENT: dict[str, Any] = {"client_id": "c", "keys": KEYS, "audience": "a", "replay": None, **SETTINGS}


def assertions(**options: Any) -> keybound.ClientAssertionValidator:
    return keybound.ClientAssertionValidator(**OF_A_CLIENT | options)


def requests(**options: Any) -> keybound.RequestObjectValidator:
    return keybound.RequestObjectValidator(**OF_A_CLIENT | options)


def present(value: Any) -> None:
    """To a policy that judges by endpoint."""
    server = {"issuer": "https://as.example", "token_endpoint": "https://as.example/token"}
    judged = assertions(audience=keybound.audience.POLICIES["fapi2-final"].bind_metadata(server))
    judged.validate(SIGNER.assertion(audience="https://as.example"), endpoint=value)


FORM = {"client_assertion_type": keybound.CLIENT_ASSERTION_TYPE, "client_assertion": "a.b.c"}

OF_A_PROVIDER: dict[str, Any] = {"issuer": "i", "client_id": "c", "keys": KEYS, **SETTINGS}
PROVIDER = FakeIssuer("i", key=KEY)
ID_TOKEN = PROVIDER.id_token(client_id="c", access_token="a", code="c", state="s", auth_time=1)


def id_tokens(**options: Any) -> keybound.IDTokenValidator:
    return keybound.IDTokenValidator(**OF_A_PROVIDER | options)


def logout_tokens(**options: Any) -> keybound.LogoutTokenValidator:
    return keybound.LogoutTokenValidator(**OF_A_PROVIDER | options)


def events(**options: Any) -> keybound.SecurityEventTokenValidator:
    return keybound.SecurityEventTokenValidator(
        **{"issuer": "i", "audience": "a", "keys": KEYS} | SETTINGS | options
    )


OF_A_SERVER: dict[str, Any] = {"replay": None, **SETTINGS}
AT_ONCE = {"method": "GET", "url": "https://rs.example.com/resource"}


def proofs(**options: Any) -> keybound.DPoPProofValidator:
    return keybound.DPoPProofValidator(**OF_A_SERVER | options)


def introspection(**options: Any) -> keybound.IntrospectionResponseValidator:
    return keybound.IntrospectionResponseValidator(**{"issuer": "i", "audience": "a"} | options)


# Every place for a value, one at a time.
ONE_VALUE = {
    "validate": lambda value: VALIDATOR.validate(value),
    "avalidate": lambda value: asyncio.run(VALIDATOR.avalidate(value)),
    "explain": lambda value: VALIDATOR.explain(value),
    "validate_many": lambda value: VALIDATOR.validate_many(value),
    "validate_many token": lambda value: VALIDATOR.validate_many([value, value]),
    "validate_many certificates": lambda value: VALIDATOR.validate_many(["a.b.c"], certificates=value),
    "validate_many certificate": lambda value: VALIDATOR.validate_many(["a.b.c"], certificates=[value]),
    "validate_many threads": lambda value: VALIDATOR.validate_many(["a.b.c"], threads=value),
    "jws.verify": lambda value: jws.verify(value, KEYS, algorithms=["ES256"]),
    "jws.verify keys": lambda value: jws.verify("a.b.c", value, algorithms=["ES256"]),
    "jws.verify algorithms": lambda value: jws.verify("a.b.c", KEYS, algorithms=value),
    "jws.verify detached_payload": lambda value: jws.verify("a..c", KEYS, **SETTINGS, detached_payload=value),
    "jws.verify allow": lambda value: jws.verify("a.b.c", KEYS, **SETTINGS, allow_unencoded_payload=value),
    "jws.verify limits": lambda value: jws.verify("a.b.c", KEYS, **SETTINGS, limits=value),
    "jws.verify_json": lambda value: jws.verify_json(value, KEYS, **SETTINGS),
    "jws.verify_json detached": lambda value: jws.verify_json(value, KEYS, **SETTINGS, detached_payload=b""),
    "jws.verify_json payload": lambda value: jws.verify_json("{}", KEYS, **SETTINGS, detached_payload=value),
    "jws.verify_json keys": lambda value: jws.verify_json("{}", value, **SETTINGS),
    "jws.verify_json algorithms": lambda value: jws.verify_json("{}", KEYS, algorithms=value),
    "jws.verify_json limits": lambda value: jws.verify_json("{}", KEYS, **SETTINGS, limits=value),
    "jws.verify_json payload member": lambda value: jws.verify_json(
        {"payload": value, "signature": "AA", "protected": "eyJhbGciOiJFUzI1NiJ9"}, KEYS, **SETTINGS
    ),
    "jws.verify_json header member": lambda value: jws.verify_json(
        {"payload": "AA", "signature": "AA", "protected": "eyJhbGciOiJFUzI1NiJ9", "header": value},
        KEYS,
        **SETTINGS,
    ),
    "jws.verify_json header parameter": lambda value: jws.verify_json(
        {"payload": "AA", "signature": "AA", "protected": "eyJhbGciOiJFUzI1NiJ9", "header": {"x": value}},
        KEYS,
        **SETTINGS,
    ),
    "jws.verify_json signatures": lambda value: jws.verify_json(
        {"payload": "AA", "signatures": value}, KEYS, **SETTINGS
    ),
    "jws.verify_json entry": lambda value: jws.verify_json(
        {"payload": "AA", "signatures": [value]}, KEYS, **SETTINGS
    ),
    "JWK.from_json": JWK.from_json,
    "JWK.from_pem": JWK.from_pem,
    "JWK.from_der": JWK.from_der,
    "JWK.from_key": JWK.from_key,
    "JWK.from_secret": lambda value: JWK.from_secret(value, alg="HS256"),
    "JWK.from_secret alg": lambda value: JWK.from_secret(b"x" * 64, alg=value),
    "JWK.from_secret kid": lambda value: JWKSet([JWK.from_secret(b"x" * 64, alg="HS256", kid=value)]),
    "JWK.from_pem alg": lambda value: JWK.from_pem(KEY.public_pem(), alg=value),
    "JWK.from_pem kid": lambda value: JWKSet([JWK.from_pem(KEY.public_pem(), kid=value)]),
    "JWKSet": JWKSet,
    "JWKSet of one": lambda value: JWKSet([value]),
    "JWKSet.from_json": JWKSet.from_json,
    "JWKSet.from_json keys": lambda value: JWKSet.from_json({"keys": value}),
    "JWKSet.from_json key": lambda value: JWKSet.from_json({"keys": [value]}),
    "JWKSet.from_pem": JWKSet.from_pem,
    "JWKSet.from_der": JWKSet.from_der,
    "JWKSet.from_key": JWKSet.from_key,
    "JWKSet.from_secret": lambda value: JWKSet.from_secret(value, alg="HS256"),
    "PresentedCertificate": PresentedCertificate,
    "PresentedCertificate.from_der": PresentedCertificate.from_der,
    "PresentedCertificate.from_pem": PresentedCertificate.from_pem,
    "PresentedCertificate.from_sha256": PresentedCertificate.from_sha256,
    "PresentedCertificate.from_certificate": PresentedCertificate.from_certificate,
    "thumbprint": keybound.thumbprint,
    "Limits token_bytes": lambda value: Limits(token_bytes=value),
    "Limits header_bytes": lambda value: Limits(header_bytes=value),
    "Limits json_depth": lambda value: Limits(json_depth=value),
    "CacheSettings entries": lambda value: CacheSettings(entries=value),
    "CacheSettings memory_bytes": lambda value: CacheSettings(memory_bytes=value),
    "CacheSettings lifetime": lambda value: validator(cache=CacheSettings(lifetime=value)),
    "Limits decompressed_bytes": lambda value: Limits(decompressed_bytes=value),
    "jwe.decrypt": lambda value: jwe.decrypt(value, HELD, **OPENING),
    "jwe.decrypt keys": lambda value: jwe.decrypt(ENCRYPTED, value, **OPENING),
    "jwe.decrypt algorithms": lambda value: jwe.decrypt(ENCRYPTED, HELD, **OPENING | {"algorithms": value}),
    "jwe.decrypt encryptions": lambda value: jwe.decrypt(ENCRYPTED, HELD, **OPENING | {"encryptions": value}),
    "jwe.decrypt allow_deprecated": lambda value: jwe.decrypt(
        ENCRYPTED, HELD, **OPENING, allow_deprecated=value
    ),
    "jwe.decrypt allow_compression": lambda value: jwe.decrypt(
        ENCRYPTED, HELD, **OPENING, allow_compression=value
    ),
    "jwe.decrypt limits": lambda value: jwe.decrypt(ENCRYPTED, HELD, **OPENING, limits=value),
    "jwe.decrypt_json": lambda value: jwe.decrypt_json(value, HELD, **OPENING),
    **{
        f"jwe.decrypt_json {name}": lambda value, name=name: jwe.decrypt_json(
            DOCUMENT | {name: value}, HELD, **OPENING
        )
        for name in (*DOCUMENT, "unprotected", "recipients", "aad")
    },
    "jwe.decrypt_json header parameter": lambda value: jwe.decrypt_json(
        DOCUMENT | {"unprotected": {"crit": value}}, HELD, **OPENING
    ),
    "Decryption.open": lambda value: decryption().open(value),
    "Decryption.from_metadata kind": lambda value: Decryption.from_metadata(value, {}, keys=HELD),
    "Decryption.from_metadata client": lambda value: Decryption.from_metadata("id_token", value, keys=HELD),
    "Decryption.from_metadata alg": lambda value: Decryption.from_metadata(
        "id_token", {"id_token_encrypted_response_alg": value}, keys=HELD
    ),
    "Decryption.from_metadata server": lambda value: Decryption.from_metadata(
        "id_token", {"id_token_encrypted_response_alg": "ECDH-ES"}, keys=HELD, server=value
    ),
    **{
        f"Decryption {name}": lambda value, name=name: decryption(**{name: value})
        for name in inspect.signature(Decryption).parameters
    },
    "Decryption source": lambda value: decryption(keys=Source(value)).open(ENCRYPTED),
    "DecryptionKey.from_json": DecryptionKey.from_json,
    **{
        f"DecryptionKey.from_json {name}": lambda value, name=name: DecryptionKey.from_json(
            SENDER.private_jwk() | {name: value}
        )
        for name in ("kty", "crv", "d", "x", "y", "alg", "kid", "use", "key_ops")
    },
    "DecryptionKey.from_pem": DecryptionKey.from_pem,
    "DecryptionKey.from_pem password": lambda value: DecryptionKey.from_pem(
        SENDER.private_pem(), password=value
    ),
    "DecryptionKey.from_der": DecryptionKey.from_der,
    "DecryptionKey.from_key": DecryptionKey.from_key,
    "DecryptionKey.from_secret": lambda value: DecryptionKey.from_secret(value, alg="dir"),
    "DecryptionKey.from_secret alg": lambda value: DecryptionKey.from_secret(b"x" * 32, alg=value),
    "DecryptionKey.from_client_secret": lambda value: DecryptionKey.from_client_secret(value, alg="A128KW"),
    "DecryptionKey.from_client_secret alg": lambda value: DecryptionKey.from_client_secret("x", alg=value),
    "DecryptionKeys": DecryptionKeys,
    "DecryptionKeys of one": lambda value: DecryptionKeys([value]),
    "DecryptionKeys.from_json": DecryptionKeys.from_json,
    "DecryptionKeys.from_json keys": lambda value: DecryptionKeys.from_json({"keys": value}),
    "DecryptionKeys.from_json key": lambda value: DecryptionKeys.from_json({"keys": [value]}),
    "authorization response": lambda value: responses().validate(value, state=None),
    "authorization response state": lambda value: PLAIN.validate_response({"code": "c"}, state=value),
    "authorization response parameters": lambda value: PLAIN.validate_response(value, state=None),
    "authorization response pairs": lambda value: PLAIN.validate_response([value], state=None),
    **{
        f"authorization response {name}": lambda value, name=name: PLAIN.validate_response(
            {"error": "e"} | {name: value}, state="s"
        )
        for name in ("response", "code", "state", "iss", "error", "error_description", "other")
    },
    **{
        f"authorization response option {name}": lambda value, name=name: responses(**{name: value})
        for name in inspect.signature(AuthorizationResponseValidator).parameters
    },
    "authorization response server": lambda value: from_metadata(server=value),
    "authorization response client": lambda value: from_metadata(client=value),
    **{
        f"authorization response server {name}": lambda value, name=name: from_metadata(
            server=SERVER | {name: value}
        )
        for name in SERVER_MEMBERS
    },
    **{
        f"authorization response client {name}": lambda value, name=name: from_metadata(
            client=CLIENT | {name: value}
        )
        for name in (*CLIENT, "authorization_encrypted_response_alg")
    },
    **{
        f"authorization response metadata {name}": lambda value, name=name: from_metadata(**{name: value})
        for name in ("issuer", "keys", "decryption_keys", "plain_responses", "profile", "max_expiry_distance")
    },
    "authorization response mode": lambda value: PLAIN.validate_response(
        {"code": "c"}, state=None, response_mode=value
    ),
    "response mode": lambda value: PLAIN.response_mode(value),
    "response type": lambda value: PLAIN.response_mode(response_type=value),
    **{
        f"Demands {name}": lambda value, name=name: Demands(**{"roles": "r"} | {name: value})
        for name in inspect.signature(Demands).parameters
    },
    **{
        f"AuthorizationDetails {name}": lambda value, name=name: AuthorizationDetails(
            **{"type": "t"} | {name: value}
        )
        for name in inspect.signature(AuthorizationDetails).parameters
    },
    "require token": lambda value: VALIDATOR.require(value, Demands(roles="r")),
    "require demands": lambda value: VALIDATOR.require(VALIDATED, value),
    "Demands.check": lambda value: Demands(roles="r").check(value),
    "id token": lambda value: id_tokens().validate(value, nonce=None),
    "id token hint": lambda value: id_tokens().validate_hint(value),
    **{
        f"id token {name}": lambda value, name=name: id_tokens().validate(
            ID_TOKEN, **{"nonce": None} | {name: value}
        )
        for name in ("nonce", "access_token", "code", "state", "max_age")
    },
    **{
        f"id token option {name}": lambda value, name=name: id_tokens(**{name: value})
        for name in inspect.signature(keybound.IDTokenValidator).parameters
    },
    "logout token": lambda value: logout_tokens().validate(value),
    **{
        f"logout token option {name}": lambda value, name=name: logout_tokens(**{name: value})
        for name in inspect.signature(keybound.LogoutTokenValidator).parameters
    },
    "security event": lambda value: events().validate(value),
    **{
        f"security event option {name}": lambda value, name=name: events(**{name: value})
        for name in inspect.signature(keybound.SecurityEventTokenValidator).parameters
    },
    "introspection": lambda value: introspection().validate(value),
    "introspection signed": lambda value: introspection(keys=KEYS, **SETTINGS).validate(value),
    **{
        f"introspection {name}": lambda value, name=name: introspection().validate(
            {"active": True} | {name: value}
        )
        for name in ("active", "iss", "aud", "exp", "scope", "cnf", "username", "token_type", "other")
    },
    **{
        f"introspection beside {name}": lambda value, name=name: introspection().validate(
            {"active": True, "cnf": {"jkt": "A" * 43}}, **{name: value}
        )
        for name in ("certificate", "dpop", "access_token")
    },
    **{
        f"introspection option {name}": lambda value, name=name: introspection(**{name: value})
        for name in inspect.signature(keybound.IntrospectionResponseValidator).parameters
    },
    "client assertion": lambda value: assertions().validate(value),
    "client assertion endpoint": present,
    "client assertion grant_type": lambda value: assertions(grant_types="g").validate(
        SIGNER.assertion(audience="a"), grant_type=value
    ),
    "client assertion form": lambda value: assertions().validate_form(value),
    **{
        f"client assertion form {name}": lambda value, name=name: assertions().validate_form(
            FORM | {name: value}
        )
        for name in (*FORM, "client_id", "grant_type")
    },
    **{
        f"client assertion {name}": lambda value, name=name: assertions(**{name: value})
        for name in inspect.signature(keybound.ClientAssertionValidator).parameters
    },
    "request object": lambda value: requests().validate(value),
    "request object parameters": lambda value: requests().validate(
        SIGNER.request_object(audience="a"), parameters=value
    ),
    **{
        f"request object parameter {name}": lambda value, name=name: requests().validate(
            SIGNER.request_object(audience="a", max_age=1, claims={}), parameters={name: value}
        )
        for name in ("client_id", "scope", "state", "max_age", "claims", "response_type")
    },
    "request object error": lambda value: requests(redirect_uris="https://c.example").error_redirect_uri(
        value
    ),
    "request object redirect_uri": lambda value: requests().error_redirect_uri({"redirect_uri": value}),
    **{
        f"request object {name}": lambda value, name=name: requests(**{name: value})
        for name in inspect.signature(keybound.RequestObjectValidator).parameters
    },
    "DPoP proof": lambda value: proofs().validate(value, **AT_ONCE),
    "DPoP proof awaited": lambda value: asyncio.run(proofs().avalidate(value, **AT_ONCE)),
    **{
        f"DPoP proof {name}": lambda value, name=name: proofs().validate(
            dpop_proof(KEY, access_token="a"), **AT_ONCE | {"access_token": "a"} | {name: value}
        )
        for name in ("method", "url", "access_token", "nonce")
    },
    **{
        f"DPoP proof claim {name}": lambda value, name=name: proofs().validate(
            dpop_proof(KEY, access_token="a", **{name: jsonable(value)}),
            **AT_ONCE,
            access_token="a",
            nonce="n",
        )
        for name in ("jti", "htm", "htu", "iat", "ath", "nonce", "exp", "nbf", "other")
    },
    **{
        f"DPoP proof header {name}": lambda value, name=name: proofs().validate(
            dpop_proof(KEY, header={name: jsonable(value)}), **AT_ONCE
        )
        for name in ("typ", "alg", "jwk", "kid", "crit", "other")
    },
    **{
        f"DPoP proof key {name}": lambda value, name=name: proofs().validate(
            dpop_proof(KEY, header={"jwk": KEY.public_jwk() | {name: jsonable(value)}}), **AT_ONCE
        )
        for name in ("kty", "crv", "x", "y", "d", "use", "key_ops", "alg", "kid")
    },
    **{
        f"DPoP proof option {name}": lambda value, name=name: proofs(**{name: value})
        for name in inspect.signature(keybound.DPoPProofValidator).parameters
    },
    "DPoP nonce": lambda value: keybound.DPoPNonces(b"s" * 32).recognizes(value),
    "DPoP nonces": lambda value: keybound.DPoPNonces(value),
    **{
        f"DPoP nonces {name}": lambda value, name=name: keybound.DPoPNonces(b"s" * 32, **{name: value})
        for name in ("lifetime", "clock")
    },
    "validate dpop": lambda value: VALIDATOR.validate("a.b.c", dpop=value),
    "avalidate dpop": lambda value: asyncio.run(VALIDATOR.avalidate("a.b.c", dpop=value)),
    "explain dpop": lambda value: VALIDATOR.explain("a.b.c", dpop=value),
    "validate_many dpop": lambda value: VALIDATOR.validate_many(["a.b.c"], dpop_proofs=value),
    "validate_many of dpop": lambda value: VALIDATOR.validate_many(["a.b.c"], dpop_proofs=[value]),
    "challenge algs": lambda value: rejection(Reason.TOKEN_EXPIRED).challenge(algs=value),
    "challenge realm": lambda value: rejection(Reason.TOKEN_EXPIRED).challenge(realm=value),
    "challenge scope": lambda value: rejection(Reason.TOKEN_EXPIRED).challenge(scope=value),
}


OPTIONS = [
    "issuer",
    "audience",
    "keys",
    "algorithms",
    "profile",
    "types",
    "leeway",
    "max_lifetime",
    "max_age",
]
OPTIONS += [
    "required_claims",
    "forbidden_claims",
    "expected_claims",
    "allow_missing_exp",
    "scopes",
    "binding",
    "decryption",
    "limits",
    "clock",
    "cache",
    "revocation",
]


def only_ours(call: Any, value: Any) -> None:
    try:
        call(value)
    except keybound.KeyboundError as raised:
        texts = [str(raised), repr(raised)]
    else:
        texts = []
    assert all(len(text) < 500 for text in texts)


@pytest.mark.parametrize("place", ONE_VALUE)
def test_odd_values(place: str) -> None:
    for value in (*ODD, *ENDLESS):
        only_ours(ONE_VALUE[place], value)


@pytest.mark.parametrize("option", OPTIONS)
def test_odd_options(option: str) -> None:
    for value in (*ODD, *ENDLESS):
        only_ours(lambda given: validator(**{option: given}), value)


def test_every_option_is_tried() -> None:
    assert set(inspect.signature(AccessTokenValidator).parameters) == set(OPTIONS)


@given(st.sampled_from(sorted(ONE_VALUE)), ANYTHING)
@example("JWKSet", [])
def test_any_value(place: str, value: Any) -> None:
    only_ours(ONE_VALUE[place], value)


@given(st.sampled_from(sorted(place for place in ONE_VALUE if "json" in place)), JSON_TEXT)
def test_any_json(place: str, value: str) -> None:
    only_ours(ONE_VALUE[place], value)
    only_ours(ONE_VALUE[place], value.encode("utf-8", "surrogatepass"))


@given(st.dictionaries(st.sampled_from(OPTIONS), ANYTHING, max_size=3))
def test_any_options(options: dict[str, Any]) -> None:
    only_ours(lambda given: validator(**given), options)


@given(raw=ANYTHING, certificate=ANYTHING)
def test_any_token_with_any_certificate(world: Any, raw: Any, certificate: Any) -> None:
    judged = world.validator()
    for token in (raw, world.token(certificate=world.client), world.token()):
        for call in (judged.validate, judged.explain):
            only_ours(functools.partial(call, certificate=certificate), token)


@given(ANYTHING)
def test_any_claims_and_any_header(world: Any, value: Any) -> None:
    for part in (
        value,
        {"exp": value},
        {"cnf": value},
        {"cnf": {"x5t#S256": value}},
        {"alg": "ES256", "kid": value},
    ):
        text = dumped(part).encode()
        for raw in (world.forge(payload=text), world.forge(header=text)):
            only_ours(world.validator().validate, raw)
            only_ours(world.validator().explain, raw)


DEMANDED = {
    "scope": Demands(scopes="x", any_scope="y"),
    "scp": Demands(scopes="x", any_scope="y"),
    "roles": Demands(roles="x", any_role="y"),
    "realm_access": Demands(roles="x", role_claim=("realm_access", "roles")),
    "acr": Demands(acr_values="x"),
    "auth_time": Demands(max_age=60),
    "authorization_details": Demands(authorization_details=AuthorizationDetails(type="t", actions="x")),
}


@given(st.sampled_from(sorted(DEMANDED)), ANYTHING)
def test_any_claim_that_is_demanded(world: Any, name: str, value: Any) -> None:
    judged = world.validator()
    for claim in (value, [value], {"roles": value}, [{"type": "t", "actions": value}]):
        raw = None
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            raw = world.token(**{name: json.loads(json.dumps(claim))})
        only_ours(lambda raw: judged.require(judged.validate(raw), DEMANDED[name]), raw)


@given(
    st.sampled_from(["code", "state", "error", "error_uri", "access_token", "aud", "exp", "other"]), ANYTHING
)
def test_any_claim_of_an_authorization_response(world: Any, name: str, value: Any) -> None:
    judged = responses(issuer=world.issuer.issuer, client_id="client-1", keys=world.keys, clock=world.clock)
    claim = None
    with contextlib.suppress(TypeError, ValueError, RecursionError):
        claim = json.loads(json.dumps(value))
    for claims in ({name: claim}, {"error": "e", name: claim}):
        raw = world.issuer.authorization_response(**{"state": "s"} | claims)
        only_ours(lambda raw: judged.validate(raw, state="s"), raw)


OF_A_KIND: dict[str, tuple[Any, Any, list[str]]] = {
    "id token": (
        lambda **claims: PROVIDER.id_token(**{"client_id": "c"} | claims),
        lambda raw: id_tokens(acr_values="x", max_age=60).validate(
            raw, nonce="n", access_token="a", code="c", state="s"
        ),
        ["azp", "nonce", "acr", "auth_time", "at_hash", "c_hash", "s_hash", "aud", "sub"],
    ),
    "logout token": (
        lambda **claims: PROVIDER.logout_token(**{"client_id": "c"} | claims),
        lambda raw: logout_tokens().validate(raw),
        ["events", "sid", "sub", "txn", "toe", "aud"],
    ),
    "security event": (
        lambda **claims: PROVIDER.security_event_token(**{"audience": "a"} | claims),
        lambda raw: events(event_types="a:b").validate(raw),
        ["events", "sub_id", "txn", "toe", "jti"],
    ),
    "introspection": (
        lambda **claims: PROVIDER.introspection_jwt(audience="a", **claims),
        lambda raw: introspection(keys=KEYS, **SETTINGS, token_types="x").validate(raw),
        ["token_introspection", "aud", "iat"],
    ),
}


@given(st.sampled_from(sorted(OF_A_KIND)), st.data(), ANYTHING)
def test_any_claim_of_a_kind(kind: str, data: st.DataObject, value: Any) -> None:
    forge, judge, names = OF_A_KIND[kind]
    name = data.draw(st.sampled_from(names))
    for claim in (
        value,
        {"a:b": value},
        {"format": "email", "email": value},
        {"active": True, "username": value},
    ):
        raw = None
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            raw = forge(**{name: json.loads(json.dumps(claim))})
        only_ours(judge, raw)
