"""Shared look of the report's figures: layout, panels, and column values as plain JSON."""

import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd

from sleep_tune.metric_names import split_variant
from sleep_tune.results.columns import PAIRS, column, setting_text
from sleep_tune.results.report.palette import COLOURS, DASHES, GRID, INK, PAPER, PATTERNS

__all__ = ["AXIS", "Figure", "arm_colour", "arm_line", "arm_symbol", "bar_fill", "display_scale", "is_numeric"]
__all__ += ["make_figure", "metric_title", "panel_title", "plain_values", "sort_labels", "stack_panels", "text_note"]
__all__ += ["value_ticks"]

Figure = dict[str, Any]
"""Part of a figure as plotly.js reads it: a trace, an axis, a shape, or the whole with `data` and `layout`."""

AXIS: Figure = {"gridcolor": GRID, "zeroline": False, "automargin": True}

UNITS = {"nll": "nats per token", "pairs_accuracy": "share right", "pairs_ties": "share"}
"""Metric without its split -> unit on an axis, where the table has no column for it or shows another unit."""

MOST_TICKS = 8
"""Values of a choice that have a tick each; more of them are shown as a range is."""

SYMBOLS = 12
"""Symbols of plotly.js that differ in their outline."""

TITLE_WIDTH = 40
"""Characters on a line of a panel's title: what fits a phone."""


def arm_colour(number: int) -> str:
    """Return the colour of the n-th arm."""
    return COLOURS[number % len(COLOURS)]


def arm_line(number: int) -> Figure:
    """Return the line of the n-th arm: its colour and its dash."""
    return {"color": arm_colour(number), "dash": DASHES[number % len(DASHES)]}


def arm_symbol(number: int) -> int:
    """Return the symbol of the n-th arm's markers, a number of plotly.js."""
    return number % SYMBOLS


def bar_fill(number: int) -> Figure:
    """Return the fill of the n-th group of bars: a colour with a pattern."""
    pattern = {"shape": PATTERNS[number % len(PATTERNS)], "fillmode": "overlay", "fgcolor": PAPER, "solidity": 0.25}
    return {"color": arm_colour(number), "pattern": pattern}


def metric_title(metric: str, where: str = "") -> str:
    """Return a metric with its unit, as the title of an axis.

    >>> metric_title("eval/nll")
    'eval/nll (nats per token)'
    """
    unit = UNITS.get(split_variant(metric)[1].partition("/")[2], column(metric).unit)
    return f"{metric}{where} ({unit})" if unit else f"{metric}{where}"


def display_scale(key: str) -> float:
    """Return the factor from a difference to its unit on the axis: minimal pairs are shares, shown in points."""
    return 100.0 if key == PAIRS else 1.0


def panel_title(title: str, words: str) -> str:
    """Return a bold title followed by `words`, broken into lines of `TITLE_WIDTH` characters."""
    lines = textwrap.wrap(words, TITLE_WIDTH, initial_indent=" " * len(title))
    return f"<b>{title}</b> {'<br>'.join(lines).lstrip()}" if words else f"<b>{title}</b>"


def make_figure(data: list[Figure], *, x: str = "", y: str = "", height: int = 380, **layout: Any) -> Figure:
    """Return a figure for plotly.js, with its legend above, where it covers no curve.

    Args:
        data: traces.
        x: title of the horizontal axis.
        y: title of the vertical axis.
        height: in pixels.
        layout: entries that differ from the common layout; mappings are merged into it.
    """
    common: Figure = {
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 46, "b": 50},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": AXIS | {"title": {"text": x}},
        "yaxis": AXIS | {"title": {"text": y}},
    }
    for key, value in layout.items():
        common[key] = common[key] | value if isinstance(value, dict) and isinstance(common.get(key), dict) else value
    return {"data": data, "layout": common}


def stack_panels(titles: Sequence[str], gap: float) -> tuple[Figure, list[Figure]]:
    """Return the vertical axes of panels that share one horizontal axis, and a title above each panel.

    Args:
        titles: of the panels, from the top.
        gap: between panels, as a share of the figure's height.

    Returns:
        Axes by their names in a layout (`yaxis`, `yaxis2`, ...), without titles; annotations.
    """
    size = (1 - gap * (len(titles) - 1)) / len(titles)
    axes: Figure = {}
    notes = []
    for at, title in enumerate(titles):
        top = 1 - at * (size + gap)
        axes[f"yaxis{'' if at == 0 else at + 1}"] = AXIS | {"domain": [max(0.0, top - size), top]}
        notes.append(text_note(title, 0, top, yanchor="bottom", xanchor="left", align="left"))
    return axes, notes


def text_note(text: str, x: float, y: float, **more: Any) -> Figure:
    """Return an annotation; `x` and `y` are shares of the figure's width and height."""
    return {"text": text, "x": x, "y": y, "xref": "paper", "yref": "paper", "showarrow": False} | more


def plain_values(column: Any) -> list[Any]:
    """Return a column as values that JSON can hold; a missing one is None, where a line has a gap."""
    return [None if pd.isna(value) else value.item() if hasattr(value, "item") else value for value in column]


def sort_labels(labels: Any) -> list[Any]:
    """Return labels in order: by number if all are numbers, else by name."""
    try:
        return sorted(labels, key=float)
    except (TypeError, ValueError):
        return sorted(labels, key=str)


def value_ticks(column: "pd.Series[Any]") -> Figure:
    """Return ticks at the values of a column of numbers, where they are few and come again, as those of a choice do."""
    values = sorted({*plain_values(column.dropna())})
    if len(values) > MOST_TICKS or len(values) == int(column.count()):
        return {}
    return {"tickvals": values, "ticktext": [setting_text(value) for value in values]}


def is_numeric(column: "pd.Series[Any]") -> bool:
    """Return whether every value of a column that is not missing is a number."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in column.dropna())
