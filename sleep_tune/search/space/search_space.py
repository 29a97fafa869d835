"""A search space: a dataclass for each section, and the domains of parameters.

The options of a section are declared as those of a run are (`config.schema.option`); space_file.py reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sleep_tune import names
from sleep_tune.config.schema import option
from sleep_tune.experiment.search_state import BEST
from sleep_tune.experiment.trial_state import Value

__all__ = [
    "BEST",
    "METRICS",
    "Arm",
    "ArmParent",
    "Baseline",
    "Choice",
    "Claim",
    "CorpusSummary",
    "Domain",
    "Finalists",
    "Int",
    "LogUniform",
    "Looks",
    "Objective",
    "Parameter",
    "Resources",
    "Scheduler",
    "Search",
    "Space",
    "Stop",
    "Uniform",
    "active",
]

METRICS = {
    "eval/nll": "min",
    "eval/perplexity": "min",
    "eval/pseudo_perplexity": "min",
    "eval/pairs_accuracy": "max",
}
"""Metric on dev that can be an objective -> min or max; eval/pairs/<paradigm> (max) and variants can be one, too."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Uniform:
    """A real number, low <= x <= high; with a step, one of low, low + step, ..., high."""

    low: float
    high: float
    step: float | None = None


@dataclass(frozen=True, slots=True)
class LogUniform:
    """A real number whose logarithm is uniform, 0 < low <= x <= high."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number, one of low, low + step, ..., high."""

    low: int
    high: int
    step: int = 1
    log: bool = False
    """Whether the logarithm is uniform; then 1 <= low, and the step is 1."""


Domain = Choice | Uniform | LogUniform | Int


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option that is searched; with `when`, only where every other parameter named there has one of its values."""

    key: str
    domain: Domain
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)


def active(parameter: Parameter, values: Mapping[str, Value]) -> bool:
    """Return whether `parameter` is searched, given the values set before it.

    A parameter that is conditional on one that is not searched is not searched either.
    """
    return all(key in values and values[key] in allowed for key, allowed in parameter.when.items())


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The metric that the search improves, on dev."""

    metric: str = option("eval/nll", "metric that the search improves")
    mode: str = option("min", "min or max", choices=("max", "min"))


@dataclass(frozen=True, kw_only=True)
class Search:
    """How settings are proposed."""

    algorithm: str = option(
        "tpe",
        "how settings are proposed; grid: every combination of the values, once; qmc: points spread evenly; tpe and gp "
        "learn from the trials so far",
        choices=names.SAMPLERS,
    )
    seed: int = option(0, "random seed of the search; the fresh seeds depend on it, too", low=0)
    startup: int = option(10, "first trials, drawn at random, before tpe or gp is used", low=1)


@dataclass(frozen=True, kw_only=True)
class Scheduler:
    """Early stopping."""

    name: str = option(
        "asha",
        "asha stops all but the best trials at each rung; promotion pauses them there, and trains them further when "
        "they are among the best of more trials; none stops no trial early",
        choices=names.SCHEDULERS,
    )
    first_rung: float = option(
        0.3,
        "lowest share of the budget for a rung; rungs are at 1/reduction, 1/reduction^2, ... of the budget",
        above=0,
        high=1,
    )
    reduction: float = option(3.0, "eta: one trial in this many is promoted at a rung", low=1.5, high=100)
    within: str | None = option(
        None, "parameter, a choice; only trials with the same value of it are compared at a rung"
    )


MOST_TRIALS = 64
"""Trials of a search whose space has no section stop."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Limits of the search, of which the first to be reached ends it; without this section, {trials: 64}.

    At a limit no more trials start. Running trials, arms and finalists follow. A grid needs no limit.
    """

    trials: int | None = option(
        None, "number of trials in the search; 0: no search, only baselines and arms", low=0, high=1_000_000
    )
    hours: float | None = option(
        None, "hours of wall clock, summed over all times that the search was started", above=0
    )
    gpu_hours: float | None = option(None, "GPU-hours of search trials", above=0)
    no_improvement: int | None = option(
        None, "number of completed search trials in a row without a new best result", low=1
    )


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A baseline; with `trials` and `parameters`, it is tuned by a small search of its own before its seeds are run."""

    trials: int | None = option(None, "trials of its own search", low=1)
    parameters: tuple[str, ...] = option((), "parameters of the space that its own search sets")
    like: str | None = option(None, "another baseline, which is tuned: this one has the settings that its search found")


@dataclass(frozen=True, kw_only=True)
class ArmParent:
    """A fixed configuration that is trained over the fresh seeds; it also sets groups and options (sleep.folds: 20)."""

    like: str | None = option(None, "arm, baseline, or best (trial of the search), whose settings this arm starts from")
    matched: str | None = option(
        None,
        "arm, baseline or best: a control with its settings, trained on the samples that its run of the same seed saw, "
        "as often as it did, in random order; alone",
    )


@dataclass(frozen=True, kw_only=True)
class Arm(ArmParent):
    """A fixed configuration that is trained over the fresh seeds."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else it sets over the base: choices of groups (sleep: random), and options by dotted key."""

    @property
    def parent(self) -> str | None:
        """The arm, baseline or best trial whose settings it starts from."""
        return self.like or self.matched


@dataclass(frozen=True, kw_only=True)
class Finalists:
    """Runs that are repeated over fresh seeds after the search."""

    count: int = option(3, "number of best trials of the search that are trained again; 0: none", low=0, high=1000)
    seeds: int | tuple[int, ...] = option(
        5,
        "number of fresh seeds; all finalists, baselines and arms have the same. Or {looks: [5, 8, 12]}: see below",
        low=1,
        high=1000,
    )
    first_seed: int | None = option(
        None,
        "first of these seeds; the next ones are this number + 1, + 2, ... Studies with the same first seed share "
        "seeds, and their runs are paired. null: each study draws its own seeds",
        low=0,
        high=1_000_000_000,
    )
    rungs: tuple[float, ...] = option(
        (0.25, 0.5, 0.75),
        "shares of the budget, below 1, at which these runs are also evaluated on dev, for learning curves; []: "
        "only at the end",
        above=0,
        below=1,
    )

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of seeds at which the evidence is judged, ascending; a single one where all arms have the same.

        `seeds` is this tuple, or the single number.
        """
        return self.seeds if isinstance(self.seeds, tuple) else (self.seeds,)

    @property
    def most_seeds(self) -> int:
        """The largest number of seeds that an arm can have."""
        return self.looks[-1]


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Seeds in several steps instead of a fixed number. After each, an arm whose result is decided gets no more."""

    looks: tuple[int, ...] = option(
        (5, 8, 12),
        "numbers of fresh seeds at which the evidence is judged, ascending. Arms that then differ significantly, are "
        "equal, or would hardly become significant get no more seeds; when all are decided, the search ends",
        low=2,
        high=200,
    )


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Claims of the comparison; set before the first run, and fixed after it."""

    primary: str | None = option(
        None,
        "metric that decides the verdict, such as test/nll or babylm2026/blimp_filtered; null: the objective, on test",
    )
    smallest: float | None = option(
        None,
        "smallest difference of interest in that metric, in its unit; with it the table can show equality",
        above=0,
    )
    reference: str = option("epochs", "arm or baseline that all others are compared with")
    reserve: float = option(
        0.1,
        "share of the significance level (5%) that is kept for seeds added after the planned ones; fixed once runs "
        "over fresh seeds have begun",
        low=0,
        high=0.5,
    )
    matched: str = option(
        "words",
        "the resource that must be the same for all arms; otherwise the table has a warning",
        choices=names.MATCHED,
    )


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Resources of one trial."""

    workers: int = option(1, "processes that train one trial together", low=1)
    gpus_per_worker: float | str = option(
        "auto", "GPUs of a worker; auto: one if the cluster has GPUs; 0.25: four trials share one", low=0, auto=True
    )
    cpus_per_worker: int | str = option(
        "auto", "CPUs of a worker; auto: an equal share of the CPUs of its node", low=1, auto=True
    )
    max_retries: int = option(3, "times that a trial is restarted after its process died", low=0)
    disk_gb: float | None = option(None, "largest size of the experiment's folder, in gigabytes", above=0)


@dataclass(frozen=True, slots=True)
class CorpusSummary:
    """Size of a corpus, on which plans depend: the words of a pass, W, and the number of its samples, N."""

    words: int
    samples: int
    description: tuple[str, ...] = field(default=(), compare=False)
    """Lines about its text, for the user."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """One study."""

    name: str
    base: Mapping[str, Any] = field(default_factory=dict)
    """What every run starts from: choices of groups (data: toy) and options by dotted key (budget.passes: 10)."""
    objective: Objective = field(default_factory=Objective)
    parameters: tuple[Parameter, ...] = ()
    """In an order in which those that `when` names come first."""
    search: Search = field(default_factory=Search)
    scheduler: Scheduler = field(default_factory=Scheduler)
    stop: Stop = field(default_factory=lambda: Stop(trials=MOST_TRIALS))
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    arms: Mapping[str, Arm] = field(default_factory=dict)
    finalists: Finalists = field(default_factory=Finalists)
    comparison: Claim = field(default_factory=Claim)
    resources: Resources = field(default_factory=Resources)
    enqueue: tuple[Mapping[str, Value], ...] = ()
    """Points that are trained first, in order: options by dotted key. The sampler fills in those left out."""
    warm_start: tuple[str, ...] = ()
    """Folders of earlier experiments whose trials this one may take."""
    where: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Where each key was given ('demo.yaml:12', 'stop.trials on the command line'), for messages."""

    def subset(self, keys: tuple[str, ...]) -> tuple[Parameter, ...]:
        """Return the parameters with these keys, in the space's order."""
        return tuple(parameter for parameter in self.parameters if parameter.key in keys)
