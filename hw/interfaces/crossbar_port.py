"""The only interface between the accelerator and the analog array."""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import In, Member, Out, Signature

from spikeloom.hw.params.parameters import LayerParameters

__all__ = [
    "AMPLITUDE_BITS",
    "CELL_CODE_BITS",
    "CELL_FRACTION_BITS",
    "CrossbarConvertSignature",
    "CrossbarDriveSignature",
    "CrossbarProgramSignature",
    "CrossbarSignature",
    "MacroSignature",
    "answer_layout",
    "operation_layout",
]

CELL_FRACTION_BITS = 3
"""A cell's conductance is told in 1/8 of a level."""

CELL_CODE_BITS = 10
"""Bits of a conductance: 0 .. 1023 eighths of a level above the lowest conductance."""

AMPLITUDE_BITS = 8
"""Bits of a pulse's amplitude, in 1/8 of a level of nominal change."""


def _drive_members(parameters: LayerParameters) -> dict[str, Member]:
    return {
        "rows": Out(unsigned(parameters.inputs * parameters.row_bits)),
        "tiles": Out(unsigned(parameters.row_tiles)),
        "drive": Out(1),
        "sampled": In(1),
    }


def _convert_members(parameters: LayerParameters) -> dict[str, Member]:
    return {
        "column": Out(unsigned(parameters.group_bits)),
        "convert": Out(1),
        "codes": In(data.ArrayLayout(signed(parameters.code_bits), parameters.row_tiles * parameters.lanes)),
        "over": In(unsigned(parameters.row_tiles * parameters.lanes)),
        "done": In(1),
    }


def _program_members(parameters: LayerParameters) -> dict[str, Member]:
    tiles = parameters.row_tiles
    return {
        "program_cell": Out(1),
        "program_pulse": Out(1),
        "program_row": Out(unsigned(max(1, (parameters.tile_rows - 1).bit_length()))),
        "program_column": Out(unsigned(max(1, (parameters.outputs - 1).bit_length()))),
        "program_side": Out(1),
        "program_tiles": Out(unsigned(tiles)),
        "program_up": Out(unsigned(tiles)),
        "program_amplitudes": Out(data.ArrayLayout(unsigned(AMPLITUDE_BITS), tiles)),
        "program_done": In(1),
        "program_codes": In(data.ArrayLayout(unsigned(CELL_CODE_BITS), tiles)),
    }


def answer_layout(parameters: LayerParameters) -> data.StructLayout:
    """What a conversion answers for a column group: codes and over-range flags of every row tile and lane."""
    members = _convert_members(parameters)
    return data.StructLayout({name: members[name].shape for name in ("codes", "over")})


def operation_layout(parameters: LayerParameters) -> data.StructLayout:
    """What a programming operation asks for."""
    members = _program_members(parameters)
    names = ("pulse", "side", "row", "column", "tiles", "up", "amplitudes")
    return data.StructLayout({name: members[f"program_{name}"].shape for name in names})


class CrossbarDriveSignature(Signature):
    """Row side of a layer's crossbar, as seen from the DAC driver.

    Members
    -------
    rows : Out(inputs * row_bits), row codes, row 0 lowest; stable while `drive`
    tiles : Out(row_tiles), the row tiles that are driven; stable while `drive`
    drive : Out(1), the row drivers are on
    sampled : In(1), the macro holds the settled column currents of this drive

    Handshake (four phases): drive rises, sampled rises after the macro's own settling time, drive falls, sampled falls.
    The samples are held until the next drive.
    """

    def __init__(self, parameters: LayerParameters) -> None:
        super().__init__(_drive_members(parameters))


class CrossbarConvertSignature(Signature):
    """Column side of a layer's crossbar, as seen from the column readout.

    Members
    -------
    column : Out(group_bits), column group to convert; stable while `convert` waits for `done`
    convert : Out(1), start and keep converting
    codes : In(row_tiles * lanes signed codes), index tile * lanes + lane; valid with `done`
    over : In(row_tiles * lanes), the code was clipped; valid with `done`
    done : In(1), the conversion of `column` is complete; a cycle with convert and done transfers the codes
    """

    def __init__(self, parameters: LayerParameters) -> None:
        super().__init__(_convert_members(parameters))


class CrossbarProgramSignature(Signature):
    """Programming side of a layer's crossbar, as seen from the programmer.

    One operation works on the same cell of several row tiles: a pulse that moves its conductance, or a verify read.

    Members
    -------
    program_cell : Out(1), an operation is wanted; held, with all below stable, until `program_done`
    program_pulse : Out(1), 1 for a pulse, 0 for a verify read
    program_row : Out(bits of tile_rows - 1), row in the tile: row `tile * tile_rows + program_row` of the layer
    program_column : Out(bits of outputs - 1), column of the layer
    program_side : Out(1), 0 the cell of the positive array, 1 that of the negative one
    program_tiles : Out(row_tiles), the row tiles that take part; never none, and all of them have that row
    program_up : Out(row_tiles), direction of each tile's pulse: 1 raises the conductance
    program_amplitudes : Out(row_tiles amplitudes of 8 bits), nominal change of each tile's pulse in 1/8 of a level
    program_done : In(1), a cycle with program_cell and program_done completes the operation
    program_codes : In(row_tiles codes of 10 bits), with `program_done` of a verify read: (G - G_min) / dG * 8, rounded
        half to even, clipped to 0 .. 1023; 0 for tiles that take no part

    Handshake: like convert and done. `program_done` may come in the first cycle, and the next operation may follow in
    the cycle after it. `program_cell` is never up together with `drive` or `sampled`. An operation that is withdrawn
    before `program_done` (a reset) may or may not have happened.
    """

    def __init__(self, parameters: LayerParameters) -> None:
        super().__init__(_program_members(parameters))


class MacroSignature(Signature):
    """All that a layer's macro has: the members of all sides, whether or not the unit uses them."""

    def __init__(self, parameters: LayerParameters) -> None:
        super().__init__({**_drive_members(parameters), **_convert_members(parameters), **_program_members(parameters)})


class CrossbarSignature(Signature):
    """All of a layer's `CrossbarPort`: the members of all sides, without the programming side where the unit has no
    programmers.

    All inputs are sampled by the unit's clock, without a synchroniser: `sampled`, `done` and `program_done`, and the
    data beside them, must be synchronous to it.
    """

    def __init__(self, parameters: LayerParameters) -> None:
        programming = _program_members(parameters) if parameters.programmer else {}
        super().__init__({**_drive_members(parameters), **_convert_members(parameters), **programming})
