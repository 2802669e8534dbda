"""Rules of device effects and cell kinds: options of [device] that have no effect, when and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spikeloom.hw.params.plugins import load_plugins
from spikeloom.sim.chip.cell_kinds import CELLS, CellKind
from spikeloom.sim.chip.parameters import DEVICE_GROUPS
from spikeloom.sim.chip.units import CODES_PER_LEVEL
from spikeloom.sim.devices.effect_list import EffectEntry
from spikeloom.sim.devices.effects import EFFECTS
from spikeloom.sw.config.field_rules import Choice, Needs, Unused
from spikeloom.sw.config.tables import Tables

__all__ = [
    "DIRECT",
    "PULSES_NEED_PROGRAMMERS",
    "VERIFY",
    "WHOLE_EIGHTHS",
    "drifting_cells",
    "registered_rules",
    "unused_effects",
    "unused_with",
]

DIRECT = Choice("programming.method", ("direct",))
VERIFY = Choice("programming.method", ("write-verify",))


def _programmer(config: Tables) -> Iterator[str]:
    if VERIFY.holds(config) and not config.hardware.programmer:
        yield (
            "[programming] method must be 'direct' with [hardware] programmer false, whose unit gives no pulses, not "
            "'write-verify'; set method 'direct', or programmer true"
        )


PULSES_NEED_PROGRAMMERS = Needs(
    _programmer,
    '`programming.method = "write-verify"` needs `hardware.programmer = true`: another unit gives no pulses',
)


def _eighths(config: Tables) -> Iterator[str]:
    for name in ("tolerance", "amplitude_min", "amplitude_max"):
        value = getattr(config.programming, name)
        if value * CODES_PER_LEVEL != round(value * CODES_PER_LEVEL):
            yield (
                f"[programming] {name} must be a whole number of eighths of a level, as the registers hold it "
                f"(the nearest is {round(value * CODES_PER_LEVEL) / CODES_PER_LEVEL!r}), not {value!r}"
            )


WHOLE_EIGHTHS = Needs(
    _eighths,
    "`programming.tolerance`, `amplitude_min` and `amplitude_max` are whole numbers of eighths of a level, "
    "as the registers hold them",
)


def registered_rules() -> Iterator[Unused]:
    """The rules of what is registered from outside of the source tree."""
    load_plugins(*DEVICE_GROUPS)
    yield from unused_effects(EFFECTS.registered())
    yield from unused_with(CELLS.registered())
    yield from _unused_without(CELLS.registered())


def unused_effects(entries: Iterable[EffectEntry]) -> Iterator[Unused]:
    """Options of effects do nothing with a method of programming with which the effect does not apply."""
    for entry in entries:
        for stage, choice in ((entry.direct, DIRECT), (entry.write_verify, VERIFY)):
            if stage is None:
                yield Unused(tuple(f"device.{name}" for name in entry.fields), (choice,), entry.unused)


def unused_with(kinds: Iterable[CellKind]) -> Iterator[Unused]:
    """Options of [device] that do nothing with a kind of cells."""
    for kind in kinds:
        for fields, because in kind.unused:
            yield Unused(tuple(f"device.{name}" for name in fields), (Choice("device.cell", (kind.name,)),), because)
        for fields, because in kind.unused_pulsed:
            choices = (Choice("device.cell", (kind.name,)), VERIFY)
            yield Unused(tuple(f"device.{name}" for name in fields), choices, because)


def _unused_without(kinds: Iterable[CellKind]) -> Iterator[Unused]:
    """Options that a registered kind of cells has brought along do nothing with others."""
    for kind in kinds:
        if kind.parameters is not None:
            fields = tuple(f"device.{name}" for name in kind.parameters.model_fields)
            others = tuple(name for name in CELLS.names() if name != kind.name)
            yield Unused(fields, (Choice("device.cell", others),), "whose cells do not have it")


def drifting_cells() -> str:
    """The choice of cells that drift, on the page."""
    names = [f'`"{kind.name}"`' for kind in CELLS if kind.drifts]
    first, *others = names
    return " or ".join([f"`device.cell = {first[1:]}", *others])
