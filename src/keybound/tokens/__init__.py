"""One file per kind of token."""
