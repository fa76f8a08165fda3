"""Configuration files: validators from TOML, the JSON Schema of the files, and a linter for them."""

from __future__ import annotations

from keybound.configuration.configuration import Configuration, load, validators_in
from keybound.configuration.linter import Finding, lint
from keybound.configuration.place import ConfigurationError
from keybound.configuration.schema import schema_text

__all__ = ["Configuration", "ConfigurationError", "Finding", "lint", "load", "schema_text", "validators_in"]
