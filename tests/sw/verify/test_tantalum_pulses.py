"""Tantalum-oxide cells over the buses: programmed by pulses, drifting from there, and programmed again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.programming.write_verify import ChipProgramming, program_chip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host.cosim_transport import CosimTransport
from spikeloom.sw.host.driver import Host
from spikeloom.sw.verify.bus_run import through_bus
from tests.conftest import SIMULATORS
from tests.fixtures.drifting import DRIFT
from tests.fixtures.host_chips import IDS, PIXELS, host_chip
from tests.sw.verify.test_bus_run import same_programming

DEVICE: dict[str, Any] = {
    **DRIFT, "bits": 3, "device_sigma": 0.1, "pulse_sigma": 0.1, "read_sigma": 0.01, "stuck_on": 0.06,
    "stuck_off": 0.06, "drift_every": 2,
}  # fmt: skip
CHIP = host_chip(device=Device(**DEVICE))
PROGRAMMED = program_chip(CHIP)
EXPECTED = run_reference(CHIP, PIXELS, ids=IDS, trace="full")


def arrays_of(chip: ProgrammedChip, programmed: ChipProgramming) -> tuple[CrossbarArray, ...]:
    """Crossbars of cells as they were programmed."""
    parts = zip(chip.layers, chip.parameters.layers, programmed.layers, strict=True)
    return tuple(
        CrossbarArray(index, layer, shape, chip.device, chip.seed, programmed_S=done.state.g_S, read_s=chip.read_s)
        for index, (layer, shape, done) in enumerate(parts)
    )


def test_the_chip_has_what_is_to_be_tested() -> None:
    """Pulses both ways, failed cells, a second pass that is not over everything, and drift in every layer."""
    assert EXPECTED.drift is not None and EXPECTED.drift.cells_S is not None
    for layer, array, cells_S in zip(PROGRAMMED.layers, build_arrays(CHIP), EXPECTED.drift.cells_S, strict=True):
        assert layer.first.failed.any() and 0 < layer.second.sum() < layer.second.size
        assert layer.first.pulses[~layer.first.failed].max() > 2
        assert np.array_equal(array.cells_S, layer.state.g_S) and (cells_S != array.cells_S).mean() > 0.2
    assert len(set(EXPECTED.classes.tolist())) > 1 and EXPECTED.steps.min() < EXPECTED.steps.max()


@pytest.mark.slow
@pytest.mark.parametrize("stalls", [False, True])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_programmed_by_pulses_and_drifting_from_there(simulator: str, stalls: bool) -> None:
    with Host.connect(CosimTransport(CHIP, simulator=simulator, stalls=stalls, trace="full", quick=True)) as host:
        same_programming(host.load(CHIP), PROGRAMMED)
        devices = host.transport.devices
        assert devices is not None
        for state, layer in zip(devices.cells(), PROGRAMMED.layers, strict=True):
            for name in ("g_S", "pulses", "reads", "load", "read_load", "seen"):
                assert np.array_equal(getattr(state, name), getattr(layer.state, name)), name
        assert EXPECTED.compare(host.infer(PIXELS, IDS)) > 0


@pytest.mark.parametrize("method", ["pulses", "fast"])
def test_whole_runs(method: str) -> None:
    result, report = through_bus(CHIP, PIXELS, IDS, method, trace="full")  # type: ignore[arg-type]
    assert EXPECTED.compare(result) > 0 and report.method == method


def test_a_second_load_finds_the_cells_where_drift_has_brought_them() -> None:
    """Images, programming, images, programming, images: each time from the states that the cells are in by then."""
    with Host.connect(CosimTransport(CHIP, quick=True)) as host:
        devices = host.transport.devices
        assert devices is not None
        host.load(CHIP)
        host.infer(PIXELS, IDS)
        for count in (5, 8):
            before = devices.cells()
            report = host.load(CHIP)
            again = program_chip(CHIP, states=before)
            same_programming(report, again)
            for state, old, layer in zip(devices.cells(), before, again.layers, strict=True):
                for a, b in zip(state.arrays, layer.state.arrays, strict=True):
                    assert np.array_equal(a, b)
                assert layer.pulses > 0 and (state.pulses >= old.pulses).all()
            expected = run_reference(CHIP, PIXELS[:count], arrays=arrays_of(CHIP, again))
            assert expected.drift is not None and expected.drift.images == count
            assert expected.compare(host.infer(PIXELS[:count])) > 0


def test_pulses_after_a_fast_load_and_images() -> None:
    """The cells of a fast load have no history; programming goes on from where they have drifted to."""
    with Host.connect(CosimTransport(CHIP, quick=True)) as host:
        host.load(CHIP, "fast")
        drift = host.infer(PIXELS[:7]).drift
        assert drift is not None and drift.cells_S is not None
        host.load(CHIP, "pulses")
        assert host.transport.devices is not None
        states = host.transport.devices.cells()
        fresh = [type(state).at(cells_S) for state, cells_S in zip(states, drift.cells_S, strict=True)]
        again = program_chip(CHIP, states=fresh)
        for state, layer in zip(states, again.layers, strict=True):
            assert np.array_equal(state.g_S, layer.state.g_S) and np.array_equal(state.seen, layer.state.seen)
        run_reference(CHIP, PIXELS, ids=IDS, arrays=arrays_of(CHIP, again)).compare(host.infer(PIXELS, IDS))
