"""Memories of an elaborated design: what they are, and how large ones become black boxes.

A black box has the ports `clk`, `rd_en`, `rd_addr`, `rd_data`, `wr_en` (one bit for each part of a word that is
written separately), `wr_addr` and `wr_data`, each with all ports of its kind side by side, port 0 lowest. A clocked
read port takes its address where `rd_en` is high; what it reads of a word that is being written is not defined, unless
the name of the black box ends with `_old`: then it is the word before. Where the design needs the new word, a module
around the black box, of cells, keeps and forwards it. Beside the black box there are a model for simulators, and one
for timing in which memories take no time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

__all__ = ["Memory", "forwarding", "ideal_liberty", "models", "read_memories", "stubs", "with_black_boxes"]


@dataclass(frozen=True)
class Memory:
    """A memory of one module.

    Parameters
    ----------
    module, name : where it is, and its name there
    words, bits, address_bits : size
    clocked : for each read port whether it is clocked
    writes : number of write ports
    granule : bits that one bit of the write enable stands for
    collision : what clocked read ports see of a word that is being written: "new", "old", or "undefined"
    plain : "" or what keeps it from being a black box, in words
    apart : whether its module is made of flip-flops, and no black box
    """

    module: str
    name: str
    words: int
    bits: int
    address_bits: int
    clocked: tuple[bool, ...]
    writes: int
    granule: int
    collision: str
    plain: str = ""
    apart: bool = False

    @property
    def whole(self) -> tuple[str, str]:
        """Module and name of what it is a part of: a memory whose lanes are written separately is one for each lane."""
        return self.module, self.name.partition(".lanes[")[0]

    @property
    def size(self) -> int:
        """Bits in all."""
        return self.words * self.bits

    @property
    def black_box(self) -> str:
        """Name of the black box, or of the module in its place; memories of one shape share it."""
        reads = "".join("r" if clocked else "a" for clocked in self.clocked)
        parts = "" if self.granule == self.bits else f"_by_{self.granule}"
        old = "_old" if self.collision == "old" else ""
        return f"memory_{self.words}x{self.bits}_{reads}{self.writes}w{parts}{old}{'_cells' if self.apart else ''}"

    @property
    def cell(self) -> str:
        """Name of the module that stands for it: the black box, or the one around it."""
        return self.black_box + ("_forwarding" if self.collision == "new" else "")

    @property
    def ports(self) -> str:
        """Its ports in words."""
        kinds = [
            f"{count} {kind} read"
            for kind, count in (("clocked", sum(self.clocked)), ("unclocked", self.clocked.count(False)))
            if count
        ]
        collision = {"new": "sees what is written", "old": "sees the word before a write", "undefined": ""}[
            self.collision
        ]
        return ", ".join([*kinds, f"{self.writes} write", *([collision] if collision else [])])

    @property
    def pins(self) -> dict[str, tuple[str, int]]:
        """Port -> direction and width."""
        reads, writes, a = len(self.clocked), self.writes, self.address_bits
        return {
            "clk": ("input", 1),
            "rd_en": ("input", reads),
            "rd_addr": ("input", reads * a),
            "rd_data": ("output", reads * self.bits),
            "wr_en": ("input", writes * self.bits // self.granule),
            "wr_addr": ("input", writes * a),
            "wr_data": ("input", writes * self.bits),
        }


_MODULE = re.compile(r"^module \\(\S+)$", re.M)
_CELL = re.compile(r"^  cell \$mem_v2 (\S+)\n(.*?)^  end\n", re.M | re.S)
_PARAMETER = re.compile(r"^    parameter \\(\w+) (.+)$", re.M)
_CONNECT = re.compile(r"^    connect \\(\w+) (.+)$", re.M)


_SIGNAL = re.compile(r"[^\s{}]+(?: \[[\d:]+\])?")


def _enables(connection: str, bits: int, ports: int) -> tuple[int, str]:
    """Granule of a write enable that is a list of single bits, and the enable with a bit for each of them."""
    found = _SIGNAL.findall(connection)
    if len(found) != bits * ports:  # so many signals are single bits, whatever their names
        return 1, connection
    for parts in (n for n in range(1, bits + 1) if bits % n == 0):
        granule = bits // parts
        groups = [found[at : at + granule] for at in range(0, len(found), granule)]
        if all(len(set(group)) == 1 for group in groups):
            return granule, "{ " + " ".join(group[0] for group in groups) + " }"
    raise AssertionError("a granule of one bit always fits")


def _clocks(connections: dict[str, str]) -> set[str]:
    return {
        word for pin in ("RD_CLK", "WR_CLK") for word in connections[pin].split() if not re.match(r"[{}]|\d+'", word)
    }


def _bits(parameter: str) -> str:
    """Bits of a parameter, which RTLIL has as `2'01` or, where it fits, as a number."""
    return parameter.split("'")[-1]


def _memory(module: str, name: str, body: str) -> tuple[Memory, dict[str, str]]:
    parameters, connections = dict(_PARAMETER.findall(body)), dict(_CONNECT.findall(body))
    number = {key: int(parameters[key]) for key in ("WIDTH", "SIZE", "ABITS", "RD_PORTS", "WR_PORTS")}
    clocked = tuple(bit == "1" for bit in reversed(_bits(parameters["RD_CLK_ENABLE"])))[: number["RD_PORTS"]]
    writing = parameters["WR_CLK_ENABLE"]
    granule, connections["WR_EN"] = _enables(connections["WR_EN"], number["WIDTH"], number["WR_PORTS"])
    through, undefined = _bits(parameters["RD_TRANSPARENCY_MASK"]), _bits(parameters["RD_COLLISION_X_MASK"])
    old = any(clocked) and "0" in undefined
    collision = "new" if "1" in through else "old" if old else "undefined"
    reasons = {
        "it has a single word": number["SIZE"] == 1 or number["ABITS"] == 0,
        "it has initial values": "1" in _bits(parameters["INIT"]) or "0" in _bits(parameters["INIT"]),
        "some ports see what is being written, and some do not": collision == "new"
        and ("0" in through or number["WR_PORTS"] > 1),
        "ports are wider than words": "1"
        in _bits(parameters["RD_WIDE_CONTINUATION"] + parameters["WR_WIDE_CONTINUATION"]),
        "a read port has a reset": "1" in _bits(connections["RD_ARST"] + connections["RD_SRST"]),
        "it has no clock, or several": len(_clocks(connections)) != 1 or "0" in _bits(writing),
        "its addresses have an offset": parameters.get("OFFSET", "0") != "0",
    }
    plain = next((reason for reason, holds in reasons.items() if holds), "")
    sizes = (number["SIZE"], number["WIDTH"], number["ABITS"])
    memory = Memory(
        module,
        name.removeprefix("\\").removesuffix(".storage"),
        *sizes,
        clocked,
        number["WR_PORTS"],
        granule,
        collision,
        plain,
    )
    return memory, connections


def _replace(rtlil: str, take: Callable[[Memory, dict[str, str]], str | None]) -> str:
    """The design with the text that `take` gives in the place of each memory, or the memory itself for None."""
    starts = [(match.start(), match[1]) for match in _MODULE.finditer(rtlil)]

    def one(match: re.Match[str]) -> str:
        module = next(name for start, name in reversed(starts) if start < match.start())
        text = take(*_memory(module, match[1], match[2]))
        return match[0] if text is None else text

    return _CELL.sub(one, rtlil)


def read_memories(rtlil: str) -> list[Memory]:
    """Memories of a design as RTLIL text, in which each is one cell `$mem_v2`."""
    found: list[Memory] = []
    _replace(rtlil, lambda memory, _: found.append(memory))
    return found


def with_black_boxes(rtlil: str, chosen: Iterable[Memory]) -> str:
    """The design with black boxes for the memories `chosen`, or with modules of flip-flops for those `apart`."""
    taken = {replace(memory, apart=False): memory for memory in chosen}

    def cell(found: Memory, connections: dict[str, str]) -> str | None:
        memory = taken.get(found)
        if memory is None:
            return None
        own = {"clk": _clocks(connections).pop()}
        own |= {pin: connections[pin.upper()] for pin in memory.pins if pin != "clk"}
        lines = "".join(f"    connect \\{pin} {signal}\n" for pin, signal in own.items())
        return f"  cell \\{memory.cell} \\{memory.name}\n{lines}  end\n"

    return _replace(rtlil, cell)


def _shapes(chosen: Iterable[Memory]) -> dict[str, Memory]:
    return {memory.black_box: memory for memory in sorted(chosen, key=lambda memory: memory.black_box)}


def _header(name: str, memory: Memory) -> str:
    ports = ",\n".join(f"  {way} [{width - 1}:0] {pin}" for pin, (way, width) in memory.pins.items())
    return f"module {name} (\n{ports}\n);\n"


def stubs(chosen: Iterable[Memory]) -> str:
    """The black boxes as Verilog modules without content, and the modules around them."""
    taken = list(chosen)
    texts = [f"(* blackbox *)\n{_header(name, memory)}endmodule\n" for name, memory in _shapes(taken).items()]
    return "".join([*texts, forwarding(taken)])


def forwarding(chosen: Iterable[Memory]) -> str:
    """The modules around memories whose clocked read ports see what is being written, as Verilog."""
    around = {memory.cell: memory for memory in chosen if memory.collision == "new"}
    return "".join(_around(around[name]) for name in sorted(around))


def _around(memory: Memory) -> str:
    """A memory whose clocked read ports see what is being written: the word is kept, and read instead."""
    w, a, g = memory.bits, memory.address_bits, memory.granule
    parts = w // g
    lines = [f"  wire [{len(memory.clocked) * w - 1}:0] raw;"]
    pins = ", ".join(f".{pin}({'raw' if pin == 'rd_data' else pin})" for pin in memory.pins)
    lines.append(f"  {memory.black_box} words ({pins});")
    for port in range(len(memory.clocked)):
        lines += [
            f"  reg [{w - 1}:0] written_{port};",
            f"  reg [{parts - 1}:0] hit_{port};",
            f"  always @(posedge clk) if (rd_en[{port}]) begin",
            f"    written_{port} <= wr_data;",
            f"    hit_{port} <= rd_addr[{port * a} +: {a}] == wr_addr ? wr_en : {parts}'d0;",
            "  end",
            *(
                f"  assign rd_data[{port * w + part * g} +: {g}] = "
                f"hit_{port}[{part}] ? written_{port}[{part * g} +: {g}] : raw[{port * w + part * g} +: {g}];"
                for part in range(parts)
            ),
        ]
    return _header(memory.cell, memory) + "\n".join(lines) + "\nendmodule\n"


def models(chosen: Iterable[Memory], probe: str = "") -> str:
    """Models of the black boxes in Verilog, for simulators.

    probe : name of a vector that a model has then, of a bit for each clocked read port and each write port, port 0 of
        the reads lowest, which changes with every access
    """
    texts = []
    for name, memory in _shapes(chosen).items():
        w, a, g = memory.bits, memory.address_bits, memory.granule
        lines = [f"  reg [{w - 1}:0] words [0:{memory.words - 1}];", "  integer i;"]
        for port, clocked in enumerate(memory.clocked):
            word = f"words[rd_addr[{port * a} +: {a}]]"
            lines.append(f"  reg [{w - 1}:0] read_{port};" if clocked else f"  wire [{w - 1}:0] read_{port} = {word};")
            lines.append(f"  assign rd_data[{port * w} +: {w}] = read_{port};")
            if clocked:
                lines.append(f"  always @(posedge clk) if (rd_en[{port}]) read_{port} <= {word};")
        for port in range(memory.writes):
            lines += [
                "  always @(posedge clk)",
                f"    for (i = 0; i < {w // g}; i = i + 1)",
                f"      if (wr_en[{port * (w // g)} + i])",
                f"        words[wr_addr[{port * a} +: {a}]][{g} * i +: {g}] <= wr_data[{port * w} + {g} * i +: {g}];",
            ]
        if probe:
            lines += _accesses(memory, probe)
        texts.append(f"// {memory.words} words of {w} bits: {memory.ports}\n{_header(name, memory)}")
        texts.append("\n".join(lines) + "\nendmodule\n\n")
    return "".join(texts)


def _accesses(memory: Memory, probe: str) -> list[str]:
    parts = memory.bits // memory.granule
    ports = [f"rd_en[{port}]" for port, clocked in enumerate(memory.clocked) if clocked]
    ports += [f"(|wr_en[{port * parts} +: {parts}])" for port in range(memory.writes)]
    return [  # compared with ===, since an enable may be unknown before the reset
        f"  reg [{len(ports) - 1}:0] {probe} = 0;",
        *(
            f"  always @(posedge clk) if ({port} === 1'b1) {probe}[{index}] <= !{probe}[{index}];"
            for index, port in enumerate(ports)
        ),
    ]


def _table(names: tuple[str, ...]) -> str:
    return " ".join(f'{name} (scalar) {{ values ("0.0"); }}' for name in names)


_DELAY = _table(("cell_rise", "cell_fall", "rise_transition", "fall_transition"))
_CHECK = _table(("rise_constraint", "fall_constraint"))


def ideal_liberty(chosen: Iterable[Memory]) -> str:
    """A Liberty library of the black boxes for timing: no setup, no hold and no access time, no area, no load."""
    cells, widths = [], set()
    for name, memory in _shapes(chosen).items():
        pins = ["    pin (clk) { direction : input; clock : true; capacitance : 0.0; }"]
        for pin, (way, width) in memory.pins.items():
            if pin == "clk":
                continue
            widths.add(width)
            times = "".join(
                f'timing () {{ related_pin : "clk"; timing_type : {kind}_rising; {_CHECK} }} '
                for kind in ("setup", "hold")
            )
            if pin == "rd_addr" and not any(memory.clocked):
                times = ""
            if pin == "rd_data":
                kind = 'related_pin : "clk"; timing_type : rising_edge;'
                times = f"timing () {{ {kind} {_DELAY} }} " if any(memory.clocked) else ""
                if not all(memory.clocked):
                    times += f'timing () {{ related_pin : "rd_addr"; timing_sense : non_unate; {_DELAY} }} '
            load = "capacitance : 0.0; " if way == "input" else ""
            pins.append(f"    bus ({pin}) {{ bus_type : bits_{width}; direction : {way}; {load}{times}}}")
        cells.append(f"  cell ({name}) {{\n    area : 0.0;\n" + "\n".join(pins) + "\n  }\n")
    types = "".join(
        f"  type (bits_{width}) {{ base_type : array; data_type : bit; bit_width : {width}; bit_from : {width - 1}; "
        "bit_to : 0; downto : true; }\n"
        for width in sorted(widths)
    )
    thresholds = "".join(
        f"  {kind}_threshold_pct_{edge} : {value};\n"
        for kind, value in (("input", 50), ("output", 50), ("slew_lower", 20), ("slew_upper", 80))
        for edge in ("rise", "fall")
    )
    units = '  time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1mA"; capacitive_load_unit (1, pf);\n'
    return f"library (ideal_memories) {{\n  delay_model : table_lookup;\n{units}{thresholds}{types}{''.join(cells)}}}\n"
