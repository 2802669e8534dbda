"""Row drivers of one layer's crossbar."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.interfaces.crossbar_port import CrossbarDriveSignature
from spikeloom.hw.interfaces.streams import copy_marks, request_layout, vector_layout
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.primitives.adder_tree import adder_tree

__all__ = ["DacDriver"]


class DacDriver(wiring.Component):
    """Drives the rows of a layer's crossbar with one vector, then asks for the columns to be converted.

    The rows are not stored here: they are the vector's, whose stream holds them still until it is taken, and it is
    taken when the drive ends. Only row tiles with a row code other than 0 are driven. A vector without any is silent:
    nothing is driven, and the request names no tile. Relies on the vector's `count` and `silent` to be those of its row
    codes: `silent` is looked at, and not all rows, where a ready depends on it.

    A vector starts only when `sampled` of the drive before has fallen, and only when the request before was taken, so
    that held samples are never overwritten while they are being converted. Programming is granted between vectors,
    before the next one, and never while `drive` or `sampled` is up; a layer without a programmer has nothing to grant.

    Parameters
    ----------
    parameters : LayerParameters of the layer
    pulse_cycles : cycles that `drive` is up at least, >= 1; longer if `sampled` is late

    Members
    -------
    i : In(stream of vector_layout), the layer's input of one read
    o : Out(stream of request_layout), the row tiles whose samples are to be converted
    xbar : Out(CrossbarDriveSignature), row side of the crossbar port
    program_request : In(1), the programmer wants the crossbar; held until it is done. Only with a programmer
    program_grant : Out(1), the crossbar is the programmer's. Only with a programmer
    pulse_event : Out(1), a drive starts; the two counts below are 0 in all other cycles
    pulse_count : Out(count_bits), rows that are driven
    tiles_read : Out(range(row_tiles + 1)), row tiles that are driven

    Cycles
    ------
    A vector that is seen in cycle 0 is driven in cycles 1 .. D, D = max(pulse_cycles, s), where s >= 1 is the cycle of
    the drive in which `sampled` is first up. It is taken in cycle D, and `o` is valid from cycle D + 1 on. A silent
    vector is taken in cycle 0, and `o` is valid from cycle 1 on. After the request is taken in cycle n, the next
    vector is seen in cycle n + 1, or when `sampled` has fallen.

    Raises
    ------
    TypeError, ValueError : pulse_cycles is not a positive integer
    """

    def __init__(self, *, parameters: LayerParameters, pulse_cycles: int) -> None:
        if isinstance(pulse_cycles, bool) or not isinstance(pulse_cycles, int):
            raise ArgumentTypeError(f"DacDriver pulse_cycles must be an integer, not {pulse_cycles!r}")
        if pulse_cycles < 1:
            raise SpikeLoomError(f"DacDriver pulse_cycles must be a positive integer, not {pulse_cycles!r}")
        self._parameters = parameters
        self._pulse_cycles = pulse_cycles
        super().__init__(
            {
                "i": In(stream.Signature(vector_layout(parameters))),
                "o": Out(stream.Signature(request_layout(parameters))),
                "xbar": Out(CrossbarDriveSignature(parameters)),
                **({"program_request": In(1), "program_grant": Out(1)} if parameters.programmer else {}),
                "pulse_event": Out(1),
                "pulse_count": Out(parameters.count_bits),
                "tiles_read": Out(range(parameters.row_tiles + 1)),
            }
        )

    @property
    def parameters(self) -> LayerParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    @property
    def pulse_cycles(self) -> int:
        """Shortest read pulse, clock cycles."""
        return self._pulse_cycles

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        tile_bits = self._parameters.tile_rows * self._parameters.row_bits
        rows = self.i.payload.rows

        active = Signal(self._parameters.row_tiles)
        tiles = Signal.like(self.o.payload.tiles)
        for tile in range(self._parameters.row_tiles):
            m.d.comb += active[tile].eq(rows[tile * tile_bits : (tile + 1) * tile_bits].any())

        drive = Signal()
        grant = Signal(name="grant") if self._parameters.programmer else None
        offered = Signal()
        timer = Signal(range(self._pulse_cycles))

        m.d.comb += [
            self.xbar.rows.eq(rows),
            self.xbar.tiles.eq(tiles),
            self.xbar.drive.eq(drive),
            self.o.payload.tiles.eq(tiles),
            self.o.valid.eq(offered),
        ]

        if grant is not None:
            m.d.comb += self.program_grant.eq(grant)

        def take_vector() -> None:
            """Accept the vector and offer its request from the next cycle on."""
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += [*copy_marks(self.o.payload, self.i.payload), offered.eq(1)]

        def start_drive() -> None:
            m.d.sync += [drive.eq(1), timer.eq(self._pulse_cycles - 1)]
            m.d.comb += [
                self.pulse_event.eq(1),
                self.pulse_count.eq(self.i.payload.count),
                self.tiles_read.eq(adder_tree(list(active))),
            ]

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += tiles.eq(active)
                with_vector = m.If
                if grant is not None:
                    with m.If(self.program_request):
                        with m.If(~self.xbar.sampled):
                            m.d.sync += grant.eq(1)
                            m.next = "PROGRAM"
                    with_vector = m.Elif
                with with_vector(self.i.valid):
                    with m.If(self.i.payload.silent):
                        take_vector()
                        m.next = "OFFER"
                    with m.Elif(~self.xbar.sampled):
                        start_drive()
                        m.next = "DRIVE"

            with m.State("DRIVE"):
                with m.If(timer != 0):
                    m.d.sync += timer.eq(timer - 1)
                with m.Elif(self.xbar.sampled):
                    take_vector()
                    m.d.sync += drive.eq(0)
                    m.next = "OFFER"

            with m.State("OFFER"):
                with m.If(self.o.ready):
                    m.d.sync += offered.eq(0)
                    m.next = "IDLE"

            if grant is not None:
                with m.State("PROGRAM"):
                    with m.If(~self.program_request):
                        m.d.sync += grant.eq(0)
                        m.next = "IDLE"

        return m
