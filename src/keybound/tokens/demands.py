"""What one resource demands of a token that is already verified: scope, roles, how and when the user
authenticated (RFC 9470), and authorization details (RFC 9396).

A validator decides whether a token is good; demands decide what it is good for. They hold for one call,
so they are checked with every call, also where the token comes out of a cache.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from keybound._hotpath.scope import scope_tokens
from keybound.clock import system_clock
from keybound.errors import InsufficientScope, PolicyError, Reason, rejection, scope_text
from keybound.frozen import FrozenDict
from keybound.limits import MAX_NUMERIC_DATE
from keybound.policy import text, text_list
from keybound.tokens._validator import HasClaims, is_recent, numeric_date, text_claim

__all__ = ["AuthorizationDetails", "Demands", "authorization_details"]


@dataclass(frozen=True, kw_only=True)
class AuthorizationDetails:
    """What one object of ``authorization_details`` must grant (RFC 9396, 2). Lists are of text.

    An object grants what it names. One that leaves a field out, which an authorization server may read as
    "all of them", does not meet a demand for this field.

    :param type: ``type`` of the object
    :param actions: all of them must be in ``actions``
    :param locations: all of them must be in ``locations``
    :param datatypes: all of them must be in ``datatypes``
    :param privileges: all of them must be in ``privileges``
    :param identifier: must be ``identifier``
    :raises PolicyError: a value is not text where it must be
    """

    type: str
    actions: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    datatypes: tuple[str, ...] = ()
    privileges: tuple[str, ...] = ()
    identifier: str | None = None
    _wanted: tuple[tuple[str, frozenset[str]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", text("type", self.type))
        for name in _LISTS:
            object.__setattr__(self, name, text_list(name, getattr(self, name)))
        if self.identifier is not None:
            object.__setattr__(self, "identifier", text("identifier", self.identifier))
        lists = ((name, frozenset(getattr(self, name))) for name in _LISTS)
        object.__setattr__(self, "_wanted", tuple(pair for pair in lists if pair[1]))

    def _met_by(self, granted: Mapping[str, Any]) -> bool:
        """Whether one well-formed object grants all of this by itself."""
        if granted["type"] != self.type:
            return False
        if self.identifier is not None and granted.get("identifier") != self.identifier:
            return False
        return all(wanted.issubset(granted.get(name, ())) for name, wanted in self._wanted)


_ABSENT: list[Any] = []
"""What a list is that is not there; ``null`` is there, and of the wrong type."""
_LISTS = ("actions", "locations", "datatypes", "privileges")


@dataclass(frozen=True, kw_only=True)
class Demands:
    """What a resource, or one way of using it, demands. Make it once; use it from any thread.

    Lists may be given as one space-delimited text, except ``roles`` and ``any_role``, where a text is one
    role.

    :param scopes: scope tokens that must all be there
    :param any_scope: scope tokens of which one must be there; the challenge asks for the first
    :param roles: roles that must all be there
    :param any_role: roles of which one must be there
    :param role_claim: name of the claim that lists roles, or the path to it, such as
        ``("realm_access", "roles")``
    :param acr_values: authentication contexts of which ``acr`` must be one, the best one first
    :param max_age: whole seconds that may have passed since ``auth_time``
    :param authorization_details: each of them must be met by one object of ``authorization_details``
    :raises PolicyError: a value cannot be demanded, or nothing is
    """

    scopes: str | tuple[str, ...] = ()
    any_scope: str | tuple[str, ...] = ()
    roles: str | tuple[str, ...] = ()
    any_role: str | tuple[str, ...] = ()
    role_claim: str | tuple[str, ...] = "roles"
    acr_values: str | tuple[str, ...] = ()
    max_age: int | None = None
    authorization_details: AuthorizationDetails | tuple[AuthorizationDetails, ...] = ()
    _every_scope: frozenset[str] = field(init=False, repr=False, compare=False)
    _one_scope: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("scopes", "any_scope", "acr_values"):
            object.__setattr__(self, name, _words(name, getattr(self, name)))
        for name in ("roles", "any_role"):
            object.__setattr__(self, name, text_list(name, getattr(self, name)))
        object.__setattr__(self, "role_claim", text_list("role_claim", self.role_claim, some=True))
        object.__setattr__(self, "authorization_details", _patterns(self.authorization_details))
        object.__setattr__(self, "_every_scope", frozenset(self.scopes))
        object.__setattr__(self, "_one_scope", frozenset(self.any_scope))
        if self.max_age is not None and (
            type(self.max_age) is not int or not 0 <= self.max_age <= MAX_NUMERIC_DATE
        ):
            raise PolicyError("max_age must be a whole number of seconds, 0 or more")
        lists = (self.scopes, self.any_scope, self.roles, self.any_role, self.acr_values)
        if not any(lists) and self.max_age is None and not self.authorization_details:
            raise PolicyError("demands are empty: every token would meet them")

    def check(self, token: HasClaims, *, now: float | None = None, leeway: float = 10) -> None:
        """Check a verified token. Validators do the same with their own clock and leeway.

        :param token: what a validator has returned
        :param now: seconds since 1970-01-01T00:00:00Z; the system's time if left out
        :param leeway: clock skew in seconds, granted to ``auth_time``
        :raises InsufficientScope: the token does not meet the demands; ``.challenge()`` tells the client
            what would
        :raises ClaimRejected: a claim that had to be looked at is malformed
        """
        if not hasattr(type(token), "claim"):
            raise PolicyError("token must be what a validator has returned")
        # RFC 9470, 3: first, because this challenge can ask for a missing scope as well.
        if self.acr_values or self.max_age is not None:
            self._check_authentication(token, now, leeway)
        if not self._scope_suffices(token):
            raise InsufficientScope(Reason.SCOPE_INSUFFICIENT, scope=self._least_scope())
        if self.roles or self.any_role:
            self._check_roles(token)
        if self.authorization_details:
            self._check_details(token)

    def _check_authentication(self, token: HasClaims, now: float | None, leeway: float) -> None:
        if self.acr_values and text_claim(token, "acr") not in self.acr_values:
            raise self._step_up(token, Reason.AUTHENTICATION_INSUFFICIENT, "acr")
        if self.max_age is None:
            return
        since = numeric_date(token, "auth_time")
        at = system_clock() if now is None else now
        # Where nobody knows when it was, only authenticating anew helps.
        if since is None or not is_recent(since, now=at, max_age=self.max_age, leeway=leeway):
            raise self._step_up(token, Reason.AUTHENTICATION_TOO_OLD, "auth_time")

    def _step_up(self, token: HasClaims, reason: Reason, claim: str) -> InsufficientScope:
        # RFC 9470, 3: all that is lacking in one challenge, or the client comes back once for each.
        return InsufficientScope(
            reason,
            claim=claim,
            scope=None if self._scope_suffices(token) else self._least_scope(),
            acr_values=" ".join(self.acr_values) or None,
            max_age=self.max_age,
        )

    def _least_scope(self) -> str | None:
        return " ".join(dict.fromkeys((*self.scopes, *self.any_scope[:1]))) or None

    def _scope_suffices(self, token: HasClaims) -> bool:
        every, one = self._every_scope, self._one_scope
        if not every and not one:
            return True
        scope = token.claim("scope", "")
        if isinstance(scope, str):
            carried = scope.split(" ")
            # The common case, apart because it is met with every request.
            if every.issubset(carried) and (not one or not one.isdisjoint(carried)):
                return True
        listed = token.claim("scp", "")
        if not isinstance(scope, str) or not (isinstance(listed, str) or _is_list_of_text(listed)):
            raise rejection(Reason.SCOPE_INVALID)
        return _meets(every, one, scope_tokens(scope, listed))

    def _check_roles(self, token: HasClaims) -> None:
        name, *path = cast("tuple[str, ...]", self.role_claim)
        value = _structured(token, name)
        claim = ".".join(self.role_claim)
        for step in path:
            if value is _ABSENT:
                break
            if not isinstance(value, Mapping):
                raise rejection(Reason.CLAIM_INVALID, claim=claim)
            value = value.get(step, _ABSENT)
        listed = [value] if isinstance(value, str) else value
        if not _is_list_of_text(listed):
            raise rejection(Reason.CLAIM_INVALID, claim=claim)
        if not _meets(self.roles, self.any_role, listed):
            raise InsufficientScope(Reason.ROLE_INSUFFICIENT, claim=claim)

    def _check_details(self, token: HasClaims) -> None:
        granted = authorization_details(token)
        for demanded in cast("tuple[AuthorizationDetails, ...]", self.authorization_details):
            if not any(demanded._met_by(one) for one in granted):
                raise InsufficientScope(
                    Reason.AUTHORIZATION_DETAILS_INSUFFICIENT, claim="authorization_details"
                )


def authorization_details(token: HasClaims, type: str | None = None) -> tuple[FrozenDict, ...]:  # noqa: A002
    """The objects of ``authorization_details`` (RFC 9396, 9.1), checked for their form, read-only.

    :param token: what a validator has returned
    :param type: leave out those of other types
    :raises ClaimRejected: the claim is not an array of objects with a ``type``, or a field of section 2.2
        is not of its form
    """
    granted = _structured(token, "authorization_details")
    if not isinstance(granted, list) or not all(_well_formed(one) for one in granted):
        raise rejection(Reason.CLAIM_INVALID, claim="authorization_details")
    return tuple(one for one in granted if type is None or one["type"] == type)


def _structured(token: HasClaims, name: str) -> Any:
    """A claim that is an object or a list, or :data:`_ABSENT`."""
    claims = getattr(token, "claims", None)
    # A token keeps them once they are made; by itself, one claim would be made anew with every request.
    return claims.get(name, _ABSENT) if isinstance(claims, Mapping) else token.claim(name, _ABSENT)


def _well_formed(granted: object) -> bool:
    if not isinstance(granted, Mapping):
        return False
    named = isinstance(granted.get("type"), str) and granted["type"] != ""
    return (
        named
        and isinstance(granted.get("identifier", ""), str)
        and all(_is_list_of_text(granted.get(name, [])) for name in _LISTS)
    )


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(member, str) for member in value)


def _meets(every: Iterable[str], one: Collection[str], carried: Iterable[str]) -> bool:
    had = frozenset(carried)
    return had.issuperset(every) and (not one or not had.isdisjoint(one))


def _words(name: str, given: str | Iterable[str]) -> tuple[str, ...]:
    """Scope tokens, or what is written like them and stands in a challenge."""
    words = text_list(name, given.split(" ") if isinstance(given, str) else given)
    if any(" " in scope_text(word, name) for word in words):
        raise PolicyError(f"a member of {name} is several; write them as one text or as a list")
    return words


def _patterns(given: object) -> tuple[AuthorizationDetails, ...]:
    listed = (given,) if isinstance(given, AuthorizationDetails) else given
    if not isinstance(listed, Iterable) or isinstance(listed, (str, bytes)):
        raise PolicyError("authorization_details must be keybound.AuthorizationDetails, one or several")
    patterns = tuple(listed)
    if not all(isinstance(pattern, AuthorizationDetails) for pattern in patterns):
        raise PolicyError("authorization_details must be keybound.AuthorizationDetails, one or several")
    return patterns
