"""Column side of one layer's crossbar: ADC lanes, and the sums over its row tiles."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.crossbar_port import CrossbarConvertSignature
from spikeloom.hw.interfaces.streams import copy_marks, request_layout, sums_layout
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.primitives.adder_tree import adder_tree

__all__ = ["ColumnReadout"]


class ColumnReadout(wiring.Component):
    """Has the sampled columns converted, a group of `lanes` columns at a time, and adds up the row tiles' codes.

    Every request gives the groups 0 .. groups - 1 in order. The sum of a column is the sum of the codes of the row
    tiles that the request names, shifted left by `gain`: back in units of one conductance step. A request without
    tiles converts nothing and gives sums of 0. Lanes of the last group that have no column give 0 too.

    The request is taken together with its last group, so that the row driver cannot drive while samples are needed.

    Parameters
    ----------
    parameters : LayerParameters of the layer

    Members
    -------
    i : In(stream of request_layout), tiles to convert
    o : Out(stream of sums_layout), one column group per transfer
    xbar : Out(CrossbarConvertSignature), column side of the crossbar port
    gain : In(gain_bits), gain shift g of the layer, 0 .. max_gain_shift; changed only between images
    converted : Out(range(row_tiles * lanes + 1)), ADC conversions that ended in the cycle before
    saturated : Out(range(row_tiles * lanes + 1)), those of them whose code was clipped

    Cycles
    ------
    A request that is seen in cycle 0 has its group 0 converted from cycle 0 on. If the macro is done with each group a
    cycles after its first cycle (a = 0: in the same cycle) and `o.ready` is up, group j is delivered in cycle
    (j + 1) * (a + 1), and the request is taken with the last one, in cycle groups * (a + 1). A request without tiles:
    the same with a = 0. The next request is seen one cycle later.
    """

    def __init__(self, *, parameters: LayerParameters) -> None:
        self._parameters = parameters
        conversions = range(parameters.row_tiles * parameters.lanes + 1)
        super().__init__(
            {
                "i": In(stream.Signature(request_layout(parameters))),
                "o": Out(stream.Signature(sums_layout(parameters))),
                "xbar": Out(CrossbarConvertSignature(parameters)),
                "gain": In(parameters.gain_bits),
                "converted": Out(conversions),
                "saturated": Out(conversions),
            }
        )

    @property
    def parameters(self) -> LayerParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        parameters = self._parameters
        lanes, groups, tiles = parameters.lanes, parameters.groups, self.i.payload.tiles
        last_lanes = parameters.outputs - (groups - 1) * lanes

        group = Signal(parameters.group_bits)  # to convert next
        last = Signal()
        all_taken = Signal()  # the last group is on offer, or about to be delivered
        offered = Signal()
        free = Signal()  # the output register can be written
        take = Signal()
        m.d.comb += [
            last.eq(group == groups - 1),
            free.eq(self.i.valid & ~all_taken & (~offered | self.o.ready)),
            self.xbar.column.eq(group),
            self.xbar.convert.eq(free & tiles.any()),
            take.eq(free & (~tiles.any() | self.xbar.done)),
            self.o.valid.eq(offered),
            *copy_marks(self.o.payload, self.i.payload),
            self.i.ready.eq(all_taken & self.o.ready),
        ]

        with m.If(take):
            m.d.sync += [offered.eq(1), all_taken.eq(last), group.eq(Mux(last, 0, group + 1))]
            m.d.sync += self.o.payload.group.eq(group)
        with m.Elif(self.o.ready):
            m.d.sync += [offered.eq(0), all_taken.eq(0)]

        converting = Signal()
        counting = Signal()  # conversions ended in the cycle before; their request is still there
        there: Value = Const((1 << lanes) - 1, lanes)  # lanes with a column
        if last_lanes < lanes:
            there = Signal(lanes, name="there")
            m.d.comb += there.eq(Mux(last, (1 << last_lanes) - 1, (1 << lanes) - 1))
        totals, saturated = [], []
        for lane in range(lanes):
            codes = [self._code(tile, lane) for tile in range(parameters.row_tiles)]
            masks = [tiles[tile] & there[lane] for tile in range(parameters.row_tiles)]
            over = [self.xbar.over[tile * lanes + lane] for tile in range(parameters.row_tiles)]
            totals.append(adder_tree([Mux(mask, code, 0) for mask, code in zip(masks, codes, strict=True)]))
            clipped = Signal(range(parameters.row_tiles + 1), name=f"clipped_{lane}")
            flags = [mask & flag for mask, flag in zip(masks, over, strict=True)]
            m.d.sync += clipped.eq(Mux(converting, adder_tree(flags), 0))
            saturated.append(clipped)
        for lane, total in enumerate(totals):
            with m.If(take):
                m.d.sync += self.o.payload.sums[lane].eq(total << self.gain)

        m.d.comb += [
            converting.eq(self.xbar.convert & self.xbar.done),
            self.saturated.eq(adder_tree(saturated)),
        ]
        m.d.sync += counting.eq(converting)
        with m.If(counting):
            m.d.comb += self.converted.eq(adder_tree(list(tiles)) * Mux(all_taken, last_lanes, lanes))
        return m

    def _code(self, tile: int, lane: int) -> Value:
        return self.xbar.codes[tile * self._parameters.lanes + lane]
