"""``keybound demo``: bound tokens and a real resource server over real mutual TLS, on this machine alone."""

from keybound.cli.demo.command import demo

__all__ = ["demo"]
