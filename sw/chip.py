"""A compiled network: predict, co-simulate, write Verilog, save, report."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hw.params import NpuParameters
from sim.image import ChipImage
from sim.reference import run_reference
from sim.result import Result
from sw.config import Config
from sw.errors import FileError
from sw.files import as_path, readable_error, write_atomic, write_folder
from sw.inputs import as_ids, as_labels, as_pixels, as_trace

if TYPE_CHECKING:
    from sw.compiler import Stages
    from sw.passes.learn import LearntRule
    from sw.passes.tune import Tuned

__all__ = ["Chip"]

Progress = Callable[[int, int], None]


class Chip:
    """A network on the accelerator; made by `sw.compile` or `sw.load`.

    Parameters
    ----------
    image : everything the hardware is and holds
    config : the run's configuration
    stages : the network before quantisation, for the waterfall; None for a chip that was loaded from a file
    strategy : how k was learnt; None if it was given, and for a chip that was loaded
    tuned : how the thresholds were tuned; None if they were not, and for a chip that was loaded
    """

    def __init__(
        self,
        image: ChipImage,
        config: Config,
        stages: Stages | None = None,
        strategy: LearntRule | None = None,
        tuned: Tuned | None = None,
    ) -> None:
        self.image = image
        self.config = Config.load(config)
        self.stages = stages
        self.strategy = strategy
        self.tuned = tuned
        self._last: tuple[NDArray[np.uint8], Result | None, Result | None] | None = None
        self._simulator: str | None = None  # of the last co-simulation
        self._bus: dict[str, Any] | None = None  # what the host found in it

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters of the hardware."""
        return self.image.parameters

    def __repr__(self) -> str:
        sizes = "-".join(str(n) for n in self.parameters.sizes)
        return f"Chip({self.image.name}: {sizes}, {self.image.device.bits}-bit cells)"

    def predict(
        self, images: Any, trace: bool | str = False, ids: Any = None, progress: Progress | None = None
    ) -> Result:
        """Run the integer reference.

        Parameters
        ----------
        images : NumPy or torch, [images, inputs] or as many pixels in any shape; uint8, or float in 0 .. 1
        trace : "spikes" records every spike, True or "full" every membrane as well
        ids : numbers that address each image's random draws; 0, 1, 2, ... if not given
        progress : called with images done and images in all

        Raises `TypeError` or `ValueError` for images of another type, shape or range.
        """
        pixels = as_pixels(images, self.parameters.inputs)
        numbers = as_ids(ids, len(pixels))
        result = run_reference(self.image, pixels, ids=numbers, trace=as_trace(trace), progress=progress)
        self._remember(pixels, numbers, reference=result)
        return result

    def cosim(
        self,
        images: Any,
        trace: bool | str = False,
        ids: Any = None,
        simulator: str | None = None,
        waves: bool | None = None,
        folder: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
        through_bus: bool | None = None,
    ) -> Result:
        """Run the generated Verilog with the device model; the same result object, with `cycles`.

        Parameters
        ----------
        images, trace, ids, progress : as for `predict`
        simulator, waves : "verilator" or "icarus", and whether to write waveforms; the configuration's if not given
        folder : where simulation files and waveforms go; a temporary folder if not given, which is removed, so that
            waveforms need one
        through_bus : load, program and read the chip over its host buses; the configuration's if not given. The result
            has `gaps` then, and a chip that is programmed by pulses is held to the model, cell by cell

        Raises `sim.tools.ToolError` if a tool is missing, `sw.errors.FileError` if files cannot be written.
        """
        from sim.cosim import run_cosim

        pixels = as_pixels(images, self.parameters.inputs)
        numbers = as_ids(ids, len(pixels))
        for name, value in (("waves", waves), ("through_bus", through_bus)):
            if value is not None and not isinstance(value, bool):
                raise TypeError(f"{name} must be True, False or None, not {value!r}")
        place = None if folder is None else as_path(folder, "simulation folder")
        simulator = self.config.cosim.simulator if simulator is None else simulator
        record = self.config.cosim.waves if waves is None else waves
        if record and place is None:
            asked = "waves=True" if waves else "[cosim] waves = true of the configuration"
            raise ValueError(f"{asked} needs a folder for the waveforms: give cosim folder=..., or waves=False")
        options: dict[str, Any] = {
            "ids": numbers,
            "trace": as_trace(trace),
            "simulator": simulator,
            "waves": record,
            "folder": place,
            "progress": progress,
        }
        bus: dict[str, Any] | None = None
        try:
            if self.config.cosim.through_bus if through_bus is None else through_bus:
                from sw.cosimulate_bus import gap_facts, load_facts
                from sw.through_bus import through_bus as run_through_bus

                result, load = run_through_bus(self.image, pixels, **options)
                bus = {**load_facts(self.image, load), **gap_facts(result)}
            else:
                result = run_cosim(self.image, pixels, **options)
        except OSError as error:
            raise FileError(readable_error(error.filename or place or "the simulator's folder", error)) from error
        self._simulator, self._bus = simulator, bus
        self._remember(pixels, numbers, rtl=result)
        return result

    def write_verilog(self, folder: str | os.PathLike[str], bus: bool = False) -> Path:
        """Write the Verilog, memory files, an example bench and the weight image into a folder, whole or not at all.

        With `bus`, the chip is the one behind AXI4-Lite and AXI4-Stream: its registers for C and in SystemRDL come
        along in the place of the example bench. The folder may hold other things, which are left alone. Raises
        `sw.errors.FileError` if it cannot be written, or has a file that would be lost because it bears the name of one
        of these.
        """
        if not isinstance(bus, bool):
            raise TypeError(f"bus must be True or False, not {bus!r}")
        place = as_path(folder, "Verilog folder")
        if bus:
            from sw.export_axi_folder import export_axi_files

            return write_folder(place, export_axi_files(self))
        from sw.export_folder import export_files

        return write_folder(place, export_files(self))

    def write_nir(self, path: str | os.PathLike[str]) -> Path:
        """Write the network as a NIR file, whole or not at all; what NIR cannot express raises, see `sw.nir_export`."""
        from sw.nir_export import write_nir

        return write_nir(self, path)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the weight image (.loom), whole or not at all; `sw.load` reads it."""
        from sw.weight_image import pack

        place = as_path(path, "weight image")
        write_atomic(place, pack(self.image, self.config))
        return place

    def report(self, folder: str | os.PathLike[str], images: Any = None, labels: Any = None) -> Path:
        """Write report.html and summary.json; return the page's path.

        Parameters
        ----------
        images : what to report on; those of the last `predict` or `cosim` if not given
        labels : their classes, integers [images]; without them the report has no accuracies

        Raises `TypeError` or `ValueError` for images or labels that do not fit, `sw.errors.FileError` if the folder
        cannot be written.
        """
        from sw.report import write_report

        place = as_path(folder, "report folder")
        if labels is not None and images is None and self._last is None:
            raise ValueError("Labels need the images they belong to: give images too, or run predict or cosim before")
        shown = self._last[0] if images is None and self._last is not None else images
        pixels = None if shown is None else as_pixels(shown, self.parameters.inputs)
        known = None
        if labels is not None and pixels is not None:
            known = as_labels(labels, len(pixels), self.parameters.classes)
        pixels, reference, rtl = self._evidence(pixels)
        comparison: dict[str, Any] | None = None
        if reference is not None and rtl is not None and np.array_equal(reference.ids, rtl.ids):
            compared = reference.compare(rtl, ("reference", "Verilog"))
            traced = len(rtl) if all(_has_membranes(result) for result in (reference, rtl)) else 0
            comparison = {"images": len(rtl), "values_compared": compared, "mismatches": 0}
            comparison |= {"traced_images": traced, "simulator": self._simulator, "through_bus": self._bus}
        stages: list[tuple[str, float]] = []
        if self.stages is not None and pixels is not None and known is not None:
            from sw.waterfall import waterfall

            stages = waterfall(self, pixels, known)
        return write_report(
            place,
            image=self.image,
            images=pixels,
            labels=known,
            reference=reference,
            rtl=rtl,
            comparison=comparison,
            accuracy_ann=stages[0][1] if stages else None,
            waterfall=stages,
            strategy=self.strategy,
            tuned=self.tuned,
            config=self.config,
        )

    def _remember(self, pixels: NDArray[np.uint8], ids: NDArray[np.int64] | None, **results: Result) -> None:
        """Keep the last run for `report`, if its images were numbered 0, 1, 2, ..."""
        if ids is not None and not np.array_equal(ids, np.arange(len(pixels))):
            return
        reference, rtl = None, None
        if self._last is not None and np.array_equal(self._last[0], pixels):
            reference, rtl = self._last[1:]
        self._last = pixels, results.get("reference", reference), results.get("rtl", rtl)

    def _evidence(
        self, pixels: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.uint8] | None, Result | None, Result | None]:
        """Images to report on with their results; the reference is run if it has not been."""
        if pixels is None:
            return None, None, None
        if self._last is None or not np.array_equal(self._last[0], pixels) or self._last[1] is None:
            self.predict(pixels)
        assert self._last is not None
        return self._last


def _has_membranes(result: Result) -> bool:
    return result.trace is not None and result.trace.membranes is not None
