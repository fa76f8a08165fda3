"""How a client has its tokens encrypted, as its metadata and those of the authorization server say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from keybound.errors import PolicyError

__all__ = ["REGISTERED_ENCRYPTIONS", "registered_encryption"]


class _Members(NamedTuple):
    """Names of the members of client metadata, and of the lists in server metadata that bound them."""

    alg: str
    enc: str
    supported_algs: str
    supported_encs: str

    @classmethod
    def named(cls, client: str, server: str) -> _Members:
        names = (f"{server}_encryption_{member}_values_supported" for member in ("alg", "enc"))
        return cls(f"{client}_alg", f"{client}_enc", *names)


REGISTERED_ENCRYPTIONS: MappingProxyType[str, _Members] = MappingProxyType(
    {
        # OpenID Connect Dynamic Client Registration, 2; OpenID Connect Discovery, 3
        "id_token": _Members.named("id_token_encrypted_response", "id_token"),
        "userinfo": _Members.named("userinfo_encrypted_response", "userinfo"),
        "request_object": _Members.named("request_object_encryption", "request_object"),
        # JARM, 3 and 4
        "authorization_response": _Members.named("authorization_encrypted_response", "authorization"),
        # RFC 9701, 6 and 7
        "introspection_response": _Members.named("introspection_encrypted_response", "introspection"),
    }
)
"""By kind of token. A kind that is not here is never encrypted by registration."""

# In all of the texts above: what enc is if there is an alg and no enc.
_DEFAULT_ENC = "A128CBC-HS256"


def registered_encryption(
    kind: str, client: Mapping[str, Any], server: Mapping[str, Any] | None = None
) -> tuple[str, str] | None:
    """``alg`` and ``enc`` that a client has registered for a kind of token, or ``None`` for no encryption.

    :raises PolicyError: the metadata are malformed, ``enc`` is registered without ``alg``, or one of them is
        not among those that the server supports
    """
    members = REGISTERED_ENCRYPTIONS.get(kind) if isinstance(kind, str) else None
    if members is None:
        raise PolicyError(f"kind must be one of {', '.join(REGISTERED_ENCRYPTIONS)}")
    if not isinstance(client, Mapping) or not (server is None or isinstance(server, Mapping)):
        raise PolicyError("metadata must be a mapping")
    if client.get(members.alg) is None:
        if client.get(members.enc) is not None:
            raise PolicyError(f"{members.enc} is registered without {members.alg}")
        return None
    enc = client.get(members.enc)
    registered = client[members.alg], _DEFAULT_ENC if enc is None else enc
    for name, value in zip((members.alg, members.enc), registered, strict=True):
        if not isinstance(value, str):
            raise PolicyError(f"{name} is not text")
    lists = (members.supported_algs, members.supported_encs)
    for name, value in zip(lists, registered, strict=True):
        supported = None if server is None else server.get(name)
        if supported is not None and (not isinstance(supported, (list, tuple)) or value not in supported):
            raise PolicyError(f"what the client has registered is not in {name}")
    return registered
