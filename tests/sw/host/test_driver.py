"""The driver: finding out what chip it is, loading, images, counters, resets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.hw.host.register_map import (
    bias_byte_address,
    build_id,
    host_map,
    layer_byte_address,
    unit_byte_address,
)
from spikeloom.hw.params.parameters import Reset
from spikeloom.sim.chip.device_config import Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.chip import Chip
from spikeloom.sw.common.errors import ArgumentTypeError
from spikeloom.sw.config.config import Config
from spikeloom.sw.host.cosim_transport import CosimTransport
from spikeloom.sw.host.driver import Host
from spikeloom.sw.host.errors import BuildError, BusError, ForeignChipError, HostError, TransportClosed
from spikeloom.sw.host.registers import bit
from spikeloom.sw.host.transport import ANSWER, Transport
from tests.fixtures.host_chips import IDS, PIXELS, host_chip

CHIP = host_chip()
EXPECTED = run_reference(CHIP, PIXELS, ids=IDS)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A chip that is loaded; a test that changes that loads again."""
    with Host.connect(CosimTransport(CHIP, quick=True)) as host:
        host.load(CHIP, "fast")
        yield host


class Registers(Transport):
    """A chip that is nothing but registers."""

    def __init__(self, words: dict[int, int]) -> None:
        self.words = words

    def execute(self, table: Any) -> Any:
        return np.array(
            [(0 if place in self.words else 2, self.words.get(place, 0)) for place in table["address"].tolist()], ANSWER
        )

    def send(self, frames: Any) -> None:
        raise NotImplementedError

    receive = wait = hardware_reset = send

    def close(self) -> None:
        self.closed = True


def registers(host: Host) -> dict[int, int]:
    """Everything that the driver reads of a real chip to connect."""
    words: dict[int, int] = {}

    class Spy(Registers):
        def execute(self, table: Any) -> Any:
            answers = host.transport.execute(table)
            words.update(zip(table["address"].tolist(), answers["data"].tolist(), strict=True))
            return answers

    Host.connect(Spy({}))
    host.load(CHIP, "fast")
    return words


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("id", 5, r"^What answers is not a SpikeLoom chip: its identification is 0x00000005, not 0x4C4F4F4D$"),
        ("id", None, r"^What answers is not a SpikeLoom chip: The chip answered SLVERR to a read at address 0x"),
        (
            "version",
            0x10000,
            r"^The chip's register map has version 1\.0\.0, but this driver needs 0\.6\.0; use the driver",
        ),
        (
            "version",
            0x401,
            r"^The chip's register map has version 0\.4\.1, but this driver needs 0\.6\.0; use the driver that the "
            r"chip was generated with, or generate its Verilog anew$",
        ),
        ("build", 1, r"^The chip's build number is 0x00000001, but its build registers give 0x[0-9A-F]{8}$"),
        ("max_steps", 0, r"^The chip's build registers make no sense: Layer parameter max_steps must be a positive"),
    ],
)
def test_another_chip(host: Host, name: str, word: int | None, message: str) -> None:
    words = registers(host)
    if word is None:
        del words[unit_byte_address(name)]
    else:
        words[unit_byte_address(name)] = word
    with pytest.raises(ForeignChipError, match=message):
        Host.connect(Registers(words))


class OtherBuild(Registers):
    """A chip of another build than that of any load."""

    def execute(self, table: Any) -> Any:
        answers = super().execute(table)
        answers["response"][table["address"] == unit_byte_address("load_begin")] = 2
        return answers


def test_a_chip_without_some_features() -> None:
    """It is known for what it is, and says what a load of a network for another one needs."""
    lean = {"leak": False, "resets": (Reset.SUBTRACT, Reset.NONE)}
    first, *others = CHIP.parameters.layers
    parameters = replace(CHIP.parameters, layers=(replace(first, **lean), *others))
    words = {entry.address: entry.init for entry in host_map(parameters)}
    words[unit_byte_address("errors")] = bit("errors", "build")
    host = Host(OtherBuild(words))
    assert host.identify() == parameters != CHIP.parameters
    sentence = (
        r"^The weight image was made for another chip: leak of layer 0 is True, the chip has False; generate the "
        r'hardware with \[hardware\] neuron_features = "all", and compile the network with it, too$'
    )
    with pytest.raises(BuildError, match=sentence):
        host.load(CHIP)
    words[unit_byte_address("codings")] = 0x10
    with pytest.raises(ForeignChipError, match=r"registers make no sense: Bits 0 \.\. 3 of codings have a meaning"):
        host.identify()
    words[unit_byte_address("codings")] = 0xF
    words[layer_byte_address(0, "features")] = 0x3F
    with pytest.raises(ForeignChipError, match=r"registers make no sense: Bits 0 \.\. 4 of a layer's features have"):
        host.identify()


def test_a_chip_without_programmers() -> None:
    """A load by pulses is refused, another leaves real cells as they are; nothing of programming is accessed."""
    chip = without_programmers(CHIP)
    entries = host_map(chip.parameters)
    accessed: list[int] = []

    class Watched(Registers):
        def execute(self, table: Any) -> Any:
            accessed.extend(table["address"].tolist())
            answers = super().execute(table)
            answers["response"] = 0
            return answers

    words = {entry.address: entry.init for entry in entries}
    host = Host(Watched(words))
    assert host.identify() == chip.parameters
    sentence = (
        r"^The chip is built without programmers, so its cells cannot be programmed by pulses: load with method "
        r"'fast', which leaves real cells as they are, or generate the hardware with \[hardware\] programmer = true$"
    )
    with pytest.raises(HostError, match=sentence):
        host.load(chip, "pulses")
    report = host.load(chip)
    assert (report.method, report.layers) == ("fast", ())
    assert set(host.status()) == {"status", "errors"} and "pulses" not in host.counters()["layers"][0]
    biases = {bias_byte_address(layer, n) for layer, p in enumerate(chip.parameters.layers) for n in range(p.outputs)}
    assert set(accessed) <= {entry.address for entry in entries} | biases
    words[unit_byte_address("parts")] = 0x80
    with pytest.raises(ForeignChipError, match=r"registers make no sense: Bits 0 \.\. \d of the unit's parts have a"):
        host.identify()


def without_programmers(chip: ProgrammedChip) -> ProgrammedChip:
    """The same chip, whose cells are programmed elsewhere."""
    layers = tuple(replace(layer, programmer=False) for layer in chip.parameters.layers)
    direct = Programming(method="direct")
    return replace(chip, parameters=replace(chip.parameters, layers=layers), programming=direct)


def test_a_chip_without_programmers_gives_the_same_results() -> None:
    """Over its buses in the simulator, its devices filled at once."""
    chip = without_programmers(CHIP)
    with Host.connect(CosimTransport(chip, quick=True)) as host:
        assert host.parameters == chip.parameters
        host.load(chip)
        run_reference(chip, PIXELS, ids=IDS).compare(host.infer(PIXELS, IDS))
        with pytest.raises(BusError):
            host.transport.read(unit_byte_address("events"))
        with pytest.raises(BusError):
            host.transport.read(layer_byte_address(0, "program_status"))
        assert host.status() == {"status": ("loaded",), "errors": ()}


def test_a_chip_without_activity_counters() -> None:
    """All but the counts is as with them: decisions, cycles, gaps, and sums of the devices."""
    layers = tuple(replace(layer, activity_counters=False) for layer in CHIP.parameters.layers)
    chip = replace(CHIP, parameters=replace(CHIP.parameters, layers=layers))
    with Host.connect(CosimTransport(chip, quick=True)) as host:
        assert host.parameters == chip.parameters
        host.load(chip, "fast")
        result = host.infer(PIXELS, IDS)
        assert result.counts_from is None and result.cycles is not None and result.gaps is not None
        expected = run_reference(chip, PIXELS, ids=IDS)
        values = expected.compare(result)
        assert values == expected.compare(expected) - 5 * expected.spikes.size
        counters = host.counters()
        assert set(counters["layers"][0]) == {"pulses", "verify_reads", "failed_cells"}
        assert (counters["cycles"], counters["gap"]) == (result.cycles[-1], result.gaps[-1])
        with pytest.raises(BusError):
            host.transport.read(layer_byte_address(0, "spikes"))
    with pytest.raises(
        ValueError, match=r"^The result has no activity counts, since its unit is built without activity"
    ):
        _ = result.counters


def test_the_same_chip(host: Host) -> None:
    words = registers(host)
    assert Host.connect(Registers(words)).parameters == CHIP.parameters
    assert words[unit_byte_address("build")] == build_id(CHIP.parameters)
    with pytest.raises(
        HostError, match=r"^A fast load needs simulated or emulated devices: real cells are programmed by pulses$"
    ):
        other = Host.connect(Registers(words))
        other.load(CHIP, "fast")


def test_images_and_counters(host: Host) -> None:
    seen: list[tuple[int, int]] = []
    before = host.counters()["images"]
    result = host.infer(PIXELS, IDS, lambda done, total: seen.append((done, total)))
    EXPECTED.compare(result)
    counters = host.counters()
    assert counters["images"] == before + len(PIXELS) and seen == [(12, 12)]
    assert result.cycles is not None and result.gaps is not None
    assert (counters["cycles"], counters["gap"]) == (result.cycles[-1], result.gaps[-1])
    for index, layer in enumerate(counters["layers"]):
        assert layer["spikes"] == result.spikes[-1, index]
        assert layer["row_pulses"] == result.activity["row_pulses"][-1, index]
        assert layer["conversions"] == result.activity["conversions"][-1, index]


def test_images_in_chunks(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are taken in a chunk behind; the pixel stream does not run dry between chunks."""
    monkeypatch.setattr("spikeloom.sw.host.driver._CHUNK", 5)
    seen: list[int] = []
    result = host.infer(PIXELS.astype(np.float64) / 255, IDS, lambda done, _: seen.append(done))
    EXPECTED.compare(result)
    assert seen == [5, 10, 12] and result.gaps is not None and result.gaps[1:].max() <= 3


def test_tags_wrap(host: Host) -> None:
    host._tag = 0xFFFA
    EXPECTED.compare(host.infer(PIXELS, IDS))
    assert host._tag == 6


def test_the_same_image_twice(host: Host) -> None:
    result = host.infer(PIXELS[[3, 3]], [7, 7])
    run_reference(CHIP, PIXELS[[3, 3]], ids=[7, 7]).compare(result)


def test_no_images(host: Host) -> None:
    with pytest.raises(ValueError, match=r"^Images must be at least one, but the batch is empty$"):
        host.infer(PIXELS[:0])


def test_soft_reset(host: Host) -> None:
    """Nothing is loaded any more, and results on their way are thrown away; the cells stay."""
    from spikeloom.sw.host.frames import image_frames

    host.transport.send(image_frames(CHIP, PIXELS[:2], IDS[:2], 0))
    host.reset()
    assert host.status() == {"status": (), "errors": (), "events": ()}
    with pytest.raises(HostError, match=r"^Nothing is loaded: call load first$"):
        host.infer(PIXELS)
    host.load(CHIP, "fast")
    EXPECTED.compare(host.infer(PIXELS, IDS))


def test_hardware_reset(host: Host) -> None:
    host.transport.hardware_reset()
    assert host.counters()["images"] == 0 and host.identify() == CHIP.parameters
    host.load(CHIP, "fast")
    EXPECTED.compare(host.infer(PIXELS, IDS))


def test_a_reset_at_any_moment_of_a_load(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the load with an error, or changes nothing: not even the host's own registers are lost unnoticed."""
    execute = host.transport.execute
    left, outcomes = 0, []

    def pulled(table: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            host.transport.hardware_reset()
        return execute(table)

    monkeypatch.setattr(host.transport, "execute", pulled)
    for moment in range(1, 100):
        left, over = moment, False
        try:
            host.load(CHIP, "fast")
        except HostError:
            outcomes.append("error")
            continue
        left, over = 0, left > 0
        EXPECTED.compare(host.infer(PIXELS, IDS))
        outcomes.append("exact")
        if over:
            break
    assert over and set(outcomes) == {"exact", "error"}
    host.load(CHIP, "fast")


def test_one_chip_after_another(host: Host) -> None:
    """Other weights, thresholds and seeds in the same hardware; programmed arrays are taken over."""
    other = replace(CHIP, seed=5, k=2, layers=(replace(CHIP.layers[0], theta=7), CHIP.layers[1]))
    expected = run_reference(other, PIXELS, ids=IDS)
    host.load(other, "fast", arrays=build_arrays(other))
    expected.compare(host.infer(PIXELS, IDS))
    host.load(CHIP, "fast")
    EXPECTED.compare(host.infer(PIXELS, IDS))


def test_a_chip_or_a_file(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "spikeloom.sw.weight_image.file.disagreement", lambda *_: None
    )  # a random chip has no configuration
    chip = Chip(CHIP, Config.load("tiny"))
    for source in (chip, chip.save(tmp_path / "chip.loom"), str(tmp_path / "chip.loom")):
        assert host.load(source, "fast").method == "fast"
    assert isinstance(spikeloom.load(tmp_path / "chip.loom"), Chip)
    EXPECTED.compare(host.infer(PIXELS, IDS))


def test_the_checksum_is_the_chips(host: Host) -> None:
    report = host.load(CHIP, "fast")
    assert host.transport.read(unit_byte_address("load_checksum")) == report.checksum
    assert report.writes == 7 + 2 * 6 + 6 + 3 + 4 and report.layers == ()


def test_before_connecting_and_after_closing() -> None:
    host = Host(Registers({}))
    with pytest.raises(
        HostError, match=r"^The host does not know its chip yet: call identify first, or make it by Host\.connect$"
    ):
        host.load(CHIP)
    with host:
        pass
    assert host.transport.closed  # type: ignore[attr-defined]
    transport = CosimTransport(CHIP, quick=True)
    folder = transport.folder
    transport.close()
    transport.close()
    assert not folder.exists()
    with pytest.raises(
        TransportClosed, match=r"^The simulated chip is gone: the transport was closed; open a new one$"
    ):
        transport.read(0)


def test_a_method_that_is_none(host: Host) -> None:
    with pytest.raises(ValueError, match=r"^The method of a load must be 'pulses' or 'fast', not 'slow'$"):
        host.load(CHIP, "slow")  # type: ignore[arg-type]


def test_read_only_registers(host: Host) -> None:
    with pytest.raises(BusError):
        host.transport.write(unit_byte_address("id"), 1)


@pytest.mark.parametrize(
    ("to", "options", "message"),
    [
        (
            None,
            {},
            r"^Host\.connect opens a chip and takes the name of a serial port, .* what its chip is by host\.id",
        ),
        (5, {}, r"^Host\.connect takes the name of a serial port, or a transport, not int$"),
        (Registers({}), {"baud": 9600}, r"^Host\.connect takes baud for the name of a serial port only: give what the"),
    ],
)
def test_what_connect_takes(to: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentTypeError, match=message):
        Host.connect(to, **options)
    if to is None:
        with pytest.raises(ArgumentTypeError, match=message):
            Host(Registers({})).connect()


def test_a_transport_of_something_else_is_closed() -> None:
    transport = Registers({})
    with pytest.raises(ForeignChipError):
        Host.connect(transport)
    assert transport.closed
