"""Allow-lists of encryption: what an operator may write, and what is refused or warned of."""

from __future__ import annotations

import inspect
import warnings
from contextlib import suppress

import pytest

import keybound
from keybound import DeprecatedAlgorithmWarning, PolicyError
from keybound.jose.jwe_algorithms import (
    CONTENT_ENCRYPTIONS,
    KEY_ALGORITHMS,
    select_algorithms,
    select_encryptions,
)
from keybound.testing import EncryptionKey

RSA = keybound.DecryptionKey.from_key(EncryptionKey.generate("RSA-OAEP", shared=True).private_key)


def test_s004_17_every_algorithm_is_there():
    """S004-17: and of these the two that are not recommended are deprecated."""
    named = {"RSA-OAEP-256", "RSA-OAEP", "RSA1_5", "ECDH-ES", "dir"}
    named |= {f"ECDH-ES+A{bits}KW" for bits in (128, 192, 256)}
    assert named <= set(KEY_ALGORITHMS)
    assert {name for name, row in KEY_ALGORITHMS.items() if row.deprecated} == {"RSA-OAEP", "RSA1_5"}


def test_s004_18_every_content_encryption_is_there():
    """S004-18"""
    assert [*CONTENT_ENCRYPTIONS] == [
        *("A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"),
        *("A128GCM", "A192GCM", "A256GCM"),
    ]


@pytest.mark.parametrize(
    "name", ["none", "PBES2-HS256+A128KW", "PBES2-HS512+A256KW", "RS256", "rsa-oaep-256", ""]
)
def test_what_is_not_in_the_table_cannot_be_allowed(name):
    with pytest.raises(PolicyError, match="is not one of"):
        select_algorithms([name], [])
    with pytest.raises(PolicyError, match="is not one of"):
        select_encryptions([name])
    assert select_algorithms(["RSA-OAEP-256", "RSA-OAEP-256"], []) == (KEY_ALGORITHMS["RSA-OAEP-256"],)


@pytest.mark.parametrize("names", ["dir", b"dir", None, 5, [], [None], [["dir"]], [b"dir"]])
def test_what_is_no_list_of_names(names):
    for select in (lambda: select_algorithms(names, []), lambda: select_encryptions(names)):
        with pytest.raises(PolicyError):
            select()
    if names != []:
        with pytest.raises(PolicyError, match="allow_deprecated"):
            select_algorithms(["dir"], names)


def test_secrets_and_private_keys_do_not_mix():
    """As for signatures (RFC 8725, 2.1 and 3.1): the token would choose what it is opened with."""
    for secret in ("dir", "A128KW", "A256GCMKW"):
        for public in ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW"):
            with pytest.raises(PolicyError, match="mixes"):
                select_algorithms([secret, public], [])
    assert len(select_algorithms(["dir", "A128KW", "A256GCMKW"], [])) == 3
    assert len(select_algorithms(["RSA-OAEP-256", "ECDH-ES"], [])) == 2


@pytest.mark.parametrize("name", ["RSA1_5", "RSA-OAEP"])
def test_s004_17_deprecated_ones_are_typed_out_and_warned_of(name):
    """S004-17: RSA1_5 and RSA-OAEP need an explicit opt-in and produce a warning."""
    options = {"algorithms": [name], "encryptions": ["A128GCM"]}
    for call in (
        lambda **more: keybound.Decryption(keys=RSA, **options, **more),
        lambda **more: keybound.jwe.decrypt("a.b.c.d.e", RSA, **options, **more),
        lambda **more: keybound.jwe.decrypt_json("{}", RSA, **options, **more),
    ):
        with pytest.raises(PolicyError, match=f"{name} is deprecated"):
            call()
        for _ in range(2):
            with (
                pytest.warns(DeprecatedAlgorithmWarning, match=name) as caught,
                suppress(keybound.TokenRejected),
            ):
                call(allow_deprecated=[name])
            assert [warning.filename for warning in caught] == [__file__]


def test_the_warning_points_at_the_line_that_asked_for_it():
    with pytest.warns(DeprecatedAlgorithmWarning) as caught:
        keybound.Decryption.from_metadata(
            "id_token",
            {"id_token_encrypted_response_alg": "RSA1_5"},
            keys=RSA,
            allow_deprecated=["RSA1_5"],
        )
    (warning,) = caught
    assert warning.filename == __file__
    lines, start = inspect.getsourcelines(test_the_warning_points_at_the_line_that_asked_for_it)
    assert start < warning.lineno < start + len(lines)


def test_no_warning_without_need():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keybound.Decryption(keys=RSA, algorithms=["RSA-OAEP-256"], encryptions=["A128GCM"])
    assert issubclass(DeprecatedAlgorithmWarning, UserWarning)  # shown unless somebody turns it off


@pytest.mark.parametrize("typed_out", ["RSA1_5", "RSA-OAEP-256", "none", ""])
def test_an_opt_in_to_nothing_is_a_mistake(typed_out):
    with pytest.raises(PolicyError, match="allow_deprecated names"):
        select_algorithms(["RSA-OAEP-256", "RSA-OAEP"], [typed_out, "RSA-OAEP"])
    assert select_algorithms(["RSA-OAEP-256", "RSA-OAEP"], ["RSA-OAEP"])
