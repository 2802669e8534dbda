"""What was learnt and tuned, written and read: the same numbers; damaged files are named."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from spikeloom.sw.common.errors import FileError
from spikeloom.sw.decision.q_learning import LearntQValues
from spikeloom.sw.decision.trajectories import Search
from spikeloom.sw.flow.decision_files import decision_json, load_decision, load_tuned, tuned_json
from tests.fixtures.learnt import make_learnt, make_tuned


def equal(a: object, b: object) -> None:
    for field in fields(a):  # type: ignore[arg-type]
        first, second = getattr(a, field.name), getattr(b, field.name)
        if isinstance(first, np.ndarray):
            assert first.dtype == second.dtype
            np.testing.assert_array_equal(first, second)
        elif isinstance(first, LearntQValues | Search):
            equal(first, second)
        elif field.name != "before":
            assert first == second and type(first) is type(second)


@pytest.mark.parametrize("leads", [True, False])
def test_a_strategy_comes_back(leads, tmp_path):
    before = make_learnt(seed=1, leads=leads)
    learnt = make_learnt(before=before, leads=leads)
    assert (learnt.k is not None) is leads
    (tmp_path / "decision.json").write_text(decision_json(learnt))
    found = load_decision(tmp_path / "decision.json")
    equal(learnt, found)
    assert found.before is not None and found.before.before is None
    equal(before, found.before)
    assert decision_json(found) == decision_json(learnt)


def test_tuned_factors_come_back(tmp_path):
    for tuned in (make_tuned(3), replace(make_tuned(), images=400)):
        (tmp_path / "tuning.json").write_text(tuned_json(tuned))
        assert load_tuned(tmp_path / "tuning.json") == tuned
    unknown = make_tuned(accuracy=float("nan"))
    (tmp_path / "tuning.json").write_text(tuned_json(unknown))
    found = load_tuned(tmp_path / "tuning.json")
    assert np.isnan(found.after.accuracy) and repr(found) == repr(unknown)


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"q_values": {}}', "null", "[" * 100_000])
@pytest.mark.parametrize("load", [load_decision, load_tuned])
def test_damaged_files_are_named(load, content, tmp_path):
    path = tmp_path / "found.json"
    path.write_text(content)
    with pytest.raises(
        FileError,
        match=r"^'.*found.json' is not a (learned decision rule|tuning) of SpikeLoom, or damaged; make it again with",
    ):
        load(path)


@pytest.mark.parametrize("place", ["q_values", "search"])
def test_a_strategy_without_a_part_is_damaged(place, tmp_path):
    values = json.loads(decision_json(make_learnt()))
    del values[place][next(iter(values[place]))]
    (tmp_path / "s.json").write_text(json.dumps(values))
    with pytest.raises(FileError, match=r"is not a learned decision rule of SpikeLoom, or damaged"):
        load_decision(tmp_path / "s.json")


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileError, match=r"^Cannot read '.*none.json': it is not there$"):
        load_decision(tmp_path / "none.json")
