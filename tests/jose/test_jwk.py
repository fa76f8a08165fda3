"""JSON Web Keys: what is taken, what is refused, and what a key may verify."""

from __future__ import annotations

import copy
import json
import pickle
from types import MappingProxyType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import keybound
from keybound import JWK, InvalidKey, JWKSet, jws
from keybound.testing import CertificateAuthority, SigningKey, make_token

PUBLIC = ("RS256", "ES256", "ES384", "ES512", "ES256K", "Ed25519", "Ed448")
KEYS = {alg: SigningKey.generate(alg, shared=True) for alg in PUBLIC}
EC = KEYS["ES256"].public_jwk()
RSA = KEYS["RS256"].public_jwk()
SECRET = SigningKey.generate("HS512").verification_jwk()


def without(members: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in names}


def encoded(data: bytes) -> str:
    return keybound._hotpath.base64url.encode(data)


class BytesOfAFramework(bytes):
    pass


class TestForms:
    @pytest.mark.parametrize("alg", PUBLIC)
    def test_every_form_is_the_same_key(self, alg):
        key = KEYS[alg]
        public: Any = key.private_key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        text = json.dumps(key.public_jwk())
        forms = [
            *(
                JWK.from_json(form)
                for form in (key.public_jwk(), MappingProxyType(key.public_jwk()), text, text.encode())
            ),
            *(JWK.from_json(BytesOfAFramework(text.encode())), JWK.from_json(f" \n{text}\t")),
            *(JWK.from_pem(pem), JWK.from_pem(pem.decode()), JWK.from_pem(b"# comment\n" + pem)),
            *(JWK.from_der(der), JWK.from_key(public)),
        ]
        assert {form.thumbprint() for form in forms} == {key.kid}
        token = make_token({"alg": alg}, b"{}", key)
        for form in forms:
            assert jws.verify(token, form, algorithms=[alg]).payload == b"{}"

    def test_pkcs1(self):
        public: Any = KEYS["RS256"].private_key.public_key()
        for form, load in ((Encoding.PEM, JWK.from_pem), (Encoding.DER, JWK.from_der)):
            assert load(public.public_bytes(form, PublicFormat.PKCS1)).thumbprint() == KEYS["RS256"].kid

    @pytest.mark.parametrize("kind", ["rsa", "ec", "ed25519"])
    def test_certificates(self, kind):
        certificate = CertificateAuthority(key_type=kind).certificate
        forms = [
            JWK.from_key(certificate),
            JWK.from_pem(certificate.public_bytes(Encoding.PEM), kid="c"),
            JWK.from_der(certificate.public_bytes(Encoding.DER), kid="c"),
            JWK.from_key(certificate.public_key()),
        ]
        assert len({form.thumbprint() for form in forms}) == 1
        assert [form.kid for form in forms] == [None, "c", "c", None]

    def test_secrets(self):
        secret = "a secret of more than thirty-two octets: ä"
        forms = [JWK.from_secret(secret, alg="HS256"), JWK.from_secret(secret.encode(), alg="HS256")]
        forms.append(JWK.from_json({"kty": "oct", "k": encoded(secret.encode()), "alg": "HS256"}))
        forms.append(JWK.from_secret(BytesOfAFramework(secret.encode()), alg="HS256"))
        token = make_token({"alg": "HS256"}, b"{}", SigningKey("HS256", secret.encode()))
        assert [jws.verify(token, form, algorithms=["HS256"]).payload for form in forms] == [b"{}"] * 4

    def test_kid_and_alg_are_kept(self):
        pem = KEYS["RS256"].public_pem()
        key = JWK.from_pem(pem, kid="k", alg="PS256")
        assert (key.kid, key.alg, key.algorithms) == ("k", "PS256", ("PS256",))
        assert JWK.from_json(without(RSA, "kid", "alg")).kid is None

    @pytest.mark.parametrize(
        ("alg", "kty", "curve", "bits"),
        [
            *(("RS256", "RSA", None, 2048), ("ES256", "EC", "P-256", 256), ("ES384", "EC", "P-384", 384)),
            *(("ES512", "EC", "P-521", 521), ("ES256K", "EC", "secp256k1", 256)),
            *(("Ed25519", "OKP", "Ed25519", 256), ("Ed448", "OKP", "Ed448", 456)),
        ],
    )
    def test_what_a_key_says_of_itself(self, alg, kty, curve, bits):
        key = JWK.from_json(KEYS[alg].public_jwk())
        assert (key.kty, key.curve, key.bits, key.alg) == (kty, curve, bits, alg)

    @pytest.mark.parametrize("alg", PUBLIC)
    def test_to_dict_can_be_read_again(self, alg):
        key = JWK.from_json(KEYS[alg].public_jwk() | {"x-extra": 1})
        assert key.to_dict() == KEYS[alg].public_jwk()
        assert JWK.from_json(key.to_dict()).thumbprint() == key.thumbprint()

    def test_a_secret_has_no_public_form(self):
        with pytest.raises(InvalidKey, match="no public form"):
            JWK.from_json(SECRET).to_dict()

    def test_unknown_members_do_not_matter(self):
        """RFC 7517, 4: what is not understood must be ignored."""
        extra = {
            "x5c": ["nonsense"],
            "x5u": 5,
            "x5t": None,
            "nbf": "later",
            "ext": True,
            "oth-er": {"a": [1]},
        }
        assert JWK.from_json(EC | extra).thumbprint() == JWK.from_json(EC).thumbprint()


class TestMalformed:
    @pytest.mark.parametrize(
        "document",
        [
            *(
                None,
                5,
                [],
                (),
                {},
                "",
                b"",
                "null",
                "[]",
                "5",
                '"x"',
                "{",
                '{"kty":"EC"',
                b"\xff",
                "\ud800",
                b"\xef\xbb\xbf{}",
            ),
            *(
                '{"kty":"oct","kty":"oct"}',
                '{"kty":"EC","x":1e999}',
                "{'kty':'EC'}",
                bytearray(b"{}"),
                object(),
            ),
            "[" * 100_000,
            '{"kty":' * 300 + "1" + "}" * 300,
        ],
        ids=lambda value: repr(value)[:20],
    )
    def test_no_jwk(self, document):
        with pytest.raises(InvalidKey):
            JWK.from_json(document)
        with pytest.raises(InvalidKey):
            JWKSet.from_json(document)

    @pytest.mark.parametrize("name", ["kty", "crv", "x", "y"])
    @pytest.mark.parametrize(
        "value", [None, 5, True, [], {}, ["EC"], "", " ", "P-256 ", "ec", "ä", "\ud800", b"EC"], ids=repr
    )
    def test_members_of_an_ec_key(self, name, value):
        with pytest.raises(InvalidKey):
            JWK.from_json(EC | {name: value})

    @pytest.mark.parametrize("name", ["n", "e"])
    @pytest.mark.parametrize(
        "value",
        [None, 65537, True, [], {}, "", "A", "AQAB=", "AQ AB", "AQ\nAB", "+/+/", "AQAC", "AR"],
        ids=repr,
    )
    def test_members_of_an_rsa_key(self, name, value):
        with pytest.raises(InvalidKey):
            JWK.from_json(RSA | {name: value})

    @pytest.mark.parametrize("name", ["kty", "crv", "x", "y"])
    def test_missing_members(self, name):
        with pytest.raises(InvalidKey):
            JWK.from_json(without(EC, name))

    @pytest.mark.parametrize("name", ["kid", "alg", "use"])
    @pytest.mark.parametrize("value", [5, True, [], {}, ["sig"], {"a": 1}], ids=repr)
    def test_texts_that_are_none(self, name, value):
        with pytest.raises(InvalidKey):
            JWK.from_json(EC | {name: value})

    @pytest.mark.parametrize("kty", ["AKP", "XYZ", "rsa", "Oct", "none", ""])
    def test_types_nobody_knows(self, kty):
        with pytest.raises(InvalidKey, match="kty"):
            JWK.from_json(EC | {"kty": kty})

    @pytest.mark.parametrize(
        ("kty", "crv"),
        [("EC", "Ed25519"), ("OKP", "P-256"), ("OKP", "X25519"), ("EC", "P-224"), ("EC", "BP-256")],
    )
    def test_curves_of_another_type(self, kty, crv):
        with pytest.raises(InvalidKey, match="crv"):
            JWK.from_json(EC | {"kty": kty, "crv": crv})

    @pytest.mark.parametrize(
        "pem",
        [
            *(
                None,
                5,
                [],
                "",
                b"",
                "x",
                b"\xff",
                "\ud800",
                "-----BEGIN PUBLIC KEY-----",
                b"\0" * 1000,
                bytearray(b"x"),
            ),
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        ],
        ids=lambda value: repr(value)[:30],
    )
    def test_no_pem(self, pem):
        with pytest.raises(InvalidKey):
            JWK.from_pem(pem)

    @pytest.mark.parametrize(
        "der", [None, 5, [], "", b"", "0", b"0", b"\x30\x00", b"\x30\x80\0\0", b"\xff" * 100], ids=repr
    )
    def test_no_der(self, der):
        with pytest.raises(InvalidKey):
            JWK.from_der(der)

    @pytest.mark.parametrize(
        "secret", [None, 5, [], bytearray(64), memoryview(b"x" * 64)], ids=lambda value: type(value).__name__
    )
    def test_no_secret(self, secret):
        with pytest.raises(InvalidKey):
            JWK.from_secret(secret, alg="HS256")

    @pytest.mark.parametrize("option", ["kid", "alg"])
    @pytest.mark.parametrize("value", [5, [], b"k"], ids=repr)
    def test_options_that_are_no_text(self, option, value):
        with pytest.raises(InvalidKey, match=option):
            JWK.from_pem(KEYS["RS256"].public_pem(), **{option: value})

    def test_der_of_more_than_a_key(self):
        public: Any = KEYS["ES256"].private_key.public_key()
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for wrong in (der + b"\0", der[:-1], b"\0" + der, der + der):
            with pytest.raises(InvalidKey):
                JWK.from_der(wrong)

    def test_no_message_holds_the_key(self):
        secret = "the very secret text of this test"[:31]
        for make in (
            lambda: JWK.from_secret(secret, alg="HS256"),
            lambda: JWK.from_json({"kty": "oct", "k": secret}),
            lambda: JWK.from_json({"kty": "EC", "crv": secret, "x": secret}),
            lambda: JWK.from_json(f'{{"kty": "{secret}", broken'),
            lambda: JWK.from_pem(secret),
        ):
            with pytest.raises(InvalidKey) as caught:
                make()
            chain = [caught.value, caught.value.__cause__, caught.value.__context__]
            assert not [error for error in chain if secret in repr(error) or secret in str(error)]
            assert caught.value.__cause__ is None


class TestPrivate:
    @pytest.mark.parametrize("alg", PUBLIC)
    def test_private_jwks_are_an_error(self, alg):
        with pytest.raises(InvalidKey, match="private"):
            JWK.from_json(KEYS[alg].private_jwk())

    @pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth"])
    def test_each_private_member_is_one(self, member):
        for document in (RSA, EC):
            with pytest.raises(InvalidKey, match="private"):
                JWK.from_json(document | {member: None})

    @pytest.mark.parametrize("alg", PUBLIC)
    @pytest.mark.parametrize(
        "encryption",
        [serialization.NoEncryption(), serialization.BestAvailableEncryption(b"pw")],
        ids=["plain", "encrypted"],
    )
    def test_private_pems_are_an_error(self, alg, encryption):
        pem = KEYS[alg].private_key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        for form in (pem, pem.decode(), KEYS[alg].public_pem() + pem, b"x\n" + pem):
            with pytest.raises(InvalidKey, match="private"):
                JWK.from_pem(form)

    @pytest.mark.parametrize("alg", ["RS256", "ES256", "ES512"])
    def test_traditional_private_pems_are_an_error(self, alg):
        formats = serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.OpenSSH
        for style in formats:
            pem = KEYS[alg].private_key.private_bytes(Encoding.PEM, style, serialization.NoEncryption())
            with pytest.raises(InvalidKey, match="private"):
                JWK.from_pem(pem)

    @pytest.mark.parametrize("alg", PUBLIC)
    def test_private_ders_are_an_error(self, alg):
        der = KEYS[alg].private_key.private_bytes(
            Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(InvalidKey):
            JWK.from_der(der)


class TestPurpose:
    @pytest.mark.parametrize("use", ["enc", "", "SIG", "sig ", "tls"])
    def test_use(self, use):
        with pytest.raises(InvalidKey, match="use"):
            JWK.from_json(EC | {"use": use})

    @pytest.mark.parametrize(
        "operations",
        [
            [],
            ["sign"],
            ["encrypt", "wrapKey"],
            ["Verify"],
            ["verify", "verify"],
            ["verify", None],
            ["verify", []],
            "verify",
            {"verify": 1},
            None,
            5,
        ],
        ids=repr,
    )
    def test_key_ops(self, operations):
        with pytest.raises(InvalidKey, match="key_ops"):
            JWK.from_json(EC | {"key_ops": operations})

    @pytest.mark.parametrize("operations", [["verify"], ["sign", "verify"], ["verify", "x-own"]], ids=repr)
    def test_key_ops_that_allow_verifying(self, operations):
        assert JWK.from_json(EC | {"key_ops": operations}).algorithms == ("ES256",)

    def test_a_hundred_thousand_key_ops(self):
        """CVE-2026-80179: the search for repetitions was quadratic."""
        many = [str(number) for number in range(100_000)]
        with pytest.raises(InvalidKey, match="does not allow"):
            JWK.from_json(EC | {"key_ops": many})
        assert JWK.from_json(EC | {"key_ops": [*many, "verify"]}).algorithms == ("ES256",)
        with pytest.raises(InvalidKey, match="repeats"):
            JWK.from_json(EC | {"key_ops": [*many, "verify", "0"]})

    @pytest.mark.parametrize(
        ("alg", "good", "bad"),
        [
            (
                "RS256",
                ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
                ("ES256", "HS256", "RSA-OAEP", "RS1"),
            ),
            ("ES256", ("ES256",), ("ES384", "ES512", "ES256K", "ES521", "EdDSA", "ECDH-ES", "HS256")),
            ("ES256K", ("ES256K",), ("ES256",)),
            ("Ed25519", ("EdDSA", "Ed25519"), ("Ed448", "ES256")),
            ("Ed448", ("EdDSA", "Ed448"), ("Ed25519",)),
        ],
    )
    def test_alg(self, alg, good, bad):
        document = without(KEYS[alg].public_jwk(), "alg")
        assert JWK.from_json(document).algorithms == good
        for name in good:
            assert JWK.from_json(document | {"alg": name}).algorithms == (name,)
        for name in (*bad, "none", "None", "", "A256GCM", alg.lower()):
            with pytest.raises(InvalidKey, match="alg"):
                JWK.from_json(document | {"alg": name})

    def test_the_algorithm_of_the_key_binds_the_token(self):
        """CVE-2026-48523: the allow-list alone let a key of RS512 verify RS256."""
        key, token = KEYS["RS256"], make_token({"alg": "RS256"}, b"{}", KEYS["RS256"])
        both = ["RS256", "RS512"]
        assert jws.verify(token, JWK.from_pem(key.public_pem()), algorithms=both).payload == b"{}"
        with pytest.raises(keybound.KeyRejected):
            jws.verify(token, JWK.from_pem(key.public_pem(), alg="RS512"), algorithms=both)

    @pytest.mark.parametrize("names", [["HS256"], ["HS384"], ["HS512"]], ids=repr)
    def test_a_public_key_is_no_secret(self, names):
        """CVE-2026-22817: without alg in the JWK the header chose HS256, keyed with the modulus."""
        for members in (RSA, EC):
            key = JWK.from_json(without(members, "alg"))
            material = (b"", members.get("n", "").encode(), key._material[0], key._material[-1])
            for secret in material:
                token = make_token({"alg": names[0]}, b"{}", SigningKey(names[0], secret))
                with pytest.raises(keybound.KeyRejected):
                    jws.verify(token, key, algorithms=names)

    def test_a_curve_has_one_algorithm(self):
        """RFC 7518, 3.4: P-384 with SHA-256 is not ES256."""
        for alg, other in (("ES384", "ES256"), ("ES256", "ES384"), ("ES256K", "ES256"), ("ES512", "ES384")):
            key = JWK.from_json(without(KEYS[alg].public_jwk(), "alg"))
            token = make_token({"alg": other}, b"{}", KEYS[alg])
            with pytest.raises(keybound.KeyRejected):
                jws.verify(token, key, algorithms=[other, alg])


class TestSecretSizes:
    @pytest.mark.parametrize(("alg", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
    def test_a_secret_is_as_long_as_the_hash(self, alg, least):
        assert JWK.from_secret(b"x" * least, alg=alg).bits == 8 * least
        for size in (0, 1, least // 2, least - 1):
            with pytest.raises(InvalidKey, match="shorter than the hash"):
                JWK.from_secret(b"x" * size, alg=alg)
            with pytest.raises(InvalidKey, match=r"shorter than the hash|base64url"):
                JWK.from_json({"kty": "oct", "k": encoded(b"x" * size), "alg": alg})

    @pytest.mark.parametrize(
        ("size", "names"), [(32, ("HS256",)), (48, ("HS256", "HS384")), (64, ("HS256", "HS384", "HS512"))]
    )
    def test_a_secret_without_alg_serves_where_it_is_long_enough(self, size, names):
        assert JWK.from_json({"kty": "oct", "k": encoded(bytes(range(size)))}).algorithms == names

    @pytest.mark.parametrize("alg", ["RS256", "ES256", "none", "", "A256KW", "A256GCM", "dir"])
    def test_secrets_of_other_algorithms(self, alg):
        with pytest.raises(InvalidKey, match="alg"):
            JWK.from_secret(b"x" * 64, alg=alg)

    def test_text_and_octets_are_the_same_secret(self):
        """CVE-2024-31033: text was taken for base64 by surprise."""
        text = "A" * 64
        assert (
            JWK.from_secret(text, alg="HS256").thumbprint()
            == JWK.from_secret(text.encode(), alg="HS256").thumbprint()
        )
        assert JWK.from_secret(text, alg="HS256").bits == 512


class TestObject:
    def test_immutable(self):
        key = JWK.from_json(EC)
        for name in ("kid", "alg", "bits", "_handle", "other"):
            with pytest.raises(AttributeError):
                setattr(key, name, None)
            with pytest.raises(AttributeError):
                delattr(key, name)

    def test_made_by_its_loaders_alone(self):
        with pytest.raises(TypeError):
            JWK()

    @pytest.mark.parametrize("document", [EC, RSA, SECRET], ids=["EC", "RSA", "oct"])
    def test_repr_tells_no_material(self, document):
        text = repr(JWK.from_json(document))
        assert document["kty"] in text
        assert not [
            value for name, value in document.items() if name in ("k", "n", "x", "y", "kid") and value in text
        ]

    def test_not_pickled(self):
        """A handle of a crypto library cannot leave its process; a secret must not."""
        key = JWK.from_json(SECRET)
        with pytest.raises((TypeError, AttributeError)):
            pickle.loads(pickle.dumps(key))
        with pytest.raises((TypeError, AttributeError)):
            copy.deepcopy(key)

    def test_thumbprint_is_of_the_required_members_alone(self):
        """RFC 7638, 3.2."""
        for alg in PUBLIC:
            bare = without(KEYS[alg].public_jwk(), "kid", "alg", "use")
            assert JWK.from_json(bare).thumbprint() == KEYS[alg].kid
            uri = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:" + KEYS[alg].kid
            assert JWK.from_json(bare).thumbprint_uri() == uri

    def test_a_certificate_of_another_kind_of_key(self):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import dsa

        private = dsa.generate_private_key(1024)
        name = x509.Name.from_rfc4514_string("CN=dsa")
        now = CertificateAuthority().certificate.not_valid_before_utc
        builder = x509.CertificateBuilder(name, name, private.public_key(), 1, now, now)
        with pytest.raises(InvalidKey):
            JWK.from_key(builder.sign(private, hashes.SHA256()))


def test_pem_of_several_keys_is_refused():
    pem = KEYS["ES256"].public_pem()
    with pytest.raises(InvalidKey, match="more than one PEM block"):
        JWK.from_pem(pem + pem)
