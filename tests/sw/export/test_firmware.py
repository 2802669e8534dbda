"""The C header, and the C programs of `examples/firmware` against a stand-in for the chip."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from spikeloom.hw.export.c_header import c_header
from spikeloom.hw.host.feature_word import feature_word
from spikeloom.hw.host.register_map import (
    bias_byte_address,
    layer_byte_address,
    program_target_byte_address,
    unit_byte_address,
)
from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.params.parameters import Coding, DecisionRule, Reset
from spikeloom.sim.chip.device_config import Programming
from spikeloom.sim.chip.image_seeds import image_seed
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.export.firmware import firmware_files, load_checksum, load_writes, network_header, programming_writes
from tests.fixtures.fake_chip import FakeChip
from tests.fixtures.models import make_chip, make_images
from tests.fixtures.networks import random_chip

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "examples" / "firmware"
COMPILER = shutil.which("gcc") or shutil.which("cc")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANE = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

PIXELS = make_images(3, 20)
CHIP = make_chip().programmed


def compiled(folder: Path, files: dict[str, str]) -> Path:
    """The program in `folder`, from the sources and the generated headers; with sanitizers where they are there."""
    for name, text in files.items():
        (folder / name).write_text(text)
    program = folder / "firmware"
    command = [COMPILER, *STRICT, f"-I{folder}", f"-I{FOLDER}", "-o", str(program)]
    command += [str(path) for path in sorted(FOLDER.glob("*.c"))]
    run = subprocess.run([*command, *SANE], capture_output=True, text=True, check=False)
    if run.returncode and re.search("sanitize|-lasan|-lubsan", run.stderr):
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return program


@pytest.fixture(scope="module")
def firmware(tmp_path_factory):
    """The program for CHIP, without programming of cells."""
    return compiled(tmp_path_factory.mktemp("firmware"), firmware_files(CHIP, PIXELS))


def answers(programmed, pixels) -> dict[int, tuple[int, list[int]]]:
    """Words of the result frames, from the reference."""
    result = run_reference(programmed, pixels)
    counters = {**result.activity, "conversions": result.activity["conversions"], "spikes": result.spikes}
    found = {}
    for i in range(len(result)):
        first = int(result.classes[i]) | int(result.steps[i]) << 16 | int(result.reasons[i]) << 31
        more = [1000 + i | 7 << 32]
        for layer in range(len(programmed.layers)):
            row, tile, adc, over, spikes = (int(counters[name][i, layer]) for name in COUNTERS)
            more += [row | tile << 32, adc | over << 32, spikes]
        found[i] = first | (int(result.margins[i]) & 0xFFFFFFFF) << 32, more
    return found


def last_counters(chip: FakeChip, programmed, pixels) -> FakeChip:
    """The chip with its counter registers as after the last image."""
    result = run_reference(programmed, pixels)
    counters = {**result.activity, "conversions": result.activity["conversions"], "spikes": result.spikes}
    for layer in range(len(programmed.layers) * programmed.parameters.activity_counters):
        for name in COUNTERS:
            chip.values[layer_byte_address(layer, name)] = int(counters[name][-1, layer])
    return chip


def fake(programmed=CHIP, pixels=PIXELS, **options) -> FakeChip:
    return last_counters(FakeChip(programmed.parameters, answers(programmed, pixels), **options), programmed, pixels)


def run(program: Path, chip: FakeChip, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    thread = chip.serve(folder)
    done = subprocess.run([program, str(folder), *options], capture_output=True, text=True, timeout=60, check=False)
    thread.join(10)
    assert not thread.is_alive()
    return done


# The list


def test_the_list_holds_registers_then_targets_and_starts():
    chip = dataclasses.replace(
        CHIP,
        programming=Programming(method="write-verify", tolerance=0.5, tries=9, amplitude_min=0.5, amplitude_max=2.0),
    )
    writes = load_writes(chip, programming=True)
    table = dict(writes)
    assert table[unit_byte_address("t_max")] == chip.t_max
    assert table[bias_byte_address(0, 2)] == int(chip.layers[0].bias[2]) & 0xFFFFFFFF
    names = ("program_window", "program_tries", "program_amplitude_min", "program_amplitude_max")
    assert [table[unit_byte_address(name)] for name in names] == [4, 9, 4, 16]
    assert writes[: len(load_writes(chip))] == load_writes(chip)
    # What a programmer with a buffer of targets ends with, start by start.
    for index, (p, layer) in enumerate(zip(chip.parameters.layers, chip.layers, strict=True)):
        levels = np.full((2, p.inputs, p.outputs), -1)
        buffer: dict[int, int] = {}
        for address, data in programming_writes(chip):
            word = (address - layer_byte_address(index, "theta") - 0x14000) // 4
            if address == layer_byte_address(index, "program_start"):
                row, group = data & 0xFFFF, data >> 16
                for word, target in buffer.items():
                    place, column = word % p.row_tiles * p.tile_rows + row, group * p.lanes + word // p.row_tiles
                    levels[:, place, column] = target & 0xFFFF, target >> 16
                buffer = {}
            elif 0 <= word < p.lanes * p.row_tiles:
                buffer[word] = data
        np.testing.assert_array_equal(levels, 8 * np.stack([layer.positive, layer.negative]))


def test_the_checksum_is_zlibs_over_little_endian_words():
    assert load_checksum([(1, 2), (0x04030201, 0x80000000)]) == zlib.crc32(
        b"\x01\0\0\0\x02\0\0\0\x01\x02\x03\x04\0\0\0\x80"
    )


def test_wrong_requests_are_refused():
    with pytest.raises(
        ValueError, match=r'^A list that programs the cells needs \[programming\] method = "write-verify"'
    ):
        network_header(CHIP, PIXELS, programming=True)
    with pytest.raises(ValueError, match=r"^Images must be at least one, but the batch is empty$"):
        network_header(CHIP, PIXELS[:0])
    with pytest.raises(ValueError, match=r"^The expected result has 2 images, but there are 3$"):
        network_header(CHIP, PIXELS, expected=run_reference(CHIP, PIXELS[:2]))


def test_a_name_cannot_end_a_comment_or_a_string():
    text = network_header(dataclasses.replace(CHIP, name='a*/"\\é'), PIXELS)
    assert text.startswith("/* a_____: ") and '"a_____"' in text


# The program


def test_loads_runs_and_agrees_with_the_reference(firmware, tmp_path):
    chip = fake()
    done = run(firmware, chip, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS: 3 images agree with the reference" in done.stdout
    assert chip.writes == load_writes(CHIP) and chip.session == "loaded"
    assert [number for number, _ in chip.frames] == [0, 1, 2]
    assert [bytes(frame[:20]) for _, frame in chip.frames] == [row.tobytes() for row in PIXELS]
    result = run_reference(CHIP, PIXELS)
    found = re.findall(r"image (\d+): class (\d+), (\d+) steps, margin (-?\d+), (\d+) cycles, gap (\d+)", done.stdout)
    assert [tuple(map(int, line)) for line in found] == [
        (i, result.classes[i], result.steps[i], result.margins[i], 1000 + i, 7) for i in range(3)
    ]


@pytest.mark.parametrize("what", ("class", "margin", "counter", "register"))
def test_another_answer_fails(firmware, tmp_path, what):
    chip = fake()
    first, more = chip.answers[1]
    if what == "class":
        chip.answers[1] = first ^ 1, more
    elif what == "margin":
        chip.answers[1] = first ^ 1 << 63, more
    elif what == "counter":
        chip.answers[1] = first, [*more[:-1], more[-1] + 1]
    else:
        chip.values[layer_byte_address(1, "spikes")] += 1
    done = run(firmware, chip, tmp_path)
    assert done.returncode == 1 and "FAIL: 1 answers differ from the reference" in done.stdout


@pytest.mark.parametrize("blind", (False, True), ids=("seen", "blind"))
def test_a_damaged_load_is_told_and_the_next_goes_through(firmware, tmp_path, blind):
    chip = fake(blind=blind)
    done = run(firmware, chip, tmp_path, "--damaged")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a damaged load: the chip's checksum differs: a write was damaged on its way; load again" in done.stdout
    assert chip.sessions == 2 and chip.unit("errors") == 0


def test_a_chip_that_does_not_find_the_damage_fails(firmware, tmp_path):
    chip = fake()
    writes = chip._write

    def trusting(address: int, data: int) -> int:
        return writes(address, chip.crc if chip.names.get(address) == "load_end" else data)

    chip._write = trusting  # type: ignore[method-assign]
    done = run(firmware, chip, tmp_path, "--damaged")
    assert done.returncode == 1 and "a damaged load: everything is well" in done.stdout


def test_after_a_soft_reset_the_chip_is_loaded_again(firmware, tmp_path):
    chip = fake()
    done = run(firmware, chip, tmp_path, "--reset")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "an image after a soft reset: the chip dropped an image: nothing is loaded" in done.stdout
    assert chip.sessions == 2 and "reset" in chip.log and chip.unit("control") & 0x10


def test_a_session_that_is_given_up_is_told(firmware, tmp_path):
    done = run(firmware, fake(forgets_after=9), tmp_path)
    assert done.returncode == 1
    assert "Error: loading: the chip gave up waiting for the rest of a load session or of a frame" in done.stdout


@pytest.mark.parametrize("blind", (False, True), ids=("seen", "blind"))
def test_another_build_is_told_before_anything_is_written(firmware, tmp_path, blind):
    chip = fake(blind=blind)
    other = dataclasses.replace(chip.parameters, pulse_cycles=chip.parameters.pulse_cycles + 1)
    chip = dataclasses.replace(chip, parameters=other)
    done = run(firmware, chip, tmp_path)
    assert done.returncode == 1 and set(chip.log) == {"control", "load_begin", "errors"}
    assert "Error: loading: the network was made for another build of the chip" in done.stdout


@pytest.mark.parametrize(
    ("name", "value", "words"),
    (
        ("id", 0, "its identification does not read LOOM"),
        ("version", 0x10000, "another major version"),
        ("version", 0x301, "the chip's register map is older than this driver's"),
    ),
)
def test_something_else_at_the_address_is_told(firmware, tmp_path, name, value, words):
    chip = fake()
    chip.values[unit_byte_address(name)] = value
    done = run(firmware, chip, tmp_path)
    assert done.returncode == 1 and words in done.stdout


def test_a_result_that_does_not_come_is_told(firmware, tmp_path):
    chip = fake()
    chip.frame = lambda *_: []  # type: ignore[method-assign]
    done = run(firmware, chip, tmp_path)
    assert done.returncode == 1 and "Error: an image: the chip did not answer in time" in done.stdout


def test_words_without_an_end_before_a_frame_are_passed_over(firmware, tmp_path):
    chip = fake()
    frames = chip.frame
    chip.frame = lambda *a: [f"f {a[0]} 00000000deadbeef{line[3:]}" for line in frames(*a)]  # type: ignore[method-assign]
    done = run(firmware, chip, tmp_path)
    assert done.returncode == 0, done.stdout


def test_rate_coding_sends_a_seed_before_every_image(tmp_path):
    programmed = random_chip(np.random.default_rng(5), sizes=(13, 4, 3), coding=Coding.RATE, encoder_lanes=5)
    pixels = make_images(3, 13)
    chip = fake(programmed, pixels)
    done = run(compiled(tmp_path, firmware_files(programmed, pixels)), chip, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for number, frame in chip.frames:
        seed = image_seed(programmed.seed, number).to_bytes(16, "little")
        assert frame == seed + bytes(4) + pixels[number].tobytes() + bytes(2)
    assert chip.unit("control") & 0x18 == 0x18


def test_partners_make_up_for_stuck_cells(tmp_path):
    chip = dataclasses.replace(CHIP, programming=Programming(method="write-verify", fault_aware=True))
    top = 8 * (chip.device.levels - 1)
    weights = chip.layers[0].weights
    pairs = [(int(row), int(column)) for row, column in np.argwhere((weights > 1) & (weights < 8))][:5]
    # Side, code of the stuck cell; then both codes afterwards, for a weight w > 0: targets 8 w and 0.
    low, high, apart, within, lost = pairs
    w = {pair: 8 * int(weights[pair]) for pair in pairs}
    stuck = {
        (0, *low, 0): 0,  # p should be 8 w and is 0: n would have to be negative
        (0, *high, 0): top,
        (0, *apart, 1): 30,
        (0, *within, 0): w[within] - 2,  # inside the window
        (0, *lost, 0): 0,
        (0, *lost, 1): top,
    }
    expected = {low: (0, 0), high: (top, top - w[high]), apart: (min(30 + w[apart], top), 30),
                within: (w[within] - 2, 0), lost: (0, top)}  # fmt: skip
    files = {
        "network.h": network_header(chip, PIXELS, expected=run_reference(CHIP, PIXELS)),
        "spikeloom_registers.h": c_header(),
    }
    model = fake(stuck=stuck)
    done = run(compiled(tmp_path, files), model, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for index, layer in enumerate(chip.layers):
        for row, column in np.ndindex(layer.weights.shape):
            targets = 8 * int(layer.positive[row, column]), 8 * int(layer.negative[row, column])
            found = tuple(model.cells[index, row, column, side] for side in (0, 1))
            assert found == (expected.get((row, column), targets) if index == 0 else targets), (index, row, column)
    p = chip.parameters.layers[0]
    again = {(row % p.tile_rows, column // p.lanes) for row, column in (low, high, apart)}
    starts = sum(min(q.tile_rows, q.inputs) * q.groups for q in chip.parameters.layers)
    assert f"programmed: {starts} starts, {len(again)} second passes, 0 pulses" in done.stdout
    assert "2 cells failed" in done.stdout
    for side in ("positive", "negative"):
        code = 0 if side == "positive" else top
        assert f"layer 0, row {lost[0]}, column {lost[1]}: the {side} cell failed at {code}/8 levels" in done.stdout
    assert model.session == "loaded" and len(model.writes) > len(load_writes(chip, True))


LEAN = {"leak": False, "clip": False, "resets": (Reset.SUBTRACT,)}


def lean(chip: ProgrammedChip, **features) -> ProgrammedChip:
    layers = tuple(dataclasses.replace(layer, **{**LEAN, **features}) for layer in chip.parameters.layers)
    return dataclasses.replace(chip, parameters=dataclasses.replace(chip.parameters, layers=layers))


def test_registers_that_are_missing_are_not_written(tmp_path):
    """The list has none of them, and of `reset` where there are kinds to choose from."""
    for features, names in (({}, set()), ({"resets": (Reset.SUBTRACT, Reset.ZERO), "leak": True}, {"leak", "reset"})):
        programmed = lean(CHIP, **features)
        written = {address for address, _ in load_writes(programmed)}
        addresses = {name: layer_byte_address(0, name) for name in ("leak", "clip", "reset")}
        assert {name for name, address in addresses.items() if address in written} == names
    done = run(compiled(tmp_path, firmware_files(programmed, PIXELS)), fake(programmed), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("built", "registers"),
    [({"leak": False}, {"leak": 3}), ({"clip": False}, {"clip": 9}), ({"resets": (Reset.ZERO, Reset.NONE)}, {})],
)
def test_a_network_that_needs_what_is_missing_is_refused(tmp_path, built, registers):
    """A chip that has the build number of another one, and does not have what the list is for."""
    whole = {"leak": True, "clip": True, "resets": tuple(Reset)}
    programmed = lean(CHIP, **whole)
    layers = tuple(dataclasses.replace(layer, **registers) for layer in programmed.layers)
    programmed = dataclasses.replace(programmed, layers=layers)
    chip = fake(programmed)
    word = feature_word(dataclasses.replace(programmed.parameters.layers[1], **built))
    chip.values[layer_byte_address(1, "features")] = word
    done = run(compiled(tmp_path, firmware_files(programmed, PIXELS)), chip, tmp_path)
    assert done.returncode == 1 and "Error: loading: the network needs a leak, a clip or a reset that" in done.stdout
    name = next(iter(registers), "reset")
    written = [address for address, _ in chip.writes]
    assert layer_byte_address(0, name) in written and layer_byte_address(1, name) not in written


def without_programmers(chip: ProgrammedChip) -> ProgrammedChip:
    programming = Programming(method="direct")
    return dataclasses.replace(
        lean(chip, leak=True, clip=True, resets=tuple(Reset), programmer=False), programming=programming
    )


def test_a_chip_without_programmers_is_loaded_without_programming(tmp_path):
    programmed = without_programmers(CHIP)
    chip = fake(programmed)
    done = run(compiled(tmp_path, firmware_files(programmed, PIXELS)), chip, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert chip.session == "loaded" and "programmed:" not in done.stdout
    with pytest.raises(ValueError, match=r"^A list that programs the cells needs a unit with programmers; .* = true$"):
        network_header(programmed, PIXELS, programming=True)


@pytest.mark.parametrize("settings", [True, False], ids=["settings first", "targets first"])
def test_a_list_that_programs_cells_is_refused_without_programmers(tmp_path, settings):
    """A chip that has the build number of another one, and no programmers: no write of programming is made."""
    chip = fake(CHIP)
    chip.values[unit_byte_address("parts")] &= ~1
    verify = dataclasses.replace(CHIP, programming=Programming(method="write-verify"))
    text = network_header(verify, PIXELS, expected=run_reference(CHIP, PIXELS))
    if not settings:
        for name in CHIP.programming.registers:
            text, count = re.subn(rf"\{{{unit_byte_address(name):#x}u, \w+\}},?", "", text)
            assert count == 1, name
    done = run(compiled(tmp_path, {"network.h": text, "spikeloom_registers.h": c_header()}), chip, tmp_path)
    assert done.returncode == 1
    assert "Error: loading: the list programs cells, but the chip is built without programmers" in done.stdout
    own = {unit_byte_address(name) for name in CHIP.programming.registers} | {program_target_byte_address(0, 0)}
    assert not {address for address, _ in chip.writes} & own


def test_a_chip_without_counters_gives_decisions_and_cycles(tmp_path):
    """Its result frames end with cycles and gap; the program compares what there is."""
    programmed = lean(CHIP, leak=True, clip=True, resets=tuple(Reset), activity_counters=False)
    chip = fake(CHIP)
    chip = FakeChip(programmed.parameters, {tag: (first, more[:1]) for tag, (first, more) in chip.answers.items()})
    done = run(compiled(tmp_path, firmware_files(programmed, PIXELS)), chip, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1002 cycles, gap 7" in done.stdout and "row pulses" not in done.stdout and "PASS" in done.stdout


def test_counters_that_a_chip_does_not_have_are_refused(tmp_path):
    """A chip that has the build number of another one, and no counters."""
    chip = fake(CHIP)
    chip.values[unit_byte_address("parts")] &= ~2
    done = run(compiled(tmp_path, firmware_files(CHIP, PIXELS)), chip, tmp_path)
    assert done.returncode == 1
    assert "Error: an image: the chip is built without activity counters: ask for none, or generate" in done.stdout


@pytest.mark.parametrize("coding", [Coding.RATE, Coding.EVEN, Coding.PHASE])
def test_a_coding_that_a_chip_does_not_have_is_refused(tmp_path, coding):
    """A chip that has the build number of another one, and another coding."""
    programmed = random_chip(np.random.default_rng(5), sizes=(13, 4, 3), coding=coding, encoder_lanes=5, phases=1)
    pixels = make_images(3, 13)
    chip = fake(programmed, pixels)
    chip.values[unit_byte_address("codings")] &= ~(1 << int(coding))
    done = run(compiled(tmp_path, firmware_files(programmed, pixels)), chip, tmp_path)
    assert done.returncode == 1 and "Error: loading: the network needs an input coding that the chip is" in done.stdout
    written = {address for address, _ in chip.writes}
    assert not written & {unit_byte_address(name) for name in ("coding", "seed_0")}


def test_a_rule_that_a_chip_does_not_have_is_refused(tmp_path):
    """A chip that has the build number of another one, and no stable decision."""
    programmed = random_chip(np.random.default_rng(5), sizes=(13, 4, 3), rule=DecisionRule.STABLE, encoder_lanes=5)
    pixels = make_images(3, 13)
    chip = fake(programmed, pixels)
    chip.values[unit_byte_address("parts")] &= ~4
    done = run(compiled(tmp_path, firmware_files(programmed, pixels)), chip, tmp_path)
    assert done.returncode == 1 and "Error: loading: the network needs a decision rule that the chip is" in done.stdout
    written = {address for address, _ in chip.writes}
    assert not written & {unit_byte_address(name) for name in ("rule", "stable_theta")}


# The manual


def test_code_of_the_manual_is_the_drivers_or_compiles(tmp_path):
    fences = re.findall(r"^```c\n(.*?)^```$", (ROOT / "docs" / "firmware.md").read_text(), re.M | re.S)
    sources = [path.read_text() for path in sorted(FOLDER.glob("*.c"))]
    own = [fence for fence in fences if not any(fence in text for text in sources)]
    assert len(fences) - len(own) == 2 and len(own) > 8
    (tmp_path / "manual.c").write_text("\n".join(own))
    for name, text in firmware_files(CHIP, PIXELS).items():
        (tmp_path / name).write_text(text)
    command = [COMPILER, *STRICT, f"-I{tmp_path}", f"-I{FOLDER}", "-c", "-o", str(tmp_path / "manual.o")]
    run = subprocess.run([*command, str(tmp_path / "manual.c")], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_makefile_builds_the_program(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "firmware")
    (tmp_path / "network").mkdir()
    for name, text in firmware_files(CHIP, PIXELS).items():
        (tmp_path / "network" / name).write_text(text)
    command = ["make", "-C", str(tmp_path / "firmware"), f"NETWORK={tmp_path / 'network'}", "CFLAGS=-O0"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "firmware" / "firmware").exists()


def test_every_error_has_a_sentence():
    header, source = (FOLDER / "spikeloom.h").read_text(), (FOLDER / "spikeloom.c").read_text()
    errors = set(re.findall(r"SPIKELOOM_E_\w+", header))
    assert len(errors) == 19
    for error in errors:
        assert f"case {error}: return " in source, error
