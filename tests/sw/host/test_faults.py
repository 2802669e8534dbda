"""What goes wrong between host and chip: a clear error on the host, a flag on the chip, and the next load works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.host.register_map import program_target_byte_address, unit_byte_address
from spikeloom.sim.cosim.host.bench import FRAME, NO_LAST
from spikeloom.sim.cosim.host.link import command
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host.cosim_transport import CosimTransport
from spikeloom.sw.host.driver import Host
from spikeloom.sw.host.errors import (
    BuildError,
    BusError,
    ChecksumError,
    HostError,
    ImageCountError,
    RefusedError,
    TransportClosed,
)
from spikeloom.sw.host.frames import image_frames
from spikeloom.sw.host.transport import WRITE, Accesses, Answers, Frames
from tests.fixtures.host_chips import IDS, PIXELS, host_chip

CHIP = host_chip()
FEW, FEW_IDS = PIXELS[:4], IDS[:4]
EXPECTED = run_reference(CHIP, FEW, ids=FEW_IDS)
TIMEOUT = 3000
"""Clock cycles; more than a start of the programmer takes."""


class Faulty(CosimTransport):
    """A transport whose accesses, frames and results are changed on the way, until `mend` is called."""

    table: Callable[[Accesses], Accesses]
    frames: Callable[[Frames], Frames]
    results: Callable[[list], list]

    def mend(self) -> None:
        self.table = self.frames = self.results = lambda what: what

    def execute(self, table: Accesses) -> Answers:
        return super().execute(self.table(table))

    def send(self, frames: Frames) -> None:
        super().send(self.frames(frames))

    def receive(self, count: int, idle_cycles: int) -> list[tuple[int, list[int]]]:
        return self.results(super().receive(count, idle_cycles))


@pytest.fixture(scope="module")
def transport() -> Iterator[Faulty]:
    with Faulty(CHIP, quick=True, patience_s=60.0) as transport:
        yield transport


@pytest.fixture
def host(transport: Faulty) -> Host:
    """A host of a chip after its reset, whose cells may have been programmed before."""
    transport.mend()
    transport.hardware_reset()
    return Host.connect(transport, timeout_cycles=TIMEOUT)


def works(host: Host, method: str = "pulses") -> None:
    """The next load works, and leaves no error flag; with pulses the cells' lives, and so their noise, are others."""
    assert isinstance(host.transport, Faulty)
    host.transport.mend()
    host.load(CHIP, method)  # type: ignore[arg-type]
    assert host.status() == {"status": ("loaded",), "errors": (), "events": ()}
    result = host.infer(FEW, FEW_IDS)
    assert host.status() == {"status": ("loaded",), "errors": (), "events": ()}
    if method == "fast":
        EXPECTED.compare(result)


def flipped(address: int) -> Callable[[Accesses], Accesses]:
    """One bit of the first write to an address is wrong."""

    def change(table: Accesses) -> Accesses:
        table = table.copy()
        rows = np.flatnonzero((table["kind"] == WRITE) & (table["address"] == address))[:1]
        table["data"][rows] ^= 1
        return table

    return change


@pytest.mark.parametrize(
    "address", [program_target_byte_address(0, 1), unit_byte_address("t_max"), unit_byte_address("program_tries")]
)
def test_a_flipped_bit(host: Host, address: int) -> None:
    host.transport.table = flipped(address)
    with pytest.raises(ChecksumError, match=r"^The chip received writes with checksum 0x[0-9A-F]{8}, but 0x[0-9A-F]"):
        host.load(CHIP)
    assert host.status()["errors"] == ("checksum",) and host.status()["status"] == ("error",)
    with pytest.raises(HostError, match=r"^Nothing is loaded: call load first$"):
        host.infer(FEW)
    works(host)


def test_a_write_that_is_lost(host: Host) -> None:
    """It goes to a register that is not part of the load."""

    def change(table: Accesses) -> Accesses:
        table = table.copy()
        table["address"][table["address"] == unit_byte_address("k")] = unit_byte_address("events")
        return table

    host.transport.table = change
    with pytest.raises(ChecksumError):
        host.load(CHIP, "fast")
    works(host, "fast")


def test_a_wrong_address(host: Host) -> None:
    def change(table: Accesses) -> Accesses:
        table = table.copy()
        table["address"][table["address"] == unit_byte_address("k")] += 2
        return table

    host.transport.table = change
    with pytest.raises(
        RefusedError, match=r"^The chip answered SLVERR to a write at address 0x.* no error flag is up$"
    ):
        host.load(CHIP)
    works(host, "fast")


def test_an_image_for_another_chip(host: Host) -> None:
    other = host_chip(adc_bits=7)
    with pytest.raises(
        BuildError, match=r"^The weight image was made for another chip: adc_bits of layer 0 is 7, the chip has 6$"
    ):
        host.load(other)
    assert host.status()["errors"] == ("build",) and "loaded" not in host.status()["status"]
    works(host, "fast")


class Gone(Exception):
    """The host's program has ended."""


def ending(after: int) -> Callable[[Accesses], Accesses]:
    """The host's program ends with an access: a part of the table comes through."""
    left = after

    def change(table: Accesses) -> Accesses:
        nonlocal left
        left -= 1
        if left == 0:
            raise Gone
        return table

    return change


@pytest.mark.parametrize("after", [6, 7, 9])
def test_a_host_that_goes_away_in_a_load(host: Host, after: int) -> None:
    """The chip waits for the timeout, not for ever; another host finds the flag and loads."""
    host.transport.table = ending(after)
    with pytest.raises(Gone):
        host.load(CHIP)
    host.transport.mend()
    assert "loading" in host.status()["status"]
    host.transport.wait(TIMEOUT + 10)
    assert host.status()["errors"] == ("timeout",) and host.status()["status"] == ("error",)
    other = Host.connect(host.transport, timeout_cycles=TIMEOUT)
    works(other, "fast")


def test_a_host_that_goes_away_in_an_image(host: Host) -> None:
    host.load(CHIP, "fast")
    frames = image_frames(CHIP, FEW[:1], FEW_IDS[:1], 900)
    words = frames.words[0, :4, ::-1]
    host.transport.link.exchange(command(FRAME | NO_LAST, len(words), 900, 0) + words.tobytes())
    host.transport.frames_sent += 1
    assert "busy" in host.status()["status"]
    host.transport.wait(TIMEOUT + 10)
    assert host.status()["errors"] == ("timeout",) and "busy" not in host.status()["status"]
    EXPECTED.compare(host.infer(FEW, FEW_IDS))


def test_a_load_while_an_image_is_in_work(host: Host) -> None:
    host.load(CHIP, "fast")
    host.transport.send(image_frames(CHIP, FEW[:2], FEW_IDS[:2], 0))
    with pytest.raises(RefusedError, match=r"^The chip does not begin a load now; its error flags: refused$"):
        host.load(CHIP, "fast")
    assert len(host.transport.receive(2, 10_000)) == 2  # they are answered all the same
    works(host, "fast")


@pytest.mark.parametrize("words", [-1, 1])
def test_a_frame_of_the_wrong_length(host: Host, words: int) -> None:
    """The image is dropped, flagged, and noticed by the host; the images around it are not touched."""
    host.load(CHIP, "fast")

    def change(frames: Frames) -> Frames:
        changed = np.concatenate([frames.words, frames.words[:, :1]], axis=1) if words > 0 else frames.words[:, :-1]
        for index, part in enumerate((frames.words, changed, frames.words)):
            CosimTransport.send(
                host.transport, Frames(part[index : index + 1], frames.tags[index : index + 1], IDS[:1])
            )
        return replace(frames, words=frames.words[3:], tags=frames.tags[3:], ids=frames.ids[3:])

    host.transport.frames = change
    with pytest.raises(ImageCountError, match=r"another order|3 results for 4 images; its error flags: frame$"):
        host.infer(FEW, FEW_IDS)
    assert host.status()["errors"] == ("frame",)
    host.transport.mend()
    EXPECTED.compare(host.infer(FEW, FEW_IDS))


def test_images_before_a_load(host: Host) -> None:
    host.transport.send(image_frames(CHIP, FEW, FEW_IDS, 0))
    assert host.transport.receive(4, 5000) == [] and host.status()["errors"] == ("unloaded",)
    works(host, "fast")


def test_a_result_that_is_lost(host: Host) -> None:
    host.load(CHIP, "fast")
    host.transport.results = lambda results: results[:-1]
    with pytest.raises(ImageCountError, match=r"^The chip gave 3 results for 4 images; its error flags: none$"):
        host.infer(FEW)


def test_results_in_another_order(host: Host) -> None:
    host.load(CHIP, "fast")
    host.transport.results = lambda results: results[::-1]
    with pytest.raises(ImageCountError, match=r"^The chip gave results in another order than it was given images$"):
        host.infer(FEW)


def test_a_frame_that_is_too_short(host: Host) -> None:
    host.load(CHIP, "fast")
    host.transport.results = lambda results: [(tag, words[:-1]) for tag, words in results]
    with pytest.raises(HostError, match=r"^The chip gave a result frame of 7 words, but 8 are due$"):
        host.infer(FEW)


def test_a_chip_that_is_gone() -> None:
    with Host.connect(CosimTransport(CHIP, quick=True)) as host:
        host.load(CHIP, "fast")
        host.transport.link._process.kill()
        for _ in range(2):
            with pytest.raises(TransportClosed, match=r"^The simulat"):
                host.infer(FEW)


@pytest.mark.parametrize(("write", "kind"), [(True, "write"), (False, "read")])
def test_an_address_without_a_register(host: Host, write: bool, kind: str) -> None:
    with pytest.raises(BusError, match=rf"^The chip answered SLVERR to a {kind} at address 0x003FF00$") as error:
        host.transport.write(0x3FF00, 0) if write else host.transport.read(0x3FF00)
    assert (error.value.address, error.value.response) == (0x3FF00, 2)
