"""Conditions of every cell in a netlist by OpenSTA: slews at its pins, the energy of its load, and its leakage.

OpenSTA 2.0.17 takes no activities of single nets: its own propagation replaces what `set_power_activity -pins` sets
(`search/Power.cc`). So it is asked for what does not depend on activity, and energies are summed up here.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spikeloom.hw.export.processes import run as run_program
from spikeloom.hw.export.yosys import SynthesisError
from spikeloom.hw.standard_cells.timing import find_opensta

__all__ = ["Conditions", "cell_conditions"]

_SCRIPT = """\
set sta_report_default_digits 6
{libraries}
read_verilog netlist.v
link_design {top}
set_cmd_units -time ns
read_sdc constraints.sdc
{corner}
set_power_activity -global -activity 1 -duty 0.5
set cells [get_cells -hierarchical *]
report_power -instances $cells -digits 6 > power.txt
proc slew {{pin names}} {{
  foreach name $names {{
    if {{ ![catch {{get_property $pin $name}} found] }} {{ return $found }}
  }}
  error "OpenSTA has no slews of pins"
}}
set file [open slews.txt w]
foreach cell $cells {{
  foreach pin [get_pins -of_objects $cell] {{
    if {{ [get_property $pin direction] == "input" }} {{
      set rise [slew $pin {{actual_rise_transition_max actual_max_rise_slew actual_rise_slew}}]
      set fall [slew $pin {{actual_fall_transition_max actual_max_fall_slew actual_fall_slew}}]
      puts $file "$rise $fall [get_full_name $pin]"
    }}
  }}
}}
close $file
"""
_POWER = re.compile(r"^\s*(-?[\d.]+e[-+]\d+)\s+(-?[\d.]+e[-+]\d+)\s+(-?[\d.]+e[-+]\d+)\s+\S+\s+(\S+)\s*$", re.M)


@dataclass(frozen=True)
class Conditions:
    """Of cells by their paths, such as "layer_0/neuron_array/_12_", and of their input pins, the pin's name behind.

    Parameters
    ----------
    slew_ns : mean of the rising and the falling edge at an input pin
    load_J : energy of one transition of all outputs, of what they charge: C V^2 / 2
    leakage_W : of a cell
    """

    slew_ns: dict[str, float]
    load_J: dict[str, float]
    leakage_W: dict[str, float]


def cell_conditions(
    netlist: str, top: str, libraries: Mapping[str, str], sdc: str, clock_Hz: float, corner: str = ""
) -> Conditions:
    """Ask OpenSTA; parameters as for `hw.standard_cells.timing.time_netlist`, clock_Hz as in the constraints.

    Raises `SynthesisError` where OpenSTA is missing, or does not take one of them.
    """
    place = find_opensta()
    if place is None:
        raise SynthesisError(
            "Energies of switching need OpenSTA (program sta; Debian: apt-get install opensta), which is not installed"
        )
    script = _SCRIPT.format(
        libraries="\n".join(f"read_liberty {name}" for name in libraries),
        top=top,
        corner=f"set_operating_conditions {{{corner}}}" if corner else "",
    )
    with tempfile.TemporaryDirectory(prefix="conditions-") as name:
        folder = Path(name)
        contents = {**libraries, "netlist.v": netlist, "constraints.sdc": sdc, "conditions.tcl": script}
        for file, text in contents.items():
            (folder / file).write_text(text, encoding="latin-1")
        done = run_program([place, "-no_splash", "-exit", "conditions.tcl"], cwd=folder)
        log = done.stdout + done.stderr
        errors = [line for line in log.splitlines() if line.startswith("Error")]
        if errors or done.returncode or not (folder / "slews.txt").exists():
            what = errors[0] if errors else (log.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise SynthesisError(f"OpenSTA could not give the conditions of the cells: {what}")
        power = (folder / "power.txt").read_text(encoding="latin-1")
        slews = (folder / "slews.txt").read_text(encoding="latin-1")
    slew_ns = {}
    for line in slews.replace("\\", "").splitlines():
        rise, fall, pin = line.split(" ", 2)
        slew_ns[pin] = (float(rise) + float(fall)) / 2.0
    load_J, leakage_W = {}, {}
    for _, switching, leakage, cell in _POWER.findall(power.replace("\\", "")):
        load_J[cell] = float(switching) / clock_Hz
        leakage_W[cell] = float(leakage)
    return Conditions(slew_ns, load_J, leakage_W)
