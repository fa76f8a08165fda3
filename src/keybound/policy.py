"""What an operator may choose: frozen dataclasses that check themselves when they are made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from keybound._hotpath.contract import Algorithm, Binding, ClaimRules, HeaderRules
from keybound.errors import PolicyError, scope_text
from keybound.jose import algorithms
from keybound.limits import DEFAULT_LIMITS, MAX_LEEWAY, MAX_NUMERIC_DATE, Limits

__all__ = ["AccessTokenPolicy", "BindingMode", "Profile"]

BindingMode = Literal["if-present", "required", "ignore"]
"""What to do about ``cnf``: check it where it is present, demand it, or look away (RFC 8705, 3).

``"ignore"`` accepts a stolen bound token from anybody. It exists for migrations and has to be
typed out.
"""

_BINDINGS = {"if-present": Binding.IF_PRESENT, "required": Binding.REQUIRED, "ignore": Binding.IGNORE}
_SWITCHED = frozenset({"exp", "iat", "sub", "client_id", "jti"})


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A named set of demands, as data.

    :param name: short name, as the command line takes it
    :param source: the text that the demands come from
    :param types: accepted ``typ`` values, in lower case, without ``application/``
    :param typ_required: whether a token without ``typ`` is rejected
    :param required_claims: claims that must be present
    :param algorithms: allow-list, or ``None`` where the operator has to give one
    :param binding: default of the validator's ``binding``
    """

    name: str
    source: str
    types: frozenset[str]
    typ_required: bool
    required_claims: tuple[str, ...]
    algorithms: tuple[str, ...] | None = None
    binding: BindingMode = "if-present"


@dataclass(frozen=True, kw_only=True)
class AccessTokenPolicy:
    """Everything a validator of access tokens demands; see :class:`keybound.AccessTokenValidator`.

    :raises PolicyError: a value is unsafe, contradictory or impossible
    """

    issuer: str
    audience: tuple[str, ...]
    profile: Profile
    algorithms: tuple[Algorithm, ...]
    types: frozenset[str]
    leeway: float
    max_lifetime: float | None
    max_age: float | None
    required_claims: tuple[str, ...]
    forbidden_claims: tuple[str, ...]
    scopes: tuple[str, ...]
    binding: BindingMode
    limits: Limits = field(default=DEFAULT_LIMITS)

    def __post_init__(self) -> None:
        if not self.types:
            raise PolicyError("types is empty: no token could pass")
        _check_seconds("leeway", self.leeway, 0, MAX_LEEWAY)
        for name in ("max_lifetime", "max_age"):
            value = getattr(self, name)
            if value is not None:
                _check_seconds(name, value, 1)
        if not isinstance(self.binding, str) or self.binding not in get_args(BindingMode):
            raise PolicyError(f"binding must be one of {', '.join(get_args(BindingMode))}")
        if any(" " in scope_text(scope) for scope in self.scopes):
            raise PolicyError(
                "a member of scopes is several scope tokens; write them as one text or as a list"
            )
        both = self._needed_claims() & set(self.forbidden_claims)
        if both:
            raise PolicyError(f"{sorted(both)[0]} is both required and forbidden")
        if self.scopes and {"scope", "scp"}.issubset(self.forbidden_claims):
            raise PolicyError("scopes are required, yet both claims that carry them are forbidden")
        if not isinstance(self.limits, Limits):
            raise PolicyError("limits must be a keybound.Limits")

    def _needed_claims(self) -> set[str]:
        """Claims without which no token could pass."""
        needed = {"iss", "aud", *self.required_claims}
        if self.max_lifetime is not None:
            needed |= {"iat", "exp"}
        if self.max_age is not None:
            needed.add("iat")
        if self.binding == "required":
            needed.add("cnf")
        return needed

    @classmethod
    def create(
        cls,
        *,
        issuer: str,
        audience: str | Iterable[str],
        profile: Profile,
        algorithms_: Iterable[str] | None,
        types: Iterable[str] | None,
        leeway: float,
        max_lifetime: float | None,
        max_age: float | None,
        required_claims: Iterable[str],
        forbidden_claims: Iterable[str],
        allow_missing_exp: bool,
        scopes: str | Iterable[str],
        binding: BindingMode | None,
        limits: Limits,
    ) -> AccessTokenPolicy:
        """Check the options of a validator and put them together with its profile."""
        if not isinstance(profile, Profile):
            raise PolicyError("profile must be one of keybound.profiles")
        names = profile.algorithms if algorithms_ is None else algorithms_
        if names is None:
            raise PolicyError(
                "algorithms is missing: name what the issuer signs with, such as ['PS256', 'ES256']"
            )
        # "false" from an environment variable would be true.
        if type(allow_missing_exp) is not bool:
            raise PolicyError("allow_missing_exp must be True or False")
        own = text_list("required_claims", required_claims)
        required = dict.fromkeys((*profile.required_claims, *own))
        if allow_missing_exp:
            if "exp" in own:
                raise PolicyError("exp is required, yet allow_missing_exp is set")
            if "exp" in profile.required_claims and profile.name != "oauth":
                raise PolicyError(f"profile {profile.name} demands exp")
            required.pop("exp", None)
        return cls(
            issuer=text("issuer", issuer),
            audience=text_list("audience", audience, some=True),
            profile=profile,
            algorithms=algorithms.select(names),
            types=profile.types if types is None else media_types(types),
            leeway=leeway,
            max_lifetime=max_lifetime,
            max_age=max_age,
            required_claims=tuple(required),
            forbidden_claims=text_list("forbidden_claims", forbidden_claims),
            scopes=text_list("scopes", scopes.split() if isinstance(scopes, str) else scopes),
            binding=profile.binding if binding is None else binding,
            limits=limits,
        )

    def header_rules(self) -> HeaderRules:
        """What the hot path demands of the header."""
        return HeaderRules(
            algorithms=self.algorithms,
            types=self.types,
            typ_required=self.profile.typ_required,
            token_bytes=self.limits.token_bytes,
            header_bytes=self.limits.header_bytes,
            json_depth=self.limits.json_depth,
        )

    def claim_rules(self) -> ClaimRules:
        """What the hot path demands of the claims."""
        required = set(self.required_claims)
        bounded = self.max_lifetime is not None
        return ClaimRules(
            issuer=self.issuer,
            audiences=self.audience,
            # A lifetime or an age that cannot be computed is not within its bound.
            exp_required="exp" in required or bounded,
            iat_required="iat" in required or bounded or self.max_age is not None,
            sub_required="sub" in required,
            client_id_required="client_id" in required,
            jti_required="jti" in required,
            leeway=float(self.leeway),
            max_lifetime=self.max_lifetime,
            max_age=self.max_age,
            required=tuple(name for name in self.required_claims if name not in _SWITCHED),
            forbidden=self.forbidden_claims,
            scopes=self.scopes,
            binding=_BINDINGS[self.binding],
        )


def text(name: str, value: object) -> str:
    """``value`` as plain ``str``, which is all the hot path takes, if it is non-empty text.

    :raises PolicyError: it is not
    """
    if not isinstance(value, str) or not value:
        raise PolicyError(f"{name} must be non-empty text")
    # What str() says of a member of an enum is not its value.
    return str.__str__(value)


def text_list(name: str, values: str | Iterable[str], *, some: bool = False) -> tuple[str, ...]:
    """One text or several as a tuple without repetitions.

    :raises PolicyError: a member is not non-empty text, or ``some`` is asked for and there is none
    """
    if not isinstance(values, Iterable) or isinstance(values, (bytes, bytearray)):
        raise PolicyError(f"{name} must be text or a list of texts")
    members = [values] if isinstance(values, str) else list(values)
    if some and not members:
        raise PolicyError(f"{name} is empty")
    return tuple(dict.fromkeys(text(name, member) for member in members))


def media_types(values: Iterable[str]) -> frozenset[str]:
    """``typ`` values in the form that :class:`~keybound._hotpath.contract.HeaderRules` takes."""
    stripped = (value.lower().removeprefix("application/") for value in text_list("types", values))
    return frozenset(text("types", value) for value in stripped)


def _check_seconds(name: str, value: object, least: int, most: int = MAX_NUMERIC_DATE) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not least <= cast(float, value) <= most:
        raise PolicyError(f"{name} must be a number of seconds from {least} to {most}")
