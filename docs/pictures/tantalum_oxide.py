"""Writes tantalum-oxide.svg beside this file: `python -m docs.pictures.tantalum_oxide`.

Left and middle: conductances of 16 levels under read pulses of either sign at the real rate, against the number of
pulses; dots are direct integration. Right: where one programming pulse takes each state.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import matplotlib
import numpy as np
from scipy.integrate import solve_ivp

from spikeloom.sim.devices.tantalum.age_curve import AgeCurve, ReadPulse
from spikeloom.sim.devices.tantalum.oxide import TantalumOxide, level_conductances
from spikeloom.sim.devices.tantalum.pulse import pulse
from spikeloom.sw.report.plots.style import BLUE, GREY, INK, ORANGE, STYLE, new_figure

__all__ = ["PICTURE", "picture"]

PICTURE = Path(__file__).with_name("tantalum-oxide.svg")
V_READ, T_PULSE = 0.2, 1e-8


def picture() -> str:
    """The picture as SVG text; the same bytes for the same numbers, and no addresses in it."""
    device = TantalumOxide()
    levels = level_conductances(float(device.off_conductance_S(V_READ)), device.gm_S)
    with matplotlib.rc_context(STYLE):
        figure, ((up, down, program),) = new_figure(11.0, 3.6, 1, 3)
        for axes, v in ((up, V_READ), (down, -V_READ)):
            _drift(axes, device, device.state(levels, V_READ), v)
        _programming(program, device)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.S)
    text = text.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "").replace("xlink:href", "href")
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def _drift(axes, device, states, v) -> None:  # type: ignore[no-untyped-def]
    """Levels against pulses, as lines from the age curve and dots from direct integration."""
    curve = AgeCurve(device, ReadPulse(v, T_PULSE))
    pulses = np.logspace(7, 17, 121).astype(np.int64)
    aged = curve.aged(states[:, None], curve.locate(states)[:, None], pulses)
    dots = np.logspace(8, 16, 9)
    for q, state in enumerate(states):
        axes.semilogx(pulses, device.conductance_S(aged[q], V_READ) * 1e3, color=BLUE if q % 5 else INK, lw=1.1)
        integral = solve_ivp(
            lambda _, w: device.rate_per_s(np.clip(w, 0.0, 1.0), v),
            (0.0, dots[-1] * T_PULSE), [state], "LSODA", dots * T_PULSE, rtol=1e-9, atol=1e-12,
        )  # fmt: skip
        axes.semilogx(dots, device.conductance_S(integral.y[0], V_READ) * 1e3, ".", color=ORANGE, ms=4)
    axes.set(xlabel="read pulses of 10 ns", title=f"Reads at {v:+.1f} V", ylim=(0, 25.5), xlim=(1e7, 1e17))
    axes.set_ylabel("conductance at 0.2 V, mS")


def _programming(axes, device) -> None:  # type: ignore[no-untyped-def]
    """State after one pulse of 100 ns against the state before."""
    w = np.linspace(0.0, 1.0, 401)
    axes.plot(w, w, color=GREY, lw=0.8, ls="--")
    for volts in (0.45, 0.5, 0.55, 0.6, 0.65):
        for up, colour in ((True, BLUE), (False, ORANGE)):
            after = pulse(device, w, up, volts)
            axes.plot(w, after, color=colour, lw=1.1)
    labels = (
        *(
            (0.30, 0.5, True, (0, 5), "right"),
            (0.36, 0.55, True, (0, 3), "center"),
            (0.36, 0.6, True, (0, 3), "center"),
        ),
        *((0.36, 0.65, True, (0, 3), "center"), (0.99, 0.5, False, (0, -27), "right")),
        (0.9, 0.55, False, (0, 4), "center"),
    )
    for x, volts, up, offset, side in labels:
        y = float(pulse(device, x, up, volts))
        text = f"{volts if up else -volts:+.2f} V"
        axes.annotate(text, (x, y), offset, textcoords="offset points", fontsize=7.5, ha=side)
    axes.set(xlabel="w before", ylabel="w after", title="One pulse of 100 ns", xlim=(0, 1), ylim=(0, 1.03))


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
