"""The images used by a command: those of a run, of a weight image's data set, of `--data-set`, or of a file."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import ConfigError, FileError, SpikeLoomError, warn
from spikeloom.sw.common.files import as_path, readable_error
from spikeloom.sw.config.messages import nearest_name
from spikeloom.sw.config.settings import check_settings
from spikeloom.sw.datasets.datasets import DATA_SETS, load_data
from spikeloom.sw.datasets.image_set import ImageSet, images_in_words
from spikeloom.sw.datasets.pixels import as_labels, as_pixels

if TYPE_CHECKING:
    from spikeloom.sw.chip import Chip
    from spikeloom.sw.flow.flow import Flow

__all__ = [
    "ASKED",
    "DataSet",
    "Images",
    "TestImages",
    "check_data",
    "how_many",
    "images_asked",
    "images_for",
    "run_images",
]

Images = Annotated[
    list[str] | None,
    typer.Option(
        "--images",
        metavar="N|FILE.npz",
        help="Number of test images, from the first on; or a file with the arrays images and, optionally, labels. "
        "Can be given twice, for both.",
    ),
]
_BUILT_IN = tuple(kind.name for kind in DATA_SETS.built_in())
DataSet = Annotated[
    str | None,
    typer.Option(
        "--data-set",
        metavar="NAME",
        help=f"Test images of a data set: {', '.join(_BUILT_IN)}, or one that an installed package registers.",
    ),
]

ASKED = "[cosim] images"
"""Where the number of images comes from that no option gives."""


def check_data(data_set: str | None, data: Path | None) -> None:
    """Raise `ConfigError` for a folder of data sets that nothing would be read from; `data_set` None reads a file."""
    if data is None or (data_set is not None and not DATA_SETS[data_set].origin):
        return
    what = "--images names the file"
    if data_set is not None:
        what = f"data set '{data_set}' {DATA_SETS[data_set].origin}"
    raise ConfigError("--data", [f"it would have no effect: {what}; leave --data out"])


@dataclass(frozen=True, eq=False)
class TestImages:
    """Images uint8 [images, inputs], labels int64 [images] if they are known, and what the images are."""

    __repr__ = short_repr

    __test__ = False  # not a test, whatever pytest thinks of the name
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    measured_on: ImageSet


def images_asked(
    values: Sequence[str] | None, data_set: str | None, settings: Sequence[str] | None = None
) -> tuple[int | None, Path | None]:
    """The number and the file that `--images` names; None for what it does not name.

    settings : of `--set`, in which `data.test_limit` would have no effect beside a file or a `data_set`

    Raises `SpikeLoomError` for what is neither, for two of a kind, for a `data_set` that is not one or that is named
    together with a file; `FileError` for a file that does not exist.
    """
    numbers: list[int] = []
    files: list[Path] = []
    for value in values or ():
        if re.fullmatch(r"[+-]?[0-9]{1,18}", value):
            numbers.append(int(value))
        elif value.endswith(".npz"):
            files.append(as_path(value, "file of images"))
        else:
            raise SpikeLoomError(f"--images takes a number of images or a file that ends in .npz, not '{value}'")
    if len(numbers) > 1 or len(files) > 1:
        raise SpikeLoomError("--images may be given twice, for a number and a file, but not for two of the same kind")
    if data_set is not None and data_set not in DATA_SETS.names():
        raise SpikeLoomError(f"There is no data set '{data_set}'; --data-set takes {', '.join(DATA_SETS.names())}")
    if data_set is not None and files:
        raise SpikeLoomError(f"--data-set {data_set} and --images {files[0]} name different images; give one of them")
    if files and not files[0].is_file():
        raise FileError(f"There is no file '{files[0]}' (--images); name one that is there, or a number of images")
    if data_set is not None or files:
        named = f"--images {files[0]}" if files else f"--data-set {data_set}"
        what = f"{named} names the images; say how many of them with --images N"
        check_settings(settings, ["data.test_limit"], what)
    return numbers[0] if numbers else None, files[0] if files else None


def how_many(tests: TestImages, asked: int | None, name: str = "--images") -> int:
    """The number of images to take: as many as are asked for by `name`, or all (0, None). Warns where there are
    fewer.
    """
    there = len(tests.images)
    if asked is not None and asked > there:
        known = images_in_words(tests.measured_on.facts(there))
        warn(f"{name} {asked} is more than there are, {known}: all {there} are used; give a smaller number")
    return there if not asked else min(asked, there)


def images_for(
    chip: Chip, source: str, flow: Flow | None, data: Path | None, data_set: str | None = None, file: Path | None = None
) -> TestImages:
    """The images to run a chip with.

    Parameters
    ----------
    source : the weight image or configuration, as the user has named it
    flow : that made the chip; None for a weight image
    data : folder of the data sets
    data_set, file : what the user asks for; else the images of the flow, else those of the chip's own data set

    Raises `SpikeLoomError` where nobody says which images, `FileError`, `DataError`, `ValueError` or `TypeError` for
    images that cannot be read or do not fit the chip.
    """
    if file is not None:
        if flow is None:
            check_data(None, data)
        return _from_file(chip, file)
    if data_set is None and flow is not None:
        return run_images(flow)
    name = data_set if data_set is not None else chip.provenance.data_set
    if name is None:
        raise SpikeLoomError(
            f"'{source}' does not say which images it is for, since no run of SpikeLoom made it; name a data set with "
            f"--data-set NAME ({', '.join(DATA_SETS.names())}) or a file with --images FILE.npz (arrays images and "
            "labels)"
        )
    if flow is None:
        check_data(name, data)
    return _from_data_set(chip, name, data, chip.config.data.test_limit if data_set is None else 0)


def run_images(flow: Flow) -> TestImages:
    """The test images of a run whose step `data` is done."""
    from spikeloom.sw.flow.run_folder import load_run_images, run_image_set

    known = load_run_images(flow)
    return TestImages(known.images, known.labels, run_image_set(flow))


def _from_data_set(chip: Chip, name: str, data: Path | None, limit: int) -> TestImages:
    """The first `limit` test images of a data set (0: all)."""
    kind = DATA_SETS[name]
    pixels, classes = int(np.prod(kind.shape)), kind.classes
    parameters = chip.parameters
    if pixels != parameters.inputs or classes > parameters.classes:
        raise SpikeLoomError(
            f"Data set '{name}' has images of {pixels} pixels and {classes} classes, but the chip takes "
            f"{parameters.inputs} pixels and has {parameters.classes} classes; name images of that size with "
            f"--data-set or "
            "--images FILE.npz"
        )
    tests = load_data(name, data)
    count = limit or len(tests.test_images)
    measured_on = ImageSet.tests(name, len(tests.test_images))
    return TestImages(tests.test_images[:count], tests.test_labels[:count], measured_on)


def _from_file(chip: Chip, path: Path) -> TestImages:
    arrays = _arrays(path)
    if "images" not in arrays:
        names = ", ".join(f"'{name}'" for name in sorted(arrays)) or "none"
        raise FileError(
            f"'{path}' has no array 'images' (its arrays: {names}); numpy.savez(FILE, images=...) writes one"
        )
    pixels = as_pixels(arrays["images"], chip.programmed, chip.calibration, f"Images of '{path}'")
    labels = None
    if "labels" in arrays:
        labels = as_labels(arrays["labels"], len(pixels), chip.parameters.classes, f"Labels of '{path}'")
    for name in sorted(arrays.keys() - {"images", "labels"}):
        meant = labels is None and nearest_name(name.lower(), ["images", "labels"]) == "labels"
        hint = "did you mean 'labels'?" if meant else "only 'images' and 'labels' are; leave it out"
        warn(f"Array '{name}' of '{path}' is not used; {hint}")
    return TestImages(pixels, labels, ImageSet.file(path.name, len(pixels)))


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays `images` and `labels` of an .npz file, and the names of others."""
    broken = f"'{path}' is not an .npz file of arrays, or damaged"
    remedy = "write it with numpy.savez(path, images=..., labels=...)"
    try:
        with path.open("rb") as raw:
            file = np.load(raw, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise FileError(f"{broken}: it holds one array without a name; {remedy}")
            return {name: file[name] if name in ("images", "labels") else np.empty(0) for name in file.files}
    except FileError:
        raise
    except OSError as error:
        raise FileError(readable_error(path, error, "read")) from error
    except (EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise FileError(f"{broken}: {remedy}") from error
