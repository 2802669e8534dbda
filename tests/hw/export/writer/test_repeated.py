"""Loops in clocked processes: what becomes one, and what must not."""

from __future__ import annotations

from spikeloom.hw.export.writer.repeated import repeated


def process(*body: str) -> list[str]:
    return ["always_ff @(posedge clk) begin", *(f"  {line}" for line in body), "end"]


def rolled(*body: str) -> list[str]:
    """The body of a process, without its margin."""
    lines = list(repeated(process(*body), "n"))
    assert lines[0] == process()[0] and lines[-1] == "end"
    return [line.removeprefix("  ") for line in lines[1:-1]]


def test_parts_bits_and_constants_grow() -> None:
    body = [f"x[{4 * k + 3}:{4 * k}] <= y[{k + 2}] ? 8'd{2 * k + 1} : z[{5 * k + 9}:{5 * k + 8}];" for k in range(3)]
    assert rolled("a <= b;", *body, "c <= d;") == [
        "a <= b;",
        "for (int n = 0; n < 3; n = n + 1) begin",
        "  x[4 * n +: 4] <= y[n + 2] ? 8'(2 * n + 1) : z[5 * n + 8 +: 2];",
        "end",
        "c <= d;",
    ]


def test_blocks_are_one_statement() -> None:
    body = [line for k in range(4) for line in (f"if (on[{k}]) begin", f"  x[{k}] <= 1'b0;", "end")]
    assert rolled("case (s)", "  A: begin", *(f"    {line}" for line in body), "  end", "endcase") == [
        "case (s)",
        "  A: begin",
        "    for (int n = 0; n < 4; n = n + 1) begin",
        "      if (on[n]) begin",
        "        x[n] <= 1'b0;",
        "      end",
        "    end",
        "  end",
        "endcase",
    ]


def test_the_longest_even_run_is_taken() -> None:
    body = [f"x[{place}] <= y;" for place in (0, 1, 2, 3, 7)]
    assert rolled(*body) == ["for (int n = 0; n < 4; n = n + 1) begin", "  x[n] <= y;", "end", "x[7] <= y;"]


def test_what_does_not_grow_evenly_stays() -> None:
    for body in (
        ["x[0] <= y;", "x[1] <= y;"],  # two are no loop
        ["x[0] <= y;", "x[1] <= y;", "x[3] <= y;"],
        ["x[3:0] <= y;", "x[8:4] <= y;", "x[14:9] <= y;"],  # of several widths
        ["x[0] <= 1'(y);", "x[1] <= 2'(y);", "x[2] <= 3'(y);"],
        ["x_0 <= y;", "x_1 <= y;", "x_2 <= y;"],  # names
        ["// First.", "x[0] <= y;", "// Second.", "x[1] <= y;", "// Third.", "x[2] <= y;"],
        ["case (s)", *(f"  2'd{k}: begin" + f"\n    x[{k}] <= y;\n  end" for k in range(3)), "endcase"],
    ):
        lines = "\n".join(body).split("\n")
        assert rolled(*lines) == lines


def test_only_clocked_processes_have_loops() -> None:
    lines = ["always_comb begin", *(f"  x[{k}] = y;" for k in range(3)), "end", "assign x[0] = y;"]
    assert list(repeated(lines, "n")) == lines
