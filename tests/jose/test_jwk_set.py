"""JWK Sets: odd keys, repeated kids, tokens without one, and which keys are tried."""

from __future__ import annotations

import json
from typing import Any

import pytest

import keybound
from keybound import JWK, InvalidKey, JWKSet, KeyRejected, Reason, SignatureRejected, TokenRejected, jws
from keybound.testing import SigningKey, make_token

PUBLIC = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
ES, OTHER, THIRD, FOURTH = (SigningKey.generate("ES256") for _ in range(4))
RS = SigningKey.generate("RS256", shared=True)
ED = SigningKey.generate("Ed25519")


def jwk(key: SigningKey, *, drop: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (key.verification_jwk() | changes).items() if name not in drop}


def unnamed(key: SigningKey) -> dict[str, Any]:
    return jwk(key, drop=("kid",))


def loaded(*documents: dict[str, Any]) -> JWKSet:
    return JWKSet.from_json({"keys": list(documents)})


def token(key: SigningKey, **header: Any) -> str:
    return make_token({"alg": key.alg} | header, b"payload", key)


def verdict(raw: str, keys: JWKSet, *, algorithms: list[str] = PUBLIC) -> Reason:
    try:
        assert jws.verify(raw, keys, algorithms=algorithms).payload == b"payload"
    except TokenRejected as rejected:
        return rejected.reason
    return Reason.OK


ODD = {
    "post-quantum": {"kty": "AKP", "alg": "ML-DSA-44", "kid": "a", "pub": "AAAA"},
    "X25519": {"kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"},
    "unknown type": {"kty": "XYZ", "kid": "b"},
    "no type": {"kid": "c"},
    "type that is no text": {"kty": ["EC"]},
    "RSA without n": {"kty": "RSA", "e": "AQAB"},
    "RSA with a short n": {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    "EC off its curve": jwk(ES, y=ES.public_jwk()["x"]),
    "EC without y": jwk(ES, drop=("y",)),
    "unknown curve": jwk(ES, crv="P-224"),
    "for encryption": jwk(ES, use="enc"),
    "for signing only": jwk(ES, key_ops=["sign"]),
    "for key agreement": jwk(ES, alg="ECDH-ES"),
    "a hundred thousand key_ops": jwk(ES, key_ops=["sign"] * 100_000),
    "kid that is no text": jwk(ES, kid=7),
    "an empty object": {},
    "null": None,
    "a number": 5,
    "a text": "key",
    "a list": [["kty", "EC"]],
    "true": True,
}


class TestDocuments:
    def test_text_octets_and_mapping(self):
        document = {"keys": [jwk(ES), jwk(RS)], "extra": {"is": "ignored"}}
        text = json.dumps(document)
        for form in (document, text, text.encode(), f"\n{text} "):
            keys = JWKSet.from_json(form)
            assert [key.kid for key in keys] == [ES.kid, RS.kid]
            assert len(keys) == 2
            assert not keys.skipped

    def test_a_single_jwk(self):
        assert [key.kid for key in JWKSet.from_json(jwk(ES))] == [ES.kid]
        assert [key.kid for key in JWKSet.from_json(json.dumps(jwk(ES)))] == [ES.kid]

    def test_the_other_loaders(self):
        pem = RS.public_pem()
        assert JWKSet.from_pem(pem, kid="k", alg="PS256").keys[0].algorithms == ("PS256",)
        assert JWKSet.from_key(RS.private_key.public_key(), kid="k").keys[0].kid == "k"
        assert JWKSet.from_secret(b"s" * 32, alg="HS256", kid="k").keys[0].kty == "oct"

    @pytest.mark.parametrize(
        "document",
        [
            {},
            {"keys": None},
            {"keys": {}},
            {"keys": "x"},
            {"keys": 5},
            {"keys": []},
            {"keys": [{}]},
            {"Keys": [jwk(ES)]},
        ],
        ids=lambda value: repr(value)[:30],
    )
    def test_no_jwk_set(self, document):
        for form in (document, json.dumps(document)):
            with pytest.raises(InvalidKey):
                JWKSet.from_json(form)

    @pytest.mark.parametrize(
        "keys", [None, 5, "keys", [], [None], [jwk(ES)], {"keys": []}], ids=lambda value: repr(value)[:20]
    )
    def test_no_keys(self, keys):
        with pytest.raises(InvalidKey):
            JWKSet(keys)

    def test_repeated_members_are_refused(self):
        with pytest.raises(InvalidKey, match="repeats a name"):
            JWKSet.from_json('{"keys":[], "keys":[' + json.dumps(jwk(ES)) + "]}")

    def test_made_of_keys_of_any_iterable(self):
        keys = JWKSet(JWK.from_json(jwk(key)) for key in (ES, RS))
        assert verdict(token(RS, kid=RS.kid), keys) is Reason.OK


class TestOddKeys:
    @pytest.mark.parametrize("name", ODD)
    def test_one_odd_key_is_skipped_and_counted(self, name):
        """F-10, P17: whatever is odd about it."""
        keys = loaded(ODD[name], jwk(RS), ODD[name])
        assert sum(keys.skipped.values()) == 2
        assert len(keys) == 1
        assert verdict(token(RS, kid=RS.kid), keys) is Reason.OK

    def test_all_of_them_at_once(self):
        keys = loaded(*ODD.values(), jwk(RS), jwk(OTHER))
        assert sum(keys.skipped.values()) == len(ODD)
        assert len(keys.skipped) > 5
        assert all(isinstance(reason, str) and reason for reason in keys.skipped)
        assert verdict(token(RS, kid=RS.kid), keys) is Reason.OK
        assert verdict(token(OTHER, kid=OTHER.kid), keys) is Reason.OK

    @pytest.mark.parametrize("name", ODD)
    def test_only_an_odd_key(self, name):
        with pytest.raises(InvalidKey):
            loaded(ODD[name])

    def test_from_text_too(self):
        keys = JWKSet.from_json(json.dumps({"keys": [*ODD.values(), jwk(RS)]}))
        assert sum(keys.skipped.values()) == len(ODD)

    @pytest.mark.parametrize("key", [ES, RS, ED], ids=lambda key: key.alg)
    def test_a_private_key_is_an_error(self, key):
        """Whoever published it must hear of it."""
        for document in (key.private_jwk(), key.private_jwk() | {"use": "enc"}):
            with pytest.raises(InvalidKey):
                loaded(jwk(OTHER), document)

    def test_the_counts_cannot_be_changed(self):
        keys = loaded(ODD["null"], jwk(RS))
        with pytest.raises(TypeError):
            keys.skipped["x"] = 1

    def test_messages_hold_nothing_of_the_keys(self):
        marker = "bWFya2VyLW9mLXRoaXMtdGVzdA"
        keys = loaded(
            {"kty": marker},
            {"kty": "EC", "crv": marker},
            {"kty": "RSA", "n": marker, "e": "AQAB", "kid": marker},
            jwk(RS),
        )
        assert marker not in repr(keys.skipped) + repr(keys)


class TestSecretsAndPublicKeys:
    SECRET, SECOND = (SigningKey.generate("HS256") for _ in range(2))

    def test_never_in_one_set(self):
        """Wycheproof's JWK case 1; CVE-2021-46743: the kid would choose the family."""
        for documents in ([jwk(self.SECRET), jwk(ES)], [jwk(RS), jwk(ES), jwk(self.SECRET)]):
            with pytest.raises(InvalidKey, match="mixes"):
                loaded(*documents)
            with pytest.raises(InvalidKey, match="mixes"):
                JWKSet([JWK.from_json(document) for document in documents])

    def test_several_secrets(self):
        keys = loaded(jwk(self.SECRET), jwk(self.SECOND))
        for key in (self.SECRET, self.SECOND):
            assert verdict(token(key, kid=key.kid), keys, algorithms=["HS256"]) is Reason.OK
            assert verdict(token(key), keys, algorithms=["HS256"]) is Reason.KEY_AMBIGUOUS

    def test_secrets_without_a_kid_stand_for_each_other(self):
        """S004-23: while a secret is exchanged, the old one is as good as the new one."""
        keys = JWKSet([JWK.from_secret(key.secret, alg="HS256") for key in (self.SECRET, self.SECOND)])
        stranger = SigningKey.generate("HS256")
        for header in ({}, {"kid": "x"}):
            for key in (self.SECRET, self.SECOND):
                assert verdict(token(key, **header), keys, algorithms=["HS256"]) is Reason.OK
            signed = token(stranger, **header)
            assert verdict(signed, keys, algorithms=["HS256"]) is Reason.SIGNATURE_INVALID

    def test_a_secret_with_a_kid_is_meant_by_its_kid(self):
        keys = loaded(jwk(self.SECRET), unnamed(self.SECOND))
        assert verdict(token(self.SECOND), keys, algorithms=["HS256"]) is Reason.KEY_AMBIGUOUS
        assert verdict(token(self.SECOND, kid="x"), keys, algorithms=["HS256"]) is Reason.OK

    def test_few_secrets_without_a_kid(self):
        """A forged token costs at most as many signatures as any other."""
        secrets = [JWK.from_secret(bytes([number]) * 32, alg="HS256") for number in range(4)]
        assert len(JWKSet(secrets[:3])) == 3
        with pytest.raises(InvalidKey, match="more than 3 secrets"):
            JWKSet(secrets)

    def test_secrets_do_not_share_a_kid(self):
        """Wycheproof's JWK case 4."""
        documents = [jwk(self.SECRET, kid="k"), jwk(self.SECOND, kid="k")]
        with pytest.raises(InvalidKey, match="share a kid"):
            loaded(*documents)
        with pytest.raises(InvalidKey, match="share a kid"):
            JWKSet([JWK.from_json(document) for document in documents])
        with pytest.raises(InvalidKey, match="share a kid"):
            loaded(documents[0], documents[1] | {"k": "AA"})


class TestKid:
    def test_each_kid_its_key(self):
        keys = loaded(jwk(ES), jwk(OTHER), jwk(RS))
        for key in (ES, OTHER, RS):
            assert verdict(token(key, kid=key.kid), keys) is Reason.OK

    def test_the_key_of_another_kid_does_not_verify(self):
        """A token that names B and is signed by A, although both are of the issuer."""
        keys = loaded(jwk(ES), jwk(OTHER))
        assert verdict(token(ES, kid=OTHER.kid), keys) is Reason.SIGNATURE_INVALID

    def test_unknown(self):
        keys = loaded(jwk(ES), jwk(RS))
        for kid in (
            "",
            " ",
            ES.kid + " ",
            ES.kid[:-1],
            ES.kid.upper() + "x",
            "../" + ES.kid,
            "ä",
            "\0",
            "x" * 3000,
        ):
            assert verdict(token(ES, kid=kid), keys) is Reason.KEY_UNKNOWN

    def test_any_text_is_a_kid(self):
        for kid in ("", " ", "../../etc/passwd", "' OR 1=1 --", "ä€😀", "\0", "a" * 2000):
            keys = loaded(jwk(ES, kid=kid), jwk(OTHER))
            assert verdict(token(ES, kid=kid), keys) is Reason.OK
            assert verdict(token(ES, kid=kid + "x"), keys) is Reason.KEY_UNKNOWN

    @pytest.mark.parametrize("kid", [None, 5, True, [], ["k"], {}], ids=repr)
    def test_what_is_no_kid(self, kid):
        assert verdict(token(ES, kid=kid), loaded(unnamed(ES))) is Reason.HEADER_MEMBER_INVALID

    def test_an_algorithm_that_the_named_key_cannot_do(self):
        keys = loaded(jwk(ES), jwk(RS))
        raw = make_token({"alg": "RS256", "kid": ES.kid}, b"payload", RS)
        assert verdict(raw, keys) is Reason.KEY_UNSUITABLE

    def test_keys_in_the_header_are_not_looked_at(self):
        """CVE-2018-0114 and CVE-2026-27962; nothing is fetched either."""
        foreign = SigningKey.generate("ES256")
        parameters = {
            "jwk": foreign.public_jwk(),
            "jku": "http://127.0.0.1:9/jwks",
            "x5u": "http://127.0.0.1:9/c",
            "x5c": ["AAAA"],
        }
        keys = loaded(jwk(ES))
        assert verdict(token(foreign, kid=ES.kid, **parameters), keys) is Reason.SIGNATURE_INVALID
        assert verdict(token(foreign, kid=foreign.kid, **parameters), keys) is Reason.KEY_UNKNOWN
        assert verdict(token(foreign, **parameters), keys) is Reason.SIGNATURE_INVALID
        assert verdict(token(ES, kid=ES.kid, **parameters), keys) is Reason.OK


class TestRepeatedKid:
    def test_filtered_by_type(self):
        keys = loaded(jwk(ES, kid="k"), jwk(RS, kid="k"), jwk(ED, kid="k"))
        for key in (ES, RS, ED):
            assert verdict(token(key, kid="k"), keys) is Reason.OK

    def test_filtered_by_use_and_alg(self):
        keys = loaded(
            jwk(OTHER, kid="k", use="enc"),
            jwk(RS, kid="k", alg="PS256"),
            jwk(RS, kid="k", alg="RS256"),
            jwk(ES, kid="k"),
        )
        assert verdict(token(ES, kid="k"), keys) is Reason.OK
        assert verdict(token(RS, kid="k"), keys) is Reason.OK
        assert (
            verdict(
                make_token({"alg": "PS256", "kid": "k"}, b"payload", SigningKey("PS256", RS.private_key)),
                keys,
            )
            is Reason.OK
        )

    @pytest.mark.parametrize("place", range(3))
    def test_three_are_tried(self, place):
        """P18: several keys with one kid."""
        documents = [jwk(key, kid="k") for key in (OTHER, THIRD, FOURTH)]
        documents[place] = jwk(ES, kid="k")
        assert verdict(token(ES, kid="k"), loaded(*documents)) is Reason.OK

    def test_the_fourth_is_not(self):
        documents = [jwk(key, kid="k") for key in (OTHER, THIRD, FOURTH, ES)]
        assert verdict(token(ES, kid="k"), loaded(*documents)) is Reason.SIGNATURE_INVALID
        assert verdict(token(FOURTH, kid="k"), loaded(*documents)) is Reason.OK

    def test_those_of_another_type_do_not_count(self):
        others = [jwk(RS, kid="k", alg=alg) for alg in ("RS256", "PS256", "RS384", "PS384")]
        assert (
            verdict(token(ES, kid="k"), loaded(*others, jwk(OTHER, kid="k"), jwk(ES, kid="k"))) is Reason.OK
        )

    def test_the_same_key_twice(self):
        assert verdict(token(ES, kid=ES.kid), loaded(jwk(ES), jwk(ES))) is Reason.OK


class TestWithoutKid:
    def test_one_key_fits(self):
        """P18: no kid, and exactly one key that fits."""
        assert verdict(token(ES), loaded(jwk(ES))) is Reason.OK
        assert verdict(token(ES), loaded(jwk(RS), jwk(ES), jwk(ED))) is Reason.OK
        assert verdict(token(ES), loaded(jwk(RS), unnamed(ES))) is Reason.OK

    def test_two_keys_fit(self):
        """P18: no kid, and nobody guesses."""
        for documents in ([jwk(ES), jwk(OTHER)], [unnamed(ES), jwk(OTHER)], [unnamed(ES), unnamed(OTHER)]):
            keys = loaded(*documents)
            assert verdict(token(ES), keys) is Reason.KEY_AMBIGUOUS
            assert verdict(token(OTHER), keys) is Reason.KEY_AMBIGUOUS

    def test_no_key_fits(self):
        assert verdict(token(ES), loaded(jwk(RS), jwk(ED))) is Reason.KEY_UNSUITABLE
        assert verdict(token(RS), loaded(jwk(RS, alg="PS256"))) is Reason.KEY_UNSUITABLE

    def test_a_kid_nobody_has_means_the_one_key_without(self):
        assert verdict(token(ES, kid="x"), loaded(unnamed(ES))) is Reason.OK
        assert verdict(token(ES, kid="x"), loaded(jwk(OTHER), unnamed(ES))) is Reason.OK
        assert verdict(token(OTHER, kid="x"), loaded(jwk(OTHER), unnamed(ES))) is Reason.SIGNATURE_INVALID
        assert verdict(token(ES, kid="x"), loaded(unnamed(OTHER), unnamed(ES))) is Reason.KEY_AMBIGUOUS
        assert verdict(token(ES, kid="x"), loaded(unnamed(RS), jwk(ES))) is Reason.KEY_UNSUITABLE

    def test_a_known_kid_never_means_another_key(self):
        keys = loaded(jwk(OTHER), unnamed(ES))
        assert verdict(token(ES, kid=OTHER.kid), keys) is Reason.SIGNATURE_INVALID


class TestObject:
    def test_a_set_is_its_own_source(self):
        keys = loaded(jwk(ES))
        assert keys.snapshot() is keys

    def test_repr_tells_numbers_alone(self):
        assert repr(loaded(jwk(ES), jwk(RS), {})) == "<keybound.JWKSet of 2 keys, 1 skipped>"

    def test_keys_is_a_tuple_of_jwks(self):
        keys = loaded(jwk(ES), jwk(RS))
        assert isinstance(keys.keys, tuple)
        assert tuple(keys) == keys.keys
        assert all(isinstance(key, JWK) for key in keys)

    def test_families_of_errors(self):
        with pytest.raises(KeyRejected):
            jws.verify(token(ES, kid="x"), loaded(jwk(ES)), algorithms=PUBLIC)
        with pytest.raises(SignatureRejected):
            jws.verify(token(OTHER, kid=ES.kid), loaded(jwk(ES)), algorithms=PUBLIC)

    def test_many_keys(self):
        one = [jwk(ES, kid=str(number)) for number in range(2000)]
        keys = loaded(*one, jwk(RS))
        assert verdict(token(ES, kid="1999"), keys) is Reason.OK
        assert verdict(token(RS), keys) is Reason.OK
        assert len(keys) == 2001
        assert keybound.JWKSet.from_json(json.dumps({"keys": one[:100]})).keys[99].kid == "99"


def test_a_set_cannot_be_changed():
    keys = JWKSet.from_json({"keys": [SigningKey.generate("ES256").public_jwk()]})
    for name in ("keys", "skipped", "_index", "other"):
        with pytest.raises(AttributeError):
            setattr(keys, name, ())
        with pytest.raises(AttributeError):
            delattr(keys, name)
    with pytest.raises(TypeError):
        keys.skipped["x"] = 1


class TestPublished:
    """What somebody else publishes: one odd entry decides nothing about the others."""

    def test_private_keys_and_secrets_are_skipped_like_all_that_is_unusable(self):
        good = SigningKey.generate("ES256", kid="good").public_jwk()
        listed = [good | {"kid": "leaked", "d": "A" * 43}, {"kty": "oct", "k": "A" * 43}, None, {}, good]
        keys = JWKSet.from_published({"keys": listed})
        assert [key.kid for key in keys] == ["good"]
        assert sum(keys.skipped.values()) == 4
        with pytest.raises(InvalidKey):
            JWKSet.from_json({"keys": listed})

    @pytest.mark.parametrize(
        "document",
        [
            "",
            "[]",
            "{}",
            '{"keys":[]}',
            '{"keys":{}}',
            '{"keys":[{"kty":"oct","k":"AAAA"}]}',
            '{"kty":"oct"}',
        ],
    )
    def test_what_holds_no_usable_key(self, document):
        with pytest.raises(InvalidKey):
            JWKSet.from_published(document)
