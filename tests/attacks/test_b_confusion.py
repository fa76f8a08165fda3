"""Algorithms and keys that were mixed up."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import keybound
from keybound import JWK, JWKSet
from keybound.errors import Reason
from keybound.testing import SigningKey, self_signed_client

ASYMMETRIC = {
    alg: SigningKey.generate(alg, shared=True, kid="1") for alg in ("RS256", "PS256", "ES256", "Ed25519")
}


def public_forms(alg: str) -> dict[str, bytes]:
    """Every form in which somebody once took a public key for a secret."""
    public, jwk = ASYMMETRIC[alg].private_key.public_key(), ASYMMETRIC[alg].public_jwk()
    forms = {
        "SPKI PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "SPKI DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "OpenSSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "JWK": json.dumps(jwk).encode(),
        "JWK Set": json.dumps({"keys": [jwk]}).encode(),
        "array of JWK": json.dumps([jwk]).encode(),
    }
    if alg in ("RS256", "PS256"):
        forms["PKCS#1 PEM"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        forms["PKCS#1 DER"] = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    forms |= {f"base64 of {name}": base64.b64encode(form) for name, form in list(forms.items())}
    client = self_signed_client("x", key_type="ec")
    return forms | {"certificate PEM": client.pem, "certificate DER": client.der}


FORMS = [(alg, form) for alg in ASYMMETRIC for form in public_forms(alg)]


def hmac_token(world: Any, secret: bytes, **header: Any) -> str:
    return str(world.forge(header={"alg": "HS256", "kid": "1"} | header, key=SigningKey("HS256", secret)))


@pytest.mark.parametrize(("alg", "form"), FORMS)
def test_b1_b2_b3_b4_b5_b6_b7_b8_b13_public_key_as_a_secret(
    world: Any, judge: Any, alg: str, form: str
) -> None:
    """The verifier holds a public key, and the forger signs with HMAC and that same key."""
    keys = JWKSet.from_json({"keys": [ASYMMETRIC[alg].public_jwk()]})
    forged = hmac_token(world, public_forms(alg)[form])
    judge.rejects(forged, Reason.ALG_NOT_ALLOWED, keys=keys, algorithms=[alg])
    # Even an operator who allows HMAC for these keys gets none.
    judge.rejects(forged, Reason.KEY_UNSUITABLE, keys=keys, algorithms=["HS256"])
    with pytest.raises(keybound.PolicyError, match="mixes"):
        world.validator(keys=keys, algorithms=[alg, "HS256"])
    judge.accepts(world.token(key=ASYMMETRIC[alg]), keys=keys, algorithms=[alg])


@pytest.mark.parametrize(("alg", "form"), FORMS)
def test_b11_b12_b14_b28_public_key_loaded_as_a_secret(alg: str, form: str) -> None:
    """The operator takes the public key for the secret; that has to fail when it is loaded."""
    secret = public_forms(alg)[form]
    for load in (
        lambda: JWK.from_secret(secret, alg="HS256"),
        lambda: JWKSet.from_secret(secret, alg="HS256"),
        lambda: JWK.from_json({"kty": "oct", "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")}),
    ):
        with pytest.raises(keybound.InvalidKey):
            load()


@pytest.mark.parametrize(
    "prefix", [bytes([octet]) for octet in range(256)] + [b"\xef\xbb\xbf", b"\n  ", b"# x\n"]
)
def test_b9_b10_something_before_the_key(prefix: bytes) -> None:
    for alg in ("RS256", "ES256"):
        forms = public_forms(alg)
        for form in ("SPKI PEM", "JWK"):
            with pytest.raises(keybound.InvalidKey):
                JWK.from_secret(prefix + forms[form], alg="HS256")
    JWK.from_secret(prefix + b"a secret that is nobody's public key", alg="HS256")


def test_b15_b26_algorithm_of_the_key_wins_over_the_header(world: Any, judge: Any) -> None:
    key = ASYMMETRIC["RS256"]
    other = SigningKey("RS512", key.private_key, kid=key.kid)
    both = {"algorithms": ["RS256", "RS512"]}
    for alg, good, bad in (("RS256", key, other), ("RS512", other, key)):
        keys = JWKSet.from_json({"keys": [key.public_jwk() | {"alg": alg}]})
        judge.accepts(world.token(key=good), keys=keys, **both)
        judge.rejects(world.token(key=bad), Reason.KEY_UNSUITABLE, keys=keys, **both)


def test_b16_key_without_alg_is_still_of_one_type(world: Any, judge: Any) -> None:
    jwk = {name: value for name, value in ASYMMETRIC["RS256"].public_jwk().items() if name != "alg"}
    keys = JWKSet.from_json({"keys": [jwk]})
    modulus = jwk["n"].encode()
    for secret in (b"", modulus, base64.urlsafe_b64decode(modulus + b"==")):
        forged = hmac_token(world, secret)
        judge.rejects(forged, Reason.KEY_UNSUITABLE, keys=keys, algorithms=["HS256"])
        judge.rejects(forged, Reason.ALG_NOT_ALLOWED, keys=keys, algorithms=["RS256"])
    judge.accepts(world.token(key=ASYMMETRIC["RS256"]), keys=keys, algorithms=["RS256"])


def test_b17_b25_no_algorithm_by_default(world: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        world.validator(algorithms=None)
    with pytest.raises(TypeError):
        keybound.jws.verify("a.b.c", world.keys)  # type: ignore[call-arg]
    for alg in ("RSA-OAEP", "dir", "ECDH-ES", "A128KW", "PBES2-HS256+A128KW", "none", "HS1"):
        with pytest.raises(keybound.PolicyError):
            world.validator(algorithms=[alg])


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_b18_public_key_in_a_union_with_a_secret(world: Any, judge: Any, alg: str) -> None:
    """A key of zero length is what a C union gave; see also the hot path's own test."""
    keys = JWKSet.from_json({"keys": [ASYMMETRIC[alg].public_jwk()]})
    for secret in (b"", b"\0", bytes(8), bytes(32)):
        judge.rejects(hmac_token(world, secret), Reason.KEY_UNSUITABLE, keys=keys, algorithms=["HS256"])


def test_b19_algorithm_in_the_unprotected_header(world: Any) -> None:
    protected, payload, signature = world.forge(header={"kid": world.key.kid}).split(".")
    document = {
        "protected": protected,
        "payload": payload,
        "signature": signature,
        "header": {"alg": "ES256"},
    }
    with pytest.raises(keybound.HeaderRejected) as caught:
        keybound.jws.verify_json(document, world.keys, algorithms=["ES256"])
    assert caught.value.reason is Reason.ALG_MISSING
    protected, payload, signature = world.forge().split(".")
    document = {"protected": protected, "payload": payload, "signature": signature}
    assert keybound.jws.verify_json(document, world.keys, algorithms=["ES256"]).header["alg"] == "ES256"


def test_b20_b29_rings_of_secrets_and_public_keys_are_refused(world: Any) -> None:
    secret = SigningKey.generate("HS256", kid="2")
    documents = [[ASYMMETRIC["RS256"].public_jwk(), secret.verification_jwk()]]
    documents.append([secret.verification_jwk() | {"kid": "1"}, ASYMMETRIC["ES256"].public_jwk()])
    for keys in documents:
        with pytest.raises(keybound.InvalidKey, match="mixes"):
            JWKSet.from_json({"keys": keys})


def test_b21_only_the_configured_family(world: Any, judge: Any) -> None:
    """The client secret is known to the client; it must not sign where RS256 was configured."""
    keys = JWKSet.from_json({"keys": [ASYMMETRIC["RS256"].public_jwk()]})
    forged = hmac_token(world, b"the client secret that the client knows")
    judge.rejects(forged, Reason.ALG_NOT_ALLOWED, keys=keys, algorithms=["RS256", "PS256", "ES256"])


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"])
def test_b23_b27_key_of_another_type_or_curve(world: Any, judge: Any, alg: str) -> None:
    """Every key with the algorithm of every other: the header picks no type and no curve."""
    for other in ("RS256", "ES256", "ES384", "ES512", "ES256K", "Ed25519", "Ed448"):
        key = SigningKey.generate(other, shared=True, kid="1")
        jwk = {name: value for name, value in key.public_jwk().items() if name != "alg"}
        keys = JWKSet.from_json({"keys": [jwk]})
        if alg in keys.keys[0].algorithms:
            continue
        judge.rejects(
            world.token(key=key, header={"alg": alg}), Reason.KEY_UNSUITABLE, keys=keys, algorithms=[alg]
        )
        with pytest.raises(keybound.InvalidKey):
            JWK.from_json(jwk | {"alg": alg})


def test_b24_no_key_material_on_the_way_of_a_token(world: Any) -> None:
    """A resolver that hands out PEM would serve every family; here keys are parsed before, or not at all."""
    pem = ASYMMETRIC["RS256"].public_pem()
    with pytest.raises(keybound.PolicyError):
        world.validator(keys=pem)

    class Resolver:
        def snapshot(self) -> Any:
            return pem

    with pytest.raises(keybound.Unavailable):
        world.validator(keys=Resolver(), algorithms=["HS256"]).validate(hmac_token(world, pem))
