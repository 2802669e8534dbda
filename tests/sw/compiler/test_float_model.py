"""The chip compared with the papers' equations in double precision (`tests.models.float_model`): random networks of
every coding, K, reset, leak, clip, pooling and join. Bit-exactness of reference and Verilog cannot see what both have
wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.plan import CrossbarStage
from spikeloom.sim.chip.result import Result
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.passes.quantise import full_rate
from tests.checks.compared import Compared
from tests.checks.float_checks import Beside
from tests.fixtures.random_float import PHASES, random_case
from tests.models import float_model as plain

IMAGES = 2


@dataclass
class Found:
    """Comparisons of many networks, by name; and what the networks had."""

    rounding: Compared = field(default_factory=Compared)
    layers: Compared = field(default_factory=Compared)
    network: Compared = field(default_factory=Compared)
    spiking: Compared = field(default_factory=Compared)
    excess: list[float] = field(default_factory=list)
    spikes: int = 0
    seen: set[str] = field(default_factory=set)


def fitting(seed: int, steps: int = 360, **fixed: Any) -> Beside:
    """The network of a seed; with fewer bits of its converters, then with fewer steps, where margins would need more
    bits than a result has, which is refused."""
    for most, part in ((16, 1), (8, 1), (8, 4)):
        case = random_case(seed, steps=steps // part, **fixed)
        case.tables["crossbar"]["adc_bits"] = min(case.tables["crossbar"]["adc_bits"], most)
        try:
            return Beside(case)
        except ConfigError as error:
            if "and a result has 32 bits for them" not in str(error):
                raise
    raise AssertionError(f"seed {seed}: margins need more than 32 bits")


def check(seeds: Iterable[int], found: Found, **fixed: Any) -> None:
    """Compare all of them; raises at the end, with the seeds of those that differ."""
    wrong = []
    for seed in seeds:
        try:
            check_one(fitting(seed, **fixed), found)
        except AssertionError as error:
            wrong.append(f"seed {seed}: {str(error).strip().splitlines()[:1]}")
    assert not wrong, "\n".join(wrong)


def check_one(beside: Beside, found: Found) -> None:
    compared = beside.rounding()
    assert compared.worst <= 1.0001, f"weights or biases are {compared.worst:.4f} of half a step off"
    join(found.rounding, compared)
    result = run_reference(beside.programmed, beside.case.images[:IMAGES].reshape(IMAGES, -1), trace="full")
    assert result.activity["saturations"].sum() == 0
    found.seen |= features(beside)
    for number in range(IMAGES):
        inputs, ran = beside.run(number)
        found.spikes += same_spikes(beside, result, number, ran)
        parts = [
            (found.layers, beside.layer_by_layer(inputs, ran)),
            (found.network, beside.end_to_end(number, inputs, ran)),
        ]
        if simple(beside):
            parts.append((found.spiking, beside.spiking_stage(number, inputs)))
        for at, (total, compared) in enumerate(parts):
            assert compared.worst <= 1.0, f"image {number}, comparison {at}: {compared.worst:.3f} of the bound"
            join(total, compared)
        whole = plain.weights_of_steps(ran.steps, beside.phases).sum()
        pools = [s.kind == "max" for s in beside.wanted.stages if isinstance(s, plain.Pool)]
        found.excess += [max(ran.excess) / whole] * any(pools)


def join(total: Compared, part: Compared) -> None:
    total.differences += part.differences
    total.bounds += part.bounds


def same_spikes(beside: Beside, result: Result, number: int, ran: plain.Run) -> int:
    """Every spike, membrane and decision of the reference is the plain model's; returns spikes that were compared."""
    assert (ran.decided, ran.steps) == (result.classes[number], result.steps[number])
    trace, count = result.trace, 0
    assert trace is not None and trace.membranes is not None
    for stage, made in enumerate(beside.programmed.parameters.plan.stages):
        if not isinstance(made, CrossbarStage):
            continue
        last = stage == len(beside.wanted.stages) - 1
        first = beside.config.decision.skip * beside.phases if last else 0
        spikes = trace.unpacked(made.layer)[number, first : ran.steps]
        np.testing.assert_array_equal(spikes, np.array(ran.spikes[stage][first:]), err_msg=f"stage {stage}")
        membranes = trace.membranes[made.layer][number, first : ran.steps]
        np.testing.assert_array_equal(
            membranes * beside.unit, np.array(ran.membranes[stage][first:]), err_msg=f"stage {stage}"
        )
        count += spikes.size
    return count


def simple(beside: Beside) -> bool:
    """Whether the whole network's currents are bounded without a measurement."""
    neuron = beside.config.neuron
    pools = [stage.kind for stage in beside.wanted.stages if isinstance(stage, plain.Pool)]
    hidden = neuron.reset == "subtract" and not (neuron.leak or neuron.clip)
    return hidden and "max" not in pools and not beside.config.decision.skip


def features(beside: Beside) -> set[str]:
    config, stages = beside.config, beside.wanted.stages
    found = {
        f"{config.coding.input} {config.coding.phases}",
        f"reset {config.neuron.reset}",
        f"output {config.neuron.output_reset}",
        config.decision.rule,
        config.decision.readout,
    }
    found |= {"leak"} if config.neuron.leak else set()
    found |= {"clip"} if config.neuron.clip else set()
    found |= {"skip"} if config.decision.skip else set()
    found |= {"gain"} if any(layer.gain_shift for layer in beside.programmed.layers) else set()
    found |= {f"{stage.kind} pooling" for stage in stages if isinstance(stage, plain.Pool)}
    plan = beside.programmed.parameters.plan.stages
    found |= {"join"} if any(isinstance(s, CrossbarStage) and len(s.windows) > 1 for s in plan) else set()
    return found


FEATURES = {
    *("reset subtract", "reset zero", "reset none", "output subtract", "output zero", "output none", "leak", "clip"),
    *("fixed", "winner_k", "spikes", "membrane", "skip", "gain", "max pooling", "average pooling", "join"),
}


ALL_CODINGS = {f"{coding} {phases}" for coding, choices in PHASES.items() for phases in choices}
PAGE = (Path(__file__).parents[3] / "docs" / "verification.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::spikeloom.sw.common.errors.DiagnosticWarning")
def test_random_networks() -> None:
    found = Found()
    check(range(20), found, steps=120)
    assert FEATURES <= found.seen and found.spikes > 10_000


def rows(found: Found) -> list[str]:
    """The table of docs/verification.md."""
    titles = {
        "weights and biases of the chip": found.rounding,
        "a layer's mean current, from the rates that it reads": found.layers,
        "mean currents and rates of the whole network, from the pixels": found.network,
        'the same of the stage "spiking", outputs only': found.spiking,
    }
    out = []
    for title, compared in titles.items():
        differences, bounds = compared.all
        largest, bound = compared.largest()
        out.append(
            f"| {title} | {len(differences):,} | {differences.mean():.4f} | {bounds.mean():.4f} | {largest:.3f} | "
            f"{bound:.3f} | {compared.worst:.2f} |"
        )
    return out


def excess(found: Found) -> str:
    """What max pooling passed beyond its largest input, as a rate; in the page too."""
    rates = np.array(found.excess)
    return f"{np.median(rates):.4f} in the median, {rates.mean():.3f} on average and at most {rates.max():.3f}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::spikeloom.sw.common.errors.DiagnosticWarning")
def test_many_random_networks(capsys: pytest.CaptureFixture[str]) -> None:
    """500, and the table of the page with the largest differences and their bounds."""
    found = Found()
    check(range(500), found)
    with capsys.disabled():
        print("", *rows(found), f"{found.spikes:,} spikes compared", excess(found), sep="\n")
    assert FEATURES | ALL_CODINGS <= found.seen
    assert [row for row in rows(found) if row not in PAGE] == []
    assert f"{found.spikes:,} spikes and as many membranes" in PAGE
    assert excess(found) in PAGE


@pytest.mark.filterwarnings("ignore::spikeloom.sw.common.errors.DiagnosticWarning")
@pytest.mark.parametrize("phases", [2, 3, 4])
def test_a_bias_in_another_unit_is_seen(phases: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """[WS eq. 8]'s factor without its normalisation: every comparison with the network's own numbers notices."""
    tables = {"device": {"bits": 6}, "crossbar": {"adc_bits": 16}}
    case = random_case(0, steps=240 * phases, coding="phase", phases=phases, linear=True, blocks=0, tables=tables)

    def worst() -> list[float]:
        beside = Beside(case)
        inputs, ran = beside.run(0)
        parts = (beside.rounding(), beside.layer_by_layer(inputs, ran), beside.end_to_end(0, inputs, ran))
        return [part.worst for part in parts]

    assert max(worst()) <= 1.0
    monkeypatch.setattr("spikeloom.sw.compiler.pipeline.full_rate", lambda coding, phases: 1.0 / (1.0 - 2.0**-phases))
    assert min(worst()) > 1.0


def test_the_spiking_stage_with_a_bias_in_another_unit_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    case = random_case(0, steps=960, coding="phase", phases=4, linear=True, blocks=0)
    monkeypatch.setattr("spikeloom.sw.passes.float_snn.full_rate", lambda coding, phases: 1.0 / (1.0 - 2.0**-phases))
    beside = Beside(case)
    assert beside.spiking_stage(0, beside.inputs(0)).worst > 1.0


@pytest.mark.parametrize("coding", PHASES)
def test_the_factor_is_what_a_full_pixel_is(coding: str) -> None:
    for phases in range(1, 17 if coding != "even" else 2):
        assert full_rate(CODINGS[coding], phases) == pytest.approx(plain.full_rate(coding, phases), rel=1e-12)


def test_two_layers_by_hand() -> None:
    """K = 2, weights 3/4 and -1/2, bias 1/4, pixels 255 and 128: currents in each phase, worked out on paper."""
    net = plain.Net(2, (plain.Crossbar(np.array([[0.75, -0.5]]), np.array([0.25]), np.array([[0, 1]])),))
    inputs = plain.encoded("phase", np.array([255, 128]), 4, 2, 0)
    assert inputs.tolist() == [[1, 1], [1, 0], [1, 1], [1, 0]]
    ran = plain.run(net, inputs, 2, [plain.Neurons()], [0.0], plain.Decision("spikes", 0, None))
    assert np.ravel(ran.currents).tolist() == [0.5, 1.0, 0.5, 1.0]
    # V: 1/4 < 1/2; 1/4 + 1/4 >= 1/4, spike, 1/4 left; + 1/4 >= 1/2, spike, 0; + 1/4 >= 1/4, spike, 0
    assert np.ravel(ran.spikes).tolist() == [0, 1, 1, 1]
    assert np.ravel(ran.membranes).tolist() == [0.25, 0.25, 0.0, 0.0]
    assert ran.counts.tolist() == [1.0]  # 1/4 + 1/2 + 1/4 in two periods of 3/4: a rate of 2/3
    before = plain.activations(net, np.array([255, 128]) / 255)[1][0][0]
    assert abs(2 / 3 - before) < 0.5 * (2**6 - 1) / 255  # half a pixel's weight of what two bits leave out
