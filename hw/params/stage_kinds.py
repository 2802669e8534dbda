"""Kinds of stages: what a stage of a plan is, and where all kinds are registered.

A kind is one class, which knows its parameters, its checks, its words in the plan, what it keeps and the clock cycles
it takes. What else a kind has belongs to other floors, and is registered there by the class (`hw.params.parts`): the
hardware unit in `hw.feature_maps.stages`, the reference in `sim.reference.stages`, energy in `sim.estimates.stages`,
real numbers in `sw.ir.stages`. docs/extending.md says how to add a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.hw.params.registration import NAME, Attribute, Registration, is_whole
from spikeloom.hw.params.window_cycles import Columns, Macro, layer_cycles, output_cycles
from spikeloom.hw.params.windows import MapShape, Window

__all__ = [
    "STAGES", "STAGE_KIND", "AveragePoolStage", "CrossbarStage", "MaxPoolStage", "PoolStage", "Stage", "StageKinds",
]  # fmt: skip


class Stage:
    """A stage of a plan; a kind is a frozen dataclass derived from it, with fields of its own.

    name : in weight images, configurations and figures
    code : in the plan's words, 0 .. 255 (`hw.host.plan_words`)
    title : in reports, "" for stages that have their layer's name
    windows : what it reads
    replicas : crossbars that take its positions in turn, and banks of its map; 1 for anything but a crossbar
    """

    name: ClassVar[str]
    code: ClassVar[int]
    title: ClassVar[str] = ""

    if TYPE_CHECKING:  # fields or properties, as a kind has them

        @property
        def windows(self) -> tuple[Window, ...]:
            """The windows that it reads."""
            ...

        @property
        def replicas(self) -> int:
            """Crossbars that share its positions."""
            ...
    else:
        replicas = 1

    @property
    def layers(self) -> range:
        """Layers of the unit that it is; none but for crossbars."""
        return range(0)

    def check(self, where: str, layers: int, positions: int, channels: tuple[int, ...]) -> None:
        """Raise `ValueError`, naming `where`, for parameters that do not fit.

        layers : of all stages before it
        positions : of the map it makes
        channels : of every layer of the plan
        """

    def makes(self, sources: Sequence[MapShape], channels: tuple[int, ...]) -> int:
        """Channels of the map it makes; sources : of its windows, channels : of every layer of the plan."""
        raise NotImplementedError

    def started(self, share: float) -> Stage:
        """The stage with what it keeps at this share of a threshold at an image's start."""
        return self

    def number(self, channels: tuple[int, ...]) -> int:
        """Its own word of the plan, 0 .. 2^32 - 1."""
        raise NotImplementedError

    @classmethod
    def of_words(cls, number: int, windows: tuple[Window, ...], replicas: int, layer: int) -> Self | None:
        """The stage of these words, None for windows or replicas that it cannot have; layer : the next one's number."""
        raise NotImplementedError

    def cycles(
        self,
        words: Sequence[int],
        layers: Sequence[Columns],
        active: Sequence[Sequence[bool]],
        macro: Macro,
        *,
        last: bool,
        skipped: bool,
    ) -> tuple[int, int]:
        """Clock cycles of a step, from that in which it gets it: in which its last word is read, and in which it passes
        the step on.

        words : read for each of its positions
        layers : of the unit
        active : for every layer and position of its own: the window has a spike
        last, skipped : it is the plan's last stage; the last layer is not run
        """
        raise NotImplementedError

    def token(self, output: MapShape, sources: Sequence[MapShape]) -> str:
        """The stage in the line of a network, such as "12c5"; output, sources : the maps it makes and reads."""
        raise NotImplementedError


S = TypeVar("S", bound=type[Stage])
_CODE = Attribute("code", lambda value: is_whole(value) and 0 <= value <= 255, "a whole number in 0 .. 255")
STAGE_KIND = Registration("stage kind", Stage, objects=False, attributes=(NAME, _CODE))
"""What is registered in `STAGES`, and has parts (`hw.params.parts`)."""


class StageKinds:
    """All kinds of stages, in the order in which they were added: iterable, and found by name or code."""

    what, group = "stage kind", "spikeloom.stages"

    def __init__(self) -> None:
        self._kinds: dict[str, type[Stage]] = {}

    def register(self, kind: S) -> S:
        """Add a kind; also as a decorator. A class that is registered already is not added again.

        Raises `ValueError` for what is no such class, and for a name or a code that is taken.
        """
        STAGE_KIND.check(kind)
        if self._kinds.get(kind.name) is kind:
            return kind
        for other in self._kinds.values():
            if kind.name == other.name or kind.code == other.code:
                raise SpikeLoomError(
                    f"There is a stage kind '{other.name}' of code {other.code} already; give {kind.__name__} another "
                    "name and code"
                )
        self._kinds[kind.name] = kind
        return kind

    def remove(self, name: str) -> None:
        """Take away a kind that was registered from outside; those of the source tree stay."""
        if self._kinds[name].__module__.startswith("spikeloom."):
            raise SpikeLoomError(f"The stage kind '{name}' is built in and cannot be removed")
        del self._kinds[name]

    def __iter__(self) -> Iterator[type[Stage]]:
        load_plugins(self.group)
        return iter(tuple(self._kinds.values()))

    def __getitem__(self, key: str | int) -> type[Stage]:
        """The kind of a name, or with a code. Raises `ValueError` if there is none."""
        found = next((kind for kind in self if key in (kind.name, kind.code)), None)
        if found is None:
            known = ", ".join(f"{kind.code} {kind.name}" for kind in self)
            raise SpikeLoomError(f"{key!r:.60} is not a stage kind: there are {known}")
        return found

    def where(self, condition: Callable[[type[Stage]], bool]) -> list[str]:
        """Names of the kinds for which a condition holds."""
        return [kind.name for kind in self if condition(kind)]


STAGES = StageKinds()
"""All kinds of stages."""


@STAGES.register
@dataclass(frozen=True, kw_only=True)
class CrossbarStage(Stage):
    """A crossbar, read once per output position.

    layer : number in the unit; that of the first replica
    windows : what it reads
    replicas : crossbars with these weights, layers `layer` .. `layer + replicas - 1`, which take positions in turn
    """

    name = "crossbar"
    code = 0

    layer: int
    windows: tuple[Window, ...]
    replicas: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.replicas, bool) or not isinstance(self.replicas, int) or self.replicas < 1:
            raise SpikeLoomError(f"Replicas of a crossbar stage must be a positive integer, not {self.replicas!r}")

    @property
    def layers(self) -> range:
        """Layers of its replicas."""
        return range(self.layer, self.layer + self.replicas)

    def check(self, where: str, layers: int, positions: int, channels: tuple[int, ...]) -> None:
        """Refuse another order of layers, more replicas than positions, and replicas of different sizes."""
        if self.layer != layers or layers >= len(channels):
            raise SpikeLoomError(f"{where} is layer {self.layer}; layers must come in order, each once")
        if self.replicas > positions:
            raise SpikeLoomError(f"{where} has {self.replicas} replicas, and only {positions} positions for them")
        made = channels[self.layer : self.layer + self.replicas]
        if len(set(made)) > 1:
            raise SpikeLoomError(f"{where} has replicas with different numbers of channels, {list(made)}")

    def makes(self, sources: Sequence[MapShape], channels: tuple[int, ...]) -> int:
        """Channels of its layer."""
        return channels[self.layer]

    def number(self, channels: tuple[int, ...]) -> int:
        """Output channels."""
        return channels[self.layer]

    @classmethod
    def of_words(cls, number: int, windows: tuple[Window, ...], replicas: int, layer: int) -> Self | None:
        """A crossbar stage; its number is not needed."""
        return cls(layer=layer, windows=windows, replicas=replicas)

    def cycles(
        self,
        words: Sequence[int],
        layers: Sequence[Columns],
        active: Sequence[Sequence[bool]],
        macro: Macro,
        *,
        last: bool,
        skipped: bool,
    ) -> tuple[int, int]:
        """The last stage hands its vector to the core as soon as it is gathered, and the step ends with the classes."""
        layer = layers[self.layer]
        if last:
            end = words[0] + 2
            return words[0], end if skipped else end + output_cycles(layer, active[-1][0], macro)
        spikes = [active[self.layer + p % self.replicas][p // self.replicas] for p in range(len(words))]
        return layer_cycles(layer, words, spikes, macro, self.replicas)

    def token(self, output: MapShape, sources: Sequence[MapShape]) -> str:
        """Channels; of a convolution, with its kernels: a residual addition has a + a further window."""
        if all(
            window == Window.whole(window.source, shape) for window, shape in zip(self.windows, sources, strict=True)
        ):
            return str(output.channels)
        return f"{output.channels}c{'+'.join(window.token for window in self.windows)}"


@dataclass(frozen=True, kw_only=True)
class PoolStage(Stage):
    """Pooling of each channel on its own; the window's stride is its kernel, and it has no padding.

    start : a sum at an image's start, 0 .. window size - 1, in units of the last phase; MAX begins with 0 anyway
    largest : whether the input with the largest sum passes (MAX), which keeps a sum for each of its inputs, or the
        average, which keeps one for each of its outputs
    """

    largest: ClassVar[bool]

    window: Window
    start: int = 0

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that it reads."""
        return (self.window,)

    def check(self, where: str, layers: int, positions: int, channels: tuple[int, ...]) -> None:
        """Refuse windows that overlap or have padding, and a start out of range."""
        window = self.window
        if window.stride != window.kernel or window.padding != (0, 0):
            raise SpikeLoomError(
                f"{where} pools windows of {window.kernel} with stride {window.stride} and padding {window.padding}; "
                "the stride must be the window and the padding 0"
            )
        if not 0 <= self.start < window.size:
            raise SpikeLoomError(f"{where} starts at {self.start}, which must be in 0 .. {window.size - 1}")

    def makes(self, sources: Sequence[MapShape], channels: tuple[int, ...]) -> int:
        """As many channels as it reads."""
        return sources[0].channels

    def number(self, channels: tuple[int, ...]) -> int:
        """Its start."""
        return self.start

    @classmethod
    def of_words(cls, number: int, windows: tuple[Window, ...], replicas: int, layer: int) -> Self | None:
        """A pooling stage that starts at `number`; None for several windows or replicas."""
        return cls(window=windows[0], start=number) if len(windows) == 1 and replicas == 1 else None

    def cycles(
        self,
        words: Sequence[int],
        layers: Sequence[Columns],
        active: Sequence[Sequence[bool]],
        macro: Macro,
        *,
        last: bool,
        skipped: bool,
    ) -> tuple[int, int]:
        """A word per cycle, and two until the map is complete."""
        return sum(words), sum(words) + 2

    def token(self, output: MapShape, sources: Sequence[MapShape]) -> str:
        """Its window, in the notation of layer strings."""
        return f"{self.window.token}s"

    def sums(self, source: MapShape, output: MapShape) -> int:
        """Words of sums that it keeps."""
        return source.positions if self.largest else output.positions

    def sum_bits(self, count_bits: int, phases: int) -> int:
        """Bits of a sum; count_bits : of a weighted spike count of the unit."""
        raise NotImplementedError


@STAGES.register
class MaxPoolStage(PoolStage):
    """Passes the spikes of the input with the largest weighted count so far, that of this step included, the first of
    equals [WS 4.5].
    """

    name, code, title = "max", 1, "max pooling"
    largest = True

    def sum_bits(self, count_bits: int, phases: int) -> int:
        """As many as those of a weighted spike count."""
        return count_bits


@STAGES.register
class AveragePoolStage(PoolStage):
    """Integrates the weighted spikes of its window and fires at the window's size, which is subtracted."""

    name, code, title = "average", 2, "average pooling"
    largest = False

    def started(self, share: float) -> AveragePoolStage:
        """Where neurons start: at this share of its threshold, the window."""
        size = self.window.size
        return replace(self, start=min(size - 1, round(share * size)))

    def sum_bits(self, count_bits: int, phases: int) -> int:
        """V after a step, which never exceeds the threshold of the first phase."""
        return (self.window.size << (phases - 1)).bit_length()
