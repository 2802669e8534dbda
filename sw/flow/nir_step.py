"""The step `train` of a run whose network comes from a NIR file: the file is checked and copied to the run's folder."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikeloom.sw.common.errors import ConfigError, FileError
from spikeloom.sw.common.files import readable_error, write_atomic

if TYPE_CHECKING:
    from spikeloom.sw.config.config import Config
    from spikeloom.sw.nir.reader import NirModel

__all__ = ["load_nir", "nir_facts", "take_nir"]


def nir_facts(config: Config) -> Any:
    """What determines the network: the table, and the file's checksum (None if it cannot be read)."""
    if not config.nir.file:
        return None
    try:
        digest = hashlib.sha256(Path(config.nir.file).read_bytes()).hexdigest()
    except OSError:
        digest = None
    return [config.nir.model_dump(mode="json"), digest]


def take_nir(config: Config, place: Path, shape: tuple[int, ...], classes: int) -> Path:
    """Check the file of [nir] against the data, and copy it to `place`.

    Parameters
    ----------
    shape, classes : of the data set's images and labels

    Raises `FileError`, `UnsupportedError` or `WeightError` as `read_nir` does, `ConfigError` if the network does not
    fit the data set or the configuration's neurons.
    """
    from spikeloom.sw.nir.dynamics import check_dynamics
    from spikeloom.sw.passes.fold import fold

    path = Path(config.nir.file)
    model = load_nir(config, path)
    check_dynamics(model, config)
    network = fold(model.graph, "weights")
    takes, maps = model.graph.input_shape, (1, *shape)[-3:]
    if math.prod(takes) != math.prod(shape) or (len(takes) > 1 and (1, *takes)[-3:] != maps):
        raise ConfigError(
            config.name,
            [
                f"[nir] file '{path}' takes images of shape {takes}, but those of '{config.data.set}' have {maps}; "
                "choose another [data] set or another file"
            ],
        )
    if network.layers[-1].outputs != classes:
        raise ConfigError(
            config.name,
            [
                f"[nir] file '{path}' ends with {network.layers[-1].outputs} neurons, but '{config.data.set}' has "
                f"{classes} classes; choose another [data] set or another file"
            ],
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(readable_error(path, error, "read")) from error
    write_atomic(place, content)
    return place


def load_nir(config: Config, path: Path) -> NirModel:
    """The network in a NIR file, with what the configuration says of its neurons.

    Raises `ConfigError` for a length of a step that would change nothing, and what `read_nir` raises.
    """
    from spikeloom.sw.nir.reader import UNTIMED, read_nir

    section = config.nir
    if section.dt_s and not read_nir(path).integrates:
        raise ConfigError(
            config.name, [f"[nir] dt_s must be 0.0 for '{path}', {UNTIMED}, not {section.dt_s!r}; leave dt_s out"]
        )
    return read_nir(
        path,
        dt=section.dt_s or None,
        reset=None if section.reset == "file" else section.reset,
        threshold=None if section.threshold == "file" else section.threshold,
    )
