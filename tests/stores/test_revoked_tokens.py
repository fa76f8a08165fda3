"""Tokens that are revoked in one process, and rejected in another one that has them in its cache."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import keybound
from keybound import Reason, Unavailable
from keybound.stores import RedisRevocationList
from keybound.testing import FakeClock, FakeIssuer

ISSUER = "https://server.example.com"
AUDIENCE = "https://rs.example.com"
CLIENT = "s6BhdRkqt3"

GATEWAY = """
import json, sys
import keybound
from keybound.stores import RedisRevocationList
from keybound.testing import FakeClock

given = json.loads(sys.stdin.readline())
clock = FakeClock(given["now"])
revocations = RedisRevocationList(given["url"], clock=clock)
validator = keybound.AccessTokenValidator(
    issuer=given["issuer"],
    audience=given["audience"],
    keys=keybound.JWKSet.from_json(given["jwks"]),
    algorithms=["ES256"],
    clock=clock,
    revocation=revocations,
)
for line in sys.stdin:
    try:
        validator.validate(line.strip())
        said = "accepted"
    except keybound.KeyboundError as error:
        said = str(getattr(error, "reason", type(error).__name__))
    print(json.dumps([said, validator.stats()["cache"]["hits"]]), flush=True)
revocations.close()
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def issuer(clock: FakeClock) -> FakeIssuer:
    return FakeIssuer(ISSUER, alg="ES256", clock=clock)


class Gateway:
    """A process of its own that validates with the shared list."""

    def __init__(self, url: str, issuer: FakeIssuer, clock: FakeClock) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", GATEWAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        given = {"url": url, "issuer": ISSUER, "audience": AUDIENCE, "now": clock(), "jwks": issuer.jwks()}
        self._write(json.dumps(given))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def says(self, raw: str) -> list[Any]:
        """The verdict, and how often the cache has answered."""
        self._write(raw)
        assert self._process.stdout is not None
        said: list[Any] = json.loads(self._process.stdout.readline())
        return said

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait() == 0


def test_logged_out_here_rejected_there(
    server: Any, issuer: FakeIssuer, clock: FakeClock, closing: Any
) -> None:
    """G17: the logout token reaches one process; the next call of the other one is rejected."""
    revocations = RedisRevocationList(server.url, clock=clock)
    closing.callback(revocations.close)
    revocations.declare_nothing_was_revoked()
    there = Gateway(server.url, issuer, clock)
    closing.callback(there.close)
    raw = issuer.access_token(audience=AUDIENCE, sid="s-1")
    other = issuer.access_token(audience=AUDIENCE, sid="s-2")
    assert [there.says(raw) for _ in range(2)] == [["accepted", 0], ["accepted", 1]]
    assert there.says(other) == ["accepted", 1]
    logout = keybound.LogoutTokenValidator(
        issuer=ISSUER,
        client_id=CLIENT,
        keys=keybound.JWKSet.from_json(issuer.jwks()),
        algorithms=["ES256"],
        clock=clock,
    )
    revocations.log_out(logout.validate(issuer.logout_token(client_id=CLIENT, session_id="s-1")))
    assert there.says(raw) == ["token_revoked", 2]
    assert there.says(other) == ["accepted", 3]
    server.kill()
    assert there.says(other) == ["Unavailable", 4]


def test_a_server_that_is_gone_accepts_nothing(
    server: Any, issuer: FakeIssuer, clock: FakeClock, closing: Any
) -> None:
    revocations = RedisRevocationList(server.url, clock=clock)
    closing.callback(revocations.close)
    revocations.declare_nothing_was_revoked()
    validator = keybound.AccessTokenValidator(
        issuer=ISSUER,
        audience=AUDIENCE,
        keys=keybound.JWKSet.from_json(issuer.jwks()),
        algorithms=["ES256"],
        clock=clock,
        revocation=revocations,
    )
    raw = issuer.access_token(audience=AUDIENCE)
    assert validator.validate(raw)
    server.kill()
    with pytest.raises(Unavailable):
        validator.validate(raw)
    with pytest.raises(Unavailable):
        validator.validate_many([raw])
    # What is no token in the first place does not need the server.
    with pytest.raises(keybound.TokenRejected) as caught:
        validator.validate(raw[:-6] + "AAAAAA")
    assert caught.value.reason is Reason.SIGNATURE_INVALID
