"""The libraries that are compared, one adapter each.

An adapter prepares once what its library can prepare (parsed keys, compiled policies), in the way
its documentation recommends, and returns a function that validates one token: signature, ``iss``,
``aud`` and ``exp``. Libraries are imported by name inside their adapter, because each runs in a
process of its own and none has to be installed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

from cases import BAD_BINDING, BAD_CLAIMS, BAD_SIGNATURES, Case

__all__ = ["BASELINE", "PEERS", "Peer", "Validator", "access_token_validator"]


class Validator(NamedTuple):
    """:ivar validate: what is timed; returns the claims, unless the peer says otherwise
    :ivar rejection: the exceptions with which the library rejects a token
    """

    validate: Callable[[str], Any]
    rejection: type[Exception] | tuple[type[Exception], ...]


@dataclass(frozen=True)
class Peer:
    """One column of the tables.

    :ivar distribution: its name on the package index
    :ivar prepare: makes a validator out of a case
    :ivar lacks: algorithms that its current version does not verify
    :ivar rejects: what it must reject to be timed
    :ivar read_claims: reads the claims off a result where that is not timed; ``None``: there are none
    :ivar environment: variables of its process
    """

    name: str
    distribution: str
    prepare: Callable[[Case], Validator]
    lacks: frozenset[str] = frozenset()
    rejects: frozenset[str] = BAD_SIGNATURES | BAD_CLAIMS
    read_claims: Callable[[Any], Mapping[str, Any]] | None = dict
    environment: Mapping[str, str] = field(default_factory=dict)


# --- Keybound -------------------------------------------------------------------------------------


def access_token_validator(case: Case) -> Any:
    """Keybound's validator, the same for every use here."""
    keybound = import_module("keybound")
    return keybound.AccessTokenValidator(
        issuer=case.issuer,
        audience=case.audience,
        keys=keybound.JWKSet.from_json({"keys": [case.jwk]}),
        algorithms=[case.algorithm],
        # The peers remember no token either.
        cache=None,
    )


def _keybound(case: Case) -> Validator:
    """As the others: the claims are read, so that they are parsed. And the certificate is hashed."""
    validate, certificate = access_token_validator(case).validate, case.certificate_der
    return Validator(
        lambda token: validate(token, certificate=certificate).claims, import_module("keybound").TokenRejected
    )


def _keybound_claims_unread(case: Case) -> Validator:
    validate, certificate = access_token_validator(case).validate, case.certificate_der
    return Validator(
        lambda token: validate(token, certificate=certificate), import_module("keybound").TokenRejected
    )


def _primitive(case: Case) -> Validator:
    """Keybound's signature operation alone: what no validation can be faster than."""
    hotpath = import_module("keybound._hotpath")
    jwk = import_module("keybound").JWK.from_json(case.jwk)
    row = import_module("keybound.jose.algorithms").ALGORITHMS[case.algorithm]
    verify, handle, family, bits = hotpath.signature.verify, jwk._handle, int(row.family), row.bits
    parts = {}
    for token in [*(token for token, _ in case.good), *case.bad.values()]:
        signing_input, _, signature = token.rpartition(".")
        parts[token] = signing_input.encode(), hotpath.base64url.decode(signature)

    def validate(token: str) -> None:
        data, signature = parts[token]
        if not verify(handle, family, bits, data, signature):
            raise ValueError("signature does not verify")

    return Validator(validate, ValueError)


# --- peers ----------------------------------------------------------------------------------------


def _pyjwt(case: Case) -> Validator:
    jwt = import_module("jwt")
    key, algorithms = jwt.PyJWK(case.jwk), [case.algorithm]
    return Validator(
        lambda token: jwt.decode(token, key, algorithms, audience=case.audience, issuer=case.issuer),
        jwt.InvalidTokenError,
    )


def _joserfc(case: Case) -> Validator:
    jwt = import_module("joserfc.jwt")
    key = import_module("joserfc.jwk").import_key(case.jwk)
    registry = import_module("joserfc.jws").JWSRegistry(algorithms=[case.algorithm])
    claims_registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": case.issuer},
        aud={"essential": True, "value": case.audience},
        exp={"essential": True},
    )

    def validate(token: str) -> Any:
        claims = jwt.decode(token, key, registry=registry).claims
        claims_registry.validate(claims)
        return claims

    return Validator(validate, import_module("joserfc.errors").JoseError)


def _python_jose(case: Case) -> Validator:
    jwt = import_module("jose.jwt")
    key = import_module("jose.jwk").construct(case.jwk, case.algorithm)
    return Validator(
        lambda token: jwt.decode(token, key, case.algorithm, audience=case.audience, issuer=case.issuer),
        import_module("jose.exceptions").JOSEError,
    )


def _authlib(case: Case) -> Validator:
    with warnings.catch_warnings():
        # On import it asks its users to move to joserfc, after insisting on being heard.
        import_module("authlib.deprecate")
        warnings.simplefilter("ignore")
        jose = import_module("authlib.jose")
    key = jose.JsonWebKey.import_key(case.jwk)
    decode = jose.JsonWebToken([case.algorithm]).decode
    options = {
        "iss": {"essential": True, "value": case.issuer},
        "aud": {"essential": True, "value": case.audience},
        "exp": {"essential": True},
    }

    def validate(token: str) -> Any:
        claims = decode(token, key, claims_options=options)
        claims.validate()
        return claims

    return Validator(validate, jose.JoseError)


def _jwcrypto(case: Case) -> Validator:
    jwt_class = import_module("jwcrypto.jwt").JWT
    loads = import_module("json").loads
    key = import_module("jwcrypto.jwk").JWK(**case.jwk)
    algorithms = [case.algorithm]
    checks = {"iss": case.issuer, "aud": case.audience, "exp": None}

    def validate(token: str) -> Any:
        # It keeps the claims as text, and parsing them is left to the caller.
        return loads(
            jwt_class(jwt=token, key=key, algs=algorithms, check_claims=checks, expected_type="JWS").claims
        )

    return Validator(validate, import_module("jwcrypto.common").JWException)


def _oxyjwt(case: Case) -> Validator:
    oxyjwt = import_module("oxyjwt")
    key, algorithms = oxyjwt.DecodingKey.from_jwk(case.jwk), [case.algorithm]
    return Validator(
        lambda token: oxyjwt.decode(token, key, algorithms, audience=case.audience, issuer=case.issuer),
        oxyjwt.InvalidTokenError,
    )


def _ryjwt(case: Case) -> Validator:
    ryjwt = import_module("ryjwt")
    options = {"algorithms": [case.algorithm], "audience": case.audience, "issuer": case.issuer}
    key = (
        ryjwt.SecretKey(case.secret, **options) if case.pem is None else ryjwt.PublicKey(case.pem, **options)
    )
    return Validator(key.decode, ryjwt.InvalidTokenError)


# --- the table ------------------------------------------------------------------------------------

_NATIVE = {"KEYBOUND_REQUIRE_NATIVE": "1"}
_PURE = {"KEYBOUND_PURE": "1"}
_ALL_CHECKS = BAD_SIGNATURES | BAD_CLAIMS | BAD_BINDING
_RFC9864 = frozenset({"Ed25519", "Ed448"})

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("keybound", "keybound", _keybound, rejects=_ALL_CHECKS, environment=_NATIVE),
        Peer(
            "keybound-unread",
            "keybound",
            _keybound_claims_unread,
            rejects=_ALL_CHECKS,
            read_claims=lambda token: dict(token.claims),
            environment=_NATIVE,
        ),
        Peer(
            "primitive", "keybound", _primitive, rejects=BAD_SIGNATURES, read_claims=None, environment=_NATIVE
        ),
        Peer("keybound-pure", "keybound", _keybound, rejects=_ALL_CHECKS, environment=_PURE),
        Peer("ryjwt", "ryjwt", _ryjwt, lacks=_RFC9864),
        Peer("oxyjwt", "oxyjwt", _oxyjwt, lacks=_RFC9864 | {"ES512", "ES256K"}),
        Peer("joserfc", "joserfc", _joserfc),
        Peer("pyjwt", "pyjwt", _pyjwt, lacks=_RFC9864),
        Peer("authlib", "authlib", _authlib, lacks=_RFC9864),
        Peer("jwcrypto", "jwcrypto", _jwcrypto),
        Peer(
            "python-jose",
            "python-jose",
            _python_jose,
            lacks=_RFC9864 | {"PS256", "PS384", "PS512", "ES256K", "EdDSA"},
        ),
    )
}
"""Every peer by the name it has on the command line and in the tables."""

BASELINE = "keybound"
"""The peer that the others are divided by."""
