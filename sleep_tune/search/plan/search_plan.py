"""`--plan`: what a search would run and what that takes, before anything is started. Arithmetic alone.

Knows the space, the corpus, the slots and a speed; reads no file and asks no cluster.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.size import MOST_WORD_CHECKPOINTS, model_bytes, needed_bytes
from sleep_tune.search.decide.asha import num_kept
from sleep_tune.search.plan.makespan import Batch, Span, makespan
from sleep_tune.search.plan.sleep_lengths import Length, baselines_of, lengths_of
from sleep_tune.search.plan.speeds import Speed
from sleep_tune.search.space.budget_check import budget_words, check_fits
from sleep_tune.search.space.rungs import rungs_of
from sleep_tune.search.space.search_space import Choice, CorpusSummary, Resources, Space

__all__ = ["Part", "Plan", "RungPlan", "Slots", "expected_at_rungs", "make_plan"]


@dataclass(frozen=True, slots=True)
class Slots:
    """Where trials would run."""

    number: int
    """At the same time."""
    gpus: float
    """That each holds."""
    told: str
    """In words."""


@dataclass(frozen=True, slots=True)
class RungPlan:
    """A rung, and how many search trials are expected to reach it."""

    share: float
    words: int
    trials: float


@dataclass(frozen=True, slots=True)
class Part:
    """Runs of one kind."""

    name: str
    runs: float
    words: float
    """Of all of them."""
    seconds: float | None
    """Summed over them; None where no speed is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would run."""

    name: str
    budget_words: int
    corpus: CorpusSummary
    slots: Slots
    speed: Speed | None
    trials: int | None
    """Search trials, at most; None when nothing tells how many there will be."""
    limits: str
    """What ends the search, in words."""
    given: str
    """What it knows before it asks, in words; '' if nothing."""
    rungs: tuple[RungPlan, ...]
    """Ascending; the last is the whole budget. Counted for the most trials, or for one where nothing tells."""
    within: str | None
    lengths: tuple[Length, ...]
    baselines: tuple[Length, ...]
    parts: tuple[Part, ...]
    span: Span | None
    """On the wall; None where no speed is known."""
    left_bytes: int
    """Models that are left at the end: those of the best search trials, and of every run over fresh seeds."""
    running_bytes: int
    """What running trials write besides, at most."""
    resources: Resources

    @property
    def runs(self) -> float:
        """Of every kind."""
        return sum(part.runs for part in self.parts)

    @property
    def words(self) -> float:
        """Seen by all runs together."""
        return sum(part.words for part in self.parts)

    @property
    def seconds(self) -> float | None:
        """Summed over all runs."""
        return None if self.speed is None else sum(part.seconds or 0.0 for part in self.parts)

    @property
    def gpu_hours(self) -> float | None:
        """That all runs hold GPUs for."""
        return None if self.seconds is None else self.seconds * self.slots.gpus / 3600


def make_plan(
    space: Space, base: RunConfig, corpus: CorpusSummary, *, slots: Slots, speed: Speed | None = None
) -> Plan:
    """Plan a search.

    Args:
        space: the study.
        base: what `space.base` composes to.
        corpus: what every trial reads.
        slots: where trials would run.
        speed: of one of them, if it is known.

    Raises:
        BudgetError: a baseline or a choice that the budget can never hold.
        ConfigError: options that do not fit together, or several mistakes.
    """
    check_fits(space, base, corpus)
    budget = budget_words(base, corpus)
    shares = (*rungs_of(space.scheduler), 1.0)
    trials = _num_trials(space, budget, shares, slots, speed)
    expected = expected_at_rungs(trials or 1, len(shares), space.scheduler.reduction, _num_groups(space))
    batches = _search_batches(budget, shares, expected, speed)
    others, finalists = _others(space, budget, speed), _finalists(space, budget, trials, speed)
    runs = [("search", *_totals(batches))] + [(name, *_totals([part])) for name, part in (*others, *finalists)]
    return Plan(
        name=space.name,
        budget_words=budget,
        corpus=corpus,
        slots=slots,
        speed=speed,
        trials=trials,
        limits=_limits(space),
        given=_given(space),
        rungs=tuple(
            RungPlan(share, round(share * budget), number) for share, number in zip(shares, expected, strict=True)
        ),
        within=space.scheduler.within if len(shares) > 1 else None,
        lengths=lengths_of(space, base, corpus),
        baselines=baselines_of(space, base, corpus),
        parts=tuple(Part(name, count, words, seconds if speed else None) for name, count, words, seconds in runs),
        span=_span(batches, others, finalists, slots) if speed else None,
        left_bytes=_num_models(space, expected[-1], [*others, *finalists]) * _models_bytes(base),
        running_bytes=slots.number * needed_bytes(base),
        resources=space.resources,
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


Work = tuple[Batch, float]
"""Runs that take equally long, and the words that each sees."""


def _search_batches(budget: int, shares: Sequence[float], expected: Sequence[float], speed: Speed | None) -> list[Work]:
    """Search trials by the rung at which they end; they are evaluated at each that they reach."""
    beyond = [*expected[1:], 0.0]
    return [
        _work(reached - on, share * budget, number, speed)
        for number, (share, reached, on) in enumerate(zip(shares, expected, beyond, strict=True), 1)
    ]


def _others(space: Space, budget: int, speed: Speed | None) -> list[tuple[str, Work]]:
    """The baselines' own searches, then the baselines over fresh seeds."""
    tuned = [
        (f"tuning of {name}", _work(baseline.trials, budget, 1, speed))
        for name, baseline in space.baselines.items()
        if baseline.trials
    ]
    over_seeds = [(f"baseline {name}", _over_seeds(space, 1, budget, speed)) for name in space.baselines]
    return tuned + over_seeds


def _finalists(space: Space, budget: int, trials: int | None, speed: Speed | None) -> list[tuple[str, Work]]:
    count = min(space.finalists.count, trials or space.finalists.count)
    return [("finalists", _over_seeds(space, count, budget, speed))] if count else []


def _over_seeds(space: Space, arms: int, budget: int, speed: Speed | None) -> Work:
    runs, evaluations = arms * space.finalists.seeds, len(space.finalists.rungs) + 1
    return _work(runs, budget, evaluations, speed, tested=True)


def _work(runs: float, words: float, evaluations: int, speed: Speed | None, *, tested: bool = False) -> Work:
    seconds = 0.0 if speed is None else speed.seconds(words, evaluations=evaluations, tested=tested)
    return Batch(runs, seconds), words


def _totals(works: Sequence[Work]) -> tuple[float, float, float]:
    """Runs, words and seconds of all of them."""
    return (
        sum(batch.runs for batch, _ in works),
        sum(batch.runs * words for batch, words in works),
        sum(batch.runs * batch.seconds for batch, _ in works),
    )


def _span(
    search: Sequence[Work],
    others: Sequence[tuple[str, Work]],
    finalists: Sequence[tuple[str, Work]],
    slots: Slots,
) -> Span:
    return makespan(
        [batch for batch, _ in search],
        [batch for _, (batch, _) in others],
        [batch for _, (batch, _) in finalists],
        slots.number,
    )


def _num_models(space: Space, completed: float, others: Sequence[tuple[str, Work]]) -> int:
    """Runs whose models stay: the best of each search, and all over fresh seeds."""
    best = min(max(1, space.finalists.count), math.ceil(completed))
    tuned = [baseline for baseline in space.baselines.values() if baseline.trials]
    tuning = sum(baseline.trials or 0 for baseline in tuned)
    return best + len(tuned) + round(sum(batch.runs for _, (batch, _) in others)) - tuning


def _models_bytes(base: RunConfig) -> int:
    """Of one completed run."""
    checkpoints = MOST_WORD_CHECKPOINTS if base.training.word_checkpoints else 0
    return (int(base.training.save_model) + checkpoints) * model_bytes(base)


def _num_trials(space: Space, budget: int, shares: Sequence[float], slots: Slots, speed: Speed | None) -> int | None:
    """Search trials that the limits allow: the number given, or fewer where the speed says that time ends it before."""
    stop = space.stop
    limits = [] if stop.trials is None else [stop.trials]
    if speed is not None:
        allowed = {"hours": stop.hours, "gpu_hours": stop.gpu_hours if slots.gpus else None}
        per_hour = {"hours": slots.number, "gpu_hours": 1 / slots.gpus if slots.gpus else 0.0}
        for name, hours in allowed.items():
            if hours is not None:
                limits.append(_trials_in(hours * 3600 * per_hour[name], space, budget, shares, speed))
    return min(limits, default=None)


def _trials_in(seconds: float, space: Space, budget: int, shares: Sequence[float], speed: Speed) -> int:
    """Trials whose runs add up to about so many seconds, at least one."""
    trials = 1
    for _ in range(20):  # a longer search stops more of its trials early, so that the mean run becomes shorter
        expected = expected_at_rungs(trials, len(shares), space.scheduler.reduction, _num_groups(space))
        runs, _, total = _totals(_search_batches(budget, shares, expected, speed))
        trials, before = max(1, round(seconds / (total / runs))), trials
        if trials == before:
            break
    return min(trials, 1_000_000)


def _given(space: Space) -> str:
    points = len(space.enqueue)
    first = f"{points} point{'s' * (points != 1)} of enqueue first" if points else ""
    earlier = f"trials of {', '.join(space.warm_start)} that fit are taken over, and not counted below"
    return "; ".join(text for text in (first, earlier if space.warm_start else "") if text)


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
