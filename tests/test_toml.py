"""TOML is read as the standard has it, and a mistake ends in one line without what stands there."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybound import PolicyError, toml


@pytest.mark.parametrize("document", ['a = 1\n[b]\nc = ["x"]', b'a = 1\n[b]\nc = ["x"]'])
def test_text_and_octets(document):
    assert toml.loads(document) == {"a": 1, "b": {"c": ["x"]}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("a = hunter2", "this is not TOML: at line 1, column 5"),
        ("a = [", "this is not TOML: at end of document"),
        (b"a = '\xff'", "this is not TOML: it is not UTF-8"),
        (5, "TOML must be text or bytes"),
    ],
)
def test_a_mistake_is_told_by_its_place_alone(document, message):
    with pytest.raises(PolicyError) as caught:
        toml.loads(document)
    assert str(caught.value).startswith(message)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("document", ["a = 1\na = 2", "a = " + "[" * 100_000, "a.b = 1\na = 2", "\ud800"])
def test_what_is_not_toml(document):
    with pytest.raises(PolicyError):
        toml.loads(document)


@given(document=st.text() | st.binary())
def test_nothing_raises_anything_else(document):
    with contextlib.suppress(PolicyError):
        assert isinstance(toml.loads(document), dict)
