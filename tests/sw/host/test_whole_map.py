"""Every register of a chip over its buses: after a reset, with numbers of all widths, and after a soft reset."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.host.plan_words import words_of
from spikeloom.hw.host.register_map import MapEntry, bias_byte_address, host_map
from spikeloom.hw.interfaces.registers import Register
from spikeloom.hw.params.parameters import Coding
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host.cosim_transport import CosimTransport
from spikeloom.sw.host.driver import Host
from spikeloom.sw.host.transport import ACCESS, READ, WRITE
from tests.fixtures.networks import random_chip, random_pixels

STAGES = (
    CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
    MaxPoolStage(window=Window(source=1, kernel=(2, 2), stride=(2, 2))),
    AveragePoolStage(window=Window(source=0, kernel=(2, 2), stride=(2, 2)), start=2),
    CrossbarStage(layer=1, windows=tuple(Window(source=n, kernel=(2, 2)) for n in (2, 3))),
)
MAPS = Plan(input=MapShape(channels=1, height=4, width=4), stages=STAGES, channels=(2, 3)).with_replicas((2, 1))
"""A convolution by two replicas, both poolings, a residual addition."""
CHIPS = {"dense": {"sizes": [9, 8, 6, 5]}, "wide": {"sizes": [9, 6, 3]}, "maps": {"plan": MAPS}}
OKAY, SLVERR = 0, 2
TOP = 2**26 - 1


def chip_of(name: str) -> ProgrammedChip:
    """A small chip; of the wide one, registers are as wide as the result lets them be."""
    fields = {"tile_rows": 5, "tile_columns": 4, "lanes": 3, "encoder_lanes": 4, "row_bits": 1, "coding": Coding.EVEN}
    chip = random_chip(np.random.default_rng(31), phases=1, max_steps=9, t_max=9, skip=0, **fields, **CHIPS[name])
    if name != "wide":
        return chip
    layers = tuple(replace(p, max_theta=TOP, max_bias=TOP, max_gain_shift=15) for p in chip.parameters.layers)
    return replace(chip, parameters=replace(chip.parameters, layers=layers))


def held(entry: MapEntry, word: int) -> int:
    """What a register that was written with a word is read as."""
    kept = word & (1 << entry.bits) - 1
    return (kept - (entry.signed * (kept >> entry.bits - 1) << entry.bits)) & 0xFFFFFFFF


def exchange(host: Host, rows: list[tuple[int, int, int]]) -> list[list[int]]:
    """Response and word of each access: op, address, word."""
    return [list(answer) for answer in host.transport.execute(np.array(rows, ACCESS)).tolist()]


@pytest.mark.parametrize(
    ("name", "stalls"),
    [
        ("maps", True),
        pytest.param("dense", True, marks=pytest.mark.slow),
        pytest.param("wide", False, marks=pytest.mark.slow),
    ],
)
def test_every_register(name: str, stalls: bool) -> None:
    """No image in progress, no load session: what can be written holds the bits that it has, and all else keeps its
    value. A soft reset brings the values after a reset back, and then the chip does what it should.
    """
    chip, rng = chip_of(name), random.Random(1)
    entries = host_map(chip.parameters)
    shown = [e for e in entries if e.access != "wo" and e.name != "load_checksum"]
    kept = [e for e in entries if e.access == "rw" and not (isinstance(e.register, Register) and e.register.pulse)]
    kept = [e for e in kept if e.name not in ("program_start", "control")]  # these do something, and `control` counts
    reads = [(READ, e.address, 0) for e in shown]
    with Host(CosimTransport(chip, stalls=stalls, quick=True)) as host:
        plan_word = next(iter(words_of(chip.parameters.plan)), 0)  # the first one
        first = [[OKAY, plan_word if e.name == "plan_word" else held(e, e.init)] for e in shown]
        assert exchange(host, reads) == first
        assert host.identify() == chip.parameters
        for _ in range(3):
            words = {e: rng.getrandbits(32) for e in kept}
            for flip in (0, 0xFFFFFFFF):
                now = {e: word ^ flip for e, word in words.items()}
                written = exchange(host, [(WRITE, e.address, word) for e, word in now.items()])
                assert written == [[OKAY, 0]] * len(now)
                found = dict(zip(shown, exchange(host, reads), strict=True))
                assert {e: found[e] for e in kept} == {e: [OKAY, held(e, word)] for e, word in now.items()}
        refused = [e for e in entries if e.access == "ro"]
        answers = exchange(host, [(WRITE, e.address, rng.getrandbits(32)) for e in refused])
        assert [answer[0] for answer in answers] == [SLVERR] * len(refused)
        for index, layer in enumerate(chip.parameters.layers):
            places = [bias_byte_address(index, neuron) for neuron in range(layer.outputs)]
            for word in (rng.getrandbits(32) for _ in range(3)):
                rows = [(WRITE, place, word ^ flip) for flip in (0, 0xFFFFFFFF) for place in places]
                assert exchange(host, rows) == [[OKAY, 0]] * len(rows)
        host.reset()
        assert exchange(host, [row for row, e in zip(reads, shown, strict=True) if e in kept]) == [
            [OKAY, 1_000_000_000 if e.name == "timeout" else held(e, e.init)] for e in kept
        ]
        host.load(chip)
        pixels = random_pixels(np.random.default_rng(2), 4, chip.parameters.inputs)
        result = host.infer(pixels)
    run_reference(chip, pixels).compare(result)
