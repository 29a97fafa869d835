"""What the search's trials reached at two measures at once, and which of them no other beats at both: the Pareto front.

Draws and computes; knows no folders.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleep_tune.results.columns import column
from sleep_tune.results.report.points import SearchPoints
from sleep_tune.results.report.search_figures import points_of
from sleep_tune.results.report.style import COLOURS, figure, metric_title, plain

__all__ = ["further_measures", "pareto_front", "tradeoff"]

Figure = dict[str, Any]

MEASURES = ("eval/pairs_accuracy", "babylm/macro")
"""What may be traded for the objective; other measures are parts of these, or the objective in another unit."""

FEWEST = 3
"""Fewer points make no front."""


def pareto_front(values: ArrayLike) -> NDArray[np.int64]:
    """The points that no other beats: as low at both, and lower at one. Of equal points the first alone.

    Args:
        values: (n, 2), finite; lower is better.

    Returns:
        Their places, by the first value, rising; the second falls along them.
    """
    points = np.asarray(values, dtype=np.float64).reshape(-1, 2)
    order = np.lexsort((points[:, 1], points[:, 0]))
    front, lowest = [], np.inf
    for at in order:
        if points[at, 1] < lowest:
            front.append(at)
            lowest = points[at, 1]
    return np.array(front, dtype=np.int64)


def further_measures(points: SearchPoints, metric: str) -> list[str]:
    """What was measured of the search's trials beside the objective, at its rungs, and could be traded for it."""
    measured = set(points.measured["metric"])
    own = metric.partition("/")[2]
    return [key for key in MEASURES if key in measured and key.partition("/")[2] != own]


def tradeoff(points: SearchPoints, metric: str, mode: str, other: str, share: float) -> Figure | None:
    """Trials over the objective and another measure at one rung, the Pareto front as a line.

    Args:
        points: of the search.
        metric: the objective.
        mode: 'min' or 'max'.
        other: one of `further_measures`.
        share: the rung, as a share of the budget.
    """
    rung = points.measured[points.measured["share"] == share]
    rung = rung[rung["metric"].isin([metric, other])]
    both = rung.pivot_table(index="trial", columns="metric", values="value", sort=False).dropna()
    if len(both) < FEWEST or {metric, other} - set(both.columns):
        return None
    rows = points.trials.set_index("trial", drop=False).loc[both.index].assign(value=both[other], x=both[metric])
    traces = [points_of(own, own["x"], str(state)) for state, own in rows.groupby("state", sort=False)]
    for trace, (_, own) in zip(traces, rows.groupby("state", sort=False), strict=True):
        trace["text"] = [
            f"{told}<br>{metric} {x:.4f}, {other} {y:.4f}"
            for told, x, y in zip(own["told"], own["x"], own["value"], strict=True)
        ]
    signs = np.array([1.0 if mode == "min" else -1.0, 1.0 if column(other).better == "min" else -1.0])
    front = rows.iloc[pareto_front(both[[metric, other]].to_numpy() * signs)]
    line = {"color": COLOURS[1], "width": 2, "dash": "dash"}
    shown: Figure = {"type": "scatter", "mode": "lines", "name": "Pareto front", "line": line, "hoverinfo": "skip"}
    traces.insert(0, shown | {"x": plain(front["x"]), "y": plain(front["value"])})
    return figure(traces, x=metric_title(metric, f" at {share:.0%}"), y=metric_title(other))
