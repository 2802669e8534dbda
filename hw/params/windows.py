"""Shapes of feature maps, and windows on them: see `hw.params.plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["MapShape", "Pair", "Window", "shared_columns", "window_words"]

Pair = tuple[int, int]


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
        """Positions of the map, height times width."""
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

    @property
    def size(self) -> int:
        """Positions of the map that it covers."""
        return self.kernel[0] * self.kernel[1]

    def rows(self, shape: MapShape) -> int:
        """Crossbar rows that the window takes."""
        return shape.channels * self.size

    @property
    def token(self) -> str:
        """Its kernel in the line of a network: "5", or "3x5"."""
        height, width = self.kernel
        return str(height) if height == width else f"{height}x{width}"

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


def shared_columns(window: Window, shape: MapShape) -> int:
    """Columns that a window shares with the one on its left, if there is one: they are not read again."""
    return max(0, window.kernel[1] - window.stride[1]) if window.outputs(shape)[1] > 1 else 0


def window_words(windows: Sequence[Window], shapes: Sequence[MapShape]) -> tuple[int, int]:
    """Words read for the first position of a line, and for each of the others."""
    first = sum(window.size for window in windows)
    kept = (window.kernel[0] * shared_columns(window, shape) for window, shape in zip(windows, shapes, strict=True))
    return first, first - sum(kept)
