"""Authorization responses: JWTs (JARM) and plain ones with ``iss`` (RFC 9207), on both twins."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.testing import (
    OMIT,
    EncryptionKey,
    FakeClock,
    FakeIssuer,
    SigningKey,
    encrypt_jwe,
    make_token,
)

ISSUER = "https://as.example.com"
CLIENT = "client-1"
STATE = "g75qdPutq9MVsJVo6r1Z2P1exuXLNrM2-53Dcumth_w"
CODE = "lBDB91MVQ0dQ9iTed1PHTw.9Z1blJfgNSTpxtgwqONZFw"

CLOCK = FakeClock()
SERVER = FakeIssuer(ISSUER, alg="ES256", clock=CLOCK)
RECIPIENT = EncryptionKey.generate("RSA-OAEP-256")
SAMPLES = Path(os.environ.get("KEYBOUND_VECTORS", Path(__file__).parents[3] / "shared" / "vectors"))
NOT_TEXT = [None, "", 5, True, ["x"], {"x": 1}]


def response(**claims: Any) -> str:
    return SERVER.authorization_response(**{"state": STATE, "code": CODE} | claims)


def plain(**parameters: Any) -> dict[str, str]:
    return SERVER.plain_authorization_response(**{"state": STATE, "code": CODE} | parameters)


def make(package: ModuleType, *, server: FakeIssuer = SERVER, **options: Any) -> Any:
    usual = {
        "issuer": ISSUER,
        "client_id": CLIENT,
        "keys": package.JWKSet.from_json(server.jwks()),
        "algorithms": [server.key.alg],
        "clock": CLOCK,
    }
    return package.AuthorizationResponseValidator(**usual | options)


@pytest.fixture(scope="module")
def judge(judge_of: Any) -> Any:
    return judge_of(make)


class Received:
    """Shorthands for what came to the redirection endpoint."""

    def __init__(self, judge: Any) -> None:
        self.judge = judge

    def accepts(self, parameters: Any, *, state: str | None = STATE, **options: Any) -> Any:
        return self.judge.accepts(parameters, method="validate_response", state=state, options=options)

    def rejects(
        self, parameters: Any, reason: Reason, claim: str | None = None, *, state: Any = STATE, **options: Any
    ) -> Any:
        return self.judge.rejects(
            parameters, reason, claim=claim, method="validate_response", state=state, options=options
        )


@pytest.fixture(scope="module")
def received(judge: Any) -> Received:
    return Received(judge)


# What the JWT must say: JARM, 2.1 and 2.4


def test_what_a_good_response_says(judge: Any) -> None:
    """S004-12, S004-13: the response parameters come out of the payload, and nothing else does."""
    good = judge.accepts(response(session_state="s", iat=int(CLOCK()), jti="j", expires_in=60), state=STATE)
    assert isinstance(good, keybound.AuthorizationResponse)
    assert (good.code, good.state, good.issuer, good.signed) == (CODE, STATE, ISSUER, True)
    assert good.access_token is good.id_token is None
    assert good.parameters == {"code": CODE, "state": STATE, "session_state": "s", "expires_in": 60}
    assert good.token.claims["aud"] == CLIENT
    assert repr(good) == "<keybound.AuthorizationResponse signed>"
    with pytest.raises(TypeError):
        good.parameters["code"] = "another"
    with pytest.raises(AttributeError):
        good.issuer = "another"
    with pytest.raises(TypeError):
        pickle.dumps(good)


@pytest.mark.parametrize(
    ("claim", "missing"),
    [("iss", Reason.ISS_MISSING), ("aud", Reason.AUD_MISSING), ("exp", Reason.EXP_MISSING)],
)
def test_mandatory_claims(judge: Any, claim: str, missing: Reason) -> None:
    """S004-12: missing any one is rejected."""
    judge.rejects(response(**{claim: OMIT}), missing, state=STATE)
    judge.accepts(response(), state=STATE)


@pytest.mark.parametrize("issuer", [f"{ISSUER}/", "http://as.example.com", "https://evil.example", ""])
def test_issuer(judge: Any, issuer: str) -> None:
    """S004-12: a mix-up shows in ``iss``."""
    judge.rejects(response(iss=issuer), Reason.ISS_MISMATCH, state=STATE)


@pytest.mark.parametrize(
    ("audience", "reason"),
    [
        ("client-2", Reason.AUD_MISMATCH),
        (["client-2"], Reason.AUD_MISMATCH),
        ([CLIENT, "client-2"], Reason.AUD_NOT_SOLE),
        ([], Reason.AUD_INVALID),
        (5, Reason.AUD_INVALID),
    ],
)
def test_audience(judge: Any, audience: Any, reason: Reason) -> None:
    """S004-12: ``aud`` is the client and nobody else."""
    judge.rejects(response(client_id=audience), reason, state=STATE)
    judge.accepts(response(client_id=[CLIENT]), state=STATE)


def test_expiry(judge: Any) -> None:
    """S004-12: ``exp`` in the past is rejected; JARM, 2.1: ten minutes are enough."""
    judge.rejects(response(lifetime=-11), Reason.TOKEN_EXPIRED, state=STATE)
    judge.accepts(response(lifetime=-9), state=STATE)
    bound = {"max_expiry_distance": 600}
    judge.accepts(response(lifetime=600), state=STATE, options=bound)
    judge.rejects(response(lifetime=700), Reason.LIFETIME_TOO_LONG, state=STATE, options=bound)


def test_signature(judge: Any) -> None:
    forger = SigningKey.generate("ES256", kid=SERVER.key.kid)
    judge.rejects(response(key=forger), Reason.SIGNATURE_INVALID, state=STATE)
    claims = {"iss": ISSUER, "aud": CLIENT, "exp": int(CLOCK()) + 60, "code": CODE, "state": STATE}
    judge.rejects(make_token({"alg": "none"}, claims, None), Reason.ALG_NOT_ALLOWED, state=STATE)


@pytest.mark.parametrize(
    "alg",
    [
        *("HS256", "HS384", "HS512", "RS256", "RS384", "RS512"),
        *("PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
    ],
)
def test_algorithms(judge: Any, alg: str) -> None:
    """S004-11, S004-16: exactly the registered algorithm."""
    server = FakeIssuer(ISSUER, alg=alg, clock=CLOCK)
    raw = server.authorization_response(state=STATE)
    judge.accepts(raw, state=STATE, options={"server": server})
    another = "HS384" if alg == "HS256" else "HS256" if alg.startswith("HS") else "EdDSA"
    options = {"server": server, "algorithms": [another]}
    judge.rejects(raw, Reason.ALG_NOT_ALLOWED, state=STATE, options=options)


@pytest.mark.parametrize(
    ("claims", "header"),
    [({"sub": "user-1"}, {}), ({"nonce": "n"}, {}), ({"events": {}}, {}), ({"redirect_uri": "x"}, {})],
)
def test_tokens_of_another_kind(judge: Any, claims: dict[str, Any], header: dict[str, Any]) -> None:
    """SX-01: whatever else they say, they are no authorization response."""
    judge.rejects(response(**claims), Reason.KIND_MISMATCH, state=STATE)


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "logout+jwt", "oauth-authz-req+jwt"])
def test_types_of_another_kind(judge: Any, typ: str) -> None:
    judge.rejects(response(header={"typ": typ}), Reason.TYP_NOT_ALLOWED, state=STATE)
    judge.accepts(response(header={"typ": OMIT}), state=STATE)


@pytest.mark.parametrize(
    "granted", [{"code": CODE}, {"access_token": "a"}, {"id_token": "i"}, {"error": "e"}]
)
def test_a_response_is_no_access_token(world: Any, judge: Any, granted: dict[str, str]) -> None:
    """SX-01: in the slot of an access token, even one for the same party."""
    raw = response(**{"code": OMIT} | granted)
    validator = keybound.AccessTokenValidator(
        issuer=ISSUER,
        audience=CLIENT,
        keys=keybound.JWKSet.from_json(SERVER.jwks()),
        algorithms=["ES256"],
        clock=CLOCK,
    )
    with pytest.raises(keybound.ClaimRejected) as caught:
        validator.validate(raw)
    assert caught.value.reason is Reason.KIND_MISMATCH


# What the response must say: RFC 6749, 4.1.2 and 4.2.2


def test_state(judge: Any) -> None:
    """S004-13: compared with what was sent."""
    judge.accepts(response(), state=STATE)
    judge.rejects(response(state=OMIT), Reason.CLAIM_MISSING, claim="state", state=STATE)
    for another in ("x", STATE + "x", STATE[:-1], STATE.upper()):
        judge.rejects(response(state=another), Reason.STATE_MISMATCH, state=STATE)
    judge.accepts(response(state=OMIT), state=None)
    judge.rejects(response(), Reason.STATE_MISMATCH, state=None)
    assert judge.accepts(response(state="ä"), state="ä").state == "ä"


@pytest.mark.parametrize("state", ["", 5, b"x", ["x"], True])
def test_state_that_nobody_sent(state: Any) -> None:
    validator = make(keybound, plain_responses="iss-required")
    with pytest.raises(keybound.PolicyError):
        validator.validate(response(), state=state)
    with pytest.raises(keybound.PolicyError):
        validator.validate_response(plain(), state=state)


@pytest.mark.parametrize("name", ["code", "state", "access_token", "id_token"])
@pytest.mark.parametrize("value", NOT_TEXT)
def test_parameters_that_are_no_text(judge: Any, name: str, value: Any) -> None:
    judge.rejects(response(**{name: value}), Reason.CLAIM_INVALID, claim=name, state=STATE)


def test_a_response_grants_something(judge: Any) -> None:
    judge.rejects(response(code=OMIT), Reason.CLAIM_MISSING, claim="code", state=STATE)
    tokens = {"code": OMIT, "access_token": "2YotnFZFEjr1zCsicMWpAA", "token_type": "bearer"}
    good = judge.accepts(response(**tokens, expires_in=3600, scope="example"), state=STATE)
    assert (good.code, good.access_token) == (None, "2YotnFZFEjr1zCsicMWpAA")
    assert judge.accepts(response(id_token="a.b.c"), state=STATE).id_token == "a.b.c"


def test_errors_are_results(judge: Any) -> None:
    """JARM, 2.1.1: an error is a response like any other, and no success by mistake."""
    said = {
        "error": "access_denied",
        "error_description": "The resource owner said no",
        "error_uri": "https://as.example.com/errors#denied",
    }
    denied = judge.accepts(response(**said), state=STATE)
    assert isinstance(denied, keybound.AuthorizationErrorResponse)
    assert not isinstance(denied, keybound.AuthorizationResponse)
    assert not hasattr(denied, "code")
    assert said == {name: getattr(denied, name) for name in said}
    assert (denied.state, denied.issuer, denied.signed) == (STATE, ISSUER, True)
    assert repr(denied) == "<keybound.AuthorizationErrorResponse signed>"
    bare = judge.accepts(response(error="access_denied"), state=STATE)
    assert bare.error_description is bare.error_uri is None
    # CSRF works with errors as well.
    judge.rejects(response(error="access_denied", state="x"), Reason.STATE_MISMATCH, state=STATE)


@pytest.mark.parametrize("name", ["error", "error_description", "error_uri"])
@pytest.mark.parametrize("value", [*NOT_TEXT, 'a"b', "a\\b", "a\nb", "é", "\x7f"])
def test_errors_that_are_malformed(judge: Any, name: str, value: Any) -> None:
    """RFC 6749, 4.1.2.1: printable ASCII without quotation marks."""
    said = {"error": "access_denied"} | {name: value}
    judge.rejects(response(**said), Reason.CLAIM_INVALID, claim=name, state=STATE)


@pytest.mark.parametrize("granted", [{"code": CODE}, {"access_token": "a"}, {"id_token": "i"}])
def test_an_error_grants_nothing(judge: Any, received: Received, granted: dict[str, str]) -> None:
    said = {"iss": ISSUER, "aud": CLIENT, "exp": int(CLOCK()) + 60, "state": STATE, "error": "e"} | granted
    judge.rejects(SERVER.sign(said, typ="JWT"), Reason.RESPONSE_AMBIGUOUS, state=STATE)
    both = plain(error="e") | granted
    received.rejects(both, Reason.RESPONSE_AMBIGUOUS, plain_responses="iss-required")


# Encryption: JARM, 2.2


def sealing(package: ModuleType, **options: Any) -> Any:
    decryption = package.Decryption(
        keys=package.DecryptionKey.from_json(RECIPIENT.private_jwk()),
        algorithms=[RECIPIENT.alg],
        encryptions=["A128CBC-HS256"],
    )
    return make(package, decryption=decryption, **options)


def encrypted(content: str) -> str:
    return encrypt_jwe(content, RECIPIENT, enc="A128CBC-HS256", header={"cty": "JWT"})


def test_encryption(judge_of: Any) -> None:
    """S004-15: "encryption is always applied after signing"; nothing else passes."""
    sealed = judge_of(sealing)
    assert sealed.accepts(encrypted(response()), state=STATE).code == CODE
    sealed.accepts({"response": encrypted(response())}, method="validate_response", state=STATE)
    sealed.rejects(response(), Reason.TOKEN_NOT_ENCRYPTED, state=STATE)
    payload = json.dumps({"iss": ISSUER, "aud": CLIENT, "exp": int(CLOCK()) + 60, "code": CODE})
    sealed.rejects(encrypted(payload), Reason.CONTENT_NOT_SIGNED, state=None)
    sealed.rejects(encrypted(response(client_id="client-2")), Reason.AUD_MISMATCH, state=STATE)


def test_encrypted_where_none_is_registered(judge: Any) -> None:
    """S004-15: the other way round."""
    judge.rejects(encrypted(response()), Reason.TOKEN_ENCRYPTED, state=STATE)


# What came to the redirection endpoint


def test_jwt_by_its_parameter(received: Received) -> None:
    assert received.accepts({"response": response()}).code == CODE
    assert received.accepts({"response": [response()]}).code == CODE
    assert received.accepts([("response", response())]).signed
    # RFC 9207, 2.4: not necessary beside a JWT; 4: where there are two, they must be the same.
    received.accepts({"response": response(), "iss": ISSUER})
    received.rejects({"response": response(), "iss": "https://evil.example"}, Reason.ISS_MISMATCH)
    # RFC 6749, 4.1.2: unrecognized parameters are ignored.
    received.accepts({"response": response(), "utm_source": "mail"})


@pytest.mark.parametrize("name", ["code", "state", "error", "access_token", "id_token"])
@pytest.mark.parametrize("plain_responses", ["refused", "iss-required", "iss-if-present"])
def test_nothing_stands_beside_a_jwt(received: Received, name: str, plain_responses: str) -> None:
    both = {"response": response(), "iss": ISSUER, name: "x"}
    received.rejects(both, Reason.RESPONSE_AMBIGUOUS, plain_responses=plain_responses)


@pytest.mark.parametrize("granted", [{}, {"error": "access_denied"}, {"access_token": "a", "code": OMIT}])
def test_plain_responses_are_refused(received: Received, granted: dict[str, Any]) -> None:
    """S004-14: a client with a registered algorithm takes nothing that is not signed."""
    received.rejects(plain(**granted), Reason.RESPONSE_NOT_SIGNED)
    received.accepts(plain(**granted), plain_responses="iss-required")


def test_a_mode_with_a_jwt_is_answered_with_one(judge_of: Any) -> None:
    """S004-14: also where the client has left the algorithm to the default."""
    unregistered = {"client": {"authorization_signed_response_alg": OMIT}}
    judge = judge_of(registered)
    beside: dict[str, Any] = {"method": "validate_response", "state": STATE, "options": unregistered}
    asked = keybound.ResponseMode
    judge.rejects(plain(), Reason.RESPONSE_NOT_SIGNED, response_mode=asked.QUERY_JWT, **beside)
    judge.accepts(plain(), response_mode=asked.QUERY, **beside)
    judge.accepts(plain(), response_mode=None, **beside)
    signed = {"response": RS256.authorization_response(state=STATE)}
    beside["options"] = unregistered | {"signer": RS256}
    judge.accepts(signed, response_mode=asked.QUERY_JWT, **beside)
    for mode in ("QUERY.JWT", "", 5, True):
        with pytest.raises(keybound.PolicyError):
            registered(keybound, **unregistered).validate_response(plain(), state=STATE, response_mode=mode)


def test_neither_jwt_nor_response(received: Received) -> None:
    for parameters in ({}, {"iss": ISSUER}, {"response": ""}, {"utm_source": "mail"}):
        received.rejects(parameters, Reason.CLAIM_MISSING, "response")
        received.rejects(
            {"iss": ISSUER} | parameters,
            Reason.CLAIM_MISSING,
            "code",
            state=None,
            plain_responses="iss-required",
        )


def test_issuer_of_a_plain_response(received: Received) -> None:
    """S004-22: RFC 9207, 2.4, the mix-up defence that costs no signature."""
    required, present = {"plain_responses": "iss-required"}, {"plain_responses": "iss-if-present"}
    good = received.accepts(plain(), **required)
    assert (good.code, good.state, good.issuer, good.signed, good.token) == (CODE, STATE, ISSUER, False, None)
    assert good.parameters == {"code": CODE, "state": STATE}
    assert repr(good) == "<keybound.AuthorizationResponse plain>"
    received.rejects(plain(iss=OMIT), Reason.ISS_MISSING, **required)
    received.rejects(plain(iss=""), Reason.ISS_MISSING, **required)
    assert received.accepts(plain(iss=OMIT), **present).issuer is None
    for wrong in (f"{ISSUER}/", "https://AS.example.com", "https://evil.example"):
        for rules in (required, present, {}):
            received.rejects(plain(iss=wrong), Reason.ISS_MISMATCH, **rules)
    received.rejects(plain(iss="https://evil.example", error="e"), Reason.ISS_MISMATCH, **required)
    assert received.accepts(plain(error="access_denied"), **required).error == "access_denied"


def test_state_of_a_plain_response(received: Received) -> None:
    rules = {"plain_responses": "iss-required"}
    received.rejects(plain(state=OMIT), Reason.CLAIM_MISSING, "state", **rules)
    for another in ("x", STATE + "x", "\ud800"):
        received.rejects(plain(state=another), Reason.STATE_MISMATCH, **rules)
    received.rejects(plain(), Reason.STATE_MISMATCH, state=None, **rules)
    received.accepts(plain(state=OMIT), state=None, **rules)


@pytest.mark.parametrize("name", ["code", "state", "iss", "response", "error"])
def test_repeated_parameters(received: Received, name: str) -> None:
    """RFC 6749, 3.1: request and response parameters must not be included more than once."""
    rules = {"plain_responses": "iss-required"}
    pairs = [*plain().items(), (name, "x"), (name, "x")]
    received.rejects(pairs, Reason.PARAMETER_REPEATED, name, **rules)
    received.rejects(plain() | {name: ["x", "x"]}, Reason.PARAMETER_REPEATED, name, **rules)
    received.rejects([("other", "1"), ("other", "")], Reason.PARAMETER_REPEATED, **rules)


class Starlette(dict[str, str]):
    """As ``starlette.datastructures.QueryParams``: a mapping that shows the last value alone."""

    def multi_items(self) -> list[tuple[str, str]]:
        return [*self.items(), ("code", "again")]


class Django(dict[str, str]):
    """As ``django.http.QueryDict`` and ``werkzeug.datastructures.MultiDict``."""

    def lists(self) -> list[tuple[str, list[str]]]:
        return [(name, [value, "again"] if name == "code" else [value]) for name, value in self.items()]


@pytest.mark.parametrize("kind", [Starlette, Django])
def test_multi_dictionaries_hide_no_repetition(received: Received, kind: Any) -> None:
    rules = {"plain_responses": "iss-required"}
    received.rejects(kind(plain()), Reason.PARAMETER_REPEATED, "code", **rules)
    received.accepts(kind(plain(code=OMIT, access_token="a")), **rules) if kind is Django else None


@pytest.mark.parametrize(
    "parameters",
    [
        "code=x&state=y",
        b"code=x",
        None,
        5,
        ["code"],
        [("code",)],
        [("code", 5)],
        {"code": b"x"},
        {5: "x"},
        {"code": [["x"]]},
        {"code": None},
        pytest.param(object(), id="object"),
    ],
    ids=repr,
)
def test_parameters_that_are_not_decoded(parameters: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        make(keybound).validate_response(parameters, state=STATE)


@pytest.mark.parametrize("raw", ["", "x", "a.b.c", "a.b.c.d.e", None, 5, b"\xff"])
def test_what_is_no_jwt(raw: Any) -> None:
    with pytest.raises(keybound.TokenRejected):
        make(keybound).validate(raw, state=STATE)


# Options and metadata


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": ""},
        {"issuer": None},
        {"client_id": ""},
        {"client_id": [CLIENT]},
        {"algorithms": None},
        {"algorithms": []},
        {"algorithms": ["none"]},
        {"keys": None},
        {"plain_responses": "accepted"},
        {"plain_responses": True},
        {"plain_responses": None},
        {"decryption": "key"},
        {"max_expiry_distance": 0},
        {"clock": None},
        {"profile": "fapi2"},
    ],
    ids=repr,
)
def test_refused_when_the_validator_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        make(keybound, **options)


SERVER_METADATA = {
    "issuer": ISSUER,
    "response_modes_supported": ["query", "fragment", "query.jwt", "fragment.jwt", "jwt"],
    "authorization_signing_alg_values_supported": ["RS256", "ES256", "PS256"],
    "authorization_encryption_alg_values_supported": ["RSA-OAEP-256", "RSA-OAEP", "dir"],
    "authorization_encryption_enc_values_supported": ["A128CBC-HS256", "A256GCM"],
    "authorization_response_iss_parameter_supported": True,
}
CLIENT_METADATA = {"client_id": CLIENT, "authorization_signed_response_alg": "ES256"}
RS256 = FakeIssuer(ISSUER, alg="RS256", clock=CLOCK)


def registered(
    package: ModuleType,
    *,
    server: dict[str, Any] = {},  # noqa: B006
    client: dict[str, Any] = {},  # noqa: B006
    signer: FakeIssuer = SERVER,
    **options: Any,
) -> Any:
    usual = {"issuer": ISSUER, "keys": package.JWKSet.from_json(signer.jwks()), "clock": CLOCK}
    present = [
        {name: value for name, value in metadata.items() if value is not OMIT}
        for metadata in (SERVER_METADATA | server, CLIENT_METADATA | client)
    ]
    return package.AuthorizationResponseValidator.from_metadata(*present, **usual | options)


def test_registered_algorithm(judge_of: Any) -> None:
    """S004-11, S004-20: that one and no other, although the server has several."""
    judge = judge_of(registered)
    assert judge.accepts(response(), state=STATE).code == CODE
    options = {"client": {"authorization_signed_response_alg": "PS256"}}
    judge.rejects(response(), Reason.ALG_NOT_ALLOWED, state=STATE, options=options)


def test_default_algorithm(judge_of: Any) -> None:
    """S004-11: RS256 where none is registered."""
    judge = judge_of(registered)
    options: dict[str, Any] = {"client": {"authorization_signed_response_alg": OMIT}}
    judge.rejects(response(), Reason.ALG_NOT_ALLOWED, state=STATE, options=options)
    raw = RS256.authorization_response(state=STATE)
    judge.accepts(raw, state=STATE, options=options | {"signer": RS256})


def test_registered_algorithm_refuses_plain_responses(judge_of: Any) -> None:
    """S004-14: whatever the requested response mode, and although the server sends ``iss``."""
    received = Received(judge_of(registered))
    received.rejects(plain(), Reason.RESPONSE_NOT_SIGNED)
    received.accepts({"response": response()})
    with pytest.raises(keybound.PolicyError):
        registered(keybound, plain_responses="iss-required")
    # Without one, the server says that it always sends iss.
    unregistered = {"client": {"authorization_signed_response_alg": OMIT}}
    received.accepts(plain(), **unregistered)
    received.rejects(plain(iss=OMIT), Reason.ISS_MISSING, **unregistered)
    received.rejects(plain(), Reason.RESPONSE_NOT_SIGNED, plain_responses="refused", **unregistered)


def test_nothing_would_tell_servers_apart(judge_of: Any) -> None:
    received = Received(judge_of(registered))
    options: dict[str, Any] = {"client": {"authorization_signed_response_alg": OMIT}}
    for supported in (False, OMIT):
        options["server"] = {"authorization_response_iss_parameter_supported": supported}
        with pytest.raises(keybound.PolicyError):
            registered(keybound, **options)
        received.accepts(plain(iss=OMIT), plain_responses="iss-if-present", **options)
        received.rejects(plain(iss=OMIT), Reason.ISS_MISSING, plain_responses="iss-required", **options)
    options["server"] = {}
    with pytest.raises(keybound.PolicyError):
        registered(keybound, plain_responses="iss-if-present", **options)


@pytest.mark.parametrize(
    ("client", "enc"),
    [
        ({"authorization_encrypted_response_alg": RECIPIENT.alg}, "A128CBC-HS256"),
        (
            {
                "authorization_encrypted_response_alg": RECIPIENT.alg,
                "authorization_encrypted_response_enc": "A256GCM",
            },
            "A256GCM",
        ),
    ],
)
def test_registered_encryption(judge_of: Any, client: dict[str, Any], enc: str) -> None:
    """S004-15, S004-20: with the default of JARM, 3."""

    def sealed(package: ModuleType, **options: Any) -> Any:
        key = package.DecryptionKey.from_json(RECIPIENT.private_jwk())
        return registered(package, client=client, decryption_keys=key, **options)

    judge = judge_of(sealed)
    raw = encrypt_jwe(response(), RECIPIENT, enc=enc, header={"cty": "JWT"})
    judge.accepts(raw, state=STATE)
    judge.rejects(response(), Reason.TOKEN_NOT_ENCRYPTED, state=STATE)
    other = encrypt_jwe(response(), RECIPIENT, enc="A256CBC-HS512", header={"cty": "JWT"})
    judge.rejects(other, Reason.ENC_NOT_ALLOWED, state=STATE)


def test_deprecated_encryption_is_typed_out() -> None:
    """S004-17: an explicit opt-in, with a warning."""
    key = keybound.DecryptionKey.from_json(RECIPIENT.private_jwk() | {"alg": "RSA-OAEP"})
    options: dict[str, Any] = {
        "client": {"authorization_encrypted_response_alg": "RSA-OAEP"},
        "decryption_keys": key,
    }
    with pytest.raises(keybound.PolicyError):
        registered(keybound, **options)
    with pytest.warns(keybound.DeprecatedAlgorithmWarning):
        assert registered(keybound, allow_deprecated=["RSA-OAEP"], **options)


def test_profiles_decide_about_algorithms(judge_of: Any) -> None:
    """FAPI 1 Advanced, 8.6: RS256 is no default there."""

    def advanced(package: ModuleType, **options: Any) -> Any:
        return registered(package, profile=package.profiles.FAPI1_ADVANCED, **options)

    judge_of(advanced).accepts(response(), state=STATE)
    with pytest.raises(keybound.PolicyError):
        advanced(keybound, client={"authorization_signed_response_alg": OMIT})
    with pytest.raises(keybound.PolicyError):
        advanced(keybound, client={"authorization_signed_response_alg": "RS256"})


KEY = keybound.DecryptionKey.from_json(RECIPIENT.private_jwk())


@pytest.mark.parametrize(
    "options",
    [
        {"server": {"issuer": f"{ISSUER}/"}},
        {"server": {"issuer": OMIT}},
        {"issuer": "https://another.example.com"},
        {"issuer": None},
        {"client": {"client_id": OMIT}},
        {"client": {"client_id": ""}},
        {"client": {"authorization_signed_response_alg": "none"}},
        {"client": {"authorization_signed_response_alg": "ES384"}},
        {"client": {"authorization_signed_response_alg": ["ES256"]}},
        {"server": {"authorization_signing_alg_values_supported": ["PS256"]}},
        {"server": {"authorization_signing_alg_values_supported": "ES256"}},
        {"server": {"authorization_signing_alg_values_supported": [5]}},
        {"server": {"response_modes_supported": "jwt"}},
        {"server": {"authorization_response_iss_parameter_supported": "true"}},
        {"client": {"authorization_encrypted_response_alg": RECIPIENT.alg}},
        {"decryption_keys": KEY},
        {"client": {"authorization_encrypted_response_enc": "A256GCM"}, "decryption_keys": KEY},
        {
            "client": {"authorization_encrypted_response_alg": RECIPIENT.alg},
            "server": {"authorization_encryption_alg_values_supported": ["dir"]},
            "decryption_keys": KEY,
        },
        {
            "client": {"authorization_encrypted_response_alg": RECIPIENT.alg},
            "server": {"authorization_encryption_enc_values_supported": ["A256GCM"]},
            "decryption_keys": KEY,
        },
        {
            "server": {"authorization_signing_alg_values_supported": OMIT},
            "client": {"authorization_signed_response_alg": OMIT},
            "profile": keybound.profiles.OAUTH.derive(name="o", source="a test", algorithms=("ES256",)),
        },
        {"profile": None},
    ],
    ids=lambda options: json.dumps(options, default=repr)[:90],
)
def test_metadata_that_contradict(options: dict[str, Any]) -> None:
    """S004-19, S004-20: what the server does not list limits what the client can have registered."""
    with pytest.raises(keybound.PolicyError):
        registered(keybound, **options)


@pytest.mark.parametrize("metadata", [(None, {}), ({}, None), ("x", {}), ({"issuer": ISSUER}, [])])
def test_metadata_that_are_none(metadata: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        keybound.AuthorizationResponseValidator.from_metadata(
            *metadata, issuer=ISSUER, keys=keybound.JWKSet.from_json(SERVER.jwks())
        )


def test_metadata_without_lists(judge_of: Any) -> None:
    lists = {name: OMIT for name in SERVER_METADATA if name.endswith("_supported")}
    judge_of(registered).accepts(response(), state=STATE, options={"server": lists})
    assert registered(keybound, server=lists).response_mode("form_post.jwt").value == "form_post.jwt"


# Response modes: S004-10


@pytest.mark.parametrize(
    ("mode", "response_type", "meant"),
    [
        ("jwt", "code", "query.jwt"),
        ("jwt", "none", "query.jwt"),
        ("jwt", "token", "fragment.jwt"),
        ("jwt", "id_token", "fragment.jwt"),
        ("jwt", "code token", "fragment.jwt"),
        ("jwt", "id_token code", "fragment.jwt"),
        ("jwt", "code id_token token", "fragment.jwt"),
        ("query.jwt", "code", "query.jwt"),
        ("fragment.jwt", "code", "fragment.jwt"),
        ("form_post.jwt", "code id_token", "form_post.jwt"),
        ("query", "code", "query"),
        ("fragment", "code token", "fragment"),
        ("form_post", "id_token", "form_post"),
    ],
)
def test_response_modes(mode: str, response_type: str, meant: str) -> None:
    """S004-10: all four are recognised; ``jwt`` depends on the response type (JARM, 2.3)."""
    resolved = keybound.ResponseMode(mode).resolve(response_type)
    assert str(resolved) == resolved.value == meant
    assert resolved.secured == ("jwt" in meant) == keybound.ResponseMode(mode).secured
    validator = make(keybound, plain_responses="iss-required")
    assert validator.response_mode(mode, response_type=response_type) is resolved


@pytest.mark.parametrize("response_type", ["token", "code token", "id_token"])
def test_tokens_do_not_stand_in_a_url(response_type: str) -> None:
    """S004-10: JARM, 2.3.1, unless they are encrypted."""
    for mode in (keybound.ResponseMode.QUERY_JWT, keybound.ResponseMode.QUERY):
        with pytest.raises(keybound.PolicyError):
            mode.resolve(response_type)
    assert keybound.ResponseMode.QUERY_JWT.resolve(response_type, encrypted=True) == "query.jwt"
    assert sealing(keybound).response_mode("query.jwt", response_type=response_type) == "query.jwt"
    with pytest.raises(keybound.PolicyError):
        make(keybound).response_mode("query.jwt", response_type=response_type)


@pytest.mark.parametrize(
    "response_type", ["", "Code", "code  token", "none code", "vp_token", None, 5, ["code"]]
)
def test_response_types_that_are_not_known(response_type: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        keybound.ResponseMode.JWT.resolve(response_type)


@pytest.mark.parametrize("mode", ["form_post.jwt", "form_post", "JWT", "web_message", "", None, 5])
def test_modes_that_the_server_does_not_have(mode: Any) -> None:
    """S004-19: response_modes_supported limits what is accepted."""
    validator = registered(keybound)
    assert validator.response_mode() == validator.response_mode("query.jwt") == "query.jwt"
    with pytest.raises(keybound.PolicyError):
        validator.response_mode(mode)


def test_modes_whose_responses_would_be_refused() -> None:
    with pytest.raises(keybound.PolicyError):
        registered(keybound).response_mode("query")
    unregistered = registered(keybound, client={"authorization_signed_response_alg": OMIT})
    assert unregistered.response_mode("query") == "query"


# The sample of the demands


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    path = SAMPLES / "seed-samples.json"
    if not path.exists():
        pytest.skip("published vectors are not here")
    found: dict[str, Any] = json.loads(path.read_bytes())["jarm_response"]
    return found


def test_the_sample_parses(judge: Any, sample: dict[str, Any]) -> None:
    """S004-21: it is what it says; its key is not published, so the signature is where it ends."""
    header, payload, signature = sample["token"].split(".")
    decode = keybound._hotpath.base64url.decode
    assert json.loads(decode(header)) == sample["header"] == {"kid": "CXup", "alg": "RS256"}
    assert json.loads(decode(payload)) == sample["payload"]
    assert len(decode(signature)) == 256
    options = {"issuer": "https://demo.c2id.com", "client_id": "000123", "algorithms": ["RS256"]}
    state = sample["payload"]["state"]
    judge.rejects(sample["token"], Reason.KEY_UNKNOWN, state=state, options=options)
    named = FakeIssuer(key=SigningKey.generate("RS256", kid="CXup"), clock=CLOCK)
    judge.rejects(sample["token"], Reason.SIGNATURE_INVALID, state=state, options=options | {"server": named})


def test_the_claims_of_the_sample(judge: Any, sample: dict[str, Any]) -> None:
    """S004-21: expired today; with the clock set back, of another issuer than the one printed beside it."""
    claims = sample["payload"]
    signer = FakeIssuer(claims["iss"], key=SigningKey.generate("RS256", kid="CXup"), clock=CLOCK)
    raw = signer.sign(claims, typ="JWT", header={"typ": OMIT})
    options = {"server": signer, "issuer": claims["iss"], "client_id": "000123", "algorithms": ["RS256"]}
    judge.rejects(raw, Reason.TOKEN_EXPIRED, state=claims["state"], options=options)
    then = options | {"clock": FakeClock(claims["exp"] - 60)}
    good = judge.accepts(raw, state=claims["state"], options=then)
    assert (good.code, good.state) == (claims["code"], claims["state"])
    printed = then | {"issuer": "https://demo.c2id.com"}
    judge.rejects(raw, Reason.ISS_MISMATCH, state=claims["state"], options=printed)
