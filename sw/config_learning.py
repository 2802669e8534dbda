"""What the tables [decision], [learning], [convert] and [tuning] do not go together in."""

from __future__ import annotations

from sw.sections import DecisionSection, LearningSection, Section, TuningSection

__all__ = ["learning_problems"]


def learning_problems(
    decision: DecisionSection, learning: LearningSection, tune: bool, tuning: TuningSection
) -> list[str]:
    """One sentence a problem: fields that would do nothing, and values that contradict one another."""
    problems = []
    if decision.strategy == "learned":
        default = DecisionSection.model_fields["k"].default
        if decision.rule != "winner_k":
            problems.append(
                f"[decision] rule must be 'winner_k' with strategy 'learned', which learns its k, not {decision.rule!r}"
            )
        if decision.k != default:
            problems.append(
                f"[decision] k must be {default!r}, the default, with strategy 'learned', which finds k itself, not "
                f"{decision.k!r}"
            )
        if not learning.reward_correct > learning.reward_wrong:
            problems.append(
                f"[learning] reward_correct must be above reward_wrong ({learning.reward_wrong!r}), not "
                f"{learning.reward_correct!r}"
            )
        if learning.epsilon_min > learning.epsilon:
            problems.append(
                f"[learning] epsilon_min must be at most epsilon ({learning.epsilon!r}), not {learning.epsilon_min!r}"
            )
    else:
        problems += _unused("learning", learning, "[decision] strategy 'given', which learns nothing")
    if not tune:
        problems += _unused("tuning", tuning, "[convert] tune false, which tunes nothing")
    elif tuning.relearn and decision.strategy != "learned":
        problems.append("[tuning] relearn must be false with [decision] strategy 'given', which learns nothing")
    return problems


def _unused(table: str, section: Section, reason: str) -> list[str]:
    """Fields that are set, and would do nothing."""
    changed = [
        (name, field.default, getattr(section, name))
        for name, field in type(section).model_fields.items()
        if getattr(section, name) != field.default
    ]
    return [f"[{table}] {name} must be {default!r} with {reason}, not {value!r}" for name, default, value in changed]
