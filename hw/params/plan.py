"""Feature maps and windows: what every stage reads, and from where.

A map is what a stage makes in one step: channels at positions, height x width of them; position y * width + x. Map 0 is
the image, map s + 1 what stage s makes. A stage is a crossbar that is read once for every position of its output map,
or a pooling unit. A window says which values of a map a crossbar's rows carry at an output position (y, x):

    value of channel c at (y * stride_y - padding_y + dy, x * stride_x - padding_x + dx)    dy, dx = 0 .. kernel - 1

and 0 outside the map. A dense layer's window is the whole map, at one position. Rows of a crossbar: first window first,
within a window dy slowest, then dx, then c. Two windows of one crossbar are a join: a residual connection's rows lie
beneath those of the layer that it joins [WS 4.5, Fig. 6]. A pixel of the image is number (c * height + y) * width + x.

A crossbar stage may have n copies: n layers of the unit that follow one another, with equal weights, each on cells of
its own. Position p of the stage is done by copy p % n, as that copy's own position p // n. For everything that is
addressed by layer (weights, registers, programming, noise, activity) a copy is a layer.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spikeloom.hw.errors import SpikeLoomError

__all__ = [
    "CrossbarStage", "MapShape", "Place", "Plan", "PoolStage", "Pooling", "Stage", "Window", "kept_columns",
    "window_words",
]  # fmt: skip

Pair = tuple[int, int]


class Pooling(enum.IntEnum):
    """MAX passes the spikes of the input with the largest weighted count so far, that of this step included, the first
    of equals [WS 4.5]; AVERAGE integrates the weighted spikes of its window and fires at the window's size, which is
    subtracted.
    """

    MAX = 0
    AVERAGE = 1


@dataclass(frozen=True, kw_only=True)
class MapShape:
    """Channels at height x width positions."""

    channels: int
    height: int = 1
    width: int = 1

    def __post_init__(self) -> None:
        for name in ("channels", "height", "width"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SpikeLoomError(f"Map {name} must be a positive integer, not {value!r}")

    @property
    def positions(self) -> int:
        return self.height * self.width

    @property
    def size(self) -> int:
        """Values of the map."""
        return self.channels * self.positions


@dataclass(frozen=True, kw_only=True)
class Window:
    """What of map `source` is read at an output position; pairs are (vertical, horizontal)."""

    source: int
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    def __post_init__(self) -> None:
        for name, least in (("kernel", 1), ("stride", 1), ("padding", 0)):
            pair = getattr(self, name)
            if (
                not isinstance(pair, tuple)
                or len(pair) != 2
                or not all(isinstance(v, int) and v >= least for v in pair)
            ):
                raise SpikeLoomError(f"Window {name} must be two integers of at least {least}, not {pair!r}")
        if any(p >= k for p, k in zip(self.padding, self.kernel, strict=True)):
            raise SpikeLoomError(f"Window padding {self.padding} must be below the kernel {self.kernel}")

    def rows(self, shape: MapShape) -> int:
        """Crossbar rows that the window takes."""
        return shape.channels * self.kernel[0] * self.kernel[1]

    def outputs(self, shape: MapShape) -> Pair:
        """Output positions, (height, width). Raises `ValueError` where the kernel is larger than the padded map."""
        sizes = (shape.height, shape.width)
        places = tuple(
            (size + 2 * padding - kernel) // stride + 1
            for size, kernel, stride, padding in zip(sizes, self.kernel, self.stride, self.padding, strict=True)
        )
        if min(places) < 1:
            raise SpikeLoomError(
                f"A window of {self.kernel} does not fit into a map of {sizes} with padding {self.padding}"
            )
        return places[0], places[1]

    @classmethod
    def whole(cls, source: int, shape: MapShape) -> Window:
        """The window of a dense layer."""
        return cls(source=source, kernel=(shape.height, shape.width))


def kept_columns(window: Window, shape: MapShape) -> int:
    """Columns that a window shares with the one on its left, if there is one: they are not read again."""
    return max(0, window.kernel[1] - window.stride[1]) if window.outputs(shape)[1] > 1 else 0


def window_words(windows: Sequence[Window], shapes: Sequence[MapShape]) -> tuple[int, int]:
    """Words read for the first position of a line, and for each of the others."""
    first = sum(window.kernel[0] * window.kernel[1] for window in windows)
    kept = (window.kernel[0] * kept_columns(window, shape) for window, shape in zip(windows, shapes, strict=True))
    return first, first - sum(kept)


@dataclass(frozen=True, kw_only=True)
class CrossbarStage:
    """A crossbar, read once an output position.

    layer : number in the unit; that of the first copy
    windows : what it reads
    copies : crossbars with these weights, layers `layer` .. `layer + copies - 1`, which take positions in turn
    """

    layer: int
    windows: tuple[Window, ...]
    copies: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.copies, bool) or not isinstance(self.copies, int) or self.copies < 1:
            raise SpikeLoomError(f"Copies of a crossbar stage must be a positive integer, not {self.copies!r}")

    @property
    def layers(self) -> range:
        """Layers of its copies."""
        return range(self.layer, self.layer + self.copies)


@dataclass(frozen=True, kw_only=True)
class PoolStage:
    """Pooling of each channel on its own; the window's stride is its kernel, and it has no padding.

    start : AVERAGE's sums at an image's start, 0 .. window size - 1, in units of the last phase
    """

    kind: Pooling
    window: Window
    start: int = 0

    @property
    def windows(self) -> tuple[Window, ...]:
        return (self.window,)


Stage = CrossbarStage | PoolStage


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a layer of the unit is in the plan: copy `copy` of stage `number`, with `positions` positions of its own."""

    number: int
    stage: CrossbarStage
    copy: int
    positions: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All stages, first to last; the last is a crossbar with a single position: one output per class.

    Parameters
    ----------
    image : shape of the image
    stages : each reads maps made before it; every map but the last is read
    channels : output channels of every layer; those of copies are equal

    Raises `ValueError`, with the stage's number, for a plan that is not of this kind.
    """

    image: MapShape
    stages: tuple[Stage, ...]
    channels: tuple[int, ...]

    def __post_init__(self) -> None:
        maps = [self.image]
        read: set[int] = set()
        layers = 0
        for number, stage in enumerate(self.stages):
            where = f"Stage {number}"
            windows = stage.windows
            if not windows:
                raise SpikeLoomError(f"{where} has no window")
            for window in windows:
                if not 0 <= window.source <= number:
                    raise SpikeLoomError(
                        f"{where} reads map {window.source}, and only maps 0 .. {number} are made before it"
                    )
            read.update(window.source for window in windows)
            sizes = {window.outputs(maps[window.source]) for window in windows}
            if len(sizes) > 1:
                raise SpikeLoomError(f"{where} joins windows with different numbers of positions, {sorted(sizes)}")
            height, width = sizes.pop()
            if isinstance(stage, CrossbarStage):
                if stage.layer != layers or layers >= len(self.channels):
                    raise SpikeLoomError(f"{where} is layer {stage.layer}; layers must come in order, each once")
                channels = self.channels[layers]
                _check_copies(where, stage, height * width, self.channels)
                layers += stage.copies
            else:
                channels = maps[stage.window.source].channels
                _check_pool(where, stage)
            maps.append(MapShape(channels=channels, height=height, width=width))
        if layers != len(self.channels) or not self.stages:
            raise SpikeLoomError(f"The plan's crossbar stages make {layers} layers, but there are {len(self.channels)}")
        if not isinstance(self.stages[-1], CrossbarStage) or maps[-1].positions != 1:
            raise SpikeLoomError("The last stage must be a crossbar with a single position")
        unread = sorted(set(range(len(maps) - 1)) - read)
        if unread:
            raise SpikeLoomError(f"Map {unread[0]} is not read by any stage")
        object.__setattr__(self, "_maps", tuple(maps))

    @property
    def maps(self) -> tuple[MapShape, ...]:
        """Shape of every map: the image, then that of each stage."""
        return self._maps  # type: ignore[attr-defined,no-any-return]

    @property
    def crossbars(self) -> tuple[tuple[int, CrossbarStage], ...]:
        """(number of the stage, stage) of every crossbar stage, first to last."""
        return tuple((n, stage) for n, stage in enumerate(self.stages) if isinstance(stage, CrossbarStage))

    @property
    def places(self) -> tuple[Place, ...]:
        """Where every layer of the unit is in the plan, copies one by one."""
        return tuple(
            Place(
                number=number,
                stage=stage,
                copy=copy,
                positions=len(range(copy, self.maps[number + 1].positions, stage.copies)),
            )
            for number, stage in self.crossbars
            for copy in range(stage.copies)
        )

    def with_copies(self, copies: Sequence[int]) -> Plan:
        """The plan with so many copies of every crossbar stage, whatever it had before; `ValueError` if they do not
        fit.
        """
        if len(copies) != len(self.crossbars):
            raise SpikeLoomError(f"{len(copies)} numbers of copies are given for {len(self.crossbars)} crossbar stages")
        counts = iter(copies)
        stages: list[Stage] = []
        channels: list[int] = []
        for stage in self.stages:
            if isinstance(stage, CrossbarStage):
                made = self.channels[stage.layer]
                stage = replace(stage, layer=len(channels), copies=next(counts))
                channels += [made] * stage.copies
            stages.append(stage)
        return Plan(image=self.image, stages=tuple(stages), channels=tuple(channels))

    @property
    def plain(self) -> bool:
        """Whether the network is a chain of dense layers on single positions, which needs no map memory."""
        return all(shape.positions == 1 for shape in self.maps) and all(
            isinstance(stage, CrossbarStage) and stage.windows == (Window(source=n),)
            for n, stage in enumerate(self.stages)
        )

    def sources(self, stage: Stage) -> tuple[MapShape, ...]:
        """Shape of the map that each window of a stage reads."""
        return tuple(self.maps[window.source] for window in stage.windows)

    def rows(self, stage: CrossbarStage) -> int:
        """Rows of a stage's crossbar."""
        return sum(window.rows(self.maps[window.source]) for window in stage.windows)

    @classmethod
    def dense(cls, sizes: tuple[int, ...]) -> Plan:
        """A chain of dense layers; sizes: inputs, then outputs of every layer."""
        stages = tuple(CrossbarStage(layer=n, windows=(Window(source=n),)) for n in range(len(sizes) - 1))
        return cls(image=MapShape(channels=sizes[0]), stages=stages, channels=tuple(sizes[1:]))


def _check_copies(where: str, stage: CrossbarStage, positions: int, channels: tuple[int, ...]) -> None:
    if stage.copies > positions:
        raise SpikeLoomError(f"{where} has {stage.copies} copies, and only {positions} positions for them")
    made = channels[stage.layer : stage.layer + stage.copies]
    if len(set(made)) > 1:
        raise SpikeLoomError(f"{where} has copies with different numbers of channels, {list(made)}")


def _check_pool(where: str, stage: PoolStage) -> None:
    window = stage.window
    if window.stride != window.kernel or window.padding != (0, 0):
        raise SpikeLoomError(
            f"{where} pools windows of {window.kernel} with stride {window.stride} and padding {window.padding}; the "
            "stride must be the window and the padding 0"
        )
    size = window.kernel[0] * window.kernel[1]
    if not 0 <= stage.start < size:
        raise SpikeLoomError(f"{where} starts at {stage.start}, which must be in 0 .. {size - 1}")
