"""Figure of what differences are made of: a bar with its interval for each effect, and one for the whole."""

from sleep_tune.results.arms import Comparison, Effect, Gain, mode_of
from sleep_tune.results.columns import column
from sleep_tune.results.gain_text import effect_title, verdict_of
from sleep_tune.results.report.figure_style import AXIS, Figure, display_scale, make_figure, text_note
from sleep_tune.results.report.palette import BETTER, INK, NEUTRAL, PAPER, WORSE
from sleep_tune.results.verdict import contrast_text

__all__ = ["MOST_GAINS", "plot_gains", "shown_gains"]

MOST_GAINS = 4
"""Arms that are drawn."""

ROW, HEAD = 44, 96
"""Pixels of a bar with its label, and of a panel without its bars."""

FILLS = {"better": (BETTER, ""), "worse": (WORSE, "/"), None: (NEUTRAL, "")}
"""Direction of a significant effect, else None -> colour and pattern of its bar."""


def shown_gains(comparison: Comparison) -> list[Gain]:
    """Return the gains at the primary endpoint that are drawn."""
    return [gain for gain in comparison.gains if gain.endpoint == comparison.endpoints[0]][:MOST_GAINS]


def plot_gains(comparison: Comparison) -> Figure | None:
    """Return a panel per arm with a bar per effect from the top, the whole below; coloured where significant."""
    gains = shown_gains(comparison)
    if not gains:
        return None
    heights = [HEAD + ROW * len(_bars(gain)) for gain in gains]
    height = sum(heights)
    better = "left" if mode_of(comparison.endpoints[0], comparison.experiment) == "min" else "right"
    unit = column(comparison.endpoints[0]).unit
    layout: Figure = {"showlegend": False, "margin": {"l": 20, "r": 20, "t": 10, "b": 10}, "bargap": 0.35}
    traces, notes, shapes, above = list[Figure](), list[Figure](), list[Figure](), 0
    for at, (gain, own) in enumerate(zip(gains, heights, strict=True)):
        suffix = "" if at == 0 else str(at + 1)
        top, bottom = 1 - (above + 52) / height, 1 - (above + own - 44) / height
        above += own
        bars = _bars(gain)
        same_scale = {"matches": "x"} if at else {}
        layout[f"xaxis{suffix}"] = AXIS | {"anchor": f"y{suffix}", "title": {"text": ""}, "nticks": 6} | same_scale
        layout[f"yaxis{suffix}"] = AXIS | {
            "domain": [bottom, top],
            "range": [len(bars) - 0.5, -0.5],
            "tickvals": list(range(len(bars))),
            "ticktext": [_label(effect, gain.endpoint) for effect in bars],
            "showgrid": False,
        }
        title = f"<b>{gain.arm}</b> minus {comparison.baseline}<br>{unit}; {better} is better".replace("<br>; ", "<br>")
        notes.append(text_note(title, 0, top, xanchor="left", yanchor="bottom", align="left"))
        where = {"xref": f"x{suffix}", "yref": f"y{suffix} domain", "y0": 0, "y1": 1}
        shapes.append(where | {"type": "line", "x0": 0, "x1": 0, "line": {"color": INK, "width": 1.5}})
        traces += [
            _bar(place, effect, gain, comparison) | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
            for place, effect in enumerate(bars)
        ]
    return make_figure(traces, height=height, annotations=notes, shapes=shapes, **layout)


def _bars(gain: Gain) -> tuple[Effect, ...]:
    return (*gain.effects, gain.whole)


def _label(effect: Effect, endpoint: str) -> str:
    """Return the name and the difference of a bar, in two lines."""
    first, _, last = effect_title(effect).partition(" and ")
    name = f"<b>{first} and<br>{last}</b> " if last else f"<b>{first}</b><br>"
    return name + contrast_text(effect.contrast, endpoint).partition(" ")[0]


def _bar(place: int, effect: Effect, gain: Gain, comparison: Comparison) -> Figure:
    """Return one bar from 0, with its interval unless a seed diverged; the whole is an outline."""
    contrast, whole = effect.contrast, effect is gain.whole
    difference, scale = contrast.difference, display_scale(gain.endpoint)
    fill, pattern = (PAPER, "") if whole else FILLS[verdict_of(contrast, gain.endpoint, comparison)]
    bar: Figure = {
        "type": "bar",
        "orientation": "h",
        "x": [difference.mean * scale],
        "y": [place],
        "marker": {
            "color": fill,
            "line": {"color": INK, "width": 1.5 if whole else 0},
            "pattern": {"shape": pattern, "fillmode": "overlay", "fgcolor": PAPER, "solidity": 0.2},
        },
        "text": [f"{contrast_text(contrast, gain.endpoint)} {column(gain.endpoint).unit}".rstrip()],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }
    if contrast.diverged or difference.low is None or difference.high is None:
        return bar
    above, below = (difference.high - difference.mean) * scale, (difference.mean - difference.low) * scale
    error = {"type": "data", "symmetric": False, "array": [above], "arrayminus": [below]}
    return bar | {"error_x": error | {"color": INK, "thickness": 1.5}}
