"""Base64url has one spelling for everything (RFC 7515, 2; RFC 4648, 3.5 and 5)."""

from __future__ import annotations

import pytest

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# Around every boundary of the implementations: groups of three and four, vectors of 24 and 32.
SIZES = [*range(103), 767, 768, 769]


def sample(size: int) -> bytes:
    return bytes((i * 167 + size) % 256 for i in range(size))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        # RFC 4648, 10, without the padding.
        (b"", ""),
        (b"f", "Zg"),
        (b"fo", "Zm8"),
        (b"foo", "Zm9v"),
        (b"foob", "Zm9vYg"),
        (b"fooba", "Zm9vYmE"),
        (b"foobar", "Zm9vYmFy"),
        # RFC 7515, C.
        (bytes([3, 236, 255, 224, 193]), "A-z_4ME"),
        (bytes([0xFB, 0xFF, 0xBF] * 20), "-_-_" * 20),
    ],
)
def test_known_answers(twins, data, text):
    assert twins.base64url.encode(data) == text
    assert twins.base64url.decode(text) == data
    assert twins.base64url.decode(text.encode()) == data


@pytest.mark.parametrize("size", SIZES)
def test_round_trip(twins, size):
    data = sample(size)
    text = twins.base64url.encode(data)
    assert type(text) is str
    assert len(text) == -(-size * 4 // 3)
    assert twins.base64url.decode(text) == data


def test_alphabet_is_complete(twins):
    decoded = twins.base64url.decode(ALPHABET)
    assert int.from_bytes(decoded, "big") == sum(value << 6 * (63 - value) for value in range(64))


@pytest.mark.parametrize("length", [4, 31, 32, 35, 63, 64, 67, 99])
def test_every_other_octet_is_refused_everywhere(twins, length):
    good = twins.base64url.encode(sample(length * 3 // 4)).encode()
    others = [octet for octet in range(256) if chr(octet) not in ALPHABET]
    for position in range(length):
        for octet in others:
            assert twins.base64url.decode(good[:position] + bytes([octet]) + good[position + 1 :]) is None


@pytest.mark.parametrize("whole", [0, 4, 28, 32, 64, 68])
def test_trailing_bits_must_be_zero(twins, whole):
    for rest, step in ((2, 16), (3, 4)):
        for value, last in enumerate(ALPHABET):
            text = "A" * (whole + rest - 1) + last
            assert (twins.base64url.decode(text) is not None) == (value % step == 0)


@pytest.mark.parametrize("length", [1, 5, 9, 33, 37, 65, 101])
def test_impossible_lengths_are_refused(twins, length):
    assert twins.base64url.decode("A" * length) is None


LENIENT = ["Zg==", "Zm8=", "Zm9v=", "=", "==", "====", "Zg=", "Zm9v====", "Zg==Zg==", "Z=m9"]
FOREIGN = ["+_+_", "/_/_", "-+-+", "Zm9vé", "Zm9v\u0660", "\uff21AAA", "\ud800AAA"]
SPACED = ["Zm9v\n", "\nZm9v", "Zm\n9v", "Zm9v ", " Zm9v", "Zm9 v", "Zm\r\n9v", "Zm9v\x00"]


@pytest.mark.parametrize("text", [*LENIENT, *FOREIGN, *SPACED], ids=ascii)
def test_lenient_spellings_are_refused(twins, text):
    assert twins.base64url.decode(text) is None


@pytest.mark.parametrize("value", [None, 1, 1.5, [], bytearray(b"Zm9v"), memoryview(b"Zm9v")])
def test_what_is_not_text_is_refused(twins, value):
    assert twins.base64url.decode(value) is None
