"""The scores on a model card: those of the model itself, and the means over the seeds of its arm."""

from dataclasses import dataclass

from sleep_tune.results.arms import Comparison
from sleep_tune.results.columns import column, is_known, is_score, sort_metrics
from sleep_tune.results.provenance import Provenance
from sleep_tune.results.winner import Winner
from sleep_tune.statistics.fixed_sample import Estimate

__all__ = ["Score", "read_scores", "seeds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One measure of a published model."""

    metric: str
    """Its name: test/nll, babylm2026/blimp_fast."""
    own: float | None
    """The value of the run whose weights are published."""
    mean: Estimate | None = None
    """Over the seeds of its arm, as in the comparison; None for a run by itself."""

    @property
    def heading(self) -> str:
        """Its title in tables, which says the year of a score of BabyLM."""
        return column(self.metric, with_year=True).heading

    @property
    def own_text(self) -> str:
        """The model's own value as text."""
        return "" if self.own is None else column(self.metric).write(self.own)

    @property
    def mean_text(self) -> str:
        """The mean with its interval as text: `2.105 [2.091, 2.119], 5 seeds`."""
        if self.mean is None:
            return ""
        return f"{column(self.metric).write(self.mean.mean)}{self.interval}, {seeds(self.mean.count)}"

    @property
    def interval(self) -> str:
        """The interval of the mean as text, with a space before it; empty where there is none."""
        if self.mean is None or self.mean.low is None or self.mean.high is None:
            return ""
        write = column(self.metric).write
        return f" [{write(self.mean.low)}, {write(self.mean.high)}]"


def read_scores(winner: Winner, comparison: Comparison | None, made: Provenance) -> tuple[Score, ...]:
    """Return the scores in the order of the columns, of the metrics that have one; costs are not among them.

    Args:
        winner: the published model.
        comparison: of the experiment that it comes from.
        made: how its run was made.
    """
    arm = None if comparison is None else next((arm for arm in comparison.arms if arm.name == winner.arm), None)
    own: dict[str, float | None] = {**made.metrics}
    if arm is not None and made.seed is not None:
        own = {key: values.get(made.seed) for key, values in arm.values.items()}
    means = {} if arm is None else arm.estimates
    shown = [key for key in sort_metrics({*own, *means}) if _is_shown(key)]
    scores = (Score(metric=key, own=own.get(key), mean=means.get(key)) for key in shown)
    return tuple(score for score in scores if score.own is not None or score.mean is not None)


def seeds(count: int) -> str:
    """Return '1 seed' or '5 seeds'."""
    return f"{count} seed{'' if count == 1 else 's'}"


def _is_shown(key: str) -> bool:
    return is_score(key) or (is_known(key) and "/" in key)
