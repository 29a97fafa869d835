"""The report's section on the search: its course, and how the objective depends on what was searched."""

from collections.abc import Iterator

from sleep_tune.results.arms import Comparison
from sleep_tune.results.columns import short_names
from sleep_tune.results.markup import html_text
from sleep_tune.results.report.importance import FEWEST, importance
from sleep_tune.results.report.page import Plot
from sleep_tune.results.report.parameter_figures import heat_map, importances, slices
from sleep_tune.results.report.points import SearchPoints
from sleep_tune.results.report.search_figures import history, parallel, rungs
from sleep_tune.results.report.tradeoff import further_measures, tradeoff

__all__ = ["searched"]

PAIRS_OF_INTEREST = (("sleep.replay.ratio", "sleep.folds"), ("sleep.replay.ratio", "sleep.length.passes"))
"""Parameters that a heat map is drawn of, where both were searched: first those that the mechanism turns on."""


def searched(comparison: Comparison, points: SearchPoints) -> Iterator[str | Plot]:
    """The section."""
    metric, mode = comparison.experiment.objective, comparison.experiment.mode
    if points.trials.empty:
        yield "<p>No trial of the search has been asked for yet.</p>"
        return
    names = html_text(", ".join(short_names(points.parameters).values()))
    better = "lower" if mode == "min" else "higher"
    text = f"{len(points.trials):,} trials over {names or 'no parameter'}; {better} {html_text(metric)} is better."
    yield f"<p>{text}</p>"
    told = points.trials.set_index("trial")["told"]
    reference = next((arm for arm in comparison.arms if arm.name == comparison.baseline), None)
    estimate = reference.estimates.get(metric) if reference else None
    levels = {f"{comparison.baseline}, mean over seeds": estimate.mean} if estimate else {}
    for made, caption, wide in (
        (
            history(points, metric, mode, levels),
            "Each trial's objective. Filled: went to the end; open: stopped on the way. A trial is one run with one "
            "seed, chosen among many: the table above, not this figure, compares it with the baseline.",
            False,
        ),
        (rungs(points.rungs, metric, told), "The same at each rung; a trial that was stopped ends at its last.", False),
        (
            parallel(points, metric, mode),
            "One line a trial; dark is better. Drag along an axis to choose; a choice that a trial did not have lies "
            "at the bottom.",
            True,
        ),
    ):
        if made:
            yield Plot(made, caption, wide=wide)
    yield from _tradeoffs(points, metric, mode)
    yield from _parameters(points, metric, mode)


def _tradeoffs(points: SearchPoints, metric: str, mode: str) -> Iterator[Plot]:
    """The objective against what else was measured, at the first rung, where every trial was, and at the end."""
    for other in further_measures(points, metric):
        for share in sorted({points.first, 1.0}):
            drawn = tradeoff(points, metric, mode, other, share)
            if drawn:
                yield Plot(
                    drawn,
                    f"Trials over {metric} and {other} at {share:.0%} of the budget. The dashed line joins the trials "
                    "that no other beats at both (the Pareto front); where it is one trial alone, nothing is traded.",
                )


def _parameters(points: SearchPoints, metric: str, mode: str) -> Iterator[str | Plot]:
    """Importance, slices and heat maps at the first rung."""
    early, first, parameters = points.early, points.first, points.parameters
    where = f"at {first:.0%} of the budget, where every trial was measured" if first < 1 else "at the end of the budget"
    count = int(early["value"].notna().sum())
    found = importance(early, parameters, early["value"], mode)
    drawn = importances(found)
    if drawn:
        yield Plot(
            drawn,
            f"Importance for {metric} {where} (PED-ANOVA over {count} trials; bars: 95% over resampled trials). "
            "Wide bars say that the search was too small to tell.",
        )
    else:
        yield f"<p>Importance of the parameters needs at least {FEWEST} trials with a value; {count} have one.</p>"
    sliced = slices(early, parameters, metric)
    if sliced:
        caption = f"{metric} against each parameter, {where}; the others vary along."
        yield Plot(sliced, caption, wide=len(parameters) > 1)
    names = short_names(parameters)
    most = tuple(one.key for one in found[:2])
    for across, down in dict.fromkeys(pair for pair in (*PAIRS_OF_INTEREST, most) if len(pair) == 2):
        if {across, down} <= set(parameters):
            mapped = heat_map(early, across, down, metric, mode)
            told = f"Mean {metric} over {names[across]} and {names[down]}, {where}; n trials in each cell, white: none."
            yield from [Plot(mapped, told)] if mapped else []
