"""`--set TABLE.KEY=VALUE`: single values of a configuration from the command line, as in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from spikeloom.sim.common.units import fields_of
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config

__all__ = ["changed", "check_set_once", "check_settings", "fixed", "idle_in_compile", "parse_settings", "setting_names"]

_SOURCE = "--set"


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Changes for `Config.updated`, such as {"device": {"bits": 3}}, of texts such as "device.bits=3".

    A value that is not TOML is taken as a text, so that `coding.input=rate` needs no quotation marks.

    Raises `ConfigError` for a text of another form, and for a key that is set twice.
    """
    changes: dict[str, Any] = {}
    for text in settings:
        key, sign, value = text.partition("=")
        parts = key.strip().split(".")
        if not sign or not all(parts) or len(parts) > 2:
            raise ConfigError(
                _SOURCE, [f"a setting must be TABLE.KEY=VALUE, such as device.bits=3, or KEY=VALUE, not '{text}'"]
            )
        home = changes.setdefault(parts[0], {}) if len(parts) == 2 else changes
        if not isinstance(home, dict) or parts[-1] in home:
            raise ConfigError(_SOURCE, [f"{key.strip()} is set twice"])
        home[parts[-1]] = _value(value.strip())
    return changes


def changed(config: Config, settings: Sequence[str] | None, unused: Sequence[str] = (), what: str = "") -> Config:
    """The configuration with the settings of the command line.

    Parameters
    ----------
    unused : tables, or keys such as "data.set", that the command does not use, so that setting them has no effect
    what : what does not use them, for the sentence

    Raises `ConfigError` for settings that are not valid or not used; what is not known is named with the nearest.
    """
    if not settings:
        return config
    check_settings(settings, unused, what)
    return config.updated(parse_settings(settings), _SOURCE)


def check_settings(settings: Sequence[str] | None, unused: Sequence[str], what: str) -> None:
    """Raise `ConfigError` for settings of tables or keys that are `unused`; `what` says by what, a clause."""
    names = setting_names(settings)
    what = what if ";" in what else f"{what}; leave it out"
    problems = [
        f"{name} would have no effect: {what}" for name in names if {name, name.partition(".")[0]} & set(unused)
    ]
    if problems:
        raise ConfigError(_SOURCE, problems)


def check_set_once(
    settings: Sequence[str] | None, table: str, options: Mapping[str, Any], named: Mapping[str, str] | None = None
) -> None:
    """Raise `ConfigError` for settings of a table that options of their own give too.

    options : the key's name, which is that of the option with "-" for "_": value; None where it is not given
    named : the key's name: option, for those with another name
    """
    given = {
        f"{table}.{name}": (named or {}).get(name, f"--{name.replace('_', '-')}")
        for name, value in options.items()
        if value is not None
    }
    problems = [
        f"{name} is given by {given[name]} too; leave one of them out"
        for name in setting_names(settings)
        if name in given
    ]
    if problems:
        raise ConfigError(_SOURCE, problems)


_OF_RUNS: Mapping[str, tuple[str, ...]] = {"data": (), "train": (), "nir": (), "cosim": ("images", "trace_images")}
"""Tables, all of their keys or these, that say which network and images a run takes, and nothing about a chip."""
_FEW = 3


def idle_in_compile(values: Mapping[str, Any]) -> str | None:
    """A sentence on keys of a configuration, given to `spikeloom.compile` as a dictionary, that do nothing there or in
    what a chip does, since model and images are given; None where all are used.
    """
    named = []
    for table, some in _OF_RUNS.items():
        keys = values.get(table)
        names = list(keys) if isinstance(keys, Mapping) else []
        names = sorted(keys.model_fields_set) if isinstance(keys, BaseModel) else names
        names = [name for name in names if name in some] if some else names
        if names:
            named.append(f"[{table}] {', '.join(names)}" if len(names) <= _FEW else f"[{table}]")
    if not named:
        return None
    cosim = named[-1].startswith("[cosim]")
    given = ["spikeloom.compile is given the network and the images"] if len(named) > cosim else []
    given += ["chip.cosim is given the images that it runs, and what to trace"] if cosim else []
    run = "a run (`spikeloom run`)" + (" or `spikeloom cosim`" if cosim else "")
    return (
        f"The dictionary's {' and '.join(named)} would have no effect: {', and '.join(given)}, and these keys are for "
        f"{run}; leave them out, or give spikeloom.Config.load(...) of the dictionary if it is a run's"
    )


def setting_names(settings: Sequence[str] | None) -> list[str]:
    """Keys of the settings, such as "device.bits"."""
    changes = parse_settings(settings or ())
    return [f"{table}.{key}" for table, keys in changes.items() if isinstance(keys, dict) for key in keys]


def fixed(before: Config, after: Config) -> list[str]:
    """Fields such as "device.bits" in which two configurations differ and that a finished chip does not go by: all but
    those of [cosim], [lifetime] and [board], and `data.test_limit`.
    """
    names = []
    for table in Config.model_fields:
        one, other = getattr(before, table), getattr(after, table)
        if not isinstance(one, BaseModel):
            names += [table] if one != other else []
        elif table not in ("cosim", "lifetime", "board"):
            keys = [key for key in fields_of(type(one)) if getattr(one, key) != getattr(other, key)]
            names += [f"{table}.{key}" for key in keys]
    return [name for name in names if name != "data.test_limit"]


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # no TOML, a number of thousands of digits, lists in lists in lists
        return text
    return parsed["value"] if list(parsed) == ["value"] else text
