"""Python pickles of plain values and arrays, read without executing them.

A pickle names functions and has them called; `pickle.load` calls whatever is named. Here names are only names: a call
is an object that keeps its arguments, and what comes out is examined afterwards. Texts of Python 2 are bytes.
"""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sw.common.errors import DataError

__all__ = ["byte_array", "read_pickle"]

_ARRAY, _DTYPE, _BYTES = "_reconstruct", "dtype", "encode"
_NAMES = {
    ("numpy.core.multiarray", _ARRAY),
    ("numpy._core.multiarray", _ARRAY),
    ("numpy", "ndarray"),
    ("numpy", _DTYPE),
    ("_codecs", _BYTES),  # how Python 3 writes bytes for Python 2
}


class _Call:
    """A call that was not made: the name, the arguments, and the state that the object would get."""

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name, self.arguments = name, arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Name:
    """A name in the place of the function; without a dictionary, in which a pickle could set something."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: Any) -> Any:
        if self.name != _BYTES:
            return _Call(self.name, arguments)
        text, encoding = arguments
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise pickle.UnpicklingError("bytes that are no text of latin1")
        return text.encode("latin1")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise _Refused(f"{module}.{name}")
        return _Name(name)


class _Refused(Exception):
    """The pickle names something that an array does not need."""


def read_pickle(raw: bytes, path: Path) -> Any:
    """What a pickle holds; arrays in it are for `byte_array`.

    Raises `DataError` for one that is damaged, or names anything but the parts of an array: nothing of it is called.
    """
    try:
        return _Reader(io.BytesIO(raw), encoding="bytes").load()
    except _Refused as refused:
        raise DataError(
            f"'{path}' is not an original file: it is a pickle that calls {refused!s:.80}, and only arrays and "
            "plain values are read, nothing is executed; replace it by the original file"
        ) from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise DataError(
            f"'{path}' is truncated or damaged: it is no whole pickle ({type(error).__name__}); replace it by the "
            "original file"
        ) from error


def byte_array(value: Any) -> NDArray[np.uint8] | str:
    """An array of unsigned bytes that a pickle holds, or what it is instead, in words."""
    if not isinstance(value, _Call) or value.name != _ARRAY:
        return f"of type {type(value).__name__}, and no array"
    state = value.state
    if not isinstance(state, tuple) or len(state) != 5:
        return "an array without content"
    _, shape, dtype, fortran, content = state
    kind = dtype.arguments[0] if isinstance(dtype, _Call) and dtype.name == _DTYPE and dtype.arguments else None
    if kind not in ("u1", b"u1"):
        named = kind.decode("latin1") if isinstance(kind, bytes) else kind
        return f"an array of dtype {named!s:.20}"
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        return "an array without a shape"
    if not isinstance(content, bytes) or len(content) != math.prod(shape):
        return f"an array of shape {list(shape)} with other content"
    return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")
