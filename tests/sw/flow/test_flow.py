from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spikeloom.sw.common.errors import ConfigError, FileError, SpikeLoomWarning
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import SourceError
from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.flow import Flow, Step


class Factory:
    """Three steps that copy a value along, and count how often they run."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.fail: dict[str, BaseException] = {}
        self.text = "x"

    def steps(self) -> tuple[Step, ...]:
        return (
            Step("one", "first", (), (), lambda flow: flow.config.seed, self._work("one", lambda flow: self.text)),
            Step("two", "second", ("one",), (), lambda flow: flow.config.train.epochs, self._work("two", self._copy)),
            Step("three", "third", ("one", "two"), (), lambda flow: None, self._work("three", self._copy)),
        )

    def flow(self, folder: Path, config: Config | None = None) -> Flow:
        return Flow(config or Config(), folder, self.steps())

    def _copy(self, flow: Flow) -> str:
        return (flow.folder / "one/value.txt").read_text() + str(flow.config.train.epochs)

    def _work(self, name: str, value: Callable[[Flow], str]) -> Callable[[Flow], list[Path]]:
        def work(flow: Flow) -> list[Path]:
            self.ran.append(name)
            if name in self.fail:
                raise self.fail[name]
            write_atomic(flow.folder / name / "value.txt", value(flow))
            return [flow.folder / name]

        return work


@pytest.fixture
def factory() -> Factory:
    return Factory()


def test_steps_run_once_and_are_kept(factory: Factory, tmp_path: Path) -> None:
    factory.flow(tmp_path).run()
    flow = factory.flow(tmp_path)
    flow.run()
    assert factory.ran == ["one", "two", "three"]
    assert flow.skipped == ["one", "two", "three"] and flow.done == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ValueError("broken"), OSError(errno.ENOSPC, "full")])
def test_a_run_that_was_stopped_goes_on(factory: Factory, tmp_path: Path, failure: BaseException) -> None:
    factory.fail["two"] = failure
    with pytest.raises(type(failure)):
        factory.flow(tmp_path).run()
    assert not (tmp_path / "two").exists()
    factory.fail.clear()
    factory.flow(tmp_path).run()
    assert factory.ran == ["one", "two", "two", "three"]


def test_the_run_of_another_configuration_in_the_folder_is_told_of_before_it_is_replaced(
    factory: Factory, tmp_path: Path
) -> None:
    mine, other = Config().updated({"name": "mine"}), Config().updated({"name": "other", "seed": 3})
    factory.flow(tmp_path, mine).run()
    factory.flow(tmp_path, mine.updated({"seed": 2})).run()  # its own folder, and nothing to say
    flow = factory.flow(tmp_path, other)
    ran = len(factory.ran)
    told = f"The folder '{tmp_path}' holds the run 'mine', whose outputs those of the run 'other' replace; give another"
    with pytest.raises(SpikeLoomWarning, match="^" + re.escape(told)):
        flow.run()
    assert len(factory.ran) == ran  # pytest makes it an error: nothing has been run by then
    with pytest.warns(SpikeLoomWarning, match="^" + re.escape(told)) as seen:
        factory.flow(tmp_path, other).run()
    assert len(seen) == 1
    factory.flow(tmp_path, other).run(start="two")
    with pytest.warns(SpikeLoomWarning, match="holds the run 'other', whose outputs those of the run 'mine'"):
        factory.flow(tmp_path, mine).run()
    cleared = factory.flow(tmp_path, other)
    cleared.clear()
    cleared.run()
    state = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps({key: state[key] for key in state if key != "name"}))
    factory.flow(tmp_path, mine.updated({"seed": 4})).run()  # of an earlier version, which kept no name


def test_settings_run_the_steps_they_concern_and_the_later_ones(factory: Factory, tmp_path: Path) -> None:
    factory.flow(tmp_path).run()
    factory.ran.clear()
    factory.flow(tmp_path, Config().updated({"train": {"epochs": 3}})).run()
    assert factory.ran == ["two", "three"]


def test_a_step_with_the_same_outputs_does_not_touch_the_later_ones(factory: Factory, tmp_path: Path) -> None:
    factory.flow(tmp_path).run()
    factory.ran.clear()
    factory.flow(tmp_path, Config(seed=5)).run()  # step one runs again, and writes the same value
    assert factory.ran == ["one"]
    factory.text = "y"
    factory.flow(tmp_path, Config(seed=6)).run()
    assert factory.ran == ["one", "one", "two", "three"]


@pytest.mark.parametrize("damage", ["change", "remove", "state", "newer"])
def test_outputs_that_are_not_whole_are_made_again(factory: Factory, tmp_path: Path, damage: str) -> None:
    factory.flow(tmp_path).run()
    factory.ran.clear()
    path = tmp_path / "two/value.txt"
    if damage == "change":
        path.write_text("half")
    elif damage == "remove":
        path.unlink()
    elif damage == "state":
        (tmp_path / "state.json").write_text('{"version": 1, "ste')
    else:
        (tmp_path / "state.json").write_text('{"version": 99, "steps": {}}')
    factory.flow(tmp_path).run()
    assert factory.ran[0] == ("two" if damage in ("change", "remove") else "one")
    assert path.read_text() == "x40"
    assert factory.flow(tmp_path).current("three")


def test_from_and_to_choose_steps(factory: Factory, tmp_path: Path) -> None:
    factory.flow(tmp_path).run(stop="two")
    assert factory.ran == ["one", "two"]
    factory.flow(tmp_path).run(start="two")
    assert factory.ran == ["one", "two", "two", "three"]
    factory.flow(tmp_path).run(start="two", stop="two")
    assert factory.ran[4:] == ["two"]


def test_names_that_are_no_steps_are_refused(factory: Factory, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--from: there is no step 'tow'; the steps are one, two, three$"):
        factory.flow(tmp_path).run(start="tow")
    with pytest.raises(ConfigError, match=r"--from three comes after --to one"):
        factory.flow(tmp_path).run(start="three", stop="one")
    assert factory.ran == []


def test_no_space_for_the_record_is_one_sentence(
    factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def full(source: str, target: str) -> None:
        if Path(target).name == "state.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(FileError, match=r"^Cannot write '.*state\.json': there is no space left on the device$"):
        factory.flow(tmp_path).run()
    assert not (tmp_path / "state.json").exists()
    monkeypatch.undo()
    factory.flow(tmp_path).run()
    assert factory.ran == ["one", "one", "two", "three"]


def test_a_step_goes_on_from_what_it_left_unless_it_was_done(factory: Factory, tmp_path: Path) -> None:
    steps = (*factory.steps()[:2], replace(factory.steps()[2], partial=("chunks",)))
    Flow(Config(), tmp_path, steps).run(stop="two")
    (tmp_path / "chunks").mkdir()
    factory.fail["three"] = KeyboardInterrupt()
    for _ in range(2):  # the same command, interrupted twice
        with pytest.raises(KeyboardInterrupt):
            Flow(Config(), tmp_path, steps).run(start="three")
        assert (tmp_path / "chunks").exists()
    factory.fail.clear()
    Flow(Config(), tmp_path, steps).run(start="three")
    assert (tmp_path / "chunks").exists()
    Flow(Config(), tmp_path, steps).run(start="three")
    assert not (tmp_path / "chunks").exists()


def test_clear_removes_outputs_and_nothing_else(factory: Factory, tmp_path: Path) -> None:
    factory.flow(tmp_path).run()
    (tmp_path / "notes.txt").write_text("mine")
    flow = factory.flow(tmp_path)
    assert flow.started()
    flow.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"] and not flow.started()


def test_the_record_names_files_inside_the_folder_only(factory: Factory, tmp_path: Path) -> None:
    factory.flow(tmp_path).run()
    state = json.loads((tmp_path / "state.json").read_text())
    assert list(state["steps"]["two"]["outputs"]) == ["two/value.txt"]
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    factory.flow(moved).run()
    assert factory.ran == ["one", "two", "three"]


def test_source_changes_count(factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = factory.steps()
    steps = (steps[0], replace(steps[1], sources=("spikeloom.hw.params.parameters",)), steps[2])
    Flow(Config(), tmp_path, steps).run()
    assert Flow(Config(), tmp_path, steps).current("two")
    monkeypatch.setattr(
        "spikeloom.sw.flow.flow.sources_digest", lambda sources: f"changed {sources}" if sources else ""
    )
    assert not Flow(Config(), tmp_path, steps).current("two")


def test_a_source_that_is_not_there_is_told_before_any_step(factory: Factory, tmp_path: Path) -> None:
    steps = factory.steps()
    steps = (*steps[:2], replace(steps[2], sources=("sw.nothing:run",)))
    with pytest.raises(SourceError, match=r"^A step names the source 'sw.nothing:run', but there is no module"):
        Flow(Config(), tmp_path, steps).run()
    assert factory.ran == []


def test_clear_leaves_the_users_files_alone(factory: Factory, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/mine.txt").write_text("mine")
    factory.flow(tmp_path).clear()  # no run has ever been here
    assert (tmp_path / "one/mine.txt").exists()
    (tmp_path / "two").mkdir()
    factory.flow(tmp_path).run(stop="two")
    (tmp_path / "two/notes.txt").write_text("mine")
    factory.flow(tmp_path).clear()
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert "two/notes.txt" in left and "two/value.txt" not in left and "state.json" not in left


def test_a_record_that_leads_out_of_the_folder_removes_nothing_there(factory: Factory, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    record = {"fingerprint": "", "outputs": {"../outside.txt": "", str(outside): ""}}
    (tmp_path / "run").mkdir()
    (tmp_path / "run/state.json").write_text(json.dumps({"version": 1, "steps": {"one": record}}))
    factory.flow(tmp_path / "run").clear()
    assert outside.exists()


@pytest.mark.parametrize("steps", [[1], {"one": 3}, {"one": {"outputs": []}}, {"one": {"outputs": {}}}])
def test_a_damaged_record_is_as_none(factory: Factory, tmp_path: Path, steps: object) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"version": 1, "steps": steps}))
    factory.flow(tmp_path).run()
    assert factory.ran == ["one", "two", "three"]


def test_two_runs_in_one_folder_do_not_meet(factory: Factory, tmp_path: Path) -> None:
    def meet(flow: Flow) -> list[Path]:
        with pytest.raises(FileError) as error:
            factory.flow(tmp_path).run()
        sentence = f"Another run (process {os.getpid()}) is at work in '{tmp_path}': wait until it is done, or choose "
        assert str(error.value) == sentence + "another folder (--output)"
        with pytest.raises(FileError, match="is at work"):
            factory.flow(tmp_path).run_one("one")
        return []

    first = Flow(Config(), tmp_path, (replace(factory.steps()[0], run=meet), *factory.steps()[1:2]))
    with pytest.raises(FileNotFoundError):  # step two misses what step one would have written
        first.run()
    assert not (tmp_path / ".lock").exists()
    (tmp_path / ".lock").write_text("99999")  # left by a process that was killed
    factory.ran.clear()
    factory.flow(tmp_path).run(start="one")
    assert factory.ran == ["one", "two", "three"] and not (tmp_path / ".lock").exists()
