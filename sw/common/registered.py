"""The modules of extensions registered from outside the source tree, as a part of what results depend on."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sim.common.plugins import load_plugins
from spikeloom.sim.devices.effects import EFFECTS

__all__ = ["registered_sources"]


def registered_sources() -> dict[str, str]:
    """Module -> checksum of its file, of every cell kind and effect that is registered; the file alone, not what it
    imports. Modules without a file have the checksum of nothing.
    """
    load_plugins()
    names = [type(kind).__module__ for kind in CELLS.registered()]
    names += [str(entry.make.__module__) for entry in EFFECTS.registered()]
    found = {}
    for name in sorted(set(names)):
        file = getattr(sys.modules.get(name), "__file__", None)
        found[name] = hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()
    return found
