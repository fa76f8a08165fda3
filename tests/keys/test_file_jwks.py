"""Keys in a file that is replaced while it is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import keybound
from keybound import FileJWKSet, InvalidKey, PolicyError
from keybound.keys import KeySource
from keybound.testing import FakeClock, FakeIssuer


class Place:
    """A file with the keys of an issuer, and a source that looks at it once a second."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "jwks.json"
        self.issuer = FakeIssuer()
        self.monotonic = FakeClock(0.0)
        self.publish()
        self.keys = FileJWKSet(self.path, monotonic=self.monotonic)

    def publish(self) -> None:
        self.write(json.dumps(self.issuer.jwks()).encode())

    def write(self, content: bytes) -> None:
        """Replaced as a whole, the way deployments do it."""
        new = self.path.with_suffix(".new")
        new.write_bytes(content)
        os.replace(new, self.path)

    def kids(self) -> list[str | None]:
        return [key.kid for key in self.keys.snapshot()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_validator_takes_it(place: Place):
    assert isinstance(place.keys, KeySource)
    validator = keybound.AccessTokenValidator(
        issuer=place.issuer.issuer, audience="https://rs.example.com", keys=place.keys, algorithms=["ES256"]
    )
    before = place.issuer.access_token()
    assert validator.validate(before)
    place.issuer.rotate(keep_previous=False)
    place.publish()
    place.monotonic.advance(1)
    assert validator.validate(place.issuer.access_token())
    with pytest.raises(keybound.KeyRejected):
        validator.validate(before)


def test_it_is_read_again_when_it_changes_and_only_then(place: Place):
    """P25: file source with reload."""
    first = place.keys.snapshot()
    place.monotonic.advance(10)
    assert place.keys.snapshot() is first
    assert place.keys.stats()["reloads"] == 0
    place.issuer.rotate()
    place.publish()
    assert place.keys.snapshot() is first, "the last look was not a second ago"
    place.monotonic.advance(1)
    assert len(place.kids()) == 2
    assert place.keys.stats() == {"reloads": 1, "failures": 0, "keys": 2, "skipped": {}}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"keys":[]}', b"<html>", b"\xff", b'{"keys":[{"kty":"RSA"}]}'], ids=repr
)
def test_what_is_no_set_changes_nothing(place: Place, content: bytes):
    """P1: never replace a good set by an error."""
    good = place.keys.snapshot()
    place.write(content)
    place.monotonic.advance(1)
    for _ in range(3):
        assert place.keys.snapshot() is good
        place.monotonic.advance(1)
    assert place.keys.stats()["failures"] == 1, "a file that stays as it is is read once"
    assert not place.keys.reload()
    place.publish()
    place.monotonic.advance(1)
    assert place.kids() == [place.issuer.key.kid]
    assert place.keys.stats()["reloads"] == 1


def test_a_file_that_goes_and_comes_back(place: Place):
    good = place.keys.snapshot()
    place.path.unlink()
    place.monotonic.advance(1)
    assert place.keys.snapshot() is good
    assert not place.keys.reload()
    place.issuer.rotate(keep_previous=False)
    place.publish()
    place.monotonic.advance(1)
    assert place.kids() == [place.issuer.key.kid]


def test_reload_reads_whatever_the_file_looks_like(place: Place):
    good = place.keys.snapshot()
    assert place.keys.reload()
    assert place.keys.snapshot() is not good


def test_who_finds_another_looking_takes_what_there_is(place: Place):
    good = place.keys.snapshot()
    place.monotonic.advance(1)
    with place.keys._lock:
        assert place.keys.snapshot() is good


FORK = """
import os, sys
import keybound
keys = keybound.FileJWKSet(sys.argv[1])
keys._lock.acquire()
child = os.fork()
if child == 0:
    os._exit(0 if keys.reload() else 1)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_process_reloads_on_its_own(place: Place):
    """F-17: though the lock was held when it was made."""
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(place.path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == ("0", "")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"keys":[]}', b"<html>"], ids=repr)
def test_it_begins_with_a_usable_set(tmp_path: Path, content: bytes):
    path = tmp_path / "jwks.json"
    path.write_bytes(content)
    with pytest.raises(InvalidKey):
        FileJWKSet(path)


@pytest.mark.parametrize(
    "path", [None, 5, b"jwks.json", "there-is-none.json", ".", "there-is-none\0"], ids=repr
)
def test_what_is_no_file(path: Any):
    with pytest.raises(PolicyError) as caught:
        FileJWKSet(path)
    assert "there-is-none" not in str(caught.value)


@pytest.mark.parametrize("options", [{"check_after": 0}, {"check_after": "1"}, {"monotonic": 1}], ids=str)
def test_what_cannot_be_set(place: Place, options: dict[str, Any]):
    with pytest.raises(PolicyError):
        FileJWKSet(place.path, **options)


def test_secrets_of_the_operator_are_taken(place: Place):
    place.write(json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "kid": "1", "k": "A" * 43}]}).encode())
    assert place.keys.reload()
    assert place.kids() == ["1"]
    assert repr(place.keys) == "<keybound.FileJWKSet of 1 keys>"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_holds_up_nobody(tmp_path: Path) -> None:
    """A reader of a pipe waits for whoever writes, in the thread of whoever asks for keys."""
    path = tmp_path / "jwks.json"
    os.mkfifo(path)
    with pytest.raises(keybound.PolicyError):
        keybound.FileJWKSet(path)
    path.unlink()
    path.write_text(json.dumps(FakeIssuer("https://as.example.com").jwks()))
    keys = keybound.FileJWKSet(path)
    good = keys.snapshot()
    path.unlink()
    os.mkfifo(path)
    assert not keys.reload()
    assert keys.snapshot() is good
