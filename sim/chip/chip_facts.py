"""Description of a chip as one line, as rows and as plain values: network, cells, coding, decision rule, devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spikeloom.hw.params.decision_rules import K

if TYPE_CHECKING:
    from spikeloom.sim.chip.programmed_chip import ChipImage

__all__ = ["chip_facts", "chip_line", "chip_rows"]

_EFFECTS = ("device_sigma", "program_sigma", "read_sigma", "stuck_on", "stuck_off", "pulse_sigma")
"""Shares and spreads of [device] that make cells differ from their levels; 0 is off."""
_MOST_LAYERS = 8


def chip_line(image: ChipImage) -> str:
    """A chip in a line, as `repr` has it between its brackets."""
    sizes = "-".join(str(n) for n in image.parameters.sizes)
    decision = f"{image.coding.name} coding, {image.rule.in_words(image)}, at most {image.t_max} steps"
    return f"{image.name}: {sizes}, {image.device.bits}-bit cells; {decision}"


def chip_facts(image: ChipImage) -> dict[str, Any]:
    """Plain values for `chip` of `summary.json`.

    `sizes` are the pixels and the channels of every crossbar stage; `cells` are those that hold weights, two per pair,
    copies of crossbars counted; `effects` are the settings of [device] that make cells differ from their levels, where
    they are not 0. `k` is None with rules that have none.
    """
    p = image.parameters
    return {
        "sizes": list(p.sizes),
        "inputs": p.inputs,
        "classes": p.classes,
        "coding": image.coding.name,
        "phases": p.phases,
        "rule": image.rule.name,
        "k": image.k if K in image.rule.registers else None,
        "t_max": image.t_max,
        "skip": image.skip,
        "readout": image.readout.name.lower(),
        "cell": image.device.cell,
        "cell_bits": image.device.bits,
        "cells": sum(2 * layer.inputs * layer.outputs for layer in p.layers),
        "tiles": sum(layer.row_tiles * layer.column_tiles for layer in p.layers),
        "effects": {name: getattr(image.device, name) for name in _EFFECTS if getattr(image.device, name)},
        "wire_ohm": image.device.wire_ohm,
        "programming": image.programming.method,
        "clock_Hz": image.clock_Hz,
    }


def chip_rows(image: ChipImage) -> list[tuple[str, str]]:
    """(name, value) rows for people."""
    facts = chip_facts(image)
    layers = [f"{layer.name}: {layer.positive.shape[0]} x {layer.positive.shape[1]}" for layer in image.layers]
    more = [f"and {len(layers) - _MOST_LAYERS} more"] if len(layers) > _MOST_LAYERS else []
    phases = f", {facts['phases']} phases" if facts["phases"] > 1 else ""
    lead = f"stops at a lead of k = {image.k}" if facts["k"] is not None else "may stop earlier"
    rule = f"{facts['rule']}: " + (
        f"{lead}, after {image.t_max} steps at most" if image.rule.ends_early else f"{image.t_max} steps"
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
        ("clock", f"{image.clock_Hz / 1e6:g} MHz"),
    ]
