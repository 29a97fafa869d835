"""What each length of sleep would do to a run, over all that the other choices may be. Arithmetic on the space."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import to_dict
from sleep_tune.errors import BudgetError, ConfigError
from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.budget_check import MOST, planned
from sleep_tune.search.space.search_space import CorpusSummary, Space, settings
from sleep_tune.search.space.trial_configs import baseline_settings, plan_run, with_settings
from sleep_tune.sleep.budget import SleepPlan

__all__ = ["Length", "baselines_of", "lengths_of"]


@dataclass(frozen=True, slots=True)
class Length:
    """A way to sleep, and the passes it leaves."""

    name: str
    """'sleep.length.passes = 1'; or that of a baseline."""
    passes: str
    """How often the corpus is read awake: '1', or '3.2 to 6.7' as the other choices have it."""
    sleep: str
    """Words asleep per word awake, or '2 replays' of each buffer; 'none' without sleep."""
    folds: str
    """Folds in a pass."""
    unfit: float
    """Share of the combinations of the other choices that the budget cannot hold, in [0, 1]."""


def lengths_of(space: Space, base: RunConfig, corpus: CorpusSummary) -> tuple[Length, ...]:
    """What each value of an option of sleep's length would do; one line for all where none is searched."""
    plans: dict[tuple[str, Value], list[SleepPlan | None]] = {}
    for chosen in islice(settings(planned(space.parameters), corners=True), MOST):
        try:
            plan = plan_run(with_settings(to_dict(base), chosen), corpus, space.resources.workers)
        except (BudgetError, ConfigError):
            plan = None
        lengths = [item for item in chosen.items() if item[0].startswith("sleep.length")]
        for item in lengths or [("as in base", None)]:
            plans.setdefault(item, []).append(plan)
    return tuple(_length(_name(*item), plans[item]) for item in sorted(plans, key=_order))


def baselines_of(space: Space, base: RunConfig, corpus: CorpusSummary) -> tuple[Length, ...]:
    """What the runs of each baseline would do."""
    told = []
    for name in space.baselines:
        tree = with_settings(to_dict(base), baseline_settings(name))
        told.append(_length(name, [plan_run(tree, corpus, space.resources.workers)]))
    return tuple(told)


def _length(name: str, plans: list[SleepPlan | None]) -> Length:
    fitting = [plan for plan in plans if plan is not None]
    unfit = 1 - len(fitting) / len(plans)
    if not fitting:
        return Length(name, "does not fit", "", "", unfit)
    passes = _range(
        plan.passes if plan.passes is not None or plan.sleeps else plan.budget_words / plan.corpus_words
        for plan in fitting
    )
    ratios = _range(float(plan.ratio) for plan in fitting if plan.ratio is not None)
    repeats = _range(plan.repeats for plan in fitting if plan.repeats is not None)
    replayed = f"{repeats} replays" if repeats else ""
    sleep = " or ".join(text for text in (ratios, replayed) if text)
    folds = _range(plan.folds for plan in fitting)
    asleep = any(plan.sleeps for plan in fitting)
    return Length(name, passes, sleep if asleep else "none", folds if asleep else "", unfit)


def _range(values: Iterable[float | None]) -> str:
    """'3', '3.2 to 6.7'; '?' where only the replay itself would tell."""
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
