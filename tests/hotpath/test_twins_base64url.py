"""The twins decode and encode every text alike."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from keybound._hotpath.pure import base64url

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SPELLED = st.text(ALPHABET, max_size=150)
NEARLY = st.builds(
    lambda text, at, wrong: text[:at] + wrong + text[at:],
    SPELLED,
    st.integers(0, 150),
    st.text(max_size=2) | st.sampled_from(list("=+/ \n")),
)


@settings(max_examples=1000)
@given(SPELLED | NEARLY | st.binary(max_size=150))
def test_twins_decode_alike(native, text):
    assert native.base64url.decode(text) == base64url.decode(text)


@settings(max_examples=500)
@given(st.binary(max_size=300))
def test_twins_encode_alike(native, data):
    text = base64url.encode(data)
    assert native.base64url.encode(data) == text
    assert native.base64url.decode(text) == data
