"""The report's section on what the compared runs learnt: losses by words seen, awake and asleep; the objective."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from sleep_tune.results.arms import Comparison
from sleep_tune.results.report.journals import Journal
from sleep_tune.results.report.page import Plot
from sleep_tune.results.report.run_figures import MOST_PANELS, learning_curves, losses
from sleep_tune.results.report.style import wrapped
from sleep_tune.results.sheet import settings_text

__all__ = ["learnt"]


def learnt(comparison: Comparison, runs: Mapping[str, Sequence[Journal]]) -> Iterator[str | Plot]:
    """The section.

    Args:
        comparison: of the arms.
        runs: arm -> the journals of its runs.
    """
    metric = comparison.experiment.objective
    ours = {arm.name: runs[arm.name] for arm in comparison.arms if arm.name in runs}
    titles = {arm.name: wrapped(arm.name, settings_text(arm, comparison)) for arm in comparison.arms}
    trained = losses(ours, titles, comparison.baseline)
    if not trained:
        yield "<p>No run over fresh seeds has been trained yet.</p>"
        return
    more = f" The first {MOST_PANELS} of {len(ours)} arms." if len(ours) > MOST_PANELS else ""
    yield Plot(
        trained,
        f"Training loss of every run over fresh seeds (a logarithmic axis): of what it read awake, and of what it "
        f"replayed asleep. Behind: when its first run was awake (yellow) and asleep (blue).{more}",
    )
    curves = {name: [_values(journal.evaluations, metric) for journal in own] for name, own in ours.items()}
    if any(len(run) > 1 for own in curves.values() for run in own):
        drawn = learning_curves(curves, metric)
        if drawn:
            yield Plot(drawn, f"{metric} on dev where runs were evaluated: means over seeds, and thin each seed.")


def _values(evaluations: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One metric of one run by words seen."""
    if metric not in evaluations:
        return pd.DataFrame({"rung": [], "words_seen": [], "value": []})
    known = evaluations[evaluations[metric].notna()]
    return known[["rung", "words_seen", metric]].rename(columns={metric: "value"})
