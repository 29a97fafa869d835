"""Records of a comparison: its arms, their differences to the baseline, its notes and its verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.results.columns import Column, column, estimate_metric, has_several_years
from sleep_tune.results.run_facts import RunFacts
from sleep_tune.results.seed_plan import SeedPlan
from sleep_tune.results.study_growth import StudySize
from sleep_tune.statistics.fixed_sample import Difference, Estimate
from sleep_tune.statistics.schedule import LEVEL

__all__ = ["BASELINE", "CONTROL", "Arm", "Comparison", "Contrast", "Decided", "Effect", "Gain", "mode_of", "over_seeds"]

BASELINE = "epochs"
"""The arm without sleep that the A/A control belongs to; the baseline of studies that name no other reference."""

CONTROL = "as_epochs"
"""The A/A control: it differs from `BASELINE` only in data order, so any difference is noise."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """An arm's difference to the baseline at one endpoint."""

    difference: Difference
    """Arm minus baseline over the seeds that both have completed. From a single seed the standard error, if any, is
    over groups of items: it describes two checkpoints, not two recipes."""
    p_holm: float | None = None
    """Holm-corrected over the family of tests; None where there is no p."""
    p_flip: float | None = None
    """p of the sign-flip permutation test over seeds, uncorrected: a check that does not assume normality."""
    p_equal: float | None = None
    """p of the equivalence test against the smallest difference of interest, Holm-corrected; None where the study names
    no such difference."""
    items: int | None = None
    """Test items treated as a random sample beside the seeds; None where the test is on seeds alone."""
    groups: int | None = None
    """Groups of these items."""
    lost: int = 0
    """Seeds at which the arm diverged and the baseline did not: `difference.p` counts them as the largest differences
    against the arm; the mean and interval are over the other seeds."""
    won: int = 0
    """Seeds at which the baseline diverged and the arm did not: they count against the baseline."""
    both: int = 0
    """Seeds at which both diverged: they count for neither."""
    level: float = LEVEL
    """Significance level: a corrected p below it is significant. It is lower where a part is kept for added seeds."""
    looks: int | None = None
    """Planned looks whose runs have all ended in both arms; None where p is for a number of seeds fixed in advance."""

    @property
    def is_significant(self) -> bool:
        """Whether the difference is significant after Holm correction."""
        return self.p_holm is not None and self.p_holm < self.level

    @property
    def is_equivalent(self) -> bool:
        """Whether the difference is shown to be within the smallest difference of interest."""
        return self.p_equal is not None and self.p_equal < self.level

    @property
    def diverged(self) -> int:
        """Number of seeds at which either diverged, so that their difference is unknown."""
        return self.lost + self.won + self.both

    @property
    def seeds(self) -> int:
        """Number of seeds with a result, diverged ones included."""
        return self.difference.count + self.diverged


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Difference of two arms that differ in one part of the mechanism, or in several where a control is missing."""

    parts: tuple[str, ...]
    """exposure, selection, order; or phases, or whole (see `gain`)."""
    arm: str
    minus: str
    """Name of the arm that is subtracted."""
    contrast: Contrast


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """A sleeping arm's difference to the reference at one endpoint, and the effects that add up to it."""

    arm: str
    endpoint: str
    seeds: tuple[int, ...]
    """The seeds at which every arm involved has a value."""
    whole: Effect
    """Arm minus reference over these seeds; without a corrected p, since the table of arms tests it."""
    effects: tuple[Effect, ...]
    """From the reference to the arm."""
    further: tuple[Effect, ...] = ()
    """Effects that are no part of the sum: the arm minus its twin that mixes replay into reading."""
    tests: int = 0
    """Effects that are tested together with these; Holm's correction is over them."""

    @property
    def rows(self) -> tuple[Effect, ...]:
        """The effects, the whole, and effects that are no part of it."""
        return (*self.effects, self.whole, *self.further)


@dataclass(frozen=True, slots=True)
class Decided:
    """Why an arm got no more seeds, after a look at the evidence."""

    seeds: int
    """Number of seeds at that look."""
    reason: str
    """significant, equivalent or futile (`experiment.look_evidence.DECISIONS`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One row of the comparison."""

    name: str
    kind: str
    """'baseline', 'control', 'arm' (fixed settings), 'finalist' (of the search), 'elsewhere' (trained and scored
    elsewhere) or 'published' (figures only)."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Settings that differ from the base of the study, by dotted key."""
    seeds: tuple[int, ...] = ()
    """Completed runs' seeds."""
    unfinished: tuple[int, ...] = ()
    """Seeds whose runs have not ended."""
    failures: Mapping[int, str] = field(default_factory=dict)
    """Seed -> why its run failed or was refused."""
    diverged: frozenset[int] = frozenset()
    """Failed seeds whose runs diverged. These count against the arm; lost runs do not."""
    values: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """Metric -> seed -> its finite value."""
    missing: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """BabyLM's score -> seed without a finite value -> the file that says so, or ''."""
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    """Metric -> mean over the completed seeds; costs (words_seen, updates, flops, gpu_hours, cpu_hours) among them."""
    contrasts: Mapping[str, Contrast] = field(default_factory=dict)
    """Endpoint -> difference to the baseline; empty for the baseline itself."""
    parent: str | None = None
    """Of a matched control: the arm of which it reads every sample as often as that read it, in one random order."""
    decided: Decided | None = None
    """Why the search gave it no more seeds; None for an arm that gets all planned seeds."""
    joined: bool = False
    """Whether it comes from another experiment, with a search and a budget of its own."""
    facts: tuple[RunFacts, ...] = field(default=(), repr=False, compare=False)
    """How each completed run was made."""
    answers: Mapping[str, Mapping[int, "pd.Series[float]"]] = field(default_factory=dict, repr=False, compare=False)
    """Endpoint -> seed -> score of each item, in the endpoint's unit, indexed by (group, item) and, where the run kept
    it, the fingerprint of the item's text."""

    def diverged_beside(self, other: "Arm") -> frozenset[int]:
        """Return the seeds at which this arm diverged, without those that the other was not given, as it was decided.

        Other seeds that the other has not run count, so that a missing run is no advantage.
        """
        if other.decided is None:
            return self.diverged
        return self.diverged & {*other.seeds, *other.failures, *other.unfinished}


def mode_of(endpoint: str, experiment: Experiment) -> str:
    """Return which direction is better at an endpoint: 'min' or 'max'."""
    if endpoint == experiment.primary and experiment.endpoint is None:
        return experiment.mode
    return column(endpoint).better or "max"


def over_seeds(name: str, kind: str, values: Mapping[str, Mapping[int, float]], **more: Any) -> Arm:
    """Return an arm with its estimates: the means of its values over seeds. Metrics without a value are left out."""
    known = {key: by_seed for key, by_seed in values.items() if by_seed}
    estimates = {key: estimate_metric(key, by_seed.values()) for key, by_seed in known.items()}
    return Arm(name=name, kind=kind, values=known, estimates=estimates, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Comparison of the arms of an experiment, finished or not."""

    experiment: Experiment
    arms: tuple[Arm, ...]
    """The baseline, the A/A control, arms with fixed settings, finalists (best in the search first), and matched
    controls."""
    metrics: tuple[str, ...]
    """Every metric and cost of any arm, in the order of the columns."""
    endpoints: tuple[str, ...]
    """Metrics at which arms are compared; the primary one first."""
    trials: Mapping[str, int]
    """State -> number of the search's trials."""
    baseline: str = BASELINE
    """Name of the arm that all others are compared with."""
    matched: str = "words"
    """The resource that all arms should share: the experiment's, unless another was chosen for this table."""
    chosen_by: tuple[str, ...] = ()
    """Notes on test items that also selected the finalists."""
    averaged: tuple[str, ...] = ()
    """Notes on the tasks of macro averages, and on scores that are missing or of another measure."""
    plan: SeedPlan | None = None
    """Planned looks of the study; None where its number of seeds was fixed, at the whole significance level."""
    growth: tuple[StudySize, ...] = ()
    """What had been trained each time the study ended, and what has been by now."""
    gains: tuple[Gain, ...] = ()
    """What the differences of sleeping arms are made of, where there are controls."""
    notes: tuple[str, ...] = ()
    verdict: str = ""
    """Which arms differ significantly from the baseline, in a sentence or a few."""

    def column(self, key: str) -> Column:
        """Return the column of a metric or cost; its heading says the year where scores of several are compared."""
        return column(key, with_year=has_several_years(self.metrics))

    @property
    def reference(self) -> Arm | None:
        """The arm of the baseline, if there is one."""
        return next((arm for arm in self.arms if arm.name == self.baseline), None)

    @property
    def compared(self) -> tuple[Arm, ...]:
        """The arms that the verdict is about: arms with fixed settings, finalists and models trained elsewhere.

        Where the user chose another baseline than the study's: all other arms that were trained.
        """
        reference = self.reference
        kinds = {"arm", "finalist", "elsewhere"}
        if reference is not None and reference.kind != "baseline":
            kinds |= {"baseline", "control"}
        return tuple(arm for arm in self.arms if arm.kind in kinds and arm is not reference)
