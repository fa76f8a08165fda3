"""Native modules, built from ``ext/``. Empty in a pure installation."""
