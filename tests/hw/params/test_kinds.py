"""The registry of kinds: what is built in, what may be added, what an installed package adds."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from spikeloom.hw.interfaces.registers import GLOBAL_REGISTERS
from spikeloom.hw.params import plugins
from spikeloom.hw.params.kinds import Kind, Kinds
from spikeloom.hw.params.parameters import Coding, DecisionRule

GROUP = "spikeloom.animals_of_the_tests"


class Animal(Kind):
    """A kind for this file."""


def registry() -> Kinds[Animal]:
    """A cat and a dog in hardware."""
    found = Kinds(Animal, "animal", GROUP)
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
    for kind in (Coding.EVEN, DecisionRule.WINNER_K):
        assert type(kind)() is kind
        assert copy.deepcopy(kind) is kind
        assert pickle.loads(pickle.dumps(kind)) is kind
    assert Coding.EVEN != DecisionRule.FIXED and int(Coding.EVEN) == 2


def test_the_register_follows_the_kinds() -> None:
    known = registry()
    assert (known.bits, known.text) == (3, "0 cat, 4 dog")
    assert known.sentence == "walks by itself, or comes along"
    known.register(Tame)
    known.register(Ghost)
    assert (known.bits, known.text) == (3, "0 cat, 4 dog")
    assert [kind.name for kind in known] == ["cat", "dog", "tame_dog", "ghost"] and len(known) == 4
    held = {register.name: register for register in GLOBAL_REGISTERS}
    assert held["coding"].meaning == "input coding: 0 phase, 1 rate, 2 even, 3 analog; only with several codings"
    assert held["rule"].meaning == "decision rule: 0 fixed, 1 winner-k, 2 stable; stable only if built"
    assert held["coding"].bits(None) == 2


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

    name, value = "toy", "somewhere:register"

    def __init__(self, function: Callable[[], object] | Exception) -> None:
        self.function = function

    def load(self) -> Callable[[], object]:
        if isinstance(self.function, Exception):
            raise self.function
        return self.function


@pytest.fixture
def entry_points(monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """Those of the tests' group, to be filled; no other group is asked for."""
    entries: list[Entry] = []

    def asked(group: str) -> list[Entry]:
        assert group == GROUP
        return list(entries)

    monkeypatch.setattr(plugins, "entry_points", asked)
    monkeypatch.setattr(plugins, "_loaded", set())
    return entries


def test_installed_packages_add_kinds_once(entry_points: list[Entry]) -> None:
    known = registry()
    called = []

    def register() -> None:
        called.append(len(known))  # a registry may be asked while it is being filled
        known.register(Tame)

    entry_points.append(Entry(register))
    assert not called
    assert known["tame_dog"] is Tame() and len(known) == 3
    assert called == [2]


def test_a_broken_package_is_named_every_time(entry_points: list[Entry]) -> None:
    known = registry()
    called = []

    def register() -> None:
        called.append(known.register(Tame))

    def fails() -> None:
        raise ValueError("no such animal")

    said = r"^The entry point 'toy = somewhere:register' of group '\S+' cannot be used \({}\); mend its package, or"
    entry_points[:] = [Entry(register), Entry(ImportError("no module 'x'"))]
    for _ in range(2):
        with pytest.raises(ValueError, match=said.format("ImportError: no module 'x'")):
            known["cat"]
    entry_points[1] = Entry(fails)
    with pytest.raises(ValueError, match=said.format("ValueError: no such animal")):
        list(known)
    del entry_points[1]
    assert [kind.name for kind in known] == ["cat", "dog", "tame_dog"]
    assert called == [Tame()] * 4  # what is registered again is no second one
