"""Figures of the search: its history, its rungs, and how the objective depends on what was searched.

A trial is shown by the objective where it got: its last rung. Each function returns a figure, or None where there is
nothing to show.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sleep_tune.results.columns import short_names
from sleep_tune.results.report.importance import Importance
from sleep_tune.results.report.style import COLOURS, figure

__all__ = ["heat_map", "history", "importances", "parallel", "rungs", "slices"]

Figure = dict[str, Any]

STATES = {"completed": COLOURS[0], "stopped": COLOURS[7], "failed": COLOURS[1], "running": COLOURS[4]}

BINS = 8
"""A range is cut into so many parts for a heat map."""


def history(trials: pd.DataFrame, metric: str, mode: str) -> Figure | None:
    """The objective of each trial in the order of the search, and the best of those completed so far.

    Args:
        trials: the search's own; columns trial, state, number, value (its last), share (of the budget, there).
        metric: the objective.
        mode: 'min' or 'max'.
    """
    known = trials[trials["value"].notna()]
    if known.empty:
        return None
    traces = []
    for state, rows in known.groupby("state", sort=False):
        text = [f"{row.trial}: {row.value:.4f} at {row.share:.0%} of the budget" for row in rows.itertuples()]
        symbol = "circle" if state == "completed" else "circle-open"
        marker = {"color": STATES.get(str(state), COLOURS[7]), "size": 8, "symbol": symbol}
        traces.append(_points(rows["number"], rows["value"], str(state), text=text, marker=marker))
    done = known[known["state"] == "completed"].sort_values("number")
    if not done.empty:
        best = done["value"].cummin() if mode == "min" else done["value"].cummax()
        line = {"color": COLOURS[0], "shape": "hv", "width": 1.5}
        traces.append(
            {"type": "scatter", "mode": "lines", "name": "best completed", "line": line}
            | {"x": _list(done["number"]), "y": _list(best)}
        )
    return figure(traces, x="trial", y=metric)


def rungs(curves: pd.DataFrame, metric: str) -> Figure | None:
    """Every search trial's objective at every rung, joined by a line; those stopped end there.

    Args:
        curves: columns trial, share, value.
        metric: the objective.
    """
    if curves["share"].nunique() < 2:
        return None
    traces = []
    for kept, rows in curves.groupby(curves["trial"].isin(curves.loc[curves["share"] >= 1, "trial"]), sort=True):
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str] = []
        for trial, own in rows.groupby("trial", sort=False):
            ordered = own.sort_values("share")
            x += [*_list(ordered["share"]), None]
            y += [*_list(ordered["value"]), None]
            text += [str(trial)] * (len(ordered) + 1)
        shade = COLOURS[0] if kept else "#bbbbbb"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": x,
                "y": y,
                "text": text,
                "hovertemplate": "%{text}: %{y:.4f}",
            }
            | {"name": "went to the end" if kept else "stopped", "line": {"color": shade, "width": 1}}
            | {"marker": {"color": shade, "size": 5}}
        )
    return figure(traces, x="share of the budget", y=metric, xaxis={"tickformat": ".0%"})


def parallel(trials: pd.DataFrame, parameters: Sequence[str], metric: str, mode: str) -> Figure | None:
    """Parallel coordinates: one line a trial, coloured by the objective; drag along an axis to choose."""
    known = trials[trials["value"].notna()]
    shown = [key for key in parameters if known[key].nunique() > 1]
    if len(known) < 2 or not shown:
        return None
    names = short_names(parameters)
    dimensions = [_dimension(names[key], known[key]) for key in shown]
    dimensions.append({"label": metric, "values": _list(known["value"])})
    line = {"color": _list(known["value"]), "colorscale": "Viridis", "reversescale": mode == "max", "showscale": True}
    trace = {"type": "parcoords", "dimensions": dimensions, "line": line}
    return figure([trace], height=420, margin={"l": 90, "r": 40, "t": 60, "b": 30})


def importances(found: Sequence[Importance]) -> Figure | None:
    """Shares with their intervals, the most important on top."""
    if not found:
        return None
    names = short_names(one.key for one in found)
    ordered = list(reversed(found))
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": [one.share for one in ordered],
        "y": [names[one.key] for one in ordered],
        "marker": {"color": COLOURS[5]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, one.high - one.share) for one in ordered],
            "arrayminus": [max(0.0, one.share - one.low) for one in ordered],
            "color": "#333",
        },
        "hovertemplate": "%{y}: %{x:.0%}<extra></extra>",
    }
    height = 120 + 40 * len(found)
    return figure([bar], x="share of what the parameters decide", height=height, xaxis={"tickformat": ".0%"})


def slices(trials: pd.DataFrame, parameters: Sequence[str], metric: str) -> Figure | None:
    """The objective against each parameter, side by side."""
    known = trials[trials["value"].notna()]
    shown = [key for key in parameters if known[key].nunique() > 1]
    if known.empty or not shown:
        return None
    names, columns = short_names(parameters), min(3, len(shown))
    rows = -(-len(shown) // columns)
    layout: dict[str, Any] = {"grid": {"rows": rows, "columns": columns, "pattern": "independent"}, "showlegend": False}
    traces = []
    for number, key in enumerate(shown, 1):
        own, suffix = known[known[key].notna()], "" if number == 1 else str(number)
        marker = {"color": COLOURS[0], "size": 6, "opacity": 0.6}
        points = _points(own[key], own["value"], names[key], text=_list(own["trial"]), marker=marker)
        traces.append(points | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"})
        axis: dict[str, Any] = {"title": {"text": names[key]}, "gridcolor": "#e6e6e6", "automargin": True}
        if not _is_number(own[key]):
            axis["type"] = "category"
        layout[f"xaxis{suffix}"] = axis
        title = metric if number % columns == 1 or columns == 1 else ""
        layout[f"yaxis{suffix}"] = {"title": {"text": title}, "gridcolor": "#e6e6e6", "automargin": True}
    return figure(traces, height=260 * rows, **layout)


def heat_map(trials: pd.DataFrame, across: str, down: str, metric: str, mode: str) -> Figure | None:
    """The mean objective over two parameters, ranges cut into equal parts; cells say how many trials they are of."""
    known = trials[trials["value"].notna() & trials[across].notna() & trials[down].notna()]
    if len(known) < 4 or known[across].nunique() < 2 or known[down].nunique() < 2:
        return None
    columns, rows = _binned(known[across]), _binned(known[down])
    cells = known.assign(across=columns, down=rows).groupby(["down", "across"], observed=True)["value"]
    mean, count = cells.mean().unstack(), cells.size().unstack(fill_value=0)
    mean = mean.reindex(index=_ordered(mean.index), columns=_ordered(mean.columns))
    count = count.reindex(index=mean.index, columns=mean.columns)
    values = [[None if pd.isna(value) else float(value) for value in row] for row in mean.to_numpy()]
    told = [
        [f"{value:.3f}<br>n={number:.0f}" if number else "" for value, number in zip(a, b, strict=True)]
        for a, b in zip(mean.to_numpy(), count.to_numpy(), strict=True)
    ]
    names = short_names([across, down])
    trace = {
        "type": "heatmap",
        "z": values,
        "x": [str(label) for label in mean.columns],
        "y": [str(label) for label in mean.index],
        "text": told,
        "texttemplate": "%{text}",
        "hovertemplate": "%{y}, %{x}: %{text}<extra></extra>",
        "colorscale": "Viridis",
        "reversescale": mode == "max",
        "colorbar": {"title": {"text": metric}},
    }
    return figure([trace], x=names[across], y=names[down], xaxis={"type": "category"}, yaxis={"type": "category"})


def _points(x: Any, y: Any, name: str, **more: Any) -> Figure:
    hover = "%{text}<extra></extra>"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": _list(x),
        "y": _list(y),
        "hovertemplate": hover,
    } | more


def _dimension(name: str, column: "pd.Series[Any]") -> Figure:
    """An axis of parallel coordinates; choices are numbered, and a trial that does not have it lies below the axis."""
    if _is_number(column) and column.notna().all():
        return {"label": name, "values": _list(column)}
    labels = _ordered(column.dropna().unique())
    places = {label: number for number, label in enumerate(labels)}
    values = [places.get(value, -1) for value in column]
    ticks = {"tickvals": list(range(len(labels))), "ticktext": [_label(label) for label in labels]}
    return {"label": name, "values": values} | ticks


def _binned(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Few values as they are; a range in equal parts, named by their middle."""
    if not _is_number(column) or column.nunique() <= BINS:
        return column.map(_label)
    numbers = column.astype("float64")
    edges = np.linspace(float(numbers.min()), float(numbers.max()), BINS + 1)
    part = np.clip(np.digitize(numbers, edges) - 1, 0, BINS - 1)
    return pd.Series([f"{(edges[at] + edges[at + 1]) / 2:.3g}" for at in part], index=column.index)


def _ordered(labels: Any) -> list[Any]:
    """By number where all are, else by name."""
    try:
        return sorted(labels, key=float)
    except (TypeError, ValueError):
        return sorted(labels, key=str)


def _label(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _is_number(column: "pd.Series[Any]") -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in column.dropna())


def _list(column: Any) -> list[Any]:
    """Plain values: what JSON knows."""
    return [value.item() if hasattr(value, "item") else value for value in column]
