"""A NIR file as a graph, or a message on what is not valid in it; and where one may be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spikeloom.sw.common.errors import FileError
from spikeloom.sw.common.files import readable_error, writable_file

__all__ = ["read_graph", "writable_nir"]

_REMEDY = "write it with nir.write, spikeloom.write_nir or a library's exporter"


_OTHERS = {".loom": "weight images", ".toml": "configurations", ".npz": "arrays"}
"""Ends of names that are those of other files."""


def writable_nir(path: Any) -> Path:
    """The path of a NIR file that will be written, checked as by `writable_file`.

    Raises `FileError` also for a name that ends as those of other files do, and for a file that is there, not empty,
    and no HDF5 file, which would be lost.
    """
    import h5py

    place = writable_file(path, "NIR file")
    other = _OTHERS.get(place.suffix.lower())
    if other is not None:
        raise FileError(
            f"Cannot write a NIR file '{place}': names that end in {place.suffix} are those of {other}; give a name "
            "that ends in .nir"
        )
    if place.is_file() and place.stat().st_size and not h5py.is_hdf5(place):
        raise FileError(
            f"Cannot write a NIR file '{place}': a file that is no NIR file (HDF5) exists and would be overwritten; "
            f"choose another name, or remove it"
        )
    return place


def read_graph(path: Path) -> Any:
    """The `nir.NIRGraph` of a file (HDF5). Raises `FileError` for a file that cannot be read, or holds none."""
    import nir

    try:
        return nir.read(path, type_check=False)  # it takes every kernel for a square; ours is checked all the same
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise FileError(readable_error(path, error, "read")) from error
    except Exception as error:  # h5py and nir raise whatever they come across
        raise FileError(f"'{path}' is not a NIR file: {_trouble(path)}") from error


def _trouble(path: Path) -> str:
    """What of a file that `nir` cannot read is the reason, with the remedy."""
    import h5py

    if not h5py.is_hdf5(path):
        return f"it is no HDF5 file; {_REMEDY}"
    try:
        with h5py.File(path, "r") as file:
            return _node_in_trouble(file)
    except Exception:  # a file that is damaged in any way
        return f"it is an HDF5 file that is truncated or damaged; take a complete copy, or {_REMEDY}"


def _node_in_trouble(file: Any) -> str:
    """The first part of a NIR file from which no node can be made."""
    import nir
    from nir.serialization import hdf2dict

    if "node" not in file:
        return f"it is an HDF5 file without a graph (a group 'node'); {_REMEDY}"
    nodes = file["node"].get("nodes", {})
    for name in nodes:
        values = hdf2dict(nodes[name])
        kind = values.get("type")
        if not (isinstance(kind, str) and isinstance(getattr(nir, kind, None), type)):
            return f"its node '{name}' has the type {kind!r:.60}, which NIR does not have; {_REMEDY}"
        try:
            nir.dict2NIRNode(values)
        except Exception:
            return f"its node '{name}' ({kind}) lacks a value, or has one too many or of another shape; {_REMEDY}"
    return f"its graph has no nodes, or edges of another form; {_REMEDY}"
