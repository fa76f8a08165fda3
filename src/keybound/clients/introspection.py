"""Asks the authorization server what an opaque access token is worth (RFC 7662)."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from keybound._hotpath import base64url, digest, strict_json
from keybound.clients._answers import AnswerCache
from keybound.clients.authentication import ClientAuthentication, form_text
from keybound.errors import ClaimRejected, PolicyError, Reason, TokenRejected, Unavailable, rejection
from keybound.keys import background
from keybound.keys.fetching import (
    FetchFailed,
    FetchOutcome,
    Request,
    Response,
    Transport,
    check_url,
    form_body,
    post,
)
from keybound.keys.flight import Flight, Plan, arun, run
from keybound.limits import MAX_QUESTIONS, CacheSettings
from keybound.policy import check_seconds
from keybound.tokens._outcomes import Counted, Outcomes
from keybound.tokens.access_token import AccessToken, AccessTokenValidator
from keybound.tokens.introspection import Beside, IntrospectionResponseValidator, active

if TYPE_CHECKING:
    from keybound.binding.certificate import Certificate
    from keybound.policy import TokenPolicy
    from keybound.tokens.access_token import Granted
    from keybound.tokens.demands import Demands
    from keybound.tokens.dpop_proof import DPoPProof

__all__ = ["IntrospectionClient"]

_DEFAULT_CACHE = CacheSettings(lifetime=30.0)
_LONGEST_PAUSE = 60.0
_OWN_PARAMETERS = {
    "token", "client_id", "client_secret", "client_assertion", "client_assertion_type",
}  # fmt: skip
_UNAVAILABLE = "the introspection endpoint cannot be asked now"


class IntrospectionClient(Counted):
    """Validates opaque access tokens by asking about them. Make it once; use it from threads and event loops.

    The answer passes every check of ``validator`` each time a token is presented, also when it was kept:
    times, ``cnf`` against the certificate or proof of this request, revocation. Only answers about active
    tokens are kept, found by a hash of the whole token. Whatever is wrong with the server or the way to it
    is :class:`~keybound.Unavailable`, never a rejection.

    :param endpoint: URL of the introspection endpoint
    :param validator: what an answer has to pass; with its ``keys``, signed answers are asked for (RFC 9701)
    :param authentication: how this resource server proves who it is, from :mod:`keybound.clients`
    :param local: validates tokens that are JWTs by themselves, and has the last word on them; without it,
        the server is asked about every token
    :param cache: bounds of the cache of answers, or ``None`` for no cache; its ``lifetime`` is for how long
        the server is believed, so for how long a token that it revokes stays good
    :param transport: instead of an :class:`~keybound.HTTPTransport` with the system's authorities; for
        mutual TLS one with a client certificate
    :param parameters: more parameters for every request, such as ``{"resource": ...}``; none that say what is
        asked about or who asks
    :param allow_http: accept an endpoint without TLS, for tests
    :param connect_timeout: for the TCP connection, in seconds
    :param read_timeout: between two pieces of the answer, in seconds
    :param total_timeout: for everything together, in seconds
    :param max_questions: tokens that are being asked about at once; beyond them it is unavailable
    :raises PolicyError: the options are unsafe, contradictory or impossible
    """

    def __init__(
        self,
        endpoint: str,
        *,
        validator: IntrospectionResponseValidator,
        authentication: ClientAuthentication,
        local: AccessTokenValidator | None = None,
        cache: CacheSettings | None = _DEFAULT_CACHE,
        transport: Transport | None = None,
        parameters: dict[str, str] | None = None,
        allow_http: bool = False,
        connect_timeout: float = 2.0,
        read_timeout: float = 3.0,
        total_timeout: float = 5.0,
        max_questions: int = 64,
    ) -> None:
        self._endpoint = check_url(endpoint, allow_http=allow_http)
        _check_kinds(validator, authentication, local, cache, transport)
        self._validator, self._authentication, self._local = validator, authentication, local
        self._parameters = _check_parameters(parameters)
        self._timeouts = {
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            "total_timeout": total_timeout,
        }
        for name, value in self._timeouts.items():
            check_seconds(name, value, 0)
            if value == 0:
                raise PolicyError(f"{name} must be above 0")
        if type(max_questions) is not int or not 1 <= max_questions <= MAX_QUESTIONS:
            raise PolicyError(f"max_questions must be a whole number from 1 to {MAX_QUESTIONS}")
        self._max_questions = max_questions
        self._transport = _default_transport() if transport is None else transport
        self._cache = AnswerCache(cache)
        self._lock = threading.Lock()
        self._questions: dict[bytes, _Question] = {}
        self._ended: Counter[str] = Counter()
        self._silent_until = float("-inf")
        self._outcomes = Outcomes(validator.policy)
        background.adopt(self)

    def validate(
        self, raw: str | bytes, *, certificate: Certificate | None = None, dpop: DPoPProof | None = None
    ) -> AccessToken:
        """Validate an access token together with the client certificate or DPoP proof it came with.

        :param raw: the token
        :param certificate: as for :meth:`keybound.AccessTokenValidator.validate`
        :param dpop: the :class:`~keybound.DPoPProof` made for this token, or ``None`` where none came along
        :returns: an :class:`~keybound.IntrospectionResponse`, or what ``local`` says
        :raises TokenRejected: the token must not be accepted; ``.reason`` tells why
        :raises Unavailable: nobody can tell now
        """
        if self._local is not None and self._is_jwt(raw, self._local):
            return self._local.validate(raw, certificate=certificate, dpop=dpop)
        beside, octets = Beside.of(certificate, dpop, raw), self._octets(raw)
        key = digest.sha2(256, octets)
        kept = self._cache.find(key)
        payload = run(self._asking(key, octets)) if kept is None else kept
        try:
            return self._validator._present(active(payload, beside), beside)
        except ClaimRejected:
            self._cache.drop(key)
            raise

    async def avalidate(
        self, raw: str | bytes, *, certificate: Certificate | None = None, dpop: DPoPProof | None = None
    ) -> AccessToken:
        """:meth:`validate` in an event loop, which it never blocks."""
        if self._local is not None and self._is_jwt(raw, self._local):
            return await self._local.avalidate(raw, certificate=certificate, dpop=dpop)
        beside, octets = Beside.of(certificate, dpop, raw), self._octets(raw)
        key = digest.sha2(256, octets)
        kept = self._cache.find(key)
        payload = await arun(self._asking(key, octets)) if kept is None else kept
        try:
            return await self._validator._apresent(active(payload, beside), beside)
        except ClaimRejected:
            self._cache.drop(key)
            raise

    def _stands_on(self) -> Iterator[object]:
        yield from self._validator._stands_on()
        if self._local is not None:
            yield from self._local._stands_on()

    @property
    def policy(self) -> TokenPolicy:
        """What an answer has to pass."""
        return self._validator.policy

    @property
    def local(self) -> AccessTokenValidator | None:
        """What validates tokens that are JWTs by themselves, if anything does."""
        return self._local

    def require(self, token: Granted, demands: Demands) -> Granted:
        """Check what one resource demands; see :meth:`keybound.AccessTokenValidator.require`."""
        return self._validator.require(token, demands)

    def stats(self) -> dict[str, Any]:
        """Counters for operators.

        :returns: calls by what they came to, as for every validator; ``cache``: hits and misses since the
            start, entries and bytes now; ``questions``: how many were asked, by how they ended, and how many
            are being asked now
        """
        with self._lock:
            questions = dict(sorted(self._ended.items()))
            questions["in_flight"] = len(self._questions)
        return super().stats() | {"cache": self._cache.counters(), "questions": questions}

    def clear_cache(self) -> None:
        """Forget every answer; the next presentation of each token asks anew."""
        self._cache.clear()

    def _is_jwt(self, raw: object, local: AccessTokenValidator) -> bool:
        """Whether a token begins with a JOSE header; what it says in it is for the validator to judge."""
        # What is longer is refused without being read.
        if not isinstance(raw, (str, bytes)) or len(raw) > self._validator.policy.limits.token_bytes:
            return False
        data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
        # Without what opens it, an encrypted token is opaque.
        if data.count(b".") not in ((2,) if local._decryption is None else (2, 4)):
            return False
        return _is_jose_header(data.partition(b".")[0], local.policy.limits.json_depth)

    def _octets(self, raw: object) -> bytes:
        if raw is None or not isinstance(raw, (str, bytes)):
            raise rejection(Reason.TOKEN_MISSING if raw is None else Reason.TOKEN_NOT_TEXT)
        if not raw:
            raise rejection(Reason.TOKEN_MISSING)
        if len(raw) > self._validator.policy.limits.token_bytes:
            raise rejection(Reason.TOKEN_TOO_LARGE)
        # RFC 6749, A.12, but for the space, which no header field holds; nobody is asked about anything else.
        data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
        if not data.isascii() or not data.decode("ascii").isprintable() or b" " in data:
            raise rejection(Reason.TOKEN_MALFORMED)
        return data

    # What follows decides, and waits only by yielding.

    def _asking(self, key: bytes, octets: bytes) -> Plan[bytes | None]:
        """The claims of the token; ``None`` if it is not active."""
        question = self._ask(key, octets)
        yield question
        return question.answer()

    def _ask(self, key: bytes, octets: bytes) -> _Question:
        """The question about this token that is under way, or else a new one."""
        total = self._timeouts["total_timeout"]
        with self._lock:
            question = self._questions.get(key)
            # One from before everything was forgotten may know of a token that is active no more.
            current = question is not None and question.generation == self._cache.generation
            if question is not None and current and not question.overdue:
                return question
            left = self._silent_until - time.monotonic()
            if left > 0:
                raise Unavailable(_UNAVAILABLE, retry_after=max(left, 1.0))
            if len(self._questions) >= self._max_questions:
                raise Unavailable("too many tokens are being asked about now", retry_after=1.0)
            question = _Question(total, self._cache.generation, self._cache.now())
            self._questions[key] = question
        try:
            background.start(lambda: self._fly(question, key, octets))
        except RuntimeError:
            self._land(question, key, FetchFailed(FetchOutcome.TRANSPORT_FAILED), None)
        return question

    # What follows runs in the thread of a question.

    def _fly(self, question: _Question, key: bytes, octets: bytes) -> None:
        failed: FetchFailed | None = FetchFailed(FetchOutcome.TRANSPORT_FAILED)
        payload = None
        try:
            payload = self._read(post(self._request(octets), transport=self._transport))
            failed = None
        except FetchFailed as error:
            failed = error
        except (TokenRejected, Unavailable):
            # What is no answer of the server says nothing about the token.
            failed = FetchFailed(FetchOutcome.MALFORMED)
        finally:
            self._land(question, key, failed, payload)

    def _request(self, octets: bytes) -> Request:
        form = {"token": octets.decode("ascii"), "token_type_hint": "access_token"} | self._parameters
        signed = self._validator._signed is not None
        return Request(
            method="POST",
            url=self._endpoint,
            headers={
                "Accept": "application/token-introspection+jwt" if signed else "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            }
            | self._authentication.headers(),
            body=form_body(form | self._authentication.parameters()),
            max_bytes=self._validator.policy.limits.token_bytes,
            **self._timeouts,
        )

    def _read(self, response: Response) -> bytes | None:
        """:raises TokenRejected: it is no answer"""
        members = self._validator._members(response.body, self._outcomes)
        if type(members.get("active")) is not bool:
            raise FetchFailed(FetchOutcome.MALFORMED, status=response.status)
        return self._validator._payload(members)

    def _land(
        self, question: _Question, key: bytes, failed: FetchFailed | None, payload: bytes | None
    ) -> None:
        if payload is not None:
            self._cache.store(key, payload, question.generation, question.asked_at)
        with self._lock:
            self._ended["answered" if failed is None else str(failed.outcome)] += 1
            if self._questions.get(key) is question:
                del self._questions[key]
            if failed is not None and failed.retry_after is not None:
                # One that asks for a pause gets it, within reason.
                self._silent_until = time.monotonic() + min(failed.retry_after, _LONGEST_PAUSE)
        question.failed, question.payload, question.landed = failed, payload, True
        question.land()

    def _after_fork(self) -> None:
        # The threads that hold the lock or ask have stayed with the parent.
        self._lock = threading.Lock()
        self._questions = {}
        self._cache._after_fork()

    def __reduce__(self) -> Any:
        raise TypeError("an introspection client cannot be pickled")

    def __repr__(self) -> str:
        return "<keybound.IntrospectionClient>"


class _Question(Flight):
    """One request about one token, for whose answer any number may wait."""

    __slots__ = ("asked_at", "failed", "generation", "landed", "payload")

    def __init__(self, seconds: float, generation: int, asked_at: float) -> None:
        super().__init__(time.monotonic(), seconds)
        self.generation = generation
        self.asked_at = asked_at
        self.landed = False
        self.failed: FetchFailed | None = None
        self.payload: bytes | None = None

    def answer(self) -> bytes | None:
        """What the server says.

        :raises Unavailable: it does not
        """
        if not self.landed or self.failed is not None:
            after = None if self.failed is None else self.failed.retry_after
            raise Unavailable(_UNAVAILABLE, retry_after=min(max(after or 1.0, 1.0), _LONGEST_PAUSE))
        return self.payload


def _is_jose_header(segment: bytes, depth: int) -> bool:
    """Whether the authorization server, or anybody else, could take a segment for one."""
    decoded = base64url.decode(segment)
    header = None if decoded is None else strict_json.loads(decoded, depth)[1]
    if header is None:
        # Others read more than the validator here does, and what it refuses nobody else is to accept.
        try:
            header = json.loads(urlsafe_b64decode(segment.rstrip(b"=") + b"=="))
        except (ValueError, RecursionError):
            return False
    return isinstance(header, dict) and "alg" in header


def _check_parameters(given: object) -> dict[str, str]:
    """:raises PolicyError: they are none, or would take the place of others"""
    if given is not None and not isinstance(given, Mapping):
        raise PolicyError("parameters must be a mapping of names to texts")
    checked = {
        form_text("parameters", name): form_text("parameters", value) for name, value in (given or {}).items()
    }
    if not checked.keys().isdisjoint(_OWN_PARAMETERS):
        raise PolicyError("parameters cannot say what is asked about, nor who asks")
    return checked


def _default_transport() -> Transport:
    from keybound.keys.http_transport import default_transport

    return default_transport()


def _check_kinds(
    validator: object, authentication: object, local: object, cache: object, transport: object
) -> None:
    if not isinstance(validator, IntrospectionResponseValidator):
        raise PolicyError("validator must be a keybound.IntrospectionResponseValidator")
    if not isinstance(authentication, ClientAuthentication):
        raise PolicyError("authentication must be one of keybound.clients")
    if local is not None and not isinstance(local, AccessTokenValidator):
        raise PolicyError("local must be a keybound.AccessTokenValidator or None")
    if cache is not None and not isinstance(cache, CacheSettings):
        raise PolicyError("cache must be a keybound.CacheSettings or None")
    if transport is not None and not callable(transport):
        raise PolicyError("transport must take a Request and return a Response")
    if transport is None and authentication.over_mutual_tls:
        raise PolicyError("mutual TLS takes a transport with a client certificate")
