"""The one interface between the digital unit and the analog array."""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, Signature

from hw.params import LayerParameters

__all__ = ["CrossbarConvertSignature", "CrossbarDriveSignature", "CrossbarSignature"]


def _drive_members(parameters: LayerParameters) -> dict:
    return {
        "rows": Out(unsigned(parameters.inputs * parameters.row_bits)),
        "tiles": Out(unsigned(parameters.row_tiles)),
        "drive": Out(1),
        "sampled": In(1),
    }


def _convert_members(parameters: LayerParameters) -> dict:
    return {
        "column": Out(unsigned(parameters.group_bits)),
        "convert": Out(1),
        "codes": In(data.ArrayLayout(signed(parameters.code_bits), parameters.row_tiles * parameters.lanes)),
        "over": In(unsigned(parameters.row_tiles * parameters.lanes)),
        "done": In(1),
    }


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


class CrossbarSignature(Signature):
    """All of a layer's `CrossbarPort`: the members of both sides."""

    def __init__(self, parameters: LayerParameters) -> None:
        super().__init__({**_drive_members(parameters), **_convert_members(parameters)})
