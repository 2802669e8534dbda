"""Gathers a crossbar layer's input vectors from the feature maps (im2col), one output position after another."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.feature_maps.map_memory import MapReadSignature
from spikeloom.hw.feature_maps.window_walk import WindowWalk
from spikeloom.hw.interfaces.streams import copy_marks, step_layout, vector_layout
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.params.plan import MapShape, Window, shared_columns
from spikeloom.hw.primitives.adder_tree import adder_tree

__all__ = ["WindowScheduler"]


class WindowScheduler(wiring.Component):
    """Gathers the rows of every output position, once and in order, and counts those that are active.

    Rows of the crossbar: first window first, within a window dy slowest, then dx, then channel (`hw.params.plan`).
    Words outside of a map are 0 and are not read. The words come one per cycle, in the order of `WindowWalk`, each into
    a register of its own; a window that slides keeps the columns that it shares with the one before, moved to their new
    places. While the layer drives one vector, the next is gathered: a layer with several positions has its rows twice.

    Parameters
    ----------
    layer : LayerParameters of the layer; `inputs` and `positions` are the windows'
    windows : what the layer reads; several are a residual addition
    shapes : MapShape of each window's source
    buffered : whether a vector has a register, in which it holds still while the next is gathered; by default that of a
        layer with several positions. Without it, whoever takes the vectors needs one (`WindowDistributor`)

    Members
    -------
    i : In(stream of step_layout), the maps are complete; they stay as they are until `released`. A step is taken when
        all vectors of the one before have been
    map_<n> : Out(MapReadSignature), the map of window n
    released : Out(1), the step's last word is read in this cycle
    o : Out(stream of vector_layout), `positions` vectors per step

    Cycles
    ------
    With F_n words for position n (`hw.params.plan.window_words`) and `i` taken in cycle 0, the vector of position n is
    passed on in cycle C_n: C_0 = F_0 + 2, C_(n+1) = max(C_n + F_(n+1), cycle in which vector n is taken). It is offered
    in cycle C_n + 1, by a layer with a single position in cycle C_0. The last word of position n + 1 is read in cycle
    C_n + F_(n+1) - 2, but where it is the only one, in the cycle in which the last word of position n is accepted,
    which is F_0 + 1, and C_(n-1) + F_n - 1 for n > 0. The last of these cycles is that of `released`. Without a
    register, vector n is offered in the cycle in which it is complete, which is C_(n-1) + F_n, and C_n is the cycle in
    which it is taken.

    Raises
    ------
    ValueError : the layer is not that of the windows
    """

    def __init__(
        self,
        *,
        layer: LayerParameters,
        windows: Sequence[Window],
        shapes: Sequence[MapShape],
        buffered: bool | None = None,
    ) -> None:
        self._layer = layer
        self._buffered = layer.positions > 1 if buffered is None else buffered
        self._windows = tuple(windows)
        self._shapes = tuple(shapes)
        rows = sum(window.rows(shape) for window, shape in zip(windows, shapes, strict=True))
        height, width = windows[0].outputs(shapes[0])
        positions = height * width
        if (layer.inputs, layer.positions) != (rows, positions):
            raise SpikeLoomError(
                f"WindowScheduler's layer has {layer.inputs} rows at {layer.positions} positions, its windows {rows} "
                f"at {positions}"
            )
        super().__init__(
            {
                "i": In(stream.Signature(step_layout(layer))),
                **{f"map_{n}": Out(MapReadSignature(shape, layer.row_bits)) for n, shape in enumerate(shapes)},
                "released": Out(1),
                "o": Out(stream.Signature(vector_layout(layer))),
            }
        )

    @property
    def layer(self) -> LayerParameters:
        """Parameters of the layer that the vectors are for."""
        return self._layer

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that are gathered."""
        return self._windows

    @property
    def shapes(self) -> tuple[MapShape, ...]:
        """Shapes of the maps that the windows read."""
        return self._shapes

    @property
    def buffered(self) -> bool:
        """Whether an offered vector stays until the core takes it, while the next is gathered."""
        return self._buffered

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.walk = walk = WindowWalk(windows=self._windows, shapes=self._shapes)

        # A word is fetched, then it arrives; it waits there while the vector before is complete and not yet passed on.
        fetched = Signal()
        here = Signal.like(walk.o.payload)
        arrived = Signal()
        accept = Signal()
        complete = Signal()  # the registers hold a whole vector
        hand_on = Signal()
        marks = Signal(step_layout(self._layer))
        m.d.comb += [
            accept.eq(arrived & (~complete | hand_on)),
            walk.o.ready.eq(~arrived | accept),
            fetched.eq(walk.o.valid & walk.o.ready),
            self.released.eq(fetched & walk.o.payload.end),
            self.i.ready.eq(~(walk.o.valid | arrived | complete | self.o.valid)),
            walk.start.eq(self.i.valid & self.i.ready),
        ]
        with m.If(walk.start):
            m.d.sync += marks.eq(self.i.payload)
        with m.If(fetched):
            m.d.sync += [arrived.eq(1), here.eq(walk.o.payload)]
        with m.Elif(accept):
            m.d.sync += arrived.eq(0)
        with m.If(accept & here.closes):
            m.d.sync += complete.eq(1)
        with m.Elif(hand_on):
            m.d.sync += complete.eq(0)

        rows: list[Signal] = []
        counts: list[Signal] = []
        for number in range(len(self.windows)):
            port = getattr(self, f"map_{number}")
            m.d.comb += [
                port.address.eq(walk.o.payload.address),
                port.enable.eq(fetched & walk.o.payload.inside & (walk.o.payload.window == number)),
            ]
            window_rows, window_counts = self._registers(m, number, here, accept, hand_on)
            rows += window_rows
            counts += window_counts
        count = Signal.like(self.o.payload.count)
        m.d.comb += count.eq(adder_tree(counts))

        vector = self.o.payload
        whole = [vector.rows.eq(Cat(rows)), vector.count.eq(count), vector.silent.eq(count == 0)]
        whole += copy_marks(vector, marks)
        if self._layer.positions > 1:
            following = Signal.like(vector.position)  # position of the vector that is gathered
            whole.append(vector.position.eq(following))
            with m.If(hand_on):
                m.d.sync += following.eq(Mux(following == self._layer.positions - 1, 0, following + 1))
        if self._buffered:
            m.d.comb += hand_on.eq(complete & (~self.o.valid | self.o.ready))
            with m.If(hand_on):
                m.d.sync += [self.o.valid.eq(1), *whole]
            with m.Elif(self.o.ready):
                m.d.sync += self.o.valid.eq(0)
        else:
            m.d.comb += [hand_on.eq(complete & self.o.ready), self.o.valid.eq(complete), *whole]
        return m

    def _registers(
        self, m: Module, number: int, here: Value, accept: Value, hand_on: Value
    ) -> tuple[list[Signal], list[Signal]]:
        """Registers of a window's words, dy slowest, and the active rows of its columns (of all, if none is kept)."""
        window, data = self.windows[number], getattr(self, f"map_{number}").data
        height, width = window.kernel
        stride, kept = window.stride[1], shared_columns(window, self.shapes[number])
        bits = self._layer.row_bits
        mine, value = Signal(name=f"mine_{number}"), Signal.like(data, name=f"value_{number}")
        active = Signal(range(len(data) // bits + 1), name=f"active_{number}")
        codes = [value[start : start + bits].any() for start in range(0, len(data), bits)]
        m.d.comb += [
            mine.eq(accept & (here.window == number)),
            value.eq(Mux(here.inside, data, 0)),
            active.eq(adder_tree(codes)),
        ]

        rows = []
        words = {
            (dy, dx): Signal.like(data, name=f"word_{number}_{dy}_{dx}") for dy in range(height) for dx in range(width)
        }
        for (dy, dx), word in words.items():
            with m.If(mine & (here.row == dy) & (here.column == dx)):
                m.d.sync += word.eq(value)
            if dx < kept:
                with m.Elif(hand_on):
                    m.d.sync += word.eq(words[dy, dx + stride])
            rows.append(word)

        largest = height * width * self.shapes[number].channels
        if not kept:
            total = Signal(range(largest + 1), name=f"count_{number}")
            opens = (here.row == 0) & (here.column == 0)
            with m.If(mine):
                m.d.sync += total.eq(Mux(opens, 0, total) + active)
            return rows, [total]
        columns = [
            Signal(range(height * self.shapes[number].channels + 1), name=f"count_{number}_{dx}") for dx in range(width)
        ]
        for dx, column in enumerate(columns):
            with m.If(mine & (here.column == dx)):
                m.d.sync += column.eq(Mux(here.row == 0, 0, column) + active)
            if dx < kept:
                with m.Elif(hand_on):
                    m.d.sync += column.eq(columns[dx + stride])
        return rows, columns
