"""Checks of user arguments other than images, the same everywhere: labels, numbers, switches, functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError

__all__ = [
    "TraceKind",
    "check_fraction",
    "check_ids",
    "check_labels",
    "check_progress",
    "check_switch",
    "check_trace",
    "check_whole",
    "is_number",
    "is_whole",
    "plain_numbers",
]

TraceKind = Literal["none", "spikes", "full"]
"""What a run records of every step: nothing, every spike, or every membrane as well."""


def check_labels(labels: Any, count: int, classes: int | None = None, what: str = "Labels") -> NDArray[np.int64]:
    """Labels, int64 [count] in 0 .. classes - 1, of an array, tensor or list of integers.

    classes : how many there are, if that is known

    Raises `TypeError` for anything but integers, `ValueError` for another number of them or a class the chip lacks.
    """
    array = _array(labels, what)
    one_hot = array.ndim == 2 and array.shape[0] == count and array.shape[1] > 1 and array.dtype.kind in "iufb"
    if array.dtype.kind not in "iu" and not one_hot:
        whole = array.dtype.kind == "b" or (array.dtype.kind == "f" and bool(np.all(array == np.rint(array))))
        hint = ": use labels.astype(int), or .long()" if whole else ""
        raise ArgumentTypeError(f"{what} must be integers, one per image, not {array.dtype}{hint}")
    if array.shape != (count,):
        hint = ""
        if one_hot:
            hint = ": use labels.argmax(1) of one-hot rows"
        elif array.size == count:
            hint = ": use labels.reshape(-1)"
        raise SpikeLoomError(f"{what} must have shape ({count},), one per image, not {array.shape}{hint}")
    wrong = np.flatnonzero(array < 0 if classes is None else (array < 0) | (array >= classes))
    if len(wrong):
        first = f"that of image {wrong[0]} is {array[wrong[0]]}"
        if classes is None:
            raise SpikeLoomError(f"{what} must be 0 or more, but {first}: leave images without a class out")
        hint = ""
        if int(array.min()) >= 1 and int(array.max()) == classes:
            hint = ": labels start at 0, so give labels - 1"
        elif int(array.max()) < classes:
            hint = ": leave images without a class out"
        raise SpikeLoomError(f"{what} must lie in 0 .. {classes - 1}, the chip's classes, but {first}{hint}")
    return array.astype(np.int64)


def check_ids(ids: Any, count: int) -> NDArray[np.int64]:
    """Image numbers, int64 [count]: as given, or 0, 1, 2, ...; TypeError or ValueError where they cannot be used."""
    if ids is None:
        return np.arange(count, dtype=np.int64)
    numbers = _array(ids, "Image numbers")
    if numbers.dtype.kind not in "iu":
        raise ArgumentTypeError(f"Image numbers must be integers, not {numbers.dtype}")
    if numbers.shape != (count,):
        raise SpikeLoomError(f"Image numbers have shape {numbers.shape}, but there are {count} images")
    if int(numbers.min()) < 0 or int(numbers.max()) >= 1 << 32:
        raise SpikeLoomError(
            f"Image numbers must be in 0 .. 4294967295, not {int(numbers.min())} .. {int(numbers.max())}"
        )
    return numbers.astype(np.int64)


def check_trace(trace: Any) -> TraceKind:
    """What to record. Raises `ValueError` for anything but "none", "spikes" or "full"."""
    if not isinstance(trace, str) or trace not in get_args(TraceKind):
        raise SpikeLoomError(f"trace must be 'none', 'spikes' or 'full', not {trace!r}")
    return trace  # type: ignore[return-value]


def check_progress(progress: Any) -> None:
    """Raise `TypeError` for what can neither be called nor is None."""
    if progress is not None and not callable(progress):
        raise ArgumentTypeError(f"progress must be a function or None, not {progress!r:.60}")


def check_switch(name: str, value: Any, optional: bool = False) -> None:
    """Raise `TypeError` for anything but True and False, and None where it stands for a default."""
    if not (isinstance(value, bool) or (optional and value is None)):
        raise ArgumentTypeError(
            f"{name} must be True{', False or None' if optional else ' or False'}, not {value!r:.60}"
        )


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, Python's or NumPy's; True and False are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a real number, Python's or NumPy's; True and False are none."""
    return is_whole(value) or isinstance(value, float | np.floating)


def plain_numbers(value: Any) -> Any:
    """A value with Python's numbers instead of NumPy's, in lists and tables too; a row of numbers is a list."""
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "biuf":
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain_numbers(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain_numbers(each) for each in value)
    return value


def check_whole(name: str, value: Any, least: int = 1, most: int | None = None) -> None:
    """Raise `ValueError` for anything but a whole number of at least `least` and at most `most`."""
    if not is_whole(value) or value < least or value > (most or value):
        if most is None:
            allowed = "a positive integer" if least == 1 else f"an integer of at least {least}"
        else:
            allowed = f"an integer in {least} .. {most}"
        raise SpikeLoomError(f"{name} must be {allowed}, not {value!r:.60}")


def check_fraction(name: str, value: Any) -> None:
    """Raise `ValueError` for anything but a number above 0 and at most 1; percent are told their fraction."""
    number = is_number(value)
    if not number or not 0.0 < float(value) <= 1.0:
        hint = f": {float(value) / 100:g} is {float(value):g} %" if number and 1.0 < float(value) <= 100.0 else ""
        raise SpikeLoomError(f"{name} must be above 0 and at most 1, not {value!r:.60}{hint}")


def _array(values: Any, what: str) -> NDArray[Any]:
    try:
        return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    except (ValueError, TypeError, OverflowError, NotImplementedError) as error:
        raise ArgumentTypeError(
            f"{what} must be a list or array of integers, one per image, not {values!r:.60}"
        ) from error
