"""What an authorization server and a client have agreed on for authorization responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keybound.errors import PolicyError
from keybound.jose.nesting import Opener
from keybound.kinds import TokenKind
from keybound.policy import Profile, as_profile, text

if TYPE_CHECKING:
    from keybound.jose.decryption_key import DecryptionKey
    from keybound.jose.decryption_keys import DecryptionKeySource

__all__ = ["Registration"]

# JARM, 3: "If unspecified, the default algorithm to use for signing authorization responses is RS256."
_DEFAULT_ALGORITHM = "RS256"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """The metadata of both sides, read and compared.

    :param client_id: of the client
    :param algorithm: that signs
    :param registered: whether the client has registered it, rather than left it to the default
    :param sends_issuer: whether the server sends ``iss`` with every response (RFC 9207, 3)
    :param response_modes: that the server supports, or ``None`` where it does not say
    :param metadata: of server and client
    """

    client_id: str
    algorithm: str
    registered: bool
    sends_issuer: bool
    response_modes: frozenset[str] | None
    metadata: tuple[Mapping[str, Any], Mapping[str, Any]]

    @classmethod
    def read(
        cls, server: Mapping[str, Any], client: Mapping[str, Any], *, issuer: str, profile: Profile
    ) -> Registration:
        """:raises PolicyError: the metadata are malformed, of another issuer, or contradict each other"""
        if not isinstance(server, Mapping) or not isinstance(client, Mapping):
            raise PolicyError("metadata must be a mapping")
        # RFC 8414, 3.3: else whoever wrote the metadata speaks for any server.
        if server.get("issuer") != text("issuer", issuer):
            raise PolicyError("the metadata are those of another issuer")
        registered = client.get("authorization_signed_response_alg")
        algorithm = _DEFAULT_ALGORITHM if registered is None else registered
        _check_algorithm(text("authorization_signed_response_alg", algorithm), server, profile)
        sends_issuer = server.get("authorization_response_iss_parameter_supported", False)
        if type(sends_issuer) is not bool:
            raise PolicyError("authorization_response_iss_parameter_supported must be true or false")
        return cls(
            client_id=text("client_id", client.get("client_id")),
            algorithm=algorithm,
            registered=registered is not None,
            sends_issuer=sends_issuer,
            response_modes=_listed(server, "response_modes_supported"),
            metadata=(server, client),
        )

    def decryption(
        self, keys: DecryptionKeySource | DecryptionKey | None, allow_deprecated: Iterable[str]
    ) -> Opener | None:
        """What opens the responses, or ``None`` where the client has registered no encryption.

        :raises PolicyError: there is one and no keys for it, or the other way round
        """
        from keybound.jose.decryption import Decryption
        from keybound.jose.registered_encryption import registered_encryption

        server, client = self.metadata
        if registered_encryption("authorization_response", client, server) is None:
            if keys is not None:
                raise PolicyError("decryption_keys are given, yet the client has registered no encryption")
            return None
        if keys is None:
            raise PolicyError("the client has registered encryption; give decryption_keys")
        return Decryption.from_metadata(
            "authorization_response", client, keys=keys, server=server, allow_deprecated=allow_deprecated
        )


def _check_algorithm(algorithm: str, server: Mapping[str, Any], profile: Profile) -> None:
    supported = _listed(server, "authorization_signing_alg_values_supported")
    if supported is not None and algorithm not in supported:
        raise PolicyError("what signs is not in authorization_signing_alg_values_supported")
    rules = as_profile(profile).rules(TokenKind.AUTHORIZATION_RESPONSE)
    admitted = profile.algorithms if rules.algorithms is None else rules.algorithms
    if admitted is not None and algorithm not in admitted:
        raise PolicyError(f"profile {profile.name} does not admit the algorithm that signs")


def _listed(server: Mapping[str, Any], name: str) -> frozenset[str] | None:
    listed = server.get(name)
    if listed is None:
        return None
    if not isinstance(listed, (list, tuple)) or not all(isinstance(member, str) for member in listed):
        raise PolicyError(f"{name} must be a list of texts")
    return frozenset(listed)
