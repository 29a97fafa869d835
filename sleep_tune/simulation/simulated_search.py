"""One simulated search, and its result at several costs."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.search_state import MAIN, TrialState
from sleep_tune.search.decide.director import Director
from sleep_tune.search.space.budget_check import budget_words
from sleep_tune.search.space.search_space import CorpusSummary, Finalists
from sleep_tune.simulation.engine import Cluster, MemoryLog, Pace, VirtualClock
from sleep_tune.simulation.landscape import Landscape
from sleep_tune.simulation.methods import SearchMethod, single_search
from sleep_tune.simulation.points import Settings

__all__ = ["STRICT_SMALL", "SearchResult", "Setup", "simulate_search"]

STRICT_SMALL = CorpusSummary(words=10_000_000, samples=111_600)
"""The corpus of simulated trials: BabyLM's strict-small track in rows of 128 tokens."""

RUN_SECONDS = 7_200.0
"""Virtual time of a whole run."""

FRESH_SEED = 1_000_000
"""First seed of the finalists' runs; the searches' own seeds are smaller."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Settings that all searches of a comparison share."""

    base: RunConfig
    runs: float
    """Cost of a search, in whole runs."""
    marks: tuple[float, ...] = (0.25, 0.5, 1.0)
    """Shares of that cost at which the result is recorded."""
    start_share: float = 0.01
    """Time to start a trial, as a share of a whole run's."""
    corpus: CorpusSummary = STRICT_SMALL


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Result of one simulated search."""

    curves: str
    method: str
    seed: int
    regrets: tuple[float, ...]
    """At each mark: loss at the end of the chosen setting minus that of the best in the space, without noise."""
    finalist: float
    """Regret of the finalist with the best mean over fresh seeds; as many finalists and seeds as a space's default."""
    trials: int
    """Trials started."""
    completed: int
    stopped: int
    """Trials stopped or paused at a rung."""
    missed: float
    """Loss of the chosen setting minus that of the best setting tried, at the end, without noise."""
    lost: bool
    """Whether one of these would have been better at the end than the chosen one."""
    hours: float
    """Virtual time until the cost was spent."""
    idle: float
    """Share of the slots' time without a trial."""


def simulate_search(method: SearchMethod, landscape: Landscape, best: float, seed: int, setup: Setup) -> SearchResult:
    """Search until the cost is spent, and return the result.

    Args:
        method: sampler, scheduler and slots.
        landscape: gives the values that trials report.
        best: the loss of the best setting of the landscape.
        seed: of the sampler and of all runs. Searches of one seed draw the same random settings, and a setting has
            the same noise in each.
        setup: shared by all searches.
    """
    base = dataclasses.replace(setup.base, training=dataclasses.replace(setup.base.training, seed=seed))
    clock = VirtualClock()
    space = single_search(method.space, landscape.parameters, seed)
    director = Director(space, base, setup.corpus, Path("simulated"), clock=clock, log=MemoryLog())
    budget = budget_words(base, setup.corpus)
    cluster = Cluster(
        director,
        clock,
        lambda trial, share: landscape.curve(trial.parameters, trial.seed, share),
        method.slots,
        Pace(budget / RUN_SECONDS, setup.start_share * RUN_SECONDS),
    )
    losses: list[float] = []

    def look(words: float) -> None:
        losses.append(landscape.truth(_chosen(director).parameters))

    cluster.run([mark * setup.runs * budget for mark in setup.marks], look)
    started = [trial for trial in director.trials.values() if trial.attempt]
    truths = {trial.id: landscape.truth(trial.parameters) for trial in started}
    stopped = [trial for trial in started if trial.state in ("stopped", "paused")]
    return SearchResult(
        curves=landscape.name,
        method=method.name,
        seed=seed,
        regrets=tuple(loss - best for loss in losses),
        finalist=landscape.truth(_best_finalist(director, landscape)) - best,
        trials=len(started),
        completed=sum(trial.state == "completed" for trial in started),
        stopped=len(stopped),
        missed=losses[-1] - min(truths.values()),
        lost=any(truths[trial.id] < losses[-1] for trial in stopped),
        hours=clock() / 3600,
        idle=1 - cluster.busy_seconds / (method.slots * clock()),
    )


def _chosen(director: Director) -> TrialState:
    """Return the trial that a user would choose now: the best completed one.

    If there is none, it is the best at the highest rung reached; if there is none either, the first that started.
    """
    best = director.best()
    if best is not None:
        return best
    trials: Sequence[TrialState] = list(director.trials.values())
    reported = [trial for trial in trials if trial.rungs]
    if not reported:
        return trials[0]
    return min(reported, key=lambda trial: (-max(trial.rungs), trial.rungs[max(trial.rungs)]))


def _best_finalist(director: Director, landscape: Landscape) -> Settings:
    """Return the settings of the finalist with the best mean over fresh seeds; of the chosen trial if there is none."""
    defaults = Finalists()
    seeds = range(FRESH_SEED, FRESH_SEED + defaults.most_seeds)
    finalists = [trial.parameters for trial in islice(director.state.ranking(MAIN), defaults.count)]
    return min(
        finalists or [_chosen(director).parameters],
        key=lambda settings: sum(landscape.curve(settings, seed, 1.0) for seed in seeds),
    )
