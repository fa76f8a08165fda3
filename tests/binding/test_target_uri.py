"""``htu`` is compared in normal form, and only what normal forms make equal is equal (RFC 9449, 4.3)."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given
from hypothesis import strategies as st

from keybound.binding.target_uri import normalize, same_target


@pytest.mark.parametrize(
    ("uri", "normal"),
    [
        # RFC 3986, 6.2.2.1: letter case.
        ("HTTPS://RS.Example.COM/Path", "https://rs.example.com/Path"),
        ("https://rs.example.com/%c3%a9", "https://rs.example.com/%C3%A9"),
        # 6.2.2.2: percent-encoding of unreserved characters.
        ("https://rs.example.com/%7Euser/%41%2d%2E%5f", "https://rs.example.com/~user/A-._"),
        ("https://rs%2eexample.com/", "https://rs.example.com/"),
        ("https://%45xample.com/%2f", "https://example.com/%2F"),
        # 6.2.2.3: dot segments, also those that were encoded.
        ("https://h/a/./b/../c", "https://h/a/c"),
        ("https://h/a/b/../..", "https://h/"),
        ("https://h/../../a", "https://h/a"),
        ("https://h/a/%2e%2E/b", "https://h/b"),
        ("https://h/a/.", "https://h/a/"),
        ("https://h/...", "https://h/..."),
        # 6.2.3: default port, empty port, empty path.
        ("https://h:443", "https://h/"),
        ("http://h:80/", "http://h/"),
        ("https://h:/x", "https://h/x"),
        ("https://h:00443/", "https://h/"),
        ("https://h:80/", "https://h:80/"),
        ("http://h:443/", "http://h:443/"),
        ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]/"),
        # RFC 9449, 4.3: query and fragment do not count.
        ("https://h/a?b=c#d", "https://h/a"),
        ("https://h?a/../b", "https://h/"),
        ("https://h/a#b?c", "https://h/a"),
        # What is not normalised: empty segments, the final slash, reserved characters.
        ("https://h//a//", "https://h//a//"),
        ("https://h/a%2Fb", "https://h/a%2Fb"),
        ("https://h/a;b=1,2", "https://h/a;b=1,2"),
    ],
)
def test_normal_form(uri: str, normal: str) -> None:
    assert normalize(uri) == normal
    assert normalize(normal) == normal
    assert same_target(uri, normal)
    assert same_target(normal, uri + "?a#b" if "#" not in uri and "?" not in uri else uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/resource",
        "//rs.example.com/",
        "rs.example.com/",
        "ftp://rs.example.com/",
        "https:rs.example.com",
        "https:///x",
        "https://:443/x",
        "https://user@rs.example.com/",
        "https://user:secret@rs.example.com/",
        "https://rs.example.com:x/",
        "https://rs.example.com:65536/",
        "https://rs.example.com:0/",
        "https://rs.example.com:443443/",
        "https://rs.example.com:44:3/",
        "https://[::1/",
        "https://rs.example.com/a b",
        "https://rs.example.com/\n",
        "https://rs.example.com/%",
        "https://rs.example.com/%4",
        "https://rs.example.com/%zz",
        "https://rs.example.com/é",
        "https://\u017f.example.com/",
        "http\u017f://rs.example.com/",
        "https://rs.example.com\\x",
        " https://rs.example.com/",
        "\ud800",
    ],
)
def test_no_target(uri: str) -> None:
    assert normalize(uri) is None
    assert not same_target(uri, "https://rs.example.com/")
    assert not same_target("https://rs.example.com/", uri)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://h/a", "https://h/A"),
        ("https://h/a", "https://h/a/"),
        ("https://h/a", "http://h/a"),
        ("https://h/a", "https://h:8443/a"),
        ("https://h/a", "https://h.example/a"),
        ("https://h/a%2Fb", "https://h/a/b"),
        ("https://h/a%3Fb", "https://h/a?b"),
        ("https://h/a", "https://h/a%00"),
        ("https://h./a", "https://h/a"),
        ("https://h//a", "https://h/a"),
    ],
)
def test_other_targets(one: str, other: str) -> None:
    assert normalize(one)
    assert normalize(other)
    assert not same_target(one, other)
    assert not same_target(other, one)


def test_nothing_is_no_target() -> None:
    assert not same_target("", "")
    assert not same_target("", "?x")


SEGMENTS = st.lists(st.sampled_from(["a", "B", ".", "..", "", "%2e", "%41", "%2F", "~", "%7e"]), max_size=6)
TARGETS = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTPS"]),
    st.sampled_from(["h", "H", "%48", "a.b", "[::1]"]),
    st.sampled_from(["", ":", ":80", ":443", ":8080"]),
    SEGMENTS.map(lambda segments: "".join(f"/{segment}" for segment in segments)),
    st.sampled_from(["", "?", "?a/../b", "#x"]),
)


@given(TARGETS)
def test_normal_form_of_a_normal_form(uri: str) -> None:
    normal = normalize(uri)
    assert normal is not None
    assert normalize(normal) == normal
    assert same_target(uri, normal)


@given(TARGETS, TARGETS)
def test_comparison_is_that_of_normal_forms(one: str, other: str) -> None:
    assert same_target(one, other) == (normalize(one) == normalize(other))


@given(st.text(max_size=60) | st.text(max_size=20).map("https://h/{}".format))
def test_any_text(text: str) -> None:
    normal = normalize(text)
    assert normal is None or same_target(text, normal)
