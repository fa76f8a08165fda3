"""The road itself: choosing keys, remembering headers, and what its objects refuse."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from keybound import JWK
from keybound._hotpath.contract import HeaderRules, Kind
from keybound.errors import Reason
from keybound.jose.algorithms import ALGORITHMS
from keybound.testing import SigningKey, make_token

SIGNERS = [SigningKey.generate("ES256", kid=f"kid-{number}") for number in range(5)]
ES256 = ALGORITHMS["ES256"]
ES384 = ALGORITHMS["ES384"]
HS256 = ALGORITHMS["HS256"]
BIT = 1 << ES256.index


def handle(twins: Any, number: int) -> Any:
    key = JWK.from_json(SIGNERS[number].public_jwk())
    return twins.signature.load_key(key._kind, key._material)


def rules(**changed: Any) -> HeaderRules:
    return HeaderRules(
        **{"algorithms": (ES256,), "token_bytes": 2**20, "header_bytes": 4096, "json_depth": 8} | changed
    )


def signed(number: int, header: Any = None, payload: bytes = b"payload") -> str:
    header = {"alg": "ES256", "kid": SIGNERS[number].kid} if header is None else header
    return make_token(header, payload, SIGNERS[number])


class TestKeyIndex:
    def test_by_kid(self, twins: Any) -> None:
        """P18: by kid, then by what the key is for."""
        a, b = handle(twins, 0), handle(twins, 1)
        index = twins.token.KeyIndex([("a", a, BIT), ("b", b, BIT)])
        assert index.candidates("a", ES256.index) == (a,)
        assert index.candidates("b", ES256.index) == (b,)
        assert index.candidates("c", ES256.index) == Reason.KEY_UNKNOWN
        assert index.candidates("a", ES384.index) == Reason.KEY_UNSUITABLE

    def test_at_most_three(self, twins: Any) -> None:
        """P18: at most so many candidates."""
        keys = [handle(twins, number) for number in range(5)]
        index = twins.token.KeyIndex([("same", key, BIT) for key in keys])
        assert index.candidates("same", ES256.index) == tuple(keys[:3])

    def test_keys_that_do_not_fit_do_not_count(self, twins: Any) -> None:
        keys = [handle(twins, number) for number in range(5)]
        masks = [1 << ES384.index] * 4 + [BIT | 1 << ES384.index]
        index = twins.token.KeyIndex([("same", key, mask) for key, mask in zip(keys, masks, strict=True)])
        assert index.candidates("same", ES256.index) == (keys[4],)

    def test_without_kid_exactly_one_key_fits(self, twins: Any) -> None:
        a, b = handle(twins, 0), handle(twins, 1)
        one = twins.token.KeyIndex([("a", a, BIT), ("b", b, 1 << ES384.index)])
        assert one.candidates(None, ES256.index) == (a,)
        two = twins.token.KeyIndex([("a", a, BIT), ("b", b, BIT)])
        assert two.candidates(None, ES256.index) == Reason.KEY_AMBIGUOUS
        assert two.candidates(None, ES384.index) == Reason.KEY_UNSUITABLE

    def test_kid_that_only_an_unnamed_key_can_answer(self, twins: Any) -> None:
        a, b = handle(twins, 0), handle(twins, 1)
        index = twins.token.KeyIndex([("a", a, BIT), (None, b, BIT)])
        assert index.candidates("a", ES256.index) == (a,)
        assert index.candidates("other", ES256.index) == (b,)
        assert index.candidates(None, ES256.index) == Reason.KEY_AMBIGUOUS
        several = twins.token.KeyIndex([(None, a, BIT), (None, b, BIT)])
        assert several.candidates("other", ES256.index) == Reason.KEY_AMBIGUOUS

    def test_secrets_without_a_kid_are_all_tried(self, twins: Any) -> None:
        """S004-23: the new and the old one, where nothing else could be meant."""
        a, b = (twins.signature.load_key(Kind.SECRET, (bytes([number]) * 32,)) for number in (1, 2))
        bit = 1 << HS256.index
        unnamed = twins.token.KeyIndex([(None, a, bit), (None, b, bit)])
        assert unnamed.candidates(None, HS256.index) == unnamed.candidates("x", HS256.index) == (a, b)
        mixed = twins.token.KeyIndex([(None, a, bit), (None, b, bit), ("c", a, bit)])
        assert mixed.candidates(None, HS256.index) == Reason.KEY_AMBIGUOUS
        assert mixed.candidates("x", HS256.index) == Reason.KEY_AMBIGUOUS

    def test_empty(self, twins: Any) -> None:
        index = twins.token.KeyIndex([])
        assert index.candidates("a", 0) == Reason.KEY_UNKNOWN
        assert index.candidates(None, 0) == Reason.KEY_UNSUITABLE

    def test_fifty_keys_cost_a_token_without_kid_nothing(self, twins: Any) -> None:
        """F-13: no key is tried at all unless exactly one fits."""
        key = handle(twins, 0)
        index = twins.token.KeyIndex([(f"kid-{number}", key, BIT) for number in range(50)])
        assert index.candidates(None, ES256.index) == Reason.KEY_AMBIGUOUS


class TestOpen:
    def test_good_token(self, twins: Any) -> None:
        header = twins.token.CompiledHeader(rules())
        index = twins.token.KeyIndex([("kid-0", handle(twins, 0), BIT)])
        for _ in range(2):
            opened, payload = twins.token.open_token(header, index, signed(0))
            assert payload == b"payload"
            assert opened.fields == {"alg": "ES256", "kid": "kid-0"}
            assert (opened.algorithm, opened.kid, opened.b64) == (ES256, "kid-0", True)

    def test_same_header_other_keys(self, twins: Any) -> None:
        """What is remembered of a header says nothing about the keys of another set."""
        header = twins.token.CompiledHeader(rules())
        first, second = (twins.token.KeyIndex([("kid-0", handle(twins, number), BIT)]) for number in (0, 1))
        raw = signed(0)
        for _ in range(3):
            assert twins.token.open_token(header, first, raw)[1] == b"payload"
            assert twins.token.open_token(header, second, raw) == Reason.SIGNATURE_INVALID
        assert twins.token.open_token(header, twins.token.KeyIndex([]), raw) == Reason.KEY_UNKNOWN

    def test_headers_that_differ_in_one_byte(self, twins: Any) -> None:
        header = twins.token.CompiledHeader(rules())
        index = twins.token.KeyIndex([(f"kid-{number}", handle(twins, number), BIT) for number in range(5)])
        raws = [signed(number) for number in range(5)]
        assert len({len(raw.split(".")[0]) for raw in raws}) == 1
        for _ in range(2):
            for number, raw in enumerate(raws):
                assert twins.token.open_token(header, index, raw)[0].kid == f"kid-{number}"
                protected = raws[number - 1].split(".")[0]
                mixed = ".".join([protected, *raw.split(".")[1:]])
                assert twins.token.open_token(header, index, mixed) == Reason.SIGNATURE_INVALID

    def test_forged_headers_are_not_remembered(self, twins: Any) -> None:
        header = twins.token.CompiledHeader(rules())
        index = twins.token.KeyIndex([("kid-0", handle(twins, 0), BIT)])
        forged = make_token({"alg": "ES256", "kid": "kid-0", "x": 1}, b"", SIGNERS[1])
        for _ in range(3):
            assert twins.token.open_token(header, index, forged) == Reason.SIGNATURE_INVALID

    def test_signature_longer_than_any(self, twins: Any) -> None:
        header = twins.token.CompiledHeader(rules())
        index = twins.token.KeyIndex([("kid-0", handle(twins, 0), BIT)])
        for size in (2047, 2048, 2049, 100_000):
            raw = make_token({"alg": "ES256", "kid": "kid-0"}, b"payload", None, signature=bytes(size))
            assert twins.token.open_token(header, index, raw) == Reason.SIGNATURE_INVALID
            assert twins.token.open_token(header, index, raw + "=") == Reason.BASE64URL_INVALID

    def test_unencoded_payload(self, twins: Any) -> None:
        """RFC 7797, 3, where it was asked for."""
        fields = {"alg": "ES256", "kid": "kid-0", "b64": False, "crit": ["b64"]}
        raw = make_token(fields, "$-02", SIGNERS[0])
        index = twins.token.KeyIndex([("kid-0", handle(twins, 0), BIT)])
        assert twins.token.open_token(twins.token.CompiledHeader(rules(b64=True)), index, raw)[1] == b"$-02"
        refused = twins.token.open_token(twins.token.CompiledHeader(rules()), index, raw)
        assert refused == Reason.CRIT_UNSUPPORTED


class TestObjects:
    def test_key_handles_cannot_be_copied_out(self, twins: Any) -> None:
        index = twins.token.KeyIndex([("a", handle(twins, 0), BIT)])
        for again in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError):
                again(index)

    def test_verified_token_is_not_made_by_hand(self, twins: Any) -> None:
        with pytest.raises(TypeError):
            twins.token.VerifiedToken()

    def test_native_takes_no_handle_of_the_other_twin(self, native: Any, pure: Any) -> None:
        with pytest.raises(TypeError):
            native.token.KeyIndex([("a", handle(pure, 0), BIT)])
