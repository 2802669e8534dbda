"""Host software against a simulated board on a line with faults at random bytes: healed, or an error that is clear.

Nothing hangs, nothing is told that is not so, and after every error the next host connects, loads and infers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.board.simulated_board import SimulatedBoard
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host import Host
from tests.fixtures.board_faults import CUTS, HEALED, LASTING, FaultyLine, Trials
from tests.fixtures.emulated import EMULATED
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.whole_boards import board_unit, check_result, simulator_of

RNG = np.random.default_rng(8)
DEVICE = Device(**{**EMULATED, "bits": 2, "device_sigma": 0.15, "stuck_on": 0.06, "stuck_off": 0.06})
CHIP: ProgrammedChip = random_chip(
    RNG, sizes=[5, 4, 2], programmer=True, device=DEVICE, tile_rows=3, tile_columns=4, lanes=4, encoder_lanes=3,
    row_bits=1, coding=Coding.RATE, phases=1, max_steps=6, t_max=6, seed=5, theta=3, gain_shift=0,
    programming=Programming(method="write-verify", fault_aware=True, tries=6),
)  # fmt: skip
"""Tiny; its gains are loaded, its images come with seeds."""
PIXELS = random_pixels(RNG, 3, 5)


@contextmanager
def trials(seed: int, quick: bool) -> Iterator[Trials]:
    """A board on a line that can have faults, and its host."""
    unit = board_unit(CHIP, False, buffer_bytes=128)
    with SimulatedBoard(simulator_of(unit, quick)) as board:
        run = Trials(FaultyLine(board), CHIP, PIXELS, seed)
        run.measure()
        yield run
        assert board.error is None


def check(outcomes: Counter[tuple[str, str, str]], sentences: dict[str, str]) -> None:
    """What strikes once and does not cut the cable is healed; cut cables, and lines that stay bad, are said."""
    errors = {kind: Counter[str]() for kind in (*HEALED, *CUTS, *LASTING)}
    for (kind, _, outcome), count in outcomes.items():
        errors[kind][outcome] += count
    for kind in HEALED:
        assert set(errors[kind]) <= {"healed", "unstruck"}, (kind, errors[kind])
    for kind in (*CUTS, *LASTING):
        assert set(errors[kind]) <= {"healed", "unstruck", "TransportClosed", "PortError", "ForeignChipError"}
    gone = r"The serial port '.*' is gone: plug the board's cable in again, and connect again"
    silent = r".* '.*' .*in \d+ tries of .* s: check .*"
    said = {"TransportClosed": f"{gone}|{silent}", "ForeignChipError": "What answers at '.*' with .*"}
    for name, sentence in sentences.items():
        assert re.fullmatch(said[name], sentence), sentence


def test_some_faults() -> None:
    with trials(3, quick=True) as run:
        while run.struck < 15:
            run.session()
    check(run.outcomes, run.sentences)
    assert {outcome for _, _, outcome in run.outcomes} >= {"healed", "TransportClosed"} and run.longest_s < 20


@pytest.mark.slow
def test_a_thousand_faults() -> None:
    """After 500 images on a good line, with the reference's results and counts."""
    with trials(1, quick=False) as run:
        pixels = random_pixels(np.random.default_rng(2), 500, 5)
        reference = run_reference(CHIP, pixels)
        with Host.connect(run.line.board.port, patience_s=60) as host:
            host.load(CHIP, "pulses")
            result = host.infer(pixels)
            assert check_result(result, reference) == 500 * (4 + 2 * 5)
            assert host.counters()["images"] == 500 and host.transport.repeated == 0
        while run.struck < 1000:
            run.session()
    print(run.summary())
    check(run.outcomes, run.sentences)
    seen = Counter(kind for kind, _, outcome in run.outcomes.elements() if outcome != "unstruck")
    assert set(seen) == {*HEALED, *CUTS, *LASTING} and run.longest_s < 30
    assert {name for _, name, _ in run.outcomes} == {"connect", "load", "program", "infer"}
