"""How figures look: colours that the colour-blind tell apart, the layout that they share, and plain values for them."""

import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd

from sleep_tune.results.columns import column

__all__ = ["AXIS", "COLOURS", "DASHES", "SLEEP", "WAKE", "colour", "figure", "filled"]
__all__ += ["is_number", "metric_title", "note", "ordered", "plain", "stack", "wrapped"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#767676")
"""Okabe and Ito (2008), "Color universal design"; the yellow is left out, as it vanishes on white."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
PATTERNS = ("", "/", "x", ".", "\\", "-", "+", "|")
"""A second channel beside colour: of lines, and of bars."""

WAKE, SLEEP = "rgba(230,159,0,0.12)", "rgba(0,114,178,0.14)"
"""Behind what a run learns awake, and asleep."""

UNITS = {"nll": "nats per token", "pairs_accuracy": "share right", "pairs_ties": "share"}
"""A measure's name without its split -> its unit on an axis, where its column has none or shows another."""


def colour(number: int) -> str:
    """The colour of the n-th arm."""
    return COLOURS[number % len(COLOURS)]


def metric_title(metric: str, where: str = "") -> str:
    """A metric with its unit, as the title of an axis.

    >>> metric_title("eval/nll")
    'eval/nll (nats per token)'
    """
    unit = UNITS.get(metric.partition("/")[2], column(metric).unit)
    return f"{metric}{where} ({unit})" if unit else f"{metric}{where}"


def figure(data: list[dict[str, Any]], *, x: str = "", y: str = "", height: int = 380, **layout: Any) -> dict[str, Any]:
    """A figure as plotly.js takes it; its legend stands above it, where it covers no curve and no title.

    Args:
        data: traces.
        x: title of the horizontal axis.
        y: title of the vertical axis.
        height: in pixels.
        layout: what differs from the common layout.
    """
    common: dict[str, Any] = {
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 46, "b": 50},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#222"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": AXIS | {"title": {"text": x}},
        "yaxis": AXIS | {"title": {"text": y}},
    }
    for key, value in layout.items():
        common[key] = common[key] | value if isinstance(value, dict) and isinstance(common.get(key), dict) else value
    return {"data": data, "layout": common}


AXIS = {"gridcolor": "#e6e6e6", "zeroline": False, "automargin": True}


def stack(titles: Sequence[str], gap: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Panels one below the other over one horizontal axis: their vertical axes, and a title above each.

    Args:
        titles: of the panels, from the top.
        gap: between panels, as a share of the figure's height.

    Returns:
        Axes by their names in a layout (`yaxis`, `yaxis2`, ...), without titles; annotations.
    """
    size = (1 - gap * (len(titles) - 1)) / len(titles)
    axes: dict[str, Any] = {}
    notes = []
    for at, title in enumerate(titles):
        top = 1 - at * (size + gap)
        axes[f"yaxis{'' if at == 0 else at + 1}"] = AXIS | {"domain": [max(0.0, top - size), top]}
        notes.append(note(title, 0, top, yanchor="bottom", xanchor="left", align="left"))
    return axes, notes


def filled(number: int) -> dict[str, Any]:
    """How the bars of the n-th arm or source are filled: colour, and a pattern over it."""
    pattern = {"shape": PATTERNS[number % len(PATTERNS)], "fillmode": "overlay", "fgcolor": "white", "solidity": 0.25}
    return {"color": colour(number), "pattern": pattern}


def wrapped(title: str, words: str) -> str:
    """A bold title with words behind it, on so many lines that a telephone shows them."""
    lines = textwrap.wrap(words, WIDTH, initial_indent=" " * len(title))
    return f"<b>{title}</b> {'<br>'.join(lines).lstrip()}" if words else f"<b>{title}</b>"


WIDTH = 40
"""Letters on a line of a panel's title."""


def note(text: str, x: float, y: float, **more: Any) -> dict[str, Any]:
    """Words in a figure, by shares of its width and height."""
    return {"text": text, "x": x, "y": y, "xref": "paper", "yref": "paper", "showarrow": False} | more


def plain(column: Any) -> list[Any]:
    """Plain values, what JSON knows; a missing one is None, where a line breaks."""
    return [None if pd.isna(value) else value.item() if hasattr(value, "item") else value for value in column]


def ordered(labels: Any) -> list[Any]:
    """By number where all are, else by name."""
    try:
        return sorted(labels, key=float)
    except (TypeError, ValueError):
        return sorted(labels, key=str)


def is_number(column: "pd.Series[Any]") -> bool:
    """Whether all that is known is numbers."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in column.dropna())
