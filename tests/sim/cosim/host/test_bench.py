"""The bench that a host drives through pipes: commands, answers, and ends of both sides."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from spikeloom.hw.host.register_map import build_id, unit_byte_address
from spikeloom.hw.interfaces.streams import frame_words
from spikeloom.hw.params.cycles import image_bound
from spikeloom.sim.chip.image_seeds import image_seeds
from spikeloom.sim.chip.register_writes import register_writes
from spikeloom.sim.cosim.host import simulator as host_simulator
from spikeloom.sim.cosim.host.bench import (
    CONTINUES,
    FRAME,
    IRQ,
    NO_LAST,
    READ,
    RECEIVE,
    RESET,
    TIME,
    WAIT,
    WRITE,
)  # fmt: skip
from spikeloom.sim.cosim.host.link import HostLink, command
from spikeloom.sim.cosim.host.simulator import build_host_simulator
from spikeloom.sim.cosim.macro_model import programmed_models, save_models
from spikeloom.sim.cosim.simulator import Simulator
from spikeloom.sim.cosim.tools import SimulationError
from spikeloom.sim.images.pixels import pixel_words
from tests.conftest import SIMULATORS
from tests.fixtures.host_chips import IDS, PIXELS, host_chip

CHIP = host_chip()
BUILD = build_id(CHIP.parameters)


def job(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    save_models(folder, programmed_models(CHIP))
    return folder


@contextmanager
def running(folder: Path, simulator: str = SIMULATORS[0], *plusargs: str) -> Iterator[HostLink]:
    built = build_host_simulator(CHIP, simulator, quick=True)
    with HostLink(built, job(folder), plusargs, patience_s=60.0) as link:
        yield link


@pytest.fixture(scope="module", params=SIMULATORS)
def link(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostLink]:
    with running(tmp_path_factory.mktemp("link") / "job", request.param) as link:
        yield link


@pytest.fixture(autouse=True)
def _reset(request: pytest.FixtureRequest) -> None:
    if "link" in request.fixturenames:
        link = request.getfixturevalue("link")
        link.exchange(command(RESET, 5), 1)
        link.frames.clear()


def loading() -> bytes:
    """A load session with the registers of the chip, and frames with seeds and activity."""
    writes = [(4 * address, value) for address, value in register_writes(CHIP)]
    checksum = zlib.crc32(np.array([(a, v & 0xFFFFFFFF) for a, v in writes], "<u4").tobytes())
    pairs = [(unit_byte_address("control"), 0b11000), (unit_byte_address("load_begin"), BUILD), *writes]
    return b"".join(command(WRITE, a, v, 15) for a, v in [*pairs, (unit_byte_address("load_end"), checksum)])


LOADING = loading()
LOAD_ANSWERS = len(LOADING) // 16


def frame(index: int, flags: int = 0, words: slice = slice(None)) -> bytes:
    """An image frame: seed, then pixels; its tag is 100 and more."""
    lanes = CHIP.parameters.encoder_lanes
    seed = np.zeros(-(-16 // lanes) * lanes, np.uint8)
    seed[:16] = image_seeds(CHIP.seed, IDS[index : index + 1]).astype("<u4").view(np.uint8)
    body = np.concatenate([seed.reshape(-1, lanes), pixel_words(CHIP.parameters, PIXELS[index : index + 1])[0]])[words]
    return command(FRAME | flags, len(body), 100 + index, int(IDS[index])) + body[:, ::-1].tobytes()


def test_accesses(link: HostLink) -> None:
    t_max, identification = unit_byte_address("t_max"), unit_byte_address("id")
    data = command(READ, identification) + command(WRITE, t_max, 0x0503, 1) + command(READ, t_max)
    data += command(WRITE, t_max, 0x06FF, 2) + command(READ, t_max) + command(WRITE, identification, 1, 15)
    answers = link.exchange(data + command(READ, t_max + 1), 7)
    assert answers == [
        b"r 0 4c4f4f4d", b"w 0", b"r 0 00000003", b"w 0", b"r 0 00000003", b"w 2", b"r 2 00000000",
    ]  # fmt: skip


def test_time_passes_only_for_commands(link: HostLink) -> None:
    first, _, second = link.exchange(command(TIME) + command(WAIT, 100) + command(TIME), 3)
    time.sleep(0.3)
    (third,) = link.exchange(command(TIME), 1)
    times = [int(line.split()[1]) for line in (first, second, third)]
    assert 100 <= times[1] - times[0] <= 105 and times[2] == times[1] + 1


def test_images_and_results(link: HostLink) -> None:
    count = 4
    data = LOADING + b"".join(frame(index) for index in range(count))
    answers = link.exchange(data + command(RECEIVE, count, 5000), LOAD_ANSWERS + 1)
    assert answers == [b"w 0"] * LOAD_ANSWERS + [b"d 4"]
    frames = [line.split() for line in link.frames]
    assert [int(tag) for tag, *_ in frames] == [100, 101, 102, 103]
    assert {len(words) for _, *words in frames} == {frame_words(CHIP.parameters)}


def test_receive_counts_each_frame_once(link: HostLink) -> None:
    link.exchange(LOADING, LOAD_ANSWERS)
    data = b"".join(frame(index) for index in range(3)) + command(WAIT, 2000)
    data += command(RECEIVE, 2, 100) + command(RECEIVE, 5, 200) + command(RECEIVE, 1, 50) + command(TIME)
    *answers, late = link.exchange(data, 5)
    assert answers == [b"i", b"d 2", b"d 1", b"d 0"]
    (before,) = link.exchange(command(TIME), 1)
    assert int(before.split()[1]) == int(late.split()[1]) + 1


def test_a_frame_in_parts(link: HostLink) -> None:
    """Other commands may come between; the chip sees one frame."""
    link.exchange(LOADING, LOAD_ANSWERS)
    data = frame(0, NO_LAST, slice(0, 4)) + command(READ, unit_byte_address("status"))
    data += frame(0, CONTINUES, slice(4, None)) + frame(0) + command(RECEIVE, 2, 5000)
    status, received = link.exchange(data, 2)
    assert int(status.split()[2], 16) & 1 and received == b"d 2"
    assert link.frames[0].split()[:2] == link.frames[1].split()[:2]  # the same answer; other cycles


def test_interrupt(link: HostLink) -> None:
    link.exchange(LOADING, LOAD_ANSWERS)
    control = unit_byte_address("control")
    data = command(IRQ, 50) + command(WRITE, control, 0b11010, 15) + command(WRITE, unit_byte_address("build"), 0, 15)
    data += command(WRITE, unit_byte_address("load_begin"), BUILD ^ 1, 15) + command(IRQ, 50)
    assert link.exchange(data, 5) == [b"q 0", b"w 0", b"w 2", b"w 2", b"q 1"]


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_run_does_not_depend_on_the_hosts_speed(simulator: str, tmp_path: Path) -> None:
    """The same commands in one piece and in drops: the same answers and frames in the same clock cycles."""
    data = LOADING + b"".join(frame(index) for index in range(3)) + command(RECEIVE, 3, 9000) + command(TIME)
    count = LOAD_ANSWERS + 2
    seen = []
    rng = random.Random(1)
    for run, step in (("whole", len(data)), ("drops", 0)):
        with running(tmp_path / run, simulator, "+stalls") as link:
            start = 0
            while start < len(data):
                stop = start + (step or rng.randrange(1, 160))
                link.exchange(data[start:stop])
                start = stop
                if not step and rng.random() < 0.2:
                    time.sleep(0.02)
            seen.append((link.exchange(b"", count), list(link.frames)))
    assert seen[0] == seen[1] and len(seen[0][1]) == 3


def test_more_than_the_pipes_hold(tmp_path: Path) -> None:
    """Neither side waits for the other to read: two megabytes each way."""
    count = 150_000
    with running(tmp_path / "job") as link:
        answers = link.exchange(command(READ, unit_byte_address("id")) * count, count)
    assert len(answers) == count and set(answers) == {b"r 0 4c4f4f4d"}


def test_record(tmp_path: Path) -> None:
    """Lines name images by the place of their frames; nothing is recorded that was not asked for."""
    data = LOADING + frame(5) + frame(2) + command(RECEIVE, 2, 9000)
    kinds = {}
    for plusargs in ((), ("+record",), ("+membranes",)):
        folder = tmp_path / ("".join(plusargs) or "none")
        with running(folder, SIMULATORS[0], *plusargs) as link:
            link.exchange(data, LOAD_ANSWERS + 1)
        lines = [line.split() for line in (folder / "record.txt").read_text().splitlines()]
        kinds[plusargs] = {line[0] for line in lines}
        assert not lines or {line[1] for line in lines} == {"0", "1"}
    assert kinds == {(): set(), ("+record",): {"s"}, ("+membranes",): {"s", "m"}}


def ended(process: int, within_s: float = 15.0) -> bool:
    """Whether a process is gone, or a zombie that nobody waits for."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if (Path("/proc") / str(process) / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_the_simulation_ends_with_its_link(tmp_path: Path) -> None:
    with running(tmp_path / "job") as link:
        link.exchange(command(READ, 0), 1)
        process = link._process.pid
    assert ended(process) and "PASS=1" in (tmp_path / "job/simulation.log").read_text()


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_simulator_that_dies_is_noticed(simulator: str, when: str, tmp_path: Path) -> None:
    with running(tmp_path / "job", simulator) as link:
        if when == "later":
            link.exchange(command(READ, 0), 1)
        os.killpg(link._process.pid, signal.SIGKILL)
        start = time.monotonic()
        with pytest.raises(SimulationError, match=r"^The simulation has ended; its log is .*simulation\.log$"):
            link.exchange(command(WAIT, 10) * 200_000, 200_000)  # more than a pipe holds
        assert time.monotonic() - start < 10


def test_a_simulator_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with running(tmp_path / "job") as link:
        link.exchange(command(READ, 0), 1)
        os.killpg(link._process.pid, signal.SIGSTOP)
        link._patience_s = 0.5
        with pytest.raises(SimulationError, match=r"^The simulation has not answered for 0 seconds; its log"):
            link.exchange(command(READ, 0), 1)
        assert ended(link._process.pid)


_HOST = """
import sys
from pathlib import Path
from spikeloom.sim.cosim.host.link import HostLink, command
from spikeloom.sim.cosim.simulator import Simulator
link = HostLink(Simulator(sys.argv[1], Path(sys.argv[2]), False), Path(sys.argv[3]))
if sys.argv[4] == "later":
    link.exchange(command(2, 0), 1)
print(link._process.pid, flush=True)
link.exchange(command(4, 10**9), 1)
"""


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_host_that_dies_takes_its_simulator_along(simulator: str, when: str, tmp_path: Path) -> None:
    """Killed while the simulator starts, or while it is busy: nothing is left running."""
    built = build_host_simulator(CHIP, simulator, quick=True)
    arguments = [simulator, str(built.folder), str(job(tmp_path / "job")), when]
    host = subprocess.Popen([sys.executable, "-c", _HOST, *arguments], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    process = int(host.stdout.readline())
    host.kill()
    host.wait()
    host.stdout.close()
    assert ended(process)


def test_a_chip_that_does_not_answer_ends_the_simulation(tmp_path: Path) -> None:
    """Its bus is cut, so a write never ends: the bench says so after a while of simulated time."""
    texts = dict(host_simulator._texts(CHIP.parameters, CHIP.settle_cycles, CHIP.adc_cycles, CHIP.program_cycles, None))
    texts["bench.sv"] = texts["bench.sv"].replace(".s_axil_bvalid(bvalid), ", "")
    built = Simulator.of_texts(texts, SIMULATORS[0], quick=True)
    with HostLink(built, job(tmp_path / "job"), patience_s=120.0) as link:
        assert link.exchange(command(READ, unit_byte_address("id")), 1) == [b"r 0 4c4f4f4d"]
        with pytest.raises(SimulationError, match=r"^The simulation stalled; its log is "):
            link.exchange(command(WRITE, unit_byte_address("t_max"), 1, 15), 1)


def test_a_bench_that_raises_is_noticed(tmp_path: Path) -> None:
    """A model that cannot be programmed: the log says why."""
    with running(tmp_path / "job") as link:
        (tmp_path / "job" / "models.pickle").write_bytes(b"nothing")
        with pytest.raises(SimulationError, match=r"^The simulation has ended; its log is "):
            link.exchange(command(6), 1)
    assert "UnpicklingError" in (tmp_path / "job/simulation.log").read_text()


def test_image_bound(link: HostLink) -> None:
    link.exchange(LOADING, LOAD_ANSWERS)
    link.exchange(b"".join(frame(index) for index in range(12)) + command(RECEIVE, 12, 9000), 1)
    most = max(int(line.split()[2], 16) & 0xFFFFFFFF for line in link.frames)
    assert 0 < most <= image_bound(CHIP.parameters, CHIP.settle_cycles, CHIP.adc_cycles)
