"""Step `sensitivity`: assumptions about the paper, changed one at a time, and their effect on OT compared with 99N.

One seed, fewer images than elsewhere, lifetimes by the estimate: for the ratios, not for the values. Every row has a
99N of its own, changed in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sim.lifetime.search import lifetime
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import source_of
from spikeloom.sw.experiments.winner_k.cases import RELU, case
from spikeloom.sw.experiments.winner_k.chips import compile_case
from spikeloom.sw.experiments.winner_k.experiment import Experiment, Images
from spikeloom.sw.experiments.winner_k.lifetimes import THRESHOLD
from spikeloom.sw.experiments.winner_k.networks import other_network
from spikeloom.sw.experiments.winner_k.parts import Parts, plain
from spikeloom.sw.experiments.winner_k.static import static_numbers
from spikeloom.sw.flow.flow import Flow

__all__ = ["ASSUMPTIONS", "Assumption", "measure_sensitivity"]


@dataclass(frozen=True)
class Assumption:
    """One thing changed.

    Parameters
    ----------
    name : for files
    title : what is changed
    both : changes to the configurations of 99N and of OT, table by table
    tuned : further ones to that of OT
    train : changes to the table [train] of the network
    threshold : accuracy at which a lifetime ends
    """

    name: str
    title: str
    both: dict[str, Any]
    tuned: dict[str, Any]
    train: dict[str, Any]
    threshold: float = THRESHOLD


def _changed(
    name: str,
    title: str,
    both: dict[str, Any] | None = None,
    tuned: dict[str, Any] | None = None,
    train: dict[str, Any] | None = None,
    threshold: float = THRESHOLD,
) -> Assumption:
    return Assumption(name, title, both or {}, tuned or {}, train or {}, threshold)


_GIVEN = {"rule": "winner_k", "strategy": "given"}

ASSUMPTIONS = (
    _changed("as-above", "as above, with fewer images"),
    _changed("k2", "k = 2, as the paper's step counts suggest", tuned={"decision": {**_GIVEN, "k": 2.0}}),
    _changed("k3", "k = 3", tuned={"decision": {**_GIVEN, "k": 3.0}}),
    _changed(
        "price",
        "no discount, and a step costs 0.2 instead of 1",
        tuned={"learning": {"discount": 1.0, "reward_step": -0.2}},
    ),
    _changed("unbounded", "equation 6 without a bound on the accuracy", tuned={"tuning": {"accuracy_drop": 1.0}}),
    _changed("untuned", "the learned rule alone (99T)", tuned={"convert": {"tune": False}}),
    _changed("negative", "read pulses of the other sign", both={"device": {"read_polarity": "negative"}}),
    _changed("half-range", "highest level at 12.5 mS, half the range", both={"device": {"g_max_S": 0.0125}}),
    _changed("low-range", "highest level at 2.5 mS, a tenth of the range", both={"device": {"g_max_S": 0.0025}}),
    _changed("wires", "wires of 0.01 ohm from cell to cell", both={"device": {"wire_ohm": 0.01}}),
    _changed("narrow-wires", "wires of 0.1 ohm from cell to cell", both={"device": {"wire_ohm": 0.1}}),
    _changed(
        "bearable",
        "levels of 0.1 to 0.25 mS in tiles of 64 x 16, wires of 1 ohm",
        both={
            "device": {"wire_ohm": 1.0, "g_max_S": 0.00025},
            "crossbar": {"tile_rows": 64, "tile_columns": 16},
        },
    ),
    _changed("short", "pulses of 10 ns", both={"hardware": {"pulse_cycles": 1, "settle_cycles": 1}}),
    _changed("adc", "converters of 16 bits, as good as ideal", both={"crossbar": {"adc_bits": 16}}),
    _changed("spread", "cells with 5 % spread, 1 % noise", both={"device": {"device_sigma": 0.05, "read_sigma": 0.01}}),
    _changed("plain", "network trained without dropout", train={"dropout": 0.0}),
    _changed("eighty", "lifetime until 80 %", threshold=0.80),
    _changed("ninety", "lifetime until 90 %", threshold=0.90),
)


def measure_sensitivity(experiment: Experiment, flow: Flow) -> list[Path]:
    """Steps, energy and lifetime of OT and 99N under every assumption."""
    learn, test = experiment.scale.sensitivity
    validation, tests = experiment.validation().first(learn), experiment.tests().spread(test)
    names = experiment.scale.assumptions
    chosen = [each for each in ASSUMPTIONS if names is None or each.name in names]
    parts = Parts(flow, "sensitivity", (source_of(measure_sensitivity),), len(chosen))
    inputs = [flow.folder / "data/data.json", experiment.network_path(flow, RELU, experiment.seeds[0])]
    rows = []
    for assumption in chosen:

        def work(assumption=assumption):  # type: ignore[no-untyped-def]
            return _row(experiment, flow, assumption, validation, tests)

        facts = [experiment.scale.facts(), vars(assumption), experiment.seeds[0]]
        rows.append(parts.get(assumption.name, facts, inputs, work))
    summary = flow.folder / "sensitivity/sensitivity.json"
    write_atomic(summary, plain(rows))
    return [summary]


def _row(
    experiment: Experiment, flow: Flow, assumption: Assumption, validation: Images, tests: Images
) -> dict[str, Any]:
    """Both chips, measured; and what OT saves."""
    scale, seed = experiment.scale, experiment.seeds[0]
    model = other_network(experiment, flow, RELU, seed, assumption.train)
    found: dict[str, dict[str, Any]] = {}
    for name, more in (("99N", {}), ("OT", assumption.tuned)):
        config = scale.config(case(name), seed, _merged(assumption.both, more))
        chip = compile_case(experiment, model, config, validation)
        programmed = chip.programmed
        fresh = static_numbers(programmed, tests)
        end = lifetime(
            programmed, tests.pixels, tests.labels, assumption.threshold, tolerance=0.04, limit=scale.most_images
        )
        found[name] = {
            "k": programmed.k if case(name).changes["decision"]["rule"] == "winner_k" else None,
            **{key: fresh[key] for key in ("accuracy", "steps_mean", "crossbar_energy_J")},
            "lifetime_images": end.images,
            "factors": None if chip.tuned is None else list(chip.tuned.factors),
        }
    base, ours = found["99N"], found["OT"]
    ended = base["lifetime_images"] and ours["lifetime_images"]
    return {
        "name": assumption.name,
        "assumption": assumption.title,
        "cases": found,
        "steps_saved": 1.0 - ours["steps_mean"] / base["steps_mean"],
        "energy_saved": 1.0 - ours["crossbar_energy_J"] / base["crossbar_energy_J"],
        "lifetime_factor": ours["lifetime_images"] / base["lifetime_images"] if ended else None,
        "accuracy_change": ours["accuracy"] - base["accuracy"],
        "images": int(np.size(tests.labels)),
    }


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    tables = {key: dict(value) for key, value in first.items()}
    for key, value in second.items():
        tables[key] = {**tables.get(key, {}), **value}
    return tables
