"""Figures of how the objective depends on the searched parameters: importance, correlations, slices, heat maps.

Each function returns a figure, or None where there is nothing to show.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from sleep_tune.results.columns import setting_text, short_names
from sleep_tune.results.parameter_correlations import Correlation
from sleep_tune.results.report.figure_style import (
    AXIS,
    Figure,
    is_numeric,
    make_figure,
    metric_title,
    sort_labels,
    value_ticks,
)
from sleep_tune.results.report.importance import Importance
from sleep_tune.results.report.palette import COLOURS, INK
from sleep_tune.results.report.search_figures import trial_markers

__all__ = ["plot_correlations", "plot_heat_map", "plot_importance", "plot_slices"]

MOST_BINS = 8
"""Parts into which a heat map divides a range, at most; fewer where the root of the number of trials is smaller."""


def plot_importance(found: Sequence[Importance]) -> Figure | None:
    """Return a bar per parameter with its interval, the most important on top."""
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
            "color": INK,
        },
        "text": [f"{one.share:.0%} [{one.low:.0%}, {one.high:.0%}], {one.trials} trials" for one in rows],
        "textposition": "none",
        "hovertemplate": "%{y}: %{text}<extra></extra>",
    }
    height = 120 + 40 * len(found)
    axis = {"tickformat": ".0%", "rangemode": "tozero"}
    return make_figure([bar], x="share of the total importance", height=height, xaxis=axis)


def plot_correlations(found: Sequence[Correlation]) -> Figure | None:
    """Return a row per rank correlation with its interval, the strongest on top; filled where it leaves out 0."""
    if not found:
        return None
    names = short_names(one.key for one in found)
    labels = [names[one.key] if one.value is None else f"{names[one.key]} = {one.value}" for one in found]
    dots: Figure = {
        "type": "scatter",
        "mode": "markers",
        "x": [one.rho for one in found],
        "y": list(range(len(found))),
        "marker": {
            "color": COLOURS[0],
            "size": 9,
            "symbol": ["circle" if one.low > 0 or one.high < 0 else "circle-open" for one in found],
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, one.high - one.rho) for one in found],
            "arrayminus": [max(0.0, one.rho - one.low) for one in found],
            "color": COLOURS[0],
        },
        "text": [
            f"{label}: {one.rho:+.2f} [{one.low:+.2f}, {one.high:+.2f}], {one.trials} trials"
            for label, one in zip(labels, found, strict=True)
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }
    rows = {"tickvals": dots["y"], "ticktext": labels, "range": [len(found) - 0.5, -0.5]}
    axis = {"range": [-1.03, 1.03], "zeroline": True, "zerolinecolor": INK}
    height = 100 + 32 * len(found)
    return make_figure([dots], x="rank correlation", height=height, xaxis=axis, yaxis=rows, margin={"t": 30})


def plot_slices(trials: pd.DataFrame, parameters: Sequence[str], metric: str) -> Figure | None:
    """Return the objective against each parameter, side by side; open markers for trials that were stopped.

    Args:
        trials: columns label, state, value and the parameters.
        parameters: the columns.
        metric: name of `value`.
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
            trace = trial_markers(part, part[key], str(state)) | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
            traces.append(trace | {"showlegend": trace["name"] not in [other["name"] for other in traces]})
        axis: dict[str, Any] = AXIS | {"title": {"text": names[key], "standoff": 6}}
        if not is_numeric(own[key]):
            axis |= {"type": "category", "categoryorder": "array", "categoryarray": sort_labels(own[key].unique())}
        else:
            axis |= value_ticks(own[key])
        layout[f"xaxis{suffix}"] = axis
        title = metric_title(metric) if number % columns == 1 or columns == 1 else ""
        layout[f"yaxis{suffix}"] = AXIS | {"title": {"text": title}}
    return make_figure(traces, height=60 + 250 * rows, **layout)


def plot_heat_map(trials: pd.DataFrame, across: str, down: str, metric: str, mode: str) -> Figure | None:
    """Return the mean objective by two parameters, with the number of trials in each cell; ranges in equal parts.

    Args:
        trials: columns value, and the two parameters.
        across: the parameter on the horizontal axis.
        down: the parameter on the vertical axis.
        metric: name of `value`.
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
    texts = [
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
        "text": texts,
        "texttemplate": "%{text}",
        "hovertemplate": "%{y}, %{x}: %{text}<extra></extra>",
        "colorscale": "Viridis",
        "reversescale": mode == "max",
        "colorbar": {"title": {"text": metric_title(metric).replace(" (", "<br>(")}, "thickness": 16},
        "hoverongaps": False,
    }
    axes: Figure = {"xaxis": {"type": "category", "showgrid": False}, "yaxis": {"type": "category", "showgrid": False}}
    return make_figure([trace], x=names[across], y=names[down], **axes)


def _binned(column: "pd.Series[Any]") -> "tuple[pd.Series[Any], list[str]]":
    """Return each value's label, and all labels in order: few values as they are, many as parts of their range."""
    if not is_numeric(column) or column.nunique() <= MOST_BINS // 2:
        return column.map(setting_text), [setting_text(value) for value in sort_labels(column.unique())]
    numbers = column.astype("float64")
    bins = max(2, min(MOST_BINS, math.isqrt(len(numbers))))
    edges = np.linspace(float(numbers.min()), float(numbers.max()), bins + 1)
    labels = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    part = np.clip(np.digitize(numbers, edges) - 1, 0, bins - 1)
    return pd.Series([labels[at] for at in part], index=column.index), list(dict.fromkeys(labels))
