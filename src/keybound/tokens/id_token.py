"""ID tokens (OpenID Connect Core, 2), also as detached signatures (FAPI 1 Advanced, 5.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from keybound._hotpath import base64url, digest
from keybound._hotpath import token as road
from keybound._hotpath.contract import ClaimRules, Family
from keybound.clock import Clock, system_clock
from keybound.errors import PolicyError, Reason, rejection
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwk import JWK
from keybound.jose.nesting import Opener
from keybound.keys import KeySource
from keybound.kinds import TokenKind
from keybound.limits import DEFAULT_LIMITS, Limits
from keybound.policy import Profile, TokenPolicy, check_seconds, text, text_list
from keybound.profiles.oauth import OAUTH
from keybound.tokens._validator import (
    Token,
    TokenValidator,
    is_recent,
    numeric_date,
    octets,
    same_text,
    text_claim,
)

if TYPE_CHECKING:
    from keybound.stores.revocation import Revocation

__all__ = ["IDToken", "IDTokenValidator"]

# OpenID Connect Core, 3.1.3.6: the hash of the signature algorithm. Ed25519 hashes with SHA-512
# (RFC 8032, 5.1); for Ed448 nobody has said which one it would be.
_EDWARDS = {"EdDSA": 512, "Ed25519": 512}


class IDToken(Token):
    """An ID token that passed every check of its validator. Immutable; never prints the token."""

    __slots__ = ()

    @property
    def nonce(self) -> str | None:
        """``nonce``, or ``None``."""
        value: str | None = self.claim("nonce")
        return value

    @property
    def authorized_party(self) -> str | None:
        """``azp``, or ``None``."""
        value: str | None = self.claim("azp")
        return value

    @property
    def authenticated_at(self) -> float | None:
        """``auth_time``, seconds since 1970-01-01T00:00:00Z, or ``None``."""
        value: float | None = self.claim("auth_time")
        return value

    @property
    def authentication_context(self) -> str | None:
        """``acr``, or ``None``."""
        value: str | None = self.claim("acr")
        return value

    @property
    def session_id(self) -> str | None:
        """``sid`` (OpenID Connect Back-Channel Logout, 2.1), or ``None``."""
        value: str | None = self.claim("sid")
        return value


class IDTokenValidator(TokenValidator[IDToken]):
    """Validates ID tokens for one client. Make it once; use it from any thread.

    :param issuer: issuer identifier of the OpenID provider, compared code point by code point
    :param client_id: this client, which must be in ``aud`` and, where there is one, be ``azp``
    :param keys: a :class:`~keybound.JWKSet`, a single :class:`~keybound.JWK`, or a key source
    :param algorithms: allow-list of ``alg`` values; mandatory unless the profile brings one
    :param profile: a member of :mod:`keybound.profiles`
    :param types: accepted ``typ`` values in place of the profile's
    :param trusted_audiences: what may stand in ``aud`` besides the client (Core, 3.1.3.7 (3))
    :param authorized_parties: what ``azp`` may be besides the client, such as its own mobile application
    :param acr_values: authentication contexts of which ``acr`` must be one
    :param max_age: greatest time since ``auth_time``, in seconds (Core, 3.1.2.1)
    :param max_token_age: greatest time since ``iat``, in seconds
    :param leeway: clock skew in seconds, granted to every time alike
    :param max_lifetime: greatest ``exp`` minus ``iat``, in seconds
    :param required_claims: names that must be present, besides those of the profile
    :param forbidden_claims: names that must not be present
    :param expected_claims: claims and the one text that each must be
    :param decryption: a :class:`keybound.Decryption` where tokens are signed and then encrypted; then those
        that are not encrypted are rejected
    :param limits: ceilings in bytes and nesting
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :param revocation: as for :class:`keybound.AccessTokenValidator`
    :raises PolicyError: the options are unsafe, contradictory or impossible
    """

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        keys: KeySource | JWK,
        algorithms: Iterable[str] | None = None,
        profile: Profile = OAUTH,
        types: Iterable[str] | None = None,
        trusted_audiences: str | Iterable[str] = (),
        authorized_parties: str | Iterable[str] = (),
        acr_values: str | Iterable[str] = (),
        max_age: float | None = None,
        max_token_age: float | None = None,
        leeway: float = 10,
        max_lifetime: float | None = None,
        required_claims: Iterable[str] = (),
        forbidden_claims: Iterable[str] = (),
        expected_claims: Mapping[str, str] | None = None,
        decryption: Opener | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
        revocation: Revocation | None = None,
    ) -> None:
        policy = TokenPolicy.create(
            TokenKind.ID_TOKEN,
            issuer=text("issuer", issuer),
            audience=text("client_id", client_id),
            profile=profile,
            algorithms_=algorithms,
            types=types,
            leeway=leeway,
            max_lifetime=max_lifetime,
            max_age=max_token_age,
            required_claims=required_claims,
            forbidden_claims=forbidden_claims,
            expected_claims=expected_claims,
            limits=limits,
        )
        super().__init__(
            policy, IDToken, keys=keys, clock=clock, decryption=decryption, revocation=revocation
        )
        self._audiences = {*policy.audience, *text_list("trusted_audiences", trusted_audiences)}
        self._parties = {*policy.audience, *text_list("authorized_parties", authorized_parties)}
        self._acr_values = text_list(
            "acr_values", acr_values.split() if isinstance(acr_values, str) else acr_values
        )
        self._max_age = _checked_age(max_age)
        self._hints = self._validator_of_hints()

    def validate(
        self,
        raw: str | bytes,
        *,
        nonce: str | None,
        access_token: str | None = None,
        code: str | None = None,
        state: str | None = None,
        max_age: float | None = None,
    ) -> IDToken:
        """Validate an ID token together with what it came with (Core, 3.1.3.7, 3.2.2.11 and 3.3.2.12).

        :param raw: the token
        :param nonce: what the authentication request said, or ``None`` if it said nothing
        :param access_token: compared with ``at_hash`` where the token has one; to demand one, put it
            into ``required_claims``
        :param code: authorization code from the same response, compared with ``c_hash``
        :param state: ``state`` from the same response, compared with ``s_hash`` (FAPI 1 Advanced, 5.1.1)
        :param max_age: as sent in the request, in seconds; the stricter one of this and the validator's holds
        :raises TokenRejected: the token must not be accepted; ``.reason`` tells why
        :raises Unavailable: the key source cannot answer now
        """
        return self._unrevoked(self._checked(self._open(raw), nonce, access_token, code, state, max_age))

    async def avalidate(
        self,
        raw: str | bytes,
        *,
        nonce: str | None,
        access_token: str | None = None,
        code: str | None = None,
        state: str | None = None,
        max_age: float | None = None,
    ) -> IDToken:
        """:meth:`validate` in an event loop, which it never blocks."""
        token = self._checked(await self._aopen(raw), nonce, access_token, code, state, max_age)
        return await self._aunrevoked(token)

    def validate_hint(self, raw: str | bytes) -> IDToken:
        """Validate an ``id_token_hint``, which may be expired or revoked (Core, 3.1.2.1): who was it?

        :raises TokenRejected: it is not an ID token of this issuer for this client
        :raises Unavailable: the key source cannot answer now
        """
        return self._check_parties(self._hints.validate(raw))

    async def avalidate_hint(self, raw: str | bytes) -> IDToken:
        """:meth:`validate_hint` in an event loop, which it never blocks."""
        return self._check_parties(await self._apresent(self._hints, raw))

    def _validator_of_hints(self) -> road.Validator[IDToken]:
        compiled, situation = self._road(IDToken, _of_the_past)
        return road.Validator(compiled, **situation)

    def _checked(
        self,
        token: IDToken,
        nonce: str | None,
        access_token: str | None,
        code: str | None,
        state: str | None,
        max_age: float | None,
    ) -> IDToken:
        self._check_parties(token)
        _check_nonce(token, nonce)
        self._check_authentication(token, max_age)
        # OPTIONAL where a token endpoint issues both (Core, 3.1.3.6).
        _check_hash(token, "at_hash", access_token, demanded=False)
        _check_hash(token, "c_hash", code)
        _check_hash(token, "s_hash", state)
        return token

    def _check_parties(self, token: IDToken) -> IDToken:
        """Core, 3.1.3.7 (3) to (5) and (8)."""
        party = text_claim(token, "azp")
        if len(token.audience) > 1:
            # With the secret of one client, several audiences mean nothing that anybody has said.
            shared = ALGORITHMS[token.header["alg"]].family is Family.HMAC
            if shared or not self._audiences.issuperset(token.audience):
                raise rejection(Reason.AUD_NOT_SOLE)
            if party is None:
                raise rejection(Reason.CLAIM_MISSING, claim="azp")
        if party is not None and party not in self._parties:
            raise rejection(Reason.AZP_MISMATCH)
        return token

    def _check_authentication(self, token: IDToken, max_age: float | None) -> None:
        """Core, 3.1.3.7 (12) and (13)."""
        acr = text_claim(token, "acr")
        if self._acr_values and acr not in self._acr_values:
            raise rejection(Reason.AUTHENTICATION_INSUFFICIENT, claim="acr")
        bounds = [bound for bound in (self._max_age, _checked_age(max_age)) if bound is not None]
        since = numeric_date(token, "auth_time")
        if not bounds:
            return
        if since is None:
            raise rejection(Reason.CLAIM_MISSING, claim="auth_time")
        if not is_recent(since, now=self._time(), max_age=min(bounds), leeway=self.policy.leeway):
            raise rejection(Reason.AUTHENTICATION_TOO_OLD, claim="auth_time")


def _checked_age(max_age: float | None) -> float | None:
    # 0 asks for an authentication just now (Core, 3.1.2.1).
    if max_age is not None:
        check_seconds("max_age", max_age, 0)
    return max_age


def _of_the_past(rules: ClaimRules) -> ClaimRules:
    """What a hint still has to say: everything but that it is of today."""
    return replace(rules, expired_accepted=True, max_age=None)


def _check_nonce(token: IDToken, sent: str | None) -> None:
    """Core, 3.1.3.7 (11): a nonce that nobody sent belongs to another session as well."""
    if sent is not None and (not isinstance(sent, str) or not sent):
        raise PolicyError("nonce must be non-empty text or None")
    nonce = text_claim(token, "nonce")
    if nonce is None and sent is not None:
        raise rejection(Reason.CLAIM_MISSING, claim="nonce")
    if nonce is not None and (sent is None or not same_text(nonce, sent)):
        raise rejection(Reason.NONCE_MISMATCH)


def _check_hash(token: IDToken, name: str, value: str | None, *, demanded: bool = True) -> None:
    """The left half of the hash of ``value``, in base64url (Core, 3.1.3.6 and 3.3.2.11)."""
    if value is None:
        return
    if not isinstance(value, str):
        raise PolicyError("access_token, code and state must be text")
    claimed = text_claim(token, name)
    if claimed is None:
        if demanded:
            raise rejection(Reason.CLAIM_MISSING, claim=name)
        return
    algorithm = token.header["alg"]
    bits = ALGORITHMS[algorithm].bits or _EDWARDS.get(algorithm)
    # A hash that nobody can compute proves nothing.
    if bits is None:
        raise rejection(Reason.HASH_MISMATCH, claim=name)
    hashed = digest.sha2(bits, octets(value))
    expected = base64url.encode(hashed[: len(hashed) // 2])
    if not same_text(claimed, expected):
        raise rejection(Reason.HASH_MISMATCH, claim=name)
