"""Wycheproof's JWK, JWS and JWE vectors, from the documents to the verdict."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from keybound import DecryptionKey, JWKSet, KeyboundError, jwe, jws
from keybound._hotpath.contract import Family
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwe_algorithms import CONTENT_ENCRYPTIONS, KEY_ALGORITHMS, KeyType

SECRETS = [name for name, row in ALGORITHMS.items() if row.family is Family.HMAC]
PUBLIC = [name for name in ALGORITHMS if name not in SECRETS]


def accepts(document: dict[str, Any], token: str) -> bool:
    """Whether the token verifies with the widest allow-list there is, so that the keys have to tell."""
    verify = jws.verify_json if token.startswith("{") else jws.verify
    try:
        keys = JWKSet.from_json(document)
        verify(token, keys, algorithms=SECRETS if keys.keys[0].kty == "oct" else PUBLIC)
    except KeyboundError:
        return False
    return True


def expected(document: dict[str, Any], case: dict[str, Any], good: set[str]) -> bool:
    """The verdict of the file, save where it takes what RFC 7515 or its own other cases refuse."""
    token = case["jws"]
    if case["result"] != "valid":
        # The padding that two cases are named after has been lost: their token is the one of a valid case.
        return token in good
    if not re.fullmatch(r"[\w-]+\.[\w-]*\.[\w-]+", token, re.ASCII):
        return False  # RFC 7515, 2: base64url without any additional characters
    header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    # The key's own algorithm binds it (RFC 8725, 3.1), as the file's cases named WrongPrimitive demand.
    return document.get("alg", header["alg"]) == header["alg"]


@pytest.mark.wycheproof("JsonWebKey")
def test_json_web_keys(wycheproof_groups):
    wrong = [
        (group["comment"], case["tcId"], case["comment"])
        for group in wycheproof_groups
        for case in group["tests"]
        if accepts(group.get("public", group["private"]), case["jws"]) is not (case["result"] == "valid")
    ]
    assert wrong == []


@pytest.mark.wycheproof("JsonWebSignature")
def test_json_web_signatures(wycheproof_groups):
    wrong = []
    for group in wycheproof_groups:
        document = group.get("public", group["private"])
        good = {case["jws"] for case in group["tests"] if case["result"] == "valid"}
        wrong += [
            (group["comment"], case["tcId"], case["comment"])
            for case in group["tests"]
            if accepts(document, case["jws"]) is not expected(document, case, good)
        ]
    assert wrong == []


def decrypted(document: dict[str, Any], token: str) -> bytes | None:
    """The plaintext with the widest allow-lists there are, so that the key has to tell."""
    secret = document["kty"] == "oct"
    names = [name for name, row in KEY_ALGORITHMS.items() if (KeyType.SECRET in row.types) is secret]
    try:
        return jwe.decrypt(
            token,
            DecryptionKey.from_json(document),
            algorithms=names,
            encryptions=[*CONTENT_ENCRYPTIONS],
            allow_deprecated=[name for name in names if KEY_ALGORITHMS[name].deprecated],
            allow_compression=True,
        ).plaintext
    except KeyboundError:
        return None


@pytest.mark.filterwarnings("ignore::keybound.DeprecatedAlgorithmWarning")
@pytest.mark.wycheproof("JsonWebEncryption")
def test_json_web_encryptions(wycheproof_groups):
    wrong = []
    for group in wycheproof_groups:
        for case in group["tests"]:
            expected = bytes.fromhex(case["pt"]) if case["result"] == "valid" else None
            if decrypted(group["private"], case["jwe"]) != expected:
                wrong.append((group["comment"], case["tcId"], case["comment"]))
    assert wrong == []
