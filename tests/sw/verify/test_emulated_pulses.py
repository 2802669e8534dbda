"""A chip of emulated cells, programmed pulse by pulse over the buses in Verilog, is the one that the models make."""

from __future__ import annotations

import numpy as np

from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.crossbar.emulated_cells import emulated_cells
from spikeloom.sim.programming.write_verify import program_chip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host.cosim_transport import CosimTransport
from spikeloom.sw.host.driver import Host
from tests.fixtures.emulated import EMULATED
from tests.fixtures.host_chips import DEVICE, IDS, PIXELS, host_chip
from tests.sw.verify.test_bus_run import same_programming

CHIP = host_chip(device=DEVICE.model_copy(update={**EMULATED, "device_sigma": 0.2}))


def test_programmed_by_pulses() -> None:
    done = program_chip(CHIP)
    assert all(layer.first.failed.any() and layer.second.any() for layer in done.layers)
    with Host.connect(CosimTransport(CHIP, quick=True)) as host:
        same_programming(host.load(CHIP), done)
        assert host.transport.devices is not None
        states = host.transport.devices.cells()
        for state, layer in zip(states, done.layers, strict=True):
            for name in ("g_S", "pulses", "reads", "load", "read_load"):
                assert np.array_equal(getattr(state, name), getattr(layer.state, name)), name
        for cells, array in zip(emulated_cells(CHIP, states), build_arrays(CHIP), strict=True):
            assert np.array_equal(cells.weights, array.current_grid)
        run_reference(CHIP, PIXELS, ids=IDS).compare(host.infer(PIXELS, IDS))
