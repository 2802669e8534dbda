"""Registers of the activity counters; a unit that is built without counters has none of these."""

from __future__ import annotations

from spikeloom.hw.host.register_types import HostRegister
from spikeloom.hw.params.optional_parts import OptionalParts

__all__ = ["LAYER_ACTIVITY_REGISTERS"]


def _counted(parts: OptionalParts) -> bool:
    return parts.activity_counters


LAYER_ACTIVITY_REGISTERS: tuple[HostRegister, ...] = tuple(
    HostRegister(name, offset, "ro", f"last result: {meaning}", unit, there=_counted)
    for name, offset, meaning, unit in (
        ("row_pulses", 16, "active rows times column tiles, over the reads", "pulses"),
        ("tile_reads", 17, "tiles driven, over the reads", "reads"),
        ("conversions", 18, "ADC conversions", "conversions"),
        ("saturations", 19, "conversions whose code was clipped", "conversions"),
        ("spikes", 20, "spikes emitted", "spikes"),
    )
)
"""Of a layer, with their word offsets in its scope."""
