"""What an operator decides about encrypted tokens, as one object that validators take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keybound.errors import PolicyError, Reason
from keybound.jose.decryption_key import DecryptionKey
from keybound.jose.decryption_keys import (
    DecryptionKeys,
    DecryptionKeySource,
    as_decryption_key_source,
    decryption_keys_of,
)
from keybound.jose.jwe_algorithms import warn_of_deprecated
from keybound.jose.jwe_header import DecryptionRules
from keybound.jose.jwe_message import open_compact
from keybound.jose.nesting import OpenedWithOldSecret, Opener
from keybound.jose.registered_encryption import registered_encryption
from keybound.limits import DEFAULT_LIMITS, Limits

__all__ = ["Decryption"]

_NESTED = "jwt"
"""``cty`` of a nested token (RFC 7519, 5.2), as it is compared."""

# RFC 7515, 7.1: three segments in the alphabet of base64url, of which the header is never empty.
_SIGNED = re.compile(rb"[\w-]+\.[\w-]*\.[\w-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Decryption(Opener):
    """Keys and rules for tokens that are signed and then encrypted (RFC 7519, 2: Nested JWT). Immutable.

    A validator with ``decryption=`` rejects a token that is not encrypted, and one without it a token
    that is. What a header of the encryption says of the token inside is never believed.

    :param keys: :class:`~keybound.DecryptionKeys`, a single :class:`~keybound.DecryptionKey`, or a source
        with a method ``snapshot()`` that answers with the keys of that moment
    :param algorithms: allow-list of ``alg`` values of the encryption
    :param encryptions: allow-list of ``enc`` values
    :param allow_deprecated: those of ``algorithms`` that are deprecated, ``RSA1_5`` and ``RSA-OAEP``, typed
        out once more; each gives a :class:`keybound.DeprecatedAlgorithmWarning` here
    :param allow_compression: understand ``zip`` (RFC 7516, 4.1.3), up to ``limits.decompressed_bytes``
    :param allow_missing_cty: accept tokens without ``cty``, which RFC 7519 section 5.2 demands
    :param limits: ceilings for the encrypted token; the one inside has those of its validator
    :raises PolicyError: the options are unsafe, contradictory or impossible
    """

    keys: DecryptionKeySource | DecryptionKey
    algorithms: Iterable[str]
    encryptions: Iterable[str]
    allow_deprecated: Iterable[str] = ()
    allow_compression: bool = False
    allow_missing_cty: bool = False
    limits: Limits = DEFAULT_LIMITS
    _source: DecryptionKeySource = field(init=False, repr=False, compare=False)
    _rules: DecryptionRules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.allow_missing_cty) is not bool:
            raise PolicyError("allow_missing_cty must be True or False")
        source = as_decryption_key_source(self.keys)
        # Lists of others are read once, so that they cannot change under the rules made of them.
        deprecated = self.allow_deprecated
        if isinstance(deprecated, Iterable) and not isinstance(deprecated, (str, bytes)):
            deprecated = tuple(deprecated)
        rules = DecryptionRules.select(
            algorithms=self.algorithms,
            encryptions=self.encryptions,
            allow_deprecated=deprecated,
            allow_compression=self.allow_compression,
            limits=self.limits,
            content_type=_NESTED,
            content_type_required=not self.allow_missing_cty,
        )
        if isinstance(source, DecryptionKeys) and not _serves(source, rules):
            raise PolicyError("no key is of use with these algorithms and encryptions")
        for name, value in (
            ("_source", source),
            ("_rules", rules),
            ("algorithms", tuple(row.name for row in rules.algorithms)),
            ("encryptions", tuple(row.name for row in rules.encryptions)),
            ("allow_deprecated", deprecated),
        ):
            object.__setattr__(self, name, value)
        warn_of_deprecated(rules.algorithms)

    @classmethod
    def from_metadata(
        cls,
        kind: str,
        client: Mapping[str, Any],
        *,
        keys: DecryptionKeySource | DecryptionKey,
        server: Mapping[str, Any] | None = None,
        allow_deprecated: Iterable[str] = (),
        allow_compression: bool = False,
        allow_missing_cty: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Decryption | None:
        """The decryption that a client has registered for one kind of token, or ``None`` for none.

        :param kind: ``"id_token"``, ``"userinfo"``, ``"request_object"``, ``"authorization_response"`` or
            ``"introspection_response"``
        :param client: metadata of the client, such as ``authorization_encrypted_response_alg`` (JARM, 3)
        :param server: metadata of the authorization server, such as
            ``authorization_encryption_alg_values_supported`` (JARM, 4); what it does not list is refused
        :raises PolicyError: the metadata are malformed or contradict each other, or the registered
            algorithm is not one to be used with these options
        """
        registered = registered_encryption(kind, client, server)
        if registered is None:
            return None
        alg, enc = registered
        return cls(
            keys=keys,
            algorithms=[alg],
            encryptions=[enc],
            allow_deprecated=allow_deprecated,
            allow_compression=allow_compression,
            allow_missing_cty=allow_missing_cty,
            limits=limits,
        )

    def open(self, raw: object) -> bytes | int:
        """The compact JWS inside an encrypted token, of which nothing is verified yet; or a reason.

        :param raw: the token as ``str`` or ``bytes``, in the compact serialization alone
        :returns: the signed token, or the number of the :class:`keybound.Reason` why there is none
        :raises Unavailable: the key source cannot answer now
        """
        opened = open_compact(self._rules, decryption_keys_of(self._source), raw)
        if isinstance(opened, int):
            return opened
        # What stands in the segments is for the validator to judge; here only what kind of thing it is.
        if not _SIGNED.fullmatch(opened.plaintext):
            return Reason.CONTENT_NOT_SIGNED
        return OpenedWithOldSecret(opened.plaintext) if opened.old_secret else opened.plaintext


def _serves(keys: DecryptionKeys, rules: DecryptionRules) -> bool:
    return any(
        key._serves(algorithm, encryption, None)
        for key in keys
        for algorithm in rules.algorithms
        for encryption in rules.encryptions
    )
