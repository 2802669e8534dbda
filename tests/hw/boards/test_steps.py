"""Steps: not run twice for the same, whole or not there at all, and with a log in any case."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from spikeloom.hw.boards.steps import BitstreamError, Step, Steps
from tests.hw.boards.fake_tools import FakeTools


class Bench:
    """A step of the fake packer, and a folder for it."""

    def __init__(self, folder: Path) -> None:
        self.tools = FakeTools(folder / "tools")
        self.folder = folder / "steps"
        self.told: list[tuple[str, str]] = []
        self.steps = Steps(self.folder, folder / "logs", lambda step, text: self.told.append((step, text)))
        packer = self.tools.programs().packer
        self.step = Step("pack", "pack it", packer, ("in.txt", "out.bin"), {"in.txt": b"one"}, ("out.bin",))

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_step_is_run_once(bench: Bench) -> None:
    first = bench.steps.run(bench.step)
    assert b"one" in first.read("out.bin") and not first.resumed and first.seconds > 0
    again = bench.steps.run(bench.step)
    assert again.resumed and again.folder == first.folder and again.seconds == first.seconds
    assert bench.tools.calls() == ["packer"] and bench.names() == ["pack"]
    assert bench.told == [("pack", "pack it"), ("pack", "finished before")]
    assert "Packing" in bench.steps.log("pack").read_text()


def test_it_is_run_again_for_anything_else(bench: Bench) -> None:
    bench.steps.run(bench.step)
    later = bench.tools.programs("2").packer
    others = [
        replace(bench.step, files={"in.txt": b"two"}),
        replace(bench.step, arguments=("--more", "in.txt", "out.bin")),
        replace(bench.step, program=later),
    ]
    bench.tools.calls()
    for other in others:
        assert not bench.steps.run(other).resumed
    assert bench.tools.calls() == ["packer"] * 3 and bench.names() == ["pack"]


@pytest.mark.parametrize("harm", ["changed", "gone", "record", "no record"])
def test_a_damaged_result_is_made_anew(bench: Bench, harm: str) -> None:
    folder = bench.steps.run(bench.step).folder
    if harm == "changed":
        (folder / "out.bin").write_bytes(b"other")
    elif harm == "gone":
        (folder / "out.bin").unlink()
    else:
        (folder / "step.json").write_text("{" if harm == "record" else "[]")
    done = bench.steps.run(bench.step)
    assert not done.resumed and b"one" in done.read("out.bin")


@pytest.mark.parametrize("orders", [{"fails": ["packer"]}, {"leaves": ["out.bin"]}])
def test_a_failure_leaves_what_was_there_and_a_log(bench: Bench, orders: dict[str, list[str]]) -> None:
    before = bench.steps.run(bench.step).read("out.bin")
    bench.tools.order(**orders)
    sentence = "packer could not pack it: ERROR: this is too much ERROR: really (log: "
    with pytest.raises(BitstreamError) as error:
        bench.steps.run(replace(bench.step, files={"in.txt": b"two"}))
    assert str(error.value).startswith(sentence if "fails" in orders else "packer wrote no out.bin, and gave no error")
    assert (bench.folder / "pack" / "out.bin").read_bytes() == before and bench.names() == ["pack"]
    assert bench.steps.log("pack").read_text().startswith("Info: Packing")
    bench.tools.order()
    assert bench.steps.run(bench.step).resumed, "the earlier one is still whole"


def test_an_interrupt_leaves_nothing_but_the_log(bench: Bench) -> None:
    bench.tools.order(waits=["packer"])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background process ignores it

    def interrupt() -> None:
        while not any("Packing" in text for _, text in bench.told):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            bench.steps.run(bench.step)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert bench.told[-1] == ("pack", "pack it: Packing constants")
    assert bench.names() == [] and bench.steps.log("pack").exists()
    bench.tools.order()
    assert not bench.steps.run(bench.step).resumed


def test_a_full_disk_is_named_by_its_folder(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        bench.steps.run(bench.step)
    assert error.value.filename == str(bench.folder) and bench.names() == []


def test_what_a_killed_process_left_is_removed(bench: Bench) -> None:
    (bench.folder / ".pack-abc" / "deep").mkdir(parents=True)
    bench.steps.run(bench.step)
    assert bench.names() == ["pack"]


def test_a_log_that_a_program_writes_itself_is_the_steps(bench: Bench) -> None:
    shell = shutil.which("sh") or "/bin/sh"
    program = replace(bench.step.program, command=(shell, "-c", "echo 1. Executing ABC pass. > own.log; echo x > y"))
    done = bench.steps.run(Step("own", "do", program, (), {}, ("y",)))
    assert done.read("y") == b"x\n" and "Executing ABC" in bench.steps.log("own").read_text()
