"""The modules here are scripts that import each other by name; their tests need the same path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
