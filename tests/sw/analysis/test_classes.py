from __future__ import annotations

import json

import numpy as np

from spikeloom.sw.analysis.classes import class_summary, confusion_matrix
from spikeloom.sw.analysis.summary import summarise
from tests.fixtures.synthetic import make_chip, make_result

LABELS = np.array([0, 0, 0, 0, 1, 1, 3])
DECIDED = np.array([0, 1, 2, 2, 1, 1, 0], np.int32)


def test_rows_are_labels_and_columns_decisions() -> None:
    assert confusion_matrix(DECIDED, LABELS, 4).tolist() == [[1, 1, 2, 0], [0, 2, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]


def test_accuracy_class_by_class() -> None:
    found = class_summary(DECIDED, LABELS, 4)
    rows = [tuple(row.values()) for row in found["classes"]]
    assert rows == [(0, 4, 1, 0.25, 2, 2), (1, 2, 2, 1.0, None, 0), (2, 0, 0, None, None, 0), (3, 1, 0, 0.0, 0, 1)]
    assert list(found["classes"][0]) == ["class", "images", "right", "accuracy", "taken_for", "taken_for_images"]


def test_the_summary_has_it_only_with_labels() -> None:
    chip = make_chip()
    reference, rtl = make_result(chip, 60), make_result(chip, 20, cycles=True)
    labels = (reference.classes + np.arange(60) % 3) % 10
    found = summarise(chip, reference=reference, rtl=rtl, labels=labels)
    known = found["confusion"]
    assert json.loads(json.dumps(known)) == known
    assert known["level"] == "reference" and known["measured_on"]["count"] == 60
    assert np.sum(known["matrix"]) == 60
    assert np.trace(known["matrix"]) / 60 == found["accuracy"]["reference"] == 1 / 3
    assert sum(row["right"] for row in known["classes"]) == 20
    assert summarise(chip, rtl=rtl, labels=labels)["confusion"]["level"] == "rtl"
    assert summarise(chip, reference=reference)["confusion"] is None
    assert summarise(chip, labels=labels)["confusion"] is None
