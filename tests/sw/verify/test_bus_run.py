"""A chip that is programmed and fed over its buses is, to the bit, the one that the models make."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.programming.write_verify import ChipProgramming, program_chip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host.cosim_transport import CosimTransport
from spikeloom.sw.host.driver import Host
from spikeloom.sw.host.load import LoadReport
from spikeloom.sw.verify.bus_run import through_bus
from tests.conftest import SIMULATORS
from tests.fixtures.host_chips import IDS, PIXELS, host_chip

CHIP = host_chip()
EXPECTED = run_reference(CHIP, PIXELS, ids=IDS, trace="full")
PROGRAMMED = program_chip(CHIP)


def same_programming(report: LoadReport, programmed: ChipProgramming) -> None:
    """Targets, codes, pulses and failed cells of both passes, and the counts."""
    assert report.method == "pulses"
    for load, layer in zip(report.layers, programmed.layers, strict=True):
        for name in ("wanted", "targets", "second"):
            assert np.array_equal(getattr(load, name), getattr(layer, name)), name
        for outcome in ("first", "final"):
            for name in ("codes", "pulses", "failed"):
                got, expected = getattr(getattr(load, outcome), name), getattr(getattr(layer, outcome), name)
                assert np.array_equal(got, expected), (outcome, name)
        assert (load.pulses, load.verify_reads) == (layer.pulses, layer.verify_reads)


def test_the_chip_has_what_is_to_be_tested() -> None:
    """Failed cells, a second pass that is not over everything, and more than one start, tile and group."""
    for layer in PROGRAMMED.layers:
        assert layer.first.failed.any() and 0 < layer.second.sum() < layer.second.size
    assert CHIP.parameters.layers[0].row_tiles == CHIP.parameters.layers[0].groups == 2
    assert len(set(EXPECTED.classes.tolist())) > 1 and EXPECTED.steps.min() < EXPECTED.steps.max()


@pytest.mark.parametrize("stalls", [False, True])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_programmed_by_pulses(simulator: str, stalls: bool) -> None:
    with Host.connect(CosimTransport(CHIP, simulator=simulator, stalls=stalls, quick=True)) as host:
        assert host.parameters == CHIP.parameters
        same_programming(host.load(CHIP), PROGRAMMED)
        assert host.transport.devices is not None
        for state, layer in zip(host.transport.devices.cells(), PROGRAMMED.layers, strict=True):
            for name in ("g_S", "pulses", "reads", "load", "read_load"):
                assert np.array_equal(getattr(state, name), getattr(layer.state, name)), name
        result = host.infer(PIXELS, IDS)
    EXPECTED.compare(result)
    assert result.gaps is not None and result.gaps[1:].max() <= (16 if stalls else 3)


@pytest.mark.parametrize("method", ["pulses", "fast"])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_both_ways_of_loading_give_the_same_chip(simulator: str, method: str) -> None:
    result, report = through_bus(CHIP, PIXELS, IDS, method, trace="full", simulator=simulator)  # type: ignore[arg-type]
    EXPECTED.compare(result, ("reference", "bus"))
    assert result.trace is not None and report.method == method and report.cycles is not None


def test_every_image_is_that_of_the_direct_simulation() -> None:
    """All the direct bench knows of an image, and its clock cycles where nothing is in the way of the results."""
    direct = run_cosim(CHIP, PIXELS, ids=IDS, trace="full", workers=1, quick=True)
    result, _ = through_bus(CHIP, PIXELS, IDS, trace="full")
    direct.compare(result, ("direct", "bus"))
    assert result.cycles is not None and direct.cycles is not None
    assert result.cycles[1:].tolist() == direct.cycles[1:].tolist()


@pytest.mark.parametrize("coding", [Coding.PHASE, Coding.EVEN])
def test_other_codings(coding: Coding) -> None:
    chip = host_chip(coding=coding)
    expected = run_reference(chip, PIXELS, ids=IDS, trace="spikes")
    result, _ = through_bus(chip, PIXELS, IDS, trace="spikes", stalls=True)
    expected.compare(result)
    assert result.trace is not None and result.trace.membranes is None


def test_without_the_second_pass() -> None:
    programmed = program_chip(CHIP, fault_aware=False)
    with Host.connect(CosimTransport(CHIP, quick=True)) as host:
        same_programming(host.load(CHIP, fault_aware=False), programmed)


def test_tiles_that_are_larger_than_the_layers() -> None:
    """Rows that are not there are not programmed; the checksum covers registers, targets and starts."""
    chip = host_chip(tile_rows=24, tile_columns=24, lanes=9)
    result, report = through_bus(chip, PIXELS, IDS)
    run_reference(chip, PIXELS, ids=IDS).compare(result)
    same_programming(report, program_chip(chip))
    registers, pairs, starts = 7 + 2 * 6 + (6 + 3) + 4, 8 * 6 + 6 * 3, 8 + 6
    second = [layer.second.sum() for layer in report.layers]
    assert report.writes == registers + pairs + starts + second[0] * (6 + 1) + second[1] * (3 + 1)


def test_workers_share_the_images() -> None:
    seen: list[tuple[int, int]] = []
    result, report = through_bus(
        CHIP, PIXELS, IDS, workers=2, trace="full", progress=lambda done, total: seen.append((done, total))
    )
    EXPECTED.compare(result)
    assert seen[-1] == (12, 12) and [done for done, _ in seen] == sorted(done for done, _ in seen)
    same_programming(report, PROGRAMMED)
