"""Figure of the evidence look by look: how each arm's difference and its interval changed as seeds were added."""

from collections.abc import Sequence
from itertools import groupby

from sleep_tune.results.arms import Comparison, mode_of
from sleep_tune.results.columns import column
from sleep_tune.results.look_table import LookRow
from sleep_tune.results.report.figure_style import AXIS, Figure, display_scale, make_figure, text_note
from sleep_tune.results.report.palette import BETTER, FAINT, INK, RANGE, WORSE

__all__ = ["MOST_ARMS", "SYMBOLS", "plot_looks"]

MOST_ARMS = 8
"""Arms that are drawn."""

PANEL, HEAD, FOOT = 200, 52, 26
"""Pixels of an arm's panel, and of these those of its title and of the labels below its axis."""

LEFT = 60
"""Pixels left of the panels, over which their titles begin."""

HALF = 0.25
"""Half the width of a column of the zone, in seeds."""

MARGIN = 0.08
"""Share of the values' range that a vertical axis has more at either end."""

SYMBOLS = {"significant": "circle", "equivalent": "square", "futile": "x", None: "circle-open"}
"""Decision on an arm at a look -> symbol."""


def plot_looks(looks: Sequence[LookRow], comparison: Comparison) -> Figure | None:
    """Return a panel per arm: its difference at each look with its repeated interval, and where it is not significant.

    None where no arm was judged at two numbers of seeds, or at one of several that are planned.
    """
    planned = comparison.plan.schedule.looks if comparison.plan is not None else ()
    arms = [list(rows) for _, rows in groupby(looks, key=lambda row: row.arm)][:MOST_ARMS]
    if not arms or max(len(planned), *(len(rows) for rows in arms)) < 2:
        return None
    ticks = sorted({*planned, *(row.contrast.seeds for row in looks)})
    height = PANEL * len(arms) + FOOT
    layout: Figure = {"showlegend": False, "margin": {"l": LEFT, "r": 20, "t": 10, "b": 10}}
    traces, notes, shapes = list[Figure](), list[Figure](), list[Figure]()
    for at, rows in enumerate(arms):
        suffix = "" if at == 0 else str(at + 1)
        top, bottom = 1 - (PANEL * at + HEAD) / height, 1 - (PANEL * (at + 1) - FOOT) / height
        points = _points(rows, comparison)
        zone = _zone(rows, comparison)
        layout[f"xaxis{suffix}"] = AXIS | {
            "anchor": f"y{suffix}",
            "title": {"text": "seeds" if at == len(arms) - 1 else "", "standoff": 6},
            "tickvals": ticks,
            "range": [ticks[0] - 0.6, ticks[-1] + 0.6],
            "showgrid": False,
        }
        levels = [level * display_scale(comparison.endpoints[0]) for level in _levels(comparison)]
        layout[f"yaxis{suffix}"] = AXIS | {
            "domain": [bottom, top],
            "title": {"text": ""},
            "nticks": 5,
            "showgrid": False,
            "range": _range([*levels, *points["y"], *_ends(points), *(edge for _, *edges in zone for edge in edges)]),
        }
        title = _title(rows, comparison)
        notes.append(text_note(title, 0, top, xanchor="left", yanchor="bottom", align="left", xshift=-LEFT))
        where = {"xref": f"x{suffix}", "yref": f"y{suffix}"}
        for seeds, low, high in zone:
            edges = {"x0": seeds - HALF, "x1": seeds + HALF, "y0": low, "y1": high, "line": {"width": 0}}
            shapes.append(where | edges | {"type": "rect", "fillcolor": RANGE, "layer": "below"})
        for level in levels:
            line = {"color": FAINT, "width": 1, "dash": "dash"} if level else {"color": INK, "width": 1}
            across = {"xref": f"x{suffix} domain", "x0": 0, "x1": 1, "y0": level, "y1": level}
            shapes.append(where | across | {"type": "line", "line": line})
        traces.append(points | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"})
    return make_figure(traces, height=height, annotations=notes, shapes=shapes, **layout)


def _title(rows: Sequence[LookRow], comparison: Comparison) -> str:
    """Return the arm and why it got no more seeds; then what is subtracted, the unit and the better direction."""
    endpoint = comparison.endpoints[0]
    better = "lower" if mode_of(endpoint, comparison.experiment) == "min" else "higher"
    last = next((row for row in rows if row.decided is not None), rows[-1])
    state = f"{last.state} at {last.contrast.seeds} seeds"
    unit = f"{column(endpoint).unit}; " if column(endpoint).unit else ""
    return f"<b>{last.arm}: {state}</b><br>minus {comparison.baseline}; {unit}{better} is better"


def _levels(comparison: Comparison) -> tuple[float, ...]:
    """Return no difference, and the smallest difference of interest in either direction."""
    smallest = comparison.experiment.smallest
    return (0.0,) if smallest is None else (0.0, smallest, -smallest)


def _zone(rows: Sequence[LookRow], comparison: Comparison) -> list[tuple[int, float, float]]:
    """Return (seeds, low, high) of each look: the differences that are not significant there before correction.

    A difference is outside exactly where its interval leaves out 0.
    """
    scale = display_scale(comparison.endpoints[0])
    return [
        (row.contrast.seeds, (made.mean - made.high) * scale, (made.mean - made.low) * scale)
        for row in rows
        if (made := row.contrast.difference).low is not None and made.high is not None and not row.contrast.diverged
    ]


def _range(values: Sequence[float]) -> list[float]:
    """Return the range of a vertical axis that holds all values."""
    low, high = min(values), max(values)
    more = MARGIN * ((high - low) or 1.0)
    return [low - more, high + more]


def _ends(points: Figure) -> list[float]:
    """Return the ends of all intervals."""
    errors = points["error_y"]
    above = [mean + more for mean, more in zip(points["y"], errors["array"], strict=True)]
    return above + [mean - less for mean, less in zip(points["y"], errors["arrayminus"], strict=True)]


def _points(rows: Sequence[LookRow], comparison: Comparison) -> Figure:
    """Return an arm's differences with their repeated intervals."""
    endpoint = comparison.endpoints[0]
    scale, unit = display_scale(endpoint), column(endpoint).unit
    means = [row.contrast.difference.mean * scale for row in rows]
    ends = [_interval(row, scale) for row in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [row.contrast.seeds for row in rows],
        "y": means,
        "marker": {
            "color": [_colour(row, comparison) for row in rows],
            "symbol": [SYMBOLS[row.decided] for row in rows],
            "size": 11,
            "line": {"width": 1.5},
        },
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [high - mean for mean, (_, high) in zip(means, ends, strict=True)],
            "arrayminus": [mean - low for mean, (low, _) in zip(means, ends, strict=True)],
            "color": INK,
            "thickness": 1.5,
        },
        "text": [_hover(row, mean, unit) for row, mean in zip(rows, means, strict=True)],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _interval(row: LookRow, scale: float) -> tuple[float, float]:
    """Return the ends of the interval; the mean twice where there is none, also where seeds diverged."""
    made = row.contrast.difference
    if row.contrast.diverged or made.low is None or made.high is None:
        return made.mean * scale, made.mean * scale
    return made.low * scale, made.high * scale


def _colour(row: LookRow, comparison: Comparison) -> str:
    if row.decided != "significant":
        return INK
    is_low = row.contrast.difference.mean < 0
    return BETTER if is_low is (mode_of(comparison.endpoints[0], comparison.experiment) == "min") else WORSE


def _hover(row: LookRow, mean: float, unit: str) -> str:
    """Return what is shown at a point."""
    when = "no look" if row.look is None else f"look {row.look}"
    p = "" if row.contrast.p_holm is None else f"<br>p {row.contrast.p_holm:.2g} after Holm correction"
    return f"{when}, {row.contrast.seeds} seeds: {row.state}<br>{mean:+.3g} {unit}".rstrip() + p
