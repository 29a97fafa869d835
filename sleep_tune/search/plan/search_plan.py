"""The plan of a search: its runs, words, hours and disk space, computed before anything is started."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.size import checkpoint_bytes, models_bytes, needed_bytes, num_weights
from sleep_tune.search.decide.asha import num_kept
from sleep_tune.search.plan.done_runs import FINALISTS, TUNING, DoneRuns
from sleep_tune.search.plan.looks_plan import SeedCase, SeedsOf, plan_seeds
from sleep_tune.search.plan.makespan import EqualRuns, Span, makespan
from sleep_tune.search.plan.plan_record import ExpectedRuns, LeftOut, Part, Plan, RungPlan, Slots
from sleep_tune.search.plan.search_power import search_power
from sleep_tune.search.plan.seed_scatter import SeedScatter
from sleep_tune.search.plan.sleep_lengths import arms_of, lengths_of
from sleep_tune.search.plan.speeds import Speed
from sleep_tune.search.space.arm_settings import found_first
from sleep_tune.search.space.budget_check import budget_words, check_budget, corpus_lines
from sleep_tune.search.space.rungs import PROMOTION, rungs_of
from sleep_tune.search.space.search_space import BEST, Baseline, Choice, CorpusSummary, Scheduler, Space
from sleep_tune.search.space.settings import most_trials, num_settings

__all__ = ["expected_at_rungs", "make_plan"]


def make_plan(
    space: Space,
    base: RunConfig,
    corpus: CorpusSummary,
    *,
    slots: Slots,
    speed: Speed | None = None,
    scatter: SeedScatter | None = None,
    done: DoneRuns | None = None,
) -> Plan:
    """Return the plan of a search.

    Args:
        space: the study.
        base: what `space.base` composes to.
        corpus: what every trial reads.
        slots: where trials would run.
        speed: of one trial, if it is known.
        scatter: of the objective over seeds, if it is known.
        done: what the search has done already.

    Raises:
        BudgetError: an arm or a choice that the budget can never hold.
        ConfigError: options that do not fit together, or several mistakes.
    """
    check_budget(space, base, corpus)
    budget = budget_words(base, corpus)
    shares = (*rungs_of(space.scheduler), 1.0)
    trials = _num_trials(space, budget, shares, slots, speed)
    expected = expected_at_rungs(1 if trials is None else trials, len(shares), space.scheduler, _num_groups(space))
    batches = _search_batches(budget, shares, expected, speed)
    finalists = space.finalists.count if trials is None else min(space.finalists.count, trials)
    others = _others(space, budget, finalists, speed)

    def expect(case: SeedCase) -> ExpectedRuns:
        works = _others(space, budget, finalists, speed, case.seeds)
        tuning = sum(work[0].runs for name, work, _ in works if name.startswith(TUNING))
        return ExpectedRuns(
            case, sum(work[0].runs for _, work, _ in works) - tuning, _span(batches, works, slots, speed)
        )

    parts = [("search", *_totals(batches), "")] if trials != 0 else []
    parts += [(name, *_totals([work]), waits_for) for name, work, waits_for in others]
    return Plan(
        name=space.name,
        budget_words=budget,
        corpus=replace(corpus, description=corpus_lines(base, corpus)),
        slots=slots,
        speed=speed,
        trials=trials,
        limits=_limits(space),
        left_out=tuple(_left_out(space)),
        given=_given(space),
        rungs=tuple(
            RungPlan(share, round(share * budget), number) for share, number in zip(shares, expected, strict=True)
        ),
        within=space.scheduler.within if len(shares) > 1 else None,
        lengths=lengths_of(space, base, corpus),
        arms=arms_of(space, base, corpus),
        parts=tuple(
            Part(name, runs, words, seconds if speed else None, waits_for)
            for name, runs, words, seconds, waits_for in parts
        ),
        span=_span(batches, others, slots, speed),
        left_bytes=_num_models(space, expected[-1], others) * models_bytes(base),
        running_bytes=slots.number * needed_bytes(base),
        paused_bytes=_num_paused(space, expected) * checkpoint_bytes(base),
        is_sized=num_weights(base) > 0,
        resources=space.resources,
        has_comparison=space.comparison.reference in (*space.baselines, *space.arms),
        objective=space.objective.metric,
        reference=space.comparison.reference,
        looks=space.finalists.looks,
        expected=tuple(expect(case) for case in plan_seeds(space, finalists, scatter)),
        power=search_power(trials, space.finalists.count, scatter) if trials else None,
        done=done,
    )


def expected_at_rungs(trials: int, num_rungs: int, scheduler: Scheduler, groups: int = 1) -> list[float]:
    """Return how many of `trials` are expected to reach each rung, if their values come in random order.

    The i-th arrival at a rung is promoted with probability num_kept(i) / i. A scheduler that pauses trials promotes
    the best num_kept(n) of all n in the end, and beside them early arrivals that were among the best of few; these
    are not counted.

    Args:
        trials: number of trials.
        num_rungs: number of rungs, the end of the budget included.
        scheduler: has the reduction eta, and may pause trials.
        groups: number of equally large groups within which trials are compared.
    """
    reached = [trials / groups]
    while len(reached) < num_rungs:
        arrivals = max(1, round(reached[-1]))
        if scheduler.name == PROMOTION:
            share = num_kept(arrivals, scheduler.reduction) / arrivals
        else:
            kept = (num_kept(number, scheduler.reduction) / number for number in range(1, arrivals + 1))
            share = sum(kept) / arrivals
        reached.append(reached[-1] * share)
    return [number * groups for number in reached]


Work = tuple[EqualRuns, float]
"""Runs that take equally long, and the words that each of them sees."""


def _search_batches(budget: int, shares: Sequence[float], expected: Sequence[float], speed: Speed | None) -> list[Work]:
    """Return the search trials by the rung at which they end; they are evaluated at each rung that they reach."""
    beyond = [*expected[1:], 0.0]
    return [
        _work(reached - on, share * budget, number, speed)
        for number, (share, reached, on) in enumerate(zip(shares, expected, beyond, strict=True), 1)
    ]


def _span(
    batches: Sequence[Work], others: Sequence[tuple[str, Work, str]], slots: Slots, speed: Speed | None
) -> Span | None:
    """Return the wall-clock time; None if no speed is known. Slots that are idle before a look are not counted."""
    if speed is None:
        return None
    return makespan([runs for runs, _ in batches], [work[0] for _, work, _ in others], slots.number)


def _others(
    space: Space, budget: int, finalists: int, speed: Speed | None, seeds: SeedsOf | None = None
) -> list[tuple[str, Work, str]]:
    """Return what runs beside the search's trials, in order: name, work, and what it waits for as a text.

    Args:
        space: the study.
        budget: words of a run.
        finalists: number of finalists.
        speed: of one trial, if it is known.
        seeds: numbers of seeds that arms get; by default all get the largest planned number.
    """
    works: dict[str, tuple[Work, str]] = {}

    def over_seeds(name: str, arms: int = 1, **waiting: Any) -> Work:
        number = space.finalists.most_seeds if seeds is None else seeds[name]
        runs, words = _work(arms * number, budget, len(space.finalists.rungs) + 1, speed, tested=True)
        return replace(runs, **waiting), words

    for name, baseline in space.baselines.items():
        if number := _num_tuning(space, baseline):
            works[f"{TUNING}{name}"] = _work(number, budget, 1, speed), ""
    for name in space.baselines:
        works[f"baseline {name}"] = over_seeds(name), ""
    for name, arm in space.arms.items():
        if arm.matched is None:
            waits = found_first(space, name) == BEST
            work = over_seeds(name, after_search=waits)
            works[f"arm {name}"] = work, "the search" if waits else ""
    if finalists:
        works[FINALISTS] = over_seeds(FINALISTS, finalists, after_search=True), ""
    for name, arm in space.arms.items():
        if arm.matched is not None:
            kind = "baseline" if arm.matched in space.baselines else "arm"
            parent = FINALISTS if arm.matched == BEST else f"{kind} {arm.matched}"
            work = over_seeds(name, parent=list(works).index(parent))
            other = "the best finalist" if arm.matched == BEST else arm.matched
            works[f"control {name}"] = work, f"the run of {other} with the same seed"
    return [(name, work, waits_for) for name, (work, waits_for) in works.items()]


def _work(runs: float, words: float, evaluations: int, speed: Speed | None, *, tested: bool = False) -> Work:
    seconds = 0.0 if speed is None else speed.seconds(words, evaluations=evaluations, tested=tested)
    return EqualRuns(runs, seconds), words


def _totals(works: Sequence[Work]) -> tuple[float, float, float]:
    """Return the sums of runs, words and seconds."""
    return (
        sum(batch.runs for batch, _ in works),
        sum(batch.runs * words for batch, words in works),
        sum(batch.runs * batch.seconds for batch, _ in works),
    )


def _num_models(space: Space, completed: float, others: Sequence[tuple[str, Work, str]]) -> int:
    """Return the number of models kept: the best of each search, and all runs over fresh seeds."""
    best = min(max(1, space.finalists.count), math.ceil(completed))
    tuning = [trials for baseline in space.baselines.values() if (trials := _num_tuning(space, baseline))]
    return best + len(tuning) + round(sum(work[0].runs for _, work, _ in others)) - sum(tuning)


def _num_paused(space: Space, expected: Sequence[float]) -> int:
    """Return the largest number of search trials that are paused at a time: at worst all that are never completed."""
    return math.ceil(expected[0] - expected[-1]) if space.scheduler.name == PROMOTION else 0


def _num_tuning(space: Space, baseline: Baseline) -> int:
    """Return the largest number of trials that tune a baseline."""
    return (most_trials(space.subset(baseline.parameters), baseline.trials) or 0) if baseline.trials else 0


def _num_trials(space: Space, budget: int, shares: Sequence[float], slots: Slots, speed: Speed | None) -> int | None:
    """Return the largest number of search trials under all limits of `stop`; None if it cannot be known."""
    stop = space.stop
    most = most_trials(space.parameters, stop.trials)
    limits = [] if most is None else [most]
    if speed is not None:
        allowed = {"hours": stop.hours, "gpu_hours": stop.gpu_hours if slots.gpus else None}
        per_hour = {"hours": slots.number, "gpu_hours": 1 / slots.gpus if slots.gpus else 0.0}
        for name, hours in allowed.items():
            if hours is not None:
                limits.append(_trials_in(hours * 3600 * per_hour[name], space, budget, shares, speed))
    return min(limits, default=None)


def _trials_in(seconds: float, space: Space, budget: int, shares: Sequence[float], speed: Speed) -> int:
    """Return the number of trials that take about so many seconds together, at least one."""
    trials = 1
    for _ in range(20):  # a longer search stops a larger share of its trials, so its mean run is shorter
        expected = expected_at_rungs(trials, len(shares), space.scheduler, _num_groups(space))
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
    most = most_trials(space.parameters, stop.trials)
    is_whole = space.search.algorithm == "grid" and most == num_settings(space.parameters)
    limits = {
        "points of the grid": most if is_whole else None,
        "trials": None if is_whole else stop.trials,
        "hours": stop.hours,
        "GPU-hours": stop.gpu_hours,
        "completed trials without a new best": stop.no_improvement,
    }
    return ", or ".join(f"{value:g} {name}" for name, value in limits.items() if value is not None)


def _left_out(space: Space) -> Iterator[LeftOut]:
    if space.search.algorithm != "grid":
        return
    limits = {"stop.trials": (space.stop.trials, space.parameters)}
    for name, baseline in space.baselines.items():
        limits[f"baselines.{name}.trials"] = baseline.trials, space.subset(baseline.parameters)
    for option, (trials, parameters) in limits.items():
        points = num_settings(parameters) or 0
        if trials is not None and trials < points:
            yield LeftOut(option, trials, points)
