"""Programs of a tool chain that do nothing but what a test says: each call is a line in a file."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from spikeloom.hw.boards.programs import Program, Programs

CELLS = {"cell": {"type": "SB_LUT4"}}
PLACED = {
    "unit.receiver.left_SB_DFF_Q": {"type": "ICESTORM_LC", "parameters": {"DFF_ENABLE": "1"}},
    "unit.sender.busy_SB_LUT4_O": {"type": "ICESTORM_LC", "parameters": {}},
    "unit.sender.words.storage.0.0_RAM": {"type": "ICESTORM_RAM", "parameters": {}},
}


class FakeTools:
    """Programs, and what they do.

    folder : for their calls and their orders
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self.order()

    def order(self, **orders: Any) -> None:
        """What to do from now on: `highest`, MHz by seed; `cells`, of Yosys' netlist; `fails`, `waits`, names of
        programs; `leaves`, files that are not written.
        """
        (self._folder / "orders.json").write_text(json.dumps(orders))

    def programs(self, version: str = "1") -> Programs:
        """The programs."""
        command = (sys.executable, __file__, str(self._folder))
        return Programs(*(Program(name, (*command, name), version) for name in ("yosys", "nextpnr", "packer")))

    def calls(self) -> list[str]:
        """Names of the programs that were called, since the last time."""
        path = self._folder / "calls"
        lines = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


def play(folder: Path, program: str, arguments: list[str]) -> int:
    """One call."""
    orders = json.loads((folder / "orders.json").read_text())
    seed = arguments[arguments.index("--seed") + 1] if "--seed" in arguments else ""
    with (folder / "calls").open("a") as file:
        file.write(f"{program}{seed}\n")
    print("Info: Packing constants..", flush=True)
    while program in orders.get("waits", ()):
        time.sleep(0.01)
    results: dict[str, Any] = {}
    if program == "yosys":
        text = Path("top.il").read_text()
        results["top.json"] = {"modules": {"top": {"cells": orders.get("cells", CELLS)}}, "of": text}
    elif program == "nextpnr":
        results["report.json"] = report(orders.get("highest", {}).get(seed, 100.0))
        results["placed.json"] = {"modules": {"top": {"cells": PLACED, "ports": {}}}}
        results["top.asc"] = {"seed": seed}
    else:
        results[arguments[-1]] = {"packed": Path(arguments[-2]).read_text()}
    for name, content in results.items():
        if name not in orders.get("leaves", ()):
            Path(name).write_text(json.dumps(content))
    if program in orders.get("fails", ()):
        print(orders.get("says", ""), flush=True)
        print("ERROR: this is too much\nERROR: really\nand then some", flush=True)
        return 1
    return 0


def report(highest_MHz: float) -> dict[str, Any]:
    """A report of nextpnr with one path, from a receiver to a sender."""
    names = ("unit.receiver.left_SB_DFF_Q", "unit.sender.bits_SB_LUT4_O", "unit.sender.busy_SB_DFF_Q")
    kinds = ("clk-to-q", "logic", "setup")
    path = [{"delay": 2.5, "type": kind, "to": {"cell": name}} for name, kind in zip(names, kinds, strict=True)]
    return {
        "fmax": {"board_clock": {"achieved": highest_MHz, "constraint": 36.0}},
        "critical_paths": [
            {"from": "posedge board_clock", "to": "posedge board_clock", "path": path},
            {"from": "<async>", "to": "posedge board_clock", "path": [{**path[0], "delay": 99.0}]},
        ],
    }


if __name__ == "__main__":
    sys.exit(play(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
