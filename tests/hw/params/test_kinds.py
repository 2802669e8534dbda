"""The registry of kinds: what is built in, what may be added, what an installed package adds."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from spikeloom.hw.interfaces.registers import GLOBAL_REGISTERS
from spikeloom.hw.params import kinds as kinds_module
from spikeloom.hw.params.kinds import Kind, Kinds
from spikeloom.hw.params.parameters import Coding, Rule


class Animal(Kind):
    """A kind for this file."""


def registry() -> Kinds[Animal]:
    """A cat and a dog in hardware."""
    found: Kinds[Animal] = Kinds("animal", "spikeloom.animals_of_the_tests")
    Animal.kinds = found
    found.built_in(Cat)
    found.built_in(Dog)
    return found


class Cat(Animal):
    name, code, sentence = "cat", 0, "walks by itself"


class Dog(Animal):
    name, code, sentence = "dog", 4, "comes along"


class Tame(Animal):
    """Runs as a dog in hardware."""

    name, code, sentence = "tame_dog", 4, "comes along at once"


class Ghost(Animal):
    """Is in no hardware."""

    name, code, sentence, reference = "ghost", None, "is not there", object


def test_a_kind_has_one_instance_that_survives_copies() -> None:
    for kind in (Coding.EVEN, Rule.WINNER_K):
        assert type(kind)() is kind
        assert copy.deepcopy(kind) is kind
        assert pickle.loads(pickle.dumps(kind)) is kind
    assert Coding.EVEN != Rule.FIXED and int(Coding.EVEN) == 2


def test_the_register_follows_the_kinds() -> None:
    known = registry()
    assert (known.bits, known.text) == (3, "0 cat, 4 dog")
    assert known.sentence == "walks by itself, or comes along"
    known.register(Tame)
    known.register(Ghost)
    assert (known.bits, known.text) == (3, "0 cat, 4 dog")
    assert [kind.name for kind in known] == ["cat", "dog", "tame_dog", "ghost"] and len(known) == 4
    held = {register.name: register for register in GLOBAL_REGISTERS}
    assert held["coding"].meaning == "input coding: 0 phase, 1 rate, 2 even, 3 analog"
    assert held["rule"].meaning == "decision rule: 0 fixed, 1 winner-k"
    assert [held[name].bits(None) for name in ("coding", "rule")] == [2, 1]


def test_names_are_looked_up_when_they_are_used() -> None:
    known = registry()
    short = known.where(lambda kind: len(kind.name) < 5)
    assert list(short) == ["cat", "dog"] and short[-1] == "dog" and "ghost" not in short
    known.register(Ghost)
    known.register(Ghost)  # the same again is no second one
    assert list(short) == ["cat", "dog"]
    assert len(known) == 3
    known.remove("ghost")
    assert [kind.name for kind in known] == ["cat", "dog"]


def test_kinds_by_name_and_code() -> None:
    known = registry()
    added = known.register(Tame)
    assert known["tame_dog"] is added and known[4] is Dog() and int(added) == 4
    with pytest.raises(ValueError, match="'cow' is not a name of an animal: there are cat, dog, tame_dog; another has"):
        known["cow"]
    with pytest.raises(ValueError, match="2 is not the code of an animal: there are 0 cat, 4 dog"):
        known[2]


def test_a_kind_that_no_unit_has_says_so() -> None:
    ghost = registry().register(Ghost)
    with pytest.raises(
        ValueError, match=r"^The unit has no animal 'ghost'.*choose one that the unit has \(0 cat, 4 dog"
    ):
        int(ghost)


def bad(**fields: Any) -> type[Animal]:
    """A class that cannot be registered."""
    return type("Bad", (Animal,), {"name": "bad", "code": 0, "sentence": "is bad"} | fields)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "cat"}, "There is an animal 'cat' already; give Bad another name"),
        ({"code": 3}, r"The code of animal 'bad' must be one that the unit has \(0 cat, 4 dog\), or None .* not 3"),
        ({"code": None}, "The animal 'bad' has no code in the unit, so it needs a class `reference` of its own"),
    ],
)
def test_what_cannot_be_registered(fields: dict[str, Any], sentence: str) -> None:
    known = registry()
    with pytest.raises(ValueError, match=sentence):
        known.register(bad(**fields))
    assert len(known) == 2
    with pytest.raises(ValueError, match="The animal 'cat' is built in and cannot be removed"):
        known.remove("cat")


class Entry:
    """An entry point of an installed package."""

    name, value = "toy", "somewhere:Toy"

    def __init__(self, found: type[Animal] | Exception) -> None:
        self.found = found

    def load(self) -> type[Animal]:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def test_installed_packages_add_kinds_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def entry_points(group: str) -> list[Entry]:
        asked.append(group)
        return [Entry(Tame)]

    monkeypatch.setattr(kinds_module, "entry_points", entry_points)
    known = registry()
    assert not asked
    assert known["tame_dog"] is Tame() and len(known) == 3
    assert asked == ["spikeloom.animals_of_the_tests"]


def test_a_broken_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds_module, "entry_points", lambda group: [Entry(ImportError("no module 'x'"))])
    with pytest.raises(
        ValueError, match=r"The animal 'toy' of an installed package \(somewhere:Toy\) cannot be used: no "
    ):
        registry()["cat"]
