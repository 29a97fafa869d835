"""One simulated search, and what it had found at what cost. Compares nothing."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.search_state import TrialState
from sleep_tune.search.decide.director import Director
from sleep_tune.search.space.budget_check import budget_words
from sleep_tune.search.space.search_space import CorpusSummary
from sleep_tune.simulation.engine import Cluster, Pace
from sleep_tune.simulation.kept_log import KeptLog
from sleep_tune.simulation.landscape import Landscape
from sleep_tune.simulation.methods import Arm, adapted
from sleep_tune.simulation.virtual_clock import VirtualClock

__all__ = ["STRICT_SMALL", "Found", "Setup", "search_once"]

STRICT_SMALL = CorpusSummary(words=10_000_000, samples=111_600)
"""BabyLM's strict-small track, in rows of 128 tokens: what simulated trials would read."""

RUN_SECONDS = 7_200.0
"""Virtual time of a whole run."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What all searches of a comparison share."""

    base: RunConfig
    runs: float
    """The cost of a search, in words of so many whole runs."""
    marks: tuple[float, ...] = (0.25, 0.5, 1.0)
    """Shares of that cost at which is asked what has been found."""
    start_share: float = 0.01
    """Time that starting a trial takes, as a share of a whole run's."""
    corpus: CorpusSummary = STRICT_SMALL


@dataclass(frozen=True, slots=True)
class Found:
    """What one search found."""

    curves: str
    arm: str
    seed: int
    regrets: tuple[float, ...]
    """At each mark: the loss at the end of the chosen setting less that of the best in the space, without noise."""
    trials: int
    """Started."""
    completed: int
    stopped: int
    missed: float
    """How much better the best setting that was started is than the chosen one, at the end and without noise."""
    lost: bool
    """Whether a trial that was stopped would have been better at the end than the chosen one."""
    hours: float
    """Virtual time until the cost was spent."""
    idle: float
    """Share of the slots' time in which they were free."""


def search_once(arm: Arm, landscape: Landscape, best: float, seed: int, setup: Setup) -> Found:
    """Search until the cost is spent.

    Args:
        arm: how.
        landscape: what trials report.
        best: the loss of the best setting there.
        seed: of the sampler and of all runs. Searches of one seed draw the same random settings, and a setting's
            noise is the same in each.
        setup: what all searches share.
    """
    base = dataclasses.replace(setup.base, training=dataclasses.replace(setup.base.training, seed=seed))
    clock = VirtualClock()
    space = adapted(arm.space, landscape.parameters, seed)
    director = Director(space, base, setup.corpus, Path("simulated"), clock=clock, log=KeptLog())
    budget = budget_words(base, setup.corpus)
    cluster = Cluster(
        director,
        clock,
        lambda trial, share: landscape.curve(trial.parameters, trial.seed, share),
        arm.slots,
        Pace(budget / RUN_SECONDS, setup.start_share * RUN_SECONDS),
    )
    losses: list[float] = []

    def look(words: float) -> None:
        losses.append(landscape.truth(_chosen(director).parameters))

    cluster.run([mark * setup.runs * budget for mark in setup.marks], look)
    started = [trial for trial in director.trials.values() if trial.attempt]
    truths = {trial.id: landscape.truth(trial.parameters) for trial in started}
    stopped = [trial for trial in started if trial.state == "stopped"]
    return Found(
        curves=landscape.name,
        arm=arm.name,
        seed=seed,
        regrets=tuple(loss - best for loss in losses),
        trials=len(started),
        completed=sum(trial.state == "completed" for trial in started),
        stopped=len(stopped),
        missed=losses[-1] - min(truths.values()),
        lost=any(truths[trial.id] < losses[-1] for trial in stopped),
        hours=clock() / 3600,
        idle=1 - cluster.busy_seconds / (arm.slots * clock()),
    )


def _chosen(director: Director) -> TrialState:
    """What a user would take now: the best completed trial.

    Before there is one, the best at the highest rung reached; before that, the first that was started.
    """
    best = director.best()
    if best is not None:
        return best
    trials: Sequence[TrialState] = list(director.trials.values())
    reported = [trial for trial in trials if trial.rungs]
    if not reported:
        return trials[0]
    return min(reported, key=lambda trial: (-max(trial.rungs), trial.rungs[max(trial.rungs)]))
