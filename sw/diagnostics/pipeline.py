"""`spikeloom.compile`: compiles a model, and diagnoses the chip on the calibration images."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.compiler.notes import chip_notes
from spikeloom.sw.compiler.pipeline import compile_model
from spikeloom.sw.config.config import Config
from spikeloom.sw.diagnostics import diagnose_compiled
from spikeloom.sw.nir.reader import NirModel

__all__ = ["compile_diagnosed"]


def compile_diagnosed(
    model: nn.Module | NirModel,
    calibration_images: Any,
    config: Config | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    validation: tuple[Any, Any] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    input_shape: tuple[int, ...] | None = None,
    name: str | None = None,
) -> Compiled:
    """Convert a trained model, and keep what is found on the calibration images; see `spikeloom.compile`."""
    compiled, pixels = compile_model(model, calibration_images, config, validation, progress, input_shape, name)
    compiled.findings = diagnose_compiled(compiled, pixels)
    compiled.notes += chip_notes(compiled.findings)
    return compiled
