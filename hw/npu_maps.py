"""How the stages of a unit with maps are joined: one after another in every step, each from maps to a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring

from hw.controller import Controller
from hw.encoder_pair import EncoderPair
from hw.geometry import CrossbarStage
from hw.layer_core import LayerCore
from hw.map_collector import MapCollector
from hw.map_loader import MapLoader
from hw.params import NpuParameters
from hw.pool_unit import PoolUnit
from hw.spike_map import SpikeMap
from hw.window_scheduler import WindowScheduler

__all__ = ["join_maps"]


def _add(m: Module, name: str, component: Any) -> Any:
    m.submodules[name] = component
    return component


def join_maps(
    m: Module, parameters: NpuParameters, encoder: EncoderPair, controller: Controller, cores: Sequence[LayerCore]
) -> None:
    """Join encoder, gates and layers by maps, as the plan says.

    encoder -> loader -> map_0; admission gate -> stage 0 -> stage 1 -> ... -> last stage. What goes from stage to stage
    is one word a step, "all maps so far are complete" (`step_layout`): a stage that gets it reads its maps, writes its
    own, and hands it on. So a map is read only when it is complete, and written only when its readers are done with it,
    but for map 0, of which the loader writes the next step when its last reader says `released`. The last stage's
    vector passes the final gate.

    Submodules: `loader`; `map_<k>`, map k of the plan; `windows_<l>` and `collector_<l>`, before and after layer l;
    `pool_<s>`, stage s.
    """
    plan = parameters.stages
    maps = []
    for number, shape in enumerate(plan.maps[:-1]):
        bits = parameters.encoded.row_bits if number == 0 else 1
        maps.append(_add(m, f"map_{number}", SpikeMap(shape=shape, value_bits=bits)))

    loader = _add(m, "loader", MapLoader(parameters=parameters))
    wiring.connect(m, encoder.o, loader.i)
    wiring.connect(m, loader.write, maps[0].write)
    m.d.comb += [
        loader.restart.eq(controller.restart),
        controller.vector_valid.eq(loader.o.valid),
        loader.o.ready.eq(controller.vector_ready),
    ]

    units: list[Any] = []
    payload, valid, ready = loader.o.p, controller.admit_valid, controller.admit_ready
    for number, stage in enumerate(plan.stages):
        if isinstance(stage, CrossbarStage):
            core = cores[stage.layer]
            unit = WindowScheduler(layer=core.parameters, windows=stage.windows, shapes=plan.sources(stage))
            units.append(_add(m, f"windows_{stage.layer}", unit))
        else:
            units.append(_add(m, f"pool_{number}", PoolUnit(parameters=parameters, stage=number)))
        m.d.comb += [units[number].i.p.eq(payload), units[number].i.valid.eq(valid), ready.eq(units[number].i.ready)]
        if number == len(plan.stages) - 1:
            break
        made = units[number]
        if isinstance(stage, CrossbarStage):
            made = _add(m, f"collector_{stage.layer}", MapCollector(layer=core.parameters))
            wiring.connect(m, units[number].o, core.i)
            wiring.connect(m, core.o, made.i)
        wiring.connect(m, made.write, maps[number + 1].write)
        payload, valid, ready = made.o.p, made.o.valid, made.o.ready

    vector, last = units[-1].o, cores[-1].i
    m.d.comb += [
        controller.last_valid.eq(vector.valid),
        vector.ready.eq(controller.last_ready),
        last.p.eq(vector.p),
        last.p.first.eq(controller.final_first),
        last.valid.eq(controller.final_valid),
        controller.final_ready.eq(last.ready),
    ]

    for number, memory in enumerate(maps):
        ports = [
            getattr(unit, f"map_{index}")
            for unit, stage in zip(units, plan.stages, strict=True)
            for index, window in enumerate(stage.windows)
            if window.source == number
        ]
        _share(m, memory, ports)
    reader = max(number for number, stage in enumerate(plan.stages) if any(w.source == 0 for w in stage.windows))
    m.d.comb += loader.released.eq(units[reader].released)


def _share(m: Module, memory: SpikeMap, ports: Sequence[Any]) -> None:
    """Read ports of one map; at most one reads in a cycle, since stages go one after another."""
    m.d.comb += [port.data.eq(memory.read.data) for port in ports]
    m.d.comb += [memory.read.address.eq(ports[0].address), memory.read.enable.eq(ports[0].enable)]
    for port in ports[1:]:
        with m.If(port.enable):
            m.d.comb += [memory.read.address.eq(port.address), memory.read.enable.eq(1)]
