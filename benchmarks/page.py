"""The page `benchmarks/results.md`, section by section, so that each can be measured separately."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.placement import DEVICE

__all__ = ["page"]

_TITLES = (
    "Measured speed", "Convolutional networks", "Drift", "Generating Verilog", "Synthesis", "Placement", "Boards",
    "Bottlenecks",
)  # fmt: skip


def page(figures: Mapping[str, Any], before: str = "") -> str:
    """The page's text: sections of what was measured, and those of the page `before` in place of the others."""
    sections = _sections(before)
    if "export_128_lanes" in figures:
        sections["Measured speed"] = _speed(figures)
    if "convolution" in figures:
        sections["Convolutional networks"] = _convolution(figures["convolution"])
    if "pulses" in figures:
        sections["Drift"] = _drift(figures)
    if "export" in figures:
        sections["Generating Verilog"] = _export(figures["export"])
    if "synthesis" in figures:
        sections["Synthesis"] = _synthesis(figures["synthesis"])
    if "placement" in figures:
        sections["Placement"] = _placement(figures["placement"])
    if "boards" in figures:
        sections["Boards"] = _boards(figures["boards"])
    bounds = _sections((Path(__file__).parent / "bounds.md").read_text(encoding="utf-8"))
    sections |= bounds
    texts = [f"## {title}\n\n{sections[title]}" for title in _TITLES if title in sections]
    return "\n\n".join(texts).removeprefix("#") + "\n"


def _sections(text: str) -> dict[str, str]:
    """Title -> text of a page's sections."""
    parts = re.split(r"^##? (.+)\n+", text, flags=re.MULTILINE)
    return {title: body.strip() for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def _table(rows: list[str], head: str = "| what | measured | aim |") -> str:
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows])


def _speed(figures: Mapping[str, Any]) -> str:
    rows = []
    if "reference" in figures:
        ref, rtl, bus, macro = figures["reference"], figures["rtl"], figures["bus"], figures["macro"]
        rows = [
            f"| reference, MNIST 784-1000-30-10, noisy devices | {ref['noisy_images_per_s']:,.0f} images/s | 5,000 |",
            f"| reference, ideal devices | {ref['ideal_images_per_s']:,.0f} images/s | |",
            f"| Verilog under Verilator, noisy devices, all workers | {rtl['images_per_s']:,.0f} images/s | 150 |",
            f"| the same, one worker, including its start | {rtl['one_worker_images_per_s']:,.0f} images/s | |",
            f"| clock cycles | {rtl['cycles_per_s']:,.0f} cycles/s | |",
            f"| layer reads | {rtl['layer_reads_per_s']:,.0f} reads/s | |",
            f"| building the simulator, including Verilog | {rtl['build_s']:.1f} s (0 if cached) | |",
            f"| one worker, the same {bus['images']:,} images: the direct ports | "
            f"{bus['direct_images_per_s']:,.0f} images/s | |",
            f"| one worker, the same {bus['images']:,} images: through the buses | "
            f"{bus['bus_images_per_s']:,.0f} images/s | at most 10 % fewer |",
            f"| idle cycles between images through the buses | {bus['idle_cycles_mean']:.1f} mean, "
            f"{bus['idle_cycles_most']} max, of {bus['cycles_per_image']:,.0f} per image | 8 at most |",
            f"| Python per read of the first layer | {macro['noisy_us_per_read']:.0f} us "
            f"({macro['ideal_us_per_read']:.0f} us without noise) | |",
        ]
    wide = figures["export_128_lanes"]
    rows.append(f"| Verilog of 784-1000-30-10, 128 lanes | {wide['seconds']:.1f} s, {wide['peak_MiB']:.0f} MiB | 5 s |")
    return (
        f"Written by `make bench` on {figures['processors']} processors; medians of three runs. Machines differ and "
        "are noisy: compare ratios within this page.\n\n" + _table(rows)
    )


def _convolution(networks: list[Mapping[str, Any]]) -> str:
    rows = []
    for name, text, digits in (
        ("ann_images_per_s", "ANN in floating point, PyTorch, images/s", 0),
        ("ideal_images_per_s", "reference, ideal devices, images/s", 1),
        ("noisy_images_per_s", "reference, noisy devices, images/s", 1),
        ("rtl_images_per_s", "Verilog under Verilator, noisy devices, one simulator, including its start, images/s", 3),
        ("rtl_cycles_per_s", "clock cycles/s", 0),
        ("rtl_build_s", "building the simulator, including Verilog, s (0 if cached)", 0),
        ("compile_s", "`spikeloom.compile`, 32 calibration images, s", 1),
        ("cycles_per_image", "clock cycles per image, counted by the Verilog", 1),
        ("formula_cycles_per_image", "the same by the formula", 1),
        ("activity", "share of neurons that fire per step", 3),
        ("additions", "additions of weights per image, in the reference", 0),
        ("conversions", "ADC conversions per image", 0),
    ):
        values = " | ".join(f"{network[name]:,.{digits}f}" for network in networks)
        rows.append(f"| {text} | {values} |")
    text = (
        f"Random images and random weights, thresholds chosen by the conversion; every image runs for "
        f"{networks[0]['steps']} steps, 64 lanes. Reference and ANN on all processors; the Verilog ran "
        f"{' and '.join(str(network['rtl_images']) for network in networks)} images, and all of its values are the "
        "reference's."
    )
    return text + "\n\n" + _table(rows, f"| what | {' | '.join(network['title'] for network in networks)} |")


def _drift(figures: Mapping[str, Any]) -> str:
    pulses, programming, drifting = figures["pulses"], figures["programming"], figures.get("drifting")
    rows = [
        f"| a million read pulses of a layer of 784 x 1000 cell pairs | {1e3 * pulses['million_pulses_s']:.0f} ms | |",
        f"| locating its cells on the age curve, once per programming | {1e3 * pulses['locate_s']:.0f} ms | |",
        f"| tabulating the curve, once per device | {1e3 * pulses['tabulate_s']:.0f} ms | |",
        f"| programming its cells by pulses and verify reads | {programming['verify_s']:.2f} s | |",
        f"| the write driver's tables for that, once per device | {1e3 * programming['driver_tables_s']:.0f} ms | |",
    ]
    if drifting is not None:
        rows += [
            f"| reference, MNIST, `drift_every = 1` | {drifting['reference_every_1_images_per_s']:,.0f} images/s | |",
            f"| the same, `drift_every = 10` | {drifting['reference_every_10_images_per_s']:,.0f} images/s | |",
            f"| the same, frozen conductances | {drifting['reference_held_images_per_s']:,.0f} images/s | |",
            "| Verilog, one simulator, including its start, `drift_every = 1` | "
            f"{drifting['rtl_every_1_images_per_s']:,.0f} images/s | |",
            f"| the same, frozen conductances | {drifting['rtl_held_images_per_s']:,.0f} images/s | |",
            "| programming the layer again in the model, with an error, cells located on the curve again | "
            f"{1e3 * drifting['program_s']:.0f} ms | |",
        ]
    text = "Tantalum-oxide cells that drift with their reads; the time does not depend on the number of pulses."
    return text + "\n\n" + _table(rows)


def _export(rows: list[Mapping[str, Any]]) -> str:
    lines = []
    before = None
    for row in rows:
        ratio = f"{row['seconds'] / before:.2f}" if before else "-"
        lines.append(
            f"| {row['synapses']:,} | {row['seconds']:.2f} | {ratio} | {row['peak_MiB']:.0f} MiB "
            f"| {row['verilog_KiB']:.0f} KiB |"
        )
        before = row["seconds"]
    text = "784-n-30-10 with 16 lanes. Weights are loaded, not part of the Verilog, so the time hardly depends on them."
    return text + "\n\n" + _table(lines, "| synapses | seconds | to the one before | peak memory | Verilog |")


def _synthesis(rows: list[Mapping[str, Any]]) -> str:
    lines = [
        f"| {row['title']}, {row['lanes']} lanes | {row['count_s']:.1f} | {row['ecp5_s']:.0f} | {row['LUT4']:,} "
        f"| {row['TRELLIS_FF']:,} | {row['TRELLIS_DPR16X4']:,} | {row['CCU2C']:,} |"
        for row in rows
    ]
    text = (
        "Seconds of processor time of Yosys, from the Python package: counting word-level cells, as every run does, "
        "and mapping to Lattice ECP5 (`synth_ecp5`). `LUT4` are look-up tables; those in carry cells come on top."
    )
    head = "| unit | counting, s | ECP5, s | LUT4 | flip-flops | RAM of 16 x 4 bits | carry cells |"
    return text + "\n\n" + _table(lines, head)


def _placement(rows: list[Mapping[str, Any]]) -> str:
    lines = [
        f"| {row['title']}, {row['lanes']} lanes | {row['wall_s']:.0f} | {row['LUT4']:,} | {row['TRELLIS_FF']:,} "
        f"| {row['clock_MHz']:.1f} MHz ({min(row['clocks_MHz']):.1f} .. {max(row['clocks_MHz']):.1f}) "
        f"| {row['path_cells']} cells: {', '.join(f'`{part}`' for part in row['path'])} |"
        for row in rows
    ]
    text = (
        f"The unit between flip-flops, without a host bus and without the crossbars, placed and routed on {DEVICE} by "
        "nextpnr, which is asked for 100 MHz; the median of three seeds (smallest .. largest), and the components on "
        "its slowest path. Flip-flops around the unit are not counted."
    )
    head = "| unit | seconds a seed | LUT4 | flip-flops | highest clock | slowest path |"
    return text + "\n\n" + _table(lines, head)


def _boards(rows: list[Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        emulators = sum(part["luts"] for name, part in row["parts"].items() if name.startswith("emulator"))
        parts = [row["parts"]["npu_axi"]["luts"], emulators, row["parts"]["bridge"]["luts"]]
        seconds = row["seconds"]
        lines.append(
            f"| {row['title']}, {row['lanes']} lanes, {row['rows_per_cycle']} rows a cycle | {row['board']} "
            f"| {row['cells']['luts']:,} | {' + '.join(f'{luts:,}' for luts in parts)} "
            f"| {row['cells']['flip_flops']:,} | {row['cells']['block_rams']:,} "
            f"| {row['highest_MHz']:.1f} MHz ({row['clock_MHz']:g}) | {seconds['synthesise']:.0f} "
            f"| {seconds['place']:.0f} |"
        )
    text = (
        "Whole boards, from the serial pins to the cells in block memory, placed and routed by nextpnr with the first "
        "seed that meets the clock in brackets. Look-up tables are nextpnr's count: those in carry chains and "
        "distributed memories are among them. Built by the Python packages of Yosys and nextpnr."
    )
    head = (
        "| design | board | look-up tables | of accelerator, emulators, bridge | flip-flops | block memories "
        "| highest clock (wanted) | synthesis, s | placement, s |"
    )
    return text + "\n\n" + _table(lines, head)
