"""Shared helpers of the formal proofs: values of the cycle before, signals inside of a component, mutants."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.data import Layout

__all__ = ["inside", "mutant", "past", "with_junk"]


def past(m: Module, value: Any) -> Signal:
    """`value` in the cycle before; 0 in the first cycle. May be used inside of `m.If`: it is stored in every cycle."""
    value = Value.cast(value)
    register = Signal.like(value, name="past")
    m.submodules += (store := Module())
    store.d.sync += register.eq(value)
    return register


def inside(dut: wiring.Component) -> SimpleNamespace:
    """Signals inside of `dut`, for the invariants of an induction: the local variables of its `elaborate`, by name,
    and those of each method that it calls (in the last call), as attributes of the method's name.

    `state(name)` is 1 while the component's state machine (its only one, if it has one) is in that state,
    `any_state` is 1 while it is in one of its states at all, which induction does not take for granted, and `states`
    are the conditions of all states, as `tests.formal.reaches` takes them.

    The component is elaborated here, once; it must be a submodule of the wrapper, like any device under test. Its
    ports and its behaviour stay as they are.
    """
    variables: dict[str, Any] = {}
    methods = {f.__code__: name for name, f in inspect.getmembers(type(dut), inspect.isfunction)}
    before = sys.getprofile()

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event != "return" or frame.f_code not in methods or frame.f_locals.get("self") is not dut:
            return
        name = methods[frame.f_code]
        variables.update(frame.f_locals if name == "elaborate" else {name: SimpleNamespace(**frame.f_locals)})

    sys.setprofile(watch)
    try:
        module = dut.elaborate(None)
    finally:
        sys.setprofile(before)
    vars(dut)["elaborate"] = lambda platform: module

    machine = module._generated.get("fsm")
    if machine is not None:
        variables["state"] = lambda name: machine.state == machine.encoding[name]
        variables["any_state"] = machine.state < len(machine.encoding)
        variables["states"] = {f"state_{name.lower()}": variables["state"](name) for name in machine.encoding}
    return SimpleNamespace(**variables)


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


def with_junk(dut: Any) -> Any:
    """The component `dut` with ones in every word of its memories, which no reset clears: what is in them at the start
    must not show. Memories are the attributes that are `MemoryData` or lists of them; words are plain bits or layouts.

    Raises
    ------
    ValueError : `dut` has no memory
    """
    attributes = [part for value in vars(dut).values() for part in (value if isinstance(value, list) else [value])]
    data = [part for part in attributes if isinstance(part, memory.MemoryData)]
    if not data:
        raise ValueError(f"{type(dut).__name__} has no memory to start with ones")
    for words in data:
        ones = (1 << Shape.cast(words.shape).width) - 1
        words.init = [words.shape.from_bits(ones) if isinstance(words.shape, Layout) else ones] * words.depth
    return dut
