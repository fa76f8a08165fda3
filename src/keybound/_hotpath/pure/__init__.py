"""Pure-Python twins of the native modules: same names, same results, on ``cryptography``."""
