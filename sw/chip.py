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
from sim.reference import check_images, run_reference
from sim.result import Result
from sw.config import Config

if TYPE_CHECKING:
    from sw.compiler import Stages

__all__ = ["Chip"]

Progress = Callable[[int, int], None]


class Chip:
    """A network on the accelerator; made by `sw.compile` or `sw.load`.

    Parameters
    ----------
    image : everything the hardware is and holds
    config : the run's configuration
    stages : the network before quantisation, for the waterfall; None for a chip that was loaded from a file
    """

    def __init__(self, image: ChipImage, config: Config, stages: Stages | None = None) -> None:
        self.image = image
        self.config = config
        self.stages = stages
        self._last: tuple[NDArray[np.uint8], Result | None, Result | None] | None = None

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters of the hardware."""
        return self.image.parameters

    def __repr__(self) -> str:
        sizes = "-".join(str(n) for n in (self.parameters.inputs, *(layer.outputs for layer in self.parameters.layers)))
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
        result = run_reference(self.image, images, ids=ids, trace=trace, progress=progress)  # type: ignore[arg-type]
        self._remember(images, ids, reference=result)
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
    ) -> Result:
        """Run the generated Verilog with the device model; the same result object, with `cycles`.

        Parameters
        ----------
        images, trace, ids, progress : as for `predict`
        simulator, waves : "verilator" or "icarus", and whether to write waveforms; the configuration's if not given
        folder : where simulation files and waveforms go; a temporary folder if not given

        Raises `sim.tools.ToolError` if a tool is missing.
        """
        from sim.cosim import run_cosim

        result = run_cosim(
            self.image,
            images,
            ids=ids,
            trace=trace,
            simulator=simulator or self.config.cosim.simulator,
            waves=self.config.cosim.waves if waves is None else waves,
            folder=None if folder is None else Path(folder),
            progress=progress,
        )
        self._remember(images, ids, rtl=result)
        return result

    def write_verilog(self, folder: str | os.PathLike[str]) -> Path:
        """Write the Verilog, memory files, register values and weight image into a folder, whole or not at all.

        Raises `sw.errors.FileError` if it cannot be written.
        """
        from sw.export_folder import export_files
        from sw.files import write_folder

        return write_folder(folder, export_files(self))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the weight image (.loom), whole or not at all; `sw.load` reads it."""
        from sw.files import write_atomic
        from sw.weight_image import pack

        write_atomic(path, pack(self.image, self.config))
        return Path(path)

    def report(self, folder: str | os.PathLike[str], images: Any = None, labels: Any = None) -> Path:
        """Write report.html and summary.json; return the page's path.

        Parameters
        ----------
        images : what to report on; those of the last `predict` or `cosim` if not given
        labels : their classes, integers [images]; without them the report has no accuracies
        """
        from sw.report import write_report

        pixels, reference, rtl = self._evidence(images)
        comparison: dict[str, Any] | None = None
        if reference is not None and rtl is not None and np.array_equal(reference.ids, rtl.ids):
            compared = reference.compare(rtl, ("reference", "Verilog"))
            comparison = {"images": len(rtl), "values_compared": compared, "mismatches": 0}
            comparison["simulator"] = self.config.cosim.simulator
        known = None if labels is None else np.asarray(labels)
        stages: list[tuple[str, float]] = []
        if self.stages is not None and pixels is not None and known is not None:
            from sw.waterfall import waterfall

            stages = waterfall(self, pixels, known)
        return write_report(
            Path(folder),
            image=self.image,
            images=pixels,
            labels=known,
            reference=reference,
            rtl=rtl,
            comparison=comparison,
            accuracy_ann=stages[0][1] if stages else None,
            waterfall=stages,
            config=self.config,
        )

    def _remember(self, images: Any, ids: Any, **results: Result) -> None:
        """Keep the last run for `report`, if its images were numbered 0, 1, 2, ..."""
        if ids is not None and not np.array_equal(np.asarray(ids), np.arange(len(images))):
            return
        pixels = check_images(images, self.parameters.inputs)
        reference, rtl = None, None
        if self._last is not None and np.array_equal(self._last[0], pixels):
            reference, rtl = self._last[1:]
        self._last = pixels, results.get("reference", reference), results.get("rtl", rtl)

    def _evidence(self, images: Any) -> tuple[NDArray[np.uint8] | None, Result | None, Result | None]:
        """Images to report on with their results; the reference is run if it has not been."""
        if images is None and self._last is None:
            return None, None, None
        if images is not None:
            pixels = check_images(images, self.parameters.inputs)
        else:
            assert self._last is not None
            pixels = self._last[0]
        if self._last is None or not np.array_equal(self._last[0], pixels) or self._last[1] is None:
            self.predict(pixels)
        assert self._last is not None
        return self._last
