"""Opaque tokens: a real HTTPS server is asked about them, seldom, and believed for a short time."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import keybound
from keybound import CacheSettings, PolicyError, Reason, Unavailable
from keybound.clients import ClientSecretBasic, ClientSecretPost, MutualTLS, PrivateKeyJWT
from keybound.keys import HttpxTransport
from keybound.stores import MemoryRevocationList
from keybound.testing import (
    CertificateAuthority,
    FakeClock,
    IssuerServer,
    SigningKey,
    dpop_proof,
    faults,
)

AUDIENCE = "https://rs.example.com"
TOKEN = "2YotnFZFEjr1zCsicMWpAA"
AUTHORITY = CertificateAuthority()
CLIENT, STRANGER = AUTHORITY.issue_client("client-1"), AUTHORITY.issue_client("client-2")
SECRET = ClientSecretBasic("rs-1", "s3cret")

Ask = Callable[..., Any]


def sync(client: Any, raw: Any, **beside: Any) -> Any:
    return client.validate(raw, **beside)


def in_a_loop(client: Any, raw: Any, **beside: Any) -> Any:
    return asyncio.run(client.avalidate(raw, **beside))


@pytest.fixture(params=[sync, in_a_loop], ids=["validate", "avalidate"])
def ask(request: Any) -> Ask:
    return request.param


class Place:
    """An authorization server with one opaque token, and what asks it."""

    def __init__(self, server: IssuerServer) -> None:
        self.server = server
        self.clock, self.monotonic = FakeClock(), FakeClock(1000.0)
        server.issuer.clock = self.clock
        self.grant(TOKEN)

    def grant(self, raw: str, **members: Any) -> None:
        self.server.answers[raw] = self.server.issuer.introspection_response(
            **{"audience": AUDIENCE} | members
        )

    def validator(self, **options: Any) -> keybound.IntrospectionResponseValidator:
        usual: dict[str, Any] = {
            "issuer": self.server.issuer.issuer,
            "audience": AUDIENCE,
            "clock": self.clock,
        }
        return keybound.IntrospectionResponseValidator(**usual | options)

    def client(self, *, rules: Any = None, **options: Any) -> keybound.IntrospectionClient:
        usual: dict[str, Any] = {
            "validator": self.validator(**rules or {}),
            "authentication": SECRET,
            "cache": CacheSettings(lifetime=30, monotonic=self.monotonic),
            "transport": self.transport(),
        }
        return keybound.IntrospectionClient(self.server.introspection_endpoint, **usual | options)

    def transport(self, certificate: Any = None) -> keybound.HTTPTransport:
        return keybound.HTTPTransport(ssl_context=self.server.client_context(certificate))

    @property
    def asked(self) -> int:
        return self.server.count("/introspect")


@pytest.fixture
def place() -> Iterator[Place]:
    with IssuerServer(authority=AUTHORITY, client_auth="optional") as server:
        yield Place(server)


def refused(call: Callable[[], Any], reason: Reason) -> keybound.TokenRejected:
    with pytest.raises(keybound.TokenRejected) as caught:
        call()
    assert caught.value.reason is reason
    return caught.value


class TestAsking:
    def test_an_active_token(self, place: Place, ask: Ask) -> None:
        """P34: an opaque token is validated behind the same interface as a JWT."""
        answer = ask(place.client(), TOKEN)
        assert isinstance(answer, keybound.AccessToken)
        assert (answer.subject, answer.client_id, answer.scopes) == ("user-1", "client-1", {"read", "write"})
        (request,) = place.server.requests
        assert (request.method, request.path) == ("POST", "/introspect")
        assert request.form == {"token": TOKEN, "token_type_hint": "access_token"}
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert request.headers["accept"] == "application/json"

    def test_a_token_that_is_not_active(self, place: Place, ask: Ask) -> None:
        error = refused(lambda: ask(place.client(), "unknown"), Reason.TOKEN_INACTIVE)
        assert (error.status, error.error) == (401, "invalid_token")

    def test_every_rule_of_the_validator_holds(self, place: Place, ask: Ask) -> None:
        place.grant("other", audience="https://other.example.com")
        refused(lambda: ask(place.client(), "other"), Reason.AUD_MISMATCH)
        refused(lambda: ask(place.client(rules={"scopes": "admin"}), TOKEN), Reason.SCOPE_INSUFFICIENT)
        place.grant("old", lifetime=-60)
        refused(lambda: ask(place.client(), "old"), Reason.TOKEN_EXPIRED)

    def test_parameters_are_sent_along(self, place: Place) -> None:
        place.client(parameters={"resource": AUDIENCE + "/?a=b&c"}).validate(TOKEN)
        assert place.server.requests[0].form["resource"] == AUDIENCE + "/?a=b&c"

    @pytest.mark.parametrize("given", [True, False], ids=["own client", "no client"])
    def test_over_httpx(self, place: Place, ask: Ask, given: bool) -> None:
        httpx = pytest.importorskip("httpx")
        context = place.server.client_context()
        with httpx.Client(verify=context) as own:
            transport = HttpxTransport(own) if given else HttpxTransport(verify=context)
            assert ask(place.client(transport=transport), TOKEN).subject == "user-1"
        assert place.server.requests[0].form["token"] == TOKEN

    def test_signed_answers(self, place: Place, ask: Ask) -> None:
        """RFC 9701, 4: asked for where the validator demands them."""
        place.server.resource_server = AUDIENCE
        keys = keybound.JWKSet.from_json(place.server.issuer.jwks())
        algorithms = [place.server.issuer.key.alg]
        client = place.client(rules={"keys": keys, "algorithms": algorithms})
        assert ask(client, TOKEN).subject == "user-1"
        assert place.server.requests[0].headers["accept"] == "application/token-introspection+jwt"
        refused(lambda: ask(client, "unknown"), Reason.TOKEN_INACTIVE)
        # Signed by somebody else: that is no answer, and says nothing about the token.
        place.server.issuer.rotate(keep_previous=False)
        with pytest.raises(Unavailable):
            ask(client, "another")

    @pytest.mark.parametrize(
        ("raw", "reason"),
        [
            (None, Reason.TOKEN_MISSING),
            ("", Reason.TOKEN_MISSING),
            (b"", Reason.TOKEN_MISSING),
            (5, Reason.TOKEN_NOT_TEXT),
            ("x" * 16385, Reason.TOKEN_TOO_LARGE),
            ("a b", Reason.TOKEN_MALFORMED),
            ("a\nb", Reason.TOKEN_MALFORMED),
            ("\u00e4", Reason.TOKEN_MALFORMED),
            ("\ud800", Reason.TOKEN_MALFORMED),
            (b"\xff", Reason.TOKEN_MALFORMED),
        ],
        ids=repr,
    )
    def test_nobody_is_asked_about_what_is_no_token(self, place: Place, ask: Ask, raw: Any, reason: Any):
        refused(lambda: ask(place.client(), raw), reason)
        assert place.asked == 0


class TestBinding:
    def test_a_certificate(self, place: Place, ask: Ask) -> None:
        """The binding is checked with each presentation, also of a kept answer."""
        place.grant(TOKEN, certificate=CLIENT)
        client = place.client()
        assert ask(client, TOKEN, certificate=CLIENT.der)
        refused(lambda: ask(client, TOKEN, certificate=STRANGER.der), Reason.CERTIFICATE_MISMATCH)
        refused(lambda: ask(client, TOKEN), Reason.CERTIFICATE_MISSING)
        assert ask(client, TOKEN, certificate=CLIENT.der)
        assert place.asked == 1

    def test_a_proof(self, place: Place, ask: Ask) -> None:
        key = SigningKey.generate("ES256")
        place.grant(TOKEN, dpop_key=key)
        place.grant("other", dpop_key=key)
        url, client = AUDIENCE + "/accounts", place.client()
        prove = keybound.DPoPProofValidator(algorithms=["ES256"], clock=place.clock, replay=None)

        def proof(raw: str) -> Any:
            made = dpop_proof(key, method="GET", url=url, access_token=raw, clock=place.clock)
            return prove.validate(made, method="GET", url=url, access_token=raw)

        for _ in range(2):
            assert ask(client, TOKEN, dpop=proof(TOKEN)).confirmation["jkt"] == key.thumbprint
            with pytest.raises(keybound.BindingRejected):
                ask(client, TOKEN, dpop=proof("other"))
            with pytest.raises(keybound.BindingRejected):
                ask(client, TOKEN)
        assert place.asked == 1


class TestWhoAsks:
    def test_secret_in_the_header(self, place: Place) -> None:
        place.client(authentication=ClientSecretBasic("rs:1", "p\u00e4ss w+rd")).validate(TOKEN)
        (request,) = place.server.requests
        scheme, _, pair = request.headers["authorization"].partition(" ")
        # RFC 6749, 2.3.1: encoded as in a form before.
        assert (scheme, base64.b64decode(pair)) == ("Basic", b"rs%3A1:p%C3%A4ss+w%2Brd")
        assert "client_id" not in request.form

    def test_secret_in_the_body(self, place: Place) -> None:
        place.client(authentication=ClientSecretPost("rs-1", "p\u00e4ss&word")).validate(TOKEN)
        form = place.server.requests[0].form
        assert (form["client_id"], form["client_secret"]) == ("rs-1", "p\u00e4ss&word")

    @pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "PS256", "RS512", "Ed25519", "EdDSA"])
    def test_an_assertion(self, place: Place, alg: str) -> None:
        """One assertion for each request, which the server uses up."""
        key, issuer = SigningKey.generate(alg), "https://as.example.com"
        uses = keybound.stores.MemoryReplayStore()
        judge = keybound.ClientAssertionValidator(
            client_id="rs-1",
            keys=keybound.JWKSet.from_json({"keys": [key.public_jwk()]}),
            algorithms=[alg],
            audience=issuer,
            clock=place.clock,
            replay=uses,
        )
        refusals: list[Any] = []

        def authenticate(request: Any) -> bool:
            try:
                judge.validate_form(request.form, endpoint="introspection_endpoint")
            except keybound.TokenRejected as error:
                refusals.append(error)
                return False
            return True

        place.server.authenticate = authenticate
        shown = PrivateKeyJWT(
            "rs-1", key.private_key, alg=alg, audience=issuer, kid=key.kid, clock=place.clock
        )
        client = place.client(authentication=shown, cache=None)
        assert client.validate(TOKEN)
        assert client.validate(TOKEN)
        assert refusals == []
        first, second = (request.form for request in place.server.requests)
        assert first["client_assertion"] != second["client_assertion"]
        assert first["client_assertion_type"] == keybound.CLIENT_ASSERTION_TYPE

    def test_a_certificate(self, place: Place) -> None:
        place.server.authenticate = lambda request: request.certificate == CLIENT.der
        shown = MutualTLS("rs-1")
        client = place.client(authentication=shown, transport=place.transport(CLIENT))
        assert client.validate(TOKEN)
        assert place.server.requests[0].form["client_id"] == "rs-1"
        with pytest.raises(Unavailable):
            place.client(authentication=shown).validate(TOKEN)
        with pytest.raises(PolicyError):
            place.client(authentication=shown, transport=None)

    def test_a_client_that_is_not_known(self, place: Place, ask: Ask) -> None:
        """RFC 7662, 2.3: 401 is about us, and not about the token."""
        place.server.authenticate = lambda request: False
        client = place.client()
        with pytest.raises(Unavailable):
            ask(client, TOKEN)
        assert client.stats()["questions"] == {"status_refused": 1, "in_flight": 0}

    def test_nothing_prints_a_secret(self, place: Place) -> None:
        for shown in (SECRET, ClientSecretPost("rs-1", "s3cret"), place.client()):
            assert "s3cret" not in repr(shown) + repr(vars(shown).keys())

    @pytest.mark.parametrize(
        "authentication", [SECRET, ClientSecretPost("rs-1", "s3cret")], ids=["header", "body"]
    )
    def test_nothing_that_passes_a_transport_prints_one(self, place: Place, authentication: Any) -> None:
        """F-18: whoever writes a transport logs requests and answers, and what went wrong with them."""
        shown: list[str] = []
        over = place.transport()

        def logging(request: Any) -> Any:
            response = over(request)
            shown.extend([repr(request), repr(response)])
            return response

        client = place.client(transport=logging, authentication=authentication)
        assert client.validate(TOKEN).subject == "user-1"
        secrets = (TOKEN, "s3cret", base64.b64encode(b"rs-1:s3cret").decode(), "user-1")
        assert len(shown) == 2
        assert not [secret for secret in secrets for text in shown if secret in text]

    def test_keys_that_are_none(self) -> None:
        key = SigningKey.generate("ES256")
        for given, alg in ((b"no PEM", "ES256"), (5, "ES256"), (key.public_pem(), "ES256")):
            with pytest.raises(keybound.InvalidKey):
                PrivateKeyJWT("rs-1", given, alg=alg, audience=AUDIENCE)
        for alg in ("ES384", "RS256", "HS256", "none", None):
            with pytest.raises(PolicyError):
                PrivateKeyJWT("rs-1", key.private_key, alg=alg, audience=AUDIENCE)

    def test_texts_that_cannot_be_sent(self) -> None:
        """Found when it is made, and not with every question."""
        key, half = SigningKey.generate("ES256").private_key, "\ud800"
        for kind in (ClientSecretBasic, ClientSecretPost):
            for pair in ((half, "s3cret"), ("rs-1", half), ("rs-1", "")):
                with pytest.raises(PolicyError):
                    kind(*pair)
        for options in ({"audience": half}, {"kid": half}, {"typ": half}):
            with pytest.raises(PolicyError):
                PrivateKeyJWT("rs-1", key, **{"alg": "ES256", "audience": AUDIENCE} | options)


class TestCache:
    def test_an_answer_is_kept(self, place: Place, ask: Ask) -> None:
        client = place.client()
        for _ in range(5):
            assert ask(client, TOKEN)
        assert ask(client, TOKEN.encode())
        assert place.asked == 1
        figures = client.stats()
        assert (figures["accepted"], figures["cache"]["hits"]) == (6, 5)
        assert figures["questions"] == {"answered": 1, "in_flight": 0}

    def test_for_so_many_seconds_and_no_more(self, place: Place, ask: Ask) -> None:
        """P6: what the server revokes is over with the lifetime of the answer, however often it is shown."""
        client = place.client()
        assert ask(client, TOKEN)
        del place.server.answers[TOKEN]
        place.monotonic.advance(29)
        assert ask(client, TOKEN)
        place.monotonic.advance(1)
        refused(lambda: ask(client, TOKEN), Reason.TOKEN_INACTIVE)

    def test_until_its_token_expires(self, place: Place, ask: Ask) -> None:
        """P6: an entry dies at exp, whatever its lifetime."""
        client = place.client(cache=CacheSettings(lifetime=10**6, monotonic=place.monotonic))
        assert ask(client, TOKEN)
        place.clock.advance(311)
        refused(lambda: ask(client, TOKEN), Reason.TOKEN_EXPIRED)
        assert client.stats()["cache"]["entries"] == 0
        place.clock.advance(-311)
        assert ask(client, TOKEN)
        assert place.asked == 2

    def test_found_by_the_whole_token(self, place: Place, ask: Ask) -> None:
        """P6: neither the beginning nor the end of a token is the token."""
        client, long = place.client(), "a" * 4000
        place.grant(long)
        assert ask(client, long)
        for near in (long[:-1], long + "a", long[:-1] + "b", "b" + long[1:], long[:20], long[-16:]):
            refused(lambda near=near: ask(client, near), Reason.TOKEN_INACTIVE)

    def test_no_answer_of_another_policy(self, place: Place, ask: Ask) -> None:
        assert ask(place.client(), TOKEN)
        refused(lambda: ask(place.client(rules={"scopes": "admin"}), TOKEN), Reason.SCOPE_INSUFFICIENT)

    def test_what_is_not_active_is_not_kept(self, place: Place, ask: Ask) -> None:
        client = place.client()
        refused(lambda: ask(client, "later"), Reason.TOKEN_INACTIVE)
        place.grant("later")
        assert ask(client, "later")

    def test_revocation_is_asked_about_a_kept_answer(self, place: Place, ask: Ask) -> None:
        revocations = MemoryRevocationList(clock=place.clock)
        client = place.client(rules={"revocation": revocations})
        place.grant(TOKEN, sid="s-1")
        assert ask(client, TOKEN)
        revocations.revoke(issuer=place.server.issuer.issuer, sid="s-1")
        refused(lambda: ask(client, TOKEN), Reason.TOKEN_REVOKED)
        assert place.asked == 1

    def test_bounds(self, place: Place) -> None:
        client = place.client(cache=CacheSettings(entries=3, monotonic=place.monotonic))
        for number in range(10):
            place.grant(f"t-{number}")
            client.validate(f"t-{number}")
        figures = client.stats()["cache"]
        assert figures["entries"] == 3
        small = place.client(cache=CacheSettings(memory_bytes=2000, monotonic=place.monotonic))
        for number in range(10):
            small.validate(f"t-{number}")
        assert 0 < small.stats()["cache"]["bytes"] <= 2000

    def test_none_and_cleared(self, place: Place, ask: Ask) -> None:
        client, forgetful = place.client(), place.client(cache=None)
        for _ in range(2):
            assert ask(forgetful, TOKEN)
            assert ask(client, TOKEN)
            client.clear_cache()
        assert place.asked == 4

    def test_what_was_asked_before_it_was_cleared_is_not_kept(self, place: Place) -> None:
        hold = faults.Hold()
        place.server.fault = hold
        client = place.client()
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(client.validate, TOKEN)
            hold.arrived.wait()
            client.clear_cache()
            hold.release()
            assert answer.result()
        assert client.stats()["cache"]["entries"] == 0

    def test_what_was_asked_before_it_was_cleared_answers_nobody_after(self, place: Place) -> None:
        """The server may have said what it knew before the token was revoked there."""
        hold = faults.Hold()
        place.server.fault = hold
        client = place.client()
        with ThreadPoolExecutor(2) as pool:
            before = pool.submit(client.validate, TOKEN)
            hold.arrived.wait()
            client.clear_cache()
            place.server.fault = None
            del place.server.answers[TOKEN]
            refused(lambda: client.validate(TOKEN), Reason.TOKEN_INACTIVE)
            hold.release()
            refused(before.result, Reason.TOKEN_INACTIVE)
        assert place.asked == 2

    def test_its_time_begins_with_the_question(self, place: Place) -> None:
        """The server may have answered at once, and the answer been long on its way."""
        hold = faults.Hold()
        place.server.fault = hold
        client = place.client()
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(client.validate, TOKEN)
            hold.arrived.wait()
            place.monotonic.advance(25)
            hold.release()
            assert answer.result()
        place.server.fault = None
        place.monotonic.advance(4.9)
        assert client.validate(TOKEN)
        assert place.asked == 1
        place.monotonic.advance(0.2)
        assert client.validate(TOKEN)
        assert place.asked == 2


class TestManyAtOnce:
    def test_who_asked_first_may_be_cancelled(self, place: Place) -> None:
        hold = faults.Hold()
        place.server.fault = hold
        client = place.client()

        async def run() -> str | None:
            first = asyncio.ensure_future(client.avalidate(TOKEN))
            await asyncio.to_thread(hold.arrived.wait)
            second = asyncio.ensure_future(client.avalidate(TOKEN))
            await asyncio.sleep(0)
            first.cancel()
            hold.release()
            answer = await second
            with pytest.raises(asyncio.CancelledError):
                await first
            return str(answer.subject)

        assert asyncio.run(run()) == "user-1"
        assert place.asked == 1

    def test_one_question_for_each_token(self, place: Place) -> None:
        """P34: single flight, over threads and event loops together."""
        hold = faults.Hold()
        place.server.fault = hold
        client = place.client()
        started = threading.Barrier(9)

        def presented(way: Ask) -> Any:
            started.wait()
            return way(client, TOKEN)

        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(presented, way) for way in (sync, in_a_loop) * 4]
            started.wait()
            hold.arrived.wait()
            hold.release()
            assert {answer.result().subject for answer in answers} == {"user-1"}
        assert place.asked == 1

    def test_a_ceiling(self, place: Place, ask: Ask) -> None:
        hold = faults.Hold()
        place.server.fault = hold
        client = place.client(max_questions=1)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(client.validate, TOKEN)
            hold.arrived.wait()
            with pytest.raises(Unavailable) as caught:
                ask(client, "another")
            assert caught.value.retry_after == 1.0
            hold.release()
            assert first.result()
        assert place.asked == 1


BROKEN = {
    "503": faults.status(503),
    "400": faults.status(400),
    "200 and HTML": faults.html(),
    "reset": faults.reset(),
    "truncated": faults.truncated(),
    "another origin": faults.redirect("https://evil.example.com/introspect"),
    "the same origin": faults.redirect("/elsewhere"),
    "another certificate": faults.untrusted_certificate(),
    "no JSON": faults.body(b"{"),
    "an array": faults.body(b"[]"),
    "no active": faults.body(b"{}"),
    "active as text": faults.body(b'{"active": "true"}'),
    "active twice": faults.body(b'{"active": false, "active": true}'),
    "too long": faults.body(b'{"active": true, "x": "' + b"x" * 20000 + b'"}'),
}


class TestOutages:
    @pytest.mark.parametrize("fault", BROKEN)
    def test_no_answer_is_no_verdict(self, place: Place, ask: Ask, fault: str) -> None:
        """An outage is 503 with a time to come back, never a rejection; a kept answer serves on."""
        client = place.client()
        place.grant("known")
        assert ask(client, "known")
        place.server.fault = BROKEN[fault]
        with pytest.raises(Unavailable) as caught:
            ask(client, TOKEN)
        assert 1 <= caught.value.retry_after <= 60
        assert TOKEN not in str(caught.value) + repr(caught.value)
        assert ask(client, "known")
        place.server.fault = None
        assert ask(client, TOKEN)

    def test_a_deadline(self, place: Place, ask: Ask) -> None:
        hold = faults.Hold()
        place.server.fault = hold
        client = place.client(read_timeout=0.05, total_timeout=0.1)
        with pytest.raises(Unavailable):
            ask(client, TOKEN)
        hold.release()

    def test_a_server_that_wants_a_pause_gets_it(self, place: Place, ask: Ask) -> None:
        place.server.fault = faults.status(503, {"Retry-After": "86400"})
        client = place.client()
        for raw in ("one", "two", "three"):
            with pytest.raises(Unavailable) as caught:
                ask(client, raw)
            assert 1 <= caught.value.retry_after <= 60
        assert place.asked == 1

    def test_nobody_is_there(self, place: Place, ask: Ask) -> None:
        client = place.client()
        place.server.close()
        with pytest.raises(Unavailable):
            ask(client, TOKEN)


class TestLocalFirst:
    def local(self, place: Place, **options: Any) -> keybound.AccessTokenValidator:
        usual: dict[str, Any] = {
            "issuer": place.server.issuer.issuer,
            "audience": AUDIENCE,
            "keys": keybound.JWKSet.from_json(place.server.issuer.jwks()),
            "algorithms": [place.server.issuer.key.alg],
            "clock": place.clock,
        }
        return keybound.AccessTokenValidator(**usual | options)

    def test_a_jwt_is_validated_here(self, place: Place, ask: Ask) -> None:
        client, issuer = place.client(local=self.local(place)), place.server.issuer
        assert ask(client, issuer.access_token(audience=AUDIENCE)).subject == "user-1"
        refused(
            lambda: ask(client, issuer.access_token(audience=AUDIENCE, lifetime=-60)), Reason.TOKEN_EXPIRED
        )
        assert place.asked == 0
        assert ask(client, TOKEN)
        assert place.asked == 1

    def test_it_has_the_last_word(self, place: Place, ask: Ask) -> None:
        """What the policy here refuses is not saved by an answer from there."""
        bad = place.server.issuer.access_token(audience="https://other.example.com")
        place.grant(bad)
        refused(lambda: ask(place.client(local=self.local(place)), bad), Reason.AUD_MISMATCH)
        assert ask(place.client(), bad)

    def test_what_only_has_dots_is_opaque(self, place: Place, ask: Ask) -> None:
        client = place.client(local=self.local(place))
        for raw in ("a.b.c", "e30.e30.e30", "W10.a.b", "eyJhbGciOiJub25lIn0", "a.b.c.d.e"):
            place.grant(raw)
            assert ask(client, raw)
        refused(lambda: ask(client, "eyJhbGciOiJub25lIn0.e30."), Reason.ALG_NOT_ALLOWED)

    @pytest.mark.parametrize(
        "header",
        [
            "eyJhbGciOiJub25lIn0=",
            "eyJhbGciOiJub25lIn1",
            "ey.JhbGciOiJub25lIn0".replace(".", "!"),
            "ew0KImFsZyI6Im5vbmUiLCJhbGciOiJub25lIn0",
            "eyJhbGciOiJub25lIiwieCI6Ii8_PyJ9".replace("_", "/"),
            base64.urlsafe_b64encode(b'{"alg":"none","x":"%s"}' % (b"x" * 8000)).decode().rstrip("="),
        ],
        ids=["padded", "trailing bits", "foreign characters", "repeated member", "other alphabet", "long"],
    )
    def test_what_others_could_take_for_a_jwt_is_one(self, place: Place, ask: Ask, header: str) -> None:
        """A server that reads more than is allowed cannot be used to get around the policy here."""
        raw = f"{header}.e30.c2ln"
        place.grant(raw)
        client = place.client(local=self.local(place), rules={"limits": keybound.Limits(token_bytes=32_768)})
        with pytest.raises(keybound.TokenRejected):
            ask(client, raw)
        assert place.asked == 0

    def test_what_is_too_long_for_the_policy_here(self, place: Place, ask: Ask) -> None:
        raw = place.server.issuer.access_token(audience=AUDIENCE, claims={"long": "x" * 20_000})
        place.grant(raw)
        client = place.client(local=self.local(place), rules={"limits": keybound.Limits(token_bytes=32_768)})
        refused(lambda: ask(client, raw), Reason.TOKEN_TOO_LARGE)
        assert ask(place.client(rules={"limits": keybound.Limits(token_bytes=32_768)}), raw)
        assert place.asked == 1

    def test_binding_goes_along(self, place: Place, ask: Ask) -> None:
        raw = place.server.issuer.access_token(audience=AUDIENCE, certificate=CLIENT)
        client = place.client(local=self.local(place))
        assert ask(client, raw, certificate=CLIENT.der)
        refused(lambda: ask(client, raw, certificate=STRANGER.der), Reason.CERTIFICATE_MISMATCH)


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [
            {"validator": None},
            {"authentication": None},
            {"authentication": ("rs-1", "secret")},
            {"local": 5},
            {"cache": 5},
            {"transport": 5},
            {"connect_timeout": 0},
            {"read_timeout": -1},
            {"total_timeout": None},
            {"max_questions": 0},
            {"max_questions": 1025},
            {"parameters": {"resource": 5}},
            {"parameters": {"resource": "\ud800"}},
            {"parameters": {"token": TOKEN}},
            {"parameters": {"client_id": "rs-2"}},
            {"parameters": [("resource", "a")]},
        ],
        ids=str,
    )
    def test_options_that_are_none(self, place: Place, options: dict[str, Any]) -> None:
        with pytest.raises(PolicyError):
            place.client(**options)

    def test_endpoints_that_are_none(self, place: Place) -> None:
        for endpoint in ("http://as.example.com/introspect", "introspect", "https://a:b@as.example.com", 5):
            with pytest.raises(PolicyError):
                keybound.IntrospectionClient(endpoint, validator=place.validator(), authentication=SECRET)

    def test_demands_of_one_resource(self, place: Place) -> None:
        client = place.client()
        answer = client.validate(TOKEN)
        assert client.require(answer, keybound.Demands(scopes="read")) is answer
        refused(lambda: client.require(answer, keybound.Demands(scopes="admin")), Reason.SCOPE_INSUFFICIENT)
