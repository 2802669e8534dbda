"""A pulse on a tantalum-oxide cell in plain Python: the driver's voltage by search, the trajectory knot by knot.

The times from knot to knot are data here; `tests/sim/devices/tantalum/test_write_driver.py` checks them against
integrals.
"""

from __future__ import annotations

import functools
import math

from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.devices.tantalum.write_driver import AIM, KNOTS, STEPS, write_driver

GM, A, B = 0.025, 7.2e-6, 4.7


class PlainOxide:
    """Cells of a device under pulses of a length."""

    def __init__(self, device: Device, pulse_s: float) -> None:
        self.device = device
        driver = write_driver(device, pulse_s)
        self.times, self.bends = driver.times, driver.bends
        self.low = self.off(device.v_read_V)
        self.setting = functools.cache(self._setting)

    @staticmethod
    def off(v: float) -> float:
        return A * math.exp(B * math.sqrt(v))

    def state(self, g: float) -> float:
        return min(max((g - self.low) / (GM - self.low), 0.0), 1.0)

    def state_of(self, code: int) -> float:
        return self.state(self.device.g_min_S + code / 8 * self.device.step_S)

    def walk(self, u: float, pulses: float, direction: int, setting: int) -> tuple[float, float]:
        """Where u is after so many pulses, and the sum of time times mean u."""
        times, bends = self.times[direction, setting].tolist(), self.bends[direction, setting].tolist()
        knot, total = min(int(u * KNOTS), KNOTS - 1), 0.0
        bend = bends[knot]
        x = u * KNOTS - knot
        gone = math.expm1(bend * x) / math.expm1(bend) if abs(bend) > 1e-9 else x
        while u < 1.0:
            rest = (1.0 - gone) * times[knot]
            if rest > pulses:
                share, bend = gone + pulses / times[knot], bends[knot]
                x = math.log1p(share * math.expm1(bend)) / bend if abs(bend) > 1e-9 else share
                end = min(max((knot + x) / KNOTS, u), (knot + 1) / KNOTS)
                return end, total + pulses * 0.5 * (u + end)
            pulses -= rest
            total += rest * 0.5 * (u + (knot + 1) / KNOTS)
            u, gone, knot = (knot + 1) / KNOTS, 0.0, knot + 1
        return 1.0, total + pulses

    def _setting(self, code: int, goal: int) -> int:
        """The lowest voltage from a code's state to another's, or the highest."""
        start, end = self.state_of(code), self.state_of(goal)
        if start == end:
            return 0
        direction = 0 if end > start else 1
        u, wanted = (start, end) if direction == 0 else (1.0 - start, 1.0 - end)
        low, high = 0, STEPS  # a higher voltage goes further
        while high - low > 1:
            middle = (low + high) // 2
            if self.walk(u, AIM[direction], direction, middle)[0] >= wanted:
                high = middle
            else:
                low = middle
        return high

    def pulse(self, g: float, code: int, up: bool, amplitude: int, stretch: float) -> tuple[float, int]:
        """The conductance afterwards, and the load."""
        goal = max(code + amplitude if up else code - amplitude, 0)
        setting = self.setting(code, min(goal, 1023))
        w = mean = self.state(g)
        if setting and stretch > 0.0:
            u = w if up else 1.0 - w
            end, total = self.walk(u, stretch, 0 if up else 1, setting)
            if end > u:
                sign = 1.0 if up else -1.0
                after = min(max(w + sign * (end - u), 0.0), 1.0)
                mean = min(max(w + sign * (total / stretch - u), 0.0), 1.0)
                g = after * GM + (1.0 - after) * self.low
        share = setting / STEPS
        off = self.off(setting * (self.device.v_program_V / STEPS))
        return g, round(share * share * (mean * GM + (1.0 - mean) * off) / self.device.step_S * 1024)
