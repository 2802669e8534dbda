"""One configuration a run: read from TOML, validated as a whole, frozen.

`Config.load` takes a preset's name, a TOML file, a dictionary or a `Config`. Every mistake becomes one sentence, and
all of them are reported together in one `ConfigError`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sim.config import CODE, Device, Energy, Programming
from sw.config_errors import nearest_name, sentences
from sw.config_learning import learning_problems
from sw.data import SHAPES
from sw.errors import ConfigError
from sw.files import as_path, reason
from sw.layer_string import parse_layers, shapes_of
from sw.lifetime_section import LifetimeSection, lifetime_problems
from sw.nir_section import NirSection, nir_problems
from sw.sections import (
    CodingSection,
    ConvertSection,
    CosimSection,
    CrossbarSection,
    DataSection,
    DecisionSection,
    HardwareSection,
    LearningSection,
    NeuronSection,
    TrainSection,
    TuningSection,
)

__all__ = ["PRESETS", "Config", "preset_path"]

_PULSE_FIELDS = ("pulse_sigma", "pulse_up", "pulse_down", "soft_bounds", "v_program_V")
_STEP_FIELDS = ("pulse_up", "pulse_down", "soft_bounds")
_DRIFT_FIELDS = ("read_polarity", "acceleration", "drift_every", "refresh_every")
_PRESET_FOLDER = Path(__file__).parent / "presets"
PRESETS = tuple(sorted(path.stem for path in _PRESET_FOLDER.glob("*.toml")))
"""Names of the configurations that come with the program."""


class Config(BaseModel):
    """A run, from the data set to the simulator."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="name of the run")
    ] = "run"
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="seed of every random draw, no unit")] = 0
    data: DataSection = DataSection()
    train: TrainSection = TrainSection()
    nir: NirSection = NirSection()
    convert: ConvertSection = ConvertSection()
    tuning: TuningSection = TuningSection()
    coding: CodingSection = CodingSection()
    neuron: NeuronSection = NeuronSection()
    decision: DecisionSection = DecisionSection()
    learning: LearningSection = LearningSection()
    crossbar: CrossbarSection = CrossbarSection()
    device: Device = Device()
    programming: Programming = Programming()
    energy: Energy = Energy()
    hardware: HardwareSection = HardwareSection()
    cosim: CosimSection = CosimSection()
    lifetime: LifetimeSection = LifetimeSection()

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
        given = d.rule == "winner_k" and d.strategy == "given"
        if d.readout == "spikes" and given and d.k > d.t_max << (c.phases - 1):
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
        problems += _network_problems(t, self.data.set)
        if t.exact_sums and (t.network != "mlp" or t.augment):
            problems.append(
                "[train] exact_sums must be false with "
                + (f"network '{t.network}'" if t.network != "mlp" else "augment")
                + ", not true: only network 'mlp' without augment is trained so"
            )
        if t.augment and self.data.set == "digits":
            problems.append("[train] augment must be false for the 8 x 8 images of data set 'digits', not true")
        if 0 < self.cosim.images < self.cosim.trace_images:
            problems.append(
                f"[cosim] trace_images must be at most images ({self.cosim.images}), not {self.cosim.trace_images}"
            )
        v, usual = self.convert, ConvertSection.model_fields["percentile"].default
        if v.normalisation != "percentile" and v.percentile != usual:
            problems.append(
                f"[convert] percentile must be {usual!r} with normalisation {v.normalisation!r}, which does not use "
                f"it, not {v.percentile!r}; set normalisation = 'percentile'"
            )
        problems += _programming_problems(self.programming, self.device)
        problems += _drift_problems(self)
        problems += learning_problems(d, self.learning, self.convert.tune, self.tuning)
        problems += nir_problems(self.nir, t, self.convert)
        problems += lifetime_problems(self.lifetime, self.device)
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
        given = as_path(source, "configuration")
        path = preset_path(source) if isinstance(source, str) and source in PRESETS else given
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise ConfigError(str(source), [_missing(str(source))]) from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(str(source), [f"not a TOML file: {error}"]) from None
        except UnicodeDecodeError as error:
            raise ConfigError(str(source), [f"not a TOML file: byte {error.start} is not UTF-8 text"]) from None
        except RecursionError:
            raise ConfigError(str(source), ["not a TOML file: its values are nested too deep"]) from None
        except OSError as error:
            raise ConfigError(str(source), [f"cannot be read: {reason(error)}"]) from None
        return cls.validated(values, str(source))

    @classmethod
    def validated(cls, values: Mapping[str, Any], source: str) -> Config:
        """A `Config` of plain values; mistakes are reported as those of `source`."""
        bad = next((key for key in values if not isinstance(key, str)), None)
        if bad is not None:
            raise ConfigError(source, [f"a key must be a text, not {bad!r}"])
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(source, sentences(error, cls.model_fields)) from None

    def updated(self, changes: Mapping[str, Any], source: str = "changed configuration") -> Config:
        """A copy with some values changed, such as {"decision": {"k": 3}}, validated as a whole again.

        Mistakes are reported as those of `source`.
        """
        values = self.model_dump()
        for key, value in changes.items():
            if isinstance(value, Mapping) and isinstance(values.get(key), dict):
                values[key] = {**values[key], **value}
            else:
                values[key] = value
        return self.validated(values, source)


def _programming_problems(programming: Programming, device: Device) -> list[str]:
    """What the tables [programming] and [device] do not go together in."""
    problems = []
    for name in ("window", "amplitude_min", "amplitude_max"):
        value = getattr(programming, name)
        if value * CODE != round(value * CODE):
            problems.append(
                f"[programming] {name} must be a whole number of eighths of a level, as the registers hold it "
                f"(the nearest is {round(value * CODE) / CODE!r}), not {value!r}"
            )
    if programming.method == "verify":
        if device.program_sigma > 0.0:
            problems.append(
                "[device] program_sigma must be 0 with [programming] method 'verify', whose pulses leave an error of "
                f"their own, not {device.program_sigma!r}"
            )
        if device.cell == "tantalum":
            problems += _not_default(device, _STEP_FIELDS, "cell 'tantalum', whose equations say how far a pulse goes")
        return problems
    if programming.fault_aware:
        problems.append("[programming] fault_aware must be false with method 'direct', which finds no failed cells")
    return problems + _not_default(device, _PULSE_FIELDS, "[programming] method 'direct', which gives no pulses")


def _not_default(device: Device, names: Sequence[str], reason: str) -> list[str]:
    """A sentence for each of the fields that is not at its default, as it must be with `reason`."""
    problems = []
    for name in names:
        value, default = getattr(device, name), Device.model_fields[name].default
        if value != default:
            problems.append(f"[device] {name} must be {default!r} with {reason}, not {value!r}")
    return problems


def _network_problems(train: TrainSection, data: str) -> list[str]:
    """What the table [train] says of a network that cannot be, or that its kind of network does not have."""
    if train.network == "mlp":
        return [
            f"[train] {name} must be {TrainSection.model_fields[name].default!r} with network 'mlp', which has no "
            f"convolutions, not {getattr(train, name)!r}"
            for name in ("pooling", "batch_norm")
            if getattr(train, name) != TrainSection.model_fields[name].default
        ]
    problems = []
    if train.hidden != TrainSection.model_fields["hidden"].default:
        problems.append(
            f"[train] hidden must not be given with network '{train.network}', which has the sizes of all layers"
        )
    image, classes = SHAPES[data]
    try:
        tokens = parse_layers(train.network)
        shapes_of(tokens, image)
        if tokens[-1].outputs != classes:
            raise ValueError(f"it must end with the {classes} classes of data set '{data}', not {tokens[-1].outputs}")
        kinds = {token.kind for token in tokens}
        for name, needed, what in (
            ("pooling", {"pool"}, "pooling such as 2s"),
            ("batch_norm", {"conv", "residual"}, "convolutions"),
        ):
            if getattr(train, name) != TrainSection.model_fields[name].default and not kinds & needed:
                problems.append(
                    f"[train] {name} must be {TrainSection.model_fields[name].default!r} with network "
                    f"'{train.network}', which has no {what}, not {getattr(train, name)!r}"
                )
    except ValueError as error:
        problems.append(f"[train] network '{train.network}': {error}")
    return problems


def _drift_problems(config: Config) -> list[str]:
    """What cells that drift do not go together with, and fields that do nothing for cells that do not."""
    if not config.device.drifts:
        return _not_default(config.device, _DRIFT_FIELDS, "cell 'linear', which does not drift")
    problems = []
    if config.coding.input == "analog":
        problems.append(
            "[coding] input must not be 'analog' with cell 'tantalum': there is no drift model of analog rows"
        )
    if config.programming.method == "verify" and config.device.refresh_every:
        problems.append(
            "[device] refresh_every must be 0 with [programming] method 'verify', whose pulses are not given again "
            f"within a run, not {config.device.refresh_every}"
        )
    return problems


def preset_path(name: str) -> Path:
    """The file of a preset. Raises `ConfigError` for a name that is not in `PRESETS`."""
    if name not in PRESETS:
        raise ConfigError(name, [_missing(name)])
    return _PRESET_FOLDER / f"{name}.toml"


def _missing(name: str) -> str:
    if name.endswith(".loom"):
        return "a weight image cannot stand in a configuration's place; give a preset or a TOML file"
    nearest = nearest_name(name, PRESETS)
    hint = f"; did you mean the preset '{nearest}'?" if nearest else ""
    return f"there is no such file, and the presets are {', '.join(PRESETS)}{hint}"
