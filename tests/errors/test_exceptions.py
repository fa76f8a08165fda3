"""The exceptions themselves: class, status, challenge header, copies, and what they never show."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import keybound
from keybound.errors import Reason, Scheme, rejection

REJECTIONS = [reason for reason in Reason if reason is not Reason.OK]


@pytest.mark.parametrize("reason", REJECTIONS, ids=str)
def test_status_follows_rfc_6750_section_3_1(reason: Reason) -> None:
    """P16: a verdict is 401 or 403 and never 503."""
    error = rejection(reason)
    assert isinstance(error, keybound.TokenRejected)
    status, code = {
        Reason.SCOPE_INSUFFICIENT: (403, "insufficient_scope"),
        Reason.AUTHORIZATION_DETAILS_INSUFFICIENT: (403, "insufficient_scope"),
        Reason.ROLE_INSUFFICIENT: (403, "insufficient_scope"),
        # RFC 9470, 3.
        Reason.AUTHENTICATION_INSUFFICIENT: (401, "insufficient_user_authentication"),
        Reason.AUTHENTICATION_TOO_OLD: (401, "insufficient_user_authentication"),
        # RFC 9449, 9.
        Reason.DPOP_NONCE_MISSING: (401, "use_dpop_nonce"),
        Reason.DPOP_NONCE_INVALID: (401, "use_dpop_nonce"),
    }.get(reason, (401, "invalid_token"))
    assert (error.status, error.error) == (status, code)


@pytest.mark.parametrize(
    ("error", "status"), [("invalid_client", 401), ("invalid_request", 400), ("invalid_request_object", 400)]
)
@pytest.mark.parametrize("reason", REJECTIONS, ids=str)
def test_an_authorization_server_has_codes_of_its_own(reason: Reason, error: str, status: int) -> None:
    """RFC 6749, 5.2; RFC 9101, 7: whatever the reason, and in copies as well."""
    rejected = rejection(reason, claim="jti", error=error)
    for each in (rejected, copy.copy(rejected), pickle.loads(pickle.dumps(rejected))):
        assert (each.error, each.status, each.claim) == (error, status, "jti")
        assert each.error_response() == {"error": error, "error_description": reason.description}
    assert rejection(reason).error != error


@pytest.mark.parametrize(
    ("reason", "options", "expected"),
    [
        (Reason.TOKEN_MISSING, {}, "Bearer"),
        (Reason.TOKEN_MISSING, {"realm": "example"}, 'Bearer realm="example"'),
        (Reason.TOKEN_MISSING, {"scope": "read"}, 'Bearer scope="read"'),
        (
            Reason.TOKEN_MALFORMED,
            {},
            'Bearer error="invalid_token", '
            'error_description="The token does not have the segments of a signed token"',
        ),
        (
            Reason.ALG_NOT_ALLOWED,
            {"realm": "example"},
            'Bearer realm="example", error="invalid_token", '
            'error_description="The algorithm of the token is not allowed"',
        ),
        (
            Reason.KEY_UNKNOWN,
            {},
            'Bearer error="invalid_token", error_description="The token names a key that is not known"',
        ),
        (
            Reason.SIGNATURE_INVALID,
            {},
            'Bearer error="invalid_token", error_description="The signature does not verify"',
        ),
        (Reason.TOKEN_EXPIRED, {}, 'Bearer error="invalid_token", error_description="The token has expired"'),
        (
            Reason.CERTIFICATE_MISMATCH,
            {"scope": "read write"},
            'Bearer error="invalid_token", '
            'error_description="The token is bound to another certificate", scope="read write"',
        ),
        (
            Reason.TOKEN_EXPIRED,
            {"realm": 'a "quoted" \\ realm', "scope": ""},
            'Bearer realm="a \\"quoted\\" \\\\ realm", error="invalid_token", '
            'error_description="The token has expired"',
        ),
        (
            Reason.TOKEN_EXPIRED,
            {"realm": ""},
            'Bearer realm="", error="invalid_token", error_description="The token has expired"',
        ),
    ],
)
def test_challenge(reason: Reason, options: dict[str, str], expected: str) -> None:
    """P16: the header field that goes with it."""
    assert rejection(reason).challenge(**options) == expected


OF_PROOFS = Scheme("DPoP", ("ES256", "PS256"))


@pytest.mark.parametrize(
    ("reason", "scheme", "options", "expected"),
    [
        # RFC 9449, 7.1 and 7.2: what a request without authentication is answered with.
        (Reason.TOKEN_MISSING, Scheme("DPoP", ("ES256", "PS256")), {}, 'DPoP algs="ES256 PS256"'),
        (Reason.TOKEN_MISSING, None, {"algs": ["ES256", "PS256"]}, 'Bearer, DPoP algs="ES256 PS256"'),
        (
            Reason.TOKEN_EXPIRED,
            None,
            {"algs": "ES256"},
            'Bearer error="invalid_token", error_description="The token has expired", DPoP algs="ES256"',
        ),
        # RFC 9449, 7.1: the binding failed.
        (
            Reason.DPOP_KEY_MISMATCH,
            Scheme("DPoP", ("ES256",)),
            {},
            'DPoP error="invalid_token", error_description="The token is bound to another key than that of '
            'the DPoP proof", algs="ES256"',
        ),
        # RFC 9449, 7.2: a bound token as a bearer token; the resource knows what proofs it takes.
        (
            Reason.DPOP_PROOF_MISSING,
            None,
            {"algs": ["ES256"], "realm": "r"},
            'DPoP realm="r", error="invalid_token", '
            'error_description="A DPoP proof is required and none was presented", algs="ES256"',
        ),
        (
            Reason.SIGNATURE_INVALID,
            OF_PROOFS,
            {"algs": [], "error": "invalid_dpop_proof"},
            'DPoP error="invalid_dpop_proof", error_description="The signature does not verify"',
        ),
        # RFC 9449, 9.
        (
            Reason.DPOP_NONCE_MISSING,
            OF_PROOFS,
            {"scope": "read"},
            'DPoP error="use_dpop_nonce", error_description="A nonce is required in the DPoP proof", '
            'scope="read", algs="ES256 PS256"',
        ),
    ],
)
def test_challenge_in_a_scheme(
    reason: Reason, scheme: Scheme | None, options: dict[str, Any], expected: str
) -> None:
    error = rejection(reason, scheme=scheme, error=options.pop("error", None))
    assert error.challenge(**options) == expected
    assert error.status == 401


@pytest.mark.parametrize("algs", [["ES256", 5], [b"ES256"], ['ES"256'], ["ES256\r\nX: y"], [""], "\u00e9"])
def test_algorithms_that_cannot_stand_in_a_header(algs: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        rejection(Reason.TOKEN_EXPIRED).challenge(algs=algs)


def test_challenge_of_a_missing_scope_names_what_the_policy_wants(world: Any, judge: Any) -> None:
    error = judge.rejects(world.token(scope="read"), Reason.SCOPE_INSUFFICIENT, scopes=["write", "admin"])
    assert error.status == 403
    description = 'error_description="The token does not carry the required scope"'
    assert error.challenge() == f'Bearer error="insufficient_scope", {description}, scope="write admin"'
    assert error.challenge(realm="r", scope="write") == (
        f'Bearer realm="r", error="insufficient_scope", {description}, scope="write"'
    )


@pytest.mark.parametrize(
    "realm", ["a\r\nSet-Cookie: x", "tab\t", "nul\0", "é", "\x7f", 5, b"bytes", ["list"]]
)
def test_realm_that_cannot_stand_in_a_header(realm: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        rejection(Reason.TOKEN_EXPIRED).challenge(realm=realm)


@pytest.mark.parametrize("scope", ['a"b', "a\\b", "a\nb", "é", "a  b", " a", "a ", 5, b"bytes", ["read"]])
def test_scope_that_cannot_stand_in_a_header(scope: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        rejection(Reason.TOKEN_EXPIRED).challenge(scope=scope)


@pytest.mark.parametrize("reason", REJECTIONS, ids=str)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_copies_are_complete(reason: Reason, again: Any) -> None:
    error = rejection(reason, claim="acr", scope="write", scheme=OF_PROOFS)
    twin = again(error)
    assert type(twin) is type(error)
    assert (twin.scheme, twin.error) == (OF_PROOFS, error.error)
    assert (twin.reason, twin.claim, twin.scope, twin.status) == (reason, "acr", "write", error.status)
    assert str(twin) == str(error)
    assert twin.challenge() == error.challenge()


def test_other_errors_survive_pickling() -> None:
    unavailable = pickle.loads(pickle.dumps(keybound.Unavailable("no keys yet", retry_after=2.5)))
    assert (str(unavailable), unavailable.retry_after, unavailable.status) == ("no keys yet", 2.5, 503)
    for kind in (keybound.PolicyError, keybound.InvalidKey):
        assert str(pickle.loads(pickle.dumps(kind("why")))) == "why"


def test_tree() -> None:
    rejected = {keybound.TokenRejected, *keybound.TokenRejected.__subclasses__()}
    assert {type(rejection(reason)) for reason in REJECTIONS} == rejected - {keybound.TokenRejected}
    for kind in (*rejected, keybound.Unavailable, keybound.PolicyError, keybound.InvalidKey):
        assert issubclass(kind, keybound.KeyboundError)
    # A handler for one of the three must never catch another.
    assert not issubclass(keybound.Unavailable, keybound.TokenRejected)
    assert not issubclass(keybound.PolicyError, keybound.TokenRejected)


def test_text_of_a_claim_that_the_operator_asked_for(world: Any, judge: Any) -> None:
    error = judge.rejects(world.token(), Reason.CLAIM_MISSING, claim="acr", required_claims=["acr"])
    assert str(error) == "A required claim is missing (acr) [claim_missing]"


BIG = 5_000_000


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + "A" * BIG,
        lambda token: "A" * BIG + token,
        lambda token: token.encode() + b"." * BIG,
        lambda token: "é" * BIG,
        lambda token: "\ud800" * BIG,
        lambda token: b"\xff" * BIG,
    ],
)
def test_messages_have_a_fixed_length_for_huge_tokens(world: Any, judge: Any, change: Any) -> None:
    """F-18: a message says nothing that the token chose."""
    error = judge.rejects(change(world.token()), Reason.TOKEN_TOO_LARGE)
    assert str(error) == "The token is larger than the configured ceiling [token_too_large]"
    assert len(repr(error)) < 200


SECRET_MARK = "S3CR3T-MARK-IN-THE-TOKEN"


@pytest.mark.parametrize(
    "raw",
    [
        SECRET_MARK,
        SECRET_MARK + ".b.c",
        SECRET_MARK + "\ud800.b.c",
        "a." + SECRET_MARK + "é.c",
        SECRET_MARK.encode() + b"\xff.b.c",
    ],
)
def test_malformed_tokens_do_not_show(world: Any, leaks_nothing: Any, raw: Any) -> None:
    """F-18, P39: neither in the error nor in what caused it."""
    calls = [
        lambda: world.validator().validate(raw),
        lambda: keybound.jws.verify(raw, world.keys, algorithms=["ES256"]),
        lambda: keybound.jws.verify_json(raw, world.keys, algorithms=["ES256"]),
        lambda: keybound.jws.verify_json(
            {"payload": raw, "signature": raw, "protected": raw}, world.keys, algorithms=["ES256"]
        ),
        lambda: keybound.jws.verify(raw, world.keys, algorithms=["ES256"], detached_payload=b"x"),
    ]
    for call in calls:
        with pytest.raises(keybound.TokenRejected) as caught:
            call()
        leaks_nothing(raw, caught.value)


@pytest.mark.parametrize(
    "load",
    [
        lambda: keybound.JWK.from_json(f'{{"kty":"oct","k":"{SECRET_MARK}\ud800"}}'),
        lambda: keybound.JWK.from_json(f'{{"kty":"oct","k":"{SECRET_MARK}="}}'),
        lambda: keybound.JWKSet.from_json(f'{{"keys":[{{"kty":"oct","k":"{SECRET_MARK}\ud800"}}]}}'),
        lambda: keybound.JWK.from_pem(SECRET_MARK),
        lambda: keybound.JWK.from_pem(
            f"-----BEGIN PUBLIC KEY-----\n{SECRET_MARK}\n-----END PUBLIC KEY-----\n"
        ),
        lambda: keybound.JWK.from_pem(SECRET_MARK + "\ud800"),
        lambda: keybound.JWK.from_der(SECRET_MARK.encode()),
        lambda: keybound.JWK.from_secret(SECRET_MARK, alg="HS256"),
        lambda: keybound.JWK.from_secret(SECRET_MARK.encode(), alg="none"),
    ],
)
def test_keys_do_not_show(load: Any, leaks_nothing: Any) -> None:
    with pytest.raises(keybound.InvalidKey) as caught:
        load()
    leaks_nothing(SECRET_MARK, caught.value)
