"""Shared helpers of the formal proofs: values of the cycle before, and deliberately broken twins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from amaranth.hdl import Module, Signal, Value

__all__ = ["mutant", "past"]


def past(m: Module, value: Any) -> Signal:
    """`value` in the cycle before; 0 in the first cycle. May be used inside of `m.If`: it is stored in every cycle."""
    value = Value.cast(value)
    register = Signal.like(value, name="past")
    m.submodules += (store := Module())
    store.d.sync += register.eq(value)
    return register


def mutant(component: type, old: str, new: str) -> Any:
    """The class as it would be if its module said `new` in the place of `old`.

    Raises
    ------
    ValueError : the module does not say `old` exactly once
    """
    module = sys.modules[component.__module__]
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    if source.count(old) != 1:
        raise ValueError(
            f"{component.__module__} must say {old!r} exactly once to be broken, not {source.count(old)} times"
        )
    namespace: dict[str, Any] = {"__name__": component.__module__}
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), namespace)
    return namespace[component.__name__]
