"""Figures of what the runs that are compared learnt, by words seen. Knows no folders.

An arm's runs over its seeds are thin lines; where means are drawn they are over the seeds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from sleep_tune.results.report.journals import Journal
from sleep_tune.results.report.style import COLOURS, DASHES, SLEEP, WAKE, colour, figure, metric_title, plain, stack

__all__ = ["MOST_PANELS", "learning_curves", "losses"]

Figure = dict[str, Any]

MOST_SHADES = 120
"""Phases shaded behind a curve; of more, stripes would be too thin to see."""

MOST_PANELS = 8
"""Arms whose losses are drawn."""

BINS = 100
"""Parts of the budget that a mean over seeds is taken in."""

PHASES = {"loss/wake": ("awake", COLOURS[1], "solid"), "loss/sleep": ("asleep", COLOURS[0], "dot")}
"""Column of a loss -> its name, colour and dash."""


def learning_curves(curves: Mapping[str, Sequence[pd.DataFrame]], metric: str) -> Figure | None:
    """A metric by words seen: an arm's mean over seeds as a strong line, its seeds as thin ones.

    Args:
        curves: arm -> for each of its seeds a table with columns rung, words_seen and value.
        metric: what `value` is.
    """
    traces: list[Figure] = []
    for number, (arm, runs) in enumerate(curves.items()):
        known = [run for run in runs if not run.empty]
        if not known:
            continue
        shared = {"type": "scatter", "name": arm, "legendgroup": arm}
        line = {"color": colour(number), "dash": DASHES[number % len(DASHES)]}
        for run in known if len(known) > 1 else []:
            thin = {"mode": "lines", "showlegend": False, "opacity": 0.35, "hoverinfo": "skip"}
            traces.append(shared | thin | {"x": plain(run["words_seen"]), "y": plain(run["value"])})
            traces[-1]["line"] = line | {"width": 1}
        rungs = pd.concat(known).groupby("rung")[["words_seen", "value"]]
        mean, counts = rungs.mean(), rungs.size()
        strong = {"mode": "lines+markers", "line": line | {"width": 2.2}, "marker": {"size": 6, "symbol": number % 12}}
        traces.append(shared | strong | {"x": plain(mean["words_seen"]), "y": plain(mean["value"])})
        traces[-1]["text"] = [f"{arm}, mean of {count} seed{'' if count == 1 else 's'}" for count in counts]
        traces[-1]["hovertemplate"] = "%{text}: %{y:.4f}<extra></extra>"
    return figure(traces, x="words seen", y=metric_title(metric)) if traces else None


def losses(journals: Mapping[str, Sequence[Journal]], titles: Mapping[str, str], baseline: str) -> Figure | None:
    """Training losses by words seen, a panel for each arm: its seeds, the baseline's mean, its phases behind.

    Args:
        journals: arm -> its runs.
        titles: arm -> what stands above its panel.
        baseline: the arm whose mean is drawn in every panel.
    """
    trained = {arm: [run for run in runs if not run.losses.empty] for arm, runs in journals.items()}
    shown = [arm for arm, runs in trained.items() if runs][:MOST_PANELS]
    if not shown:
        return None
    named = [titles.get(arm, arm) for arm in shown]
    lines = max(title.count("<br>") for title in named)
    height = 90 + (180 + 18 * lines) * len(shown)
    axes, notes = stack(named, gap=(26 + 18 * lines) / (height - 114))
    axes = {name: axis | {"type": "log", "title": {"text": "nats"}} for name, axis in axes.items()}
    reference = _mean(trained.get(baseline, []))
    traces: list[Figure] = []
    shapes: list[Figure] = []
    for at, arm in enumerate(shown):
        suffix = "" if at == 0 else str(at + 1)
        shapes += _shades(trained[arm][0].losses, f"y{suffix} domain")
        own = [trace for number, run in enumerate(trained[arm], 1) for trace in _losses(run, arm, number)]
        if reference is not None and arm != baseline:
            own.append(_reference(reference, baseline))
        traces += [trace | {"yaxis": f"y{suffix}"} for trace in own]
    told: set[str] = set()
    for trace in traces:  # one entry of the legend for each kind of line
        trace["showlegend"] = trace["name"] not in told
        told.add(trace["name"])
    # The axis of words belongs to the lowest panel.
    words = {"anchor": f"y{len(shown)}" if len(shown) > 1 else "y"}
    margin = {"l": 60, "r": 20, "t": 64, "b": 50}
    legend = {"y": 1 + (22 + 18 * titles.get(shown[0], "").count("<br>")) / (height - 114)}
    return figure(
        traces, x="words seen", height=height, xaxis=words, shapes=shapes, annotations=notes, margin=margin,
        legend=legend, **axes,
    )  # fmt: skip


def _losses(run: Journal, arm: str, number: int) -> list[Figure]:
    """One run's losses awake and asleep, each line broken where the other phase is."""
    traces = []
    for key, (phase, shade, dash) in PHASES.items():
        if run.losses[key].notna().any():
            traces.append(
                {"type": "scatter", "mode": "lines+markers", "name": phase, "legendgroup": phase, "opacity": 0.6}
                | {"x": plain(run.losses["words_seen"]), "y": plain(run.losses[key])}
                | {"line": {"color": shade, "dash": dash, "width": 1.2}, "marker": {"size": 2.5}}
                | {"hovertemplate": f"{arm}, run {number}, {phase}: %{{y:.3f}}<extra></extra>"}
            )
    return traces


def _mean(runs: Sequence[Journal]) -> "pd.Series[float] | None":
    """Mean loss over runs by words seen, in `BINS` parts."""
    if not runs:
        return None
    table = pd.concat([run.losses for run in runs])
    width = max(1, int(table["words_seen"].max()) // BINS)
    part = (table["words_seen"] - 1) // width
    mean = table.groupby(part)[["words_seen", "loss"]].mean()
    return mean.set_index("words_seen")["loss"]


def _reference(mean: "pd.Series[float]", baseline: str) -> Figure:
    name = f"{baseline}, mean over seeds"
    trace: Figure = {"type": "scatter", "mode": "lines", "name": name, "legendgroup": name, "hoverinfo": "skip"}
    return trace | {"x": plain(mean.index), "y": plain(mean), "line": {"color": "#000", "width": 1}}


def _shades(table: pd.DataFrame, panel: str) -> list[Figure]:
    """A band for each phase, from where it was first seen on record to where the next one was."""
    change = (table["phase"] != table["phase"].shift()) | (table["cycle"] != table["cycle"].shift())
    starts = table[change]
    if len(starts) > MOST_SHADES or starts["phase"].nunique() < 2:
        return []
    begins = [0, *plain(starts["words_seen"])[1:]]
    ends = [*begins[1:], int(table["words_seen"].iloc[-1])]
    return [
        {"type": "rect", "xref": "x", "yref": panel, "x0": begin, "x1": end, "y0": 0, "y1": 1, "layer": "below"}
        | {"line": {"width": 0}, "fillcolor": SLEEP if phase == "sleep" else WAKE}
        for begin, end, phase in zip(begins, ends, starts["phase"], strict=True)
    ]
