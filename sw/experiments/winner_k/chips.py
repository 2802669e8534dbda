"""Step `chips`: every case's chip of every seed, as `spikeloom.compile` makes it, with what learning and tuning
found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from spikeloom.hw.params.parameters import DecisionRule
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import source_of
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.config.config import Config
from spikeloom.sw.decision.learn_rule import LearntRule
from spikeloom.sw.diagnostics.pipeline import compile_diagnosed
from spikeloom.sw.experiments.winner_k.cases import Case
from spikeloom.sw.experiments.winner_k.experiment import Experiment, Images
from spikeloom.sw.experiments.winner_k.networks import load_network
from spikeloom.sw.experiments.winner_k.parts import Parts, plain
from spikeloom.sw.flow.decision_files import decision_json, load_decision, load_tuned, tuned_json
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.passes.tune import Tuned
from spikeloom.sw.weight_image.file import save

__all__ = ["compile_case", "learnt_rule", "make_chips", "tuned_factors"]


def make_chips(experiment: Experiment, flow: Flow) -> list[Path]:
    """Compile every case of every seed."""
    parts = Parts(flow, "chips", (source_of(make_chips),), len(experiment.seeds) * len(experiment.cases))
    rows: list[dict[str, Any]] = []
    paths: list[Path] = []
    for seed in experiment.seeds:
        for case in experiment.cases:
            config = experiment.scale.config(case, seed)
            path = experiment.chip_path(flow, case, seed)
            learns, tunes = config.decision.strategy == "learned", config.convert.tune
            kept = [path, *([_decision_file(path)] if learns else []), *([_tuning(path)] if tunes else [])]

            def work(case=case, seed=seed, path=path, config=config):  # type: ignore[no-untyped-def]
                model = load_network(experiment, flow, case.network, seed)
                chip = compile_case(experiment, model, config, experiment.validation())
                path.parent.mkdir(parents=True, exist_ok=True)
                save(chip, path)
                if chip.learnt_rule is not None:
                    write_atomic(_decision_file(path), decision_json(chip.learnt_rule))
                if chip.tuned is not None:
                    write_atomic(_tuning(path), tuned_json(chip.tuned))
                return {
                    "case": case.name,
                    "seed": seed,
                    "k": chip.programmed.k if chip.programmed.rule == DecisionRule.WINNER_K else None,
                    "factors": None if chip.tuned is None else list(chip.tuned.factors),
                    "search_best": None if chip.learnt_rule is None else chip.learnt_rule.search.best,
                    "converged": None if chip.learnt_rule is None else chip.learnt_rule.q_values.converged,
                }

            inputs = [flow.folder / "data/data.json", experiment.network_path(flow, case.network, seed)]
            name, facts = f"{case.slug}-{seed}", config.model_dump(mode="json")
            rows.append(parts.get(name, facts, inputs, work, tuple(kept)))
            paths += kept
    summary = flow.folder / "chips/chips.json"
    write_atomic(summary, plain(rows))
    return [*paths, summary]


def compile_case(experiment: Experiment, model: nn.Module, config: Config, validation: Images) -> Compiled:
    """The chip of a configuration; validation images go to it where something is to be learned or tuned."""
    chosen = config.decision.strategy == "learned" or config.convert.tune
    held_out = (validation.pixels, validation.labels) if chosen else None
    return compile_diagnosed(model, experiment.calibration(), config, held_out)


def learnt_rule(experiment: Experiment, flow: Flow, case: Case, seed: int) -> LearntRule:
    """How a chip's k was learned."""
    return load_decision(_decision_file(experiment.chip_path(flow, case, seed)))


def tuned_factors(experiment: Experiment, flow: Flow, case: Case, seed: int) -> Tuned:
    """How a chip's thresholds were tuned."""
    return load_tuned(_tuning(experiment.chip_path(flow, case, seed)))


def _decision_file(chip: Path) -> Path:
    return chip.with_suffix(".decision.json")


def _tuning(chip: Path) -> Path:
    return chip.with_suffix(".tuning.json")
