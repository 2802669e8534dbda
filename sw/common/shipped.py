"""Files included in the package: the examples, among them the C driver.

In a checkout they lie in its folder `examples`; the wheel has the same files as `spikeloom/examples`.
"""

from __future__ import annotations

from pathlib import Path

from spikeloom.sw.common.errors import FileError

__all__ = ["driver_files", "example_files", "examples_folder"]

_DRIVER = "firmware"
_KINDS = {".toml", ".py", ".nir", ".md", ".c", ".h", ""}
_PLAIN = {"Makefile"}
"""Names without an ending that are examples; others are what somebody has built beside them."""


def examples_folder() -> Path:
    """The folder of the examples that came with the program; `FileError` where it has none."""
    folder = Path(__file__).resolve().parents[2] / "examples"  # in a checkout and in the package alike
    if (folder / _DRIVER / "spikeloom.h").is_file():
        return folder
    raise FileError(
        "This installation of SpikeLoom contains no examples: install its wheel, or take them from a checkout"
    )


def example_files() -> dict[str, bytes]:
    """Every example: path in the folder of examples -> content."""
    return _files(examples_folder())


def driver_files() -> dict[str, bytes]:
    """What compiles with `network.h` and `spikeloom_registers.h` to a program: file name -> content."""
    files = _files(examples_folder() / _DRIVER)
    return {name: content for name, content in files.items() if not name.endswith(".md")}


def _files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    shown = [path for path in paths if path.suffix in _KINDS and (path.suffix or path.name in _PLAIN)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in shown}
