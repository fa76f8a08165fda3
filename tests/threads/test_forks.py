"""A child that is made while another thread holds a lock inherits it held, and needs it no more."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.audience import POLICIES, ReportOnly
from keybound.metrics import Registry

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
    pytest.mark.skipif(
        "libasan" in os.environ.get("LD_PRELOAD", ""),
        reason="the allocator of the sanitizer keeps its locks from children",
    ),
    # Other tests may have left threads that wait; Python 3.12 and later warn of every fork beside those.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


def good_in_a_child(work: Callable[[], object]) -> bool:
    """Whether ``work`` comes to an end in a child process, and to something that is true."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            # A child that waits for ever ends as one that failed.
            signal.alarm(60)
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_discovered_keys() -> None:
    """F-17, P32: also where the parent was changing to another jwks_uri."""
    keys = keybound.DiscoveredJWKSet(keybound.RemoteMetadata("https://as.example.com"))
    with keys._lock:
        assert good_in_a_child(lambda: keys.purge() is None and not keys.ready)


def test_verified_tokens_of_a_validator(package: ModuleType, world: Any) -> None:
    """F-17, P32: also where the parent was looking for a token."""
    validator = package.AccessTokenValidator(
        issuer=world.issuer.issuer,
        audience="rs",
        keys=package.JWKSet.from_json(world.issuer.jwks()),
        algorithms=["ES256"],
        clock=world.clock,
    )
    raw = world.token(audience="rs")
    first = validator.validate(raw).claims
    with getattr(validator._tokens, "_lock", nullcontext()):
        assert good_in_a_child(lambda: [validator.validate(raw).claims for _ in range(2)] == [first] * 2)
    assert validator.stats()["cache"]["entries"] == 1


def test_metrics() -> None:
    """P32: also where the parent was adding something."""
    registry = Registry()
    keys = keybound.RemoteJWKSet("https://as.example.com/jwks")
    with registry._lock:
        assert good_in_a_child(lambda: registry.add("keys", keys) is None and registry.readiness())


def test_reports_on_audiences() -> None:
    """P32: also where the parent was counting."""
    endpoint = "https://as.example.com/token"
    bound = POLICIES["fapi2-final"].bind(
        issuer="https://as.example.com", endpoints={"token_endpoint": endpoint}
    )
    reporting = ReportOnly(bound)
    with reporting._tally._lock:
        assert good_in_a_child(
            lambda: (
                reporting.at("token_endpoint").judge("https://as.example.com", "client-1")
                and reporting.snapshot().judged == 1
            )
        )
