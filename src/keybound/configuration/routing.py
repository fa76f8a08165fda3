"""The table of a router: validators that are named, or one for each tenant of a provider."""

from __future__ import annotations

from typing import Any

import keybound
from keybound.configuration.options import settings, texts_of, validator_table
from keybound.configuration.values import TEXT, ListOf, OneOf, Reference, Table
from keybound.limits import Limits
from keybound.profiles import PRESETS

__all__ = ["ROUTER", "TENANTED"]

TENANTED = tuple(name for name, preset in PRESETS.items() if "tenant" in preset.parameters)
"""The presets whose issuer gives each of its tenants an issuer identifier."""

_KINDS = tuple(dict.fromkeys(str(PRESETS[name].kind) for name in TENANTED))
_LIMITS = settings(Limits)


def _router(validators: list[Any] | None = None, **options: Any) -> keybound.IssuerRouter[Any]:
    return keybound.IssuerRouter(validators or (), **options)


ROUTER = OneOf(
    {
        "validators": Table(
            {"validators": ListOf(Reference("validators")), "limits": _LIMITS},
            make=_router,
            texts=texts_of(keybound.IssuerRouter)
            | {"validators": "names of tables in [validators], each of an issuer of its own"},
            title="IssuerRouter",
        ),
        "tenants": Table(
            {
                "tenants": ListOf(TEXT),
                "each": OneOf({kind: validator_table(kind) for kind in _KINDS}, key="kind"),
                "limits": _LIMITS,
            },
            needed=("each",),
            texts=texts_of(keybound.IssuerRouter)
            | {
                "tenants": "the tenants whose tokens are taken: there is no wildcard",
                "each": f"the validator of each, with a preset that has tenants: {', '.join(TENANTED)}",
            },
            title="IssuerRouter-of-tenants",
        ),
    }
)
"""An :class:`keybound.IssuerRouter`."""
