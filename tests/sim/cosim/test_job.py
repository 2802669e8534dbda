"""Files of a co-simulation job: register writes, image stream, record."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from spikeloom.hw.interfaces.registers import (
    bias_address,
    global_address,
    global_registers,
    layer_address,
    layer_registers,
)
from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.image_seeds import image_seed
from spikeloom.sim.chip.register_writes import register_writes
from spikeloom.sim.cosim.job import image_stream, read_record, read_trace, write_job
from spikeloom.sim.cosim.macro_model import programmed_models
from spikeloom.sim.cosim.tools import SimulationError
from spikeloom.sim.images.pixels import pixel_words
from tests.fixtures.networks import random_chip

CHIP = random_chip(np.random.default_rng(3), sizes=[7, 5, 3], encoder_lanes=3, coding=Coding.RATE, row_bits=1)


def test_every_register_is_written_once_with_its_value() -> None:
    writes = register_writes(CHIP)
    addresses = [address for address, _ in writes]
    assert len(set(addresses)) == len(addresses)
    settings = [register for register in global_registers(CHIP.parameters) if not register.pulse]
    own = [len(layer_registers(shape)) for shape in CHIP.parameters.layers]
    assert len(writes) == len(settings) + sum(own) + 5 + 3
    values = dict(writes)
    assert values[global_address("k")] == CHIP.k
    assert values[layer_address(1, "theta")] == CHIP.layers[1].theta
    assert [values[bias_address(0, neuron)] for neuron in range(5)] == CHIP.layers[0].bias.tolist()


def test_image_stream_layout() -> None:
    pixels = np.arange(1, 15, dtype=np.uint8).reshape(2, 7)
    stream = image_stream(CHIP, pixels, np.array([258, 7]))
    assert stream.shape == (2, 20 + 9)
    assert bytes(stream[0, :4]) == (258).to_bytes(4, "big")
    assert int.from_bytes(bytes(stream[1, 4:20]), "big") == image_seed(CHIP.seed, 7)
    # Words of three pixels, the first read byte is the highest: lane 0 last, padding 0.
    assert stream[0, 20:].tolist() == [3, 2, 1, 6, 5, 4, 0, 0, 7]


def test_loads_are_big_endian_pairs_in_twos_complement(tmp_path: Path) -> None:
    write_job(tmp_path, CHIP, programmed_models(CHIP), np.zeros((1, 7), np.uint8), np.array([0]))
    words = np.frombuffer((tmp_path / "loads.bin").read_bytes(), ">u4").reshape(-1, 2)
    expected = [(address, value & 0xFFFFFFFF) for address, value in register_writes(CHIP)]
    assert [tuple(int(word) for word in row) for row in words] == expected


def test_a_hang_is_named(tmp_path: Path) -> None:
    (tmp_path / "record.txt").write_text("s 4 1 0 1f\nhang 4\n")
    with pytest.raises(SimulationError, match=r"^The simulation stalled at image 4; its record is "):
        read_record(tmp_path, CHIP, np.array([4]), "spikes")


def test_missing_images_are_counted(tmp_path: Path) -> None:
    (tmp_path / "record.txt").write_text("")
    with pytest.raises(SimulationError, match=r"^The simulation gave 0 results for 2 images; see "):
        read_record(tmp_path, CHIP, np.array([4, 5]), "none")


def test_an_overflow_is_never_passed_over(tmp_path: Path) -> None:
    (tmp_path / "record.txt").write_text("r 4 0 10 2" + " 0" * 10 + "\n")
    np.savez(tmp_path / "conductance.npz", layer_0=np.zeros((0, 3), int), layer_1=np.zeros((0, 3), int))
    with pytest.raises(SimulationError, match=r"^A membrane of image 4 overflowed \(layer flags 10\)$"):
        read_record(tmp_path, CHIP, np.array([4]), "none")


def test_membranes_of_more_than_32_bits_are_whole(tmp_path: Path) -> None:
    wide = random_chip(
        np.random.default_rng(3), sizes=[7, 2], phases=11, max_steps=24, adc_bits=9, tile_rows=1, lanes=1
    )
    layer = dataclasses.replace(wide.parameters.layers[0], adc_bits=16)
    chip = dataclasses.replace(wide, parameters=dataclasses.replace(wide.parameters, layers=(layer,)))
    bits = layer.membrane_bits
    assert bits > 32
    values = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    packed = sum((value & ((1 << bits) - 1)) << (bits * index) for index, value in enumerate(values))
    record = f"s 4 1 0 1\nm 4 1 0 {packed:x}\nr 4 0 10 0" + " 0" * 5 + "\n"
    (tmp_path / "record.txt").write_text(record)
    np.savez(tmp_path / "conductance.npz", layer_0=np.zeros((0, 3), int))
    trace = read_record(tmp_path, chip, np.array([4]), "full").trace
    assert trace is not None and trace.membranes is not None
    assert trace.membranes[0][0, 0].tolist() == list(values)


def test_words_have_lane_0_first() -> None:
    words = pixel_words(CHIP.parameters, np.arange(1, 8, dtype=np.uint8)[None])
    assert words.tolist() == [[[1, 2, 3], [4, 5, 6], [7, 0, 0]]]


def test_a_trace_by_place(tmp_path: Path) -> None:
    """Neuron 0 is the lowest bit; steps count from 1; images that are not there are silent."""
    chip = dataclasses.replace(CHIP, t_max=2, skip=0)
    bits = [shape.membrane_bits for shape in chip.parameters.layers]
    membrane = f"{(1 << bits[1]) - 1:0{bits[1]}x}"  # neuron 0 has -1, the others 0
    (tmp_path / "record.txt").write_text(f"s 1 2 0 11\ns 0 1 1 4\nm 1 1 1 {membrane}\n")
    trace = read_trace(tmp_path / "record.txt", chip, 3, "full")
    assert np.argwhere(trace.unpacked(0)).tolist() == [[1, 1, 0], [1, 1, 4]]
    assert np.argwhere(trace.unpacked(1)).tolist() == [[0, 0, 2]]
    assert trace.membranes is not None and trace.membranes[1][1, 0].tolist() == [-1, 0, 0]
    assert read_trace(tmp_path / "record.txt", chip, 3, "spikes").membranes is None
