"""Order in which the words of windows are read: every window once, in order, with addresses inside the map."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.feature_maps.map_memory import address_bits
from spikeloom.hw.params.plan import MapShape, Window, shared_columns

__all__ = ["WindowWalk", "walk_layout"]


def _bits(largest: int) -> int:
    return max(1, largest.bit_length())


def walk_layout(windows: Sequence[Window], shapes: Sequence[MapShape]) -> data.StructLayout:
    """One word of a window, and its place.

    position : output position, row-major
    window : number of the window, where several are joined
    row, column : dy and dx in the window
    inside : the word lies in the map; if not, it is padding
    address : its position in the map; any if not `inside`
    opens, closes : first and last word that is read for this position
    end : last word of the step
    """
    height, width = windows[0].outputs(shapes[0])
    return data.StructLayout(
        {
            "position": unsigned(_bits(height * width - 1)),
            "window": unsigned(_bits(len(windows) - 1)),
            "row": unsigned(_bits(max(window.kernel[0] for window in windows) - 1)),
            "column": unsigned(_bits(max(window.kernel[1] for window in windows) - 1)),
            "inside": unsigned(1),
            "address": unsigned(max(address_bits(shape) for shape in shapes)),
            "opens": unsigned(1),
            "closes": unsigned(1),
            "end": unsigned(1),
        }
    )


class WindowWalk(wiring.Component):
    """Goes through the words of a stage's windows: positions row-major, windows in order, dy slowest, then dx.

    A window keeps the columns that it shares with the window on its left (`shared_columns`): they are passed over, but
    for the first position of a line. Padding is passed word by word like the rest, and is not `inside`.

    Cycles: a word per cycle; after `start` in cycle 0, the first is on offer in cycle 1. A step has height * (first +
    (width - 1) * other) words, with the two numbers of `hw.params.plan.window_words`.

    Parameters
    ----------
    windows : of the stage, with one output height and width
    shapes : MapShape of each window's source

    Members
    -------
    start : In(1), begin a step; only while no word is on offer
    o : Out(stream of walk_layout)
    """

    def __init__(self, *, windows: Sequence[Window], shapes: Sequence[MapShape]) -> None:
        self._windows = tuple(windows)
        self._shapes = tuple(shapes)
        sizes = {window.outputs(shape) for window, shape in zip(self._windows, self._shapes, strict=True)}
        if len(sizes) != 1:
            raise SpikeLoomError(f"Windows of one stage must have one number of positions, not {sorted(sizes)}")
        ((self._height, self._width),) = sizes
        super().__init__({"start": In(1), "o": Out(stream.Signature(walk_layout(self._windows, self._shapes)))})

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that are walked."""
        return self._windows

    @property
    def shapes(self) -> tuple[MapShape, ...]:
        """Shapes of the maps that the windows read."""
        return self._shapes

    @property
    def height(self) -> int:
        """Lines of output positions."""
        return self._height

    @property
    def width(self) -> int:
        """Output positions per line."""
        return self._width

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        word = self.o.payload
        y = Signal(range(max(2, self._height)))
        x = Signal(range(max(2, self._width)))
        position = Signal.like(word.position)
        window = Signal.like(word.window)
        row = Signal.like(word.row)
        column = Signal.like(word.column)
        busy = Signal()

        # What the current window says: where its columns begin and end, its last row, the place of the word, and where
        # the columns of the next window begin.
        here = Signal.like(column)
        following = Signal.like(column)
        last_row, last_column, closes = Signal(), Signal(), Signal()
        last_window, last_x, last_y = Signal(), Signal(), Signal()
        kept = [shared_columns(*pair) for pair in zip(self._windows, self._shapes, strict=True)]
        begins = [Mux(x == 0, 0, columns) if columns else Const(0) for columns in kept]
        m.d.comb += [
            last_window.eq(window == len(self._windows) - 1),
            last_x.eq(x == self._width - 1),
            last_y.eq(y == self._height - 1),
        ]
        with m.Switch(window):
            for number, w in enumerate(self._windows):
                with m.Case(number) if number < len(self._windows) - 1 else m.Default():
                    inside, address = self._place(number, y, x, row, column)
                    m.d.comb += [
                        here.eq(begins[number]),
                        last_row.eq(row == w.kernel[0] - 1),
                        last_column.eq(column == w.kernel[1] - 1),
                        word.inside.eq(inside),
                        word.address.eq(address),
                        following.eq(begins[number + 1] if number < len(self._windows) - 1 else 0),
                    ]
        m.d.comb += [
            self.o.valid.eq(busy),
            word.position.eq(position),
            word.window.eq(window),
            word.row.eq(row),
            word.column.eq(column),
            word.opens.eq((window == 0) & (row == 0) & (column == begins[0])),
            closes.eq(last_row & last_column & last_window),
            word.closes.eq(closes),
            word.end.eq(closes & last_x & last_y),
        ]

        with m.If(self.start):
            m.d.sync += busy.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += column.eq(column + 1)
            with m.If(last_column):
                m.d.sync += [column.eq(here), row.eq(row + 1)]
                with m.If(last_row):
                    m.d.sync += [row.eq(0), window.eq(window + 1), column.eq(following)]
                    with m.If(last_window):
                        m.d.sync += [window.eq(0), column.eq(Mux(last_x, 0, kept[0]))]
                        m.d.sync += [position.eq(position + 1), x.eq(x + 1)]
                        with m.If(last_x):
                            m.d.sync += [x.eq(0), y.eq(y + 1)]
                            with m.If(last_y):
                                m.d.sync += [y.eq(0), position.eq(0), busy.eq(0)]
        return m

    def _place(self, number: int, y: Value, x: Value, row: Value, column: Value) -> tuple[Value, Value]:
        """Whether a word of window `number` lies in its map, and its position there."""
        window, shape = self._windows[number], self._shapes[number]
        inside, places = [], []
        for outputs, size, kernel, stride, padding, at, offset in zip(
            (self._height, self._width),
            (shape.height, shape.width),
            window.kernel,
            window.stride,
            window.padding,
            (y, x),
            (row, column),
            strict=True,
        ):
            padded = (at * stride if stride > 1 else at) + offset  # counted from the padding's edge
            if padding:
                inside.append(padded >= padding)
            if (outputs - 1) * stride + kernel > size + padding:
                inside.append(padded < size + padding)
            places.append(padded - padding if padding else padded)
        return (Cat(inside).all() if inside else Const(1)), places[0] * shape.width + places[1]
