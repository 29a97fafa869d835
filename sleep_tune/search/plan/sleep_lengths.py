"""How a run spends its budget under each length of sleep of a space: passes awake, words asleep, folds, exposures."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import to_dict
from sleep_tune.errors import BudgetError, ConfigError
from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.arm_settings import arm_settings, found_first
from sleep_tune.search.space.budget_check import MOST_SETTINGS, planned_parameters
from sleep_tune.search.space.search_space import BEST, CorpusSummary, Space
from sleep_tune.search.space.settings import list_settings
from sleep_tune.search.space.trial_configs import plan_run, with_settings
from sleep_tune.sleep.budget import SleepPlan

__all__ = ["SleepLength", "arms_of", "lengths_of"]


@dataclass(frozen=True, slots=True)
class SleepLength:
    """One length of sleep, and ranges over the other settings."""

    name: str
    """'sleep.length.passes = 1', 'baseline epochs', 'arm strict'."""
    passes: str
    """Passes awake: '1', or '3.2 to 6.7'."""
    sleep: str
    """Words asleep per word awake, or '2 replays' of each buffer; 'none' without sleep."""
    folds: str
    """Folds in a pass: '10', or '5 to 100'."""
    exposures: str
    """About the most times that a sample is seen: '10', or '22 to 57'; '?' if that is not known."""
    not_possible: float
    """Share of the combinations of other settings that need more than the budget, in [0, 1]."""


def lengths_of(space: Space, base: RunConfig, corpus: CorpusSummary) -> tuple[SleepLength, ...]:
    """Return a line for each searched value of sleep.length.*; one line if none is searched, none without a search."""
    if space.stop.trials == 0:
        return ()
    plans: dict[tuple[str, Value], list[SleepPlan | None]] = {}
    for chosen in islice(list_settings(planned_parameters(space.parameters), corners=True), MOST_SETTINGS):
        try:
            plan = plan_run(with_settings(to_dict(base), chosen), corpus, space.resources.workers)
        except (BudgetError, ConfigError):
            plan = None
        lengths = [item for item in chosen.items() if item[0].startswith("sleep.length")]
        for item in lengths or [("as in base", None)]:
            plans.setdefault(item, []).append(plan)
    return tuple(_length(_name(*item), plans[item]) for item in sorted(plans, key=_order))


def arms_of(space: Space, base: RunConfig, corpus: CorpusSummary) -> tuple[SleepLength, ...]:
    """Return a line for each baseline, and each arm but controls and those like the best trial."""
    lines = []
    for name in (*space.baselines, *space.arms):
        if name in space.baselines or (space.arms[name].matched is None and found_first(space, name) != BEST):
            tree = with_settings(to_dict(base), arm_settings(space, name) or {})
            kind = "baseline" if name in space.baselines else "arm"
            lines.append(_length(f"{kind} {name}", [plan_run(tree, corpus, space.resources.workers)]))
    return tuple(lines)


def _length(name: str, plans: list[SleepPlan | None]) -> SleepLength:
    fitting = [plan for plan in plans if plan is not None]
    not_possible = 1 - len(fitting) / len(plans)
    if not fitting:
        return SleepLength(name, "not possible", "", "", "", not_possible)
    passes = _range(
        plan.passes if plan.passes is not None or plan.sleeps else plan.budget_words / plan.corpus_words
        for plan in fitting
    )
    ratios = _range(float(plan.ratio) for plan in fitting if plan.ratio is not None)
    repeats = _range(plan.repeats for plan in fitting if plan.repeats is not None)
    replayed = f"{repeats} replays" if repeats else ""
    sleep = " or ".join(text for text in (ratios, replayed) if text)
    folds = _range(plan.folds for plan in fitting)
    exposures = _range(plan.largest_exposures for plan in fitting)
    asleep = any(plan.sleeps for plan in fitting)
    return SleepLength(name, passes, sleep if asleep else "none", folds if asleep else "", exposures, not_possible)


def _range(values: Iterable[float | None]) -> str:
    """Return '3', '3.2 to 6.7'; '?' if it depends on what is replayed."""
    found = list(values)
    known = [value for value in found if value is not None]
    if not known:
        return "?" if found else ""
    low, high = (f"{end:.4g}" if end < 10_000 else f"{end:,.0f}" for end in (min(known), max(known)))
    return low if low == high else f"{low} to {high}"


def _name(key: str, value: Value) -> str:
    return key if value is None else f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}"


def _order(item: tuple[str, Value]) -> tuple[str, float]:
    key, value = item
    return key, float(value) if isinstance(value, int | float) else 0.0
