"""Connects the stages of an accelerator with feature maps: they run one after another in every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from amaranth.hdl import Module
from amaranth.lib import wiring

from spikeloom.hw.control.controller import Controller
from spikeloom.hw.encoder.encoder_pair import EncoderPair
from spikeloom.hw.encoder.single_encoder import SingleEncoder
from spikeloom.hw.feature_maps.map_collector import MapCollector
from spikeloom.hw.feature_maps.map_loader import MapLoader
from spikeloom.hw.feature_maps.map_memory import SpikeMap
from spikeloom.hw.feature_maps.pool_unit import PoolUnit
from spikeloom.hw.feature_maps.step_join import StepJoin
from spikeloom.hw.feature_maps.window_distributor import WindowDistributor, stage_layer
from spikeloom.hw.feature_maps.window_scheduler import WindowScheduler
from spikeloom.hw.layer.layer_core import LayerCore
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.hw.params.parts import Parts
from spikeloom.hw.params.plan import CrossbarStage, Stage
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage

__all__ = ["UNITS", "Surroundings", "check_units", "join_maps"]


@dataclass(frozen=True)
class Surroundings:
    """What a stage's hardware is added to and joined with.

    m, parameters : of the unit
    cores : of every layer
    """

    m: Module
    parameters: NpuParameters
    cores: Sequence[LayerCore]


S = TypeVar("S", bound=Stage)
Build = Callable[[Surroundings, int], Any]
"""Adds the component that reads the maps of a stage, by its number: `i`, the stream of the step (`step_layout`) from
the stage before, `map_0`, ... its read ports in the order of its windows, and `released`.
"""
Close = Callable[[Surroundings, int, Any, SpikeMap], Any]
"""Joins that component with the stage's map; the stream of the step that is complete. Not of the last stage."""
UNITS: Parts[tuple[Build, Close]] = Parts("hardware unit", "hw.feature_maps.stages.UNITS")
"""The hardware of every kind of stage."""


def check_units(parameters: NpuParameters) -> None:
    """Raise `ValueError` for a stage of a kind without hardware, before anything is built."""
    for stage in parameters.plan.stages:
        UNITS[type(stage)]


Part = TypeVar("Part")


def _add(m: Module, name: str, component: Part) -> Part:
    m.submodules[name] = component
    return component


def join_maps(
    m: Module,
    parameters: NpuParameters,
    encoder: EncoderPair | SingleEncoder,
    controller: Controller,
    cores: Sequence[LayerCore],
) -> None:
    """Join encoder, gates and layers by maps, as the plan says.

    encoder -> loader -> map_0; admission gate -> stage 0 -> stage 1 -> ... -> last stage. What goes from stage to stage
    is one word per step, "all maps so far are complete" (`step_layout`): a stage that gets it reads its maps, writes
    its own, and passes it on. So a map is read only when it is complete, and written only when its readers are done
    with it, but for map 0, of which the loader writes the next step when its last reader says `released`. The last
    stage's vector passes the final gate. Of a stage with replicas, one scheduler gathers for all of them, a distributor
    gives the vectors to the cores in turn, every core's collector writes a bank of the map, and the step is passed on
    when all of them are done.

    Submodules: `loader`; `map_<k>`, map k of the plan; `windows_<l>` and `collector_<l>`, before and after layer l;
    `pool_<s>`, stage s; of a stage whose replicas are layers l and following, `windows_<l>`, `distributor_<l>`,
    `collector_<l>`, `collector_<l + 1>`, ... and `join_<l>`.
    """
    plan = parameters.plan
    maps = []
    for number, shape in enumerate(plan.maps[:-1]):
        bits = parameters.encoded.row_bits if number == 0 else 1
        made_by = plan.stages[number - 1] if number > 0 else None
        banks = made_by.replicas if made_by is not None else 1
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
    around = Surroundings(m, parameters, cores)
    payload, valid, ready = loader.o.p, controller.admit_valid, controller.admit_ready
    for number, stage in enumerate(plan.stages):
        build, close = UNITS[type(stage)]
        units.append(build(around, number))
        m.d.comb += [units[number].i.p.eq(payload), units[number].i.valid.eq(valid), ready.eq(units[number].i.ready)]
        if number == len(plan.stages) - 1:
            break
        step = close(around, number, units[number], maps[number + 1])
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


def _add_windows(around: Surroundings, number: int) -> WindowScheduler:
    """The scheduler of a crossbar stage."""
    stage = _stage_of(around, number, CrossbarStage)
    unit = WindowScheduler(
        layer=stage_layer([around.cores[n].parameters for n in stage.layers]),
        windows=stage.windows,
        shapes=around.parameters.plan.sources(stage),
        buffered=None if stage.replicas == 1 else False,
    )
    return _add(around.m, f"windows_{stage.layer}", unit)


def _join_cores(around: Surroundings, number: int, unit: Any, made: SpikeMap) -> Any:
    """From a scheduler's vectors through the stage's replicas into its map."""
    m, stage, vectors = around.m, _stage_of(around, number, CrossbarStage), unit.o
    cores = [around.cores[n] for n in stage.layers]
    collectors = []
    for layer, core in zip(stage.layers, cores, strict=True):
        collectors.append(_add(m, f"collector_{layer}", MapCollector(layer=core.parameters)))
        wiring.connect(m, core.o, collectors[-1].i)
    if stage.replicas == 1:
        wiring.connect(m, vectors, cores[0].i)
        wiring.connect(m, collectors[0].write, made.write)
        return collectors[0].o
    name = f"distributor_{stage.layer}"
    distributor = _add(m, name, WindowDistributor(replicas=[core.parameters for core in cores]))
    join = _add(m, f"join_{stage.layer}", StepJoin(layer=cores[0].parameters, replicas=stage.replicas))
    wiring.connect(m, vectors, distributor.i)
    for replica, (core, collector) in enumerate(zip(cores, collectors, strict=True)):
        wiring.connect(m, getattr(distributor, f"o_{replica}"), core.i)
        wiring.connect(m, collector.write, getattr(made, f"write_{replica}"))
        wiring.connect(m, collector.o, getattr(join, f"i_{replica}"))
    return join.o


def _add_pool(around: Surroundings, number: int) -> PoolUnit:
    return _add(around.m, f"pool_{number}", PoolUnit(parameters=around.parameters, stage=number))


def _write_map(around: Surroundings, number: int, unit: Any, made: SpikeMap) -> Any:
    """A unit that writes its map itself."""
    wiring.connect(around.m, unit.write, made.write)
    return unit.o


def _stage_of(around: Surroundings, number: int, kind: type[S]) -> S:
    stage = around.parameters.plan.stages[number]
    assert isinstance(stage, kind)
    return stage


def _share(m: Module, memory: SpikeMap, ports: Sequence[wiring.PureInterface]) -> None:
    """Read ports of one map; at most one reads in a cycle, since stages go one after another."""
    m.d.comb += [port.data.eq(memory.read.data) for port in ports]
    m.d.comb += [memory.read.address.eq(ports[0].address), memory.read.enable.eq(ports[0].enable)]
    for port in ports[1:]:
        with m.If(port.enable):
            m.d.comb += [memory.read.address.eq(port.address), memory.read.enable.eq(1)]


UNITS.add(CrossbarStage, (_add_windows, _join_cores))
UNITS.add(MaxPoolStage, (_add_pool, _write_map))
UNITS.add(AveragePoolStage, (_add_pool, _write_map))
