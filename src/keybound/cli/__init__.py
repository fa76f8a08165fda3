"""The ``keybound`` command. Needs the extra ``cli``: click and rich."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line with the arguments of this process; always exits.

    Status 0: accepted or fine; 1: rejected, not as expected, or interrupted; 2: the call, a file or
    the policy is at fault; 3: nobody can tell now.
    """
    try:
        from keybound.cli.application import application
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in ("click", "rich"):
            raise
        sys.stderr.write('keybound: the command line needs click and rich: pip install "keybound[cli]"\n')
        sys.exit(2)
    application.main(prog_name="keybound")
