"""The plan of stages as words of 32 bits, which a chip presents to its host.

    image       channels, height, width
    a stage     kind (0 crossbar, 1 max, 2 average) | number of windows << 8 | (replicas - 1) << 16
                crossbar: output channels; pooling: start (`hw.params.stage_kinds.Stage.number`)
                a window: source, then kernel, stride and padding, each vertical << 16 | horizontal

No words stand for dense layers in a row, which have no plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.plan import MapShape, Plan, Stage, Window
from spikeloom.hw.params.stage_kinds import STAGES

__all__ = ["plan_of", "words_of"]


def _pair(values: tuple[int, int]) -> int:
    return values[0] << 16 | values[1]


def words_of(plan: Plan) -> tuple[int, ...]:
    """Words of a plan, each 0 .. 2^32 - 1; none for a chain of dense layers, which the layers' sizes tell.

    Raises
    ------
    ValueError : a kernel, stride or padding of 65,536 and more, or more than 255 windows or 65,536 replicas of a stage
    """
    if plan.is_dense_chain:
        return ()
    words = [plan.input.channels, plan.input.height, plan.input.width]
    for stage in plan.stages:
        replicas = stage.replicas
        if len(stage.windows) >= 1 << 8 or replicas > 1 << 16:
            raise SpikeLoomError(
                "A stage must have at most 255 windows and 65,536 replicas in a plan's words, not "
                f"{len(stage.windows)} and {replicas}"
            )
        words += [stage.code | len(stage.windows) << 8 | replicas - 1 << 16, stage.number(plan.channels)]
        for window in stage.windows:
            pairs = (window.kernel, window.stride, window.padding)
            if max(max(pair) for pair in pairs) >= 1 << 16:
                raise SpikeLoomError(
                    f"Kernel, stride and padding of a window must be below 65,536 in a plan's words, not {window}"
                )
            words += [window.source, *map(_pair, pairs)]
    return tuple(words)


def _windows(words: Iterator[int], count: int) -> Iterator[Window]:
    for _ in range(count):
        source, *pairs = (next(words) for _ in range(4))
        kernel, stride, padding = ((pair >> 16, pair & 0xFFFF) for pair in pairs)
        yield Window(source=source, kernel=kernel, stride=stride, padding=padding)


def plan_of(words: Sequence[int]) -> Plan | None:
    """The plan that `words_of` gives these words for; None, a chain of dense layers, for no words.

    Raises
    ------
    ValueError : words that are no plan
    """
    if not words:
        return None
    rest = iter(words)
    kinds = {kind.code: kind for kind in STAGES}
    stages: list[Stage] = []
    channels: list[int] = []
    try:
        image = MapShape(channels=next(rest), height=next(rest), width=next(rest))
        for head in rest:
            kind, number, replicas = head & 0xFF, next(rest), (head >> 16) + 1
            windows = tuple(_windows(rest, head >> 8 & 0xFF))
            known = kinds.get(kind)
            stage = None if known is None else known.of_words(number, windows, replicas, len(channels))
            if stage is None:
                raise SpikeLoomError(
                    f"A stage of kind {kind} with {len(windows)} windows and {replicas} replicas is not known"
                )
            stages.append(stage)
            channels += [number] * len(stage.layers)
    except (StopIteration, RuntimeError):  # a generator turns the first into the second
        raise SpikeLoomError(f"The {len(words)} words of a plan end in the middle of a stage") from None
    return Plan(input=image, stages=tuple(stages), channels=tuple(channels))
