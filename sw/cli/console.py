"""Output of the command line: progress bars, tables, JSON."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sw.cli.progress import Lines, Meter
from spikeloom.sw.flow.flow import Flow

__all__ = ["bar", "print_json", "print_summary", "print_table", "say", "shown"]

_NOT_COUNTED = "those of the reference: no activity counters"

Advance = Callable[[str, int, int, str], None]
"""Told (step, done, in all, what is counted)."""


def say(text: str) -> None:
    """A line on stderr."""
    typer.echo(text, err=True)


@contextlib.contextmanager
def shown(flow: Flow, as_json: bool) -> Iterator[None]:
    """Show the flow's progress while the block runs."""
    with bar(as_json) as advance:
        flow.progress = advance
        yield


@contextlib.contextmanager
def bar(as_json: bool) -> Iterator[Advance]:
    """A function (step, done, total, text) that draws a bar per step on stderr; off a terminal it prints a line when a
    step begins and one per minute, and nothing with `--json`.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]{task.fields[step]:<9}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    if as_json:
        yield lambda step, done, total, text: None
        return
    if not console.is_terminal:
        with Lines(say) as lines:
            yield lines.advance
        return
    meters: dict[str, Meter] = {}
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as progress:

        def advance(step: str, done: int, total: int, text: str) -> None:
            if step not in tasks:
                for task in tasks.values():
                    progress.update(task, total=1, completed=1)
                tasks[step] = progress.add_task(text, total=None, step=step)
                meters[step] = Meter(step)
            meters[step].tell(done, total, text)
            progress.update(tasks[step], completed=done, total=total or None, description=escape(meters[step].text()))
            hint = meters[step].hint()
            if hint is not None:
                progress.console.print(hint, highlight=False, markup=False)

        yield advance
        for task in tasks.values():
            progress.update(task, total=1, completed=1)


def print_summary(flow: Flow, as_json: bool) -> None:
    """The numbers of the report, or, if the run did not come so far, what it did."""
    state = {"folder": str(flow.folder), "skipped": flow.skipped, "done": flow.done}
    path = flow.folder / "report" / "summary.json"
    page = flow.folder / "report" / "report.html"
    summary = json.loads(path.read_text(encoding="utf-8")) if "report" in (*flow.skipped, *flow.done) else None
    if as_json:
        print_json({**state, "report": str(page) if summary else None, "summary": summary})
        return
    if summary is None:
        print_table("steps", {"done": ", ".join(flow.done) or "none", "skipped": ", ".join(flow.skipped) or "none"})
        Console().print(f"Outputs: {flow.folder}", soft_wrap=True, highlight=False)
        return
    from spikeloom.sw.common.readable import decimal, number, percent, si, span
    from spikeloom.sw.datasets.image_set import images_in_words

    timed = summary["cycles"]["measured_on"]
    fewer = timed is not None and timed != summary["measured_on"]
    verilog = f", of the {timed['count']:,} through the Verilog" if fewer else ""
    rows = {
        "measured on": images_in_words(summary["measured_on"]),
        "accuracy, source network": percent(summary["accuracy"]["ann"]),
        "accuracy, integer reference": percent(summary["accuracy"]["reference"]),
        f"accuracy, Verilog{verilog}": percent(summary["accuracy"]["rtl"]),
        "through the Verilog": images_in_words(summary["bit_exact"]["measured_on"]),
        "values compared": number(summary["bit_exact"]["values_compared"]),
        "mismatches": number(summary["bit_exact"]["mismatches"]),
        **({} if summary["bit_exact"]["counts_compared"] is not False else {"activity counts": _NOT_COUNTED}),
        "steps, mean": decimal(summary["steps"]["mean"]),
        f"clock cycles, mean{verilog}": decimal(summary["cycles"]["mean"], 1),
        f"latency, mean{verilog}": si(summary["latency_s"]["mean"], "s"),
        f"energy, mean (modelled){verilog}": span(summary["energy_J"]["total"], "J"),
    }
    programming, bus = summary["programming"], summary["bit_exact"]["through_bus"]
    decision, tuning = summary["decision"], summary["tuning"]
    if decision is not None:
        rows["lead k, learned"] = "none: T_max" if decision["k"] is None else number(decision["k"])
    stopping = summary["stopping"]
    if stopping is not None:
        choice = stopping["choice"]
        threshold = "T_max" if choice["score"] is None else decimal(choice["score"])
        rows["rule, chosen"] = f"{choice['rule']} {threshold}, {number(choice['skip'])} periods skipped"
    if tuning is not None:
        rows["tuning, loss before and after"] = f"{tuning['before']['loss']:.4g}, {tuning['after']['loss']:.4g}"
    if programming is not None:
        fresh = " and drift" if CELLS[programming["cell"]].drifts else ""
        rows[f"accuracy, without fault-aware mapping{fresh}"] = percent(programming["accuracy"]["programmed"])
        rows["cells that failed"] = f"{number(programming['failed_cells'])} of {number(programming['cells'])}"
        rows["weights lost"] = number(programming["lost_pairs"])
        rows["programming, time (without the host)"] = si(programming["time_s"], "s")
        rows["programming, energy (modelled)"] = span(programming["energy_J"]["total"], "J")
    if summary["lifetime"] is not None:
        from spikeloom.sw.cli.lifetime_rows import lifetime_rows

        found = lifetime_rows(summary["lifetime"])
        rows |= {name: value for name, value in found.items() if name.startswith(("lifetime", "refresh"))}
    if bus is not None:
        rows["idle cycles between images, most"] = number(bus["gap_max"])
    if summary["diagnosis"] is not None:
        names = [finding["name"] for finding in summary["diagnosis"]["findings"]]
        rows["diagnosis"] = f"{', '.join(names)}: see the report" if names else "no findings"
    print_table(summary["name"], rows)
    Console().print(f"Report: {page}", soft_wrap=True, highlight=False)


def print_table(title: str, rows: dict[str, Any]) -> None:
    """Print a table of two columns, names and values."""
    table = Table(title=title, box=None, show_header=False, title_justify="left", title_style="bold")
    table.add_column(style="dim")
    table.add_column(justify="right", overflow="fold")
    for name, value in rows.items():
        table.add_row(name.replace("_", " "), f"{value:,.4g}" if isinstance(value, float) else escape(str(value)))
    Console().print(table)


def print_json(values: Any) -> None:
    """Print values as JSON; characters that standard output does not have are escapes, NaN and infinity are refused."""
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(values, indent=2, allow_nan=False)
    typer.echo(text)
