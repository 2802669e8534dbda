from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from spikeloom.sim.chip.result import Mismatch
from spikeloom.sw.cli.main import app
from spikeloom.sw.experiments.winner_k import flow as paper_flow


def call(*arguments: str, code: int) -> Result:
    result = CliRunner().invoke(app, ["paper", *arguments])
    assert result.exit_code == code, result.output
    return result


def test_without_mnist_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    missing = tmp_path / "nowhere"
    result = call("winner-k", "--data", str(missing), "--output", str(tmp_path / "out"), code=2)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and str(missing) in errors[0] and "--quick" in errors[0]


def test_other_papers_and_seeds_are_refused(tmp_path: Path) -> None:
    assert "winner-k" in call("spikes", code=2).stderr
    assert "seeds" in call("winner-k", "--seeds", "0", "--output", str(tmp_path), code=2).stderr


def test_a_difference_of_the_verilog_is_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def differ(*_: object) -> list[Path]:
        raise Mismatch("image 3 has class 1 in the reference and 2 in the Verilog")

    monkeypatch.setattr(paper_flow, "make_steps", lambda experiment: (_step(differ),))
    assert "image 3" in call("winner-k", "--quick", "--output", str(tmp_path), code=1).stderr


def test_a_folder_that_cannot_be_written_is_noticed_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    monkeypatch.setattr(paper_flow, "make_steps", lambda experiment: (_step(done.append),))
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick" / "verilog").write_text("mine")
    for output, named in (tmp_path, "quick/verilog"), (tmp_path / "quick" / "verilog", "quick/verilog"):
        assert named in call("winner-k", "--quick", "--output", str(output), code=2).stderr and not done


def _step(run: object) -> object:
    from spikeloom.sw.flow.flow import Step

    return Step("verilog", "", (), (), lambda flow: None, run)  # type: ignore[arg-type]
