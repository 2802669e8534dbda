"""A terminal that has no other characters than those of ASCII."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "spikeloom", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", [("run", "--help"), ("cosim", "--help")])
def test_help_has_question_marks_in_their_place(command: tuple[str, ...]) -> None:
    done = run(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Examples: spikeloom" in done.stdout and " ? spikeloom" in done.stdout


def test_an_error_says_what_was_given() -> None:
    done = run("report", "münster.toml")
    assert done.returncode == 2 and "nster.toml: there is no such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_keeps_every_character() -> None:
    code = "from spikeloom.sw.cli.console import print_json; print_json({'text': 'µ \\N{GREEK SMALL LETTER PI}'})"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"text": "µ π"} and done.stdout.isascii()
