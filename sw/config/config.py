"""One configuration per run: read from TOML, validated as a whole, frozen.

`Config.load` takes a preset's name, a TOML file, a dictionary or a `Config`. Every mistake becomes one sentence, and
all of them are reported together in one `ConfigError`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ValidationError, model_validator

from spikeloom.hw.boards.boards import BOARDS
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.hw.params.stage_kinds import STAGES
from spikeloom.sim.chip.parameters import DEVICE_GROUPS
from spikeloom.sim.common.slips import said_before
from spikeloom.sim.common.units import Table
from spikeloom.sw.common.errors import ArgumentTypeError, ConfigError, SpikeLoomError, warn
from spikeloom.sw.common.files import as_path, reason
from spikeloom.sw.config.messages import nearest_name, sentences
from spikeloom.sw.config.rules import broken_rules, unused_fields
from spikeloom.sw.config.tables import Tables
from spikeloom.sw.datasets.datasets import DATA_SETS

__all__ = ["CONFIG_GROUPS", "PRESETS", "Config", "preset_path"]

_PRESET_FOLDER = Path(__file__).parent / "presets"
PRESETS = tuple(sorted(path.stem for path in _PRESET_FOLDER.glob("*.toml")))
"""Names of the configurations that come with the program."""
CONFIG_GROUPS = (*DEVICE_GROUPS, CODINGS.group, DECISION_RULES.group, STAGES.group, DATA_SETS.group, BOARDS.group)
"""Groups of entry points (`hw.params.plugins`) that add kinds which a configuration names. They are loaded before one
is checked: within the check of a table, pydantic would wrap the sentence on a package that is broken, and a reader of
files would take it for damage of the file.
"""


@contextmanager
def _checked(source: str) -> Iterator[None]:
    """Around a check by pydantic: packages are loaded before it, and its errors are those of `source` in sentences."""
    load_plugins(*CONFIG_GROUPS)
    try:
        yield
    except ValidationError as error:
        raise ConfigError(source, sentences(error, Config.model_fields)) from None


class Config(Tables):
    """A run, from the data set to the simulator."""

    def __init__(self, **tables: Any) -> None:
        """Raises `ConfigError`, in the sentences of `load`, and not pydantic's `ValidationError`."""
        with _checked("configuration"):
            super().__init__(**tables)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # else pydantic calls it within its own checks

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """As pydantic's, but for the errors, which are those of `load`."""
        with _checked("configuration"):
            return super().model_validate(obj, **options)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """As `model_validate`."""
        with _checked("configuration"):
            return super().model_validate_json(json_data, **options)

    @model_validator(mode="after")
    def _cross_check(self) -> Config:
        """Everything that concerns more than one field (`sw.config.rules`); each broken rule is a line of the error."""
        problems = broken_rules(self)
        if problems:
            raise SpikeLoomError("\n".join(problems))
        return self

    @classmethod
    def load(cls, source: Config | Mapping[str, Any] | str | os.PathLike[str]) -> Config:
        """The configuration a preset's name, a TOML file or a dictionary stands for.

        A file or dictionary with a key `preset` is that preset with changes. A `Config` is checked again, since
        pydantic's `model_copy(update=...)` and `model_construct` check nothing.

        Raises `ConfigError` for a file that does not exist or is not TOML, an unknown key (naming the nearest valid
        one), a value out of range or values that do not go together; the sentence names the source. Warns about a file
        that sets nothing.
        """
        if isinstance(source, Config):
            with said_before(_warned(source)):
                checked = cls.validated(_plain(source), "configuration")
            return source if repr(checked) == repr(source) else checked
        if isinstance(source, Mapping):
            return cls.validated(source, "configuration")
        if not isinstance(source, str | os.PathLike):
            raise ArgumentTypeError(
                "A configuration must be a preset's name, a TOML file, a dictionary or a Config, "
                f"not {type(source).__name__}"
            )
        given = as_path(source, "configuration")
        path = preset_path(source) if isinstance(source, str) and source in PRESETS else given
        if path.suffix == ".loom":
            raise ConfigError(str(source), [_missing(str(source))])
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise ConfigError(str(source), [_missing(str(source))]) from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(str(source), [f"not a TOML file: {error}"]) from None
        except UnicodeDecodeError as error:
            raise ConfigError(str(source), [f"not a TOML file: byte {error.start} is not UTF-8 text"]) from None
        except ValueError as error:  # a whole number of thousands of digits
            raise ConfigError(str(source), [f"a value cannot be read: {error}"]) from None
        except RecursionError:
            raise ConfigError(str(source), ["not a TOML file: its values are nested too deep"]) from None
        except OSError as error:
            raise ConfigError(str(source), [f"cannot be read: {reason(error)}"]) from None
        config = cls.validated(values, str(source))
        if not any(values.values()) and all(isinstance(value, dict) for value in values.values()):
            warn(_sets_nothing(str(source), config))
        return config

    @classmethod
    def validated(cls, values: Mapping[str, Any], source: str) -> Self:
        """A `Config` of plain values; mistakes are reported as those of `source`.

        With a key `preset`, the values are changes of that preset.
        """
        bad = next((key for key in values if not isinstance(key, str)), None)
        if bad is not None:
            raise ConfigError(source, [f"a key must be a text, not {bad!r}"])
        with _checked(source):
            return super().model_validate(_on_preset(values, source))

    @classmethod
    def unchecked(cls, values: Mapping[str, Any]) -> Config:
        """A `Config` whose tables are checked each, and not against one another; what is missing is at its default."""
        load_plugins(*CONFIG_GROUPS)
        tables: dict[str, Any] = dict(values)
        for name, field in cls.model_fields.items():
            kind: Any = field.annotation
            if name in tables and isinstance(kind, type) and issubclass(kind, BaseModel):
                tables[name] = kind.model_validate(_plain(tables[name]))
        return cls.model_construct(**tables)

    @classmethod
    def recorded(cls, values: Mapping[str, Any], source: str) -> Config:
        """The configuration in a file of an earlier version, with defaults for fields that do nothing in it, which were
        not refused then. Raises `ConfigError` as `validated` does.
        """
        try:
            given = cls.unchecked(values)
            unused = unused_fields(given)
        except ValidationError:
            return cls.validated(values, source)  # which says what is wrong
        tables = {name: dict(table) if isinstance(table, Mapping) else table for name, table in values.items()}
        for name in unused:
            table, _, key = name.partition(".")
            if isinstance(tables.get(table), dict):
                tables[table].pop(key, None)
        with said_before(_warned(given)):
            return cls.validated(tables, source)

    def updated(
        self, changes: Mapping[str, Any] | None = None, source: str = "changed configuration", **keywords: Any
    ) -> Config:
        """A copy with some values changed, such as {"decision": {"k": 3}}, validated as a whole again.

        Mistakes are reported as those of `source`. There are no other keywords: `TypeError` says how to write them.
        """
        if keywords:
            name, value = next(iter(keywords.items()))
            inside = "{...}" if isinstance(value, Mapping) else "..."
            raise ArgumentTypeError(
                f'changes must be given as a dictionary, updated({{"{name}": {inside}}}), not as keywords'
            )
        if not isinstance(changes, Mapping):
            raise ArgumentTypeError(
                f'changes must be a dictionary such as {{"device": {{"bits": 3}}}}, not {type(changes).__name__}'
            )
        if "preset" in changes:
            raise ConfigError(source, ["preset must be given where a configuration begins, not as a change of one"])
        with said_before(_warned(self)):
            return self.validated(_merged(_plain(self), changes), source)


def _plain(value: Any) -> Any:
    """The values of a configuration as they are, unknown ones included, whether or not they were ever checked."""
    if isinstance(value, BaseModel):
        return {key: _plain(each) for key, each in (vars(value) | (value.model_extra or {})).items()}
    return value


def _warned(config: Config) -> list[str]:
    """What was said of the values of a configuration when they were checked."""
    return [sentence for table in vars(config).values() if isinstance(table, Table) for sentence in table.warned]


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Values with changes, table by table."""
    merged = dict(values)
    for key, value in changes.items():
        before = merged.get(key)
        value = _plain(value)
        merged[key] = {**before, **value} if isinstance(value, Mapping) and isinstance(before, dict) else value
    return merged


def _on_preset(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Plain values, put on those of the preset that they name."""
    changes = {key: _plain(value) for key, value in values.items() if key != "preset"}
    if "preset" not in values:
        return changes
    name = values["preset"]
    if name not in PRESETS:
        nearest = nearest_name(name, PRESETS) if isinstance(name, str) else None
        hint = f"; did you mean '{nearest}'?" if nearest else ""
        raise ConfigError(source, [f"preset must be one of {', '.join(PRESETS)}, not {name!r}{hint}"])
    text = preset_path(name).read_text(encoding="utf-8")
    return _merged(tomllib.loads(text), changes)


def preset_path(name: str) -> Path:
    """The file of a preset. Raises `ConfigError` for a name that is not in `PRESETS`."""
    if name not in PRESETS:
        raise ConfigError(name, [_missing(name)])
    return _PRESET_FOLDER / f"{name}.toml"


def _sets_nothing(source: str, config: Config) -> str:
    layers, presets = " and ".join(str(size) for size in config.train.hidden), ", ".join(PRESETS)
    return (
        f"'{source}' sets nothing, so that every value is the default one: a run is of data set '{config.data.set}' "
        f"and a network with hidden layers of {layers} neurons; set something in it, or name a preset ({presets})"
    )


def _missing(name: str) -> str:
    if name.endswith(".loom"):
        return "a weight image cannot stand in a configuration's place; give a preset or a TOML file"
    nearest = nearest_name(name, PRESETS)
    hint = f"; did you mean the preset '{nearest}'?" if nearest else ""
    return f"there is no such file, and the presets are {', '.join(PRESETS)}{hint}"
