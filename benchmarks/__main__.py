"""`python -m benchmarks`: run the measurements, write `benchmarks/results.md` and `build/bench.json`."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from rich.console import Console

from benchmarks import measure
from benchmarks.network import load_mnist
from sim.threads import processors
from sw.errors import DataError
from sw.files import write_atomic

ROOT = Path(__file__).parent.parent
CONSOLE = Console(stderr=True)


def _run() -> dict[str, object]:
    figures: dict[str, object] = {"processors": processors(), "python": platform.python_version()}
    try:
        with CONSOLE.status("Training and compiling the MNIST example"):
            mnist = load_mnist()
    except DataError as error:
        CONSOLE.print(f"MNIST is not there, so only the export is measured: {error}")
    else:
        parts = {
            "reference": measure.reference,
            "rtl": measure.rtl,
            "bus": lambda known: measure.bus(known.chip, known.images[:2_000]),
            "macro": measure.macro,
        }
        for name, function in parts.items():
            with CONSOLE.status(f"Measuring: {name}"):
                figures[name] = function(mnist)
            CONSOLE.print({name: figures[name]})
    exports = []
    for synapses in measure.SYNAPSES:
        with CONSOLE.status(f"Measuring: Verilog of {synapses} synapses"):
            exports.append(measure.export(synapses))
        CONSOLE.print(exports[-1])
    figures["export"] = exports
    figures["export_128_lanes"] = measure.export(814_300, 128)
    CONSOLE.print(figures["export_128_lanes"])
    return figures


def _page(figures: dict) -> str:
    lines = [
        "# Measured speed",
        "",
        f"Written by `make bench` on {figures['processors']} processors; medians of three runs. Machines differ and "
        "are noisy: compare ratios within this page.",
        "",
        "| what | measured | aim |",
        "|---|---|---|",
    ]
    if "reference" in figures:
        ref, rtl, bus, macro = figures["reference"], figures["rtl"], figures["bus"], figures["macro"]
        lines += [
            f"| reference, MNIST 784-1000-30-10, noisy devices | {ref['noisy_images_per_s']:,.0f} images/s | 5,000 |",
            f"| reference, ideal devices | {ref['ideal_images_per_s']:,.0f} images/s | |",
            f"| Verilog under Verilator, noisy devices, all workers | {rtl['images_per_s']:,.0f} images/s | 150 |",
            f"| the same, one worker, its start included | {rtl['one_worker_images_per_s']:,.0f} images/s | |",
            f"| clock cycles | {rtl['cycles_per_s']:,.0f} cycles/s | |",
            f"| layer reads | {rtl['layer_reads_per_s']:,.0f} reads/s | |",
            f"| building the simulator, Verilog included | {rtl['build_s']:.1f} s (0 if kept) | |",
            f"| one worker, the same {bus['images']:,} images: the unit's ports | "
            f"{bus['direct_images_per_s']:,.0f} images/s | |",
            f"| one worker, the same {bus['images']:,} images: through the buses | "
            f"{bus['bus_images_per_s']:,.0f} images/s | at most 10 % fewer |",
            f"| idle cycles from image to image through the buses | {bus['idle_cycles_mean']:.1f} mean, "
            f"{bus['idle_cycles_most']} most, of {bus['cycles_per_image']:,.0f} an image | 8 at most |",
            f"| Python a read of the first layer | {macro['noisy_us_per_read']:.0f} us "
            f"({macro['ideal_us_per_read']:.0f} us without noise) | |",
        ]
    wide = figures["export_128_lanes"]
    lines += [
        f"| Verilog of 784-1000-30-10, 128 lanes | {wide['seconds']:.1f} s, {wide['peak_MiB']:.0f} MiB | 5 s |",
        "",
        "## Generating Verilog",
        "",
        "784-n-30-10 with 16 lanes. Weights are loaded, not part of the Verilog, so the time hardly depends on them.",
        "",
        "| synapses | seconds | to the one before | peak memory | Verilog |",
        "|---|---|---|---|---|",
    ]
    before = None
    for row in figures["export"]:
        ratio = f"{row['seconds'] / before:.2f}" if before else "-"
        lines.append(
            f"| {row['synapses']:,} | {row['seconds']:.2f} | {ratio} | {row['peak_MiB']:.0f} MiB "
            f"| {row['verilog_KiB']:.0f} KiB |"
        )
        before = row["seconds"]
    lines += ["", (Path(__file__).parent / "bounds.md").read_text().rstrip()]
    return "\n".join(lines) + "\n"


def main() -> None:
    figures = _run()
    write_atomic(ROOT / "build" / "bench.json", json.dumps(figures, indent=2).encode())
    write_atomic(ROOT / "benchmarks" / "results.md", _page(figures).encode())
    CONSOLE.print("Written: benchmarks/results.md, build/bench.json")


if __name__ == "__main__":
    main()
