"""Description of a chip as one line, as rows and as plain values: network, cells, coding, decision rule, devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.parameters import Coding, DecisionRule, NpuParameters, Readout
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.common.units import SHARE, SIGMA, unit_of

__all__ = ["chip_facts", "chip_line", "chip_rows"]

_MOST_LAYERS = 8


class _Layer(Protocol):
    """Of a layer: its name, and the levels, whose shape is that of the crossbar."""

    @property
    def name(self) -> str: ...

    @property
    def positive(self) -> NDArray[np.uint8]: ...


class _Described(Protocol):
    """What is described of a `sim.chip.programmed_chip.ProgrammedChip`."""

    @property
    def name(self) -> str: ...

    @property
    def layers(self) -> Sequence[_Layer]: ...

    @property
    def parameters(self) -> NpuParameters: ...

    @property
    def coding(self) -> Coding: ...

    @property
    def rule(self) -> DecisionRule: ...

    @property
    def t_max(self) -> int: ...

    @property
    def skip(self) -> int: ...

    @property
    def readout(self) -> Readout: ...

    @property
    def device(self) -> Device: ...

    @property
    def programming(self) -> Programming: ...

    @property
    def clock_Hz(self) -> float: ...


def chip_line(chip: _Described) -> str:
    """A chip in a line, as `repr` has it between its brackets."""
    sizes = "-".join(str(n) for n in chip.parameters.sizes)
    decision = f"{chip.coding.name} coding, {chip.rule.in_words(chip)}, at most {chip.t_max} steps"
    return f"{chip.name}: {sizes}, {chip.device.bits}-bit cells; {decision}"


def chip_facts(chip: _Described) -> dict[str, Any]:
    """Plain values for `chip` of `summary.json`.

    `sizes` are the pixels and the channels of every crossbar stage; `cells` are those that hold weights, two per pair,
    replicas of crossbars counted; `effects` are the settings of [device] that make cells differ from their levels,
    where they are not 0. Registers of decision rules, `k` and others, are None with rules that do not have them.
    """
    p = chip.parameters
    return {
        "sizes": list(p.sizes),
        "inputs": p.inputs,
        "classes": p.classes,
        "coding": chip.coding.name,
        "phases": p.phases,
        "rule": chip.rule.name,
        **{
            own.name: getattr(chip, own.name) if own in chip.rule.registers else None
            for own in DECISION_RULES.registers
        },
        "t_max": chip.t_max,
        "skip": chip.skip,
        "readout": chip.readout.name.lower(),
        "cell": chip.device.cell,
        "cell_bits": chip.device.bits,
        "cells": sum(2 * layer.inputs * layer.outputs for layer in p.layers),
        "tiles": sum(layer.row_tiles * layer.column_tiles for layer in p.layers),
        "effects": {name: value for name in _effects(chip.device) if (value := getattr(chip.device, name))},
        "wire_ohm": chip.device.wire_ohm,
        "programming": chip.programming.method,
        "clock_Hz": chip.clock_Hz,
    }


def _effects(device: Device) -> list[str]:
    """Spreads and shares of [device] that make cells differ from their levels, those of registered effects included."""
    return [name for name, field in device.all_fields().items() if unit_of(field) in (SIGMA, SHARE)]


def chip_rows(chip: _Described) -> list[tuple[str, str]]:
    """(name, value) rows for people."""
    facts = chip_facts(chip)
    layers = [f"{layer.name}: {layer.positive.shape[0]} x {layer.positive.shape[1]}" for layer in chip.layers]
    more = [f"and {len(layers) - _MOST_LAYERS} more"] if len(layers) > _MOST_LAYERS else []
    phases = f", {facts['phases']} phases" if facts["phases"] > 1 else ""
    rule = f"{facts['rule']}: " + (
        f"{chip.rule.when(chip)}, after {chip.t_max} steps at most" if chip.rule.ends_early else f"{chip.t_max} steps"
    )
    skipped = f", the first {facts['skip']} periods skipped" if facts["skip"] else ""
    effects = [f"{name} {100 * value:.3g} %" for name, value in facts["effects"].items()]
    effects += [f"wires of {facts['wire_ohm']:g} ohm"] if facts["wire_ohm"] else []
    return [
        ("network", "-".join(str(size) for size in facts["sizes"])),
        ("layers", "; ".join([*layers[:_MOST_LAYERS], *more])),
        ("input coding", f"{facts['coding']}{phases}"),
        ("decision rule", f"{rule}{skipped}, by {facts['readout']}"),
        ("devices", f"{facts['cell_bits']}-bit {facts['cell']} cells, {', '.join(effects) or 'ideal'}"),
        ("cells", f"{facts['cells']:,} in {facts['tiles']:,} crossbar tiles"),
        ("clock", f"{chip.clock_Hz / 1e6:g} MHz"),
    ]
