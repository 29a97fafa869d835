"""What a comparison says: its arms, their differences to the baseline, its notes and its verdict.

Frozen records only; how they are computed and how they look are other files' business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.results.columns import column
from sleep_tune.results.looks import Look
from sleep_tune.results.ranges import cut_estimate
from sleep_tune.results.run_facts import RunFacts
from sleep_tune.results.statistics import Difference, Estimate, estimate_mean

__all__ = ["BASELINE", "CONTROL", "PAIRS", "Arm", "Comparison", "Contrast", "mode_of", "over_seeds"]

BASELINE = "epochs"
"""The arm that every other is compared with."""

CONTROL = "as_epochs"
"""The A/A control: it obeys the law of `BASELINE` in other orders, and should not differ from it."""

PAIRS = "test/pairs_accuracy"
"""The second endpoint, where it was measured: what the model knows of language."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """An arm's difference to the baseline at one endpoint."""

    difference: Difference
    """Arm minus baseline over the seeds that both have completed. From one seed its standard error, where there is one,
    is over groups of items: it speaks of two checkpoints."""
    p_holm: float | None = None
    """Corrected over the family of tests; None where there is no p."""
    p_flip: float | None = None
    """Of the sign-flip permutation test over seeds, uncorrected: a check that assumes no normal law."""
    p_equal: float | None = None
    """That the arms differ by the smallest difference of interest or more, corrected as `p_holm` is; None where no
    such difference was named."""
    items: int | None = None
    """Items that were crossed with the seeds; None where the seeds alone speak."""
    groups: int | None = None
    """Groups of these items."""
    lost: int = 0
    """Seeds at which the arm diverged and the baseline did not: `difference.p` counts them as the largest differences
    against the arm, its mean and interval are over the others."""
    won: int = 0
    """Seeds at which the baseline diverged and the arm did not: they count against the baseline."""
    both: int = 0
    """Seeds at which both diverged: they count for neither."""

    @property
    def diverged(self) -> int:
        """Seeds at which either diverged, so that no difference of theirs is known."""
        return self.lost + self.won + self.both

    @property
    def seeds(self) -> int:
        """Seeds that ended in a result, diverged ones among them."""
        return self.difference.count + self.diverged


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One row of the comparison."""

    name: str
    kind: str
    """'baseline', 'control' or 'finalist'; 'elsewhere' (trained and scored elsewhere) or 'published' (figures only)."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What sets it apart from the base of the study, by dotted key."""
    seeds: tuple[int, ...] = ()
    """Completed runs' seeds."""
    unfinished: tuple[int, ...] = ()
    """Seeds asked for that are still to end."""
    failures: Mapping[int, str] = field(default_factory=dict)
    """Seed -> why its run failed or was refused."""
    diverged: frozenset[int] = frozenset()
    """Seeds, of those that failed, whose runs diverged. They count against the arm; a run that was lost does not."""
    values: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """Metric -> seed -> its finite value."""
    missing: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """BabyLM's score -> seed whose value is no finite number -> where that was read, or nothing."""
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    """Metric -> mean over the completed seeds; costs (words_seen, updates, flops, gpu_hours, cpu_hours) among them."""
    contrasts: Mapping[str, Contrast] = field(default_factory=dict)
    """Endpoint -> difference to the baseline; empty for the baseline itself."""
    joined: bool = False
    """Whether it is another experiment's, whose search and budget were its own."""
    facts: tuple[RunFacts, ...] = field(default=(), repr=False, compare=False)
    """How its completed runs were made."""
    answers: Mapping[str, Mapping[int, "pd.Series[float]"]] = field(default_factory=dict, repr=False, compare=False)
    """Endpoint -> seed -> what was scored on each item, in the endpoint's unit, indexed by (group, item); and by the
    text's fingerprint, where the run wrote it."""


def mode_of(endpoint: str, experiment: Experiment) -> str:
    """Which way is better at an endpoint: 'min' or 'max'."""
    if endpoint == experiment.primary and experiment.endpoint is None:
        return experiment.mode
    return column(endpoint).better or "max"


def over_seeds(name: str, kind: str, values: Mapping[str, Mapping[int, float]], **more: Any) -> Arm:
    """An arm whose estimates are the means of its values over seeds; a metric without a value is left out."""
    known = {key: by_seed for key, by_seed in values.items() if by_seed}
    estimates = {key: cut_estimate(key, estimate_mean(list(by_seed.values()))) for key, by_seed in known.items()}
    return Arm(name=name, kind=kind, values=known, estimates=estimates, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The answer of one experiment, as far as it has got."""

    experiment: Experiment
    arms: tuple[Arm, ...]
    """The baseline, the controls, the finalists (best in the search first)."""
    metrics: tuple[str, ...]
    """Every metric and cost that any arm has, in the order of the columns."""
    endpoints: tuple[str, ...]
    """Metrics at which arms are compared; the primary one first."""
    trials: Mapping[str, int]
    """State -> number of the search's trials."""
    baseline: str = BASELINE
    """Name of the arm that every other is compared with."""
    matched: str = "words"
    """What arms should have had the same of: what the experiment names, unless this table was asked for another."""
    chosen_by: tuple[str, ...] = ()
    """What the items that chose the finalists have to do with those that judge them, in sentences."""
    averaged: tuple[str, ...] = ()
    """Over which tasks macro averages are, which scores are missing or of another measure, in sentences."""
    looks: tuple[Look, ...] = ()
    """What had been trained each time that the study had ended, and what has by now."""
    notes: tuple[str, ...] = ()
    verdict: str = ""
    """One sentence: which arms the table tells apart from the baseline, or that it cannot."""

    @property
    def reference(self) -> Arm | None:
        """The baseline's arm."""
        return next((arm for arm in self.arms if arm.name == self.baseline), None)

    @property
    def compared(self) -> tuple[Arm, ...]:
        """The arms that the verdict is about: finalists and models from elsewhere.

        Where the user names another baseline than the study's, every other arm that was trained.
        """
        reference = self.reference
        kinds = {"finalist", "elsewhere"}
        if reference is not None and reference.kind != "baseline":
            kinds |= {"baseline", "control"}
        return tuple(arm for arm in self.arms if arm.kind in kinds and arm is not reference)
