"""Examples of RFC 7520 section 4, RFC 7797 section 4 and RFC 8037, from the JOSE cookbook."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from keybound import JWK, HeaderRejected, InvalidKey, JWKSet, jws

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
