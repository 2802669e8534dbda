"""Errors that a user meets have one base and one place, and the base tells them from faults of the program."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

import spikeloom
import spikeloom.hw
import spikeloom.sim
import spikeloom.sw
from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.sim.common.slips import SpikeLoomWarning

NOT_THE_USERS = {
    "spikeloom.hw.export.processes.Stopped": "what asked for the end of a program is told that it has ended",
    "spikeloom.sw.common.ending.Terminated": "a signal, which no `except Exception` may keep from ending a command",
    "spikeloom.sw.common.source_modules.SourceError": "a source that the program itself names is not there",
}
"""Public exceptions that no input causes, and why they are none of the user's."""
NOT_IMPORTED = ("spikeloom.sim.cosim.npu_tb", "spikeloom.sim.cosim.host.host_tb")
"""Benches, which run in a simulator."""


def _exceptions() -> Iterator[tuple[str, type[BaseException]]]:
    """Every exception class that a module of the program defines."""
    for tree in (spikeloom.hw, spikeloom.sim, spikeloom.sw):
        for found in pkgutil.walk_packages(tree.__path__, f"{tree.__name__}."):
            if found.name in NOT_IMPORTED:
                continue
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                if inspect.isclass(value) and issubclass(value, BaseException) and value.__module__ == found.name:
                    yield f"{found.name}.{name}", value


EXCEPTIONS = dict(_exceptions())


def test_every_public_error_derives_from_the_base_and_is_in_the_public_module() -> None:
    public = {name: value for name, value in EXCEPTIONS.items() if not name.rpartition(".")[2].startswith("_")}
    assert set(NOT_THE_USERS) <= set(public) and len(public) > 20
    for name, value in public.items():
        if name in NOT_THE_USERS:
            assert not issubclass(value, SpikeLoomError | SpikeLoomWarning), name
            continue
        assert issubclass(value, SpikeLoomWarning if issubclass(value, Warning) else SpikeLoomError), name
        assert getattr(spikeloom.errors, value.__name__, None) is value, f"{name} is not in spikeloom.errors"
    listed = {getattr(spikeloom.errors, name) for name in spikeloom.errors.__all__}
    assert listed == {value for name, value in public.items() if name not in NOT_THE_USERS}


def test_private_exceptions_are_no_errors_of_the_user() -> None:
    private = [value for name, value in EXCEPTIONS.items() if name.rpartition(".")[2].startswith("_")]
    assert private and not any(issubclass(value, SpikeLoomError) for value in private)


def test_old_ways_to_catch_an_error_still_do() -> None:
    with pytest.raises(ValueError, match=r"^There is no weight image 'missing\.loom'$") as raised:
        spikeloom.load("missing.loom")
    assert raised.type is spikeloom.errors.FileError
    with pytest.raises(TypeError, match=r"^The weight image must be a path") as raised_type:
        spikeloom.load(5)  # type: ignore[arg-type]
    assert raised_type.type is ArgumentTypeError and issubclass(ArgumentTypeError, SpikeLoomError)


def test_errors_are_there_after_importing_the_package_and_imported_when_asked_for() -> None:
    code = (
        "import spikeloom, sys; assert 'spikeloom.errors' not in sys.modules; spikeloom.errors.FileError;"
        "assert not {'torch', 'numba', 'scipy', 'cocotb'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_everything_that_the_package_names_is_there() -> None:
    for name in spikeloom.__all__:
        assert getattr(spikeloom, name) is not None
    assert spikeloom.load_data("digits").classes == 10
