"""What is running: versions, crypto library, processor features and the path each algorithm takes."""

from __future__ import annotations

import sys
from typing import Any

from keybound._hotpath import BACKEND, signature
from keybound.jose.algorithms import ALGORITHMS

__all__ = ["__version__", "about"]

__version__ = "0.1.0"


def about() -> dict[str, Any]:
    """Facts for a bug report or a start-up log line; every value can be written as JSON.

    :returns: ``version``, ``backend`` (``"native"`` or ``"pure"``), ``python``, ``platform``,
        ``crypto`` (library and version), ``cpu`` (features the library found), and ``algorithms``:
        for every ``alg`` the library that verifies it; ``tables``: the algorithms whose hot keys are
        verified against tables of their own over s2n-bignum, and the counters of those tables
    """
    # It brings subprocess along on some Pythons, which nobody pays for at import time.
    import platform

    return {
        "version": __version__,
        "backend": BACKEND,
        "python": platform.python_version(),
        "free_threaded": not getattr(sys, "_is_gil_enabled", lambda: True)(),
        "platform": f"{platform.system()} {platform.machine()}",
        "crypto": signature.library(),
        "cpu": list(signature.cpu_features()),
        "algorithms": {
            name: " or ".join(dict.fromkeys(signature.provider(kind) for kind in row.kinds))
            for name, row in ALGORITHMS.items()
        },
        "tables": {
            "algorithms": [
                name for name, row in ALGORITHMS.items() if any(map(signature.serves_tables, row.kinds))
            ],
            **signature.table_counters(),
        },
    }
