"""Co-simulations of whole chips under Verilator with coverage: the tests that are there, and shipped networks.

Each holds what the chip does to the reference, as it does without coverage.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.run_folder import load_chip, load_run_images
from spikeloom.sw.flow.steps import make_flow
from spikeloom.sw.verify.chunks import cosimulate
from tests.coverage.captured import Captured
from tests.coverage.raw import Raw, kept_runs
from tests.coverage.verilator import Counted
from tests.mutation.blocks import ROOT
from tests.mutation.children import Send, run_child
from tests.mutation.digests import digest_of_files, imported, shared
from tests.mutation.session import run_tests

__all__ = ["SYSTEMS", "Network", "Tests", "runs_of"]

_SOURCES = (".py", ".toml", ".sv", ".v")
_LIMIT = 1800.0
"""Seconds without a sign of life after which a system is given up."""


@dataclass(frozen=True)
class Tests:
    """Tests of a file that co-simulate, by the end of their names; all must run and pass.

    Parameters
    ----------
    file : from the root
    names : of the tests, with their parameters
    """

    __test__ = False  # not a test, whatever pytest thinks of the name
    file: str
    names: tuple[str, ...]

    def run(self, send: Send, folder: Path) -> None:
        from tests import conftest
        from tests.benches import start_values
        from tests.coverage.rtlil_text import kept_state

        conftest.SIMULATORS[:] = ["verilator"]  # nothing counts in the others
        # A start value is a change for Verilator: registers begin with zeros here, where they are random else.
        start_values.scrambled = lambda files, seed: dict(files)
        start_values.paths_of = kept_state.paths_of
        run_tests(send, [f"{self.file}::{name}" for name in self.names], order=True, stop=False, slow=True)

    def passed(self, messages: Iterable[Mapping[str, Any]]) -> str:
        """What is wrong with what was sent, "" if nothing."""
        ended = {m["ended"]: m["outcome"] for m in messages if "ended" in m}
        wanted = [f"{self.file}::{name}" for name in self.names]
        wrong = [f"{name}: {ended.get(name, 'not there')}" for name in wanted if ended.get(name) != "passed"]
        return "; ".join(wrong)


@dataclass(frozen=True)
class Network:
    """A shipped configuration, trained and compiled as it is, of which some test images are co-simulated.

    Parameters
    ----------
    config : name of a preset, or of a file in examples/
    images : of the test images
    through_bus : loaded and fed over the buses, not directly
    changes : of the configuration, {section: {field: value}}
    """

    config: str
    images: int
    through_bus: bool = False
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def configuration(self) -> Config:
        example = ROOT / "examples" / f"{self.config}.toml"
        config = Config.load(example if example.exists() else self.config)
        return config.updated({name: dict(values) for name, values in self.changes.items()})

    def run(self, send: Send, folder: Path) -> None:
        flow = make_flow(self.configuration(), folder)
        flow.run(stop="convert")
        images = load_run_images(flow).images[: self.images]
        chip = load_chip(flow).programmed
        _, facts = cosimulate(chip, images, trace_images=min(2, self.images), through_bus=self.through_bus)
        send({"compared": facts["values_compared"], "mismatches": facts["mismatches"]})

    def passed(self, messages: Iterable[Mapping[str, Any]]) -> str:
        """What is wrong with what was sent, "" if nothing."""
        found = [m for m in messages if "compared" in m]
        return "" if found and found[0]["compared"] > 0 and found[0]["mismatches"] == 0 else "nothing was compared"


SYSTEMS: dict[str, Tests | Network] = {
    "digits": Network("digits", 48, changes={"data": {"test_limit": 100}}),
    "programming and digits over buses": Network(
        "programming", 48, through_bus=True, changes={"data": {"test_limit": 100}, "train": {"hidden": [48, 32]}}
    ),
    "residual digits": Network("residual_digits", 12, changes={"data": {"test_limit": 100}}),
    "rate coding": Network("tiny", 16, changes={"coding": {"input": "rate"}}),
    "phase coding": Network(
        "tiny", 16, changes={"coding": {"input": "phase", "phases": 8}, "decision": {"t_max": 32, "skip": 1}}
    ),
    "host": Tests("tests/hw/test_npu_axi_cosim.py", ("test_buses[verilator-0-20]", "test_buses[verilator-40-20]")),
    "resets of maps": Tests("tests/hw/test_reset_maps.py", ("test_images_after_resets_in_images[verilator-8]",)),
    "programming": Tests(
        "tests/sw/verify/test_bus_run.py",
        (
            "test_programmed_by_pulses[verilator-True]",
            "test_other_codings[coding0]",
            "test_other_codings[coding1]",
            "test_tiles_that_are_larger_than_the_layers",
        ),
    ),
    "every register": Tests("tests/sw/host/test_whole_map.py", ("test_every_register[dense-True]",)),
    "commands": Tests(
        "tests/sim/cosim/host/test_bench.py",
        ("test_accesses[verilator]", "test_images_and_results[verilator]", "test_interrupt[verilator]"),
    ),
    "a slow step": Tests("tests/sim/cosim/test_run.py", ("test_a_slow_step_is_no_hang",)),
    "registers": Tests(
        "tests/sim/cosim/test_register_ranges.py",
        ("test_all_at_their_ends_agree[top]", "test_all_at_their_ends_agree[bottom]"),
    ),
    "stalls": Tests("tests/sim/cosim/test_run.py", ("test_stalls_change_cycles_and_nothing_else",)),
    "every register of maps": Tests("tests/sw/host/test_whole_map.py", ("test_every_register[maps-True]",)),
    "every wide register": Tests("tests/sw/host/test_whole_map.py", ("test_every_register[wide-False]",)),
    "random networks": Tests(
        "tests/sim/estimates/test_timing.py",
        tuple(f"test_cycles_are_those_of_the_verilog[{seed}]" for seed in (0, 3, 6, 7)),
    ),
    "random maps": Tests(
        "tests/sim/estimates/test_timing.py",
        tuple(f"test_cycles_of_maps_are_those_of_the_verilog[{seed}]" for seed in (0, 1)),
    ),
}
"""What is run, by name."""


def _digest(system: Tests | Network) -> str:
    """Of all that a system's runs depend on but the tools."""
    paths = {path for name in ("hw", "sim", "sw") for path in (ROOT / name).rglob("*") if path.suffix in _SOURCES}
    paths |= {Path(__file__).with_name(name) for name in ("captured.py", "raw.py", "verilator.py")}
    paths |= set(Path(__file__).with_name("rtlil_text").glob("*.py"))
    if isinstance(system, Tests):
        paths |= imported([ROOT / system.file, *shared()])
    else:
        paths |= set((ROOT / "examples").glob("*.toml"))
    return f"{hashlib.sha256(repr(system).encode()).hexdigest()[:8]}{digest_of_files(paths)}"


def _life(system: Tests | Network, kept: Path, work: Path) -> Callable[[Send], None]:
    def life(send: Send) -> None:
        os.environ["SPIKELOOM_CACHE"] = str(work.parent / "cache")
        with Captured() as captured, Counted(work / "counts") as counted:
            system.run(send, work / "run")
        send({"keeping": True})
        found = kept_runs(counted.runs, captured.rtlil)
        temporary = kept.with_suffix(".new")
        temporary.write_bytes(pickle.dumps(found))
        temporary.replace(kept)
        send({"kept": True})

    return life


def runs_of(name: str, folder: Path, say: Callable[[str], None]) -> Raw:
    """What a system's runs left, run in a forked child; kept in `folder` until it or a source changes.

    Raises
    ------
    RuntimeError : it fails, or leaves no counts
    """
    system, word = SYSTEMS[name], name.replace(" ", "_")
    folder.mkdir(parents=True, exist_ok=True)
    kept, work = folder / f"{word}-{_digest(system)}.pickle", folder / word
    if not kept.exists():
        shutil.rmtree(work, ignore_errors=True)
        log = folder / f"{word}.log"
        messages = list(run_child(_life(system, kept, work), log, _LIMIT))
        wrong = system.passed(messages)
        if wrong or "kept" not in messages[-1]:
            kept.unlink(missing_ok=True)
            raise RuntimeError(f"The system '{name}' must pass to be counted; see {log}: {wrong or messages[-1]}")
        shutil.rmtree(work, ignore_errors=True)
        for old in folder.glob(f"{word}-*.pickle"):
            if old != kept:
                old.unlink()
        say(f"simulated: {name}")
    found: Raw = pickle.loads(kept.read_bytes())
    if not found.runs:
        raise RuntimeError(f"The system '{name}' passed, but no simulation left counts")
    return found
