# amaranth: UnusedElaboratable=no
"""SDC of an exported unit."""

from __future__ import annotations

import re

from spikeloom.hw.export.constraints import sdc
from spikeloom.hw.export.verilog import ports
from spikeloom.hw.npu import Npu
from tests.hw.test_npu import unit


def test_the_clock_and_every_port_are_constrained() -> None:
    found = ports(Npu(parameters=unit()))
    text = sdc(found, 8e7, "npu")
    assert "set period_ns 12.5\n" in text and "create_clock -name clk -period $period_ns [get_ports clk]\n" in text
    lists = dict(re.findall(r"^set_(\w+)_delay \S+ -clock clk \[get_ports \{\n(.*?)\n\}\]$", text, re.M | re.S))
    assert set(lists) == {"input", "output"}
    for direction, body in lists.items():
        names = body.split()
        wanted = [port for port in found if port["direction"] == direction and port["name"] != "clk"]
        assert names == [f"{{{p['name']}[*]}}" if p["width"] > 1 else p["name"] for p in wanted]
    assert "set_false_path" not in text and "set_multicycle_path" not in text
