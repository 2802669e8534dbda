"""What is registered from outside of the source tree: packages name a function in an entry point, which registers it.

The contract of every registry, in `hw`, `sim` and `sw` alike: an entry point of the registry's group names a function
without arguments, such as `my_package:register`, which calls the registry's own function for that. The functions of a
group are called once per process, when a registry is first asked for something that may not be built in; not on
import, when their modules cannot be imported yet. What needs several groups, as the options of [device] do, asks for
them together.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["load_plugins"]

_loaded: set[str] = set()


def load_plugins(*groups: str) -> None:
    """Call what the entry points of these groups name, once.

    Raises ValueError for one that cannot be loaded or called, naming it; and again when it is asked again. What is
    called may register a second time then, which registries take as the same.
    """
    for group in groups:
        if group not in _loaded:
            _load(group)


def _load(group: str) -> None:
    _loaded.add(group)  # what is called here may ask a registry itself
    for point in entry_points(group=group):
        try:
            point.load()()
        except Exception as error:
            _loaded.discard(group)
            raise SpikeLoomError(
                f"The entry point '{point.name} = {point.value}' of group '{group}' cannot be used "
                f"({type(error).__name__}: {error}); mend its package, or uninstall it"
            ) from error
