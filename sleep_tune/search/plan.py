"""`--plan`: what a search would run, before anything is started. Arithmetic on the space and the corpus alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import to_dict
from sleep_tune.errors import BudgetError, ConfigError
from sleep_tune.search.asha import num_kept, rungs_of
from sleep_tune.search.configs import baseline_settings, plan_run, with_settings
from sleep_tune.search.fitting import budget_words, check_fits, planned
from sleep_tune.search.space import Choice, CorpusSummary, Space, Value, settings
from sleep_tune.sleep.budget import SleepPlan

__all__ = ["Plan", "RungPlan", "expected_at_rungs", "make_plan", "num_weights"]

BYTES_PER_WEIGHT = 4
"""Of a saved model (32-bit)."""

BYTES_PER_TRAINED_WEIGHT = 12
"""Of a checkpoint: the weight and AdamW's two moments."""


@dataclass(frozen=True, slots=True)
class RungPlan:
    """A rung, and how many search trials are expected to reach it."""

    share: float
    words: int
    trials: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would run."""

    name: str
    budget_words: int
    corpus: CorpusSummary
    slots: int | None
    """Trials at the same time; None where no cluster was asked."""
    trials: int | None
    """Search trials, at most; None when only time ends the search."""
    limits: str
    """What ends the search, in words."""
    rungs: tuple[RungPlan, ...]
    """Ascending; the last is the whole budget. Counted for the most trials, or for one when there is no limit."""
    within: str | None
    arms: dict[str, str]
    """Baseline -> what its runs do."""
    values: dict[str, str]
    """'option = value' -> what a run with it does."""
    repeats: int
    """Runs over fresh seeds: baselines and finalists."""
    tuning: int
    """Trials of the baselines' own searches."""
    words: int
    """Expected in total."""
    disk_bytes: int
    """Models and checkpoints, at most."""

    def lines(self) -> Iterator[str]:
        """For people."""
        corpus = f"{self.corpus.words:,} words in {self.corpus.samples:,} samples"
        yield f"study {self.name}: a corpus of {corpus}; every run sees {self.budget_words:,} words"
        yield f"search: {self.limits}" + (f"; compared within {self.within}" if self.within else "")
        for rung in self.rungs:
            yield f"  {rung.share:>4.0%} of the budget, {rung.words:>13,} words: about {rung.trials:.0f} trials"
        for value, told in self.values.items():
            yield f"  {value}: {told}"
        for name, told in self.arms.items():
            yield f"baseline {name}: {told}"
        if self.tuning:
            yield f"tuning of baselines: {self.tuning} trials"
        yield f"over fresh seeds: {self.repeats} runs of baselines and finalists"
        slots = "as many slots as the cluster holds" if self.slots is None else f"{self.slots} at a time"
        yield f"in all about {self.words:,} words, {slots}; up to {self.disk_bytes / 1e9:.2g} GB on disk"
        yield "nothing was started"

    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines())


def make_plan(space: Space, base: RunConfig, corpus: CorpusSummary, *, slots: int | None = None) -> Plan:
    """Plan a search.

    Args:
        space: the study.
        base: what `space.base` composes to.
        corpus: what every trial reads.
        slots: trials at the same time, where a cluster has been asked.

    Raises:
        BudgetError: a baseline or a choice that the budget can never hold.
    """
    check_fits(space, base, corpus)
    budget = budget_words(base, corpus)
    trials = space.stop.trials
    shares = (*rungs_of(space.scheduler), 1.0)
    groups = _num_groups(space)
    tuning = sum(baseline.trials or 0 for baseline in space.baselines.values())
    expected = expected_at_rungs(trials or 1, len(shares), space.scheduler.reduction, groups)
    rungs = tuple(
        RungPlan(share, round(share * budget), number) for share, number in zip(shares, expected, strict=True)
    )
    finalists = min(space.finalists.count, trials or space.finalists.count)
    repeats = space.finalists.seeds * (len(space.baselines) + finalists)
    steps = zip((0.0, *shares), shares, expected, strict=False)
    search_words = sum((after - before) * number * budget for before, after, number in steps)
    num_runs = (trials or 1) + tuning + repeats
    return Plan(
        name=space.name,
        budget_words=budget,
        corpus=corpus,
        slots=slots,
        trials=trials,
        limits=_limits(space),
        rungs=rungs,
        within=space.scheduler.within if len(shares) > 1 else None,
        arms={name: _baseline(base, corpus, space, name) for name in space.baselines},
        values=dict(_values(space, base, corpus)),
        repeats=repeats,
        tuning=tuning,
        words=round(search_words) + (tuning + repeats) * budget,
        disk_bytes=num_runs * num_weights(base) * (BYTES_PER_WEIGHT + BYTES_PER_TRAINED_WEIGHT),
    )


def expected_at_rungs(trials: int, num_rungs: int, reduction: float, groups: int = 1) -> list[float]:
    """How many of `trials` reach each of the rungs, when their values come in random order.

    The i-th arrival at a rung goes on with probability num_kept(i) / i.

    Args:
        trials: asked for in all.
        num_rungs: the end of the budget included.
        reduction: eta.
        groups: sets of trials that are compared among themselves, of the same size.
    """
    reached = [trials / groups]
    while len(reached) < num_rungs:
        arrivals = max(1, round(reached[-1]))
        share = sum(num_kept(number, reduction) / number for number in range(1, arrivals + 1)) / arrivals
        reached.append(reached[-1] * share)
    return [number * groups for number in reached]


def num_weights(base: RunConfig) -> int:
    """About how many weights the base's model has."""
    model = base.model
    layer = 4 * model.hidden**2 + 2 * model.hidden * model.feed_forward
    embeddings = base.tokenizer.vocab_size + base.data.max_length
    return model.layers * layer + embeddings * model.hidden * (1 if model.tie_embeddings else 2)


def _num_groups(space: Space) -> int:
    for parameter in space.parameters:
        if parameter.key == space.scheduler.within and isinstance(parameter.domain, Choice):
            return len(parameter.domain.values)
    return 1


def _limits(space: Space) -> str:
    stop = space.stop
    limits = {
        "trials": stop.trials,
        "hours": stop.hours,
        "GPU-hours": stop.gpu_hours,
        "completed trials without a new best": stop.no_improvement,
    }
    return ", or ".join(f"{value:g} {name}" for name, value in limits.items() if value is not None)


def _baseline(base: RunConfig, corpus: CorpusSummary, space: Space, name: str) -> str:
    tree = with_settings(to_dict(base), baseline_settings(name))
    told = _described(plan_run(tree, corpus, space.resources.workers))
    baseline = space.baselines[name]
    return f"{told}; tuned by {baseline.trials} trials of its own" if baseline.trials else told


def _values(space: Space, base: RunConfig, corpus: CorpusSummary) -> Iterator[tuple[str, str]]:
    """What each value of an option that sleep's length follows from would do, with the first of the others that fit."""
    told: dict[tuple[str, Value], str] = {}
    for chosen in settings(planned(space.parameters), corners=True):
        try:
            plan = plan_run(with_settings(to_dict(base), chosen), corpus, space.resources.workers)
        except (BudgetError, ConfigError):
            continue
        for key, value in chosen.items():
            if key.startswith("sleep.length"):
                told.setdefault((key, value), _described(plan))
    for key, value in sorted(told, key=str):
        yield f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}", told[key, value]


def _described(plan: SleepPlan) -> str:
    """What the plan says of itself, without the budget, which is everyone's."""
    return plan.describe().partition(": ")[2]
