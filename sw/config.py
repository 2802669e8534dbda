"""One configuration a run: read from TOML, validated as a whole, frozen.

`Config.load` takes a preset's name, a TOML file, a dictionary or a `Config`. Every mistake becomes one sentence, and
all of them are reported together in one `ConfigError`.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sim.config import Device, Energy
from sw.errors import ConfigError
from sw.sections import (
    CodingSection,
    ConvertSection,
    CosimSection,
    CrossbarSection,
    DataSection,
    DecisionSection,
    HardwareSection,
    NeuronSection,
    TrainSection,
)

__all__ = ["PRESETS", "Config", "preset_path"]

_PRESET_FOLDER = Path(__file__).parent / "presets"
PRESETS = tuple(sorted(path.stem for path in _PRESET_FOLDER.glob("*.toml")))
"""Names of the configurations that come with the program."""


class Config(BaseModel):
    """A run, from the data set to the simulator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$", description="name of the run")
    ] = "run"
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="seed of every random draw, no unit")] = 0
    data: DataSection = DataSection()
    train: TrainSection = TrainSection()
    convert: ConvertSection = ConvertSection()
    coding: CodingSection = CodingSection()
    neuron: NeuronSection = NeuronSection()
    decision: DecisionSection = DecisionSection()
    crossbar: CrossbarSection = CrossbarSection()
    device: Device = Device()
    energy: Energy = Energy()
    hardware: HardwareSection = HardwareSection()
    cosim: CosimSection = CosimSection()

    @model_validator(mode="after")
    def _cross_check(self) -> Config:
        """Everything that concerns more than one field; each broken rule is a line of the error."""
        problems = []
        d, c, t = self.decision, self.coding, self.train
        if d.skip * c.phases >= d.t_max:
            problems.append(
                f"[decision] t_max must be above skip * phases ({d.skip} * {c.phases} = {d.skip * c.phases}), "
                f"or the output layer never runs, not {d.t_max}"
            )
        if d.readout == "spikes" and d.k != round(d.k):
            problems.append(f"[decision] k must be a whole number of spikes with readout 'spikes', not {d.k!r}")
        if d.readout == "spikes" and d.rule == "winner_k" and d.k > d.t_max << (c.phases - 1):
            problems.append(
                f"[decision] k must be at most t_max * 2^(phases - 1) = {d.t_max << (c.phases - 1)} spikes, "
                f"the largest count there can be, not {d.k!r}"
            )
        if d.readout == "membrane" and self.neuron.output_reset != "none":
            problems.append(
                "[neuron] output_reset must be 'none' with [decision] readout 'membrane', since a reset takes the "
                f"compared sum away, not {self.neuron.output_reset!r}"
            )
        if 0.0 < self.neuron.clip < 1.0:
            problems.append(
                f"[neuron] clip must be 0 (off) or at least 1 threshold, or no neuron fires, not {self.neuron.clip!r}"
            )
        if t.activation == "relu" and t.activation_levels > 0:
            problems.append(
                "[train] activation_levels must be 0 with activation 'relu', which has no upper end to divide, "
                f"not {t.activation_levels}"
            )
        if t.augment and self.data.set == "digits":
            problems.append("[train] augment must be false for the 8 x 8 images of data set 'digits', not true")
        if 0 < self.cosim.images < self.cosim.trace_images:
            problems.append(
                f"[cosim] trace_images must be at most images ({self.cosim.images}), not {self.cosim.trace_images}"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @classmethod
    def load(cls, source: Config | Mapping[str, Any] | str | os.PathLike[str]) -> Config:
        """The configuration a preset's name, a TOML file or a dictionary stands for.

        Raises `ConfigError` for a file that is not there or not TOML, an unknown key (naming the nearest valid one), a
        value out of range or values that do not go together; the sentence names the source.
        """
        if isinstance(source, Config):
            return source
        if isinstance(source, Mapping):
            return cls.validated(source, "configuration")
        if not isinstance(source, str | os.PathLike):
            raise TypeError(
                "A configuration must be a preset's name, a TOML file, a dictionary or a Config, "
                f"not {type(source).__name__}"
            )
        path = preset_path(source) if isinstance(source, str) and source in PRESETS else Path(source)
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(str(source), [_missing(str(source))]) from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(str(source), [f"not a TOML file: {error}"]) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(str(source), [f"cannot be read: {error}"]) from None
        return cls.validated(values, str(source))

    @classmethod
    def validated(cls, values: Mapping[str, Any], source: str) -> Config:
        """A `Config` of plain values; mistakes are reported as those of `source`."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(source, _sentences(error)) from None

    def updated(self, changes: Mapping[str, Any]) -> Config:
        """A copy with some values changed, such as {"decision": {"k": 3}}, validated as a whole again."""
        values = self.model_dump()
        for key, value in changes.items():
            if isinstance(value, Mapping) and isinstance(values.get(key), dict):
                values[key] = {**values[key], **value}
            else:
                values[key] = value
        return self.validated(values, "changed configuration")


def preset_path(name: str) -> Path:
    """The file of a preset. Raises `ConfigError` for a name that is not in `PRESETS`."""
    if name not in PRESETS:
        raise ConfigError(name, [_missing(name)])
    return _PRESET_FOLDER / f"{name}.toml"


def _missing(name: str) -> str:
    nearest = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.5)
    hint = f"; did you mean the preset '{nearest[0]}'?" if nearest else ""
    return f"there is no such file, and the presets are {', '.join(PRESETS)}{hint}"


def _sentences(error: ValidationError) -> list[str]:
    """One sentence a problem that pydantic found."""
    sentences: list[str] = []
    for problem in error.errors():
        where = [str(part) for part in problem["loc"]]
        kind, given = problem["type"], problem.get("input")
        if kind == "value_error":
            text = str(problem["ctx"]["error"]) if "ctx" in problem else problem["msg"]
            prefix = f"[{where[0]}] " if where else ""
            sentences += [prefix + line for line in text.split("\n")]
        elif kind == "extra_forbidden":
            sentences.append(_unknown_key(where))
        else:
            sentences.append(_bad_value(where, kind, given, problem))
    return sentences


def _unknown_key(where: list[str]) -> str:
    *tables, key = where
    fields: Any = Config.model_fields
    for table in tables:
        fields = fields[table].annotation.model_fields
    names = list(fields)
    place = f" in [{tables[0]}]" if tables else ""
    what = "Unknown key"
    if not tables and isinstance(getattr(fields.get(key), "annotation", None), type):
        what = "Unknown table"
    nearest = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    hint = f"did you mean '{nearest[0]}'?" if nearest else f"valid are {', '.join(names)}"
    return f"{what} '{key}'{place}; {hint}"


def _bad_value(where: list[str], kind: str, given: Any, problem: Any) -> str:
    """A value of the wrong type or out of range: what is allowed, and what was given."""
    name = f"[{where[0]}] {'.'.join(where[1:])}" if len(where) > 1 else ".".join(where)
    ctx = problem.get("ctx", {})
    allowed = {
        "greater_than": "above {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than": "below {lt}",
        "less_than_equal": "at most {le}",
        "literal_error": "{expected}",
        "finite_number": "a finite number",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "int_parsing": "a whole number",
        "float_type": "a number",
        "float_parsing": "a number",
        "bool_type": "true or false",
        "bool_parsing": "true or false",
        "string_type": "a text",
        "tuple_type": "a list",
        "model_type": "a table",
        "string_pattern_mismatch": "made of letters, digits, '.', '_' and '-' only",
        "string_too_short": "at least {min_length} letters long",
        "string_too_long": "at most {max_length} letters long",
    }.get(kind)
    if allowed is None:
        return f"{name}: {problem['msg']}, not {given!r}"
    return f"{name} must be {allowed.format(**ctx)}, not {given!r}"
