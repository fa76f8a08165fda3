"""Many tokens at once; in pure Python one after the other."""

from __future__ import annotations

from typing import Any

from keybound._hotpath.pure.token import Validator, VerifiedToken

__all__ = ["validate_many"]


def validate_many(
    validator: Validator[Any],
    raws: list[Any],
    certificates: list[Any],
    dpop_proofs: list[Any],
    threads: int,
) -> list[VerifiedToken | int]:
    """A verified token or a verdict for each token, in order.

    :param certificates: one for each token, or ``None`` in its place
    :param dpop_proofs: the same of DPoP proofs
    :param threads: how many threads may share the work; here the interpreter lets only one
    """
    keys, presented = validator._index(), zip(raws, certificates, dpop_proofs, strict=True)
    return [validator._run(keys, raw, certificate, dpop) for raw, certificate, dpop in presented]
