"""A crossbar in plain logic and block RAM."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, flipped

from spikeloom.hw.emulator.cell_memory import BLOCK_BITS, CellMemory
from spikeloom.hw.emulator.cell_pulses import CellPulses
from spikeloom.hw.emulator.column_sums import ColumnSums
from spikeloom.hw.emulator.emulator_registers import EmulatorRegisters
from spikeloom.hw.emulator.read_words import ReadWords
from spikeloom.hw.emulator.row_list import RowList
from spikeloom.hw.emulator.shape import FACTOR_BITS, EmulatorShape
from spikeloom.hw.interfaces.crossbar_port import CrossbarSignature
from spikeloom.hw.interfaces.emulator_port import EmulatorBusSignature
from spikeloom.hw.params.parameters import LayerParameters

__all__ = ["CrossbarEmulator"]


class CrossbarEmulator(wiring.Component):
    """A macro behind the crossbar port, the same as `sim.crossbar` to the bit.

    Parameters
    ----------
    parameters : LayerParameters of the layer
    rows_per_cycle, levels, weight_bits, gain, noise : of `EmulatorShape`
    block_bits : bits of a block of memory, a power of two: 2^14 (ECP5), 2^12 (iCE40)

    Members
    -------
    crossbar : In(CrossbarSignature), the macro's side
    reset : In(1), forgets a read, a conversion and an operation that are going on; the cells stay, and the gain
    load : In(EmulatorBusSignature), the address map (`hw.emulator.cell_words`)
    image : In(16), lower half of the image's number, and read : In(32), number of the read: both looked at in the
        first cycle of `drive`; only with noise, which they address

    Cells are loaded while nothing is read; a conversion meanwhile gives other codes, and nothing worse.

    Cycles
    ------
    See `RowList`, `ColumnSums` and `CellPulses`; `hw.emulator.cycles` computes them.
    """

    def __init__(
        self,
        *,
        parameters: LayerParameters,
        rows_per_cycle: int = 1,
        levels: int = 16,
        weight_bits: int | None = None,
        gain: int | None = None,
        noise: int = 0,
        block_bits: int = BLOCK_BITS,
    ) -> None:
        self._shape = EmulatorShape(
            parameters=parameters, rows_per_cycle=rows_per_cycle, levels=levels, weight_bits=weight_bits, gain=gain,
            noise=noise,
        )  # fmt: skip
        self._block_bits = block_bits
        super().__init__(
            {
                "crossbar": In(CrossbarSignature(parameters)),
                "reset": In(1),
                "load": In(EmulatorBusSignature()),
                **({"image": In(16), "read": In(32)} if noise else {}),
            }
        )

    @property
    def shape(self) -> EmulatorShape:
        """Structure."""
        return self._shape

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        shape, port = self._shape, self.crossbar
        m.submodules.row_list = rows = RowList(shape=shape)
        m.submodules.column_sums = columns = ColumnSums(shape=shape)
        m.submodules.registers = registers = EmulatorRegisters(shape=shape)
        m.submodules.cells = cells = CellMemory(
            depth=shape.depth, cells=shape.cells, bits=shape.cell_bits, block_bits=self._block_bits
        )
        wiring.connect(m, flipped(self.load), registers.bus)
        m.d.comb += [
            rows.rows.eq(port.rows),
            rows.drive.eq(port.drive),
            rows.clear.eq(self.reset),
            rows.address.eq(columns.entry_address),
            columns.column.eq(port.column),
            columns.convert.eq(port.convert),
            Value.cast(port.codes).eq(Value.cast(columns.codes)),
            port.over.eq(columns.over),
            port.done.eq(columns.done),
            columns.begins.eq(rows.begins),
            columns.clear.eq(self.reset),
            columns.count.eq(rows.count),
            columns.entry.eq(rows.entry),
            columns.cells.eq(cells.data),
        ]
        if shape.gain is None:
            m.d.comb += columns.gain.eq(registers.gain)
        if shape.noise:
            self._draw(m, registers, rows, columns)
        else:
            m.d.comb += port.sampled.eq(rows.sampled)
        if shape.programmer:
            self._program(m, registers, cells, columns)
        else:
            m.d.comb += cells.address.eq(columns.address)
            self._load(m, registers, cells)
        return m

    def _draw(self, m: Module, registers: EmulatorRegisters, rows: RowList, columns: ColumnSums) -> None:
        """The random words of a read, without which it is not sampled."""
        m.submodules.read_words = words = ReadWords()
        m.d.comb += [
            words.start.eq(rows.begins),
            words.image.eq(Cat(self.image, registers.image_high)),
            words.read.eq(self.read),
            words.key_0.eq(registers.key_0),
            words.key_1.eq(registers.key_1),
            columns.word_0.eq(words.word_0),
            columns.word_1.eq(words.word_1),
            self.crossbar.sampled.eq(rows.sampled & words.ready),
        ]

    def _program(self, m: Module, registers: EmulatorRegisters, cells: CellMemory, columns: ColumnSums) -> None:
        """Pulses, verify reads, and the host's reads and writes of single cells."""
        shape, port = self._shape, self.crossbar
        pulses = CellPulses(shape=shape)
        m.submodules.pulses = ResetInserter(self.reset)(pulses)
        m.submodules.factors = factors = CellMemory(
            depth=shape.depth, cells=shape.cells, bits=FACTOR_BITS, block_bits=self._block_bits
        )
        m.d.comb += [
            pulses.wanted.eq(port.program_cell),
            port.program_done.eq(pulses.done),
            Value.cast(port.program_codes).eq(Value.cast(pulses.codes)),
            *(
                Value.cast(getattr(pulses.operation, name)).eq(Value.cast(getattr(port, f"program_{name}")))
                for name in pulses.operation.shape().members
            ),
            pulses.free.eq(~(port.drive | port.sampled | port.convert)),
            pulses.pointer.eq(registers.pointer),
            pulses.place.eq(registers.place),
            pulses.store.eq(registers.store),
            pulses.fetch.eq(registers.fetch),
            pulses.stored.eq(self.load.data),
            registers.taken.eq(pulses.taken),
            registers.fetched.eq(pulses.fetched),
            cells.address.eq(Mux(pulses.uses, pulses.address, columns.address)),
            cells.reads.eq(~pulses.writes),
            cells.write_address.eq(pulses.address),
            cells.write_cells.eq(pulses.write_cells),
            cells.write_data.eq(pulses.conductance.replicate(shape.cells)),
            pulses.conductances.eq(cells.data),
            factors.reads.eq(~pulses.writes),
            factors.address.eq(pulses.address),
            factors.write_address.eq(pulses.address),
            factors.write_cells.eq(pulses.write_factors),
            factors.write_data.eq(pulses.factor.replicate(shape.cells)),
            pulses.factors.eq(factors.data),
        ]

    def _load(self, m: Module, registers: EmulatorRegisters, cells: CellMemory) -> None:
        """Write the cells of a host's word in the cycle after it was asked for."""
        shape = self._shape
        bits = shape.cell_bits
        enables = Signal(shape.load_words)
        address = Signal.like(cells.write_address, name="address")
        reads = Signal(init=1)
        data = Signal(32, reset_less=True)
        m.d.sync += [
            reads.eq(~registers.store),
            data.eq(self.load.data),
            address.eq(registers.pointer),
            *(enables[n].eq(registers.store & (registers.place == n)) for n in range(shape.load_words)),
        ]
        numbers = [
            data[16 * n : 16 * n + bits] if shape.load_cells > 1 else data[:bits] for n in range(shape.load_cells)
        ]
        m.d.comb += [
            cells.reads.eq(reads),
            cells.write_address.eq(address),
            cells.write_cells.eq(Cat(enables[n // shape.load_cells] for n in range(shape.cells))),
            cells.write_data.eq(Cat(numbers[n % shape.load_cells] for n in range(shape.cells))),
        ]
