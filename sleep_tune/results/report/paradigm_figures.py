"""Figure of the differences in each paradigm of a task: a row per paradigm, with a menu of the arms."""

from collections.abc import Sequence

from sleep_tune.results.columns import column
from sleep_tune.results.paradigms import ParadigmDifference
from sleep_tune.results.report.figure_style import AXIS, Figure, display_scale, make_figure, text_note
from sleep_tune.results.report.palette import BAND, BETTER, COLOURS, FAINT, INK, PAPER, WORSE

__all__ = ["plot_paradigms"]

ROW, HEAD = 27, 110
"""Pixels of a paradigm's row, and of the figure without its rows."""

LOWER = 0.3
"""Part of a row by which the interval is below the name."""

BANDS = (BAND, PAPER)
"""Backgrounds of every two rows."""

MARKS = {
    "better": (BETTER, "triangle-right"),
    "worse": (WORSE, "triangle-left"),
    "neither": (COLOURS[7], "circle-open"),
    "at chance": (FAINT, "x-open"),
}
"""What a difference shows -> colour and symbol of its point; at chance: neither arm is above it."""


def plot_paradigms(rows: Sequence[ParadigmDifference], baseline: str) -> Figure | None:
    """Return the differences of one task's paradigms with their intervals, sorted; the first arm is shown at first.

    Names are above the intervals, inside the plot, so that a phone has room for both.

    Args:
        rows: of one endpoint, in the order of `compare_paradigms`.
        baseline: name of the arm that the others are compared with.
    """
    arms = {arm: [row for row in rows if row.arm == arm] for arm in dict.fromkeys(row.arm for row in rows)}
    if not arms:
        return None
    points = display_scale(rows[0].endpoint)
    traces = [_trace(own, points) | {"visible": at == 0} for at, own in enumerate(arms.values())]
    shown = [
        {"xaxis": _differences(own, points), "annotations": [_title(arm, baseline), *_names(own, points)]}
        for arm, own in arms.items()
    ]
    most = max(map(len, arms.values()))
    layout: Figure = {
        "showlegend": False,
        "margin": {"l": 5, "r": 10, "t": 60, "b": 50},
        "yaxis": AXIS | {"range": [most - 0.3, -0.75], "showticklabels": False, "showgrid": False},
        "shapes": [_band(at) for at in range(0, most, 2)],
    }
    if len(arms) > 1:
        buttons = [
            {"label": arm, "method": "update", "args": [{"visible": [other == arm for other in arms]}, own]}
            for arm, own in zip(arms, shown, strict=True)
        ]
        place: Figure = {
            "bgcolor": PAPER,
            "bordercolor": FAINT,
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "pad": {"b": 22},
        }
        layout["updatemenus"] = [{"buttons": buttons, "type": "dropdown", "showactive": True} | place]
    return make_figure(traces, height=HEAD + ROW * most, **layout | shown[0])


def _title(arm: str, baseline: str) -> Figure:
    return text_note(f"<b>{arm}</b> minus {baseline}; right is better", 0, 1, xanchor="left", yanchor="bottom")


def _names(rows: Sequence[ParadigmDifference], points: float) -> list[Figure]:
    """Return the names of one arm's paradigms, each with the scores of both arms.

    They are no labels of an axis: plotly.js hides the other axis wherever such labels are inside the plot.
    """
    style: Figure = {"yref": "y", "xanchor": "left", "yanchor": "top", "font": {"size": 10}, "borderpad": 0}
    notes = []
    for at, row in enumerate(rows):
        text = f"{row.paradigm}  {row.baseline_score * points:.1f} → <b>{row.score * points:.1f}</b>"
        # A background hides the lines behind a name.
        notes.append(text_note(text, 0, at - 0.48, **style | {"bgcolor": BANDS[at % 2]}))
    return notes


def _band(row: int) -> Figure:
    """Return the background that ties a name to its interval, for every second row."""
    edges = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": row - 0.5, "y1": row + 0.5, "layer": "below"}
    return edges | {"line": {"width": 0}, "fillcolor": BANDS[0]}


def _differences(rows: Sequence[ParadigmDifference], points: float) -> Figure:
    """Return the horizontal axis: 0 and every interval of one arm."""
    edges = [0.0]
    for row in rows:
        found = row.difference
        edges += [found.mean if edge is None else edge for edge in (found.low, found.high)]
    low, high = min(edges) * points, max(edges) * points
    room = 0.03 * (high - low) or 1.0
    title = {"title": {"text": f"difference in {column(rows[0].endpoint).unit}"}}
    return AXIS | title | {"range": [low - room, high + room], "zeroline": True, "zerolinecolor": INK}


def _reading(row: ParadigmDifference) -> str:
    """Return the key of `MARKS` for a difference."""
    if row.is_significant:
        return "better" if row.difference.mean > 0 else "worse"
    return "at chance" if row.at_chance else "neither"


def _trace(rows: Sequence[ParadigmDifference], points: float) -> Figure:
    """Return one arm's points with their intervals."""
    above, below, texts, colours, symbols = [], [], [], [], []
    for row in rows:
        found = row.difference
        high, low = (found.mean if edge is None else edge for edge in (found.high, found.low))
        above.append((high - found.mean) * points)
        below.append((found.mean - low) * points)
        interval = f" [{low * points:.1f}, {high * points:.1f}]" if found.low is not None else ", no interval"
        chance = "" if row.chance is None else f"; chance {row.chance * points:.0f}"
        p = "" if row.p_holm is None else f"; Holm p {row.p_holm:.3g}"
        texts.append(
            f"{row.paradigm}: {found.mean * points:+.1f}{interval}{p}<br>{row.items} items, {found.count} seeds{chance}"
        )
        colour, symbol = MARKS[_reading(row)]
        colours.append(colour)
        symbols.append(symbol)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [row.difference.mean * points for row in rows],
        "y": [at + LOWER for at in range(len(rows))],
        "marker": {"color": colours, "symbol": symbols, "size": 8},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": above,
            "arrayminus": below,
            "color": FAINT,
            "thickness": 1.3,
            "width": 2,
        },
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
    }
