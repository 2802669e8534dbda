"""Two front ends over an export, neither of which may have a word to say: Verilator with its waivers, and slang."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from pyslang.driver import Driver

__all__ = ["VERILATOR", "slang", "unwaived", "waived"]

VERILATOR = Path(sysconfig.get_paths()["purelib"]) / "verilator" / "bin" / "verilator"
_WARNING = re.compile(r"^%Warning-(\w+): \S*?([\w.]+):\d+:\d+: .*?(?:'([^']+)')?(?:\[[^\]]*\])?$", re.M)


def slang(top: str, files: Iterable[Path]) -> tuple[int, int]:
    """Errors and warnings of slang [IEEE 1800-2017] for these sources, without any waiver; it prints what they are."""
    driver = Driver()
    driver.addStandardArgs()
    names = " ".join(shlex.quote(str(file)) for file in files)
    assert driver.parseCommandLine(f"slang --std 1800-2017 -Wextra -Wpedantic --top {top} {names}")
    assert driver.processOptions()
    driver.parseAllSources()
    compilation = driver.createCompilation()
    driver.reportCompilation(compilation, True)
    driver.runAnalysis(compilation)
    return driver.diagEngine.numErrors, driver.diagEngine.numWarnings


def waived(text: str) -> set[tuple[str, str, str]]:
    """Rule, file and signal of the waivers that name a signal."""
    return set(re.findall(r"^lint_off -rule (\w+) -file \"\*([\w.]+)\" -match \"\*'([^']+)'\*\"$", text, re.M))


def unwaived(top: str, files: Iterable[Path]) -> set[tuple[str, str, str]]:
    """Warnings of Verilator in `.sv` files without any waiver, but for names of files: rule, file, signal."""
    command = [str(VERILATOR), "--lint-only", "-Wall", "--top-module", top, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    found = _WARNING.findall(done.stderr)
    return {(rule, file, name) for rule, file, name in found if file.endswith(".sv") and rule != "DECLFILENAME"}
