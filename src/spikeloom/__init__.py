"""SpikeLoom: from a trained PyTorch network to verified Verilog for a memristor-crossbar spiking accelerator.

    import spikeloom
    chip = spikeloom.compile(model, calibration_images)
    result = chip.predict(images)
    rtl = chip.cosim(images[:10])
    chip.energy(rtl); chip.latency(rtl); spikeloom.plots.steps_histogram(chip, result)
    chip.write_verilog("build/mine")
    chip.save("mine.loom"); spikeloom.load("mine.loom")
    chip.report("build/mine", images, labels, reference=result, rtl=rtl)
    spikeloom.wave_picture("build/waves", "waves.svg", ["bench.step", "bench.chip.macro_0.drive"])
    spikeloom.write_nir(chip, "mine.nir"); chip = spikeloom.compile(spikeloom.read_nir("mine.nir"), images)
    digits = spikeloom.load_data("digits")

`spikeloom.Result` is what runs over images return; errors and warnings are in `spikeloom.errors`.

Importing this package is quick: PyTorch and the rest are imported where they are first used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from spikeloom import errors, plots
    from spikeloom.hw.params.parameters import NpuParameters
    from spikeloom.sim.chip.result import Result
    from spikeloom.sw.chip import Chip
    from spikeloom.sw.config.config import Config
    from spikeloom.sw.datasets.datasets import load_data
    from spikeloom.sw.frontend.clipped_relu import ClippedReLU
    from spikeloom.sw.nir.reader import NirModel, read_nir
    from spikeloom.sw.report.wave_picture import wave_picture

__all__ = [
    "Chip",
    "ClippedReLU",
    "Config",
    "NirModel",
    "Result",
    "compile",
    "errors",
    "load",
    "load_data",
    "plots",
    "read_nir",
    "wave_picture",
    "write_nir",
]


def compile(
    model: nn.Module | NirModel,
    calibration_images: Any,
    config: Config | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    validation: tuple[Any, Any] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    input_shape: tuple[int, ...] | None = None,
    name: str | None = None,
) -> Chip:
    """Convert a trained model to a programmed chip.

    Parameters
    ----------
    model : Linear and Conv2d layers with ReLUs or `spikeloom.ClippedReLU` between them, batch norms, pooling, branches
        that are added up, Dropout, Flatten, Identity; it is not changed. Or a network from a NIR file,
        `spikeloom.read_nir(path)`
    calibration_images : typical inputs for normalisation and ADC calibration, NumPy or torch, [images, ...], uint8 (0
        .. 255) or float in 0 .. 1; the chip takes images of this shape, see `Chip.image_shape`
    config : a preset's name, a TOML file, a dictionary (with a key `preset`: that preset with changes) or a `Config`;
        it is checked as a whole again. None is the ideal chip, without variation, noise or faults, of the network's
        size: `sw.compiler.default_config.ideal_config` has the rule, and `chip.config` the result. Keys of a
        dictionary that are for a run alone ([data], [train], [nir]) cause a warning
    validation : (images, labels), neither trained nor tested with: images as for calibration, labels integers [images].
        Needed, and only allowed, with `decision.strategy` "learned" or "allowed_loss", or `convert.tune = true`
    progress : called with (done, in all, what) after the passes, and while k is learned and thresholds are tuned
    input_shape : of an image, (channels, height, width), for a model that needs it while the images given are flat; by
        default that of the images. Not for a network from NIR, whose file gives it
    name : of the chip, for reports, files and headers: 1 to 64 letters, digits, "_", "." or "-"; by default the
        configuration's, or with a preset or none the class of the model

    Raises an error of `spikeloom.errors`, a `ValueError` or `TypeError` too, in one sentence that names what is wrong
    and where. Warns about images that were almost certainly scaled wrongly, all alike or without contrast.
    """
    from spikeloom.sw.chip import Chip
    from spikeloom.sw.diagnostics.pipeline import compile_diagnosed

    return Chip.of(compile_diagnosed(model, calibration_images, config, validation, progress, input_shape, name))


def load(path: str | os.PathLike[str], expected_parameters: NpuParameters | None = None) -> Chip:
    """The chip in a weight image that `Chip.save` wrote.

    Raises `spikeloom.errors.WeightImageError` for a file that is damaged, foreign, of a newer version, or made for
    hardware other than `expected_parameters` (if given); the file's own hardware parameters are never overridden.
    """
    from spikeloom.sw.chip import Chip
    from spikeloom.sw.weight_image.file import load as load_image

    return Chip.of(load_image(path, expected_parameters))


def write_nir(network: NirModel | Chip, path: str | os.PathLike[str]) -> Path:
    """Write a network as a NIR file, whole or not at all.

    network : one from `read_nir`, as it was; or a chip, as integers without what cells and converters do to them

    Raises `spikeloom.errors.UnsupportedError` for what NIR cannot express, `spikeloom.errors.FileError` if the file
    cannot be written, or one of another kind would be lost.
    """
    from spikeloom.sw.chip import Chip
    from spikeloom.sw.nir.writer import write_nir as write

    return network.write_nir(path) if isinstance(network, Chip) else write(network, path)


def __getattr__(name: str) -> Any:
    """Everything else of `__all__`, imported when asked for, and the installed version, `__version__`."""
    modules = {
        "Chip": "spikeloom.sw.chip",
        "Config": "spikeloom.sw.config.config",
        "Result": "spikeloom.sim.chip.result",
        "load_data": "spikeloom.sw.datasets.datasets",
        "ClippedReLU": "spikeloom.sw.frontend.clipped_relu",
        "NirModel": "spikeloom.sw.nir.reader",
        "read_nir": "spikeloom.sw.nir.reader",
        "wave_picture": "spikeloom.sw.report.wave_picture",
    }
    from importlib import import_module

    if name == "__version__":
        from importlib.metadata import version

        return version("spikeloom")
    if name in ("errors", "plots"):
        return import_module(f"spikeloom.{name}")
    if name not in modules:
        raise AttributeError(f"module 'spikeloom' has no attribute '{name}'")
    return getattr(import_module(modules[name]), name)


def __dir__() -> list[str]:
    """What is public."""
    return sorted([*__all__, "__version__"])
