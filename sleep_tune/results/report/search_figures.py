"""Figures of the search's trials: in their order, at every rung, by their settings, and by two metrics at once.

Each function returns a figure, or None where there is nothing to show.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sleep_tune.babylm.protocols import PROTOCOLS
from sleep_tune.metric_names import split_variant
from sleep_tune.results.columns import column, setting_text, short_names
from sleep_tune.results.report.figure_style import (
    Figure,
    is_numeric,
    make_figure,
    metric_title,
    plain_values,
    sort_labels,
    stack_panels,
    value_ticks,
)
from sleep_tune.results.report.palette import COLOURS, INK
from sleep_tune.results.report.search_tables import SearchTables

__all__ = ["CROWD", "STATES", "further_metrics", "pareto_front", "plot_history", "plot_parallel", "plot_rungs"]
__all__ += ["plot_tradeoff", "trial_markers"]

STATES = {"completed": (COLOURS[0], "circle"), "stopped": (COLOURS[7], "circle-open")}
OTHER_STATES = (COLOURS[1], "x")
"""Colour and symbol of a trial by its state; the second for trials that failed or are still running."""

CROWD = 200
"""More trials are drawn smaller and fainter, so that dense regions show."""

TRADED = ("eval/pairs_accuracy", *(protocol.macro for protocol in PROTOCOLS.values()))
"""Metrics drawn against the objective; other metrics are parts of these, or the objective in another unit."""

FEWEST_FOR_FRONT = 3
"""Trials below which no Pareto front is drawn."""


def plot_history(
    search: SearchTables, metric: str, mode: str, levels: Mapping[str, float] | None = None
) -> Figure | None:
    """Return the objective of each trial in the order of the search: at the end of the budget, and at the first rung.

    Each has its own panel, since values at different shares of the budget cannot be compared.

    Args:
        search: its tables.
        metric: the objective.
        mode: 'min' or 'max'.
        levels: name -> a value at the end of the budget, such as the baseline's, drawn as a horizontal line.
    """
    done = search.trials[(search.trials["state"] == "completed") & search.trials["value"].notna()]
    early = search.first_rung[search.first_rung["value"].notna()]
    panels = [("completed trials, at the end of the budget", done)] if len(done) else []
    if len(early) and search.first_share < 1:
        panels.append((f"all trials, at {search.first_share:.0%} of the budget", early))
    if not panels:
        return None
    axes, notes = stack_panels([title for title, _ in panels], gap=0.12)
    axes = {name: axis | {"title": {"text": metric_title(metric)}} for name, axis in axes.items()}
    traces: list[Figure] = []
    for suffix, (_, rows) in zip(("", "2"), panels, strict=False):
        for state, own in rows.groupby("state", sort=False):
            traces.append(trial_markers(own, own["number"], str(state)) | {"yaxis": f"y{suffix}"})
    for at, trace in enumerate(traces):
        trace["showlegend"] = trace["name"] not in [other["name"] for other in traces[:at]]
    if len(done):
        traces.append(_best(done, mode, len(search.trials)))
        traces += [_level(value, name, len(search.trials)) for name, value in (levels or {}).items()]
    words = {"anchor": "y2" if len(panels) > 1 else "y", "tickformat": "d", "range": [0.5, len(search.trials) + 0.5]}
    margin = {"l": 60, "r": 20, "t": 70, "b": 50}
    height = 140 + 210 * len(panels)
    legend = {"y": 1 + 24 / height}
    return make_figure(
        traces, x="trial, in the order of the search", height=height, xaxis=words, annotations=notes, margin=margin,
        legend=legend, **axes,
    )  # fmt: skip


def plot_rungs(curves: pd.DataFrame, metric: str, labels: "pd.Series[Any] | None" = None) -> Figure | None:
    """Return a line per trial through its objective at every rung; a stopped trial's line ends at its last rung.

    Args:
        curves: columns trial, share, value.
        metric: the objective.
        labels: trial -> its name and settings.
    """
    if curves["share"].nunique() < 2:
        return None
    few, traces = curves["trial"].nunique() <= CROWD, []
    whole = curves["trial"].isin(curves.loc[curves["share"] >= 1, "trial"])
    for kept, (shade, symbol) in ((False, STATES["stopped"]), (True, STATES["completed"])):
        rows = curves[whole == kept].sort_values(["trial", "share"])
        if rows.empty:
            continue
        words = rows["trial"] if labels is None else rows["trial"].map(labels)
        columns: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        before = None
        for trial, *row in zip(rows["trial"], rows["share"], rows["value"], words, strict=True):
            if before is not None and trial != before:
                row_gap = (None, None, "")
                for column, value in zip(columns, row_gap, strict=True):
                    column.append(value)
            before = trial
            for column, value in zip(columns, row, strict=True):
                column.append(value)
        x, y, text = columns
        line = {"color": shade, "width": 1, "dash": "solid" if kept else "dot"}
        traces.append(
            {"type": "scatter", "mode": "lines+markers", "x": x, "y": y, "text": text, "line": line}
            | {"name": "trained to the end" if kept else "stopped, failed or still running"}
            | {"marker": {"color": shade, "size": 6 if few else 3, "symbol": symbol}, "opacity": 1 if few else 0.2}
            | {"hovertemplate": "%{text}<br>%{y:.4f} at %{x:.0%}<extra></extra>"}
        )
    axis = {"tickformat": ".0%", "tickvals": sorted(curves["share"].unique().tolist())}
    return make_figure(traces, x="share of the budget", y=metric_title(metric), xaxis=axis)


def plot_parallel(search: SearchTables, metric: str, mode: str) -> Figure | None:
    """Return parallel coordinates: a line per trial over its settings, coloured by the objective at the first rung."""
    known = search.first_rung[search.first_rung["value"].notna()]
    shown = [key for key in search.parameters if known[key].nunique() > 1]
    if len(known) < 2 or not shown:
        return None
    names = short_names(search.parameters)
    dimensions = [_dimension(names[key], known[key]) for key in shown]
    dimensions.append(
        {"label": f"{metric} at {search.first_share:.0%}", "values": plain_values(known["value"]), "tickformat": ".3~f"}
    )
    if known["share"].nunique() > 1:
        dimensions.append({"label": "budget reached", "values": plain_values(known["share"]), "tickformat": ".0%"})
    line = {
        "color": plain_values(known["value"]),
        "colorscale": "Viridis",
        "reversescale": mode == "max",
        "showscale": True,
    }
    trace = {"type": "parcoords", "dimensions": dimensions, "line": line}
    return make_figure([trace], height=420, margin={"l": 90, "r": 40, "t": 60, "b": 30})


def pareto_front(values: ArrayLike) -> NDArray[np.int64]:
    """Return the points that no other point beats (is as low in both columns and lower in one); of equals the first.

    Args:
        values: shape (n, 2), finite; lower is better.

    Returns:
        Indices of the points, in rising order of the first column; the second column falls along them.
    """
    points = np.asarray(values, dtype=np.float64).reshape(-1, 2)
    order = np.lexsort((points[:, 1], points[:, 0]))
    front, lowest = [], np.inf
    for at in order:
        if points[at, 1] < lowest:
            front.append(at)
            lowest = points[at, 1]
    return np.array(front, dtype=np.int64)


def further_metrics(search: SearchTables, metric: str) -> list[str]:
    """Return the metrics that were measured at the rungs beside the objective, and may be traded for it."""
    measured = set(search.measures["metric"])
    own = split_variant(metric)[1].partition("/")[2]
    return [key for key in TRADED if key in measured and key.partition("/")[2] != own]


def plot_tradeoff(search: SearchTables, metric: str, mode: str, other: str, share: float) -> Figure | None:
    """Return the trials by the objective and another metric at one rung, with the Pareto front as a line.

    Args:
        search: its tables.
        metric: the objective.
        mode: 'min' or 'max'.
        other: one of `further_metrics`.
        share: the rung, as a share of the budget.
    """
    rung = search.measures[search.measures["share"] == share]
    rung = rung[rung["metric"].isin([metric, other])]
    both = rung.pivot_table(index="trial", columns="metric", values="value", sort=False).dropna()
    if len(both) < FEWEST_FOR_FRONT or {metric, other} - set(both.columns):
        return None
    rows = search.trials.set_index("trial", drop=False).loc[both.index].assign(value=both[other], x=both[metric])
    traces = [trial_markers(own, own["x"], str(state)) for state, own in rows.groupby("state", sort=False)]
    for trace, (_, own) in zip(traces, rows.groupby("state", sort=False), strict=True):
        trace["text"] = [
            f"{label}<br>{metric} {x:.4f}, {other} {y:.4f}"
            for label, x, y in zip(own["label"], own["x"], own["value"], strict=True)
        ]
    signs = np.array([1.0 if mode == "min" else -1.0, 1.0 if column(other).better == "min" else -1.0])
    front = rows.iloc[pareto_front(both[[metric, other]].to_numpy() * signs)]
    line = {"color": COLOURS[1], "width": 2, "dash": "dash"}
    shown: Figure = {"type": "scatter", "mode": "lines", "name": "Pareto front", "line": line, "hoverinfo": "skip"}
    traces.insert(0, shown | {"x": plain_values(front["x"]), "y": plain_values(front["value"])})
    return make_figure(traces, x=metric_title(metric, f" at {share:.0%}"), y=metric_title(other))


def trial_markers(rows: pd.DataFrame, x: Any, state: str) -> Figure:
    """Return a marker per trial of one state, `value` over `x`; its label shows on hover."""
    shade, symbol = STATES.get(state, OTHER_STATES)
    text = [f"{label}<br>{value:.4f}, {state}" for label, value in zip(rows["label"], rows["value"], strict=True)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": state,
        "legendgroup": state,
        "x": plain_values(x),
        "y": plain_values(rows["value"]),
        "text": text,
        "marker": {"color": shade, "size": 8 if len(rows) <= CROWD else 4, "symbol": symbol},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _best(done: pd.DataFrame, mode: str, trials: int) -> Figure:
    """Return the best value so far, as a line up to the last trial."""
    rows = done.sort_values("number")
    best = plain_values(rows["value"].cummin() if mode == "min" else rows["value"].cummax())
    line = {"color": COLOURS[0], "shape": "hv", "width": 1.5}
    trace: Figure = {"type": "scatter", "mode": "lines", "name": "best so far", "line": line, "hoverinfo": "skip"}
    return trace | {"x": [*plain_values(rows["number"]), trials], "y": [*best, best[-1]]}


def _level(value: float, name: str, trials: int) -> Figure:
    line = {"color": INK, "dash": "dash", "width": 1.2}
    trace: Figure = {"type": "scatter", "mode": "lines", "name": name, "line": line}
    hover = f"{name}: {value:.4f}<extra></extra>"
    return trace | {"x": [0.5, trials + 0.5], "y": [value, value], "hovertemplate": hover}


def _dimension(name: str, column: "pd.Series[Any]") -> Figure:
    """Return an axis of parallel coordinates; choices are numbered, and a trial without the parameter is below them."""
    if is_numeric(column) and column.notna().all():
        return {"label": name, "values": plain_values(column), "tickformat": ".3~g"} | value_ticks(column)
    choices = sort_labels(column.dropna().unique())
    places = {choice: number for number, choice in enumerate(choices)}
    values = [places.get(value, -1) for value in column]
    ticks = {"tickvals": list(range(len(choices))), "ticktext": [setting_text(choice) for choice in choices]}
    return {"label": name, "values": values} | ticks
