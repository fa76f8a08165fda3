"""What an operator may choose: frozen dataclasses that check themselves when they are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from keybound._hotpath.contract import Algorithm, AudienceForm, Binding, ClaimRules, HeaderRules
from keybound.errors import PolicyError, scope_text
from keybound.jose import algorithms
from keybound.kinds import FOREIGN_MARKERS, TYPES, TokenKind
from keybound.limits import DEFAULT_LIMITS, MAX_LEEWAY, MAX_NUMERIC_DATE, Limits

__all__ = ["AudienceClaim", "BindingMode", "KindRules", "MtlsEndpoints", "Profile", "TokenPolicy"]

BindingMode = Literal["if-present", "required", "ignore"]
"""What to do about ``cnf``: check it where it is present, demand it, or look away (RFC 8705, 3).

``"ignore"`` accepts a stolen bound token from anybody. It exists for migrations and has to be
typed out.
"""

AudienceClaim = Literal["aud", "client_id"]
"""Which claim names the audience of a token."""

MtlsEndpoints = Literal["where-needed", "aliases", "root"]
"""Which endpoints are called at their ``mtls_endpoint_aliases`` (RFC 8705, 5): those where the client
certificate is needed for authentication or binding; every one that has an alias; or none, because
the endpoints of the metadata's root are behind mutual TLS already ("mTLS everywhere")."""

_BINDINGS = {"if-present": Binding.IF_PRESENT, "required": Binding.REQUIRED, "ignore": Binding.IGNORE}
_GIVE_ACCESS = frozenset({TokenKind.ACCESS_TOKEN, TokenKind.INTROSPECTION_RESPONSE})
_SWITCHED = frozenset({"exp", "nbf", "iat", "sub", "client_id", "jti"})
_BOUNDS = ("max_lifetime", "max_age", "max_expiry_distance", "max_nbf_age")


@dataclass(frozen=True, kw_only=True)
class KindRules:
    """What a profile demands of one kind of token.

    :param types: accepted ``typ`` values, in lower case, without ``application/``
    :param typ_required: whether a token without ``typ`` is rejected
    :param required_claims: claims that must be present
    :param forbidden_claims: claims that must not be present
    :param expected_claims: claims and the one text that each must be
    :param algorithms: allow-list for this kind, in place of the profile's
    :param max_lifetime: greatest ``exp`` minus ``iat``, in seconds
    :param max_age: greatest time since ``iat``, in seconds
    :param max_expiry_distance: greatest distance of ``exp`` from now, and from ``iat`` where there is one,
        in seconds
    :param max_nbf_age: greatest time since ``nbf``, in seconds
    :param audience_form: how ``aud`` may be written
    :param audience_claim: the claim that names the audience: ``aud``, or ``client_id`` for issuers whose
        access tokens have no ``aud``
    :param tolerated_markers: marks of other kinds that an issuer is known to put into this kind
    :raises PolicyError: a value is none of these; one text stands for a list of one
    """

    types: frozenset[str]
    typ_required: bool = False
    required_claims: tuple[str, ...] = ()
    forbidden_claims: tuple[str, ...] = ()
    expected_claims: tuple[tuple[str, str], ...] = ()
    algorithms: tuple[str, ...] | None = None
    max_lifetime: float | None = None
    max_age: float | None = None
    max_expiry_distance: float | None = None
    max_nbf_age: float | None = None
    audience_form: AudienceForm = AudienceForm.ANY
    audience_claim: AudienceClaim = "aud"
    tolerated_markers: int = 0

    def __post_init__(self) -> None:
        _normalize(
            self,
            types=media_types(self.types),
            required_claims=text_list("required_claims", self.required_claims),
            forbidden_claims=text_list("forbidden_claims", self.forbidden_claims),
            expected_claims=_pairs("expected_claims", self.expected_claims),
            algorithms=_algorithm_names(self.algorithms),
        )
        if not self.types:
            raise PolicyError("types is empty: no token could pass")
        check_switch("typ_required", self.typ_required)
        for name in _BOUNDS:
            value = getattr(self, name)
            if value is not None:
                check_seconds(name, value, 1)
        if not isinstance(self.audience_form, AudienceForm):
            raise PolicyError("audience_form must be one of AudienceForm")
        _check_choice("audience_claim", self.audience_claim, get_args(AudienceClaim))
        if not isinstance(self.tolerated_markers, int):
            raise PolicyError("tolerated_markers must be a number")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A named set of demands on every kind of token, as data.

    :param name: short name, as the command line takes it
    :param source: the text that the demands come from
    :param kinds: the demands on each kind; a validator of a kind that is not there cannot be made
    :param algorithms: allow-list, or ``None`` where the operator has to give one
    :param binding: default of ``binding`` for access tokens
    :param audience_policy: name of the :class:`~keybound.AudiencePolicy` for client assertions and request
        objects, or ``None`` where the text has none
    :param client_authentication: methods by which a client may authenticate at the authorization server
        (RFC 7591, 2), or ``None`` for any
    :param mtls_endpoints: which endpoints are called at their ``mtls_endpoint_aliases``, see
        :data:`MtlsEndpoints`
    :param exp_may_be_waived: whether ``allow_missing_exp`` may be given with it
    :raises PolicyError: a value is none of these; one text stands for a list of one
    """

    name: str
    source: str
    kinds: Mapping[TokenKind, KindRules] = field(hash=False)
    algorithms: tuple[str, ...] | None = None
    binding: BindingMode = "if-present"
    audience_policy: str | None = None
    client_authentication: tuple[str, ...] | None = None
    mtls_endpoints: MtlsEndpoints = "where-needed"
    exp_may_be_waived: bool = False

    def __post_init__(self) -> None:
        authentication = self.client_authentication
        _normalize(
            self,
            name=text("name", self.name),
            source=text("source", self.source),
            algorithms=_algorithm_names(self.algorithms),
            audience_policy=self.audience_policy and text("audience_policy", self.audience_policy),
            client_authentication=authentication and text_list("client_authentication", authentication),
        )
        if not isinstance(self.kinds, Mapping) or not all(
            isinstance(rules, KindRules) for rules in self.kinds.values()
        ):
            raise PolicyError("kinds must be a mapping of TokenKind to KindRules")
        _check_choice("binding", self.binding, get_args(BindingMode))
        _check_choice("mtls_endpoints", self.mtls_endpoints, get_args(MtlsEndpoints))
        check_switch("exp_may_be_waived", self.exp_may_be_waived)

    def rules(self, kind: TokenKind) -> KindRules:
        """The demands on one kind.

        :raises PolicyError: the profile has none
        """
        try:
            return self.kinds[kind]
        except KeyError:
            raise PolicyError(f"profile {self.name} says nothing about the kind {kind}") from None

    def derive(
        self,
        *,
        name: str,
        source: str,
        kinds: Mapping[TokenKind, Mapping[str, Any]] = MappingProxyType({}),
        **changes: Any,
    ) -> Profile:
        """A profile with other demands; of each kind named, only those given change.

        :param name: what it is called in messages
        :param source: the text that its demands come from, such as a handbook of yours
        :param kinds: fields of :class:`KindRules` for some kinds
        :param changes: other fields of :class:`Profile`
        :raises PolicyError: there is no such field, or its value is none
        """
        _check_fields(Profile, changes)
        if not isinstance(kinds, Mapping):
            raise PolicyError("kinds must be a mapping of TokenKind to fields of KindRules")
        for change in kinds.values():
            _check_fields(KindRules, change)
        changed = {kind: replace(self.rules(kind), **change) for kind, change in kinds.items()}
        every = MappingProxyType({**self.kinds, **changed})
        return replace(self, name=name, source=source, kinds=every, **changes)


@dataclass(frozen=True, kw_only=True)
class TokenPolicy:
    """Everything the road of one validator demands, whatever the kind; see the validators.

    :param vouched_for: whether the claims are no token by themselves but come from who answers for them, so
        that no algorithm is needed, and ``iss`` and ``aud`` are compared where they are (RFC 7662, 2.2)
    :raises PolicyError: a value is unsafe, contradictory or impossible
    """

    kind: TokenKind
    profile: Profile
    issuer: str | None
    audience: tuple[str, ...]
    audience_form: AudienceForm
    audience_claim: AudienceClaim
    algorithms: tuple[Algorithm, ...]
    types: frozenset[str]
    typ_required: bool
    leeway: float
    max_lifetime: float | None
    max_age: float | None
    max_expiry_distance: float | None
    max_nbf_age: float | None
    jti_length: int | None
    required_claims: tuple[str, ...]
    forbidden_claims: tuple[str, ...]
    expected_claims: tuple[tuple[str, str], ...]
    foreign_markers: int
    scopes: tuple[str, ...]
    binding: BindingMode
    limits: Limits = field(default=DEFAULT_LIMITS)
    vouched_for: bool = False

    def __post_init__(self) -> None:
        if not self.types:
            raise PolicyError("types is empty: no token could pass")
        check_seconds("leeway", self.leeway, 0, MAX_LEEWAY)
        if self.jti_length is not None:
            check_length("jti_length", self.jti_length)
        for name in _BOUNDS:
            value = getattr(self, name)
            if value is not None:
                check_seconds(name, value, 1)
        _check_choice("binding", self.binding, get_args(BindingMode))
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
        needed = {*self.required_claims, *(name for name, _ in self.expected_claims)}
        if self.issuer is not None and not self.vouched_for:
            needed.add("iss")
        if self.audience and not self.vouched_for:
            needed.add(self.audience_claim)
        if self.max_lifetime is not None:
            needed |= {"iat", "exp"}
        if self.max_age is not None:
            needed.add("iat")
        if self.max_expiry_distance is not None:
            needed.add("exp")
        if self.max_nbf_age is not None:
            needed.add("nbf")
        if self.binding == "required":
            needed.add("cnf")
        return needed

    @classmethod
    def create(
        cls,
        kind: TokenKind,
        *,
        profile: Profile,
        issuer: str | None = None,
        subject: str | None = None,
        audience: str | Iterable[str] | None = None,
        algorithms_: Iterable[str] | None = None,
        types: Iterable[str] | None = None,
        explicit_typing: bool = False,
        leeway: float = 10,
        max_lifetime: float | None = None,
        max_age: float | None = None,
        max_expiry_distance: float | None = None,
        max_nbf_age: float | None = None,
        jti_length: int | None = None,
        required_claims: Iterable[str] = (),
        forbidden_claims: Iterable[str] = (),
        expected_claims: Mapping[str, str] | None = None,
        allow_missing_exp: bool = False,
        scopes: str | Iterable[str] = (),
        binding: BindingMode | None = None,
        limits: Limits = DEFAULT_LIMITS,
        vouched_for: bool = False,
    ) -> TokenPolicy:
        """Check the options of a validator and put them together with its profile.

        No ``issuer`` or no ``audience`` means that the road does not compare it; the validator does.

        :param subject: the only ``sub`` there may be, for kinds in which it is the client
        :param explicit_typing: demand the ``typ`` that only this kind has (RFC 8725, 3.11)
        """
        rules = as_profile(profile).rules(kind)
        return cls(
            kind=kind,
            profile=profile,
            issuer=None if issuer is None else text("issuer", issuer),
            audience=() if audience is None else text_list("audience", audience, some=True),
            audience_form=rules.audience_form,
            audience_claim=rules.audience_claim,
            algorithms=() if vouched_for else algorithms.select(_allowed(profile, rules, algorithms_)),
            types=_types(kind, rules, types, explicit_typing),
            typ_required=rules.typ_required or explicit_typing,
            leeway=leeway,
            max_lifetime=_stricter("max_lifetime", max_lifetime, rules.max_lifetime),
            max_age=_stricter("max_age", max_age, rules.max_age),
            max_expiry_distance=_stricter(
                "max_expiry_distance", max_expiry_distance, rules.max_expiry_distance
            ),
            max_nbf_age=_stricter("max_nbf_age", max_nbf_age, rules.max_nbf_age),
            jti_length=jti_length,
            required_claims=_required(profile, rules, required_claims, allow_missing_exp),
            forbidden_claims=tuple(
                dict.fromkeys((*rules.forbidden_claims, *text_list("forbidden_claims", forbidden_claims)))
            ),
            expected_claims=(
                *rules.expected_claims,
                *(() if subject is None else (("sub", text("subject", subject)),)),
                *_pairs("expected_claims", expected_claims),
            ),
            foreign_markers=FOREIGN_MARKERS[kind] & ~rules.tolerated_markers,
            scopes=text_list("scopes", scopes.split() if isinstance(scopes, str) else scopes),
            binding=_binding(kind, profile, binding),
            limits=limits,
            vouched_for=vouched_for,
        )

    def header_rules(self) -> HeaderRules:
        """What the hot path demands of the header."""
        return HeaderRules(
            algorithms=self.algorithms,
            types=self.types,
            typ_required=self.typ_required,
            token_bytes=self.limits.token_bytes,
            header_bytes=self.limits.header_bytes,
            json_depth=self.limits.json_depth,
        )

    def claim_rules(self) -> ClaimRules:
        """What the hot path demands of the claims."""
        required = set(self.required_claims)
        bounded = self.max_lifetime is not None
        distance = self.max_expiry_distance
        return ClaimRules(
            issuer=self.issuer,
            audiences=self.audience,
            audience_form=self.audience_form,
            audience_is_client=self.audience_claim == "client_id",
            iss_required="iss" in required or not self.vouched_for,
            aud_required=self.audience_claim in required or not self.vouched_for,
            # A lifetime or an age that cannot be computed is not within its bound.
            exp_required="exp" in required or bounded or distance is not None,
            nbf_required="nbf" in required or self.max_nbf_age is not None,
            iat_required="iat" in required or bounded or self.max_age is not None,
            sub_required="sub" in required,
            client_id_required="client_id" in required,
            jti_required="jti" in required,
            leeway=float(self.leeway),
            max_lifetime=self.max_lifetime,
            max_age=self.max_age,
            max_expiry_distance=distance,
            max_nbf_age=self.max_nbf_age,
            max_jti=self.jti_length,
            required=tuple(name for name in self.required_claims if name not in _SWITCHED),
            forbidden=self.forbidden_claims,
            expected=self.expected_claims,
            foreign=self.foreign_markers,
            scopes=self.scopes,
            binding=_BINDINGS[self.binding],
        )


def _allowed(profile: Profile, rules: KindRules, given: Iterable[str] | None) -> Iterable[str]:
    own = profile.algorithms if rules.algorithms is None else rules.algorithms
    if given is None:
        if own is None:
            raise PolicyError(
                "algorithms is missing: name what the issuer signs with, such as ['PS256', 'ES256']"
            )
        return own
    names = [row.name for row in algorithms.select(given)]
    if own is not None and not set(names) <= set(own):
        raise PolicyError(
            f"algorithms holds what profile {profile.name} does not allow, which is {', '.join(own)}; for "
            "others derive a profile of your own"
        )
    return names


def _types(kind: TokenKind, rules: KindRules, given: Iterable[str] | None, explicit: bool) -> frozenset[str]:
    check_switch("explicit_typing", explicit)
    if not explicit:
        return rules.types if given is None else media_types(given)
    if given is not None:
        raise PolicyError("explicit_typing says which type it is; give it or types, not both")
    return frozenset(name for name, owner in TYPES.items() if owner is kind)


def _required(
    profile: Profile, rules: KindRules, given: Iterable[str], allow_missing_exp: bool
) -> tuple[str, ...]:
    check_switch("allow_missing_exp", allow_missing_exp)
    own = text_list("required_claims", given)
    required = dict.fromkeys((*rules.required_claims, *own))
    if allow_missing_exp:
        if "exp" in own:
            raise PolicyError("exp is required, yet allow_missing_exp is set")
        if "exp" in rules.required_claims and not profile.exp_may_be_waived:
            raise PolicyError(f"profile {profile.name} demands exp")
        required.pop("exp", None)
    return tuple(required)


def _binding(kind: TokenKind, profile: Profile, given: BindingMode | None) -> BindingMode:
    # Only what gives access is presented by the holder of a key; elsewhere a cnf is not understood.
    own = profile.binding if kind in _GIVE_ACCESS else "if-present"
    if own == "required" and given not in (None, own):
        raise PolicyError(
            f"profile {profile.name} demands bound tokens: binding is required, or the profile is another one"
        )
    return own if given is None else given


def _stricter(name: str, given: float | None, profiled: float | None) -> float | None:
    """An operator may tighten what a profile bounds, not loosen it."""
    if given is None or profiled is None:
        return profiled if given is None else given
    check_seconds(name, given, 1)
    return min(given, profiled)


def _pairs(
    name: str, values: Mapping[str, str] | tuple[tuple[str, str], ...] | None
) -> tuple[tuple[str, str], ...]:
    if values is None:
        return ()
    pairs = tuple(values.items()) if isinstance(values, Mapping) else values
    if not isinstance(pairs, tuple) or any(type(pair) is not tuple or len(pair) != 2 for pair in pairs):
        raise PolicyError(f"{name} must be a mapping of claim names to texts")
    return tuple((text(name, claim), text(name, value)) for claim, value in pairs)


def _algorithm_names(names: Iterable[str] | None) -> tuple[str, ...] | None:
    """An allow-list of a profile, which may hold what one validator could not mix."""
    if names is None:
        return None
    listed = text_list("algorithms", names, some=True)
    for name in listed:
        algorithms.select([name])
    return listed


def _normalize(made: KindRules | Profile, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(made, name, value)


def _check_fields(of: type[KindRules | Profile], given: object) -> None:
    names = {each.name for each in fields(of)}
    if not isinstance(given, Mapping) or not names.issuperset(given):
        raise PolicyError(f"what can change of a {of.__name__} is {', '.join(sorted(names))}")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise PolicyError(f"{name} must be one of {', '.join(choices)}")


def check_switch(name: str, value: object) -> None:
    """:raises PolicyError: ``value`` is not a bool; "false" from an environment variable would be true"""
    if type(value) is not bool:
        raise PolicyError(f"{name} must be True or False")


def text(name: str, value: object) -> str:
    """``value`` as plain ``str``, which is all the hot path takes, if it is non-empty text.

    :raises PolicyError: it is not
    """
    if not isinstance(value, str) or not value:
        raise PolicyError(f"{name} must be non-empty text")
    # What str() says of a member of an enum is not its value.
    return str.__str__(value)


def as_profile(profile: object) -> Profile:
    """``profile`` if it is one.

    :raises PolicyError: it is anything else, such as the name of one
    """
    if isinstance(profile, Profile):
        return profile
    raise PolicyError(
        "profile must be one of keybound.profiles, such as keybound.profiles.FAPI2, and no name"
    )


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


def check_length(name: str, value: object) -> None:
    """:raises PolicyError: ``value`` is not a number of characters that some text in a token has"""
    if type(value) is not int or not 1 <= value <= 2**30:
        raise PolicyError(f"{name} must be a whole number from 1 to {2**30}")


def check_seconds(name: str, value: object, least: int, most: int = MAX_NUMERIC_DATE) -> None:
    """:raises PolicyError: ``value`` is not a number of seconds from ``least`` to ``most``"""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not least <= cast(float, value) <= most:
        raise PolicyError(f"{name} must be a number of seconds from {least} to {most}")
