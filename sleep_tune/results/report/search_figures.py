"""Figures of the search's course: its history, its rungs, and every trial over all that was searched.

Each function returns a figure, or None where there is nothing to show.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from sleep_tune.results.columns import setting_text, short_names
from sleep_tune.results.report.points import SearchPoints
from sleep_tune.results.report.style import COLOURS, figure, is_number, metric_title, ordered, plain, stack

__all__ = ["CROWD", "STATES", "history", "parallel", "points_of", "rungs"]

Figure = dict[str, Any]

STATES = {"completed": (COLOURS[0], "circle"), "stopped": (COLOURS[7], "circle-open")}
OTHER = (COLOURS[1], "x")
"""State of a trial -> colour and symbol; the second is of those that failed or are still running."""

CROWD = 200
"""More trials are drawn smaller and fainter, so that one sees where they are many."""


def history(points: SearchPoints, metric: str, mode: str, levels: Mapping[str, float] | None = None) -> Figure | None:
    """The objective of each trial in the order of the search: at the end of the budget, and at the first rung.

    Values at different shares of the budget cannot be compared, so that each share has its own panel.

    Args:
        points: of the search.
        metric: the objective.
        mode: 'min' or 'max'.
        levels: name -> the objective of something else at the end of the budget, drawn as a line across.
    """
    done = points.trials[(points.trials["state"] == "completed") & points.trials["value"].notna()]
    early = points.early[points.early["value"].notna()]
    panels = [("completed trials, at the end of the budget", done)] if len(done) else []
    if len(early) and points.first < 1:
        panels.append((f"all trials, at {points.first:.0%} of the budget", early))
    if not panels:
        return None
    axes, notes = stack([title for title, _ in panels], gap=0.12)
    axes = {name: axis | {"title": {"text": metric_title(metric)}} for name, axis in axes.items()}
    traces: list[Figure] = []
    for suffix, (_, rows) in zip(("", "2"), panels, strict=False):
        for state, own in rows.groupby("state", sort=False):
            traces.append(points_of(own, own["number"], str(state)) | {"yaxis": f"y{suffix}"})
    for at, trace in enumerate(traces):
        trace["showlegend"] = trace["name"] not in [other["name"] for other in traces[:at]]
    if len(done):
        traces.append(_best(done, mode, len(points.trials)))
        traces += [_level(value, name, len(points.trials)) for name, value in (levels or {}).items()]
    words = {"anchor": "y2" if len(panels) > 1 else "y", "tickformat": "d", "range": [0.5, len(points.trials) + 0.5]}
    margin = {"l": 60, "r": 20, "t": 70, "b": 50}
    height = 140 + 210 * len(panels)
    legend = {"y": 1 + 24 / height}
    return figure(
        traces, x="trial, in the order asked for", height=height, xaxis=words, annotations=notes, margin=margin,
        legend=legend, **axes,
    )  # fmt: skip


def rungs(curves: pd.DataFrame, metric: str, told: "pd.Series[Any] | None" = None) -> Figure | None:
    """Every search trial's objective at every rung, joined by a line; those stopped end there.

    Args:
        curves: columns trial, share, value.
        metric: the objective.
        told: trial -> its name and settings in words.
    """
    if curves["share"].nunique() < 2:
        return None
    few, traces = curves["trial"].nunique() <= CROWD, []
    whole = curves["trial"].isin(curves.loc[curves["share"] >= 1, "trial"])
    for kept, (shade, symbol) in ((False, STATES["stopped"]), (True, STATES["completed"])):
        rows = curves[whole == kept].sort_values(["trial", "share"])
        if rows.empty:
            continue
        words = rows["trial"] if told is None else rows["trial"].map(told)
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
            | {"name": "went to the end" if kept else "stopped, failed or still running"}
            | {"marker": {"color": shade, "size": 6 if few else 3, "symbol": symbol}, "opacity": 1 if few else 0.2}
            | {"hovertemplate": "%{text}<br>%{y:.4f} at %{x:.0%}<extra></extra>"}
        )
    axis = {"tickformat": ".0%", "tickvals": sorted(curves["share"].unique().tolist())}
    return figure(traces, x="share of the budget", y=metric_title(metric), xaxis=axis)


def parallel(points: SearchPoints, metric: str, mode: str) -> Figure | None:
    """Parallel coordinates: one line a trial, coloured by the objective at the first rung, where all were measured."""
    known = points.early[points.early["value"].notna()]
    shown = [key for key in points.parameters if known[key].nunique() > 1]
    if len(known) < 2 or not shown:
        return None
    names = short_names(points.parameters)
    dimensions = [_dimension(names[key], known[key]) for key in shown]
    dimensions.append({"label": f"{metric} at {points.first:.0%}", "values": plain(known["value"])})
    if known["share"].nunique() > 1:
        dimensions.append({"label": "budget reached", "values": plain(known["share"]), "tickformat": ".0%"})
    line = {"color": plain(known["value"]), "colorscale": "Viridis", "reversescale": mode == "max", "showscale": True}
    trace = {"type": "parcoords", "dimensions": dimensions, "line": line}
    return figure([trace], height=420, margin={"l": 90, "r": 40, "t": 60, "b": 30})


def points_of(rows: pd.DataFrame, x: Any, state: str) -> Figure:
    """Trials of one state over anything, told in words when pointed at."""
    shade, symbol = STATES.get(state, OTHER)
    text = [f"{told}<br>{value:.4f}, {state}" for told, value in zip(rows["told"], rows["value"], strict=True)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": state,
        "legendgroup": state,
        "x": plain(x),
        "y": plain(rows["value"]),
        "text": text,
        "marker": {"color": shade, "size": 8 if len(rows) <= CROWD else 4, "symbol": symbol},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _best(done: pd.DataFrame, mode: str, trials: int) -> Figure:
    """The best value so far, up to the last trial."""
    rows = done.sort_values("number")
    best = plain(rows["value"].cummin() if mode == "min" else rows["value"].cummax())
    line = {"color": COLOURS[0], "shape": "hv", "width": 1.5}
    trace: Figure = {"type": "scatter", "mode": "lines", "name": "best so far", "line": line, "hoverinfo": "skip"}
    return trace | {"x": [*plain(rows["number"]), trials], "y": [*best, best[-1]]}


def _level(value: float, name: str, trials: int) -> Figure:
    line = {"color": "#000", "dash": "dash", "width": 1.2}
    trace: Figure = {"type": "scatter", "mode": "lines", "name": name, "line": line}
    hover = f"{name}: {value:.4f}<extra></extra>"
    return trace | {"x": [0.5, trials + 0.5], "y": [value, value], "hovertemplate": hover}


def _dimension(name: str, column: "pd.Series[Any]") -> Figure:
    """An axis of parallel coordinates; choices are numbered, and a trial that does not have it lies below the axis."""
    if is_number(column) and column.notna().all():
        dimension: Figure = {"label": name, "values": plain(column)}
        few = sorted({*plain(column)})
        return dimension | ({"tickvals": few} if len(few) <= 8 else {})
    choices = ordered(column.dropna().unique())
    places = {choice: number for number, choice in enumerate(choices)}
    values = [places.get(value, -1) for value in column]
    ticks = {"tickvals": list(range(len(choices))), "ticktext": [setting_text(choice) for choice in choices]}
    return {"label": name, "values": values} | ticks
