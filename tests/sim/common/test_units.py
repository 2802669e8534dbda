"""Units of configuration fields: percent, MHz and the like are refused or cause a warning, with what is meant."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from pydantic import BaseModel

from spikeloom.sim.chip.device_config import Device, Interval
from spikeloom.sim.common.slips import SpikeLoomWarning
from spikeloom.sim.common.units import Table, unit_of
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import PRESETS, Config

SLIPS = [
    ("device", "stuck_on", 1.0, "usual values are 0 .. 0.5; 0.01 is 1 %"),
    ("device", "stuck_off", 0.9, "usual values are 0 .. 0.5; 0.009 is 0.9 %"),
    ("device", "device_sigma", 1.0, "usual values are 0 .. 0.5; 0.01 is 1 %"),
    ("device", "g_max_S", 10.0, "usual values are 1e-12 .. 0.1 siemens; 1e-05 is 10 uS"),
    ("device", "v_read_V", 200.0, "usual values are 0.001 .. 5 volts; 0.2 is 200 mV"),
    ("device", "wire_ohm", 1e6, "usual values are 0.0001 .. 10000 ohm; 1000 is 1e+06 mOhm"),
    ("energy", "adc_J_per_conversion", 2.0, "usual values are 1e-21 .. 1e-06 joules; 2e-12 is 2 pJ"),
    ("hardware", "clock_Hz", 100.0, "usual values are 10000 .. 1e+11 hertz; 1e+08 is 100 MHz"),
    ("hardware", "clock_Hz", 1e-9, "usual values are 10000 .. 1e+11 hertz"),
]
REFUSED = [
    ("device", "device_sigma", 5, "at most 1.0, not 5: 0.05 is 5 %"),
    ("device", "program_sigma", 10.0, "at most 1.0, not 10.0: 0.1 is 10 %"),
    ("device", "stuck_on", 2, "at most 1.0, not 2: 0.02 is 2 %"),
    ("device", "stuck_on", 200, "at most 1.0, not 200: it is a fraction, 0.05 is 5 %"),
    ("train", "dropout", 10, "below 1.0, not 10: 0.1 is 10 %"),
    ("learning", "discount", 90, "at most 1.0, not 90: 0.9 is 90 %"),
    ("decision", "allowed_loss", 1.5, "at most 1.0, not 1.5: 0.015 is 1.5 %"),
    ("tuning", "accuracy_drop", 2, "at most 1.0, not 2: 0.02 is 2 %"),
    ("lifetime", "threshold", 85.0, "at most 1.0, not 85.0: 0.85 is 85 %"),
    ("lifetime", "tolerance", 2, "below 1.0, not 2: 0.02 is 2 %"),
]


@pytest.mark.parametrize(("table", "name", "value", "text"), SLIPS)
def test_a_legal_slip_is_a_warning_at_the_users_line(table: str, name: str, value: float, text: str) -> None:
    with pytest.warns(SpikeLoomWarning) as seen:
        Config.load({table: {name: value}})
    assert [str(item.message) for item in seen] == [f"[{table}] {name} is {value!r}: {text}"]
    assert seen[0].filename == __file__


@pytest.mark.parametrize("name", ["pulse_cycles", "settle_cycles", "program_cycles"])
def test_a_pulse_that_no_cell_bears_is_warned_of(name: str) -> None:
    with pytest.warns(SpikeLoomWarning) as seen:
        Config.load({"programming": {"method": "write-verify"}, "hardware": {name: 50_000, "clock_Hz": 5e4}})
    assert f"[hardware] {name} is 50000, 1 s at clock_Hz 50000: usual are 1e-11 .. 0.0001 seconds" in [
        str(item.message) for item in seen
    ]


@pytest.mark.parametrize(("table", "name", "value", "text"), REFUSED)
def test_percent_for_a_fraction_are_refused_with_the_remedy(table: str, name: str, value: float, text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Config.load({table: {name: value}})
    assert str(raised.value) == f"configuration: [{table}] {name} must be {text}"


def test_devices_and_changed_configurations_are_checked_too() -> None:
    for make in (lambda: Device(stuck_on=1.0), lambda: Config.load("tiny").updated({"device": {"stuck_on": 1.0}}),
                 lambda: Config(device=Device(stuck_on=1.0))):  # fmt: skip
        with pytest.warns(SpikeLoomWarning, match=r"^\[device\] stuck_on is 1.0: ") as seen:
            make()
        assert len(seen) == 1 and seen[0].filename == __file__


def test_presets_and_defaults_are_free_of_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Config.validated(Config().model_dump(), "defaults")
        for name in PRESETS:
            Config.load(name)


def _tables() -> dict[str, Any]:
    return {
        name: field.annotation
        for name, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def test_every_field_that_names_a_unit_bears_one() -> None:
    """Fields whose names end in a unit, and those said to be fractions, shares or relative; [convert] has its own."""
    endings = ("_S", "_V", "_s", "_Hz", "_ohm", "_J", "_sigma", "_per_conversion", "_per_pulse", "_per_bit")
    rates = {"images_per_s"}  # images per second: no two units are in use
    for table, kind in _tables().items():
        assert issubclass(kind, Table)
        for name, field in kind.model_fields.items():
            described = (field.description or "").endswith("fraction") or "share of" in (field.description or "")
            if field.annotation in (float, Interval) and table != "convert" and name not in rates:
                assert (unit_of(field) is not None) or not (name.endswith(endings) or described), f"{table}.{name}"
            unit = unit_of(field)
            if unit is not None:
                for value in field.default if isinstance(field.default, tuple) else (field.default,):
                    assert value == 0.0 or unit.low <= value <= unit.high, f"{table}.{name}"
                assert unit.slip(0.0) is None and unit.slip(unit.low) is None and unit.slip(unit.high) is None
