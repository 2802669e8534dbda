"""Records what goes in and out of the device of every Amaranth simulation, cycle by cycle, for a replay in Verilog."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module, Value
from amaranth.lib.wiring import Component, In
from amaranth.sim import Simulator

from tests.coverage.captured import Captured, digest_of
from tests.coverage.rtlil_text.files import rtlil_files

__all__ = ["Port", "Recorder", "Variant"]


@dataclass(frozen=True)
class Port:
    """A port as its Verilog has it; `bytes` are those of Verilator's type."""

    name: str
    width: int
    input: bool

    @property
    def bytes(self) -> int:
        return next((size for size in (1, 2, 4, 8) if self.width <= 8 * size), 4 * -(-self.width // 32))


@dataclass
class Variant:
    """A component with certain parameters, and what was recorded of it.

    Parameters
    ----------
    block : module of `hw` that has the component
    digest : of its RTLIL
    ports : of the component
    runs : per simulation and cycle, the ports' bytes one after the other, as they are before the clock's edge
    texts : its Verilog, file name -> text; the component is module `name`
    rtlil : RTLIL of each file's module with places in the source, file name -> text
    """

    block: str
    digest: str
    ports: list[Port]
    runs: list[bytearray] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    rtlil: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.block}_{self.digest[:8]}"

    @property
    def cycles(self) -> int:
        size = sum(port.bytes for port in self.ports)
        return sum(len(run) // size for run in self.runs)


def _device(toplevel: Any) -> Component | None:
    """The component of `hw` that a simulation is of: itself, or the only one in a module of a testbench."""
    if isinstance(toplevel, Module):
        inside = [place[0] for place in (*toplevel._named_submodules.values(), *toplevel._anon_submodules)]
        components = [component for component in inside if isinstance(component, Component)]
        toplevel = components[0] if len(components) == 1 else None
    ours = isinstance(toplevel, Component) and type(toplevel).__module__.startswith("spikeloom.hw.")
    return toplevel if ours else None


class Recorder:
    """Watches all simulations of this process while its `with` block lasts.

    Parameters
    ----------
    most : cycles of one variant after which no further simulation of it is recorded
    """

    def __init__(self, most: int = 40_000) -> None:
        self.variants: dict[str, Variant] = {}
        self._most = most
        self._devices: dict[str, Component] = {}

    def __enter__(self) -> Recorder:
        self._begin = begin = Simulator.__init__

        def watched(simulator: Simulator, toplevel: Elaboratable, **how: Any) -> None:
            begin(simulator, toplevel, **how)
            device = _device(toplevel)
            if device is not None:
                self._watch(simulator, device)

        Simulator.__init__ = watched  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Simulator.__init__ = self._begin  # type: ignore[method-assign]

    def _watch(self, simulator: Simulator, device: Component) -> None:
        signals = [(path, member, Value.cast(v)) for path, member, v in device.signature.flatten(device)]
        signals = [entry for entry in signals if len(entry[2])]
        text = rtlil.convert(device, emit_src=False)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        ports = [Port("__".join(map(str, path)), len(v), member.flow == In) for path, member, v in signals]
        block = type(device).__module__.rpartition(".")[2]
        variant = self.variants.setdefault(digest, Variant(block, digest, ports))
        self._devices[digest] = device
        if variant.cycles > self._most:
            return
        variant.runs.append(run := bytearray())
        values = [value.as_unsigned() for _, _, value in signals]
        sizes = [port.bytes for port in ports]

        async def record(ctx: Any) -> None:
            async for _, reset, *now in ctx.tick().sample(*values):
                assert not reset
                for value, size in zip(now, sizes, strict=True):
                    run.extend(value.to_bytes(size, "little"))

        simulator.add_testbench(record, background=True)

    def finished(self) -> list[Variant]:
        """What was recorded, with the Verilog of each variant."""
        for digest, variant in self.variants.items():
            with Captured() as captured:
                variant.texts = rtlil_files(self._devices[digest], variant.name)
            variant.rtlil = {name: captured.rtlil[digest_of(text)] for name, text in variant.texts.items()}
        return [variant for variant in self.variants.values() if variant.cycles]
