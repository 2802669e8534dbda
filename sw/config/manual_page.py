"""docs/configuration.md, generated from the configuration's classes so that it is always up to date.

Write it anew with `python -m spikeloom.sw.config.manual_page > docs/configuration.md`.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from types import UnionType
from typing import Any, Literal, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sim.chip.device_config import Interval
from spikeloom.sim.chip.energy_calibration import Calibration
from spikeloom.sim.common.choices import choices_of, description_of
from spikeloom.sim.common.units import FRACTION, fields_of, unit_of
from spikeloom.sw.config.config import PRESETS, Config
from spikeloom.sw.config.field_rules import Rule
from spikeloom.sw.config.rules import ONE_LAYER_RULES, all_rules

__all__ = ["configuration_page"]

_HEAD = """# Configuration

One TOML file describes a run. `spikeloom run FILE`, `spikeloom.compile(model, images, "FILE")` and
`spikeloom.Config.load("FILE")` read it; a preset's name ({presets}) can be given instead of a file. Every setting has a
default, so a file contains only the differences. Unknown keys, values out of range and contradictory values are
errors, all reported at once. Shares and variations are fractions: 0.05 is 5 %. An unusual value causes a warning,
because it is most likely in another unit.

## A preset with changes

A file or dictionary that names a preset contains only the changes to it. Give it a `name`, otherwise its run uses the
preset's folder:

```toml
preset = "digits"
name = "three-bits"

[device]
bits = 3
```

From Python use a dictionary, or a modified copy of a configuration. Both are checked as a whole:

```python
import spikeloom

config = spikeloom.Config.load({{"preset": "digits", "name": "three-bits", "device": {{"bits": 3}}}})
assert config == spikeloom.Config.load("digits").updated({{"name": "three-bits", "device": {{"bits": 3}}}})
```

On the command line, `--set TABLE.KEY=VALUE` changes one value of any configuration and can be repeated:
`spikeloom run digits --set device.bits=3 --set name=three-bits`. VALUE is written as in TOML; a single word needs no
quotation marks. Pydantic's own `model_copy(update=...)` checks nothing, so functions that take a configuration check it
again.

`spikeloom.compile` without a configuration makes an [ideal chip](software.md#the-ideal-chip) sized to the network.

This page is generated from `sw/config/config.py`, `sw/config/sections.py`, `sw/config/train_section.py`,
`sw/config/nir_section.py`, `sw/config/decision_section.py`, `sw/config/cosim_section.py`,
`sw/config/lifetime_section.py`, `sw/config/board_section.py`, `sw/config/search_sections.py` and
`sim/chip/device_options.py` by `python -m spikeloom.sw.config.manual_page`.

"""

_RULES = """## Rules that concern more than one field

These rules are checked by `sw/config/rules.py`: a field that would have no effect must keep its default. Giving a field
its default value is always allowed.

{rules}

Checked when the data or the network is known:

- `data.calibration_images` + `data.validation_images` is at most the number of training images.
- `convert.average_pooling = "weights"` needs a network with average pooling.
- `crossbar.replicas` above 1 needs a layer with several positions; a list has one number for every layer with
  weights, at most its number of positions (so 1 for a dense layer).
- With `nir.file`, `[neuron]`, `coding.phases` and `decision.readout` must match the file's neurons
  ([NIR](nir.md#neurons)).
- `lifetime.images_per_s` is at most the rate of images back to back.
{one_layer}

{within}

The first layer has row codes of 8 bits with `coding.input = "analog"`, and of 1 bit otherwise. Membranes are wide
enough never to overflow; a network whose membranes would need more than 48 bits is refused when it is compiled.
"""

_WITHIN = (
    "Within a table: `device.g_max_S` is above `device.g_min_S`, `device.stuck_on` + `device.stuck_off` is at most 1, "
    "and `programming.amplitude_min` at most `programming.amplitude_max`."
)

_CALIBRATION: Any = Calibration | None


def configuration_page() -> str:
    """The page's text."""
    parts = [_HEAD.format(presets=", ".join(f"`{name}`" for name in PRESETS))]
    top = {name: field for name, field in Config.model_fields.items() if not _is_table(field)}
    parts.append("## Top level\n\n" + _table(top))
    for name, field in Config.model_fields.items():
        if _is_table(field):
            section: Any = field.annotation
            parts.append(f"## [{name}]\n\n{' '.join(section.__doc__.split())}\n\n" + _table(fields_of(section)))
    rules = "\n".join(_item(rule) for rule in all_rules())
    kinds = [f'`device.cell = "{kind.name}"` needs {kind.needs}.' for kind in CELLS if kind.needs]
    within = _wrapped(" ".join([_WITHIN, *kinds]))
    one_layer = "\n".join(_item(rule) for rule in ONE_LAYER_RULES)
    return "".join(parts) + _RULES.format(rules=rules, one_layer=one_layer, within=within)


def _item(rule: Rule) -> str:
    """A rule as an item of a list, without line breaks in code."""
    return _wrapped(f"- {rule.text()}.", "  ")


def _wrapped(text: str, indent: str = "") -> str:
    """Lines of at most 118 characters, the others indented."""
    held = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(held, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\0", " ")


def _is_table(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        known = "" if field.annotation == _CALIBRATION else field.default
        default = json.dumps(known) if not isinstance(known, float) else f"{known:g}"
        rows.append(f"| `{name}` | `{default}` | {_allowed(field)} | {_cell(description_of(field))} |")
    return "\n".join(rows) + "\n\n"


def _cell(text: str) -> str:
    """Text for a cell of a table, where a bare | would end the cell."""
    return text.replace("|", r"\|")


def _allowed(field: FieldInfo) -> str:
    if field.annotation is not bool and choices_of(field):
        return ", ".join(f'`"{value}"`' for value in choices_of(field))
    annotation: Any = field.annotation
    if annotation == float | Literal["auto"]:
        return '`"auto"`, or number > 0, <= 1'
    if annotation == int | Literal["auto"]:
        return '`"auto"`, or whole number >= 0'
    if annotation == _CALIBRATION:
        return "text"
    if get_origin(field.annotation) is UnionType:
        return "whole number >= 1, or list of them"
    unit = unit_of(field)
    if annotation == Interval and unit is not None:
        return f"number >= 0, or list [low, typical, high]; usual {unit.usual}"
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
    return allowed if unit is None or unit is FRACTION else f"{allowed}; usual {unit.usual}"


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
