"""Parts of the energy per image: one list, from which tables, report, summary and documentation are generated.

A part counts an event (`sim.estimates.energy_events`), says which coefficient of `sim.chip.device_config.Energy` it
costs, and where the default comes from. The energy of a part is the sum over its places of events * scale *
coefficient. What is not in the list is in `LEFT_OUT`. docs/energy.md is made from both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spikeloom.hw.export.structure import structure
from spikeloom.sim.chip.device_config import Energy
from spikeloom.sim.chip.energy_calibration import Interval
from spikeloom.sim.chip.energy_scaling import MEASURED_J, NM_45, NM_180
from spikeloom.sim.chip.units import CURRENT_BITS
from spikeloom.sim.crossbar.stray import STRAY_BITS
from spikeloom.sim.estimates import energy_arithmetic
from spikeloom.sim.estimates.energy_events import Count, Events, full_scale
from spikeloom.sim.estimates.energy_stores import counts_of, flip_flops, stores

__all__ = ["CALIBRATED_ONLY", "COMPONENTS", "LEFT_OUT", "PARTS", "Part", "coefficient", "left_out"]

COMPONENTS = ("crossbar", "wires", "sampling", "adc", "dac", "arithmetic", "memory", "transport", "control")
"""Components whose energies add up to the total."""
CALIBRATED_ONLY = "calibrated"
"""Field of parts that have no coefficient of their own."""


@dataclass(frozen=True)
class Part:
    """One kind of event.

    Parameters
    ----------
    name, component : what it is called, and which of `COMPONENTS` it belongs to
    event : what is counted, in words
    field : coefficient of `sim.chip.device_config.Energy`; "" where the energy follows from conductances alone, and
        `CALIBRATED_ONLY` for a part that is there with a calibration only
    count : its events
    source : where the coefficient comes from, or what is assumed
    activity : key of `sim.chip.result.ACTIVITIES`, where the events of a layer are that
    """

    name: str
    component: str
    event: str
    field: str
    count: Callable[[Events], list[Count]]
    source: str
    activity: str | None = None


def coefficient(part: Part, energy: Energy, calibrated: bool = True, own: bool = True) -> Interval:
    """Joules (or farads) of an event of scale 1: lowest, typical, highest; of a calibration, if there is one that has
    the part, and `calibrated` says that it holds; `own` says whether it is of the chip's design.
    """
    if calibrated and energy.calibration is not None and part.name in energy.calibration.parts:
        return energy.calibration.interval(part.name, own)
    if not part.field:
        return 1.0, 1.0, 1.0
    found: Interval = getattr(energy, part.field)
    return found


def _load(events: Events, bits: int) -> list[float]:
    """Joules of dG / 2^bits at V_read for a read pulse, in every layer."""
    device = events.chip.device
    joules = device.v_read_V**2 * events.chip.read_s * device.step_S * 2.0**-bits
    return [joules / full_scale(shape) ** 2 for shape in events.shapes]


def _crossbar(events: Events) -> list[Count]:
    return events.by_layer(events.activity("conductance"), _load(events, CURRENT_BITS))


def _stray(events: Events) -> list[Count]:
    if events.chip.device.wire_ohm == 0.0:
        return []
    return events.by_layer(events.activity("stray"), _load(events, STRAY_BITS))


def _wires(events: Events, activity: str) -> list[Count]:
    """Cells along the row wires of the pulses, or along the column wires of the tiles read; a pair has two cells.

    Which of a layer's row tiles were read is not counted, so every tile is taken for a full one.
    """
    square_V = events.chip.device.v_read_V**2
    counted = []
    for shape, found in zip(events.shapes, events.activity(activity), strict=True):
        rows = 1 if activity == "row_pulses" else min(shape.tile_rows, shape.inputs)
        counted.append(found * (2 * shape.outputs * rows) // shape.column_tiles)
    return events.by_layer(counted, [square_V] * len(counted))


def _conversions(events: Events) -> list[Count]:
    return events.by_layer(events.activity("conversions"), [2.0 ** (s.adc_bits - 8) for s in events.shapes])


def _pulses(events: Events, row_bits: int) -> list[Count]:
    found = events.by_layer(events.activity("row_pulses"))
    return [count for count in found if count.layer is not None and events.shapes[count.layer].row_bits == row_bits]


def _rows(events: Events) -> list[Count]:
    pulses = events.activity("row_pulses")
    return events.by_layer([found * s.row_bits for s, found in zip(events.shapes, pulses, strict=True)])


def _codes(events: Events) -> list[Count]:
    """A code, and whether it was clipped."""
    found = events.activity("conversions")
    return events.by_layer([each * (s.code_bits + 1) for s, each in zip(events.shapes, found, strict=True)])


def _spikes(events: Events) -> list[Count]:
    return events.by_layer([events.words(index) * shape.lanes for index, shape in enumerate(events.shapes)])


def _pixels(events: Events) -> list[Count]:
    p = events.parameters
    return [Count("encoder", 0 * events.steps + p.pixel_words * 8 * p.encoder_lanes)]


def _map_words(events: Events) -> list[Count]:
    """Words of maps go from the stage that makes them to the map, and from there to those that read it."""
    return [Count(store.place, store.accesses * store.width) for store in stores(events) if store.part == "maps"]


def _clock(events: Events) -> list[Count]:
    return events.cycles("unit", structure(events.parameters).flip_flops)


def _memory_clock(events: Events) -> list[Count]:
    """Bits of memories that are flip-flops, with the registers that they are read into."""
    inside = [memory for memory in structure(events.parameters).memories if flip_flops(events, memory.bits)]
    return events.cycles("unit", sum(memory.bits + memory.read_bits for memory in inside)) if inside else []


def _partial_sums(events: Events) -> list[Count]:
    """With a calibration they are in the column readout."""
    return [] if events.calibration is not None else energy_arithmetic.partial_sums(events)


def _logic(name: str, event: str, count: Callable[[Events], list[Count]]) -> Part:
    def counted(events: Events) -> list[Count]:
        known = events.calibration is not None and name in events.calibration.parts
        return count(events) if known else []

    return Part(name, "control", event, CALIBRATED_ONLY, counted, _CELLS)


def _memory(name: str, event: str) -> Part:
    return Part(name, "memory", event, "memory_J_per_bit", lambda events: counts_of(events, name), _SRAM)


def _arithmetic(name: str, event: str, count: Callable[[Events], list[Count]]) -> Part:
    return Part(name, "arithmetic", event, "adder_J_per_bit", count, _ADDER)


def _scaled(name: str) -> str:
    """Where a default comes from that was measured in another process."""
    measured_fJ = 1e15 * MEASURED_J[name]
    return (
        f"{measured_fJ:.0f} fJ measured at 180 nm and 1.8 V, times {NM_180.simulated(NM_45):.3g} to 45 nm and 1 V "
        f"(A. Stillmaker and B. Baas, Integration 58, 2017; high: {NM_180.constant_field(NM_45):.3g}, constant-field "
        "scaling), with what a netlist lacks"
    )


_HOROWITZ = "M. Horowitz, ISSCC 2014"
_SRAM = (
    f"{_HOROWITZ}: 10 pJ for 64 bits of an 8 KiB SRAM at 45 nm (32 KiB 20 pJ, 1 MiB 100 pJ, consistent with the root "
    f"of the size); low: memories of flip-flops without their clock, {_scaled('memory')}"
)
_ADDER = f"all logic, per bit added, {_scaled('logic')}; adders alone: {_HOROWITZ}, 0.1 pJ for 32 bits at 45 nm"
_WAY = (
    "S. Keckler et al., IEEE Micro 31(5), 2011: 310 pJ for 256 bits over 10 mm at 40 nm, 0.12 pJ per bit and mm, 0.24 "
    "if it switches; a distance of 1 mm is assumed, low: 0.2 mm"
)
_CELLS = "with a calibration only: logic between registers, from the switching of the netlist's cells"
_WIRE = "an estimate: about 0.2 fF of wire per um, cells 0.5 to 2.5 um apart; times V_read^2"

PARTS: tuple[Part, ...] = (
    Part(
        "cells", "crossbar", "conductance of driven rows, dG / 1024", "", _crossbar,
        "V_read^2 G t of the programmed conductances; with wires the effective ones, so V_read times the charge that "
        "reaches the converters, wires included",
        "conductance",
    ),
    Part(
        "stray current", "crossbar", "conductance between driven and undriven rows, dG / 2^20", "", _stray,
        "with wires: the energy of the drivers beyond that of the charge that reaches the converters, from the "
        "solution of the array (`spikeloom.sim.devices.ir_drop`)",
        "stray",
    ),
    Part(
        "row wires", "wires", "cells along the row wires of the pulses", "wire_F_per_cell",
        lambda events: _wires(events, "row_pulses"), _WIRE,
    ),
    Part(
        "column wires", "wires", "cells along the column wires of the tiles read", "wire_F_per_cell",
        lambda events: _wires(events, "tile_reads"),
        "as for row wires, as if columns swung by V_read, and as if the last row tile, which may be shorter, were "
        "full: an upper bound, since converters hold columns at 0 V",
    ),
    Part(
        "sample and hold", "sampling", "columns sampled, two per pair", "sample_J",
        lambda events: events.by_layer([2 * found for found in events.activity("conversions")]),
        "ISAAC [A. Shafiee et al., ISCA 2016]: 10 uW for 1,024 at 100 ns, 1 fJ each; high: 50 fF at 1 V, an estimate",
    ),
    Part(
        "converters", "adc", "conversions", "adc_J_per_conversion", _conversions,
        "ISAAC: an 8-bit SAR ADC of 1.28 GS/s at 2 mW, 1.6 pJ; range: 2 to 40 fJ per step of the Walden figure of "
        "merit [B. Murmann, ADC performance survey]; 2^bits underestimates converters above about 10 bits",
        "conversions",
    ),
    Part(
        "row drivers", "dac", "row pulses of 1-bit drivers", "dac_J_per_pulse", lambda events: _pulses(events, 1),
        "high: ISAAC's 1-bit drivers, 4 mW for 1,024 at 100 ns, 390 fJ; typical and low: an estimate for a CMOS driver",
        "row_pulses",
    ),
    Part(
        "row DACs", "dac", "row pulses of 8-bit DACs", "dac8_J_per_pulse", lambda events: _pulses(events, 8),
        "an estimate", "row_pulses",
    ),
    _arithmetic("partial sums", "bits added over row tiles", _partial_sums),
    _arithmetic("neurons", "bits added and compared by neurons", energy_arithmetic.neurons),
    _arithmetic("encoding", "bits added and compared by the encoder", energy_arithmetic.encoding),
    _arithmetic("pooling", "bits added and compared by pooling", energy_arithmetic.pooling),
    _arithmetic("decision", "bits added and compared for the decision", energy_arithmetic.decision),
    _arithmetic("activity counters", "bits added by counters", energy_arithmetic.counting),
    _memory("membranes", "bits of membranes read and written"),
    _memory("biases", "bits of biases read"),
    _memory("pixels", "bits of pixels written and read"),
    _memory("error diffusion", "bits of the encoder's sums read and written"),
    _memory("spike counts", "bits of the classes' counts read and written"),
    _memory("maps", "bits of maps written and read"),
    _memory("pooling sums", "bits of pooling sums read and written"),
    Part("pixels in", "transport", "bits from the unit's input to the encoder", "transport_J_per_bit", _pixels, _WAY),
    Part("row codes", "transport", "bits to the drivers of the driven rows", "transport_J_per_bit", _rows, _WAY),
    Part("column codes", "transport", "bits from converters to neurons", "transport_J_per_bit", _codes, _WAY),
    Part("spikes", "transport", "bits from neurons to the next layer", "transport_J_per_bit", _spikes, _WAY),
    Part("map words", "transport", "bits to and from maps", "transport_J_per_bit", _map_words, _WAY),
    Part(
        "clock", "control", "flip-flops clocked, bits times cycles", "flip_flop_J_per_cycle", _clock,
        f"clock pins and what is behind them in the cell, without gating, {_scaled('clock')}; the flip-flops are those "
        "of the elaborated unit (`spikeloom.hw.export.structure`)",
    ),
    _logic("clock of memories", "bits of memories that are flip-flops, times cycles", _memory_clock),
    _logic("column readout", "bits from converters through the column readout", _codes),
    _logic("row drivers' logic", "bits to the drivers of the driven rows", _rows),
    _logic("spike collectors", "bits from neurons to the next layer", _spikes),
    _logic("map logic", "bits to and from maps", _map_words),
    _logic("other logic", "clock cycles", lambda events: events.cycles("unit")),
)  # fmt: skip
"""All parts, in the order of `COMPONENTS`."""

_IN_HIGHS = "the high ends allow for them"
LEFT_OUT: tuple[tuple[str, str], ...] = (
    ("leakage", "of transistors and idle cells: no process is assumed"),
    ("logic of feature maps", "windows, addresses and state machines beyond what there is per bit added in dense "
     "networks, of which the coefficient of adders is"),
    ("clock tree", f"trunk and buffers above the flip-flops; {_IN_HIGHS}"),
    ("references", "of converters and drivers, bias currents, regulators and their losses"),
    ("column multiplexers", "switches that lead a group's columns to the converters of the lanes, "
     "and their capacitance"),
    ("amplifiers at the columns", "that hold columns at 0 V, if they are separate from the converters"),
    ("programmers and write drivers", "idle during an image; programming has its own table, with its pulses, reads "
     "and conversions, but without the programmer's memories and logic"),
    ("time between images", "clocked flip-flops while the unit waits; one image follows the other here"),
    ("a share of programming and refresh", "per image: their energies are given for the whole chip, "
     "and lifetimes in images"),
    ("registers and loading", "writes of settings, biases and thresholds"),
    ("the buses to the host", "AXI interfaces, pads, and the host with its memory"),
)  # fmt: skip
"""What no part counts, and why or how."""

_CALIBRATED_AWAY = ("leakage", "logic of feature maps")
_PROGRAMMERS = "programmers and write drivers"
_ELSEWHERE = ("programming", "cells are programmed elsewhere: the unit is built without programmers")


def left_out(energy: Energy, programmer: bool = True) -> tuple[tuple[str, str], ...]:
    """`LEFT_OUT` for some coefficients: a calibration has cells that leak, and all logic, and what a netlist does not
    show in its high ends; and for a unit with or without programmers.
    """
    rows = LEFT_OUT if programmer else tuple(_ELSEWHERE if row[0] == _PROGRAMMERS else row for row in LEFT_OUT)
    if energy.calibration is None:
        return rows
    return (
        ("wires between cells", f"of the netlist, which has none; transport is that of the longest alone; {_IN_HIGHS}"),
        ("glitches", f"what gates do before they settle, since the netlist is simulated without delays; {_IN_HIGHS}"),
        *((what, why) for what, why in rows if what not in _CALIBRATED_AWAY),
    )
