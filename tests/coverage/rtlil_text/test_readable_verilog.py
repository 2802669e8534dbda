"""Readable Verilog: plain names that stay apart, numbers by module, ports in order, local variables, comments."""

from __future__ import annotations

import re

import pytest

from tests.coverage.rtlil_text.readable_verilog import readable_modules


def only_module(text: str, **wanted) -> tuple[str, str]:
    """Name and text of the one module in a text."""
    (found,) = readable_modules(text, **wanted)
    return found


def test_names_stay_apart() -> None:
    text = (
        "module \\a.b (\\x.y , \\x_y , \\$1 );\n"
        "  input \\x.y ;\n  wire \\x.y ;\n  input \\x_y ;\n  wire \\x_y ;\n  input \\$1 ;\n  wire \\$1 ;\nendmodule\n"
    )
    name, module = only_module(text)
    assert name == "a_b"
    assert re.findall(r"wire (\w+)", module) == ["x_y", "x_y_", "n_1"]


def test_ports_keep_their_names_and_signals_inside_give_way() -> None:
    text = (
        "module m(n_1, q_s);\n  input n_1;\n  wire n_1;\n  input q_s;\n  wire q_s;\n"
        "  wire \\$7 ;\n  wire \\q.s ;\nendmodule\n"
    )
    _, module = only_module(text)
    assert re.findall(r"input +wire (\w+)", module) == ["n_1", "q_s"]
    assert re.findall(r"^  wire (\w+);", module, re.M) == ["n_1_", "q_s_"]


def test_numbers_count_from_one_in_every_module() -> None:
    module = "  wire \\$000031 ;\n  wire \\$000107 ;\n  assign \\$000031  = \\$000107 ;\nendmodule\n"
    found = dict(readable_modules(f"module a();\n{module}module b();\n{module}"))
    for text in found.values():
        assert "  wire n_1;\n  wire n_2;\n  assign n_1 = n_2;\n" in text


def test_keywords_get_an_underscore_and_are_no_ports() -> None:
    _, module = only_module("module m();\n  wire \\case ;\nendmodule\n")
    assert "wire case_;" in module
    with pytest.raises(ValueError, match=r"^Module m cannot have ports called case: Verilog keywords$"):
        only_module("module m(\\case );\n  input \\case ;\n  wire \\case ;\nendmodule\n", ports={"m": ("case",)})


def test_next_value_is_named_after_its_register() -> None:
    text = (
        "module m(clk);\n  input clk;\n  wire clk;\n  wire \\$1 ;\n  reg step;\n  reg \\$2 ;\n"
        "  assign \\$1  = 1'h0;\n  always_ff @(posedge clk)\n    step <= \\$1 ;\n"
        "  always_ff @(posedge clk)\n    \\$2  <= \\$3 ;\nendmodule\n"
    )
    _, module = only_module(text)
    assert "  always_ff @(posedge clk) begin\n    step <= step_next;\n    n_1 <= n_1_next;\n  end\n" in module


def test_ports_and_connections_are_in_the_given_order() -> None:
    text = (
        "module \\top.inner (b, clk);\n  input b;\n  wire b;\n  input clk;\n  wire clk;\nendmodule\n"
        "module top(clk);\n  input clk;\n  wire clk;\n"
        "  \\top.inner  inner (\n    .b(x[1:0]),\n    .clk(clk)\n  );\nendmodule\n"
    )
    found = dict(readable_modules(text, {"top.inner": ("clk", "b"), "top": ("clk",)}))
    assert re.findall(r"input +wire (\w+)", found["top_inner"]) == ["clk", "b"]
    assert "  top_inner inner (\n    .clk(clk),\n    .b(x[1:0])\n  );\n" in found["top"]


def test_comment_is_above_the_module_and_wrapped() -> None:
    _, module = only_module("module \\a.b ();\nendmodule\n", comments={"a.b": ("word " * 40, "Instance: a.b")})
    lines = module.splitlines()
    assert [line[:7] for line in lines[:5]] == ["// word", "// word", "// Inst", "`timesc", "module "]
    assert max(map(len, lines)) <= 120


def test_local_variables_hide_nothing() -> None:
    text = (
        "module m(value, q);\n  input value;\n  wire value;\n  output q;\n  reg q;\n"
        "  always_comb begin\n    q = 1'h0;\n    if (value) begin\n      q = value;\n    end\n  end\nendmodule\n"
    )
    _, module = only_module(text)
    block = module.split("always_comb")[1]
    assert re.findall(r"reg (\w+);", block) == ["value_"]
    assert re.findall(r"if \((\w+)\)|(\w+) = (.*);", block) == [
        ("", "value_", "1'h0"),
        ("value", "", ""),
        ("", "value_", "value"),
        ("", "q", "value_"),
    ]
