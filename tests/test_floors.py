"""The floors of hw, sim and sw: pictures of docs/architecture.md are those of the contract that `make lint` checks."""

from __future__ import annotations

import pytest

from docs.pictures.floors import ROOT, TREES, floors, picture, purpose, target


@pytest.mark.parametrize("tree", TREES)
def test_pictures_are_up_to_date(tree: str) -> None:
    assert target(tree).read_text(encoding="utf-8") == picture(tree), "write them anew: python -m docs.pictures.floors"


@pytest.mark.parametrize("tree", TREES)
def test_every_room_is_on_one_floor(tree: str) -> None:
    rooms = [room for floor in floors(tree) for room in floor]
    there = {path.stem for path in (ROOT / tree).iterdir() if (path / "__init__.py").exists() or path.suffix == ".py"}
    assert sorted(rooms) == sorted(there - {"__init__"})


@pytest.mark.parametrize("tree", TREES)
def test_the_architecture_page_shows_the_floors(tree: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert f"(pictures/{target(tree).name})" in page


def test_a_room_that_is_not_there_is_an_error() -> None:
    with pytest.raises(
        ValueError, match=r"^The contract of hw has a room 'attic', but there is no such folder or file$"
    ):
        purpose("hw", "attic")
