"""What `make lint` says of files, functions and kernels that have grown too long."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.sizes import problems


def test_the_program_keeps_its_sizes() -> None:
    assert list(problems()) == []


def test_what_is_too_long_is_named(tmp_path: Path) -> None:
    long = "@decorated\ndef long(\n    x,\n):\n    '''Text.\n\n    More.\n    '''\n" + "    pass\n" * 74
    kernels = "@kernel(nogil=True)\ndef many(a, b, c, d, e, f, g, h, i, j, k):\n    pass\n"
    (tmp_path / "hw").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "hw" / "a.py").write_text(long + kernels)
    (tmp_path / "hw" / "b.py").write_text("x = 0\n" * 400 + "x = 0")  # without a last line end
    (tmp_path / "tests" / "c.py").write_text(long + "x = 0\n" * 500)
    assert list(problems(tmp_path)) == [
        "hw/a.py:2: long has 81 lines; at most 80 are allowed",
        "hw/a.py:84: many is a kernel of 11 positional arguments; at most 10 are allowed",
        "hw/b.py has 401 lines; at most 400 are allowed",
    ]


def test_the_largest_that_is_allowed_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "sim").mkdir()
    text = "@kernel()\ndef few(a, b, c, d, e, f, g, h, i, j):\n    '''Text.'''\n" + "    pass\n" * 78
    (tmp_path / "sim" / "a.py").write_text(text + "x = 0\n" * (400 - text.count("\n")))
    assert list(problems(tmp_path)) == []


@pytest.mark.parametrize(
    "body",
    [
        "    # why\n" + "    pass\n" * 77,
        "    pass\n" * 76 + "\n    # why\n",
        "    pass\n" * 37 + "\n" + "    # why\n" + "    pass\n" * 39,
        "    @first\n    def inner():\n" + "        pass\n" * 76,
    ],
)
@pytest.mark.parametrize("head", ["def long():\n    '''Text.'''\n\n", "def long(\n    x,\n):\n"])
def test_all_lines_of_a_function_count(tmp_path: Path, head: str, body: str) -> None:
    (tmp_path / "sw").mkdir()
    (tmp_path / "sw" / "a.py").write_text(f"{head}{body}\n\n# Of the file.\n\nx = 0\n")
    assert list(problems(tmp_path)) == ["sw/a.py:1: long has 81 lines; at most 80 are allowed"]
