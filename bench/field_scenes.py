"""The scenes of ``field.py``: each puts one client into one situation and tells what it did there."""

from __future__ import annotations

import base64
import functools
import json
import os
import select
import signal
import statistics
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import outages
from outages import UNKNOWN, milliseconds

from keybound.testing import (
    OMIT,
    CertificateAuthority,
    FakeIssuer,
    IssuerServer,
    SigningKey,
    dpop_proof,
    faults,
)

__all__: list[str] = []

PRESENTATIONS = 1000
PATIENCE = 5
"""Seconds for a child process that needs a few milliseconds."""
MARK = "s3cr3t"
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Scene(outages.Scene):
    """One client, and how it answers."""

    def outcome(self, call: Callable[..., object], *arguments: Any) -> str:
        """What a call came to, in words: ``accepted``, or how it was refused."""
        try:
            call(*arguments)
        except Exception as error:  # every library has its own
            return f"refused ({self.client.name_of(error)})"
        return "accepted"

    def known(self) -> int:
        """How many of twenty new tokens with a known kid are accepted."""
        return sum(self.accepts(self.token()) for _ in range(20))

    def expire_keys(self, fault: faults.Fault) -> None:
        """The keys are due, and whoever asks for new ones gets the fault."""
        self.client.let_keys_expire()
        self.server.fault = fault
        self.client.refresh()


# The pains


def outage(client: Any, hang: float) -> str:
    figures = outages.outage(client.verifies_each, hang)
    passed, fetches = figures.values()
    return f"{passed} accepted, {fetched(int(fetches))}"


def unknown_kids_in_an_outage(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        scene.client.let_cooldown_pass()
        scene.server.fault = faults.status(503)
        before = scene.server.count()
        refused = sum(not scene.accepts(scene.token(f"bogus-{number}")) for number in range(UNKNOWN))
        fetches = scene.server.count() - before
        good = scene.known()
        return f"{refused:,} refused, {fetched(fetches)}; known kid: {good} of 20 accepted"


@functools.cache
def waits(client: Any, hang: float) -> tuple[list[float], list[float]]:
    return outages.waits(client.verifies_each, hang)


@functools.cache
def lateness(client: Any, hang: float) -> list[float]:
    return outages.lateness(client.verifies_each, hang, hangs=True)


def refresh_that_hangs(client: Any, hang: float) -> str:
    idle, busy = waits(client, hang)
    return (
        f"median {milliseconds(statistics.median(busy))}, {several(len(busy), 'validation')} meanwhile; "
        f"{milliseconds(statistics.median(idle))} without"
    )


def event_loop(client: Any, hang: float) -> str:
    late = lateness(client, hang)
    return f"median lag {milliseconds(statistics.median(late))}, {several(len(late), 'turn')} meanwhile"


def same_token(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        raw = scene.token()
        with scene.client.signature_count() as count:
            accepted = sum(scene.accepts(raw) for _ in range(PRESENTATIONS))
            verified = count()
        each = time_of(lambda: scene.client.validate(raw))
        return f"{accepted:,} of {PRESENTATIONS:,} accepted, {verified:,} verified, {each} each"


def kept_tokens(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        own = CertificateAuthority().issue_client("client-1")
        bound = scene.token(certificate=own)
        scene.client.present(bound, own.der)
        unbound = scene.outcome(scene.client.present, bound)
        scene.server.issuer.rotate(keep_previous=False)
        scene.client.refresh()
        withdrawn = scene.outcome(scene.client.present, scene.good)
    return f"{last_second(client)}; without its certificate: {unbound}; its key withdrawn: {withdrawn}"


def throughput(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        raws = [scene.token() for _ in range(64)] * 20
        started = time.perf_counter()
        accepted = scene.client.accepted_of(raws)
        seconds = time.perf_counter() - started
        return f"{accepted:,} of {len(raws):,} accepted, {len(raws) / seconds:,.0f} a second"


def withdrawn_key(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        old = scene.server.issuer.key
        scene.server.issuer.rotate(keep_previous=False)
        scene.client.refresh()
        new = scene.outcome(scene.client.validate, scene.token(key=old))
        return f"another token of that key: {new}"


# The tests


def unknown_kids(client: Any, hang: float) -> str:
    up, down = (outages.fetches_for_unknown(client, fault) for fault in (None, faults.status(503)))
    return f"up: {fetched(up)}; 503: {fetched(down)}"


def outage_to_the_end(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        scene.expire_keys(faults.status(503))
        passed = scene.known()
        scene.client.let_keys_die()
        end = scene.outcome(scene.client.validate, scene.good)
        return f"keys due: {passed} of 20 accepted; in the end: {end}"


def everybody_during_a_refresh(client: Any, hang: float) -> str:
    _, busy = waits(client, hang)
    late = lateness(client, hang)
    return (
        f"known kid: median {milliseconds(statistics.median(busy))}; "
        f"event loop: median lag {milliseconds(statistics.median(late))}, {several(len(late), 'turn')}"
    )


def token_of_a_withdrawn_key(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        before = scene.outcome(scene.client.validate, scene.good)
        scene.server.issuer.rotate(keep_previous=False)
        scene.client.refresh()
        return f"before: {before}; after a refresh: {scene.outcome(scene.client.validate, scene.good)}"


def two_policies(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        scene.client.validate(scene.good)
        other = scene.outcome(scene.client.other_audience(), scene.good)
        bound = scene.outcome(scene.client.bound_tokens_only(), scene.good)
        again = scene.outcome(scene.client.validate, scene.good)
        return (
            f"for another audience: {other}; where bound tokens are demanded: {bound}; by the first: {again}"
        )


def tokens_alike(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        raw = scene.token(padding="x" * 600, name="alice", tail="x" * 600)
        scene.client.validate(raw)
        header, payload, signature = raw.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        forged = f"{header}.{encoded(claims | {'name': 'admin'})}.{signature}"
        assert (forged[:300], forged[-300:], len(forged)) == (raw[:300], raw[-300:], len(raw))
        assert forged != raw
        return scene.outcome(scene.client.validate, forged)


def last_second(client: Any, hang: float = 0) -> str:
    with Scene(client) as scene:
        exp = int(time.time()) + 2
        raw = scene.token(exp=exp)
        inside = scene.outcome(scene.client.validate, raw)
        scene.client.let_token_expire(exp)
        return f"in its last seconds: {inside}; when it is over: {scene.outcome(scene.client.validate, raw)}"


def bound_tokens(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        authority = CertificateAuthority()
        own, stranger = (authority.issue_client(name) for name in ("client-1", "client-2"))
        bound = scene.token(certificate=own)
        right = scene.outcome(scene.client.present, bound, own.der)
        hexadecimal = scene.token(cnf={"x5t#S256": decoded(own.thumbprint).hex()})
        wrong = [
            ("none shown", bound, None),
            ("another shown", bound, stranger.der),
            ("thumbprint in hex", hexadecimal, own.der),
            ("cnf.jkt as Bearer", scene.token(dpop_key=SigningKey.generate("ES256")), None),
        ]
        said = "; ".join(
            f"{what}: {scene.outcome(scene.client.present, raw, certificate)}"
            for what, raw, certificate in wrong
        )
        return f"right certificate: {right}; {said}"


def proofs(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        validate = scene.client.proofs()
        key, other, thief = (SigningKey.generate("ES256") for _ in range(3))
        forged = scene.outcome(validate, dpop_proof(key, signer=thief, jti="id"))
        proof = dpop_proof(key, jti="id")
        shown = [
            ("forged", forged),
            ("good, with the same jti", scene.outcome(validate, proof)),
            ("again", scene.outcome(validate, proof)),
            ("same jti, another key", scene.outcome(validate, dpop_proof(other, jti="id"))),
        ]
        return "; ".join(f"{what}: {outcome}" for what, outcome in shown)


def odd_keys(client: Any, hang: float) -> str:
    said = []
    for what in ("odd keys before it", "another key with its kid before it"):
        with Scene(client) as scene:
            namesake = SigningKey.generate("ES256", kid=scene.server.issuer.key.kid)
            entries = faults.ODD_KEYS if what.startswith("odd") else (namesake.public_jwk(),)
            scene.expire_keys(faults.bad_keys(*entries))
            said.append(f"{what}: {scene.outcome(scene.client.validate, scene.token())}")
    return "; ".join(said)


def answers_that_are_no_set(client: Any, hang: float) -> str:
    answers: list[Callable[[Scene], faults.Fault]] = [
        lambda scene: faults.html(),
        lambda scene: faults.body("{}"),
        lambda scene: faults.body('{"keys":[]}'),
        lambda scene: faults.body(b" " * 10_000_000),
        lambda scene: faults.gzip_bomb(),
    ]
    passed = 0
    for answer in answers:
        with Scene(client) as scene:
            scene.expire_keys(answer(scene))
            passed += scene.accepts(scene.token())
    with Scene(client) as scene:
        stranger = FakeIssuer(scene.server.issuer.issuer, alg="ES256")
        with IssuerServer(stranger, tls=False) as elsewhere:
            scene.expire_keys(faults.redirect(elsewhere.jwks_uri))
            passed += scene.accepts(scene.token())
            theirs = scene.outcome(scene.client.validate, stranger.access_token(audience=outages.AUDIENCE))
    return f"keys due: {passed} of {len(answers) + 1} accepted; redirected to http, a key of there: {theirs}"


def lax_encodings(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        raw = next(raw for raw in iter(scene.token, None) if "-" in raw and "_" in raw)
        head, _, signature = raw.rpartition(".")
        # 64 octets leave four bits over.
        loose = BASE64URL[BASE64URL.index(signature[-1]) ^ 1]
        spelled = {
            "junk behind it": raw + "!!!!",
            "white space": f"{head}.{signature[:9]} {signature[9:]}",
            "+ and /": raw.replace("-", "+").replace("_", "/"),
            "padding": raw + "==",
            "trailing bits": raw[:-1] + loose,
        }
        taken = [name for name, other in spelled.items() if scene.accepts(other)]
        return f"{len(taken)} of {len(spelled)} accepted" + (f" ({', '.join(taken)})" if taken else "")


def fifty_keys(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        for _ in range(49):
            scene.server.issuer.publish(SigningKey.generate("ES256"))
        scene.client.refresh()
        assert scene.accepts(scene.good)
        raw = scene.token(key=scene.attacker, header={"kid": OMIT})
        scene.client.let_cooldown_pass()
        before = scene.server.count()
        said = scene.outcome(scene.client.validate, raw)
        fetches = scene.server.count() - before
        return f"{said}, {fetched(fetches)}, {time_of(lambda: scene.accepts(raw))}"


def crafted_tokens(client: Any, hang: float) -> str:
    """Whatever a token says, the answer is about the token, also while keys cannot be fetched."""
    with Scene(client) as scene:
        header, payload, signature = scene.good.split(".")
        deep = base64.urlsafe_b64encode(b"[" * 12_000).decode().rstrip("=")
        kid = scene.server.issuer.key.kid
        crafted = [
            "junk",
            "a.b.c",
            scene.good[:-8],
            f"{header}.{deep}.{signature}",
            f"{deep}.{payload}.{signature}",
            scene.token(header={"alg": "none"}),
            scene.token(header={"crit": ["x"], "x": 1}),
            scene.token(header={"kid": [kid]}),
            scene.token(exp=10**300),
            scene.token("unknown"),
            scene.token("x" * 3000),
        ]
        scene.client.let_cooldown_pass()
        scene.server.fault = faults.status(503)
        accepted, others = 0, []
        for raw in crafted:
            try:
                scene.client.validate(raw)
            except Exception as error:
                if not scene.client.is_verdict(error):
                    others.append(scene.client.name_of(error))
            else:
                accepted += 1
    refused = len(crafted) - len(others) - accepted
    said = f"{refused} of {len(crafted)} refused, {accepted} accepted"
    return said + (f", others ended in {', '.join(sorted(set(others)))}" if others else "")


def junk(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        header, _, signature = scene.good.split(".")
        said = []
        for name, count in (("64 KB", 24_000), ("1 MB", 390_000)):
            raw = f"{header}.{encoded({'a': [0] * count})}.{signature}"
            outcome = scene.outcome(scene.client.validate, raw)
            said.append(f"{name}: {outcome} in {time_of(lambda raw=raw: scene.accepts(raw), 30)}")
        return "; ".join(said)


def fork_during_a_fetch(client: Any, hang: float) -> str:
    """What a child can do that was made while a thread of its parent was fetching."""
    with Scene(client) as scene:
        scene.client.let_cooldown_pass()
        hold = scene.server.fault = faults.Hold()
        stranger = threading.Thread(target=scene.accepts, args=(scene.token("bogus"),))
        stranger.start()
        hold.arrived.wait(30)
        scene.server.issuer.rotate()
        tokens = [("known kid", scene.good), ("new kid", scene.token())]
        told = in_a_child(lambda tell: child_of(scene, tokens, tell), hold.release)
        stranger.join()
    said = dict(line.split("\t") for line in told.splitlines())
    return "; ".join(f"{what}: {said.get(what, f'no answer in {PATIENCE} s')}" for what, _ in tokens)


def child_of(scene: Scene, tokens: list[tuple[str, str]], tell: Callable[[str], object]) -> None:
    for what, raw in tokens:
        tell(f"{what}\t{scene.outcome(scene.client.validate, raw)}\n")
        scene.client.let_cooldown_pass()


def in_a_child(work: Callable[[Callable[[str], object]], object], forked: Callable[[], object]) -> str:
    """What ``work`` tells in a child process, which is killed if it takes too long."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # That threads are running is the point.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            work(lambda text: os.write(writing, text.encode()))
        finally:
            os._exit(0)
    os.close(writing)
    forked()
    told, end = b"", time.monotonic() + PATIENCE
    while select.select([reading], [], [], max(end - time.monotonic(), 0))[0]:
        piece = os.read(reading, 4096)
        if not piece:
            break
        told += piece
    os.close(reading)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return told.decode()


def what_messages_say(client: Any, hang: float) -> str:
    with Scene(client) as scene:
        _, payload, signature = scene.good.split(".")
        shown = [
            f"{MARK}.{MARK}",
            f"{MARK}.{payload}.{signature}",
            scene.token(f"{MARK}\r\n\x1b[31m"),
            scene.token(header={"alg": MARK}),
            scene.token(header={"crit": [MARK], MARK: 1}),
            scene.token(audience=MARK),
            scene.token(iss=MARK),
        ]
        scene.client.let_cooldown_pass()
        messages = [message for raw in shown for message in [refusal(scene, raw)] if message is not None]
    assert len(messages) == len(shown)
    telling = sum(MARK in message for message in messages)
    controls = sum(not message.isprintable() for message in messages)
    return f"{telling} of {len(shown)} repeat what the token says, {controls} with control characters"


def refusal(scene: Scene, raw: str) -> str | None:
    try:
        scene.client.validate(raw)
    except Exception as error:
        return str(error)
    return None


# How it is said


def several(count: int, what: str, ending: str = "s") -> str:
    return f"{count:,} {what}{'' if count == 1 else ending}"


def fetched(count: int) -> str:
    return several(count, "fetch", "es")


def time_of(call: Callable[[], object], times: int = 200) -> str:
    """The median, in microseconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return f"{statistics.median(taken) * 1e6:,.1f} \u00b5s"


def encoded(claims: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode()).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
