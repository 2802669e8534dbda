"""Feature maps and windows: what every stage reads, and from where.

A map is what a stage makes in one step: channels at positions, height x width of them; position y * width + x. Map 0 is
the image, map s + 1 what stage s makes. A stage is a crossbar that is read once for every position of its output map,
or a pooling unit. A window says which values of a map a crossbar's rows carry at an output position (y, x):

    value of channel c at (y * stride_y - padding_y + dy, x * stride_x - padding_x + dx)    dy, dx = 0 .. kernel - 1

and 0 outside the map. A dense layer's window is the whole map, at one position. Rows of a crossbar: first window first,
within a window dy slowest, then dx, then c. Two windows of one crossbar are a residual addition: the shortcut's rows
lie beneath those of the layer that it adds to [WS 4.5, Fig. 6]. A pixel of the image is number (c * height + y) * width
+ x.

A crossbar stage may have n replicas: n layers of the unit that follow one another, with equal weights, each on cells of
its own. Position p of the stage is done by replica p % n, as that replica's own position p // n. For everything that is
addressed by layer (weights, registers, programming, noise, activity) a replica is a layer.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.stage_kinds import CrossbarStage, Stage
from spikeloom.hw.params.windows import MapShape, Window, shared_columns, window_words

__all__ = [
    "CrossbarStage", "IndexedStage", "LayerPlacement", "MapShape", "Plan", "Stage", "Window", "shared_columns",
    "window_words",
]  # fmt: skip


class IndexedStage(NamedTuple):
    """A crossbar stage, and its number among all stages of the plan."""

    number: int
    stage: CrossbarStage


@dataclass(frozen=True, kw_only=True)
class LayerPlacement:
    """What a layer of the unit is in the plan: replica `replica` of stage `number`, with `positions` positions of its
    own."""

    number: int
    stage: CrossbarStage
    replica: int
    positions: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All stages, first to last; the last is a crossbar with a single position: one output per class.

    Parameters
    ----------
    input : shape of the input map, the image
    stages : each reads maps made before it; every map but the last is read
    channels : output channels of every layer; those of replicas are equal

    Raises `ValueError`, with the stage's number, for a plan that is not of this kind.
    """

    input: MapShape
    stages: tuple[Stage, ...]
    channels: tuple[int, ...]

    def __post_init__(self) -> None:
        _ = self.maps  # which checks them

    @functools.cached_property
    def maps(self) -> tuple[MapShape, ...]:
        """Shape of every map: the image, then that of each stage."""
        maps = [self.input]
        read: set[int] = set()
        layers = 0
        for number, stage in enumerate(self.stages):
            where = f"Stage {number}"
            height, width = _outputs(where, number, stage, maps)
            read.update(window.source for window in stage.windows)
            sources = tuple(maps[window.source] for window in stage.windows)
            stage.check(where, layers, height * width, self.channels)
            layers += len(stage.layers)
            maps.append(MapShape(channels=stage.makes(sources, self.channels), height=height, width=width))
        if layers != len(self.channels) or not self.stages:
            raise SpikeLoomError(f"The plan's crossbar stages make {layers} layers, but there are {len(self.channels)}")
        if not self.stages[-1].layers or maps[-1].positions != 1:
            raise SpikeLoomError("The last stage must be a crossbar with a single position")
        unread = sorted(set(range(len(maps) - 1)) - read)
        if unread:
            raise SpikeLoomError(f"Map {unread[0]} is not read by any stage")
        return tuple(maps)

    @property
    def crossbar_stages(self) -> tuple[IndexedStage, ...]:
        """Every crossbar stage with its number, first to last."""
        return tuple(IndexedStage(n, stage) for n, stage in enumerate(self.stages) if isinstance(stage, CrossbarStage))

    @property
    def placements(self) -> tuple[LayerPlacement, ...]:
        """Where every layer of the unit is in the plan, replicas one by one."""
        return tuple(
            LayerPlacement(
                number=number,
                stage=stage,
                replica=replica,
                positions=len(range(replica, self.maps[number + 1].positions, stage.replicas)),
            )
            for number, stage in self.crossbar_stages
            for replica in range(stage.replicas)
        )

    def with_replicas(self, replicas: Sequence[int]) -> Plan:
        """The plan with so many replicas of every crossbar stage, whatever it had before; `ValueError` if they do not
        fit.
        """
        if len(replicas) != len(self.crossbar_stages):
            raise SpikeLoomError(
                f"{len(replicas)} numbers of replicas are given for {len(self.crossbar_stages)} crossbar stages"
            )
        stages = list(self.stages)
        channels: list[int] = []
        for count, (number, stage) in zip(replicas, self.crossbar_stages, strict=True):
            stages[number] = replace(stage, layer=len(channels), replicas=count)
            channels += [self.channels[stage.layer]] * count
        return Plan(input=self.input, stages=tuple(stages), channels=tuple(channels))

    @property
    def is_dense_chain(self) -> bool:
        """Whether the network is a chain of dense layers on single positions, which needs no map memory."""
        return all(shape.positions == 1 for shape in self.maps) and all(
            stage.layers and stage.windows == (Window(source=n),) for n, stage in enumerate(self.stages)
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
        return cls(input=MapShape(channels=sizes[0]), stages=stages, channels=tuple(sizes[1:]))


def _outputs(where: str, number: int, stage: Stage, maps: Sequence[MapShape]) -> tuple[int, int]:
    """Output positions of a stage that can read `maps`, (height, width)."""
    if not stage.windows:
        raise SpikeLoomError(f"{where} has no window")
    for window in stage.windows:
        if not 0 <= window.source <= number:
            raise SpikeLoomError(f"{where} reads map {window.source}, and only maps 0 .. {number} are made before it")
    sizes = {window.outputs(maps[window.source]) for window in stage.windows}
    if len(sizes) > 1:
        raise SpikeLoomError(f"{where} joins windows with different numbers of positions, {sorted(sizes)}")
    return sizes.pop()
