"""Every reason has a token that earns it, on both twins, through the public API and in ``explain``."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

import keybound
from keybound._hotpath.contract import AudienceForm
from keybound.errors import Reason, rejection
from keybound.stores import MemoryReplayStore, MemoryRevocationList
from keybound.testing import OMIT, EncryptionKey, FakeClient, SigningKey, dpop_proof, encrypt_jwe

Forge = Callable[[Any], object]
NOTHING = base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).decode().rstrip("=")
STRANGER = object()


def claims(**changed: Any) -> Forge:
    return lambda world: world.token(**changed)


def header(**changed: Any) -> Forge:
    return lambda world: world.token(header=changed)


def raw_payload(text: bytes) -> Forge:
    return lambda world: world.forge(payload=text)


def cut(segment: int, change: Callable[[str], str]) -> Forge:
    def forge(world: Any) -> str:
        parts = world.token().split(".")
        parts[segment] = change(parts[segment])
        return ".".join(parts)

    return forge


def bounds(**demands: Any) -> keybound.policy.Profile:
    """A profile with these demands on access tokens."""
    kinds = {keybound.TokenKind.ACCESS_TOKEN: demands}
    return keybound.profiles.OAUTH.derive(name="own", source="a test", kinds=kinds)


def form(name: str) -> keybound.policy.Profile:
    """A profile that demands this form of ``aud``."""
    return bounds(audience_form=AudienceForm[name])


def bound(world: Any) -> str:
    return world.token(certificate=world.client)


# What the validator of access tokens can say: token, options of the validator, certificate.
BY_TOKEN: dict[Reason, tuple[Forge, dict[str, Any], Any]] = {
    Reason.TOKEN_MISSING: (lambda world: "", {}, None),
    Reason.TOKEN_NOT_TEXT: (lambda world: 5, {}, None),
    Reason.TOKEN_TOO_LARGE: (claims(padding="x" * 13_000), {}, None),
    Reason.TOKEN_MALFORMED: (lambda world: "a.b", {}, None),
    Reason.TOKEN_ENCRYPTED: (lambda world: "a.b.c.d.e", {}, None),
    Reason.HEADER_TOO_LARGE: (header(padding="x" * 4_000), {}, None),
    Reason.BASE64URL_INVALID: (cut(2, lambda text: text + "="), {}, None),
    Reason.JSON_INVALID: (raw_payload(b'{"exp":NaN}'), {}, None),
    Reason.JSON_DUPLICATE_MEMBER: (raw_payload(b'{"sub":"a","sub":"b"}'), {}, None),
    Reason.JSON_TOO_DEEP: (raw_payload(b'{"a":' + b"[" * 32 + b"]" * 32 + b"}"), {}, None),
    Reason.JSON_NUMBER_OUT_OF_RANGE: (raw_payload(b'{"exp":1e400}'), {}, None),
    Reason.HEADER_NOT_OBJECT: (lambda world: world.forge(header=b"[]"), {}, None),
    Reason.PAYLOAD_NOT_OBJECT: (raw_payload(b"[]"), {}, None),
    Reason.ALG_MISSING: (header(alg=OMIT), {}, None),
    Reason.ALG_NOT_ALLOWED: (header(alg="none"), {}, None),
    Reason.TYP_MISSING: (header(typ=OMIT), {"profile": keybound.profiles.RFC9068}, None),
    Reason.TYP_NOT_ALLOWED: (header(typ="dpop+jwt"), {}, None),
    Reason.CRIT_INVALID: (header(crit=[]), {}, None),
    Reason.CRIT_UNSUPPORTED: (header(crit=["exp"], exp=1), {}, None),
    Reason.B64_NOT_ALLOWED: (header(b64=False), {}, None),
    Reason.HEADER_MEMBER_INVALID: (header(kid=5), {}, None),
    Reason.KEY_UNKNOWN: (header(kid="another"), {}, None),
    Reason.KEY_UNSUITABLE: (header(alg="ES384"), {"algorithms": ["ES256", "ES384"]}, None),
    Reason.KEY_AMBIGUOUS: (header(kid=OMIT), {"keys": ...}, None),
    Reason.SIGNATURE_INVALID: (
        lambda world: world.token(key=SigningKey.generate("ES256", kid=world.key.kid)),
        {},
        None,
    ),
    Reason.CLAIM_MISSING: (claims(), {"required_claims": ["acr"]}, None),
    Reason.CLAIM_FORBIDDEN: (claims(act={}), {"forbidden_claims": ["act"]}, None),
    Reason.CLAIM_MISMATCH: (claims(token_use="id"), {"expected_claims": {"token_use": "access"}}, None),
    Reason.KIND_MISMATCH: (claims(nonce="n"), {}, None),
    Reason.AUD_ARRAY: (claims(audience=["https://rs.example.com/"]), {"profile": form("STRING")}, None),
    Reason.AUD_NOT_SOLE: (
        claims(audience=["https://rs.example.com/", "https://x.example"]),
        {"profile": form("SOLE")},
        None,
    ),
    Reason.ISS_MISSING: (claims(iss=OMIT), {}, None),
    Reason.ISS_INVALID: (claims(iss=["https://as.example.com/tenant"]), {}, None),
    Reason.ISS_MISMATCH: (claims(iss="https://as.example.com"), {}, None),
    Reason.AUD_MISSING: (claims(aud=OMIT), {}, None),
    Reason.AUD_INVALID: (claims(aud=[]), {}, None),
    Reason.AUD_MISMATCH: (claims(aud="https://other.example.com/"), {}, None),
    Reason.EXP_MISSING: (claims(exp=OMIT), {}, None),
    Reason.EXP_INVALID: (claims(exp="9999999999"), {}, None),
    Reason.TOKEN_EXPIRED: (claims(lifetime=-60), {}, None),
    Reason.NBF_MISSING: (claims(), {"required_claims": ["nbf"]}, None),
    Reason.NBF_INVALID: (claims(nbf=None), {}, None),
    Reason.TOKEN_NOT_YET_VALID: (lambda world: world.token(nbf=world.now + 60), {}, None),
    Reason.IAT_MISSING: (claims(iat=OMIT), {"max_age": 60}, None),
    Reason.IAT_INVALID: (claims(iat=True), {}, None),
    Reason.IAT_IN_FUTURE: (lambda world: world.token(iat=world.now + 60), {}, None),
    Reason.LIFETIME_TOO_LONG: (claims(), {"max_lifetime": 299}, None),
    Reason.TOKEN_TOO_OLD: (lambda world: world.token(iat=world.now - 71), {"max_age": 60}, None),
    Reason.SUB_MISSING: (claims(subject=OMIT), {"required_claims": ["sub"]}, None),
    Reason.SUB_INVALID: (claims(sub=7), {}, None),
    Reason.CLIENT_ID_MISSING: (claims(client_id=OMIT), {"required_claims": ["client_id"]}, None),
    Reason.CLIENT_ID_INVALID: (claims(client_id=""), {}, None),
    Reason.JTI_MISSING: (claims(jti=OMIT), {"required_claims": ["jti"]}, None),
    Reason.JTI_INVALID: (claims(jti=["good"]), {}, None),
    Reason.SCOPE_INVALID: (claims(scope=["read"]), {}, None),
    Reason.CNF_MISSING: (claims(), {"binding": "required"}, None),
    Reason.CNF_INVALID: (claims(cnf={}), {}, None),
    Reason.CNF_UNSUPPORTED: (claims(cnf={"jwk": {}}), {}, None),
    Reason.CNF_AMBIGUOUS: (claims(cnf={"x5t#S256": "x", "jkt": "x"}), {}, None),
    Reason.CNF_THUMBPRINT_INVALID: (claims(cnf={"x5t#S256": "ab" * 32}), {}, None),
    Reason.CNF_THUMBPRINT_NOT_CANONICAL: (
        claims(cnf={"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
        {},
        None,
    ),
    Reason.CNF_THUMBPRINT_OF_NOTHING: (claims(cnf={"x5t#S256": NOTHING}), {}, None),
    Reason.CERTIFICATE_MISSING: (bound, {}, None),
    Reason.CERTIFICATE_INVALID: (bound, {}, b"x"),
    Reason.CERTIFICATE_MISMATCH: (bound, {}, STRANGER),
    Reason.CNF_JKT_INVALID: (claims(cnf={"jkt": "ab" * 32}), {}, None),
    Reason.CNF_JKT_NOT_CANONICAL: (
        claims(cnf={"jkt": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
        {},
        None,
    ),
    Reason.DPOP_PROOF_MISSING: (lambda world: world.token(dpop_key=world.dpop_key), {}, None),
    Reason.SCOPE_INSUFFICIENT: (claims(scope="read"), {"scopes": ["write"]}, None),
}


# What it can say when a DPoP proof comes along: token, what the proof was made for, key of the proof.
BY_PROOF: dict[Reason, tuple[dict[str, Any], str | None, Any]] = {
    Reason.DPOP_PROOF_UNEXPECTED: ({}, "it", None),
    Reason.DPOP_TOKEN_MISMATCH: ({"dpop_key": ...}, "another", None),
    Reason.DPOP_KEY_MISMATCH: ({"dpop_key": ...}, "it", SigningKey.generate("ES256")),
}


def proof(*, nonce: str | None = None, issued: Any = OMIT, **changed: Any) -> Callable[[Any], object]:
    def judge(world: Any) -> object:
        validator = keybound.DPoPProofValidator(algorithms=["ES256"], replay=None, clock=world.clock)
        raw = dpop_proof(world.dpop_key, clock=world.clock, nonce=issued, **changed)
        return validator.validate(raw, method="GET", url="https://rs.example.com/resource", nonce=nonce)

    return judge


def detached(world: Any, **changed: Any) -> dict[str, Any]:
    protected, payload, signature = world.token().split(".")
    return {"protected": protected, "payload": payload, "signature": signature} | changed


# What only the JSON serialization and detached payloads of `keybound.jws` can say.
BY_JWS: dict[Reason, Callable[[Any], keybound.jws.VerifiedJWS]] = {
    Reason.SERIALIZATION_INVALID: lambda world: keybound.jws.verify_json(
        "{}", world.keys, algorithms=["ES256"], detached_payload=b""
    ),
    Reason.PAYLOAD_MISSING: lambda world: keybound.jws.verify_json("{}", world.keys, algorithms=["ES256"]),
    Reason.PAYLOAD_NOT_DETACHED: lambda world: keybound.jws.verify(
        world.token(), world.keys, algorithms=["ES256"], detached_payload=b"other"
    ),
    Reason.HEADER_MEMBER_REPEATED: lambda world: keybound.jws.verify_json(
        json.dumps(detached(world, header={"alg": "ES256"})), world.keys, algorithms=["ES256"]
    ),
}


def id_token(make: dict[str, Any] = {}, **checked: Any) -> Callable[[Any], object]:  # noqa: B006
    def judge(world: Any) -> object:
        validator = keybound.IDTokenValidator(
            issuer=world.issuer.issuer,
            client_id="client-1",
            keys=world.keys,
            algorithms=["ES256"],
            clock=world.clock,
            acr_values="silver gold",
        )
        token = world.issuer.id_token(**{"nonce": "n", "acr": "gold"} | make)
        return validator.validate(token, **{"nonce": "n"} | checked)

    return judge


def demand(**demands: Any) -> Callable[[Any], object]:
    def judge(world: Any) -> object:
        validator, details = world.validator(), [{"type": "a"}]
        token = validator.validate(world.token(roles=["a"], authorization_details=details))
        return validator.require(token, keybound.Demands(**demands))

    return judge


def details(type_: str) -> Callable[[Any], object]:
    return demand(authorization_details=keybound.AuthorizationDetails(type=type_))


SENDER = EncryptionKey.generate("A128GCMKW")
AGREED = EncryptionKey.generate("ECDH-ES")
RULES: dict[str, Any] = {"algorithms": ["A128GCMKW"], "encryptions": ["A128CBC-HS256"]}


def encrypted(world: Any, *, key: EncryptionKey = SENDER, **options: Any) -> str:
    header = {"cty": "JWT"} | options.pop("header", {})
    return encrypt_jwe(options.pop("content", None) or world.token(), key, header=header, **options)


def nested(
    *,
    segment: int | None = None,
    text: str = "AAAA",
    raw: str | None = None,
    zipped: bool = False,
    **options: Any,
) -> Callable[[Any], object]:
    """Opens a nested token; a segment of it may be replaced by a text."""

    def judge(world: Any) -> object:
        segments = (raw or encrypted(world, **options)).split(".")
        if segment is not None:
            segments[segment] = text
        key = keybound.DecryptionKey.from_json(options.get("key", SENDER).private_jwk())
        rules = RULES | {"algorithms": [key.alg], "allow_compression": zipped}
        opened = keybound.Decryption(keys=key, **rules).open(".".join(segments))
        if isinstance(opened, int):
            raise rejection(opened)
        return opened

    return judge


def response(parameters: Callable[[Any], Any], **options: Any) -> Callable[[Any], object]:
    """Validates what came to the redirection endpoint of a client that had sent the state ``s``."""

    def judge(world: Any) -> object:
        validator = keybound.AuthorizationResponseValidator(
            issuer=world.issuer.issuer,
            client_id="client-1",
            keys=world.keys,
            algorithms=["ES256"],
            clock=world.clock,
            **options,
        )
        return validator.validate_response(parameters(world), state="s")

    return judge


def secured(**claims: Any) -> Callable[[Any], dict[str, str]]:
    return lambda world: {"response": world.issuer.authorization_response(**{"state": "s"} | claims)}


# What only encrypted tokens can have wrong.
BY_JWE: dict[Reason, Callable[[Any], object]] = {
    Reason.JWE_MALFORMED: nested(raw="a.b.c.d"),
    Reason.TOKEN_NOT_ENCRYPTED: nested(raw="a.b.c"),
    Reason.JWE_SERIALIZATION_INVALID: lambda world: keybound.jwe.decrypt_json(
        "{}", keybound.DecryptionKey.from_json(SENDER.private_jwk()), **RULES
    ),
    Reason.ENCRYPTED_KEY_INVALID: nested(segment=1),
    Reason.IV_INVALID: nested(segment=2),
    Reason.TAG_INVALID: nested(segment=4),
    Reason.CONTENT_NOT_SIGNED: nested(content='{"sub":"admin"}'),
    Reason.CONTENT_TOO_LARGE: nested(zipped=True, content="a" * 300_000, compress=True),
    Reason.COMPRESSION_INVALID: nested(zipped=True, header={"zip": "DEF"}),
    Reason.ENC_MISSING: nested(header={"enc": OMIT}),
    Reason.ENC_NOT_ALLOWED: nested(header={"enc": "A256GCM"}),
    Reason.ZIP_NOT_ALLOWED: nested(header={"zip": "DEF"}),
    Reason.EPK_INVALID: nested(key=AGREED, header={"epk": {}}),
    Reason.CTY_MISSING: nested(header={"cty": OMIT}),
    Reason.CTY_NOT_ALLOWED: nested(header={"cty": "text/plain"}),
    Reason.DECRYPTION_FAILED: nested(segment=4, text="A" * 22),
}


def introspected(members: dict[str, Any]) -> Callable[[Any], object]:
    def judge(world: Any) -> object:
        validator = keybound.IntrospectionResponseValidator(
            issuer=world.issuer.issuer, audience="https://rs.example.com", clock=world.clock
        )
        return validator.validate(world.issuer.introspection_response(**members))

    return judge


def logout_token(*uses: dict[str, Any]) -> Callable[[Any], object]:
    """Shows tokens with these claims to one validator, one after the other."""

    def judge(world: Any) -> object:
        validator = keybound.LogoutTokenValidator(
            issuer=world.issuer.issuer,
            client_id="client-1",
            keys=world.keys,
            algorithms=["ES256"],
            clock=world.clock,
            replay=MemoryReplayStore(),
        )
        return [validator.validate(world.issuer.logout_token(**claims)) for claims in uses]

    return judge


def revoked(**named: str) -> Callable[[Any], object]:
    """A token of user-1 after something was revoked."""

    def judge(world: Any) -> object:
        revocations = MemoryRevocationList(clock=world.clock)
        revocations.revoke(issuer=world.issuer.issuer, **named)
        return world.validator(revocation=revocations).validate(world.token())

    return judge


def assertion(make: dict[str, Any] = {}, **options: Any) -> Callable[[Any], object]:  # noqa: B006
    """A client assertion in a form, presented twice if there is a store to remember it."""

    def judge(world: Any) -> object:
        client = FakeClient("client-1", clock=world.clock)
        form = {
            "client_assertion_type": keybound.CLIENT_ASSERTION_TYPE,
            "client_assertion": client.assertion(),
        }
        validator = keybound.ClientAssertionValidator(
            client_id="client-1",
            keys=keybound.JWKSet.from_json(client.jwks()),
            audience="https://as.example.com",
            algorithms=["ES256"],
            clock=world.clock,
            **{"replay": None} | options,
        )
        validator.validate_form(form | make)
        return validator.validate_form(form | make)

    return judge


def request_object(make: dict[str, Any] = {}, **parameters: Any) -> Callable[[Any], object]:  # noqa: B006
    """A request object beside plain parameters."""

    def judge(world: Any) -> object:
        client = FakeClient("client-1", clock=world.clock)
        validator = keybound.RequestObjectValidator(
            client_id="client-1",
            keys=keybound.JWKSet.from_json(client.jwks()),
            audience="https://as.example.com",
            algorithms=["ES256"],
            clock=world.clock,
        )
        return validator.validate(client.request_object(**make), parameters=parameters)

    return judge


# What only the validators of other kinds, and demands of a resource, can say.
BY_KIND: dict[Reason, Callable[[Any], object]] = {
    Reason.CLAIM_INVALID: id_token({"azp": 5}),
    Reason.AUTHENTICATION_INSUFFICIENT: id_token({"acr": "bronze"}),
    Reason.AUTHENTICATION_TOO_OLD: id_token({"auth_time": 1}, max_age=60),
    Reason.NONCE_MISMATCH: id_token({"nonce": "m"}),
    Reason.AZP_MISMATCH: id_token({"azp": "client-2"}),
    Reason.ISS_UNKNOWN: lambda world: keybound.IssuerRouter().validate(world.token()),
    Reason.HASH_MISMATCH: id_token({"code": "c"}, code="d"),
    Reason.STATE_MISMATCH: response(secured(state="t")),
    Reason.RESPONSE_NOT_SIGNED: response(lambda world: {"code": "c", "state": "s"}),
    Reason.RESPONSE_AMBIGUOUS: response(lambda world: secured()(world) | {"code": "c"}),
    Reason.PARAMETER_REPEATED: response(lambda world: {"code": ["c", "d"]}, plain_responses="iss-required"),
    Reason.JTI_REPLAYED: logout_token({"jti": "1"}, {"jti": "1"}),
    Reason.TOKEN_REVOKED: revoked(sub="user-1"),
    Reason.TOKEN_INACTIVE: introspected({"active": False}),
    Reason.EVENT_UNEXPECTED: logout_token({"events": {"https://example.com/event": {}}}),
    Reason.AUTHORIZATION_DETAILS_INSUFFICIENT: details("b"),
    Reason.ROLE_INSUFFICIENT: demand(roles="b"),
    Reason.SUBJECT_IS_CLIENT: request_object({"sub": "client-1"}),
    Reason.PARAMETER_MISMATCH: request_object({"state": "a"}, state="b"),
    Reason.ASSERTION_TYPE_MISMATCH: assertion({"client_assertion_type": "saml2-bearer"}),
    Reason.CLIENT_MISMATCH: assertion({"client_id": "client-2"}),
    Reason.GRANT_TYPE_NOT_ALLOWED: assertion(grant_types="refresh_token"),
    Reason.DPOP_JWK_MISSING: proof(header={"jwk": OMIT}),
    Reason.DPOP_JWK_INVALID: proof(header={"jwk": {"kty": "EC"}}),
    Reason.DPOP_JWK_PRIVATE: proof(header={"jwk": SigningKey.generate("ES256").private_jwk()}),
    Reason.DPOP_NONCE_MISSING: proof(nonce="n"),
    Reason.DPOP_NONCE_INVALID: proof(nonce="n", issued="m"),
}

FAMILIES = {
    1: keybound.MalformedToken,
    2: keybound.HeaderRejected,
    3: keybound.KeyRejected,
    4: keybound.SignatureRejected,
    5: keybound.ClaimRejected,
    6: keybound.BindingRejected,
    7: keybound.InsufficientScope,
    8: keybound.DecryptionRejected,
    9: keybound.ContextRejected,
}


def test_every_reason_has_a_vector() -> None:
    vectors = [*BY_TOKEN, *BY_PROOF, *BY_JWS, *BY_JWE, *BY_KIND, Reason.OK]
    assert sorted(vectors) == sorted(Reason)


@pytest.mark.parametrize("reason", BY_TOKEN, ids=str)
def test_reason_of_a_token(world: Any, judge: Any, reason: Reason) -> None:
    forge, options, certificate = BY_TOKEN[reason]
    if options.get("keys") is ...:
        spare = SigningKey.generate("ES256")
        options = {"keys": keybound.JWKSet.from_json({"keys": [world.key.public_jwk(), spare.public_jwk()]})}
    if certificate is STRANGER:
        certificate = world.stranger.der
    claim = {
        Reason.CLAIM_MISSING: "acr",
        Reason.CLAIM_FORBIDDEN: "act",
        Reason.CLAIM_MISMATCH: "token_use",
    }.get(reason)
    rejected = judge.rejects(forge(world), reason, certificate=certificate, claim=claim, **options)
    assert type(rejected) is FAMILIES[reason // 100]


@pytest.mark.parametrize("reason", BY_PROOF, ids=str)
def test_reason_of_a_token_with_a_proof(world: Any, judge: Any, reason: Reason) -> None:
    make, beside, key = BY_PROOF[reason]
    if "dpop_key" in make:
        make = {"dpop_key": world.dpop_key}
    raw = world.token(**make)
    made_for = raw if beside == "it" else world.token(**make)
    rejected = judge.rejects(raw, reason, proof=world.proof(made_for, key=key))
    assert type(rejected) is FAMILIES[reason // 100]


@pytest.mark.parametrize("reason", BY_JWS, ids=str)
def test_reason_of_a_signature(world: Any, reason: Reason) -> None:
    with pytest.raises(keybound.TokenRejected) as caught:
        BY_JWS[reason](world)
    assert caught.value.reason is reason
    assert type(caught.value) is FAMILIES[reason // 100]


@pytest.mark.parametrize("reason", BY_JWE, ids=str)
def test_reason_of_an_encryption(world: Any, reason: Reason) -> None:
    with pytest.raises(keybound.TokenRejected) as caught:
        BY_JWE[reason](world)
    assert caught.value.reason is reason
    assert type(caught.value) is FAMILIES[reason // 100]


@pytest.mark.parametrize("reason", BY_KIND, ids=str)
def test_reason_of_another_kind(world: Any, reason: Reason) -> None:
    with pytest.raises(keybound.TokenRejected) as caught:
        BY_KIND[reason](world)
    assert caught.value.reason is reason
    assert type(caught.value) is FAMILIES[reason // 100]


def test_the_controls_of_other_kinds_are_accepted(world: Any) -> None:
    assert id_token()(world)
    assert id_token({"auth_time": int(world.now), "azp": "client-1"}, max_age=60)(world)
    assert id_token({"code": "c"}, code="c")(world)
    assert logout_token({"jti": "1"}, {"jti": "2"})(world)
    assert introspected({})(world)
    assert revoked(sub="user-2")(world)
    assert details("a")(world)
    assert response(secured())(world)
    assert demand(roles="a")(world)
    assert request_object({"sub": "user-1", "state": "a"}, state="a", client_id="client-1")(world)
    assert assertion({"grant_type": "a", "client_id": "client-1"}, grant_types="a")(world)


def test_the_controls_of_all_vectors_are_accepted(world: Any, judge: Any) -> None:
    """The same issuer, key and claims, unforged: nothing above fails for another cause."""
    judge.accepts(world.token())
    judge.accepts(world.forge())
    judge.accepts(bound(world), certificate=world.client.der)
    held = world.token(dpop_key=world.dpop_key)
    judge.accepts(held, proof=world.proof(held))
    assert proof()(world)
    judge.accepts(world.token(acr="1"), required_claims=["acr"], forbidden_claims=["act"], scopes=["write"])
    judge.accepts(world.token(), profile=keybound.profiles.RFC9068, max_age=60, max_lifetime=300)
    assert (
        keybound.jws.verify_json(detached(world), world.keys, algorithms=["ES256"]).header["kid"]
        == world.key.kid
    )


def test_ok_is_not_zero_and_numbers_and_names_are_unique() -> None:
    """P16: reasons that can be told apart."""
    assert Reason.OK != 0
    assert all(Reason)
    assert len({reason.value for reason in Reason}) == len(Reason.__members__)
    assert all(reason.value < 2**16 for reason in Reason)


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_texts_of_a_reason(reason: Reason) -> None:
    assert str(reason) == reason.code == reason.name.lower() == f"{reason}"
    assert f"{reason:>40}" == reason.code.rjust(40)
    # RFC 6750, 3: error_description = %x20-21 / %x23-5B / %x5D-7E
    assert reason.description.isascii()
    assert reason.description.isprintable()
    assert not set(reason.description) & set('"\\')
    assert not reason.description.endswith(".")
    assert len({other.description for other in Reason}) == len(Reason)
