"""The figures of each section of the report, with their titles and captions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from sleep_tune.metric_names import split_variant
from sleep_tune.results.arms import Comparison
from sleep_tune.results.columns import short_names
from sleep_tune.results.look_table import LookRow
from sleep_tune.results.paradigms import ParadigmDifference
from sleep_tune.results.parameter_correlations import correlate_search
from sleep_tune.results.report.arm_figures import plot_differences
from sleep_tune.results.report.figure_style import Figure, panel_title
from sleep_tune.results.report.gain_figures import MOST_GAINS, plot_gains
from sleep_tune.results.report.importance import estimate_importance
from sleep_tune.results.report.learning_figures import (
    MOST_PANELS,
    plot_difference_curves,
    plot_learning_curves,
    plot_learning_rates,
    plot_losses,
)
from sleep_tune.results.report.look_figures import MOST_ARMS, plot_looks
from sleep_tune.results.report.paradigm_figures import plot_paradigms
from sleep_tune.results.report.parameter_figures import plot_correlations, plot_heat_map, plot_importance, plot_slices
from sleep_tune.results.report.replay_figures import plot_ages, plot_exposures, plot_source_ratios, plot_sources
from sleep_tune.results.report.search_figures import (
    further_metrics,
    plot_history,
    plot_parallel,
    plot_rungs,
    plot_tradeoff,
)
from sleep_tune.results.report.search_tables import SearchTables
from sleep_tune.results.report.training_logs import TrainingLog, TrainingLogs
from sleep_tune.results.sheet import settings_text

__all__ = ["FIGURES", "Plot", "ReportData", "make_plots"]

HEAT_MAPS = (("sleep.replay.ratio", "sleep.folds"), ("sleep.replay.ratio", "sleep.length.passes"))
"""Pairs of parameters that have a heat map where both were searched, beside the two most important ones."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure with its title and caption."""

    title: str
    figure: Figure | None = field(repr=False)
    """None where there is nothing to show; `make_plots` leaves such plots out."""
    caption: str
    wide: bool = False
    """Whether it needs more than a phone's width; there it is scrolled."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that the sections are made from."""

    folder: Path
    comparison: Comparison
    trials: pd.DataFrame
    search: SearchTables
    logs: TrainingLogs
    ended: bool
    """Whether the search was closed."""
    paradigms: Sequence[ParadigmDifference] = ()
    """Differences in each paradigm, as `compare_paradigms` orders them."""
    looks: Sequence[LookRow] = ()
    """The evidence on each arm look by look, as `list_looks` orders it."""

    @property
    def first_logs(self) -> dict[str, TrainingLog]:
        """Arm -> the training log of its first seed."""
        return {arm: runs[0] for arm, runs in self.logs.runs.items()}

    @property
    def replayed(self) -> tuple[str, TrainingLog] | None:
        """The arm whose replay is shown, and its log: the first finalist with a sleep, else the first arm with one."""
        slept = {name: log for name, log in self.first_logs.items() if not log.sleeps.empty}
        first = sorted(self.comparison.compared, key=lambda arm: arm.kind != "finalist")
        names = [*(arm.name for arm in first), *slept]
        return next(((name, slept[name]) for name in names if name in slept), None)

    def describe(self, name: str) -> str:
        """Return an arm's name with its settings: `t0007 (folds 5, replay.ratio 0.78)`."""
        settings = [settings_text(arm, self.comparison) for arm in self.comparison.arms if arm.name == name]
        return f"{name} ({settings[0]})" if any(settings) else name

    def panel_titles(self) -> dict[str, str]:
        """Return arm -> its name and settings as the title of a panel."""
        return {arm.name: panel_title(arm.name, settings_text(arm, self.comparison)) for arm in self.comparison.arms}


def _differences(data: ReportData) -> Iterator[Plot]:
    comparison = data.comparison
    band = "; grey band: smaller than the smallest difference of interest" if comparison.experiment.smallest else ""
    diverged = any(made.diverged for arm in comparison.arms for made in arm.contrasts.values())
    bare = " A point has no interval where seeds diverged; it is the mean over the other seeds." if diverged else ""
    yield Plot(
        f"Differences to {comparison.baseline}",
        plot_differences(comparison),
        f"Mean over shared seeds with its 95% interval, before correction. Filled: significant after Holm correction; "
        f"circles: arms and finalists; diamonds: baselines and controls{band}.{bare}",
    )


def _looks(data: ReportData) -> Iterator[Plot]:
    comparison = data.comparison
    count = len({row.arm for row in data.looks})
    more = f" Shown are {MOST_ARMS} of {count} arms." if count > MOST_ARMS else ""
    smallest = " Dashed lines: the smallest difference of interest." if comparison.experiment.smallest else ""
    what = comparison.column(comparison.endpoints[0]).heading
    yield Plot(
        f"Difference to {comparison.baseline} in {what} as seeds were added",
        plot_looks(data.looks, comparison),
        "Mean over the seeds so far, with its repeated interval. The grey column holds the differences that are "
        "not significant at that look, even before Holm correction. Open circle: not decided; filled circle: "
        f"significant (blue: better, red: worse); square: equivalent; cross: futile.{smallest}{more}",
    )


def _gains(data: ReportData) -> Iterator[Plot]:
    comparison = data.comparison
    count = len({gain.arm for gain in comparison.gains if gain.endpoint == comparison.endpoints[0]})
    more = f" Shown are {MOST_GAINS} of {count} arms." if count > MOST_GAINS else ""
    yield Plot(
        f"Parts of the difference to {comparison.baseline} in {comparison.column(comparison.endpoints[0]).heading}",
        plot_gains(comparison),
        "Each bar is one part, with its 95% interval as a line; the parts add up to the whole, the bar with an "
        "outline. Blue: significantly better; striped: significantly worse; grey: not significant (after "
        f"Holm correction).{more}",
    )


def _paradigms(data: ReportData) -> Iterator[Plot]:
    """Yield a figure per task; variants of a task, such as averaged weights, are only in the file."""
    baseline = data.comparison.baseline
    for endpoint in dict.fromkeys(row.endpoint for row in data.paradigms):
        if split_variant(endpoint)[0]:
            continue
        rows = [row for row in data.paradigms if row.endpoint == endpoint]
        several = " The menu selects the arm." if len({row.arm for row in rows}) > 1 else ""
        yield Plot(
            f"{data.comparison.column(endpoint).heading.removesuffix(' %')}, paradigm by paradigm",
            plot_paradigms(rows, baseline),
            "Mean difference over shared seeds and items, with its 95% interval before correction. After the name: "
            f"percent right of {baseline} → of the arm. Triangles: significant after Holm correction over the "
            f"paradigms (to the right: better, to the left: worse). Crosses: neither arm is above chance.{several}",
        )


def _losses(data: ReportData) -> Iterator[Plot]:
    logs = _logs_in_order(data)
    more = f" Shown are the first {MOST_PANELS} of {len(logs)} arms." if len(logs) > MOST_PANELS else ""
    yield Plot(
        "Training loss",
        plot_losses(logs, data.panel_titles(), data.comparison.baseline),
        "Every run over fresh seeds, on a logarithmic axis: loss on new text (awake) and on replayed text (asleep). "
        f"The background shows when the arm's first run was awake (yellow) and asleep (blue).{more}",
    )


def _learning_curves(data: ReportData) -> Iterator[Plot]:
    metric = data.comparison.experiment.objective
    curves = {arm: [_values(log, metric) for log in own] for arm, own in _logs_in_order(data).items()}
    if any(len(run) > 1 for own in curves.values() for run in own):
        yield Plot(
            f"{metric} during training",
            plot_learning_curves(curves, metric),
            "Measured on dev. Thick: means over seeds; thin: single seeds.",
        )
        baseline = data.comparison.baseline
        paired = {
            arm: {log.seed: _values(log, metric) for log in own if log.seed is not None}
            for arm, own in _logs_in_order(data).items()
        }
        better = "below" if data.comparison.experiment.mode == "min" else "above"
        controls = [arm.name for arm in data.comparison.arms if arm.kind == "control"]
        hidden = " A click on its name shows a control, or hides another arm." if controls else ""
        yield Plot(
            f"Differences to {baseline} in {metric} during training",
            plot_difference_curves(paired, metric, baseline, hidden=controls),
            f"Measured on dev, after the same number of words. {better.title()} 0 is better. Line: mean over the seeds "
            "that both arms have; band: its 95% interval at each point, uncorrected, so that it says nothing about the "
            f"curve as a whole. The table of arms compares the end, on test.{hidden}",
        )


def _learning_rates(data: ReportData) -> Iterator[Plot]:
    logs = {arm: runs[0] for arm, runs in _logs_in_order(data).items()}
    yield Plot(
        "Learning rate of each fold",
        plot_learning_rates(logs, data.panel_titles()),
        "Mean rate of the updates of each fold, and of each sleep, in each arm's first seed; of a run that did not log "
        "it, the rate at its lines of losses. At a rate near 0, neither a fold nor its replay changes the model much. "
        "The figure does not show whether another schedule would be better.",
    )


def _logs_in_order(data: ReportData) -> Mapping[str, Sequence[TrainingLog]]:
    """Return arm -> its training logs, in the order of the comparison."""
    return {arm.name: data.logs.runs[arm.name] for arm in data.comparison.arms if arm.name in data.logs.runs}


def _values(log: TrainingLog, metric: str) -> pd.DataFrame:
    """Return one metric of one run by words seen."""
    if metric not in log.evaluations:
        return pd.DataFrame({"rung": [], "words_seen": [], "value": []})
    known = log.evaluations[log.evaluations[metric].notna()]
    return known[["rung", "words_seen", metric]].rename(columns={metric: "value"})


def _trials(data: ReportData) -> Iterator[Plot]:
    """Yield figures of the objective by trial, by rung, and by settings."""
    search, comparison = data.search, data.comparison
    metric, mode = comparison.experiment.objective, comparison.experiment.mode
    estimate = comparison.reference.estimates.get(metric) if comparison.reference else None
    levels = {f"{comparison.baseline}, mean over seeds": estimate.mean} if estimate else {}
    yield Plot(
        "Trials in the order of the search",
        plot_history(search, metric, mode, levels),
        "Filled: trained to the end; open: stopped early. A trial is one run with one seed, and the best of many "
        "looks better than it is: the table of arms, not this figure, compares it with the baseline.",
    )
    yield Plot(
        "Trials at each rung",
        plot_rungs(search.rungs, metric, search.trials.set_index("trial")["label"]),
        "The line of a stopped trial ends at its last rung.",
    )
    yield Plot(
        "Trials by their settings",
        plot_parallel(search, metric, mode),
        "One line per trial; dark is better. Drag along an axis to select trials. A trial without a parameter is "
        "at the bottom of that axis.",
        wide=True,
    )


def _tradeoffs(data: ReportData) -> Iterator[Plot]:
    """Yield figures of the objective against other metrics, at the first rung and at the end."""
    search, experiment = data.search, data.comparison.experiment
    metric, mode = experiment.objective, experiment.mode
    for other in further_metrics(search, metric):
        for share in sorted({search.first_share, 1.0}):
            yield Plot(
                f"{metric} and {other} at {share:.0%} of the budget",
                plot_tradeoff(search, metric, mode, other, share),
                "The dashed line is the Pareto front: the trials that no other trial beats at both. If it is a "
                "single trial, there is no trade-off.",
            )


def _parameters(data: ReportData) -> Iterator[Plot]:
    """Yield figures of importance, slices and heat maps, at the first rung."""
    trials, parameters = data.search.first_rung, data.search.parameters
    metric, mode = data.comparison.experiment.objective, data.comparison.experiment.mode
    share = data.search.first_share
    where = f"at {share:.0%} of the budget, where every trial was measured" if share < 1 else "at the end of the budget"
    importances = estimate_importance(trials, parameters, trials["value"], mode)
    yield Plot(
        f"Importance of the parameters for {metric}",
        plot_importance(importances),
        f"PED-ANOVA over {int(trials['value'].notna().sum())} trials, {where}, with 95% bootstrap intervals. Wide "
        "intervals mean that the search has too few trials.",
    )
    better = "lower" if mode == "min" else "higher"
    correlations = correlate_search(data.trials, data.comparison.experiment)
    yield Plot(
        f"Rank correlation of the parameters with {metric}",
        plot_correlations(correlations),
        f"Spearman's. {'Left' if mode == 'min' else 'Right'} of 0: trials with a larger value had a {better}, that is "
        f"better, {metric} at the end. With 95% bootstrap intervals; filled where the interval leaves out 0, without "
        "correction for the number of rows. Stopped trials do not count: the others are those that the search found "
        "better, so that correlations over all settings may be stronger. A choice without an order has a row per value "
        "(1 with that value, 0 with another one). A parameter that is best in the middle may have 0 and be important.",
    )
    yield Plot(
        f"{metric} by parameter",
        plot_slices(trials, parameters, metric),
        f"Values {where}. The other parameters differ between trials, too.",
        wide=len(parameters) > 1,
    )
    names = short_names(parameters)
    most_important = tuple(one.key for one in importances[:2])
    for across, down in dict.fromkeys(pair for pair in (*HEAT_MAPS, most_important) if len(pair) == 2):
        if {across, down} <= set(parameters):
            yield Plot(
                f"{metric} by {names[across]} and {names[down]}",
                plot_heat_map(trials, across, down, metric, mode),
                f"Mean over n trials in each cell, {where}; empty cells have none.",
            )


def _replay(data: ReportData) -> Iterator[Plot]:
    if data.replayed is None:
        return
    yield Plot(
        "How often samples were seen",
        plot_exposures(data.first_logs, data.panel_titles()),
        "Awake and asleep, by the end of the last sleep, in each arm's first seed. Arms that never sleep are not "
        "shown: epochs sees every sample once a pass, and a matched control as often as the arm that it is matched to.",
    )
    name, log = data.replayed
    arm = f"{data.describe(name)}, first seed"
    yield Plot(
        "What was replayed against what the corpus holds",
        plot_source_ratios(data.first_logs, data.panel_titles()),
        "A source's share in all that an arm's first seed replayed, over its share in the corpus, on a logarithmic "
        "axis. It shows which sources a strategy prefers, not whether that helps. Random replay is near the middle.",
    )
    yield Plot(
        "Sources of the replay buffer",
        plot_sources(log),
        f"{arm}: the share of each source in each sleep's buffer and in all sleeps (weighted by their words)"
        f"{', and in the corpus' if log.corpus else ''}.",
    )
    yield Plot(
        "Age and score of the replayed samples",
        plot_ages(log),
        f"{arm}. Score: mean loss when a sample was last read awake; age: cycles since then.",
    )


FIGURES: dict[str, tuple[Callable[[ReportData], Iterator[Plot]], ...]] = {
    "arms": (_differences,),
    "looks": (_looks,),
    "gain": (_gains,),
    "paradigms": (_paradigms,),
    "learning": (_losses, _learning_curves, _learning_rates),
    "search": (_trials, _tradeoffs, _parameters),
    "replay": (_replay,),
}
"""Section -> the functions that make its figures, in the order of the page."""


def make_plots(section: str, data: ReportData) -> list[Plot]:
    """Return the plots of a section that have something to show."""
    return [plot for make in FIGURES.get(section, ()) for plot in make(data) if plot.figure is not None]
