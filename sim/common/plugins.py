"""Registration from outside the source tree: packages name a function in an entry point, which is called.

An entry point of a group in `GROUPS` names a function without arguments, such as `my_package.cells:register`, which
calls `sim.devices.effects.register_effect` and the like. All are called once a process, when a registry is first asked
for something that may not be built in.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["GROUPS", "load_plugins"]

GROUPS = ("spikeloom.effects", "spikeloom.cells")
_loaded = False


def load_plugins() -> None:
    """Call what the entry points of installed packages name, once.

    Raises ValueError for one that cannot be loaded or called, naming it.
    """
    global _loaded
    if _loaded:
        return
    _loaded = True  # what is called here may ask a registry itself
    for group in GROUPS:
        for point in entry_points(group=group):
            try:
                point.load()()
            except Exception as error:
                _loaded = False
                raise SpikeLoomError(
                    f"The entry point '{point.name} = {point.value}' of group '{group}' cannot be used "
                    f"({type(error).__name__}: {error}); mend its package, or uninstall it"
                ) from error
