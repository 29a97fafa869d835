"""Colours of the report's figures, light and dark, and the dashes and patterns that say the same without colour.

Every colour of a figure is one of these texts, so that a page can replace each by its dark counterpart.
"""

__all__ = ["BAND", "BETTER", "COLOURS", "DARK", "DASHES", "FAINT", "GRID", "INK", "NEUTRAL", "PAPER", "PATTERNS"]
__all__ += ["RANGE", "SLEEP", "WAKE", "WORSE"]

COLOURS = ("#004b9f", "#cc312b", "#1baa65", "#dd6eb5", "#e37601", "#7187f7", "#000000", "#616161")
"""Colours of the series in their order: the hues of Okabe and Ito (2008), "Color universal design", without the yellow,
which is lost on white. They were moved apart until any two differ by 20 in CIELAB also without red or green cones, and
each has a contrast of 3 with the paper."""

BETTER, WORSE = COLOURS[0], COLOURS[1]
"""A significant difference in either direction."""

INK, PAPER, GRID = "#222222", "#ffffff", "#e6e6e6"
NEUTRAL, FAINT = "#d0d0d0", "#8a8a8a"
"""Bars that are not significant; intervals and points behind the others."""

BAND, RANGE = "#f6f6f6", "rgba(0,0,0,0.07)"
"""Background of every second row, and of a range of values."""

WAKE, SLEEP = "rgba(227,118,1,0.07)", "rgba(0,75,159,0.15)"
"""Background of a wake phase and of a sleep phase."""

DARK = {
    **dict(
        zip(
            COLOURS,
            ("#5696de", "#f0813a", "#26d39a", "#ec8dc2", "#ebca26", "#9bddff", "#fefefe", "#808080"),
            strict=True,
        )
    ),
    INK: "#e4e4e4",
    PAPER: "#16181c",
    GRID: "#35383e",
    NEUTRAL: "#5a5f66",
    FAINT: "#9a9a9a",
    BAND: "#1f2227",
    RANGE: "rgba(255,255,255,0.10)",
    WAKE: "rgba(235,202,38,0.10)",
    SLEEP: "rgba(86,150,222,0.28)",
}
"""Colour -> its counterpart on a dark page. No colour is on both sides, so that it can be replaced twice, and back."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
PATTERNS = ("", "/", "x", ".", "\\", "-", "+", "|")
"""Second channel beside colour: dashes of lines, patterns of bars. Markers have plotly's numbered symbols."""
