"""What cannot be registered is refused in one sentence, the same one for every registry of docs/extending.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from torch import nn

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.boards import BOARDS, register_board
from spikeloom.hw.boards.family import Usage
from spikeloom.hw.boards.ice40 import ICE40
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.feature_maps.stages import UNITS
from spikeloom.hw.params.codings import CODINGS, Coding
from spikeloom.hw.params.decision_rules import DECISION_RULES, DecisionRule
from spikeloom.hw.params.stage_kinds import STAGES, PoolStage, Stage
from spikeloom.sim.chip.cell_kinds import CELLS, CellKind, register_cell
from spikeloom.sim.chip.parameters import Parameters, parameter_classes
from spikeloom.sim.devices.effect_list import EffectEntry
from spikeloom.sim.devices.effects import EFFECTS, register_effect
from spikeloom.sw.datasets.datasets import DATA_SETS, register_data_set
from spikeloom.sw.datasets.kinds import DataSetKind
from spikeloom.sw.frontend.layer_kind import LayerKind
from spikeloom.sw.frontend.layer_kinds import LAYERS, register_layer
from tests.fixtures.guide import GUIDE

NAME_WORDS = "a text of small letters, digits, '-' and '_'"


class Registry(NamedTuple):
    """A registry, and what it is to refuse.

    Parameters
    ----------
    register : its function
    content : what is in it
    what, base : in words, and the class that all are derived from
    objects : whether it takes objects, or classes
    good : attributes of one that it takes
    bad : an attribute, a value that it may not have, and what it may be; for each that is looked at
    """

    register: Callable[[Any], Any]
    content: Callable[[], list[Any]]
    what: str
    base: type
    objects: bool
    good: dict[str, Any]
    bad: tuple[tuple[str, Any, str], ...]


def add_unit(kind: Any) -> None:
    UNITS.add(kind, UNITS[next(iter(STAGES))])


RULE = {"name": "mine", "code": 0}
STAGE = {"name": "mine", "code": 200}
KIND_BAD = (("name", "My Kind", NAME_WORDS), ("name", 3, NAME_WORDS), ("code", "0", "a whole number, or None"))
STAGE_BAD = (
    ("name", "", NAME_WORDS),
    ("code", None, "a whole number in 0 .. 255"),
    ("code", 256, "a whole number in 0 .. 255"),
    ("code", True, "a whole number in 0 .. 255"),
)
REGISTRIES = {
    "hw.params.codings.CODINGS": Registry(
        CODINGS.register, lambda: list(CODINGS), "input coding", Coding, False, RULE, KIND_BAD
    ),
    "hw.params.decision_rules.DECISION_RULES": Registry(
        DECISION_RULES.register, lambda: list(DECISION_RULES), "decision rule", DecisionRule, False, RULE, KIND_BAD
    ),
    "hw.params.stage_kinds.STAGES": Registry(
        STAGES.register, lambda: list(STAGES), "stage kind", Stage, False, STAGE, STAGE_BAD
    ),
    "parts": Registry(add_unit, lambda: list(STAGES), "stage kind", Stage, False, STAGE, STAGE_BAD),
    "hw.boards.boards.BOARDS": Registry(
        register_board,
        lambda: list(BOARDS),
        "board",
        Board,
        True,
        {
            "name": "mine",
            "meaning": "a board",
            "family": ICE40,
            "crystal": "clk12",
            "crystal_Hz": 12_000_000,
            "clock_Hz": 24e6,
            "baud": 115_200,
            "capacity": Usage(),
            "block_ram_bits": 4_096,
            "loader": ("-b", "mine"),
        },
        (
            ("name", "My Board", NAME_WORDS),
            ("meaning", None, "a clause for the manual, a text"),
            ("family", "ice40", "an object of a class derived from Family"),
            ("crystal_Hz", 12e6, "a whole number of hertz"),
            ("clock_Hz", 0, "a number of hertz"),
            ("baud", True, "a whole number of bits per second"),
            ("capacity", 7680, "an object of the class Usage"),
            ("loader", "-b mine", 'a tuple of arguments, such as ("-b", "ulx3s")'),
        ),
    ),
    "sim.chip.cell_kinds.CELLS": Registry(
        register_cell,
        lambda: list(CELLS),
        "cell kind",
        CellKind,
        True,
        {"name": "mine", "meaning": "cells"},
        (("name", "Mine", NAME_WORDS), ("meaning", None, "a clause for the manual, a text")),
    ),
    "sw.frontend.layer_kinds.LAYERS": Registry(
        register_layer,
        lambda: list(LAYERS),
        "layer kind",
        LayerKind,
        True,
        {"modules": (nn.Bilinear,)},
        (
            ("modules", nn.Bilinear, "a tuple of classes of modules, such as (MyLayer,)"),
            ("modules", ("Bilinear",), "a tuple of classes of modules, such as (MyLayer,)"),
            ("functions", "bilinear", "a tuple of functions and names of methods"),
        ),
    ),
    "sw.datasets.datasets.DATA_SETS": Registry(
        register_data_set,
        lambda: list(DATA_SETS),
        "data set",
        DataSetKind,
        True,
        {"name": "mine", "shape": (1, 2, 2), "classes": 2},
        (
            ("name", None, NAME_WORDS),
            ("shape", (2, 2), "(channels, height, width), whole numbers from 1 on"),
            ("shape", [1, 2, 2], "(channels, height, width), whole numbers from 1 on"),
            ("classes", 0, "a whole number from 1 on"),
        ),
    ),
}


def kind_of(registry: Registry, **attributes: Any) -> Any:
    """A class for the registry with these attributes, but for those that are an ellipsis."""
    base = PoolStage if registry.base is Stage else registry.base
    return type("Mine", (base,), {name: value for name, value in attributes.items() if value is not ...})


def refused(register: Callable[[Any], Any], given: Any, sentence: str) -> None:
    with pytest.raises(SpikeLoomError, match=f"^{re.escape(sentence)}$"):
        register(given)


def test_every_registry_of_the_page_is_here() -> None:
    table = re.findall(r"^\| \[.*?\]\(#.*?\) \| `([\w.]+)` \| (\S+)", GUIDE.read_text(encoding="utf-8"), re.M)
    assert len(table) > 7
    assert {name for name, outside in table if outside != "-"} == {*REGISTRIES, "sim.devices.effects.EFFECTS"} - {
        "parts"
    }


@pytest.mark.parametrize("name", REGISTRIES)
def test_a_class_in_the_place_of_an_object_and_the_reverse(name: str) -> None:
    registry = REGISTRIES[name]
    before = registry.content()
    cls = kind_of(registry, **registry.good)
    article = "An" if registry.what[0] in "aeiou" else "A"
    base = f"a class derived from {registry.base.__module__}.{registry.base.__name__}"
    wanted = f"{article} {registry.what} is registered as {'an object of ' if registry.objects else ''}{base}, not as "
    if registry.objects:
        refused(registry.register, cls, f"{wanted}the class Mine; give Mine(...)")
    else:
        given = object.__new__(cls)
        refused(registry.register, given, f"{wanted}an object of the class Mine; give the class Mine")
    remedy = f"; derive a class from {registry.base.__name__}"
    for given, words in (
        ("mine", "'mine'"),
        (None, "None"),
        (nn.Linear, "the class Linear"),
        (nn.Identity(), "an object of the class Identity"),
    ):
        refused(registry.register, given, f"{wanted}{words}{remedy}")
    assert registry.content() == before


@pytest.mark.parametrize("name", REGISTRIES)
def test_an_attribute_that_is_missing_or_wrong(name: str) -> None:
    registry = REGISTRIES[name]
    before = registry.content()
    for attribute, value, words in registry.bad:
        cls = kind_of(registry, **{**registry.good, attribute: value})
        of_it = f"The {attribute} of the {registry.what} Mine must be {words}, not {value!r}"
        refused(registry.register, cls() if registry.objects else cls, of_it)
        if not hasattr(registry.base, attribute):
            cls = kind_of(registry, **{**registry.good, attribute: ...})
            missing = f"The {registry.what} Mine has no {attribute}; set it in the class, to {words}"
            refused(registry.register, cls() if registry.objects else cls, missing)
    assert registry.content() == before


def test_a_layer_kind_of_nothing() -> None:
    sentence = "The layer kind Mine is for nothing; name its PyTorch classes in modules, or its functions in functions"
    refused(register_layer, kind_of(REGISTRIES["sw.frontend.layer_kinds.LAYERS"])(), sentence)


class Options(Parameters):
    """Of an effect, or of cells."""


def test_effects_are_entries_and_their_options_a_class() -> None:
    before = EFFECTS.registered(), parameter_classes()
    wanted = "A device effect is registered as an object of a class derived from "
    wanted += f"{EffectEntry.__module__}.EffectEntry, not as "
    remedy = "; give EffectEntry(fields, direct, write_verify, make)"
    refused(register_effect, "mine", f"{wanted}'mine'{remedy}")
    refused(register_effect, Options, f"{wanted}the class Options{remedy}")
    refused(register_effect, EffectEntry, f"{wanted}the class EffectEntry; give EffectEntry(...)")
    fields = 'must be a tuple of names of options, such as ("my_sigma",), not'
    for value in ("device_sigma", None, (3,)):
        entry = EffectEntry(value, "mine", "mine", lambda d, p, _: None)  # type: ignore[arg-type,return-value]
        refused(register_effect, entry, f"The fields of the device effect EffectEntry {fields} {value!r}")
    entry = EffectEntry(("device_sigma",), "mine", "mine", lambda d, p, _: None)  # type: ignore[arg-type,return-value]
    wanted = f"A table of options is registered as a class derived from {Parameters.__module__}.Parameters, not as "
    for given, words in (
        (Options(), "an object of the class Options; give the class Options"),
        ("x", "'x'; derive a class from Parameters"),
    ):
        refused(lambda given: register_effect(entry, given), given, wanted + words)
        cells = kind_of(REGISTRIES["sim.chip.cell_kinds.CELLS"], name="mine", meaning="cells", parameters=given)
        refused(register_cell, cells(), wanted + words)
    assert (EFFECTS.registered(), parameter_classes()) == before
