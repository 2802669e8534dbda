"""Input codings and decision rules that are added from outside of the source tree: from a model to the report, and in
Verilog where the unit can run them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import spikeloom
from spikeloom.hw.params.codings import CODINGS, Coding
from spikeloom.hw.params.decision_rules import DECISION_RULES, DecisionRule, K
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.reference.decision import Decider, Standing
from spikeloom.sim.reference.encoder import Encoder, encoder_of
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.chip import Chip
from spikeloom.sw.common.errors import ConfigError, WeightImageError
from tests.fixtures.models import make_chip, make_images

IMAGES = make_images(24, 20, seed=5)
LABELS = np.arange(24) % 5
LIVE = np.arange(len(IMAGES))


class Negative(Coding):
    """Error diffusion of dark on light: the host sends 255 less the pixel, and the unit runs its coding `even`."""

    name = "negative"
    code = int(Coding.EVEN)
    fields = ("coding.even_start",)

    def sent(self, pixels: Any) -> Any:
        return 255 - pixels


class LatencyEncoder(Encoder):
    """A spike in one of 8 steps: the brighter the pixel, the earlier."""

    def step(self, live: NDArray[np.int64], step: int) -> NDArray[np.uint8]:
        return np.where(8 - self.pixels[live] // 32 == step, self.spike, 0).astype(np.uint8)


class Latency(Coding):
    """Time to first spike, which no unit has."""

    name = "latency"
    code = None
    reference = LatencyEncoder

    def problems(self, config: Any) -> Iterator[str]:
        if config.decision.t_max < 8:
            yield f"[decision] t_max must be at least 8 with [coding] input 'latency', not {config.decision.t_max}"


class Averaging(Decider):
    """Stops where the moving average of the lead is at least k."""

    def __init__(self, settings: Any, count: int) -> None:
        super().__init__(settings, count)
        self.average = np.zeros(count)

    def ends(self, standing: Standing, live: NDArray[np.intp], step: int) -> NDArray[np.bool_]:
        self.average[live] += (standing.margins - self.average[live]) / 2
        return self.average[live] >= self.settings.setting("k")


class Averaged(DecisionRule):
    """A lead that lasts."""

    name = "averaged"
    code = None
    fields = ("decision.k",)
    registers = (K,)
    reference = Averaging


@pytest.fixture(autouse=True)
def added() -> Iterator[None]:
    CODINGS.register(Negative)
    CODINGS.register(Latency)
    DECISION_RULES.register(Averaged)
    yield
    CODINGS.remove("negative")
    CODINGS.remove("latency")
    DECISION_RULES.remove("averaged")


def reported(chip: Chip, folder: Path) -> str:
    """The page of the report."""
    return chip.report(folder, IMAGES, LABELS).read_text()


@pytest.mark.slow
def test_what_the_host_sends_makes_a_coding(tmp_path: Path) -> None:
    """The reference is that of `even` with other pixels, and the Verilog gives the same bits, on both of its doors."""
    chip = make_chip(coding={"input": "negative", "even_start": 100})
    assert chip.programmed.coding is Negative() and "negative coding" in repr(chip.programmed)
    result = chip.predict(IMAGES, trace="full")
    even = make_chip(coding={"input": "even", "even_start": 100})
    assert (result.spikes != even.predict(IMAGES).spikes).any()
    plain = encoder_of(even.programmed, 255 - IMAGES, LIVE)
    own = encoder_of(chip.programmed, IMAGES, LIVE)
    for step in range(1, 6):
        assert np.array_equal(own.step(LIVE, step), plain.step(LIVE, step))
    for through_bus in (False, True):
        chip.cosim(IMAGES[:6], through_bus=through_bus).compare(chip.predict(IMAGES[:6]))
    assert reported(chip, tmp_path / "page")
    chip.save(tmp_path / "negative.loom")
    loaded = spikeloom.load(tmp_path / "negative.loom")
    assert loaded.programmed.coding is chip.programmed.coding
    loaded.predict(IMAGES).compare(result)


def test_a_file_of_an_unknown_coding_says_what_is_missing(tmp_path: Path) -> None:
    make_chip(coding={"input": "negative"}).save(tmp_path / "a.loom")
    CODINGS.remove("negative")
    with pytest.raises(
        WeightImageError, match=r"a\.loom' has the input coding 'negative', which is not registered; import"
    ):
        spikeloom.load(tmp_path / "a.loom")
    with pytest.raises(
        ConfigError, match="input must be 'phase', 'rate', 'even', 'analog' or 'latency', not 'negative'"
    ):
        make_chip(coding={"input": "negative"})
    CODINGS.register(Negative)


def test_a_coding_of_the_reference_alone(tmp_path: Path) -> None:
    chip = make_chip(coding={"input": "latency"}, decision={"t_max": 12})
    result = chip.predict(IMAGES, trace="full")
    assert result.spikes.sum() > 0
    codes = np.array([encoder_of(chip.programmed, IMAGES, LIVE).step(LIVE, step) for step in range(1, 13)])
    assert np.array_equal(np.argmax(codes, axis=0), 7 - IMAGES // 32) and (codes.sum(axis=0) == 1).all()
    assert reported(chip, tmp_path / "page")
    chip.save(tmp_path / "latency.loom")
    spikeloom.load(tmp_path / "latency.loom").predict(IMAGES).compare(result)
    refuses_verilog(chip, tmp_path, "The unit has no input coding 'latency', .* the unit has .0 phase, 1 rate, 2 even")


def test_the_checks_of_a_coding_are_made() -> None:
    with pytest.raises(ConfigError, match=r"t_max must be at least 8 with .coding. input 'latency', not 5"):
        make_chip(coding={"input": "latency"}, decision={"t_max": 5})
    with pytest.raises(ConfigError, match="even_start must be 127 with input 'latency', which has no error diffusion"):
        make_chip(coding={"input": "latency", "even_start": 3})


def refuses_verilog(chip: Chip, folder: Path, sentence: str) -> None:
    """Every way to the Verilog says which kinds there are, before anything is written or built."""
    for through_bus in (False, True):
        with pytest.raises(ValueError, match=sentence):
            chip.cosim(IMAGES[:2], through_bus=through_bus)
        with pytest.raises(ValueError, match=sentence):
            chip.write_verilog(folder / f"verilog {through_bus}", bus=through_bus)
        assert not (folder / f"verilog {through_bus}").exists()


def test_a_rule_of_the_reference_alone(tmp_path: Path) -> None:
    """Its decisions from the definition, out of a run to t_max."""
    decision = {"rule": "averaged", "k": 3, "t_max": 20}
    chip = make_chip(decision=decision)
    assert isinstance(chip.programmed, ProgrammedChip) and "averaged rule with k 3" in repr(chip.programmed)
    result = chip.predict(IMAGES)
    trace = run_reference(replace(chip.programmed, rule=DecisionRule.FIXED), IMAGES, trace="spikes").trace
    assert trace is not None
    scores = np.cumsum(trace.unpacked(len(chip.programmed.layers) - 1).astype(int), axis=1)
    for row in range(len(IMAGES)):
        average, ended = 0.0, 20
        for step in range(20):
            best, second = sorted(scores[row, step])[:-3:-1]
            average = (average + best - second) / 2
            if average >= 3:
                ended = step + 1
                break
        assert (result.steps[row], result.classes[row]) == (ended, np.argmax(scores[row, ended - 1]))
    assert len(set(result.steps.tolist())) > 2
    assert reported(chip, tmp_path / "page")
    refuses_verilog(chip, tmp_path, "The unit has no decision rule 'averaged', .* the unit has .0 fixed, 1 winner-k")
