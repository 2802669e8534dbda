"""Where the program keeps what it need not make or fetch twice: trained networks, data sets, simulator builds, compiled
kernels.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder(kind: str) -> Path:
    """Folder for `kind` in $SPIKELOOM_CACHE, or else in the user's cache under `spikeloom`."""
    root = os.environ.get("SPIKELOOM_CACHE")
    base = Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "spikeloom"
    return base / kind
