"""`spikeloom board --simulate`: a host connects to what it prints, and Ctrl-C ends it without leftovers."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.cli.main import app
from spikeloom.sw.host import Host, SerialTransport
from spikeloom.sw.host.errors import TransportClosed
from tests.fixtures.models import make_chip
from tests.fixtures.networks import random_pixels
from tests.fixtures.whole_boards import check_result

COMMAND = """
from functools import partial
from spikeloom.sim.cosim.board import simulated_board
simulated_board.build_board_simulator = partial(simulated_board.build_board_simulator, quick=True)
from spikeloom.sw.cli.main import main
main()
"""
"""The command, with a simulator that is sooner built."""
CHIP = make_chip(4, 2, hardware={"lanes": 1, "encoder_lanes": 2, "programmer": False})


def test_a_host_connects_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    CHIP.save(tmp_path / "small.loom")
    words = [sys.executable, "-c", COMMAND, "board", "small.loom", "--board", "icebreaker", "--simulate"]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        late = threading.Timer(300, process.kill)
        late.start()
        try:
            assert process.stdout is not None and process.stderr is not None
            port = process.stdout.readline().removeprefix("Port: ").rstrip()
            way = process.stdout.readline()
            assert way == f"To connect: Host.connect('{port}', patience_s=60).load('small.loom')\n"
            pixels = random_pixels(np.random.default_rng(1), 5, 4)
            host = Host.connect(port, patience_s=60)
            host.load(tmp_path / "small.loom")
            result = host.infer(pixels)
            reference = run_reference(CHIP.programmed, pixels)
            assert check_result(result, reference) >= 4 * len(pixels)
            assert isinstance(host.transport, SerialTransport)
            told = host.transport.board
            assert (told.clock_Hz, told.clocks_per_bit) == (18_000_000, 4)
            assert (told.buffer_bytes, told.encoder_lanes) == (512, 2)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
            assert process.stdout.read() == "Ctrl-C ends it.\n"
            said = process.stderr.read()
        finally:  # what a test that failed leaves would live until it is late
            late.cancel()
            process.kill()
    assert re.search(r"\nThe simulated board has ended after [\d,]+ clock cycles\.\n$", said), said
    with pytest.raises(TransportClosed, match="is gone: plug the board's cable in again, and connect again"):
        host.status()
    assert not Path(port).parent.exists() and [path.name for path in tmp_path.iterdir()] == ["small.loom"]


@pytest.mark.parametrize("option", [["--program"], ["--output", "there"], ["--seed", "3"]])
def test_options_of_bitstreams_have_no_effect(tmp_path: Path, option: list[str]) -> None:
    CHIP.save(tmp_path / "small.loom")
    result = CliRunner().invoke(app, ["board", str(tmp_path / "small.loom"), "--simulate", *option])
    assert result.exit_code == 2 and result.stderr == (
        f"Error: {option[0]}: it would have no effect with --simulate, which makes no bitstream; "
        "leave one of them out\n"
    )
