"""Reading Liberty."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from spikeloom.hw.standard_cells.liberty import Corner, Library, LibraryError, read_library
from tests.fixtures.standard_cells import FEW, OSU018, osu018


def read(text: str, folder: Path) -> Library:
    (folder / "few.lib").write_text(text)
    return read_library(folder / "few.lib")


def test_cells_have_areas_kinds_pins_and_functions(tmp_path: Path) -> None:
    few = read(FEW, tmp_path)
    assert {name: (cell.area, cell.kind) for name, cell in few.cells.items()} == {
        "INV": (2.0, "logic"), "BUF": (3.0, "logic"), "NAND": (4.0, "logic"), "TIE": (1.0, "logic"),
        "DFF": (10.5, "flip-flop"), "LAT": (8.0, "latch"), "TRI": (6.0, "other"), "OLD": (1.0, "logic"),
        "FILL": (1.0, "other"),
    }  # fmt: skip
    assert few.cells["INV"].inputs == {"A": 1.5} and few.cells["NAND"].inputs == {"A": 0.0, "B": 0.0}
    assert few.cells["INV"].plain_function == "!A" and few.cells["BUF"].plain_function == "A"
    assert few.cells["NAND"].functions == {"Y": "!(A*B)"}
    assert [name for name, cell in few.cells.items() if not cell.allowed] == ["OLD"]


def test_corners_units_and_wire_load(tmp_path: Path) -> None:
    few = read(FEW, tmp_path)
    assert few.name == "few" and few.wire_load == "small" and few.capacitance_fF == 1.0
    assert few.corners == {"slow": Corner("slow", 1.1, 1.0, 125.0), "fast": Corner("fast", 0.9, 1.3, -40.0)}
    assert few.default_corner == few.corners["slow"]
    nominal = read(FEW.replace("default_operating_conditions : slow;", ""), tmp_path)
    assert nominal.default_corner == Corner("", None, 1.2, None), "a value without a semicolon ends with its line"


def test_a_compressed_file_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "few.lib.gz").write_bytes(gzip.compress(FEW.encode()))
    assert read_library(tmp_path / "few.lib.gz") == read(FEW, tmp_path)
    (tmp_path / "bad.lib.gz").write_bytes(gzip.compress(FEW.encode())[:60])
    with pytest.raises(LibraryError, match=r"bad\.lib\.gz' is compressed and damaged"):
        read_library(tmp_path / "bad.lib.gz")
    whole = gzip.compress(FEW.encode())
    for at in range(2, len(whole), 7):  # the checksum, sizes, or codes that mean nothing
        (tmp_path / "bad.lib.gz").write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            assert read_library(tmp_path / "bad.lib.gz").cells  # a byte of the header that says nothing of the content
        except LibraryError as error:
            assert "bad.lib.gz' " in str(error) and "give a .lib file" in str(error)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    for name, content in (("few.lib", FEW.encode("utf-8-sig")), ("few.lib.gz", gzip.compress(FEW.encode("utf-8-sig")))):
        (tmp_path / name).write_bytes(content)
        found = read_library(tmp_path / name)
        assert found == read(FEW, tmp_path) and found.text == FEW, "tools read the text"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "line 1, is not Liberty: it is empty"),
        ("module a;\nendmodule\n", "line 1, is not Liberty: it begins with 'module' instead of library"),
        (FEW[: FEW.index("wire_load (small)")], "is not Liberty: 'the end' in the group library"),
        (FEW.replace("area : 2;", "area 2;"), "line 14, is not Liberty: no ':' or '\\(' after 'area'"),
        ("library (x) { cell (A) { timing () { ", "is not Liberty: a group has no end"),
        ("library (x) { cell (A { } }", "'{' in a list of arguments"),
        ("library (x) { a : 1; }", "has no cells"),
    ],
)
def test_what_is_no_library_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=sentence) as raised:
        read(text, tmp_path)
    assert "few.lib'" in str(raised.value) and "give a .lib file" in str(raised.value) and "\n" not in str(raised.value)


@osu018
def test_the_documented_library() -> None:
    library = read_library(OSU018)
    assert len(library.cells) == 32 and library.default_corner == Corner("typical", 1.0, 1.8, 25.0)
    assert [name for name, cell in library.cells.items() if cell.kind == "flip-flop"] == [
        "DFFNEGX1",
        "DFFPOSX1",
        "DFFSR",
    ]
    assert library.cells["DFFPOSX1"].area == 96.0 and library.capacitance_fF == 1000.0
