"""Co-simulation: the generated Verilog under Verilator or Icarus, the analog array played by the device model.

The images of a run are independent (every random draw is addressed by image number), so they are split over worker
processes, each a simulator of its own. Builds are kept by what determines them and used again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from hw.export import export_verilog
from hw.params import NpuParameters
from hw.synthesis import netlist as gates
from sim.bench import bench_text
from sim.crossbar import CrossbarArray
from sim.image import ChipImage
from sim.job import read_record, write_job
from sim.lock import locked
from sim.macro import MacroModel, programmed_models
from sim.reference import check_ids, check_images
from sim.result import Result
from sim.threads import processors
from sim.tools import SimulationError, check_simulator, simulator_environment
from sim.waves import gtkw_text, wave_file

__all__ = ["Cosim", "run_cosim"]

_LOCK = threading.Lock()
_SOURCES = Path(__file__).parent / "verilog"
_MINIMUM_PER_WORKER = 16
_OPTIMISE_FROM = 100
_SIMULATOR_SETTINGS = {
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Without this every import would be parsed anew for pytest's assertions: two seconds a start.
    "COCOTB_REWRITE_ASSERTION_FILES": "",
}


def cache_folder() -> Path:
    """Folder that keeps simulator builds: $SPIKELOOM_CACHE or the user's cache, `spikeloom/simulators`."""
    root = os.environ.get("SPIKELOOM_CACHE")
    base = Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "spikeloom"
    return base / "simulators"


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from building in the same folder; one that has begun is waited for."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f".{folder.name}.lock"), wait=True):
        yield


@contextlib.contextmanager
def _workplace(folder: Path | str | None) -> Iterator[Path]:
    """Where jobs run: the folder, or a temporary one that goes unless an error's message sends the user there."""
    if folder is not None:
        yield Path(folder).resolve()
        return
    temporary = Path(tempfile.mkdtemp(prefix="spikeloom-"))
    try:
        yield temporary
    except SimulationError:
        raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(temporary, ignore_errors=True)


@functools.lru_cache(maxsize=4)
def _texts(
    parameters: NpuParameters, settle_cycles: int, adc_cycles: int, waves: str | None, netlist: bool
) -> dict[str, str]:
    """Everything that is simulated: file name -> text. Kept, since a run in chunks asks again for each."""
    texts = dict(export_verilog(parameters))
    if netlist:
        texts.update(gates(texts))
    texts["crossbar_macro.sv"] = (_SOURCES / "crossbar_macro_python.sv").read_text()
    macro = {"SETTLE_CYCLES": settle_cycles, "ADC_CYCLES": adc_cycles}
    texts["bench.sv"] = bench_text(parameters, macro, waves=waves)
    texts["bench.vlt"] = _visible()
    return {name: text for name, text in texts.items() if name.endswith(".sv") or name == "bench.vlt"}


@dataclass(frozen=True)
class Cosim:
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
        image: ChipImage,
        simulator: str = "verilator",
        *,
        waves: bool = False,
        quick: bool = False,
        netlist: bool = False,
    ) -> Cosim:
        """Generate the Verilog and build the simulator, or take the build that is there.

        `quick` leaves out the C++ compiler's optimisation: sooner built, slower to run. `netlist` puts the unit's gates,
        as Yosys synthesises them, in the place of its Verilog: for small designs, where memories become flip-flops.

        Raises `ToolError` where a program is missing, `SimulationError` where the build fails.
        """
        tool = check_simulator(simulator)
        texts = _texts(
            image.parameters, image.settle_cycles, image.adc_cycles, wave_file(simulator) if waves else None, netlist
        )
        key = hashlib.sha256(
            json.dumps([texts, simulator, tool, version("cocotb"), waves, quick], sort_keys=True).encode()
        ).hexdigest()[:20]
        folder = cache_folder() / f"{simulator}-{key}"
        with _LOCK, _alone(folder):
            if not (folder / "built").exists():
                _build(folder, texts, simulator, waves, quick)
        return cls(simulator, folder, waves)

    def run(self, job: Path, *, membranes: bool = False, stalls: bool = False) -> None:
        """Run the bench in a job's folder; raises `SimulationError` if it does not finish."""
        runner = _runner(self.simulator)
        plusargs = ["+membranes"] * membranes + ["+stalls"] * stalls
        try:
            runner.test(
                test_module="sim.npu_tb",
                hdl_toplevel="bench",
                hdl_toplevel_lang="verilog",
                build_dir=self.folder,
                test_dir=job,
                results_xml=str(job / "results.xml"),
                plusargs=plusargs,
                waves=self.waves,
                timescale=("1ns", "1ps"),
                log_file=job / "simulation.log",
                extra_env=_SIMULATOR_SETTINGS,
            )
        except (RuntimeError, SystemExit) as error:
            raise SimulationError(
                f"The {self.simulator} simulation failed ({error}); its log is {job}/simulation.log"
            ) from None
        results = job / "results.xml"
        if not results.exists() or "<failure" in results.read_text() or "<error" in results.read_text():
            raise SimulationError(f"The {self.simulator} bench raised an error; its log is {job / 'simulation.log'}")


def _runner(simulator: str):
    import logging

    from cocotb_tools.runner import get_runner

    runner = get_runner(simulator)
    runner.log.setLevel(logging.WARNING)
    return runner


def _visible() -> str:
    """Verilator control file: only what Python touches is visible to it; everything else may be optimised."""
    lines = ["`verilator_config", 'public_flat_rw -module "bench" -var "finished"']
    lines += ['public_flat_rw -module "bench" -var "context_word"', 'public_flat_rw -module "bench" -var "clk"']
    lines += [f'public_flat_rw -module "crossbar_macro" -var "{name}"' for name in ("request", "latched", "answer")]
    return "\n".join(lines) + "\n"


def _build(folder: Path, texts: dict[str, str], simulator: str, waves: bool, quick: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    order = sorted(name for name in texts if name not in ("bench.sv", "bench.vlt")) + ["bench.sv"]
    arguments = ["-g2012"]
    runtime = cache_folder() / f"runtime-{version('verilator')}-{version('cocotb')}-{int(waves)}"
    if simulator == "verilator":
        order = ["bench.vlt", *order]
        arguments = ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--no-public-flat-rw", "-O3", "--x-assign", "fast"]
        arguments += ["--x-initial", "fast", "--no-assert"]
        if quick:  # one file compiles four times sooner than many, where nothing is optimised
            arguments += ["--output-split", "0"]
        for path in runtime.glob("*.o"):
            shutil.copy(path, folder / path.name)
            later = time.time() + 3600  # make must find them newer than what Verilator is about to write
            os.utime(folder / path.name, (later, later))
    with simulator_environment({"OPT_FAST": "-O0" if quick else "-O2", "OPT_SLOW": "-O0"}):
        runner = _runner(simulator)
        try:
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
    (folder / "built").touch()


def _keep_runtime(folder: Path, runtime: Path) -> None:
    """Keep the objects of Verilator's own library: they are the same for every design, and half of a small build."""
    if runtime.exists():
        return
    with tempfile.TemporaryDirectory(dir=cache_folder()) as temporary:
        for path in folder.glob("veril*.o"):
            shutil.copy(path, Path(temporary) / path.name)
        with contextlib.suppress(OSError):  # another process was first
            os.rename(temporary, runtime)
            Path(temporary).mkdir()


def run_cosim(
    image: ChipImage,
    images: ArrayLike,
    ids: ArrayLike | None = None,
    trace: bool | str = False,
    simulator: str = "verilator",
    waves: bool = False,
    folder: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
    stalls: bool = False,
    netlist: bool = False,
    arrays: Sequence[CrossbarArray] | None = None,
    quick: bool | None = None,
) -> Result:
    """Run images through the generated Verilog with the device model; the same result object as the reference's.

    Parameters
    ----------
    image : the programmed chip
    images : uint8 [images, inputs], or float in 0..1
    ids : number of each image, which addresses its random draws; 0, 1, 2, ... if not given
    trace : "spikes" adds every spike, "full" or True every membrane too
    simulator : `verilator` or `icarus`
    waves : leave `job_0/waves.vcd` (Icarus: `waves.fst`) and a grouped `waves.gtkw` in `folder`; one worker
    folder : where jobs run; a temporary folder if not given
    progress : called with images done and images in all
    workers : simulators at once; the number of processors if not given
    stalls : random stalls and back-pressure on every interface; results stay the same, cycles do not
    netlist : simulate the gates that Yosys synthesises from the unit's Verilog; for small designs
    arrays : the chip's crossbars, if they are programmed already (`sim.crossbar.build_arrays`)
    quick : build without the C++ compiler's optimisation; for fewer than 100 images if not given

    Raises
    ------
    ToolError, SimulationError : a program is missing, or did not finish
    ValueError, TypeError : images or ids of wrong shape, type or range
    """
    pixels = check_images(images, image.parameters.inputs)
    numbers = check_ids(ids, len(pixels))
    if trace not in (False, True, "spikes", "full"):
        raise ValueError(f"trace must be False, True, 'spikes' or 'full', not {trace!r}")
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise ValueError(f"workers must be a positive integer, not {workers!r}")
    quick = len(pixels) < _OPTIMISE_FROM if quick is None else quick
    chip = Cosim.build(image, simulator, waves=waves, quick=quick, netlist=netlist)
    models = [MacroModel(array) for array in arrays] if arrays is not None else programmed_models(image)
    available = workers or processors()
    count = 1 if waves else max(1, min(available, len(pixels) // _MINIMUM_PER_WORKER))
    with _workplace(folder) as base:
        parts = [part for part in np.array_split(np.arange(len(pixels)), count) if len(part)]
        jobs = [base / f"job_{index}" for index in range(len(parts))]
        for job in jobs:
            shutil.rmtree(job, ignore_errors=True)
        with simulator_environment(), ThreadPoolExecutor(len(jobs)) as pool:
            for job, part in zip(jobs, parts, strict=True):
                write_job(job, image, models, pixels[part], numbers[part])
            if waves:
                (jobs[0] / "waves.gtkw").write_text(gtkw_text(image.parameters, wave_file(simulator)))
            full = trace in (True, "full")
            futures = [pool.submit(chip.run, job, membranes=full, stalls=stalls) for job in jobs]
            _wait(futures, jobs, len(pixels), progress)
        results = [read_record(job, image, numbers[part], trace) for job, part in zip(jobs, parts, strict=True)]
    return Result.concatenate(results)


def _wait(futures, jobs: list[Path], total: int, progress: Callable[[int, int], None] | None) -> None:
    """Wait for the workers, counting finished images in their records; the first failure is raised."""
    positions = dict.fromkeys(jobs, 0)
    done = 0
    while not all(future.done() for future in futures):
        try:
            next(future for future in futures if not future.done()).result(timeout=0.5)
        except TimeoutError:
            pass
        for job in jobs:
            record = job / "record.txt"
            if progress is not None and record.exists():
                with record.open("rb") as file:
                    file.seek(positions[job])
                    text = file.read()
                positions[job] += len(text)
                done += text.count(b"\nr ")
                progress(min(done, total), total)
    for future in futures:
        future.result()
    if progress is not None:
        progress(total, total)
