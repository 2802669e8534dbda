"""Clock cycles of the windows of a crossbar stage, one after another through scheduler, crossbar and neurons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

__all__ = [
    "NEURON_CYCLES",
    "VERDICT_CYCLES",
    "Columns",
    "Macro",
    "WindowCycles",
    "layer_cycles",
    "output_cycles",
    "window_cycles",
]

NEURON_CYCLES = 3
"""Clock cycles of a column group through the neurons: read, add, fire (`hw.layer.neuron_array`)."""

VERDICT_CYCLES = 3
"""Clock cycles from that in which the last class is counted to the verdict: score, compare, judge (`hw.decision`)."""


class Columns(Protocol):
    """What of a layer's parameters its cycles depend on (`hw.params.parameters.LayerParameters`)."""

    @property
    def outputs(self) -> int:
        """Columns."""
        ...

    @property
    def lanes(self) -> int:
        """Converters per row tile."""
        ...

    @property
    def groups(self) -> int:
        """Column groups, read one after another."""
        ...


@dataclass(frozen=True)
class Macro:
    """What the crossbars take: cycles for which a window with a spike is driven, and cycles per conversion.

    drive : max(pulse_cycles, cycle of the drive in which `sampled` is first up)
    conversion : cycles from `convert` to `done`, both included
    """

    drive: int
    conversion: int = 1

    def of(self, active: bool) -> tuple[int, int]:
        """Cycles of the drive and of a conversion of one window; a silent one is not read."""
        return (self.drive, self.conversion) if active else (0, 1)


class WindowCycles(NamedTuple):
    """When a window goes through its stage, in cycles from that in which the stage gets the step.

    read : its last word is read
    gathered : its last word is in the registers
    handed : the vector is passed on, `gathered` or as soon as the core takes the one before
    seen : the core sees it
    done : the core can see the next one
    """

    read: int
    gathered: int
    handed: int
    seen: int
    done: int


def window_cycles(
    layer: Columns, words: Sequence[int], active: Sequence[bool], macro: Macro, replicas: int = 1
) -> Iterator[WindowCycles]:
    """The windows of a stage, one after another; parameters as for `layer_cycles`."""
    several = int(len(words) > 1)  # vectors wait in a register of their own
    handed = accepted = 0
    taken, idle = [0] * replicas, [0] * replicas  # of each replica, after its latest vector
    for position, (number, spikes) in enumerate(zip(words, active, strict=True)):
        replica = position % replicas
        if position == 0:
            read, accepted, gathered = number, number + 1, number + 2
        else:
            read = accepted if number == 1 else handed + number - 2
            accepted, gathered = handed + number - 1, handed + number
        handed = max(gathered, taken[replica])
        drive, conversion = macro.of(spikes)
        seen = max(handed + several, idle[replica])
        taken[replica] = seen + drive
        idle[replica] = seen + drive + 2 + layer.groups * conversion
        yield WindowCycles(read, gathered, handed, seen, idle[replica])


def layer_cycles(
    layer: Columns, words: Sequence[int], active: Sequence[bool], macro: Macro, replicas: int = 1
) -> tuple[int, int]:
    """A stage but the last, from the cycle in which it gets the step.

    Parameters
    ----------
    layer : the stage's layer, or any of its replicas
    words, active : for every position of the stage: words read, and whether the window has a spike
    macro : what the crossbars take
    replicas : crossbars that take the positions in turn

    Returns the cycle in which its last word is read, and that in which the step is passed on: its map is complete.
    """
    windows = list(window_cycles(layer, words, active, macro, replicas))
    return windows[-1].read, max(window.done for window in windows) + NEURON_CYCLES


def output_cycles(layer: Columns, active: bool, macro: Macro) -> int:
    """The last layer and the comparison of its classes, from the cycle in which its vector is passed on."""
    drive, conversion = macro.of(active)
    classes = layer.outputs - (layer.groups - 1) * layer.lanes
    return (
        drive
        + conversion
        + NEURON_CYCLES
        + VERDICT_CYCLES
        + max(layer.outputs, (layer.groups - 1) * conversion + classes)
    )
