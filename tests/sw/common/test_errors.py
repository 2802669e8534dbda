"""Warnings: where they point to in a program, and how the command line shows them."""

from __future__ import annotations

import warnings
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from spikeloom.sw.cli.command import Commands
from spikeloom.sw.common.errors import SpikeLoomWarning, warn


def test_a_warning_points_to_the_callers_line() -> None:
    with pytest.warns(SpikeLoomWarning, match="surely a slip") as seen:
        warn("This is surely a slip")
    assert seen[0].filename == __file__


@pytest.mark.parametrize("category", [SpikeLoomWarning, UserWarning])
def test_commands_print_own_warnings_as_one_line_each(category: type[Warning]) -> None:
    app = typer.Typer(cls=Commands)

    @app.command()
    def one(times: Annotated[int, typer.Option()] = 2) -> None:
        for _ in range(times):
            warnings.warn("a slip", category, stacklevel=1)

    @app.command()
    def two() -> None:
        pass

    if category is UserWarning:
        with pytest.raises(UserWarning, match="a slip"):
            CliRunner().invoke(app, ["one"], catch_exceptions=False)
        return
    shown = CliRunner().invoke(app, ["one"], catch_exceptions=False)
    assert shown.exit_code == 0
    assert shown.stderr == "Warning: a slip\n"
