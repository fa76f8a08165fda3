"""Examples of RFC 7520 sections 4 to 6, RFC 7797 section 4 and RFC 8037, from the JOSE cookbook."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from keybound import (
    JWK,
    Decryption,
    DecryptionKey,
    HeaderRejected,
    InvalidKey,
    JWKSet,
    PolicyError,
    Reason,
    jwe,
    jws,
)
from keybound.jose.jwe_algorithms import KEY_ALGORITHMS

PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


def public(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name not in PRIVATE}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def examples(path: Path) -> list[tuple[JWKSet, str, dict[str, Any], bytes]]:
    """For each signature of a file: the key, its algorithm, what was signed, the payload."""
    document = json.loads(path.read_bytes())
    given = document["input"]
    pairs = zip(listed(given["key"]), listed(given["alg"]), listed(document["signing"]), strict=True)
    payload = given["payload"].encode()
    return [(JWKSet([JWK.from_json(public(key))]), alg, signing, payload) for key, alg, signing in pairs]


def forms(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())["output"]


def options(form: Any, payload: bytes, signing: dict[str, Any]) -> dict[str, Any]:
    detached = "payload" not in form if isinstance(form, dict) else ".." in form
    unencoded = signing.get("protected", {}).get("b64") is False
    return {"detached_payload": payload if detached else None, "allow_unencoded_payload": unencoded}


def protected_in(form: Any, position: int) -> Any:
    if isinstance(form, str):
        encoded = form.partition(".")[0]
    else:
        entry = form["signatures"][position] if "signatures" in form else form
        encoded = entry.get("protected", "e30")
    return json.loads(base64.urlsafe_b64decode(encoded + "=="))


def keeps_the_rules(protected: dict[str, Any], signing: dict[str, Any]) -> bool:
    """Whether everything is protected that has to be.

    Some examples leave ``alg`` out (RFC 7520, 4.7), and in one the encoded header lacks the ``crit``
    that its own description has (RFC 7797, 6).
    """
    return "alg" in protected and protected == signing["protected"]


@pytest.mark.vector_file(
    "jose-cookbook/jws/*.json", "jose-cookbook/rfc7797/*.json", "jose-cookbook/*/jws.json"
)
def test_signatures(vector_file):
    for position, (keys, alg, signing, payload) in enumerate(examples(vector_file)):
        for name, form in forms(vector_file).items():
            verify = jws.verify if name == "compact" else jws.verify_json
            chosen = options(form, payload, signing)
            if keeps_the_rules(protected_in(form, position), signing):
                verified = verify(form, keys, algorithms=[alg], **chosen)
                assert verified.payload == payload
                assert verified.header["alg"] == alg
            else:
                with pytest.raises(HeaderRejected):
                    verify(form, keys, algorithms=[alg], **chosen)


@pytest.mark.vector_file("jose-cookbook/jwk/*.json")
def test_keys(vector_file):
    document = json.loads(vector_file.read_bytes())
    if "use" in document and document["use"] != "sig":
        with pytest.raises(InvalidKey, match="use"):
            JWK.from_json(document)
    elif "d" in document:
        with pytest.raises(InvalidKey, match="private"):
            JWK.from_json(document)
        assert JWK.from_json(public(document)).kid == document["kid"]
    else:
        key = JWK.from_json(document)
        assert (key.kty, key.kid, key.alg) == (document["kty"], document["kid"], document.get("alg"))


def encrypted_examples(path: Path) -> list[tuple[dict[str, Any], str]]:
    """For each recipient of a file: its private or symmetric key, and the algorithm it is used with."""
    given = json.loads(path.read_bytes())["input"]
    return list(zip(listed(given["key"]), listed(given["alg"]), strict=True))


def enc_of(form: Any) -> str:
    """As the header says; the description of one example has a misprint."""
    fields = protected_in(form, 0) | (form.get("unprotected", {}) if isinstance(form, dict) else {})
    return fields["enc"]


def options_of(alg: str, enc: str) -> dict[str, Any]:
    deprecated = [alg] if KEY_ALGORITHMS[alg].deprecated else []
    return {"algorithms": [alg], "encryptions": [enc], "allow_deprecated": deprecated}


@pytest.mark.filterwarnings("ignore::keybound.DeprecatedAlgorithmWarning")
@pytest.mark.vector_file("jose-cookbook/jwe/5_[!3]*.json", "jose-cookbook/curve25519/ecdh-es.json")
def test_encryptions(vector_file):
    """Every form of every example; content encryption that nobody protects (5.12) is refused."""
    document = json.loads(vector_file.read_bytes())
    plaintext = document["input"]["plaintext"].encode()
    for jwk, alg in encrypted_examples(vector_file):
        key = DecryptionKey.from_json(jwk)
        for name, form in document["output"].items():
            decrypt = jwe.decrypt if name == "compact" else jwe.decrypt_json
            chosen = options_of(alg, enc_of(form))
            if "enc" not in protected_in(form, 0):
                with pytest.raises(HeaderRejected) as caught:
                    decrypt(form, key, **chosen)
                assert caught.value.reason is Reason.ENC_MISSING
                continue
            opened = decrypt(form, key, **chosen, allow_compression="zip" in protected_in(form, 0))
            assert opened.plaintext == plaintext
            assert opened.header["alg"] == alg
            expected = document["input"].get("aad")
            assert (opened.aad and opened.aad.decode()) == expected


@pytest.mark.vector_file("jose-cookbook/jwe/5_3*.json")
def test_passwords(vector_file):
    document = json.loads(vector_file.read_bytes())
    given, output = document["input"], document["output"]
    with pytest.raises(PolicyError):
        jwe.decrypt(output["compact"], None, algorithms=[given["alg"]], encryptions=[given["enc"]])
    with pytest.raises(InvalidKey):
        DecryptionKey.from_secret(given["pwd"], alg=given["alg"])
    key = DecryptionKey.from_client_secret(given["pwd"], alg="A256KW")
    with pytest.raises(HeaderRejected) as caught:
        jwe.decrypt(output["compact"], key, algorithms=["A256KW"], encryptions=[given["enc"]])
    assert caught.value.reason is Reason.ALG_NOT_ALLOWED


@pytest.mark.filterwarnings("ignore::keybound.DeprecatedAlgorithmWarning")
@pytest.mark.vector_file("jose-cookbook/6.nesting_signatures_and_encryption.json")
def test_nesting(vector_file):
    """RFC 7520, 6: what the encryption holds is the signed token, and that verifies."""
    document = json.loads(vector_file.read_bytes())
    signed, encrypted = document["sign"], document["encrypt"]
    given = encrypted["input"]
    chosen = options_of(given["alg"], given["enc"])
    decryption = Decryption(keys=DecryptionKey.from_json(given["key"]), **chosen)
    opened = decryption.open(encrypted["output"]["compact"])
    assert opened == signed["output"]["compact"].encode()
    keys = JWKSet([JWK.from_json(public(signed["input"]["key"]))])
    assert (
        jws.verify(opened, keys, algorithms=[signed["input"]["alg"]]).payload
        == signed["input"]["payload"].encode()
    )
