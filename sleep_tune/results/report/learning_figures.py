"""Figures of how the compared arms learned: losses, the objective, its differences to the baseline, learning rates.

Each function returns a figure, or None where there is nothing to show.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from sleep_tune.results.report.figure_style import (
    Figure,
    arm_colour,
    arm_line,
    arm_symbol,
    make_figure,
    metric_title,
    plain_values,
    stack_panels,
)
from sleep_tune.results.report.palette import COLOURS, INK, SLEEP, WAKE
from sleep_tune.results.report.training_logs import TrainingLog
from sleep_tune.statistics.fixed_sample import Difference, paired_difference

__all__ = ["MOST_PANELS", "plot_difference_curves", "plot_learning_curves", "plot_learning_rates", "plot_losses"]

MOST_PANELS = 8
"""Arms whose losses are drawn."""

MOST_SHADES = 120
"""Phases shaded behind a curve; more of them would be too thin to see."""

BINS = 100
"""Parts of the budget over which the baseline's mean loss is taken."""

LOSS_LINES = {"loss/wake": ("awake", COLOURS[1], "solid"), "loss/sleep": ("asleep", COLOURS[0], "dot")}
"""Column of a loss -> name, colour and dash of its line."""

LOSS_TICKS = [digit * 10.0**power for power in range(-3, 3) for digit in (1, 1.5, 2, 3, 5, 7)]

FINE_TICKS = [number / 2 for number in range(2, 41)]
"""Ticks of losses that are all above 1 and within 4 nats."""

HIDDEN = "legendonly"
"""What plotly.js calls a line that is shown only after a click on its name in the legend."""

RATE_POINTS = {
    "wake": ("a fold, read awake", COLOURS[1], "circle"),
    "sleep": ("its replay, asleep", COLOURS[0], "diamond-open"),
}
"""Phase -> name, colour and symbol of its points."""


def plot_learning_curves(curves: Mapping[str, Sequence[pd.DataFrame]], metric: str) -> Figure | None:
    """Return a metric by words seen: a thick line for each arm's mean over seeds, a thin one for each seed.

    Args:
        curves: arm -> a table for each of its seeds, with columns rung, words_seen and value.
        metric: name of `value`.
    """
    traces: list[Figure] = []
    for number, (arm, runs) in enumerate(curves.items()):
        known = [run for run in runs if not run.empty]
        if not known:
            continue
        shared = {"type": "scatter", "name": arm, "legendgroup": arm}
        line = arm_line(number)
        for run in known if len(known) > 1 else []:
            thin = {"mode": "lines", "showlegend": False, "opacity": 0.35, "hoverinfo": "skip"}
            traces.append(shared | thin | {"x": plain_values(run["words_seen"]), "y": plain_values(run["value"])})
            traces[-1]["line"] = line | {"width": 1}
        rungs = pd.concat(known).groupby("rung")[["words_seen", "value"]]
        mean, counts = rungs.mean(), rungs.size()
        marker = {"size": 6, "symbol": arm_symbol(number)}
        thick = {"mode": "lines+markers", "line": line | {"width": 2.2}, "marker": marker}
        traces.append(shared | thick | {"x": plain_values(mean["words_seen"]), "y": plain_values(mean["value"])})
        traces[-1]["text"] = [f"{arm}, mean of {count} seed{'' if count == 1 else 's'}" for count in counts]
        traces[-1]["hovertemplate"] = "%{text}: %{y:.4f}<extra></extra>"
    return make_figure(traces, x="words seen", y=metric_title(metric)) if traces else None


def plot_difference_curves(
    curves: Mapping[str, Mapping[int, pd.DataFrame]], metric: str, baseline: str, hidden: Collection[str] = ()
) -> Figure | None:
    """Return each arm's difference to the baseline at every rung: the mean over shared seeds, with its 95% band.

    Args:
        curves: arm -> seed -> a table with columns rung and value.
        metric: name of `value`.
        baseline: the arm that is subtracted, seed by seed.
        hidden: arms that are shown only after a click on their names in the legend; unless there are no others.
    """
    traces: list[Figure] = []
    by_seed = {arm: _at_rungs(runs) for arm, runs in curves.items()}
    reference = by_seed.get(baseline, {})
    for number, arm in enumerate(by_seed):
        rungs = sorted(by_seed[arm].keys() & reference.keys()) if arm != baseline else []
        found = {rung: _paired(by_seed[arm][rung], reference[rung]) for rung in rungs}
        known = {rung: made for rung, made in found.items() if made is not None}
        if not known:
            continue
        shared = {"type": "scatter", "name": arm, "legendgroup": arm, "visible": HIDDEN if arm in hidden else True}
        banded = {rung: made for rung, made in known.items() if made.low is not None}
        if len(banded) > 1:
            around = [*banded, *reversed(banded)]
            edges = [*(made.high for made in banded.values()), *(made.low for made in reversed(banded.values()))]
            band = {"mode": "lines", "line": {"width": 0}, "fill": "toself", "fillcolor": arm_colour(number)}
            traces.append(shared | band | {"x": around, "y": edges, "opacity": 0.15, "showlegend": False})
            traces[-1]["hoverinfo"] = "skip"
        line = arm_line(number) | {"width": 2.2}
        mean = {"mode": "lines+markers", "line": line, "marker": {"size": 6, "symbol": arm_symbol(number)}}
        traces.append(shared | mean | {"x": list(known), "y": [made.mean for made in known.values()]})
        traces[-1]["text"] = [_hover(arm, made) for made in known.values()]
        traces[-1]["hovertemplate"] = "%{text}<extra></extra>"
    if all(trace["visible"] == HIDDEN for trace in traces):
        traces = [trace | {"visible": True} for trace in traces]
    zero = {"zeroline": True, "zerolinecolor": INK}
    title = metric_title(metric).replace(metric, "difference", 1)
    return make_figure(traces, x="words seen", y=title, yaxis=zero, xaxis={"rangemode": "tozero"}) if traces else None


def _at_rungs(runs: Mapping[int, pd.DataFrame]) -> dict[int, dict[int, float]]:
    """Return rung -> seed -> value, where it is finite."""
    found: dict[int, dict[int, float]] = {}
    for seed, run in runs.items():
        for rung, value in zip(run["rung"], run["value"], strict=True):
            if math.isfinite(value):
                found.setdefault(int(rung), {})[seed] = float(value)
    return found


def _paired(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Difference | None:
    """Return the mean difference over the seeds that both have; None without one."""
    seeds = sorted(ours.keys() & theirs.keys())
    return paired_difference([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]) if seeds else None


def _hover(arm: str, made: Difference) -> str:
    interval = f" [{made.low:+.4f}, {made.high:+.4f}]" if made.low is not None else ""
    return f"{arm}: {made.mean:+.4f}{interval}, {made.count} shared seed{'' if made.count == 1 else 's'}"


def plot_losses(logs: Mapping[str, Sequence[TrainingLog]], titles: Mapping[str, str], baseline: str) -> Figure | None:
    """Return training losses by words seen, a panel per arm: its runs, the baseline's mean, phases as background.

    Args:
        logs: arm -> the training logs of its runs.
        titles: arm -> the title of its panel.
        baseline: the arm whose mean is drawn in every panel.
    """
    trained = {arm: [run for run in runs if not run.losses.empty] for arm, runs in logs.items()}
    shown = [arm for arm, runs in trained.items() if runs][:MOST_PANELS]
    if not shown:
        return None
    named = [titles.get(arm, arm) for arm in shown]
    lines = max(title.count("<br>") for title in named)
    height = 90 + (180 + 18 * lines) * len(shown)
    axes, notes = stack_panels(named, gap=(26 + 18 * lines) / (height - 114))
    losses = pd.concat([run.losses["loss"] for arm in shown for run in trained[arm]])
    fine = losses.min() > 1 and losses.max() - losses.min() < 4
    ticks = {"type": "log", "tickvals": FINE_TICKS if fine else LOSS_TICKS, "title": {"text": "loss (nats)"}}
    axes = {name: axis | ticks for name, axis in axes.items()}
    reference = _mean_loss(trained.get(baseline, []))
    traces: list[Figure] = []
    shapes: list[Figure] = []
    for at, arm in enumerate(shown):
        suffix = "" if at == 0 else str(at + 1)
        shapes += _phase_bands(trained[arm][0].losses, f"y{suffix} domain")
        own = [trace for number, run in enumerate(trained[arm], 1) for trace in _loss_lines(run, arm, number)]
        if reference is not None and arm != baseline:
            own.append(_reference_line(reference, baseline))
        traces += [trace | {"yaxis": f"y{suffix}"} for trace in own]
    in_legend: set[str] = set()
    for trace in traces:
        trace["showlegend"] = trace["name"] not in in_legend
        in_legend.add(trace["name"])
    words = {"anchor": f"y{len(shown)}" if len(shown) > 1 else "y"}  # below the lowest panel
    margin = {"l": 60, "r": 20, "t": 64, "b": 50}
    legend = {"y": 1 + (22 + 18 * titles.get(shown[0], "").count("<br>")) / (height - 114)}
    return make_figure(
        traces, x="words seen", height=height, xaxis=words, shapes=shapes, annotations=notes, margin=margin,
        legend=legend, **axes,
    )  # fmt: skip


def plot_learning_rates(logs: Mapping[str, TrainingLog], titles: Mapping[str, str]) -> Figure | None:
    """Return the learning rate at which each fold was read, and of each sleep, by words seen: a panel per arm.

    Args:
        logs: arm -> the training log of one of its runs.
        titles: arm -> the title of its panel.
    """
    shown = {arm: log.phases for arm, log in logs.items() if not log.phases.empty}
    shown = dict(list(shown.items())[:MOST_PANELS])
    if not shown:
        return None
    named = [f"{titles.get(arm, arm)}<br>{_last_rates(phases)}" for arm, phases in shown.items()]
    lines = max(title.count("<br>") for title in named)
    height = 90 + (130 + 18 * lines) * len(shown)
    axes, notes = stack_panels(named, gap=(26 + 18 * lines) / (height - 114))
    axes = {name: axis | {"rangemode": "tozero", "nticks": 4, "exponentformat": "power"} for name, axis in axes.items()}
    traces: list[Figure] = []
    for at, phases in enumerate(shown.values()):
        for phase, (name, shade, symbol) in RATE_POINTS.items():
            own = phases[phases["phase"] == phase]
            first = not own.empty and name not in [trace["name"] for trace in traces if trace["showlegend"]]
            traces.append(
                {"type": "scatter", "mode": "markers", "name": name, "legendgroup": name, "showlegend": first}
                | {"x": plain_values(own["words_seen"]), "y": plain_values(own["learning_rate"])}
                | {"marker": {"color": shade, "symbol": symbol, "size": 7}, "yaxis": f"y{at + 1}" if at else "y"}
                | {"text": [f"cycle {cycle + 1}, {phase}" for cycle in own["cycle"]]}
                | {"hovertemplate": "%{text}: %{y:.3g}<extra></extra>"}
            )
    words = {"anchor": f"y{len(shown)}" if len(shown) > 1 else "y", "rangemode": "tozero"}
    margin = {"l": 70, "r": 20, "t": 64, "b": 50}
    legend = {"y": 1 + (22 + 18 * named[0].count("<br>")) / (height - 114)}
    return make_figure(
        traces, x="words seen", height=height, xaxis=words, annotations=notes, margin=margin, legend=legend, **axes
    )


def _last_rates(phases: pd.DataFrame) -> str:
    """Return at which share of the highest rate the last folds were read: `last 2 folds read at 8% of the highest`."""
    read = phases[phases["phase"] == "wake"]["learning_rate"]
    highest = float(phases["learning_rate"].max())
    if len(read) < 2 or not highest > 0:
        return "a single fold" if len(read) == 1 else ""
    last = read.tail(max(1, len(read) // 10))
    which = "last fold" if len(last) == 1 else f"last {len(last)} folds"
    return f"{which} read at {float(last.mean()) / highest:.0%} of the highest rate"


def _loss_lines(run: TrainingLog, arm: str, number: int) -> list[Figure]:
    """Return one run's losses awake and asleep; each line has a gap where the run was in the other phase."""
    traces = []
    for key, (phase, shade, dash) in LOSS_LINES.items():
        if run.losses[key].notna().any():
            traces.append(
                {"type": "scatter", "mode": "lines+markers", "name": phase, "legendgroup": phase, "opacity": 0.6}
                | {"x": plain_values(run.losses["words_seen"]), "y": plain_values(run.losses[key])}
                | {"line": {"color": shade, "dash": dash, "width": 1.2}, "marker": {"size": 2.5}}
                | {"hovertemplate": f"{arm}, run {number}, {phase}: %{{y:.3f}}<extra></extra>"}
            )
    return traces


def _mean_loss(runs: Sequence[TrainingLog]) -> "pd.Series[float] | None":
    """Return the mean loss over runs by words seen, in `BINS` parts."""
    if not runs:
        return None
    table = pd.concat([run.losses for run in runs])
    width = max(1, int(table["words_seen"].max()) // BINS)
    part = (table["words_seen"] - 1) // width
    mean = table.groupby(part)[["words_seen", "loss"]].mean()
    return mean.set_index("words_seen")["loss"]


def _reference_line(mean: "pd.Series[float]", baseline: str) -> Figure:
    name = f"{baseline}, mean over seeds"
    trace: Figure = {"type": "scatter", "mode": "lines", "name": name, "legendgroup": name, "hoverinfo": "skip"}
    return trace | {"x": plain_values(mean.index), "y": plain_values(mean), "line": {"color": INK, "width": 1}}


def _phase_bands(table: pd.DataFrame, panel: str) -> list[Figure]:
    """Return a band for each phase, from its first line in the log to the first line of the next phase."""
    change = (table["phase"] != table["phase"].shift()) | (table["cycle"] != table["cycle"].shift())
    starts = table[change]
    if len(starts) > MOST_SHADES or starts["phase"].nunique() < 2:
        return []
    begins = [0, *plain_values(starts["words_seen"])[1:]]
    ends = [*begins[1:], int(table["words_seen"].iloc[-1])]
    return [
        {"type": "rect", "xref": "x", "yref": panel, "x0": begin, "x1": end, "y0": 0, "y1": 1, "layer": "below"}
        | {"line": {"width": 0}, "fillcolor": SLEEP if phase == "sleep" else WAKE}
        for begin, end, phase in zip(begins, ends, starts["phase"], strict=True)
    ]
