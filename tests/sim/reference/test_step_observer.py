"""What looks on at the reference step by step sees what a full trace holds, and changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.hw.params.parameters import Readout
from spikeloom.sim.crossbar.windows import map_of_replicas
from spikeloom.sim.reference.decision import scores_by_step
from spikeloom.sim.reference.run import run_reference
from spikeloom.sim.reference.step_observer import StepTaken
from spikeloom.sw.chip import Chip
from tests.fixtures.cnn_models import LeNet, settled
from tests.fixtures.models import make_chip, make_images

NOISY: dict[str, Any] = {"device": {"read_sigma": 0.1}}
CASES: dict[str, dict[str, Any]] = {
    "spikes": NOISY,
    "membranes": {**NOISY, "decision": {"readout": "membrane", "k": 3.0}, "neuron": {"output_reset": "none"}},
    "phases and skipped periods": {"coding": {"input": "phase", "phases": 3}, "decision": {"skip": 1}},
    "analog": {"coding": {"input": "analog"}},
}


class Recorder:
    """Keeps what it is told of a chunk, in arrays of all images."""

    def __init__(self, chip: Chip, spikes: list[Any], membranes: list[Any], scores: Any, part: slice) -> None:
        self.chip, self.spikes, self.membranes, self.scores, self.part = chip, spikes, membranes, scores, part
        self.ended = 0

    def step(self, taken: StepTaken) -> None:
        where = self.part.start + taken.live
        plan = self.chip.parameters.plan
        for index, layer in taken.layers.items():
            self.spikes[index][where, taken.step - 1] = layer.spikes
            self.membranes[index][where, taken.step - 1] = taken.membranes(index)
            assert (layer.fired == layer.spikes.sum(axis=1)).all()
        for number, stage in enumerate(plan.stages[: len(taken.maps) - 1]):
            if stage.layers:
                own = [taken.layers[index].spikes for index in stage.layers]
                np.testing.assert_array_equal(
                    taken.maps[number + 1], map_of_replicas(own, plan.maps[number + 1].channels)
                )
        assert taken.shift == self.chip.parameters.phases - 1 - (taken.step - 1) % self.chip.parameters.phases
        if taken.scores is not None:
            self.scores[where, taken.step - 1] = taken.scores

    def end(self) -> None:
        self.ended += 1


def looked_on(chip: Chip, images: np.ndarray, **options: Any) -> None:
    plain = run_reference(chip.programmed, images, trace="full")
    shapes = [(len(images), chip.programmed.t_max, layer.neurons) for layer in chip.parameters.layers]
    spikes, membranes = [np.zeros(shape, bool) for shape in shapes], [np.zeros(shape, np.int64) for shape in shapes]
    scores = np.zeros((len(images), chip.programmed.t_max, chip.parameters.classes), np.int64)
    made: list[Recorder] = []

    def observer(part: slice) -> Recorder:
        made.append(Recorder(chip, spikes, membranes, scores, part))
        return made[-1]

    plain.compare(run_reference(chip.programmed, images, observe_steps=observer, **options))
    assert all(each.ended == 1 for each in made)
    assert sorted(i for each in made for i in range(each.part.start, each.part.stop)) == list(range(len(images)))
    trace = plain.trace
    assert trace is not None and trace.membranes is not None
    for layer, (own, voltages) in enumerate(zip(spikes, membranes, strict=True)):
        np.testing.assert_array_equal(own, trace.unpacked(layer))
        np.testing.assert_array_equal(voltages, trace.membranes[layer])
    expected = scores_by_step(chip.programmed, trace)
    ran = np.arange(1, chip.programmed.t_max + 1) <= plain.steps[:, None]
    ran[:, : chip.programmed.skip * chip.parameters.phases] = False
    np.testing.assert_array_equal(scores[ran], expected[ran])
    assert chip.programmed.readout == Readout.SPIKES or scores.any()


@pytest.mark.parametrize("tables", CASES.values(), ids=CASES)
@pytest.mark.parametrize("options", [{}, {"chunk": 4, "threads": 3}])
def test_every_step_of_dense_networks(tables: dict[str, Any], options: dict[str, Any]) -> None:
    looked_on(make_chip(seed=2, **tables), make_images(13, 20), **options)


def test_maps_of_replicas_and_pooling() -> None:
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (9, 28 * 28), dtype=np.uint8)
    config = {"preset": "tiny", "crossbar": {"replicas": 3, "tile_rows": 64}, "decision": {"t_max": 6}}
    looked_on(spikeloom.compile(settled(LeNet, 1, 28, 28), images.reshape(-1, 1, 28, 28), config), images, chunk=3)
