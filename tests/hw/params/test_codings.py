# amaranth: UnusedElaboratable=no
"""Input codings that an encoder is built for: which there may be, and chips that need another one."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from spikeloom.hw.encoder.encoder_pair import EncoderPair
from spikeloom.hw.encoder.single_encoder import SingleEncoder
from spikeloom.hw.encoder.spike_encoder import SpikeEncoder
from spikeloom.hw.export.axi_verilog import export_axi
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.host.build_id import build_id
from spikeloom.hw.host.encoder_registers import coding_word, codings_of
from spikeloom.hw.host.host_block import HostBlock
from spikeloom.hw.host.pixel_stream import PixelStream
from spikeloom.hw.host.register_map import host_map
from spikeloom.hw.interfaces.registers import encoder_registers, global_registers
from spikeloom.hw.npu import Npu
from spikeloom.hw.params.codings import CODINGS, Coding, built_codings, check_coding_built
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

SEEDS = {f"seed_{part}" for part in range(4)}
UNIT = NpuParameters(layers=(LayerParameters(inputs=5, outputs=2, lanes=2),), encoder_lanes=2)


@pytest.mark.parametrize(
    ("codings", "error", "message"),
    [
        ((), ValueError, "must name at least one of phase, rate, even, analog, each once and in this order, not none"),
        ((Coding.EVEN, Coding.PHASE), ValueError, "must name at least one of .*, not even, phase"),
        ((Coding.EVEN, Coding.EVEN), ValueError, "must name at least one of .*, not even, even"),
        ([Coding.EVEN], TypeError, "must be a tuple of codings, not "),
        ((2,), TypeError, r"must be a tuple of codings, not \(2,\)"),
    ],
)
def test_codings_are_checked(codings, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^NPU parameter codings {message}"):
        replace(UNIT, codings=codings)


@pytest.mark.parametrize("encoders", [0, 3, True, "2"])
def test_encoders_are_checked(encoders) -> None:
    with pytest.raises(ValueError, match=f"^NPU parameter encoders must be 1 or 2, not {encoders!r}$"):
        replace(UNIT, encoders=encoders)


@pytest.mark.parametrize(
    ("codings", "missing"),
    [
        (CODINGS.unit, set()),
        ((Coding.RATE, Coding.EVEN), set()),
        ((Coding.PHASE, Coding.ANALOG), {"even_start", *SEEDS}),
        ((Coding.EVEN,), {"coding", *SEEDS}),
        ((Coding.RATE,), {"coding", "even_start"}),
    ],
)
def test_registers_of_what_is_not_built_are_not_there(codings: tuple[Coding, ...], missing: set[str]) -> None:
    unit = replace(UNIT, codings=codings)
    whole = global_registers(UNIT)
    assert global_registers(unit) == tuple(register for register in whole if register.name not in missing)
    assert {register.name for register in encoder_registers(unit)} == {"coding", "even_start"} - missing
    (control,) = (entry.register for entry in host_map(unit) if entry.name == "control")
    has_seeds = "seeds" in {field.name for field in control.fields}
    assert has_seeds == unit.draws_seeds == (not SEEDS <= missing)
    assert {entry.name for entry in host_map(UNIT)} - {entry.name for entry in host_map(unit)} == missing


@pytest.mark.parametrize("encoders", [1, 2])
def test_seeds_are_there_with_rate_coding_only(encoders: int) -> None:
    """Ports of the unit, its encoders and the host's blocks, and the flip-flops of a seed in a frame."""
    whole = replace(UNIT, encoders=encoders)
    lean = replace(whole, codings=(Coding.EVEN,))
    for make in (Npu, EncoderPair, SingleEncoder, SpikeEncoder, HostBlock, PixelStream):
        gone = set(make(parameters=whole).signature.members) - set(make(parameters=lean).signature.members)
        assert gone - {"coding"} == {
            HostBlock: {"seed", "seeds"}, PixelStream: {"seed", "seeds", "default_seed"},
        }.get(make, {"seed"}), make  # fmt: skip
    assert "default_seed" not in export_axi(lean)["npu_axi_pixels.sv"]
    modules = [re.sub("//.*", "", text) for name, text in export_verilog(lean).items() if name.endswith(".sv")]
    assert modules and not re.search(r"\bseed", "".join(modules))


def test_the_word_gives_the_codings_back() -> None:
    for word in range(1, 16):
        codings = codings_of(word)
        assert coding_word(codings) == word and codings == tuple(kind for kind in CODINGS.unit if kind in codings)
        (entry,) = (e for e in host_map(replace(UNIT, codings=codings)) if e.name == "codings")
        assert entry.init == word
    with pytest.raises(ValueError, match=r"^Bits 0 \.\. 3 of codings have a meaning, not 0x10$"):
        codings_of(16)


def test_builds_have_numbers_of_their_own() -> None:
    units = [replace(UNIT, codings=codings_of(word), encoders=n) for word in range(1, 16) for n in (1, 2)]
    assert len({build_id(unit) for unit in units}) == 30


def test_a_chip_needs_its_coding() -> None:
    check_coding_built(Coding.EVEN, (Coding.RATE, Coding.EVEN))
    with pytest.raises(ValueError, match="coding must be rate or even, not phase, since its encoder is built without"):
        check_coding_built(Coding.PHASE, (Coding.RATE, Coding.EVEN))
    assert built_codings(Coding.RATE) == (Coding.RATE,)
