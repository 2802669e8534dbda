"""Effects and cell kinds of installed packages (`hw.params.plugins`): both bring options of [device], so they are
loaded together."""

from __future__ import annotations

from spikeloom.hw.params import plugins

__all__ = ["GROUPS", "load_plugins"]

GROUPS = ("spikeloom.effects", "spikeloom.cells")


def load_plugins() -> None:
    """Call what the entry points of installed packages name, once. Raises ValueError for one that cannot be used."""
    for group in GROUPS:
        plugins.load_plugins(group)
