"""A built simulator of one chip's Verilog: made with Verilator or Icarus, cached by what determines it, run on jobs."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from spikeloom.hw.export.synthesis import netlist as gates
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.cache import cache_folder
from spikeloom.sim.common.lock import Busy, locked, shared
from spikeloom.sim.cosim.cocotb_runner import command_of, libraries, runner_of
from spikeloom.sim.cosim.npu_bench import bench_text
from spikeloom.sim.cosim.tools import SimulationError, check_simulator, simulator_environment
from spikeloom.sim.cosim.waves import wave_file

__all__ = ["MOST_BUILDS", "SOURCES", "Simulator", "visible"]

MOST_BUILDS = 100
"""Builds that stay in the cache, those taken last; more than a run of all tests makes, which would else build anew."""

_LOCK = threading.Lock()
_BUILD = re.compile(r"(verilator|icarus)-[0-9a-f]{20}")
SOURCES = Path(__file__).parent / "verilog"
"""Folder of the Verilog that is not generated."""
_KEPT = ("bench", "sim.vvp", "build.log")
"""Files of a build, beside its sources, that stay: the program that runs, and what building it said."""
_SETTINGS = {
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Without this every import would be parsed anew for pytest's assertions: two seconds per start.
    "COCOTB_REWRITE_ASSERTION_FILES": "",
}


@contextlib.contextmanager
def _alone(folder: Path, wait: bool = True) -> Iterator[None]:
    """Keep other processes from building in the same folder; one that has begun is waited for, or `Busy` is raised."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f".{folder.name}.lock"), wait=wait):
        yield


def _forget_old(kept: int = MOST_BUILDS) -> None:
    """Remove all builds but those taken last. One that runs or is being made stays; so does what is not a build."""

    def taken(folder: Path) -> float:
        for path in (folder / "built", folder):
            with contextlib.suppress(OSError):
                return path.stat().st_mtime
        return 0.0

    times = {path: taken(path) for path in cache_folder("simulators").iterdir() if _BUILD.fullmatch(path.name)}
    for folder in sorted(times, key=lambda path: times[path], reverse=True)[kept:]:
        mark = folder / "built"
        with contextlib.suppress(Busy, OSError), _alone(folder, wait=False):
            if taken(folder) != times[folder]:
                continue  # somebody has just taken it
            with locked(mark):
                mark.unlink()  # first: what is half removed is no build
                shutil.rmtree(folder)


@functools.lru_cache(maxsize=4)
def _texts(
    parameters: NpuParameters, settle_cycles: int, adc_cycles: int, waves: str | None, netlist: bool
) -> dict[str, str]:
    """Everything that is simulated: file name -> text. Kept, since a run in chunks asks again for each."""
    texts = dict(export_verilog(parameters))
    if netlist:
        texts.update(gates(texts))
    texts["crossbar_macro.sv"] = (SOURCES / "crossbar_macro_python.sv").read_text()
    macro = {"SETTLE_CYCLES": settle_cycles, "ADC_CYCLES": adc_cycles}
    texts["bench.sv"] = bench_text(parameters, macro, waves=waves)
    texts["bench.vlt"] = visible()
    return {name: text for name, text in texts.items() if name.endswith(".sv") or name == "bench.vlt"}


@dataclass(frozen=True)
class Simulator:
    """A built simulator of one chip's Verilog.

    Parameters
    ----------
    simulator : `verilator` or `icarus`
    folder : where it was built
    waves : built to record waveforms
    """

    simulator: str
    folder: Path
    waves: bool

    @classmethod
    def build(
        cls,
        chip: ProgrammedChip,
        simulator: str = "verilator",
        *,
        waves: bool = False,
        quick: bool = False,
        netlist: bool = False,
    ) -> Simulator:
        """Generate the Verilog and build the simulator, or take the existing build.

        `quick` leaves out the C++ compiler's optimisation: sooner built, slower to run. `netlist` puts the unit's
        gates, as Yosys synthesises them, in place of its Verilog: for small designs, since memories become
        flip-flops.

        Raises `ToolError` where a program is missing, `SimulationError` where the build fails.
        """
        check_simulator(simulator)
        texts = _texts(
            chip.parameters, chip.settle_cycles, chip.adc_cycles, wave_file(simulator) if waves else None, netlist
        )
        return cls.of_texts(texts, simulator, waves=waves, quick=quick)

    @classmethod
    def of_texts(
        cls,
        texts: Mapping[str, str],
        simulator: str = "verilator",
        *,
        waves: bool = False,
        quick: bool = False,
        random_start: bool = False,
    ) -> Simulator:
        """Build the simulator of other texts, or take the existing build.

        `texts` are file name -> Verilog (`.sv`), with the top module, called `bench`, in `bench.sv`, and Verilator's
        control file `bench.vlt` that names what Python touches. `random_start` has Verilator start whatever has no
        value of its own from what +verilator+rand+reset+2 and +verilator+seed+<n> give in a run, in the place of 0;
        Icarus starts it from X in any case. The rest as for `build`.
        """
        tool = check_simulator(simulator)
        if simulator == "verilator":
            tool = _verilator()
        # A simulator loads cocotb's libraries from where they lay when it was built.
        tools = [simulator, tool, version("cocotb"), str(libraries())]
        made_of = [dict(texts), tools, waves, quick, *(["random start"] if random_start else [])]
        key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:20]
        folder = cache_folder("simulators") / f"{simulator}-{key}"
        with _LOCK:
            with _alone(folder):
                if not (folder / "built").exists():
                    _build(folder, dict(texts), simulator, waves, quick, random_start)
                (folder / "built").touch()  # whole, and taken now
            _forget_old()
        return cls(simulator, folder, waves)

    def run(
        self, job: Path, *, membranes: bool = False, stalls: bool = False, stop: threading.Event | None = None
    ) -> None:
        """Run the bench in a job's folder; raises `SimulationError` if it does not finish, or `stop` is set."""
        with self.in_use():
            self._run(job, ["+membranes"] * membranes + ["+stalls"] * stalls, stop)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the build from being removed; raises `SimulationError` where it has been."""
        with contextlib.ExitStack() as using:
            try:
                using.enter_context(shared(self.folder / "built"))
            except FileNotFoundError:
                raise SimulationError(
                    f"The simulator in {self.folder} has been removed; run again to build it"
                ) from None
            yield

    def command(self, job: Path, module: str, plusargs: Sequence[str] = ()) -> tuple[list[str], dict[str, str]]:
        """Command and environment that run the simulator in a job's folder, with the cocotb bench `module`."""
        with simulator_environment():
            return command_of(self.simulator, self.folder, lambda runner: self._test(runner, job, module, plusargs))

    def _test(self, runner: Any, job: Path, module: str, plusargs: Sequence[str]) -> None:
        runner.test(
            test_module=module,
            hdl_toplevel="bench",
            hdl_toplevel_lang="verilog",
            build_dir=self.folder,
            test_dir=job,
            results_xml=str(job / "results.xml"),
            plusargs=list(plusargs),
            waves=self.waves and self.simulator == "icarus",  # under Verilator the bench's own $dumpfile suffices
            timescale=("1ns", "1ps"),
            log_file=job / "simulation.log",
            extra_env=_SETTINGS,
        )

    def _run(self, job: Path, plusargs: Sequence[str], stop: threading.Event | None) -> None:
        runner = runner_of(self.simulator, self.folder, stop)
        try:
            self._test(runner, job, "spikeloom.sim.cosim.npu_cocotb", plusargs)
        except (RuntimeError, SystemExit) as error:
            raise SimulationError(
                f"The {self.simulator} simulation failed ({error}); its log is {job}/simulation.log"
            ) from None
        results = job / "results.xml"
        if not results.exists() or "<failure" in results.read_text() or "<error" in results.read_text():
            raise SimulationError(f"The {self.simulator} bench raised an error; its log is {job / 'simulation.log'}")


def visible() -> str:
    """Verilator control file: only what Python touches is visible to it; everything else may be optimised."""
    lines = ["`verilator_config", 'public_flat_rw -module "bench" -var "finished"']
    lines += ['public_flat_rw -module "bench" -var "context_*"', 'public_flat_rw -module "bench" -var "clk"']
    names = ("request", "latched", "answer", "program_request", "program_word", "program_answer")
    lines += [f'public_flat_rw -module "crossbar_macro" -var "{name}"' for name in names]
    return "\n".join(lines) + "\n"


def _build(folder: Path, texts: dict[str, str], simulator: str, waves: bool, quick: bool, random_start: bool) -> None:
    if folder.exists():  # of a build that was stopped, perhaps by a kill at this moment: nobody writes to the new one
        folder.rename(tempfile.mkdtemp(prefix="old-", dir=folder.parent))
    for old in folder.parent.glob("old-*"):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    order = sorted(name for name in texts if name not in ("bench.sv", "bench.vlt")) + ["bench.sv"]
    arguments = ["-g2012"]
    if simulator == "verilator":
        runtime = cache_folder("simulators") / f"runtime-{_verilator()}-{version('cocotb')}-{int(waves)}"
        order = ["bench.vlt", *order]
        arguments = ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--no-public-flat-rw", "-O3", "--x-assign", "fast"]
        arguments += ["--x-initial", "unique" if random_start else "fast", "--no-assert"]
        if quick:  # nothing is optimised: one file compiles four times sooner than many, short functions sooner
            arguments += ["--output-split", "0", "--output-split-cfuncs", "1000"]
        for path in runtime.glob("verilated*.o"):
            shutil.copy(path, folder / path.name)
            later = time.time() + 3600  # make must find them newer than what Verilator is about to write
            os.utime(folder / path.name, (later, later))
    with simulator_environment({"OPT_FAST": "-O0" if quick else "-O2", "OPT_SLOW": "-O0"}):
        runner = runner_of(simulator, folder)
        try:
            with warnings.catch_warnings():  # cocotb's, of letters that its dump file would not take: it is not used
                warnings.simplefilter("ignore")
                runner.build(
                    sources=[folder / name for name in order],
                    hdl_toplevel="bench",
                    build_dir=folder,
                    build_args=arguments,
                    timescale=("1ns", "1ps"),
                    waves=waves,
                    always=True,
                    log_file=folder / "build.log",
                )
        except (RuntimeError, SystemExit) as error:
            raise SimulationError(
                f"Building with {simulator} failed ({error}); its log is {folder}/build.log"
            ) from None
    if simulator == "verilator":
        _keep_runtime(folder, runtime)
    for path in folder.iterdir():  # C++ and objects, precompiled headers of 150 megabytes among them
        if path.name not in texts and path.name not in _KEPT:
            path.unlink()


def _verilator() -> str:
    """Version of the packaged Verilator, which does not print one; else that of the system's."""
    try:
        return version("verilator")
    except PackageNotFoundError:
        return check_simulator("verilator")


def _keep_runtime(folder: Path, runtime: Path) -> None:
    """Keep the objects of Verilator's own library: they are the same for every design, and half of a small build."""
    if runtime.exists():
        return
    with tempfile.TemporaryDirectory(dir=cache_folder("simulators")) as temporary:
        for path in folder.glob("verilated*.o"):
            shutil.copy(path, Path(temporary) / path.name)
        with contextlib.suppress(OSError):  # another process was first
            os.rename(temporary, runtime)
            Path(temporary).mkdir()
