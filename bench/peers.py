"""The libraries that are compared, one adapter each.

An adapter prepares once what its library can prepare (parsed keys, compiled policies), in the way
its documentation recommends, and returns a function that validates one token: signature, ``iss``,
``aud`` and ``exp``. Libraries are imported by name inside their adapter, because each runs in a
process of its own and none has to be installed. A case with several keys is prepared as the key set
of the library, which finds the key of each token by its ``kid``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

from cases import BAD_BINDING, BAD_CLAIMS, BAD_SIGNATURES, Case

__all__ = ["BASELINE", "FLOOR", "OURS", "PEERS", "Peer", "Validator", "access_token_validator"]


class Validator(NamedTuple):
    """:ivar validate: what is timed; returns the claims, unless the peer says otherwise
    :ivar rejection: the exceptions with which the library rejects a token
    :ivar validate_many: the same for a batch and a number of threads
    :ivar cache: counters of the cache of tokens
    """

    validate: Callable[[str], Any]
    rejection: type[Exception] | tuple[type[Exception], ...]
    validate_many: Callable[[list[str], int], list[Any]] | None = None
    cache: Callable[[], Mapping[str, int]] = dict


@dataclass(frozen=True)
class Peer:
    """One column of the tables.

    :ivar distribution: its name on the package index
    :ivar module: what is imported to use it
    :ivar prepare: makes a validator out of a case
    :ivar lacks: algorithms that its current version does not verify
    :ivar rejects: what it must reject to be timed
    :ivar read_claims: reads the claims off a result where that is not timed; ``None``: there are none
    :ivar environment: variables of its process
    :ivar sets: whether it takes a set of keys that it has parsed before
    """

    name: str
    distribution: str
    module: str
    prepare: Callable[[Case], Validator]
    lacks: frozenset[str] = frozenset()
    rejects: frozenset[str] = BAD_SIGNATURES | BAD_CLAIMS
    read_claims: Callable[[Any], Mapping[str, Any]] | None = dict
    environment: Mapping[str, str] = field(default_factory=dict)
    sets: bool = False


# --- Keybound -------------------------------------------------------------------------------------


def access_token_validator(case: Case, cache: Any = None) -> Any:
    """Keybound's validator, the same for every use here; it remembers no token unless given a cache."""
    keybound = import_module("keybound")
    return keybound.AccessTokenValidator(
        issuer=case.issuer,
        audience=case.audience,
        keys=keybound.JWKSet.from_json({"keys": case.jwks}),
        algorithms=[case.algorithm],
        # The peers remember no token either.
        cache=cache,
    )


def _validator(validator: Any, case: Case) -> Validator:
    """The least an application does: validate, with the certificate, and read one claim."""
    validate, certificate = validator.validate, case.certificate_der

    def validated(token: str) -> Any:
        verified = validate(token, certificate=certificate)
        verified.subject  # noqa: B018  # read, as an application does
        return verified

    def validated_many(tokens: list[str], threads: int) -> list[Any]:
        verified = validator.validate_many(tokens, certificates=[certificate] * len(tokens), threads=threads)
        for token in verified:
            token.subject  # noqa: B018
        return list(verified)

    rejection = import_module("keybound").TokenRejected
    return Validator(validated, rejection, validated_many, lambda: validator.stats()["cache"])


def _keybound(case: Case) -> Validator:
    return _validator(access_token_validator(case), case)


def _keybound_claims(case: Case) -> Validator:
    """As the others: all claims are built."""
    validate, certificate = access_token_validator(case).validate, case.certificate_der
    return Validator(
        lambda token: validate(token, certificate=certificate).claims, import_module("keybound").TokenRejected
    )


def _keybound_again(case: Case) -> Validator:
    return _validator(access_token_validator(case, import_module("keybound").CacheSettings()), case)


def _keybound_miss(case: Case) -> Validator:
    """A cache that never holds the token: what looking in vain and storing cost."""
    return _validator(access_token_validator(case, import_module("keybound").CacheSettings(entries=2)), case)


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


def _hashing(case: Case) -> Validator:
    """The SHA-256 of the certificate alone; that of the token is part of the signature operation."""
    sha2, certificate = import_module("keybound._hotpath").digest.sha2, case.certificate_der
    return Validator(lambda token: sha2(256, certificate), ValueError)


def _json(case: Case) -> Validator:
    """The payload parsed into a mapping by orjson, the fastest parser there is for Python."""
    loads = import_module("orjson").loads
    decode = import_module("keybound._hotpath").base64url.decode
    payloads = {token: decode(token.split(".")[1]) for token, _ in case.good}
    return Validator(lambda token: loads(payloads[token]), ValueError)


# --- peers ----------------------------------------------------------------------------------------


def _pyjwt(case: Case) -> Validator:
    jwt = import_module("jwt")
    algorithms, options = [case.algorithm], {"audience": case.audience, "issuer": case.issuer}
    if len(case.jwks) > 1:
        keys, header = jwt.PyJWKSet.from_dict({"keys": case.jwks}), jwt.get_unverified_header
        return Validator(
            lambda token: jwt.decode(token, keys[header(token)["kid"]], algorithms, **options),
            jwt.InvalidTokenError,
        )
    key = jwt.PyJWK(case.jwk)
    return Validator(lambda token: jwt.decode(token, key, algorithms, **options), jwt.InvalidTokenError)


def _joserfc(case: Case) -> Validator:
    jwt = import_module("joserfc.jwt")
    jwk = import_module("joserfc.jwk")
    key = jwk.KeySet.import_key_set({"keys": case.jwks}) if len(case.jwks) > 1 else jwk.import_key(case.jwk)
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
    several = len(case.jwks) > 1
    key = (
        jose.JsonWebKey.import_key_set({"keys": case.jwks})
        if several
        else jose.JsonWebKey.import_key(case.jwk)
    )
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
    json, jwk = import_module("json"), import_module("jwcrypto.jwk")
    several = len(case.jwks) > 1
    key = jwk.JWKSet.from_json(json.dumps({"keys": case.jwks})) if several else jwk.JWK(**case.jwk)
    loads = json.loads
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
    algorithms, options = [case.algorithm], {"audience": case.audience, "issuer": case.issuer}
    if len(case.jwks) > 1:
        keys, header = oxyjwt.PyJWKSet.from_dict({"keys": case.jwks}), oxyjwt.get_unverified_header
        return Validator(
            lambda token: oxyjwt.decode(token, keys[header(token)["kid"]].key, algorithms, **options),
            oxyjwt.InvalidTokenError,
        )
    key = oxyjwt.DecodingKey.from_jwk(case.jwk)
    return Validator(lambda token: oxyjwt.decode(token, key, algorithms, **options), oxyjwt.InvalidTokenError)


def _ryjwt(case: Case) -> Validator:
    ryjwt = import_module("ryjwt")
    options = {"algorithms": [case.algorithm], "audience": case.audience, "issuer": case.issuer}
    if len(case.jwks) > 1:
        key = ryjwt.PublicKey.from_jwks({"keys": case.jwks}, **options)
    elif case.pem is None:
        key = ryjwt.SecretKey(case.secret, **options)
    else:
        key = ryjwt.PublicKey(case.pem, **options)
    return Validator(key.decode, ryjwt.InvalidTokenError)


# --- the table ------------------------------------------------------------------------------------

_NATIVE = {"KEYBOUND_REQUIRE_NATIVE": "1"}
_PURE = {"KEYBOUND_PURE": "1"}
_UNTABLED = _NATIVE | {"KEYBOUND_TABLES": "0"}
_ALL_CHECKS = BAD_SIGNATURES | BAD_CLAIMS | BAD_BINDING
_RFC9864 = frozenset({"Ed25519", "Ed448"})
_NOTHING: frozenset[str] = frozenset()


def _claims_of(token: Any) -> Mapping[str, Any]:
    return dict(token.claims)


def _ours(
    name: str, prepare: Callable[[Case], Validator], environment: Mapping[str, str] = _NATIVE, **options: Any
) -> Peer:
    chosen: dict[str, Any] = {"rejects": _ALL_CHECKS, "read_claims": _claims_of, "sets": True} | options
    return Peer(name, "keybound", "keybound", prepare, environment=environment, **chosen)


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        _ours("keybound", _keybound),
        _ours("keybound-claims", _keybound_claims, read_claims=dict),
        _ours("keybound-again", _keybound_again),
        _ours("keybound-miss", _keybound_miss),
        _ours("keybound-untabled", _keybound, _UNTABLED),
        _ours("keybound-pure", _keybound, _PURE),
        _ours("keybound-pure-again", _keybound_again, _PURE),
        _ours("primitive", _primitive, rejects=BAD_SIGNATURES, read_claims=None, sets=False),
        _ours("hashing", _hashing, rejects=_NOTHING, read_claims=None, sets=False),
        _ours("json", _json, rejects=_NOTHING, read_claims=dict, sets=False),
        Peer("ryjwt", "ryjwt", "ryjwt", _ryjwt, lacks=_RFC9864, sets=True),
        Peer("oxyjwt", "oxyjwt", "oxyjwt", _oxyjwt, lacks=_RFC9864 | {"ES512", "ES256K"}, sets=True),
        Peer("joserfc", "joserfc", "joserfc.jwt", _joserfc, sets=True),
        Peer("pyjwt", "pyjwt", "jwt", _pyjwt, lacks=_RFC9864, sets=True),
        Peer("authlib", "authlib", "authlib.jose", _authlib, lacks=_RFC9864, sets=True),
        Peer("jwcrypto", "jwcrypto", "jwcrypto.jwt", _jwcrypto, sets=True),
        # It takes a set of keys, too, but parses all of them anew for every token.
        Peer(
            "python-jose",
            "python-jose",
            "jose.jwt",
            _python_jose,
            lacks=_RFC9864 | {"PS256", "PS384", "PS512", "ES256K", "EdDSA"},
        ),
    )
}
"""Every peer by the name it has on the command line and in the tables."""

BASELINE = "keybound"
"""The peer that the others are divided by."""

OURS = frozenset(name for name, peer in PEERS.items() if peer.distribution == "keybound")
"""The variants of Keybound, and the parts of its work."""

FLOOR = ("primitive", "hashing", "json")
"""The parts that a validation of a bound token cannot do without."""
