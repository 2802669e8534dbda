"""`python -m benchmarks [PART ...]`: run the measurements, write `benchmarks/results.md` and `build/bench.json`.

Parts are `speed`, `convolution`, `drift`, `export`, `synthesis`, `placement` and `boards`; without any, all are run.
Sections of parts that are not run stay as they are.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import drift, measure
from benchmarks.boards import DESIGNS, board_design
from benchmarks.convolution import NETWORKS, convolution
from benchmarks.network import Mnist, load_mnist
from benchmarks.page import page
from benchmarks.placement import placement
from benchmarks.synthesis import SIZES, synthesis
from spikeloom.sim.common.threads import processors
from spikeloom.sw.common.errors import DataError
from spikeloom.sw.common.files import write_atomic

ROOT = Path(__file__).parent.parent
FIGURES, PAGE = ROOT / "build" / "bench.json", ROOT / "benchmarks" / "results.md"
PARTS = ("speed", "convolution", "drift", "export", "synthesis", "placement", "boards")
CONSOLE = Console(stderr=True)


def _run(parts: list[str]) -> dict[str, Any]:
    figures: dict[str, Any] = {"processors": processors(), "python": platform.python_version()}

    def take(name: str, work: Any, *arguments: Any) -> None:
        with CONSOLE.status(f"Measuring: {name}"):
            figures[name] = work(*arguments)
        CONSOLE.print({name: figures[name]})

    mnist = _mnist() if {"speed", "drift"} & set(parts) else None
    if "speed" in parts:
        if mnist is not None:
            take("reference", measure.reference, mnist)
            take("rtl", measure.rtl, mnist)
            take("bus", measure.bus, mnist.chip, mnist.images[:2_000])
            take("macro", measure.macro, mnist)
        take("export_128_lanes", measure.export, 814_300, 128)
    if "convolution" in parts:
        take("convolution", lambda: [convolution(network) for network in NETWORKS])
    if "drift" in parts:
        take("pulses", drift.pulses)
        take("programming", drift.programming)
        if mnist is not None:
            take("drifting", drift.drifting, mnist)
    if "export" in parts:
        take("export", lambda: [measure.export(synapses) for synapses in measure.SYNAPSES])
    if "synthesis" in parts:
        take("synthesis", lambda: [synthesis(*size) for size in SIZES])
    if "placement" in parts:
        take("placement", lambda: [placement(*size) for size in SIZES])
    if "boards" in parts:
        take("boards", lambda: [board_design(*design) for design in DESIGNS])
    return figures


def _mnist() -> Mnist | None:
    try:
        with CONSOLE.status("Training and compiling the MNIST example"):
            return load_mnist()
    except DataError as error:
        CONSOLE.print(f"MNIST is not there, so that what needs it is not measured: {error}")
        return None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed.")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)}; all if not given"
    )
    parts = parser.parse_args().parts or list(PARTS)
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"there is no part {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
    figures = _run(parts)
    text = page(figures, PAGE.read_text(encoding="utf-8") if PAGE.exists() and set(parts) != set(PARTS) else "")
    known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() and set(parts) != set(PARTS) else {}
    write_atomic(FIGURES, json.dumps({**known, **figures}, indent=2).encode())
    write_atomic(PAGE, text.encode())
    CONSOLE.print("Written: benchmarks/results.md, build/bench.json")


if __name__ == "__main__":
    main()
