"""The tool chain with programs that do what the test says: seeds, missed clocks, designs that are too large."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.lib.wiring import In, Out, Signature

from spikeloom.hw.boards.boards import BOARDS
from spikeloom.hw.boards.project import Project, check_memories, project_of, unit_text
from spikeloom.hw.boards.steps import BitstreamError
from spikeloom.hw.boards.toolchain import TimingError, build, clock_below
from spikeloom.hw.errors import SpikeLoomError
from tests.hw.boards.fake_tools import FakeTools
from tests.hw.boards.stand_in import StandIn

HX8K = BOARDS["ice40-hx8k-evn"]


@pytest.fixture(scope="module")
def project() -> Project:
    return project_of(HX8K, HX8K.clock(), unit_text(StandIn(36)))


def test_files_and_options_are_those_of_the_platform(project: Project) -> None:
    name, text = project.constraints
    assert name == "top.pcf" and "set_io uart_0__rx__io B10" in text and "set_frequency clk12_0__io 12.0" in text
    assert project.place == ("--hx8k", "--package", "ct256") and project.pack == ()
    assert {"top.il", "top.ys", "spikeloom_board.sv"} <= project.sources.keys()
    assert "read_verilog -sv  spikeloom_board.sv" in project.sources["top.ys"]
    assert "SB_PLL40_CORE" in project.sources["top.il"] and "/" not in project.sources["top.il"].replace("//", "")
    again = project_of(HX8K, HX8K.clock(), unit_text(StandIn(36)))
    assert again.sources == project.sources, "the same design is the same text, and is not built again"


def test_what_is_simulated_is_what_is_synthesised(project: Project) -> None:
    for name, text in unit_text(StandIn(36)).items():
        assert project.sources[name] == text


@pytest.mark.parametrize(
    ("board", "clock_Hz", "pll"),
    [
        ("ulx3s-25f", None, "EHXPLLL"),
        ("icebreaker", None, "SB_PLL40_PAD"),
        ("ulx3s-45f", 25e6, ""),
        ("icebreaker", 12e6, ""),
    ],
)
def test_every_board_has_its_pll(board: str, clock_Hz: float | None, pll: str) -> None:
    chosen = BOARDS[board]
    made = project_of(chosen, chosen.clock(clock_Hz), unit_text(StandIn(9)))
    plls = set(re.findall(r"cell \\(EHXPLLL|SB_PLL40_\w+)", made.sources["top.il"]))
    assert plls == ({pll} if pll else set())
    pins = 6 if "ulx3s" in board else 5
    assert len(re.findall(r"LOCATE|set_io", made.constraints[1])) == pins


@pytest.mark.parametrize(
    ("board", "connected", "settings"),
    [
        (
            "ulx3s-85f",
            {"RST": "1'0", "STDBY": "1'0", "PHASEDIR": "1'1", "PHASESTEP": "1'1", "PHASELOADREG": "1'1"},
            {
                "CLKOP_DIV": "24", "CLKOS_DIV": "12", "CLKOP_CPHASE": "23", "CLKOS_CPHASE": "11",
                "FEEDBK_PATH": '"CLKOP"',
                "PLLRST_ENA": '"DISABLED"', "CLKOP_ENABLE": '"ENABLED"', "CLKOS_ENABLE": '"ENABLED"',
            },
        ),
        ("ice40-hx8k-evn", {"RESETB": "1'1", "BYPASS": "1'0"}, {"FEEDBACK_PATH": '"SIMPLE"', "FILTER_RANGE": "1"}),
        ("icebreaker", {"RESETB": "1'1", "BYPASS": "1'0"}, {"FEEDBACK_PATH": '"SIMPLE"', "FILTER_RANGE": "1"}),
    ],
)  # fmt: skip
def test_a_pll_runs(board: str, connected: dict[str, str], settings: dict[str, str]) -> None:
    """No simulation has a PLL: one that is held in reset would be a board that never answers."""
    made = project_of(BOARDS[board], BOARDS[board].clock(), unit_text(StandIn(9)))
    (text,) = re.findall(r"cell \\(?:EHXPLLL|SB_PLL40_\w+).*?\n  end\n", made.sources["top.il"], re.S)
    assert dict(re.findall(r"connect \\(\w+) (.*)", text)).items() >= connected.items()
    assert dict(re.findall(r"parameter \\(\w+) (.*)", text)).items() >= settings.items()
    feedback = re.findall(r"connect \\(?:CLKFB|CLKOP) (\S+)", text)
    assert len(feedback) == 2 * len(set(feedback)) == 2 * ("EHXPLLL" in text), (
        "the feedback is the output that FEEDBK_PATH names"
    )
    reset = made.sources["top.il"]
    assert r"connect \D { \locked [0] \pll_lock [0] }" in reset and "wire width 12 \\count\n" in reset, "4,096 cycles"
    assert {"LOCK"} <= set(re.findall(r"connect \\(\w+) \\pll_lock", text))


@pytest.mark.parametrize(
    ("board", "busy", "error"), [("ulx3s-85f", "B2", "C2"), ("ice40-hx8k-evn", "C3", "B3"), ("icebreaker", "37", "11")]
)
def test_lamps_are_at_the_pins_of_the_pages(board: str, busy: str, error: str) -> None:
    """D0 and D1 of a ULX3S, D2 and D3 of the HX8K board, green and red of an iCEBreaker."""
    made = project_of(BOARDS[board], BOARDS[board].clock(), unit_text(StandIn(9)))
    sites = re.findall(r'(?:set_io|LOCATE COMP) "?(\w+)"? (?:SITE )?"?(\w+)', made.constraints[1])
    for lamp, site in (("busy", busy), ("error", error)):
        (text,) = re.findall(rf"module \\top\.pad_{lamp}\n.*?\nend\n", made.sources["top.il"], re.S)
        (name,) = set(re.findall(r"wire width 1 (?:inout|output) \d+  \\(led\w+)", text))
        assert dict(sites)[name] == site


def test_the_esp32_of_a_ulx3s_is_kept_from_loading_the_fpga() -> None:
    made = project_of(BOARDS["ulx3s-85f"], BOARDS["ulx3s-85f"].clock(), unit_text(StandIn(9)))
    (text,) = re.findall(r"module \\top\.pad_esp32\n.*?\nend\n", made.sources["top.il"], re.S)
    assert re.search(r"cell \$xor .*?connect \\A 1'1\n\s+connect \\B 1'0\n", text, re.S), text


def test_a_unit_with_other_ports_is_refused() -> None:
    other: Any = SimpleNamespace(signature=Signature({"rx": In(1), "tx": Out(1)}))
    with pytest.raises(
        SpikeLoomError, match=r"A board's unit has the members rx .in., tx, busy and error .* not rx, tx$"
    ):
        unit_text(other)


def test_seeds_are_tried_until_the_clock_is_met(project: Project, tmp_path: Path) -> None:
    tools = FakeTools(tmp_path / "tools")
    tools.order(highest={"7": 30.0, "8": 35.9, "9": 36.0})
    built = build(project, tmp_path, seed=7, programs=tools.programs())
    assert tools.calls() == ["yosys", "nextpnr7", "nextpnr8", "nextpnr9", "packer"]
    assert built.placed.seed == 9 and [one.seed for one in built.tried] == [7, 8, 9]
    assert json.loads(json.loads(built.bitstream)["packed"]) == {"seed": "9"}
    assert set(built.seconds) == {"synthesise", "place", "pack"}
    again = build(project, tmp_path, seed=8, programs=tools.programs())
    assert tools.calls() == [] and again.bitstream == built.bitstream, "all of it had been done"


def test_a_missed_clock_names_figures_path_and_remedy(project: Project, tmp_path: Path) -> None:
    tools = FakeTools(tmp_path / "tools")
    tools.order(highest={"1": 30.0, "2": 33.0, "3": 20.0})
    with pytest.raises(TimingError) as error:
        build(project, tmp_path, tries=3, programs=tools.programs())
    assert str(error.value) == (
        "The clock of 36 MHz is not met: the best of 3 placements (seeds 1, 2, 3) reaches 33 MHz; its slowest path "
        "takes 7.5 ns, through receiver, sender; give a lower clock (--clock 31500000), or other seeds (--seed 4)"
    )
    assert error.value.highest_Hz == 33e6 and "packer" not in tools.calls()
    tools.order(highest={"1": 30.0, "4": 50.0})
    built = build(project, tmp_path, seed=4, tries=1, programs=tools.programs())
    assert tools.calls() == ["nextpnr4", "packer"] and built.synthesis.resumed


def test_the_clock_to_give_is_one_that_the_board_has() -> None:
    for highest in (13e6, 33e6, 47.77e6):
        lower = clock_below(HX8K, highest)
        assert lower is not None and 12e6 <= lower.Hz <= 0.99 * highest and HX8K.clock(lower.Hz) == lower
    assert clock_below(HX8K, 11e6) is None


def test_too_much_memory_is_refused_before_synthesis() -> None:
    check_memories(HX8K, StandIn(36, words=512 * 32))
    with pytest.raises(
        SpikeLoomError, match=r"^The design's memory, 131,080 bits, needs 33 block memories, and the board"
    ):
        check_memories(HX8K, StandIn(36, words=512 * 32 + 1))
    check_memories(BOARDS["ulx3s-25f"], StandIn(36, words=512 * 32 + 1))


def test_a_design_that_is_too_large_is_not_placed(project: Project, tmp_path: Path) -> None:
    tools = FakeTools(tmp_path / "tools")
    tools.order(cells={f"cell_{number}": {"type": "SB_RAM40_4K"} for number in range(33)})
    with pytest.raises(
        SpikeLoomError, match=r"^The design needs 33 block memories, and the board ice40-hx8k-evn has 32"
    ):
        build(project, tmp_path, programs=tools.programs())
    assert tools.calls() == ["yosys"]


def test_a_design_that_does_not_fit_once_packed(project: Project, tmp_path: Path) -> None:
    tools = FakeTools(tmp_path / "tools")
    says = "Info: Device utilisation:\nInfo:   SB_IO:  5/  206  2%\nInfo: \t  ICESTORM_LC:    7921/   7680   103%"
    tools.order(fails=["nextpnr"], says=says)
    words = r"^The design needs 7,921 logic cells once it is packed, and the board ice40-hx8k-evn has 7,680"
    with pytest.raises(SpikeLoomError, match=words) as error:
        build(project, tmp_path, programs=tools.programs())
    assert not isinstance(error.value, BitstreamError)


@pytest.mark.parametrize("program", ["yosys", "nextpnr", "packer"])
def test_a_program_that_fails_is_named_with_its_log(project: Project, tmp_path: Path, program: str) -> None:
    tools = FakeTools(tmp_path / "tools")
    tools.order(fails=[program])
    with pytest.raises(
        BitstreamError, match=f"^{program} could not .*: ERROR: this is too much ERROR: really .log: (.*)\\)$"
    ) as e:
        build(project, tmp_path, programs=tools.programs())
    log = re.search(r"log: (.*)\)$", str(e.value))
    assert log is not None and "and then some" in Path(log[1]).read_text()
    tools.order()
    before = tools.calls()
    build(project, tmp_path, programs=tools.programs())
    assert tools.calls()[0].startswith(program) and before, "what had ended well is not repeated"
