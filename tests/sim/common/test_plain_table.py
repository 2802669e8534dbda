from __future__ import annotations

from xml.etree import ElementTree

from spikeloom.sim.common.plain_table import html_table, text_table


def test_values_stand_below_one_another_and_long_ones_are_wrapped() -> None:
    lines = text_table("A <title>", [("a", "1"), ("longer", "word " * 40)], "Note.").splitlines()
    assert lines[:2] == ["A <title>", "  a       1"] and lines[-1] == "Note."
    assert lines[2].startswith("  longer  word word") and all(len(line) <= 100 for line in lines)
    assert lines[3].startswith(" " * 10 + "word") and " ".join(lines).count("word") == 40
    assert text_table("Empty", [("a", "")]) == "Empty\n  a"


def test_the_table_is_well_formed_and_its_texts_are_escaped() -> None:
    text = html_table("<b>x</b>", [("a & b", '<script src="y">')], "<i>")
    table = ElementTree.fromstring(text)
    assert table.tag == "table" and [child.tag for child in table] == ["caption", "tbody"]
    assert ["".join(part.itertext()) for part in table.iter() if part.tag in ("caption", "th", "td")] == [
        "<b>x</b>", "a & b", '<script src="y">', "<i>",
    ]  # fmt: skip
    assert "src=" not in text.replace("src=&quot;y&quot;", "") and "<script" not in text
