"""Figures of how the objective depends on what was searched: importance, slices, heat maps.

Each function returns a figure, or None where there is nothing to show.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from sleep_tune.results.columns import setting_text, short_names
from sleep_tune.results.report.importance import Importance
from sleep_tune.results.report.search_figures import points_of
from sleep_tune.results.report.style import AXIS, COLOURS, figure, is_number, metric_title, ordered, plain

__all__ = ["heat_map", "importances", "slices"]

Figure = dict[str, Any]

MOST_BINS = 8
"""A range is cut into so many parts for a heat map, or as many as the root of the number of trials."""


def importances(found: Sequence[Importance]) -> Figure | None:
    """Shares with their intervals, the most important on top."""
    if not found:
        return None
    names = short_names(one.key for one in found)
    rows = list(reversed(found))
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": [one.share for one in rows],
        "y": [names[one.key] for one in rows],
        "marker": {"color": COLOURS[5]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, one.high - one.share) for one in rows],
            "arrayminus": [max(0.0, one.share - one.low) for one in rows],
            "color": "#333",
        },
        "text": [f"{one.share:.0%} [{one.low:.0%}, {one.high:.0%}], {one.trials} trials" for one in rows],
        "textposition": "none",
        "hovertemplate": "%{y}: %{text}<extra></extra>",
    }
    height = 120 + 40 * len(found)
    axis = {"tickformat": ".0%", "rangemode": "tozero"}
    return figure([bar], x="share of what the parameters decide", height=height, xaxis=axis)


def slices(trials: pd.DataFrame, parameters: Sequence[str], metric: str) -> Figure | None:
    """The objective against each parameter, side by side; open where a trial was stopped later.

    Args:
        trials: columns told, state, value and the parameters.
        parameters: the columns.
        metric: what `value` is.
    """
    known = trials[trials["value"].notna()]
    shown = [key for key in parameters if known[key].nunique() > 1]
    if known.empty or not shown:
        return None
    names, columns = short_names(parameters), min(2 if len(shown) in (2, 4) else 3, len(shown))
    rows = -(-len(shown) // columns)
    layout: dict[str, Any] = {"grid": {"rows": rows, "columns": columns, "pattern": "independent"}}
    traces: list[Figure] = []
    for number, key in enumerate(shown, 1):
        own, suffix = known[known[key].notna()], "" if number == 1 else str(number)
        for state, part in own.groupby("state", sort=False):
            trace = points_of(part, part[key], str(state)) | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
            traces.append(trace | {"showlegend": trace["name"] not in [other["name"] for other in traces]})
        axis: dict[str, Any] = AXIS | {"title": {"text": names[key], "standoff": 6}}
        if not is_number(own[key]):
            axis |= {"type": "category", "categoryorder": "array", "categoryarray": ordered(own[key].unique())}
        elif own[key].nunique() <= MOST_BINS:
            axis |= {"tickvals": sorted({*plain(own[key])})}
        layout[f"xaxis{suffix}"] = axis
        title = metric_title(metric) if number % columns == 1 or columns == 1 else ""
        layout[f"yaxis{suffix}"] = AXIS | {"title": {"text": title}}
    return figure(traces, height=60 + 250 * rows, **layout)


def heat_map(trials: pd.DataFrame, across: str, down: str, metric: str, mode: str) -> Figure | None:
    """The mean objective over two parameters, ranges cut into equal parts; cells say how many trials they are of.

    Args:
        trials: columns value, and the two parameters.
        across: the parameter along the horizontal axis.
        down: the one along the vertical axis.
        metric: what `value` is.
        mode: 'min' or 'max'.
    """
    known = trials[trials["value"].notna() & trials[across].notna() & trials[down].notna()]
    if len(known) < 4 or known[across].nunique() < 2 or known[down].nunique() < 2:
        return None
    (columns, x), (rows, y) = _binned(known[across]), _binned(known[down])
    cells = known.assign(across=columns, down=rows).groupby(["down", "across"])["value"]
    mean = cells.mean().unstack().reindex(index=y, columns=x)
    count = cells.size().unstack(fill_value=0).reindex(index=y, columns=x).fillna(0)
    values = [[None if pd.isna(value) else float(value) for value in row] for row in mean.to_numpy()]
    told = [
        [f"{value:.3f}<br>n={number:.0f}" if number else "" for value, number in zip(a, b, strict=True)]
        for a, b in zip(mean.to_numpy(), count.to_numpy(), strict=True)
    ]
    names = short_names([across, down])
    trace = {
        "type": "heatmap",
        "z": values,
        "x": x,
        "y": y,
        "xgap": 1,
        "ygap": 1,
        "text": told,
        "texttemplate": "%{text}",
        "hovertemplate": "%{y}, %{x}: %{text}<extra></extra>",
        "colorscale": "Viridis",
        "reversescale": mode == "max",
        "colorbar": {"title": {"text": metric_title(metric).replace(" (", "<br>(")}, "thickness": 16},
        "hoverongaps": False,
    }
    axes: Figure = {"xaxis": {"type": "category", "showgrid": False}, "yaxis": {"type": "category", "showgrid": False}}
    return figure([trace], x=names[across], y=names[down], **axes)


def _binned(column: "pd.Series[Any]") -> "tuple[pd.Series[Any], list[str]]":
    """Each value's label, and all labels in order: few values as they are; a range in equal parts, empty ones too."""
    if not is_number(column) or column.nunique() <= MOST_BINS // 2:
        return column.map(setting_text), [setting_text(value) for value in ordered(column.unique())]
    numbers = column.astype("float64")
    bins = max(2, min(MOST_BINS, math.isqrt(len(numbers))))
    edges = np.linspace(float(numbers.min()), float(numbers.max()), bins + 1)
    labels = [f"{low:.2g} to {high:.2g}" for low, high in pairwise(edges)]
    part = np.clip(np.digitize(numbers, edges) - 1, 0, bins - 1)
    return pd.Series([labels[at] for at in part], index=column.index), list(dict.fromkeys(labels))
