"""What a crafted or damaged .loom file says, entry by entry: a sentence of ours, never a text of Python or pydantic."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import spikeloom
from spikeloom.sw.chip import Chip
from spikeloom.sw.common.errors import ConfigError, WeightImageError
from spikeloom.sw.weight_image.file import VERSION, pack, unpack
from tests.sw.weight_image.test_file import CHIP, convolutional, joined, parts_of

REMEDY = "; take a complete copy, or compile the chip again"
FOREIGN = re.compile(
    r"object|subscript|argument|not supported|invalid literal|validation error|Input should|pydantic|indices|"
    r"Value error|another form"
)
CONTENTS = {
    "dense": pack(CHIP.programmed, CHIP.config, CHIP.provenance, CHIP.findings, CHIP.notes),
    "maps": pack(convolutional(), CHIP.config),
}


def crafted(content: bytes, change: Callable[[dict[str, Any]], Any], version: str = str(VERSION)) -> bytes:
    """The file with another JSON text and the checksum that fits it."""
    metadata, chip = parts_of(content)
    change(chip)
    return joined(content, metadata, chip, version)


def test_the_page_describes_the_version_that_is_written() -> None:
    page = (Path(__file__).parents[3] / "docs/weight-image.md").read_text(encoding="utf-8")
    assert re.findall(r"^## Format, version (\d+)$", page, re.M) == [str(VERSION)]
    assert re.findall(r"^\| `version` \| `(\d+)` \|$", page, re.M) == [str(VERSION)]
    (written, read) = re.findall(r"weight image of version (\d+), but this program reads versions up to (\d+)", page)[0]
    assert int(written) > int(read) == VERSION


def places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all entries, of a list the first."""
    for key in values if isinstance(values, dict) else range(min(1, len(values))) if isinstance(values, list) else ():
        yield (*path, key)
        yield from places(values[key], (*path, key))


@pytest.mark.parametrize(
    ("which", "bad"),
    [
        ("dense", "x"),
        *(
            pytest.param(which, bad, marks=pytest.mark.slow)
            for which, bad in (
                ("dense", None),
                ("dense", "missing"),
                ("maps", "x"),
                ("maps", None),
                ("maps", "missing"),
            )
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*usual")
def test_every_entry_that_is_none_is_a_sentence(which: str, bad: Any) -> None:
    content = CONTENTS[which]
    refused = 0
    for path in list(places(parts_of(content)[1])):

        def change(chip: Any, path: tuple[Any, ...] = path) -> None:
            for key in path[:-1]:
                chip = chip[key]
            if bad == "missing":
                del chip[path[-1]]
            else:
                chip[path[-1]] = bad

        try:
            unpack(crafted(content, change), "x")
        except WeightImageError as error:
            refused += 1
            sentence = str(error)
            if (
                path in (("coding",), ("rule",), ("config", "data", "set"))
                and isinstance(bad, str)
                and bad != "missing"
            ):  # a kind of others
                assert "which is not registered; import the module" in sentence
                continue
            assert sentence.startswith("The weight image 'x' is damaged: ") and sentence.endswith(REMEDY), path
            assert not FOREIGN.search(sentence), (path, sentence)
    assert refused > 30


@pytest.mark.parametrize("version", ["0", "abc", "", "-1", "1e3", " 7"])
def test_a_version_that_is_none_is_named(version: str) -> None:
    with pytest.raises(WeightImageError) as caught:
        unpack(crafted(CONTENTS["dense"], lambda chip: None, version), "x")
    assert (
        str(caught.value)
        == f"The weight image 'x' is damaged: its version must be 1 .. {VERSION}, not {version!r}{REMEDY}"
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda chip: chip.update(seed="x"), "seed of the chip must be a whole number, not 'x'"),
        (lambda chip: chip["config"].update(seed="x"), "in its configuration seed must be a whole number, not 'x'"),
        (lambda chip: chip["device"].update(bits=9), "[device] bits must be at most 6, not 9"),
        (lambda chip: chip["device"].update(bitz=9), "Unknown key 'bitz' in [device]; did you mean 'bits'?"),
        (lambda chip: chip["device"].update(g_min_S=1.0), "[device] g_max_S (1e-05) must be above g_min_S (1.0)"),
        (lambda chip: chip.update(clock_Hz=-1), "Programmed chip: clock_Hz must be a positive number, not -1"),
        (lambda chip: chip.update(coding=9), "coding of the chip must be one of 0, 1, 2, 3, not 9"),
        (lambda chip: chip.update(rows=3), "the chip has 'rows', which is no entry of it"),
        (lambda chip: chip["layers"].append(chip["layers"][0]), "the array 'layers.3.positive' must be uint8, but is"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*usual")
def test_what_is_wrong_is_named_with_what_is_allowed(change: Callable[[dict[str, Any]], Any], sentence: str) -> None:
    with pytest.raises(WeightImageError, match="^" + re.escape(f"The weight image 'x' is damaged: {sentence}")):
        unpack(crafted(CONTENTS["dense"], change), "x")


@pytest.mark.parametrize(
    ("table", "values", "sentence"),
    [
        ("device", {"bits": 3}, "[device] bits is 3 in its configuration, but 4 in its chip"),
        ("device", {"read_sigma": 0.5}, "[device] read_sigma is 0.5 in its configuration, but 0.01 in its chip"),
        ("energy", {"sample_J": [1e-15] * 3}, "[energy] sample_J is (1e-15, 1e-15, 1e-15) in its configuration, but ("),
        (
            "programming",
            {"method": "write-verify"},
            "[programming] method is 'write-verify' in its configuration, but 'direct'",
        ),
        ("decision", {"t_max": 7}, "[decision] t_max is 7 in its configuration, but 8 in its chip"),
        ("hardware", {"clock_Hz": 2e8}, "[hardware] clock_Hz is 200000000.0 in its configuration, but 100000000.0 in"),
        ("", {"seed": 99}, "seed is 99 in its configuration, but 1 in its chip"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    table: str, values: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.loom"

    def change(chip: dict[str, Any]) -> None:
        home = chip["config"][table] if table else chip["config"]
        assert json.dumps({**home, **values}) != json.dumps(home)
        home.update(values)

    path.write_bytes(crafted(CONTENTS["dense"], change))
    with pytest.raises(WeightImageError) as caught:
        spikeloom.load(path)
    assert str(caught.value).startswith(f"The weight image '{path}' contradicts itself: {sentence}")
    assert str(caught.value).endswith("; compile the chip again")


def test_a_chip_with_the_configuration_of_another_is_not_saved(tmp_path: Path) -> None:
    chip = Chip(CHIP.programmed, CHIP.config.updated({"device": {"bits": 3}}))
    with pytest.raises(
        ConfigError, match=r"^tiny: \[device\] bits is 3 in its configuration, but 4 in its chip; save a"
    ):
        chip.save(tmp_path / "a.loom")
    assert not (tmp_path / "a.loom").exists()


def test_settings_that_do_nothing_are_no_contradiction(tmp_path: Path) -> None:
    """Such as the pulses of a chip whose levels are set at once, in a file of an older version."""
    programmed = replace(CHIP.programmed, programming=CHIP.programmed.programming.model_copy(update={"tries": 9}))
    assert spikeloom.load(Chip(programmed, CHIP.config).save(tmp_path / "a.loom")).programmed.programming.tries == 9
