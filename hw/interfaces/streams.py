"""Payload layouts of the streams between the blocks and of the frames."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data

from spikeloom.hw.params.parameters import LayerParameters, NpuParameters, ceil_div

__all__ = [
    "CYCLE_BITS",
    "RESULT_LAYOUT",
    "SEED_BYTES",
    "TAG_BITS",
    "copy_marks",
    "fired_layout",
    "frame_words",
    "load_layout",
    "pixels_layout",
    "request_layout",
    "result_layout",
    "score_layout",
    "seed_words",
    "step_layout",
    "sums_layout",
    "vector_layout",
    "verdict_layout",
]

CYCLE_BITS = 32
"""Bits of the counters of an image's clock cycles and of the gap before it."""

TAG_BITS = 16
"""Bits of the number that goes with an image and comes back with its result."""

SEED_BYTES = 16
"""Bytes of an image's seed, in front of its pixels in the frames that begin with one."""

RESULT_LAYOUT = data.StructLayout({"winner": 15, "overflow": 1, "steps": 15, "reason": 1, "margin": signed(32)})
"""Bits of a result frame's first word, the same in every build."""

_MARKS = ("first", "phase", "position")


def _marks(parameters: LayerParameters) -> dict[str, Shape]:
    """What goes with a read through its layer: first step of the image, phase, and which of several positions it is."""
    marks = {"first": unsigned(1), "phase": unsigned(parameters.phase_bits)}
    if parameters.positions > 1:
        marks["position"] = unsigned(parameters.position_bits)
    return marks


def copy_marks(target: data.View, source: data.View) -> list[Any]:
    """Assignments of the marks that both payloads have."""
    names = [name for name in _MARKS if name in target.shape().members and name in source.shape().members]
    return [getattr(target, name).eq(getattr(source, name)) for name in names]


def step_layout(parameters: LayerParameters | NpuParameters) -> data.StructLayout:
    """The maps so far are complete in this step: first step of the image, phase."""
    return data.StructLayout({"first": unsigned(1), "phase": unsigned(parameters.phase_bits)})


def pixels_layout(parameters: NpuParameters) -> data.StructLayout:
    """One word of an image: `encoder_lanes` pixels of 8 bits."""
    return data.StructLayout({"pixels": data.ArrayLayout(unsigned(8), parameters.encoder_lanes)})


def vector_layout(parameters: LayerParameters) -> data.StructLayout:
    """A layer's whole input of one read: row codes, how many are not zero, whether all are zero, marks.

    `silent` says what `count` says, too, but the sender has it earlier.
    """
    return data.StructLayout(
        {
            "rows": unsigned(parameters.inputs * parameters.row_bits),
            "count": unsigned(parameters.count_bits),
            "silent": unsigned(1),
            **_marks(parameters),
        }
    )


def request_layout(parameters: LayerParameters) -> data.StructLayout:
    """Currents are sampled: the row tiles that were driven, to be converted."""
    return data.StructLayout(
        {
            "tiles": unsigned(parameters.row_tiles),
            **_marks(parameters),
        }
    )


def sums_layout(parameters: LayerParameters) -> data.StructLayout:
    """One column group: the row tiles' codes added and shifted by the gain, one sum per lane."""
    return data.StructLayout(
        {
            "group": unsigned(parameters.group_bits),
            "sums": data.ArrayLayout(signed(parameters.sum_bits), parameters.lanes),
            **_marks(parameters),
        }
    )


def fired_layout(parameters: LayerParameters) -> data.StructLayout:
    """One neuron group after its update: spikes and membranes (after the reset)."""
    return data.StructLayout(
        {
            "group": unsigned(parameters.group_bits),
            "spikes": unsigned(parameters.lanes),
            "membranes": data.ArrayLayout(signed(parameters.membrane_bits), parameters.lanes),
            **_marks(parameters),
        }
    )


def score_layout(parameters: NpuParameters) -> data.StructLayout:
    """Score of one class; classes follow in index order, `last` with the highest index."""
    return data.StructLayout({"score": signed(parameters.score_bits), "last": unsigned(1)})


def verdict_layout(parameters: NpuParameters) -> data.StructLayout:
    """Decision after a step: stop or continue, best class so far, margin to the second, 1 if the rule asked to stop."""
    return data.StructLayout(
        {
            "stop": unsigned(1),
            "winner": unsigned(parameters.class_bits),
            "margin": signed(parameters.margin_bits),
            "reason": unsigned(1),
        }
    )


def result_layout(parameters: NpuParameters) -> data.StructLayout:
    """What the host gets for one image."""
    return data.StructLayout(
        {
            "winner": unsigned(parameters.class_bits),
            "steps": unsigned(parameters.step_bits),
            "margin": signed(parameters.margin_bits),
            "reason": unsigned(1),
        }
    )


def load_layout() -> data.StructLayout:
    """One register write of the load port; the address map is in `hw.interfaces.registers`."""
    return data.StructLayout({"address": unsigned(24), "data": signed(32)})


def seed_words(parameters: NpuParameters) -> int:
    """Words of an image frame that hold the seed, where frames begin with one."""
    return ceil_div(SEED_BYTES, parameters.encoder_lanes)


def frame_words(parameters: NpuParameters) -> int:
    """Words of a result frame that carries all there is: the answer, cycles and gap, and with activity counters three
    per layer.
    """
    return 2 + 3 * len(parameters.layers) * parameters.activity_counters
