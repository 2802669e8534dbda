"""The modules of what is registered from outside of the source tree, which results depend on."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sim.chip.parameters import DEVICE_GROUPS
from spikeloom.sim.devices.effects import EFFECTS

__all__ = ["registered_sources"]


def registered_sources(*others: object) -> dict[str, str]:
    """Module -> checksum of its file, of every cell kind, effect, coding and decision rule that is registered, and of
    the `others`, instances of kinds; the file alone, not what it imports. Modules without a file have the checksum of
    nothing.
    """
    load_plugins(*DEVICE_GROUPS)
    names = [type(kind).__module__ for kind in CELLS.registered()]
    names += [str(entry.make.__module__) for entry in EFFECTS.registered()]
    kinds = (*CODINGS, *DECISION_RULES, *others)
    names += [name for kind in kinds if not (name := type(kind).__module__).startswith("spikeloom.")]
    found = {}
    for name in sorted(set(names)):
        file = getattr(sys.modules.get(name), "__file__", None)
        found[name] = hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()
    return found
