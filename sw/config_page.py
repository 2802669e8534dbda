"""docs/configuration.md, made from the configuration's own classes, so that the page cannot go out of date.

Write it anew with `python -m sw.config_page > docs/configuration.md`.
"""

from __future__ import annotations

import json
import sys
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sim.units import FRACTION, unit_of
from sw.config import PRESETS, Config

__all__ = ["configuration_page"]

_HEAD = """# Configuration

One TOML file describes a run. `spikeloom run FILE`, `sw.compile(model, images, "FILE")` and `sw.Config.load("FILE")`
read it; a preset's name ({presets}) can stand in a file's place. Everything has a default, so a file only says what
differs. Unknown keys, values out of range and values that do not go together are errors, all reported at once. Shares
and spreads are fractions: 0.05 is 5 %. A value that is not usual is a warning: it is most likely in another unit.

This page is generated from `sw/config.py`, `sw/sections.py`, `sw/nir_section.py`, `sw/lifetime_section.py` and
`sim/config.py` by `python -m sw.config_page`.

"""

_RULES = """## Rules that concern more than one field

- `decision.t_max` is above `decision.skip` * `coding.phases`: otherwise the output layer never runs.
- `decision.k` is a whole number with `decision.readout = "spikes"`, and at most
  `decision.t_max` * 2^(`coding.phases` - 1), the largest weighted spike count there can be.
- `decision.readout = "membrane"` needs `neuron.output_reset = "none"`: a reset would take the compared sum away.
- `decision.strategy = "learned"` needs `decision.rule = "winner_k"`, `decision.k` at its default, and images to learn
  from: `data.validation_images` above 0, or the argument `validation` of `sw.compile`. So does `convert.tune = true`.
- The fields of `[learning]` keep their defaults with `decision.strategy = "given"`, those of `[tuning]` with
  `convert.tune = false`; `tuning.relearn` needs `decision.strategy = "learned"`.
- `learning.reward_correct` is above `learning.reward_wrong`, and `learning.epsilon_min` at most `learning.epsilon`.
- `data.calibration_images` + `data.validation_images` is at most the number of training images.
- `neuron.clip` is 0 (off) or at least 1: below its threshold no neuron fires.
- `train.activation_levels` is 0 with `train.activation = "relu"`, which has no upper end to divide.
- `train.network` other than `mlp` fits the data set's images and ends with its classes, and `train.hidden` is not given
  then; `train.pooling` and `train.batch_norm` keep their defaults with `mlp`, and where the network has no pooling or
  no convolutions.
- `convert.percentile` keeps its default unless `convert.normalisation = "percentile"`.
- `convert.average_pooling = "weights"` needs a network with average pooling.
- With `nir.file` nothing is trained and nothing normalised: `[train]` is not given, and `convert.normalisation`,
  `convert.percentile`, `convert.output_offset` and `convert.average_pooling` keep their defaults; `[neuron]`,
  `coding.phases` and `decision.readout` are what the file's neurons are ([NIR](nir.md#neurons)). Without it, `[nir]`
  keeps its defaults.
- `train.augment` is false for data set `digits`, whose images are too small to shift.
- `crossbar.copies` above 1 needs a layer with several positions; in a list there is a number for every layer with
  weights, at most its number of positions (so 1 for a dense layer).
- `cosim.trace_images` is at most `cosim.images`, unless that is 0 (all).
- `programming.fault_aware` needs `programming.method = "verify"`, which finds the failed cells.
- `device.program_sigma` is 0 with `programming.method = "verify"`: pulses leave an error of their own.
- `device.pulse_sigma`, `pulse_up`, `pulse_down`, `soft_bounds` and `v_program_V` keep their defaults with
  `programming.method = "direct"`, which gives no pulses.
- `programming.window`, `amplitude_min` and `amplitude_max` are whole numbers of eighths of a level, as the registers
  hold them, and `amplitude_min` is at most `amplitude_max`.
- `device.cell = "tantalum"` needs `device.g_min_S` and `device.g_max_S` within what the cell reaches (58.9 uS to 25 mS
  at `device.v_read_V = 0.2`), `device.v_read_V` of at most 0.3 and 1-bit rows (`coding.input` not `"analog"`);
  `device.pulse_up`, `pulse_down` and `soft_bounds` keep their defaults, for its equations say how far a pulse goes.
  With `"linear"`, `device.read_polarity`, `acceleration`, `drift_every` and `refresh_every` keep their defaults, for
  nothing drifts.
- `device.refresh_every` is 0 with `programming.method = "verify"`, whose pulses are not given again within a run.
- `lifetime.measure = true` needs `device.cell = "tantalum"`; with `false` the other fields of `[lifetime]` keep their
  defaults. `lifetime.programmings` is 1 with `device.program_sigma = 0`, where all programmings are the same, and
  `lifetime.images_per_s` at most the rate of images back to back.
- `device.g_max_S` is above `device.g_min_S`, and `device.stuck_on` + `device.stuck_off` is at most 1.

The first layer has row codes of 8 bits with `coding.input = "analog"`, and of 1 bit otherwise. Membranes are as wide as
they must be never to overflow; a network whose membranes would need more than 48 bits is refused when it is compiled.
"""


def configuration_page() -> str:
    """The page's text."""
    parts = [_HEAD.format(presets=", ".join(f"`{name}`" for name in PRESETS))]
    top = {name: field for name, field in Config.model_fields.items() if not _is_table(field)}
    parts.append("## Top level\n\n" + _table(top))
    for name, field in Config.model_fields.items():
        if _is_table(field):
            section: Any = field.annotation
            parts.append(f"## [{name}]\n\n{' '.join(section.__doc__.split())}\n\n" + _table(section.model_fields))
    return "".join(parts) + _RULES


def _is_table(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        default = json.dumps(field.default) if not isinstance(field.default, float) else f"{field.default:g}"
        rows.append(f"| `{name}` | `{default}` | {_allowed(field)} | {_cell(field.description)} |")
    return "\n".join(rows) + "\n\n"


def _cell(text: str | None) -> str:
    """Text for a cell of a table, where a bare | would end the cell."""
    return (text or "").replace("|", r"\|")


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f'`"{value}"`' for value in get_args(field.annotation))
    if field.annotation == float | Literal["auto"]:
        return '`"auto"`, or number > 0, <= 1'
    if get_origin(field.annotation) is UnionType:
        return "whole number >= 1, or list of them"
    if get_origin(field.annotation) is tuple:
        return "list of whole numbers >= 1, <= 32768"
    kinds: dict[Any, str] = {int: "whole number", float: "number", bool: "`true`, `false`", str: "text"}
    limits = []
    for item in field.metadata:
        for cls, sign, name in ((Ge, ">=", "ge"), (Gt, ">", "gt"), (Le, "<=", "le"), (Lt, "<", "lt")):
            if isinstance(item, cls):
                limits.append(
                    f"{sign} {getattr(item, name):g}" if getattr(item, name) < 1e6 else f"{sign} {getattr(item, name)}"
                )
    allowed = " ".join([kinds[field.annotation], ", ".join(limits)]).strip()
    unit = unit_of(field)
    return allowed if unit is None or unit is FRACTION else f"{allowed}; usual {unit.usual}"


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
