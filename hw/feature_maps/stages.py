"""Connects the stages of an accelerator with feature maps: they run one after another in every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring

from spikeloom.hw.control.controller import Controller
from spikeloom.hw.encoder.encoder_pair import EncoderPair
from spikeloom.hw.feature_maps.map_collector import MapCollector
from spikeloom.hw.feature_maps.map_loader import MapLoader
from spikeloom.hw.feature_maps.map_memory import SpikeMap
from spikeloom.hw.feature_maps.pool_unit import PoolUnit
from spikeloom.hw.feature_maps.step_join import StepJoin
from spikeloom.hw.feature_maps.window_distributor import WindowDistributor, stage_layer
from spikeloom.hw.feature_maps.window_scheduler import WindowScheduler
from spikeloom.hw.layer.layer_core import LayerCore
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.hw.params.plan import CrossbarStage

__all__ = ["join_maps"]


def _add(m: Module, name: str, component: Any) -> Any:
    m.submodules[name] = component
    return component


def join_maps(
    m: Module, parameters: NpuParameters, encoder: EncoderPair, controller: Controller, cores: Sequence[LayerCore]
) -> None:
    """Join encoder, gates and layers by maps, as the plan says.

    encoder -> loader -> map_0; admission gate -> stage 0 -> stage 1 -> ... -> last stage. What goes from stage to stage
    is one word per step, "all maps so far are complete" (`step_layout`): a stage that gets it reads its maps, writes
    its own, and hands it on. So a map is read only when it is complete, and written only when its readers are done with
    it, but for map 0, of which the loader writes the next step when its last reader says `released`. The last stage's
    vector passes the final gate. Of a stage with copies, one scheduler gathers for all of them, a distributor gives the
    vectors to the cores in turn, every core's collector writes a bank of the map, and the step is handed on when all
    of them are done.

    Submodules: `loader`; `map_<k>`, map k of the plan; `windows_<l>` and `collector_<l>`, before and after layer l;
    `pool_<s>`, stage s; of a stage whose copies are layers l and following, `windows_<l>`, `distributor_<l>`,
    `collector_<l>`, `collector_<l + 1>`, ... and `join_<l>`.
    """
    plan = parameters.stages
    maps = []
    for number, shape in enumerate(plan.maps[:-1]):
        bits = parameters.encoded.row_bits if number == 0 else 1
        made_by = plan.stages[number - 1] if number > 0 else None
        banks = made_by.copies if isinstance(made_by, CrossbarStage) else 1
        maps.append(_add(m, f"map_{number}", SpikeMap(shape=shape, value_bits=bits, banks=banks)))

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
            layer = stage_layer([cores[n].parameters for n in stage.layers])
            unit = WindowScheduler(
                layer=layer,
                windows=stage.windows,
                shapes=plan.sources(stage),
                held=None if stage.copies == 1 else False,
            )
            units.append(_add(m, f"windows_{stage.layer}", unit))
        else:
            units.append(_add(m, f"pool_{number}", PoolUnit(parameters=parameters, stage=number)))
        m.d.comb += [units[number].i.p.eq(payload), units[number].i.valid.eq(valid), ready.eq(units[number].i.ready)]
        if number == len(plan.stages) - 1:
            break
        step = units[number].o
        if isinstance(stage, CrossbarStage):
            step = _join_cores(m, stage, units[number].o, [cores[n] for n in stage.layers], maps[number + 1])
        else:
            wiring.connect(m, units[number].write, maps[number + 1].write)
        payload, valid, ready = step.p, step.valid, step.ready

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


def _join_cores(m: Module, stage: CrossbarStage, vectors: Any, cores: Sequence[LayerCore], made: SpikeMap) -> Any:
    """From a scheduler's vectors through the stage's copies into its map; the stream of the step that is complete."""
    collectors = []
    for layer, core in zip(stage.layers, cores, strict=True):
        collectors.append(_add(m, f"collector_{layer}", MapCollector(layer=core.parameters)))
        wiring.connect(m, core.o, collectors[-1].i)
    if stage.copies == 1:
        wiring.connect(m, vectors, cores[0].i)
        wiring.connect(m, collectors[0].write, made.write)
        return collectors[0].o
    name = f"distributor_{stage.layer}"
    distributor = _add(m, name, WindowDistributor(copies=[core.parameters for core in cores]))
    join = _add(m, f"join_{stage.layer}", StepJoin(layer=cores[0].parameters, copies=stage.copies))
    wiring.connect(m, vectors, distributor.i)
    for copy, (core, collector) in enumerate(zip(cores, collectors, strict=True)):
        wiring.connect(m, getattr(distributor, f"o_{copy}"), core.i)
        wiring.connect(m, collector.write, getattr(made, f"write_{copy}"))
        wiring.connect(m, collector.o, getattr(join, f"i_{copy}"))
    return join.o


def _share(m: Module, memory: SpikeMap, ports: Sequence[Any]) -> None:
    """Read ports of one map; at most one reads in a cycle, since stages go one after another."""
    m.d.comb += [port.data.eq(memory.read.data) for port in ports]
    m.d.comb += [memory.read.address.eq(ports[0].address), memory.read.enable.eq(ports[0].enable)]
    for port in ports[1:]:
        with m.If(port.enable):
            m.d.comb += [memory.read.address.eq(port.address), memory.read.enable.eq(1)]
