"""Origin of a chip: its network, its calibration images, its data set if it has one, and versions.

It stands in the weight image, so that a chip that is loaded still knows what it is. There are no dates and no paths in
it: the same network, images and programs give the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.images.brightness import CalibrationFacts
from spikeloom.sw.common.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.sw.common.versions import version_of
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.rules import unused_fields
from spikeloom.sw.ir.graph import Graph

__all__ = ["Provenance", "Source", "chip_name", "described", "from_run", "settings_in_effect"]

Source = Literal["unknown", "own", "nir", "trained"]
"""Nothing is known; a PyTorch model of the user's own; a network from a NIR file; a network trained by [train]."""

_PACKAGES = ("spikeloom", "torch", "numpy")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Provenance:
    """What is known about how a chip was made.

    Parameters
    ----------
    source : where the network comes from
    model : class of the model
    layers : of the model, one text each
    data_set : that the chip is for; None where none is known
    data_sha256 : checksum of the data set's images and labels
    calibration_images : number of them
    calibration_sha256 : checksum of their pixels
    calibration : what they looked like, for the check of other images
    versions : of the programs that compiled it
    """

    source: Source = "unknown"
    model: str | None = None
    layers: tuple[str, ...] = ()
    data_set: str | None = None
    data_sha256: str | None = None
    calibration_images: int | None = None
    calibration_sha256: str | None = None
    calibration: CalibrationFacts | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        facts = None if self.calibration is None else self.calibration.plain()
        return {**asdict(self), "layers": list(self.layers), "calibration": facts}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Provenance:
        """Raises `ValueError` or `TypeError` for what `to_json` does not give."""
        if values["source"] not in get_args(Source):
            raise SpikeLoomError(
                f"A chip's source must be one of {', '.join(get_args(Source))}, not {values['source']!r}"
            )
        facts = values["calibration"]
        known = None if facts is None else CalibrationFacts.from_plain(facts)
        return cls(**{**values, "layers": tuple(str(layer) for layer in values["layers"]), "calibration": known})

    def in_words(self) -> str:
        """One sentence on the network, its data set and its calibration images."""
        network = {
            "unknown": "A network of unknown origin",
            "own": f"A user's PyTorch model, class {self.model}",
            "nir": "A network from a NIR file",
            "trained": "A network trained by SpikeLoom",
        }[self.source]
        data = "" if self.data_set is None else f", for the data set '{self.data_set}'"
        if self.calibration_images is None:
            return f"{network}{data}."
        plural = "s" if self.calibration_images != 1 else ""
        return f"{network}{data}, calibrated with {self.calibration_images:,} image{plural}."


def described(
    source: Source, model: str, graph: Graph, calibration: NDArray[np.uint8], facts: CalibrationFacts
) -> Provenance:
    """The provenance of a chip that is compiled now, from a model's class and graph, calibration pixels uint8
    [images, inputs], and what they look like.
    """
    digest = hashlib.sha256(f"{calibration.shape}\n".encode())
    digest.update(np.ascontiguousarray(calibration).data)
    return Provenance(
        source,
        model,
        tuple(_layer(node) for node in graph.nodes if node.listed),
        calibration_images=len(calibration),
        calibration_sha256=digest.hexdigest(),
        calibration=facts,
        versions={name: str(version_of(name)) for name in _PACKAGES},
    )


def from_run(known: Provenance, data_set: str, data_sha256: str, trained: bool) -> Provenance:
    """The provenance of a chip that a run has compiled, for its own data set."""
    source: Source = "trained" if trained else known.source
    return replace(known, source=source, data_set=data_set, data_sha256=data_sha256)


def _layer(node: Any) -> str:
    """A node in words: "hidden.0: Linear 48x64" (outputs first, as PyTorch has them)."""
    weight = getattr(node, "weight", None)
    shape = "" if weight is None else " " + "x".join(str(size) for size in weight.shape)
    name = getattr(node, "name", "")
    return f"{name}: {type(node).__name__}{shape}" if name else type(node).__name__ + shape


def chip_name(name: Any, config_name: str, unnamed: tuple[str, ...], model: str) -> str:
    """The chip's name: as given; else the configuration's, unless it is one of `unnamed`; else the model's class.

    Raises `TypeError` or `ValueError` for an invalid name.
    """
    if name is None:
        if config_name not in unnamed:
            return config_name
        return re.sub(r"[^A-Za-z0-9_.-]", "_", model).lstrip("_.-")[:64] or "network"
    if not isinstance(name, str):
        raise ArgumentTypeError(f"name must be a text, not {type(name).__name__}")
    if not _NAME.fullmatch(name):
        raise SpikeLoomError(
            "name must be 1 to 64 letters, digits, '_', '.' or '-', and begin with a letter or a digit, "
            f"not {name[:80]!r}"
        )
    return name


def settings_in_effect(config: Mapping[str, Any], provenance: Provenance | None = None) -> dict[str, Any]:
    """The configuration without what this chip has nothing of: tables of a run that did not make it, tables and fields
    of methods that are not in use. `provenance` None: the configuration is that of the run that made it.
    """
    left = {name: dict(values) if isinstance(values, Mapping) else values for name, values in config.items()}
    left.pop("board", None)  # of a command of its own, which has a report of its own
    if provenance is not None and provenance.data_set is None:
        for name in ("name", "data", "train", "nir", "cosim"):
            left.pop(name, None)
    elif provenance is not None and provenance.source != "trained":
        left.pop("train", None)
    whole = Config.unchecked(config)
    for name in unused_fields(whole):
        table, _, key = name.partition(".")
        left.get(table, {}).pop(key, None)
    if not whole.lifetime.measure:
        left.pop("lifetime", None)
    return {name: table for name, table in left.items() if table != {}}
