"""What takes the time of the tests: a table of folders and files from pytest's results file.

    python -m tests.checks.times [build/tests.xml]

`make test` writes the file. Times are of the processes that ran tests, setup of shared fixtures included, so they add
up to about as many times the time on the clock as there are processes.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

__all__ = ["LONGEST", "seconds_of_files", "table"]

LONGEST = 12
"""Files that have a row of their own."""


def seconds_of_files(results: Path) -> dict[str, tuple[int, float]]:
    """Number of tests and seconds of each file of a JUnit XML file, named as modules: `tests.hw.test_npu`.

    Raises
    ------
    ValueError
        where the file has no tests
    """
    files: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        module = ".".join(part for part in case.attrib["classname"].split(".") if not part[0].isupper())
        number, seconds = files[module]
        files[module] = (number + 1, seconds + float(case.attrib["time"]))
    if not files:
        raise ValueError(f"{results} has no tests; `make test` writes it")
    return dict(files)


def _folder(module: str) -> str:
    """A room of the tests: `tests.hw.host`, or `tests` for files at its top."""
    return ".".join(module.split(".")[:-1][:3])


def table(files: Mapping[str, tuple[int, float]]) -> str:
    """Markdown: a row per folder, then one per file of the longest, with tests, seconds and share."""
    total = sum(seconds for _, seconds in files.values())
    folders: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for module, (number, seconds) in files.items():
        before = folders[_folder(module)]
        folders[_folder(module)] = (before[0] + number, before[1] + seconds)
    lines = ["| tests | number | seconds | share |", "|---|---|---|---|"]

    def rows(groups: Mapping[str, tuple[int, float]], end: str) -> None:
        for name, (number, seconds) in sorted(groups.items(), key=lambda item: (-item[1][1], item[0])):
            path = name.replace(".", "/") + end
            lines.append(f"| `{path}` | {number:,} | {seconds:,.0f} | {100 * seconds / total:.1f} % |")

    rows(folders, "/")
    longest = sorted(files, key=lambda module: -files[module][1])[:LONGEST]
    rows({module: files[module] for module in longest}, ".py")
    lines.append(f"| all | {sum(number for number, _ in files.values()):,} | {total:,.0f} | 100.0 % |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(seconds_of_files(Path(sys.argv[1] if len(sys.argv) > 1 else "build/tests.xml"))))
