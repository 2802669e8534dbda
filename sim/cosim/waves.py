"""A GTKWave save file with the chip's signals in groups."""

from __future__ import annotations

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.host.register_map import ADDRESS_BITS
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["check_folder", "gtkw_text", "wave_file"]


def check_folder(waves: bool, folder: object) -> None:
    """Raise `ValueError` for waves without a folder that stays."""
    if waves and folder is None:
        raise SpikeLoomError("Waves need a folder: give folder=..., since a temporary one is removed")


def wave_file(simulator: str) -> str:
    """Name of the dump: cocotb has Verilator write VCD, and Icarus FST."""
    return "waves.fst" if simulator == "icarus" else "waves.vcd"


def gtkw_text(parameters: NpuParameters, dump: str = "waves.vcd", through_bus: bool = False) -> str:
    """Save file for a dump: host side, decision, and for every layer its drive, conversion, and neurons.

    `through_bus` is for the bench of the chip with host buses, whose channels come first.
    """
    chip = "bench.chip"
    unit = f"{chip}.npu_axi.npu" if through_bus else f"{chip}.npu"
    fields = (
        ("winner", parameters.class_bits),
        ("steps", parameters.step_bits),
        ("margin", parameters.margin_bits),
        ("reason", 1),
    )
    answer = [_bus(f"{unit}.controller.result__payload_{name}", bits) for name, bits in fields]
    step = f"bench.step[{parameters.step_bits - 1}:0]"
    groups: list[tuple[str, list[str]]] = [
        ("Image and step", ["bench.clk", "bench.rst", "bench.image[31:0]", step]),
        ("Pixels", ["bench.pixels_valid", "bench.pixels_ready"]),
        ("Result", ["bench.result_valid", "bench.result_ready", *answer]),
    ]
    if through_bus:
        writes = ["bench.awvalid", "bench.awready", "bench.wvalid", "bench.wready", "bench.wdata[31:0]"]
        reads = ["bench.arvalid", "bench.arready", "bench.rvalid", "bench.rready", "bench.rdata[31:0]"]
        address = f"bench.address[{ADDRESS_BITS - 1}:0]"
        groups[1:1] = [("Host bus: writes", [address, *writes]), ("Host bus: reads", reads)]
    else:
        groups[2][1].append("bench.cycles[31:0]")
    for index, layer in enumerate(parameters.layers):
        macro = f"{chip}.macro_{index}"
        groups += [
            (f"Layer {index}: drive", [f"{macro}.drive", _bus(f"{macro}.tiles", layer.row_tiles), f"{macro}.sampled"]),
            (
                f"Layer {index}: conversion",
                [_bus(f"{macro}.column", layer.group_bits), f"{macro}.convert", f"{macro}.done"],
            ),
            (
                f"Layer {index}: neurons",
                [
                    f"{unit}.layer_{index}.neuron_array.o__valid",
                    f"{unit}.layer_{index}.neuron_array.o__ready",
                    _bus(f"bench.fired_spikes_{index}", layer.groups * layer.lanes),
                ],
            ),
        ]
    lines = [f'[dumpfile] "{dump}"', "[timestart] 0"]
    for title, names in groups:
        lines += ["@200", f"-{title}"]
        for name in names:
            lines += [_format(name), name]
    return "\n".join(lines) + "\n"


def _bus(name: str, bits: int) -> str:
    return f"{name}[{bits - 1}:0]" if bits > 1 else name


def _format(name: str) -> str:
    """GTKWave's flags: numbers in decimal (the margin with its sign), vectors in hexadecimal, single bits in binary."""
    kind = name.split("[")[0].rpartition(".")[2]
    if kind == "result__payload_margin":
        return "@420"
    if kind in ("image", "step", "cycles", "result__payload_winner", "result__payload_steps"):
        return "@24"
    return "@22" if "[" in name else "@28"
