"""How figures and the page look: colours that the colour-blind tell apart, and the layout that figures share."""

from typing import Any

__all__ = ["COLOURS", "SLEEP", "WAKE", "colour", "figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Okabe and Ito (2008), "Color universal design"; the yellow is left out, as it vanishes on white."""

WAKE, SLEEP = "rgba(230,159,0,0.10)", "rgba(0,114,178,0.12)"
"""Behind what a run learns awake, and asleep."""


def colour(number: int) -> str:
    """The colour of the n-th arm."""
    return COLOURS[number % len(COLOURS)]


def figure(data: list[dict[str, Any]], *, x: str = "", y: str = "", height: int = 380, **layout: Any) -> dict[str, Any]:
    """A figure as plotly.js takes it.

    Args:
        data: traces.
        x: title of the horizontal axis.
        y: title of the vertical axis.
        height: in pixels.
        layout: what differs from the common layout.
    """
    axis = {"gridcolor": "#e6e6e6", "zeroline": False, "automargin": True}
    common: dict[str, Any] = {
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 20, "b": 50},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#222"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "hovermode": "closest",
        "legend": {"orientation": "h", "y": -0.22},
        "xaxis": axis | {"title": {"text": x}},
        "yaxis": axis | {"title": {"text": y}},
    }
    for key, value in layout.items():
        common[key] = common[key] | value if isinstance(value, dict) and isinstance(common.get(key), dict) else value
    return {"data": data, "layout": common}
