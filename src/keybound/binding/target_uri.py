"""The URI of a request, compared as RFC 9449 section 4.3 asks: normalised, without query and fragment."""

from __future__ import annotations

import re

__all__ = ["normalize", "same_target"]

# RFC 3986, 3: no user information (RFC 9110, 4.2.4), and a host that is not empty (RFC 9110, 4.2.1).
_HOST = r"[A-Za-z0-9\-._~!$&'()*+,;=]"
_PATH = r"[A-Za-z0-9\-._~!$&'()*+,;=:@/]"
_TARGET = re.compile(
    rf"(?P<scheme>https?)://"
    rf"(?P<host>\[[0-9A-Fa-f:.]+\]|(?=[^:/]){_HOST}*(?:%[0-9A-Fa-f]{{2}}{_HOST}*)*)"
    rf"(?::(?P<port>[0-9]{{0,5}}))?"
    rf"(?P<path>(?:/{_PATH}*(?:%[0-9A-Fa-f]{{2}}{_PATH}*)*)?)",
    re.IGNORECASE | re.ASCII,
)
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535


def same_target(claimed: str, url: str) -> bool:
    """Whether two URIs are of one target, leaving query and fragment aside (RFC 9449, 4.3)."""
    target = _without_query(url)
    # RFC 3986, 6.2.1; nearly always the client has written what the server sees.
    if claimed == target:
        return bool(target)
    wanted = normalize(target)
    return wanted is not None and normalize(claimed) == wanted


def normalize(uri: str) -> str | None:
    """An absolute http or https URI in normal form, without query and fragment; ``None`` for anything else.

    Syntax-based and scheme-based normalisation (RFC 3986, 6.2.2 and 6.2.3): letter case of scheme, host
    and percent-encoding, unreserved characters, dot segments, the default port and the empty path.

    >>> normalize("HTTPS://Resource.example:443/a/./b/../%7euser?x=1#top")
    'https://resource.example/a/~user'
    """
    match = _TARGET.fullmatch(_without_query(uri))
    if match is None:
        return None
    scheme = match["scheme"].lower()
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if not 0 < port <= _MAX_PORT:
        return None
    host = _ENCODED.sub(_plain, match["host"].lower()).lower()
    # Upper case is the normal form of percent-encoding, in a host too.
    host = _ENCODED.sub(lambda octet: octet[0].upper(), host)
    shown_port = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    return f"{scheme}://{host}{shown_port}{_path(match['path'])}"


def _without_query(uri: str) -> str:
    return uri.partition("#")[0].partition("?")[0]


def _plain(octet: re.Match[str]) -> str:
    """RFC 3986, 6.2.2.2: unreserved characters as they are, others in upper case."""
    character = chr(int(octet[0][1:], 16))
    return character if character in _UNRESERVED else octet[0].upper()


def _path(path: str) -> str:
    if "%" in path:
        path = _ENCODED.sub(_plain, path)
    return _without_dots(path) if "/." in path else path or "/"


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4, for a path that starts with a slash."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
