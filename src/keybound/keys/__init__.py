"""Key sources: where a validator gets the issuer's keys from."""

from keybound.keys.source import KeySource, as_key_source

__all__ = ["KeySource", "as_key_source"]
