from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeloom.sim.chip.origin import Origin
from spikeloom.sw.common.errors import FileError
from spikeloom.sw.verify.result_file import load_result, save_result
from tests.fixtures.synthetic import make_chip, make_result


@pytest.mark.parametrize("cycles", [False, True])
def test_a_result_comes_back_and_its_file_is_reproducible(tmp_path: Path, cycles: bool) -> None:
    result = make_result(make_chip(), 9, cycles=cycles)
    if cycles:
        origin = Origin("chip", np.arange(9 * 16, dtype=np.uint8).reshape(9, 16), "icarus", {"gap_max": 4})
        result = replace(result, gaps=np.arange(9), origin=origin)
    save_result(tmp_path / "a.npz", result, values=123)
    save_result(tmp_path / "b.npz", result, values=123)
    again, values = load_result(tmp_path / "a.npz")
    assert values == 123 and result.compare(again) > 0
    assert (again.cycles is not None) == cycles
    if result.cycles is not None:
        assert np.array_equal(result.cycles, again.cycles)
        assert again.gaps is not None and again.gaps.tolist() == list(range(9))
        assert again.origin is not None and np.array_equal(again.origin.images, origin.images)
        assert (again.origin.chip, again.origin.simulator) == ("chip", "icarus")
        assert again.origin.through_bus == {"gap_max": 4}
    else:
        assert again.origin is None
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save_result(path, make_result(make_chip(), 9))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FileError, match=r"a\.npz' is not a result of SpikeLoom, or damaged"):
        load_result(path)
    with pytest.raises(FileError, match="missing"):
        load_result(tmp_path / "missing.npz")
