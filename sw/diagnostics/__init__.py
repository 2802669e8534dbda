"""Diagnosis of a chip against its network: findings with cause, size and remedy.

`measure` runs the integer reference over some images and counts; the kinds of findings, each a function registered with
`sw.diagnostics.registry.kind`, look at what was counted. docs/diagnostics.md has them in a table.

`by_step` is about networks without faults: how they approach their activations and classes step by step.

What measures is imported when asked for: a weight image that is loaded has findings, and needs no reference for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spikeloom.sw.common.findings import Diagnosis, Finding

if TYPE_CHECKING:
    from spikeloom.sw.diagnostics.examine import MOST_COMPILED, MOST_IMAGES, diagnose, diagnose_compiled
    from spikeloom.sw.diagnostics.registry import KINDS

__all__ = ["KINDS", "MOST_COMPILED", "MOST_IMAGES", "Diagnosis", "Finding", "diagnose", "diagnose_compiled"]


def __getattr__(name: str) -> Any:
    """Everything else of `__all__`, imported when asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'spikeloom.sw.diagnostics' has no attribute '{name}'")
    from spikeloom.sw.diagnostics import examine, registry  # the kinds of findings are registered with the first

    return getattr(registry if name == "KINDS" else examine, name)
