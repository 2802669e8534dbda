"""The stage of the conversion at which classes are lost: from the original network to the chip with its devices.

Without labels the truth is what the first stage says (the ANN; the spiking network in real numbers of a NIR file; the
integers of a chip that was loaded), with labels they are. A stage loses if it turns right answers into wrong ones by a
share that matters, and that chance does not explain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import DecisionRule, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.analysis.waterfall import device_stages, spiking_classes, stage_classes
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.passes.float_snn import SpikingNetwork, spiking_network

__all__ = ["CHANGES", "LARGE_FALL", "LARGE_LOSS", "Fall", "Stages", "explained_by_chance"]

LARGE_FALL = 0.10
"""Agreement with the first stage that one stage may not lose."""
LARGE_LOSS = 0.05
"""Accuracy that one stage may not lose, where labels are known."""
_SIGMAS = 3.0


def explained_by_chance(fewer: int, more: int) -> bool:
    """Whether `more` images of one kind than of the other, such as lost and won, may be chance (McNemar's test)."""
    return bool(more - fewer <= _SIGMAS * np.sqrt(fewer + more))


@dataclass(frozen=True)
class Fall:
    """What a stage lost: shares of images that were right before it and after it."""

    stage: str
    before: float
    after: float

    @property
    def loss(self) -> float:
        """Accuracy lost at the stage, 0 .. 1; negative for a gain."""
        return self.before - self.after


class Stages:
    """The stages of a chip on some images; each is run when it is asked for, and once.

    Parameters
    ----------
    chip, programmed : the chip, and it as programmed or on cheaper devices, which gave `classes`
    pixels, labels : uint8 [images, inputs], int64 [images] or None
    """

    def __init__(
        self,
        chip: Compiled,
        programmed: ProgrammedChip,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.int64] | None,
        classes: NDArray[np.integer],
    ) -> None:
        self._chip, self._programmed, self._pixels, self._final = chip, programmed, pixels, classes
        self._known: dict[str, NDArray[np.integer]] = {}
        self.truth = self.first if labels is None else labels
        self.largest = LARGE_FALL if labels is None else LARGE_LOSS

    @cached_property
    def first(self) -> NDArray[np.integer]:
        """Classes [images] of the first stage."""
        if self._chip.passes is None:
            return self.classes(self.names[0])
        from spikeloom.sw.frontend.plain_torch import torch_classes

        shape = self._chip.passes.folded.input_shape
        self._known["ANN"] = torch_classes(self._chip.passes.model, self._pixels.reshape(len(self._pixels), *shape))
        return self._known["ANN"]

    @cached_property
    def _runs(self) -> dict[str, Callable[[], NDArray[np.integer]]]:
        """Every stage; making the chips of all of them takes longer than running one."""
        chip, pixels, programmed = self._chip, self._pixels, self._programmed
        runs = dict(stage_classes(Compiled(programmed, chip.config, chip.passes, network=chip.network), pixels))
        if chip.passes is None and chip.network is not None:
            network = spiking_network(programmed, chip.network)
            runs = {"spiking": lambda: spiking_classes(programmed, network, pixels), **runs}
        self._known[list(runs)[-1]] = self._final
        return runs

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of all stages, first to last."""
        return tuple(self._runs)

    @property
    def devices(self) -> tuple[str, ...]:
        """Stages that are effects of the devices."""
        return tuple(name for name, _ in device_stages(self._programmed))

    def classes(self, stage: str) -> NDArray[np.integer]:
        """Classes [images] after a stage."""
        run = self._runs[stage]
        if stage not in self._known:
            self._known[stage] = run()
        return self._known[stage]

    def right(self, classes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Images of which these classes, [images], are the true ones, bool [images]."""
        right: NDArray[np.bool_] = classes == self.truth
        return right

    def table(self) -> tuple[tuple[str, float, float | None], ...]:
        """(stage, agreement with the first stage, accuracy or None) of the stages that were run; the last is "chip" if
        there was no need for those between.
        """
        known = {name: self._known[name] for name in self.names if name in self._known} if self.falls else {}
        if not known:
            known = {"ANN" if self._chip.passes is not None else self.names[0]: self.first, "chip": self._final}
        return tuple(
            (
                name,
                float(np.mean(classes == self.first)),
                None if self.truth is self.first else float(np.mean(self.right(classes))),
            )
            for name, classes in known.items()
        )

    def lost(self, which: NDArray[np.bool_]) -> float:
        """Share of some images, bool [images], that are right at the first stage and wrong on the chip."""
        before, after = self.right(self.first)[which], self.right(self._final)[which]
        return float(np.mean(before & ~after)) if len(before) else 1.0

    @cached_property
    def falls(self) -> tuple[Fall, ...]:
        """Stages that lose what matters, first to last. Those between are not run if the last is as good as the first,
        nor single effects of devices if all of them together lose little.
        """
        if not self._falls(self.first, self._final):
            return ()
        falls = []
        devices = self.devices
        before = self.first
        for name in self.names[1:]:
            if devices and name == devices[0] and not self._falls(before, self._final):
                break
            after = self.classes(name)
            if self._falls(before, after):
                falls.append(Fall(name, float(self.right(before).mean()), float(self.right(after).mean())))
            before = after
        return tuple(falls)

    def fall(self, *names: str) -> Fall | None:
        """The first fall at one of these stages."""
        return next((fall for fall in self.falls if fall.stage in names), None)

    @cached_property
    def spiking_remedy(self) -> str | None:
        """What gives back at least half of what the stage "spiking" loses, in real numbers: "clip", "leak", "reset",
        "rule", "skip" or "steps"; None if nothing of that does.
        """
        network = self._chip.network
        fall = self.fall("spiking")
        if network is None or fall is None:
            return None
        untuned = None if self._chip.passes is None else self._chip.passes.untuned
        programmed = self._programmed if untuned is None else untuned
        spiking = spiking_network(programmed, network)
        for name, change in CHANGES.items():
            changed = change(spiking)
            if changed is None:
                continue
            right = spiking_classes(programmed, changed, self._pixels) == self.truth
            if float(right.mean()) - fall.after >= 0.5 * fall.loss:
                return name
        return None

    def _falls(self, before: NDArray[np.integer], after: NDArray[np.integer]) -> bool:
        """Whether more is lost between two stages, classes [images], than may be and than chance explains."""
        a, b = self.right(before), self.right(after)
        lost, won = int(np.sum(a & ~b)), int(np.sum(b & ~a))
        return lost - won >= self.largest * len(a) and not explained_by_chance(won, lost)


def _without_clip(network: SpikingNetwork) -> SpikingNetwork | None:
    if not any(layer.clip for layer in network.layers):
        return None
    return replace(network, layers=tuple(replace(layer, clip=0.0) for layer in network.layers))


def _without_leak(network: SpikingNetwork) -> SpikingNetwork | None:
    if not any(layer.leak for layer in network.layers):
        return None
    return replace(network, layers=tuple(replace(layer, leak=0) for layer in network.layers))


def _subtracting(network: SpikingNetwork) -> SpikingNetwork | None:
    *hidden, last = network.layers
    if all(layer.reset == Reset.SUBTRACT for layer in hidden):
        return None
    return replace(network, layers=(*(replace(layer, reset=Reset.SUBTRACT) for layer in hidden), last))


def _until_the_end(network: SpikingNetwork) -> SpikingNetwork | None:
    return None if network.rule == DecisionRule.FIXED else replace(network, rule=DecisionRule.FIXED)


def _without_skip(network: SpikingNetwork) -> SpikingNetwork | None:
    return replace(network, rule=DecisionRule.FIXED, skip=0) if network.skip else None


def _with_more_steps(network: SpikingNetwork) -> SpikingNetwork | None:
    return replace(network, rule=DecisionRule.FIXED, t_max=4 * network.t_max)


CHANGES: dict[str, Callable[[SpikingNetwork], SpikingNetwork | None]] = {
    "clip": _without_clip,
    "leak": _without_leak,
    "reset": _subtracting,
    "rule": _until_the_end,
    "skip": _without_skip,
    "steps": _with_more_steps,
}
"""Each gives the network with one thing changed, or None if there is nothing to change."""
