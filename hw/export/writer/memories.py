"""Memories: a module per kind, which a memory compiler's macro can replace, and its instances.

A kind is what ports there are and how they read. Width, depth and the bits per write enable are parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spikeloom.hw.export.amaranth_internals import MemoryPort

__all__ = ["MemoryKind", "kind_of"]


@dataclass(frozen=True)
class MemoryKind:
    """Ports of a memory.

    Attributes
    ----------
    reads : per read port, whether it is clocked, and the write ports whose words it gives while they are written
    writes : number of write ports
    by_lane : words are written in parts
    """

    reads: tuple[tuple[bool, tuple[int, ...]], ...]
    writes: int
    by_lane: bool

    @property
    def name(self) -> str:
        """Last part of the module's name, such as `memory_1w1r_new`."""
        clocked = sum(clocked for clocked, _ in self.reads)
        name = f"memory_{self.writes}w{clocked}r"
        if clocked < len(self.reads):
            name += f"{len(self.reads) - clocked}a"
        if any(transparent for _, transparent in self.reads):
            name += "_new"
        return f"{name}_lanes" if self.by_lane else name

    def ports(self) -> Iterator[tuple[str, str, str]]:
        """(direction, width, name) of every port."""
        yield "input", "", "clk"
        for number in range(self.writes):
            end = self._end(number, self.writes)
            yield "input", "[WIDTH / LANE_BITS - 1:0] " if self.by_lane else "", f"write{end}_enable"
            yield "input", "[ADDRESS_BITS - 1:0] ", f"write{end}_address"
            yield "input", "[WIDTH - 1:0] ", f"write{end}_data"
        for number, (clocked, _) in enumerate(self.reads):
            end = self._end(number, len(self.reads))
            if clocked:
                yield "input", "", f"read{end}_enable"
            yield "input", "[ADDRESS_BITS - 1:0] ", f"read{end}_address"
            yield "output", "[WIDTH - 1:0] ", f"read{end}_data"

    def _end(self, number: int, count: int) -> str:
        return f"_{number}" if count > 1 else ""

    def summary(self) -> list[str]:
        """What the module is, a sentence a line."""
        lines = ["Memory that a memory compiler's macro can replace: ports, and a behavioural body."]
        if self.by_lane:
            lines.append("Every LANE_BITS bits of a word have a write enable of their own.")
        for number, (clocked, transparent) in enumerate(self.reads):
            end = self._end(number, len(self.reads))
            if not clocked:
                lines.append(f"read{end}_data follows read{end}_address without a clock.")
            elif transparent:
                lines.append(
                    f"read{end}_data is the word at a clock edge with read{end}_enable, and the new one if it is "
                    "written at that edge; it stays until the next read."
                )
            else:
                lines.append(
                    f"read{end}_data is the word before a clock edge with read{end}_enable; it stays until the next "
                    "read."
                )
        return lines

    def text(self, name: str) -> Iterator[str]:
        """Lines of the module, from `module` on."""
        yield f"module {name} #("
        yield "    parameter WIDTH = 1,"
        yield "    parameter DEPTH = 2,"
        yield "    parameter ADDRESS_BITS = 1" + ("," if self.by_lane else "")
        if self.by_lane:
            yield "    parameter LANE_BITS = 1"
        yield ") ("
        ports = list(self.ports())
        for number, (direction, bits, port) in enumerate(ports):
            yield f"    {direction:6} wire {bits}{port}" + ("," if number + 1 < len(ports) else "")
        yield ");"
        if self.by_lane:
            yield "  genvar lane;"
            yield "  for (lane = 0; lane < WIDTH / LANE_BITS; lane = lane + 1) begin : lanes"
            yield from (f"  {line}" for line in self._body("LANE_BITS", "[lane]", "[LANE_BITS * lane +: LANE_BITS]"))
            yield "  end"
        else:
            yield from self._body("WIDTH", "", "")
        yield "endmodule"

    def _body(self, width: str, lane: str, part: str) -> Iterator[str]:
        """Words of so many bits, with the lane's bit of every write enable and its part of every word."""
        yield f"  reg [{width} - 1:0] storage [0:DEPTH - 1];"
        for number, (clocked, _) in enumerate(self.reads):
            if clocked:
                yield f"  reg [{width} - 1:0] fetched{self._end(number, len(self.reads))};"
        yield "  always_ff @(posedge clk) begin"
        for number in range(self.writes):
            end = self._end(number, self.writes)
            yield f"    if (write{end}_enable{lane}) begin"
            yield f"      storage[write{end}_address] <= write{end}_data{part};"
            yield "    end"
        yield "  end"
        for number, (clocked, transparent) in enumerate(self.reads):
            end = self._end(number, len(self.reads))
            if not clocked:
                yield f"  assign read{end}_data{part} = storage[read{end}_address];"
                continue
            yield "  always_ff @(posedge clk) begin"
            yield f"    if (read{end}_enable) begin"
            yield f"      fetched{end} <= storage[read{end}_address];"
            for write in transparent:
                fresh = self._end(write, self.writes)
                yield f"      if (write{fresh}_enable{lane} && write{fresh}_address == read{end}_address) begin"
                yield f"        fetched{end} <= write{fresh}_data{part};"
                yield "      end"
            yield "    end"
            yield "  end"
            yield f"  assign read{end}_data{part} = fetched{end};"


def kind_of(reads: Sequence[MemoryPort], writes: Sequence[MemoryPort]) -> MemoryKind:
    """The kind of a memory with these ports.

    Raises
    ------
    ValueError : write ports that write different parts of a word
    """
    lanes = {port.granularity for port in writes}
    if len(lanes) > 1:
        raise ValueError("Write ports of a memory must all have the same granularity")
    by_lane = any(len(port.enable) > 1 for port in writes)
    return MemoryKind(tuple((port.clocked, port.transparent_for) for port in reads), len(writes), by_lane)
