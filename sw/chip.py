"""A compiled network: predict, co-simulate, write Verilog, save, report."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.arguments import TraceKind, check_progress, check_switch
from spikeloom.sim.images.brightness import CalibrationFacts
from spikeloom.sim.images.layout import image_shape
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.errors import ConfigError, FileError, SpikeLoomError
from spikeloom.sw.common.files import readable_error, writable_file, writable_folder, write_folder
from spikeloom.sw.compiler.compiled import Compiled, PassResults
from spikeloom.sw.compiler.provenance import Provenance
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.settings import fixed
from spikeloom.sw.datasets.image_numbers import ImageNumbers
from spikeloom.sw.datasets.pixels import as_ids, as_labels, as_pixels, as_trace
from spikeloom.sw.verify.measured import check_measured, check_result, measured

if TYPE_CHECKING:
    from spikeloom.sw.common.facts import Facts
    from spikeloom.sw.common.findings import Diagnosis
    from spikeloom.sw.decision.allowed_loss import ChosenRule
    from spikeloom.sw.decision.learn_rule import LearntRule
    from spikeloom.sw.diagnostics.by_step.result import ByStep
    from spikeloom.sw.diagnostics.by_step.targets import Against
    from spikeloom.sw.ir.network import Network
    from spikeloom.sw.passes.tune import Tuned

__all__ = ["Chip"]

Progress = Callable[[int, int], None]


class Chip(Compiled):
    """A network on the accelerator; made by `spikeloom.compile` or `spikeloom.load`.

    Parameters and attributes are those of `Compiled`. `findings` and `notes` are saved with the chip.
    """

    def __init__(
        self,
        programmed: ProgrammedChip,
        config: Config,
        passes: PassResults | None = None,
        learnt_rule: LearntRule | None = None,
        tuned: Tuned | None = None,
        provenance: Provenance | None = None,
        network: Network | None = None,
        findings: Diagnosis | None = None,
        notes: tuple[str, ...] = (),
        chosen_rule: ChosenRule | None = None,
    ) -> None:
        self._config = Config.load(config)
        origin = Provenance() if provenance is None else provenance
        super().__init__(
            programmed, self._config, passes, learnt_rule, tuned, origin, network, findings, notes, chosen_rule
        )
        self._numbers = ImageNumbers()

    @classmethod
    def of(cls, compiled: Compiled) -> Chip:
        """The chip of what was compiled, or read from a weight image."""
        return cls(**{field.name: getattr(compiled, field.name) for field in fields(Compiled)})

    @property
    def config(self) -> Config:
        """The run's configuration. It can be replaced as far as it concerns what is done with a finished chip:
        the tables [cosim], [lifetime] and [board], and `data.test_limit`. It is checked; `spikeloom.errors.ConfigError`
        says what is wrong, or would have no effect.
        """
        return self._config

    @config.setter
    def config(self, config: Config) -> None:
        given = Config.load(config)
        unused = [
            f"{name} would have no effect: a chip is finished; compile it again" for name in fixed(self._config, given)
        ]
        if unused:
            raise ConfigError("chip.config", unused)
        self._config = given

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters of the hardware."""
        return self.programmed.parameters

    @property
    def calibration(self) -> CalibrationFacts | None:
        """What the calibration images looked like, for the check of others; None if it is not known."""
        return self.provenance.calibration

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of an image, (channels, height, width) or (pixels,); that of the calibration images, where it is known.

        Images are [images, *image_shape], with axes of length 1 left out or added, or flat in the order of this shape.
        A chip of dense layers whose calibration images were flat, or are not known, takes any shape with as many
        pixels.
        """
        return image_shape(self.parameters, () if self.calibration is None else self.calibration.shape)

    def pixels(self, images: Any) -> NDArray[np.uint8]:
        """Images as the chip sees them, uint8 [images, inputs]: the check behind every method that takes images.

        images : NumPy or torch, in the shape `image_shape` or flat; uint8 (0 .. 255) as they are, floating point (0 ..
            1) as round(255 x)

        Raises `TypeError` or `ValueError`, with the remedy, for images of another type, shape or range. Warns
        (`spikeloom.errors.SpikeLoomWarning`) about sets that were almost certainly scaled wrongly: nearly black,
        inverted, or much darker or brighter than the calibration images.
        """
        return as_pixels(images, self.programmed, self.calibration)

    def predict(
        self, images: Any, trace: TraceKind = "none", ids: Any = None, progress: Progress | None = None
    ) -> Result:
        """Run the integer reference.

        Parameters
        ----------
        images : NumPy or torch, in the shape `image_shape` or flat; uint8, or float in 0 .. 1: see `pixels`
        trace : "spikes" records every spike, "full" every membrane as well
        ids : numbers that address each image's random draws; 0, 1, 2, ... if not given, in every call. Batches of one
            set need numbers of their own, or they get the same noise, which causes a warning; not if the chip is loaded
            or compiled anew for each batch, since only the chip itself knows what it has run
        progress : called with images done and images in all

        Raises `TypeError` or `ValueError` for images of another type, shape or range.
        """
        check_progress(progress)
        pixels = self.pixels(images)
        numbers = as_ids(ids, len(pixels))
        result = run_reference(self.programmed, pixels, ids=numbers, trace=as_trace(trace), progress=progress)
        return self._counted(measured(result, self.programmed, pixels), numbers)

    def _counted(self, result: Result, numbers: Any) -> Result:
        """The result, after recording which images have had which numbers."""
        if result.origin is not None:
            self._numbers.used(self.programmed, result.origin.images, numbers)
        return result

    def cosim(
        self,
        images: Any,
        trace: TraceKind = "none",
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
            has `gaps` then, and a chip that is programmed by pulses is compared with the model, cell by cell

        Raises `spikeloom.errors.ToolError` if a tool is missing, `spikeloom.errors.FileError` if files cannot be
        written.
        """
        from spikeloom.sim.cosim.options import CosimOptions
        from spikeloom.sim.cosim.run import run_cosim

        check_progress(progress)
        pixels = self.pixels(images)
        numbers = as_ids(ids, len(pixels))
        for name, value in (("waves", waves), ("through_bus", through_bus)):
            check_switch(name, value, optional=True)
        place = None if folder is None else writable_folder(folder, "simulation folder")
        simulator = self.config.cosim.simulator if simulator is None else simulator
        record = self.config.cosim.waves if waves is None else waves
        if record and place is None:
            asked = "waves=True" if waves else "[cosim] waves = true of the configuration"
            raise SpikeLoomError(f"{asked} needs a folder for the waveforms: give cosim folder=..., or waves=False")
        options = CosimOptions(as_trace(trace), simulator, record, place, progress)
        bus: dict[str, Any] | None = None
        try:
            if self.config.cosim.through_bus if through_bus is None else through_bus:
                from spikeloom.sw.verify.bus_chunks import gap_facts, load_facts
                from spikeloom.sw.verify.bus_run import through_bus as run_through_bus

                result, load = run_through_bus(self.programmed, pixels, ids=numbers, options=options)
                bus = {**load_facts(self.programmed, load), **gap_facts(result)}
            else:
                result = run_cosim(self.programmed, pixels, ids=numbers, options=options)
        except OSError as error:
            raise FileError(readable_error(error.filename or place or "the simulator's folder", error)) from error
        return self._counted(measured(result, self.programmed, pixels, simulator, bus), numbers)

    def diagnose(self, images: Any, labels: Any = None) -> Diagnosis:
        """What is wrong with the chip, judged by these images: silent layers, thresholds at their limit, converters
        that round everything, a stage of the conversion at which accuracy falls (docs/diagnostics.md).

        Returns a list of findings, empty for a healthy chip, each with `name`, `severity`, `layer`, `neurons`,
        `cause`, `size` and `remedy`; printed it is readable. `spikeloom.compile` does the same with the calibration
        images and keeps it in `findings`.

        Parameters
        ----------
        images : typical ones, as for `predict`; more than 2,000 are thinned out to as many
        labels : their classes, integers [images]; without them classes are compared with those of the original network,
            and for a chip that was loaded, which does not know it, to those of its integers on ideal devices

        Raises `TypeError` or `ValueError` for images or labels that do not fit.
        """
        from spikeloom.sw.diagnostics import diagnose

        pixels = self.pixels(images)
        known = None if labels is None else as_labels(labels, len(pixels), self.parameters.classes)
        return diagnose(self, pixels, known)

    def by_step(
        self,
        images: Any,
        labels: Any = None,
        image: int = 0,
        ideal: bool = False,
        against: Against | None = None,
        ids: Any = None,
        progress: Progress | None = None,
    ) -> ByStep:
        """What happens after 1, 2, ... steps: errors of decoded activations against the network's, firing rates, noise
        spikes, classification error, crossbar energy, and what the decision rule makes of it (docs/by-step.md).

        All images run to t_max on the integer reference; `spikeloom.plots` draws the result.

        Parameters
        ----------
        images, ids, progress : as for `predict`
        labels : their classes, integers [images]; without them classes are compared with those of the network
        image : row of the image whose outputs are kept step by step
        ideal : with cells without any effect, in the place of the chip's own; converters stay
        against : "network", which the chip was converted from, or "levels", the network that the chip's integers make;
            the first where it is known

        Raises `TypeError` or `ValueError` for images, labels or a network that do not fit or are not known.
        """
        from spikeloom.sw.diagnostics.by_step.measure import measure_by_step

        check_progress(progress)
        check_switch("ideal", ideal)
        pixels = self.pixels(images)
        known = None if labels is None else as_labels(labels, len(pixels), self.parameters.classes)
        numbers = as_ids(ids, len(pixels))
        return measure_by_step(self, pixels, known, image, ideal, against, numbers, progress)

    def summary(self) -> Facts:
        """What the chip is, as a plain dictionary that prints as a table.

        The keys are those of `summary.json` that need no images (`sw.analysis.chip_summary.CHIP_KEYS`), with the same
        values as in a report without images; `json.dumps` takes it.
        """
        from spikeloom.sw.analysis.chip_summary import chip_summary

        return chip_summary(self)

    def energy(self, result: Result, images: Any = None) -> Facts:
        """Modelled energy per image by part, joules, means over the result: {"low", "typical", "high"} each.

        A plain dictionary that prints as a table: the keys and numbers of `energy_J` in `summary.json`, with `images`
        and `cycles_from`. The clock's part, `control`, and `total` are None where clock cycles are not known.

        Parameters
        ----------
        result : that of `predict` or `cosim` of this chip
        images : those of the result, in their order; with them, clock cycles of a result of the reference come from the
            formula, as for `latency`

        Raises `TypeError` or `ValueError` for a result of another chip or of other images.
        """
        from spikeloom.sw.analysis.costs import energy_facts

        return energy_facts(self.programmed, result, self._images_of(result, images))

    def latency(self, result: Result, images: Any = None) -> Facts:
        """Clock cycles and seconds per image at the chip's clock, when images are processed back to back.

        A plain dictionary that prints as a table: `cycles` and `latency_s` as in `summary.json`, with `images` and
        `cycles_from`, "measured in the Verilog" for a result of `cosim`, else "from the formula" that the Verilog is
        checked against. Parameters and errors are those of `energy`; the formula needs the images.
        """
        from spikeloom.sw.analysis.costs import latency_facts

        return latency_facts(self.programmed, result, self._images_of(result, images))

    def _images_of(self, result: Result, images: Any) -> NDArray[np.uint8] | None:
        """The images of a result as the chip sees them, if they are given; both are checked."""
        pixels = None if images is None else self.pixels(images)
        check_result(self.programmed, result, pixels)
        return pixels

    def write_verilog(self, folder: str | os.PathLike[str], bus: bool = False) -> Path:
        """Write the Verilog, memory files, an example bench and the weight image into a folder, whole or not at all.

        With `bus`, the chip is the one behind AXI4-Lite and AXI4-Stream: its registers for C and in SystemRDL are
        included, and its example bench is a host. The folder may hold other things, which are left alone. Raises
        `spikeloom.errors.FileError` if it cannot be written, or has a file that would be lost because it bears the name
        of one of these.
        """
        check_switch("bus", bus)
        place = writable_folder(folder, "Verilog folder")
        if bus:
            from spikeloom.sw.export.axi_folder import export_axi_files

            return write_folder(place, export_axi_files(self))
        from spikeloom.sw.export.verilog_folder import export_files

        return write_folder(place, export_files(self))

    def write_nir(self, path: str | os.PathLike[str]) -> Path:
        """Write the network as a NIR file, whole or not at all; what NIR cannot express raises, see `sw.nir.writer`."""
        from spikeloom.sw.nir.writer import write_nir

        return write_nir(self.programmed, path, self.config.neuron.v0)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the weight image (.loom), whole or not at all; `spikeloom.load` reads it.

        Raises `spikeloom.errors.FileError` if it cannot be written, `spikeloom.errors.ConfigError` for a chip that was
        put together with a configuration of another one.
        """
        from spikeloom.sw.weight_image.file import save

        return save(self, writable_file(path, "weight image"))

    def report(
        self,
        folder: str | os.PathLike[str],
        images: Any = None,
        labels: Any = None,
        *,
        reference: Result | None = None,
        rtl: Result | None = None,
    ) -> Path:
        """Write report.html and summary.json; return the page's path.

        Parameters
        ----------
        images : what to report on; without them the report is about the chip alone
        labels : their classes, integers [images]; without them the report has no accuracies
        reference : the result of `predict` for these images; if left out, the reference is run
        rtl : the result of `cosim` for these images or some of them; image i of the report has the number i, so
            images 20 .. 29 are run with `chip.cosim(images[20:30], ids=range(20, 30))`. It is compared with the
            reference; if left out, the report says that the Verilog was not run

        Raises `TypeError` or `ValueError` for images or labels that do not fit, and for results of other images or of
        another chip, `spikeloom.errors.Mismatch` where reference and Verilog differ, `spikeloom.errors.FileError` if
        the folder cannot be written.
        """
        from spikeloom.sw.report.chip_report import report

        place = writable_folder(folder, "report folder")
        if images is None:
            for name, value in (("Labels", labels), ("Results", reference), ("Results", rtl)):
                if value is not None:
                    raise SpikeLoomError(f"{name} need the images they belong to: give chip.report the images too")
            return report(self, place)
        pixels = self.pixels(images)
        known = None if labels is None else as_labels(labels, len(pixels), self.parameters.classes)
        check_measured(self.programmed, pixels, reference, rtl)
        reference = self.predict(pixels, ids=range(len(pixels))) if reference is None else reference
        return report(self, place, pixels, known, reference, rtl)
