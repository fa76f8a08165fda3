"""Attacks on decryption: what a sender may not learn, choose or cost, by the ids of the catalogue."""

from __future__ import annotations

import base64
import functools
import hmac
import json
import secrets
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import keybound
from keybound import Decryption, DecryptionKey, Limits, Reason, jwe
from keybound.testing import ENCRYPTIONS, EncryptionKey, SigningKey, encrypt_jwe, make_token

pytestmark = pytest.mark.filterwarnings("ignore::keybound.DeprecatedAlgorithmWarning")

TEXT = b"Live long and prosper."
WRAP = EncryptionKey.generate("A128KW", kid="1")
DIRECT = EncryptionKey.generate("dir", kid="1")
RSA1_5 = EncryptionKey.generate("RSA1_5", kid="1", shared=True)
WRAPPING = [
    *(WRAP, RSA1_5, EncryptionKey.generate("A128GCMKW"), EncryptionKey.generate("ECDH-ES+A128KW")),
    EncryptionKey.generate("RSA-OAEP-256", shared=True),
]


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def replaced(compact: str, segment: int, text: str) -> str:
    segments = compact.split(".")
    segments[segment] = text
    return ".".join(segments)


@functools.cache
def held(key: EncryptionKey) -> DecryptionKey:
    return DecryptionKey.from_json(key.private_jwk())


def decrypt(compact: Any, key: EncryptionKey, *, enc: str = "A128CBC-HS256", **options: Any) -> Any:
    chosen = {
        "algorithms": [key.alg],
        "encryptions": [enc],
        "allow_deprecated": [key.alg] if key.alg == "RSA1_5" else [],
    }
    return jwe.decrypt(compact, held(key), **chosen | options)


def refused(compact: Any, key: EncryptionKey, **options: Any) -> keybound.TokenRejected:
    with pytest.raises(keybound.TokenRejected) as caught:
        decrypt(compact, key, **options)
    return caught.value


def test_a5_unsigned_token_inside_an_encrypted_one(world: Any) -> None:
    """CVE-2026-29000: what was decrypted has been verified by nobody yet."""
    unsigned = make_token({"alg": "none"}, world.claims(), None)
    decryption = Decryption(
        keys=DecryptionKey.from_json(DIRECT.private_jwk()), algorithms=["dir"], encryptions=["A128CBC-HS256"]
    )
    for inner, reason in ((unsigned, Reason.ALG_NOT_ALLOWED), (world.token(), None)):
        opened = decryption.open(encrypt_jwe(inner, DIRECT, header={"cty": "JWT"}))
        assert opened == inner.encode()
        if reason is None:
            assert world.validator().validate(opened)
            continue
        with pytest.raises(keybound.HeaderRejected) as caught:
            world.validator().validate(opened)
        assert caught.value.reason is reason


def test_e18_e20_e21_a_signed_token_is_not_an_encrypted_one():
    """The same secret for HS256 and for dir: neither passes for the other."""
    header = {"alg": "HS256", "enc": "A128CBC-HS256"}
    signed = make_token(header, {"sub": "admin"}, SigningKey("HS256", DIRECT.secret))
    assert refused(signed, DIRECT).reason is Reason.TOKEN_NOT_ENCRYPTED
    assert refused(signed + ".AAAA.AAAA", DIRECT).reason is Reason.ALG_NOT_ALLOWED
    keys = keybound.JWKSet.from_secret(DIRECT.secret, alg="HS256", kid="1")
    with pytest.raises(keybound.MalformedToken) as caught:
        keybound.jws.verify(encrypt_jwe(b"{}", DIRECT), keys, algorithms=["HS256"])
    assert caught.value.reason is Reason.TOKEN_ENCRYPTED


def test_e19_a_public_key_in_the_place_of_a_secret() -> None:
    """CVE-2023-51774: who knows the public key could encrypt with it as a shared secret."""
    public = RSA1_5.private_key.public_key()
    for form in (Encoding.PEM, Encoding.DER):
        octets = public.public_bytes(form, PublicFormat.SubjectPublicKeyInfo)
        for alg in ("dir", "A256KW", "A256CBC-HS512"):
            for call in (DecryptionKey.from_secret, DecryptionKey.from_client_secret):
                with pytest.raises(keybound.InvalidKey):
                    call(octets, alg=alg)
        with pytest.raises(keybound.InvalidKey):
            DecryptionKey.from_json({"kty": "oct", "k": encoded(octets), "alg": "dir"})
    with pytest.raises(keybound.PolicyError, match="mixes"):
        decrypt("a.b.c.d.e", RSA1_5, algorithms=["RSA1_5", "dir"])
    forged = encrypt_jwe(TEXT, DIRECT, header={"kid": RSA1_5.kid})
    assert refused(forged, RSA1_5).reason is Reason.ALG_NOT_ALLOWED


def test_e22_json_serialization_where_compact_is_expected():
    document = json.dumps({"protected": "e30", "iv": "AA", "ciphertext": "AA", "tag": "AA"})
    assert refused(document, WRAP).reason is Reason.JWE_MALFORMED
    assert refused(json.loads(document), WRAP).reason is Reason.TOKEN_NOT_TEXT


@pytest.mark.parametrize("segments", range(8))
def test_e23_number_of_segments(segments: int) -> None:
    parts = (encrypt_jwe(TEXT, WRAP).split(".") * 2)[:segments]
    if segments == 5:
        assert decrypt(".".join(parts), WRAP).plaintext == TEXT
    else:
        expected = {0: Reason.TOKEN_MISSING, 3: Reason.TOKEN_NOT_ENCRYPTED}
        assert refused(".".join(parts), WRAP).reason is expected.get(segments, Reason.JWE_MALFORMED)


@pytest.mark.parametrize("count", [2**31, 2**63, 10**300, -1, 0, 1000])
def test_f5_f6_iterations_the_token_asks_for(count):
    """PBES2 does not exist, so nothing is ever derived from a password."""
    header = {"alg": "PBES2-HS256+A128KW", "p2c": count, "p2s": "AAAA"}
    assert refused(encrypt_jwe(TEXT, WRAP, header=header), WRAP).reason is Reason.ALG_NOT_ALLOWED


def test_f7_bomb():
    """A thousand to one: stopped at the ceiling, however much is in it."""
    bomb = encrypt_jwe(bytes(10_000_000), WRAP, compress=True)
    assert len(bomb) < 16_384
    assert refused(bomb, WRAP, allow_compression=True).reason is Reason.CONTENT_TOO_LARGE


@pytest.mark.parametrize("key", WRAPPING, ids=lambda key: key.alg)
def test_f8_empty_encrypted_key(key):
    compact = encrypt_jwe(TEXT, key)
    assert refused(replaced(compact, 1, ""), key).reason is Reason.ENCRYPTED_KEY_INVALID
    assert decrypt(compact, key).plaintext == TEXT


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_h9_points_off_the_curve(curve):
    """CVE-2016-9121: nothing is computed with them, and the answer is that of a wrong key."""
    key = EncryptionKey.generate("ECDH-ES", curve=curve)
    compact = encrypt_jwe(TEXT, key)
    header = json.loads(decoded(compact.split(".")[0]))
    x, y = (bytearray(decoded(header["epk"][name])) for name in ("x", "y"))
    y[-1] ^= 1
    size = len(x)
    for point in (
        {"y": encoded(y)},
        {"x": encoded(bytes(size)), "y": encoded(bytes(size))},
        {"x": encoded(b"\xff" * size)},
        {"y": header["epk"]["x"]},
    ):
        forged = replaced(compact, 0, encoded(json.dumps(header | {"epk": header["epk"] | point}).encode()))
        assert refused(forged, key).reason is Reason.DECRYPTION_FAILED
    assert decrypt(compact, key).plaintext == TEXT


def test_h10_long_additional_data():
    """CVE-2016-9123: the length of the header goes into the tag with 64 bits, not 32."""
    limits = Limits(token_bytes=2**22, header_bytes=2**22)
    for size in (1, 31, 32, 2**16, 2**20):
        compact = encrypt_jwe(TEXT, DIRECT, header={"padding": "x" * size})
        assert decrypt(compact, DIRECT, limits=limits).plaintext == TEXT


def everything_of(rejected: keybound.TokenRejected) -> str:
    chained = (rejected.__cause__, rejected.__context__)
    return repr((type(rejected), str(rejected), rejected.args, vars(rejected), chained, rejected.challenge()))


def test_h14_rsa1_5_padding():
    """Bad padding, a key of another size and a good key of other content are one (RFC 7516, 11.5)."""
    compact = encrypt_jwe(TEXT, RSA1_5)
    public = RSA1_5.private_key.public_key()
    numbers = public.public_numbers()
    size = (numbers.n.bit_length() + 7) // 8

    def raw(block: bytes) -> bytes:
        return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(size, "big")

    padded = b"\0\2" + b"p" * (size - 35) + b"\0" + bytes(32)
    forged = {
        "not zero": raw(b"\1" + padded[1:]),
        "other type": raw(b"\0\1" + padded[2:]),
        "no separator": raw(b"\0\2" + b"p" * (size - 2)),
        "short padding": raw(b"\0\2pp\0" + b"p" * (size - 5)),
        "empty": raw(b"\0\2" + b"p" * (size - 3) + b"\0"),
        "one too long": public.encrypt(bytes(33), padding.PKCS1v15()),
        "one too short": public.encrypt(bytes(31), padding.PKCS1v15()),
        "right size": public.encrypt(bytes(32), padding.PKCS1v15()),
        "above the modulus": b"\xff" * size,
        "zero": bytes(size),
        "short": bytes(size - 1),
        "long": bytes(size + 1),
    }
    seen = {everything_of(refused(replaced(compact, 1, encoded(value)), RSA1_5)) for value in forged.values()}
    assert len(seen) == 1
    assert decrypt(compact, RSA1_5).plaintext == TEXT


def test_h14_rsa1_5_is_off_unless_typed_out() -> None:
    with pytest.raises(keybound.PolicyError, match="RSA1_5 is deprecated"):
        decrypt(encrypt_jwe(TEXT, RSA1_5), RSA1_5, allow_deprecated=[])
    with pytest.warns(keybound.DeprecatedAlgorithmWarning, match="RSA1_5"):
        decrypt(encrypt_jwe(TEXT, RSA1_5), RSA1_5)


@pytest.mark.parametrize("enc", ENCRYPTIONS)
def test_h15_tags_that_are_cut_short(enc: str) -> None:
    """CVE-2025-54887: four octets of a tag are soon guessed, none at all sooner."""
    key = EncryptionKey.generate("dir", enc=enc)
    compact = encrypt_jwe(TEXT, key, enc=enc)
    tag = decoded(compact.split(".")[4])
    for size in range(len(tag)):
        assert refused(replaced(compact, 4, encoded(tag[:size])), key, enc=enc).reason is Reason.TAG_INVALID
    assert refused(replaced(compact, 4, encoded(tag + b"\0")), key, enc=enc).reason is Reason.TAG_INVALID
    assert decrypt(compact, key, enc=enc).plaintext == TEXT


@pytest.mark.parametrize("size", range(16))
def test_h15_tags_of_the_key_wrapping(size: int) -> None:
    key = EncryptionKey.generate("A256GCMKW")
    compact = encrypt_jwe(TEXT, key)
    header = json.loads(decoded(compact.split(".")[0]))
    cut = header | {"tag": encoded(decoded(header["tag"])[:size])}
    forged = replaced(compact, 0, encoded(json.dumps(cut).encode()))
    assert refused(forged, key).reason is Reason.HEADER_MEMBER_INVALID
    assert decrypt(compact, key).plaintext == TEXT


def test_h16_padding_is_looked_at_under_a_right_tag_alone():
    """And a right tag over a ciphertext that is no whole number of blocks is no plaintext either."""
    secret = secrets.token_bytes(32)
    key = EncryptionKey("dir", secret, kid="1")
    protected, _, iv, _, _ = encrypt_jwe(b"", key).split(".")

    def sealed(blocks: bytes, cut: int = 0) -> str:
        encryptor = Cipher(algorithms.AES(secret[16:]), modes.CBC(decoded(iv))).encryptor()
        ciphertext = (encryptor.update(blocks) + encryptor.finalize())[: len(blocks) - cut]
        length = (len(protected) * 8).to_bytes(8, "big")
        covered = protected.encode() + decoded(iv) + ciphertext + length
        tag = hmac.digest(secret[:16], covered, "sha256")[:16]
        return ".".join([protected, "", iv, encoded(ciphertext), encoded(tag)])

    assert decrypt(sealed(b"text" + b"\x0c" * 12), key).plaintext == b"text"
    for blocks in (bytes(16), b"\x11" * 16, b"x" * 15 + b"\xff", b"x" * 13 + b"\2\3\3", b""):
        assert refused(sealed(blocks), key).reason is Reason.DECRYPTION_FAILED
    for cut in (1, 8, 15):
        assert refused(sealed(b"text" + b"\x0c" * 12, cut), key).reason is Reason.DECRYPTION_FAILED
