"""Figure of the compared arms: their differences to the baseline at the end of training."""

from sleep_tune.results.arms import Arm, Comparison, mode_of
from sleep_tune.results.columns import column
from sleep_tune.results.report.figure_style import AXIS, Figure, display_scale, make_figure, text_note
from sleep_tune.results.report.palette import COLOURS, INK, RANGE
from sleep_tune.results.sheet import claim_of, settings_text
from sleep_tune.results.verdict import difference_text

__all__ = ["plot_differences"]

BETTER = {"min": "left is better", "max": "right is better"}

SHOWN, OTHERS = (COLOURS[0], "circle"), (COLOURS[7], "diamond")
"""Colour and symbol of the arms and finalists, and of baselines, controls and models from elsewhere."""

ROW, HEAD = 30, 92
"""Pixels of an arm's row, and of an endpoint's panel without its rows."""


def plot_differences(comparison: Comparison) -> Figure | None:
    """Return a panel per endpoint with a row per arm: its difference with a 95% interval; filled where significant."""
    arms = [arm for arm in comparison.arms if arm.contrasts]
    endpoints = [key for key in comparison.endpoints if any(key in arm.contrasts for arm in arms)]
    if not endpoints:
        return None
    height = len(endpoints) * (HEAD + ROW * len(arms))
    size, traces, notes, shapes = 1 / len(endpoints), [], [], []
    layout: Figure = {"showlegend": False, "margin": {"l": 90, "r": 20, "t": 10, "b": 10}}
    for at, key in enumerate(endpoints):
        suffix = "" if at == 0 else str(at + 1)
        top = 1 - at * size - 48 / height
        bottom = 1 - (at + 1) * size + (HEAD - 48) / height
        layout[f"xaxis{suffix}"] = AXIS | {"anchor": f"y{suffix}", "title": {"text": ""}}
        rows = {"type": "category", "categoryarray": [arm.name for arm in reversed(arms)], "categoryorder": "array"}
        layout[f"yaxis{suffix}"] = AXIS | rows | {"domain": [bottom, top], "range": [-0.5, len(arms) - 0.5]}
        notes.append(
            text_note(_endpoint_title(key, comparison), 0, top, xanchor="left", yanchor="bottom", align="left")
        )
        where = {"xref": f"x{suffix}", "yref": f"y{suffix} domain", "y0": 0, "y1": 1}
        shapes.append(where | {"type": "line", "x0": 0, "x1": 0, "line": {"color": INK, "width": 1}})
        smallest = comparison.experiment.smallest if key == comparison.experiment.primary else None
        if smallest is not None:
            edge = smallest * display_scale(key)
            band = {"type": "rect", "x0": -edge, "x1": edge, "layer": "below", "line": {"width": 0}}
            shapes.append(where | band | {"fillcolor": RANGE})
        for arm in arms:
            if key in arm.contrasts:
                traces.append(_difference(arm, key, comparison) | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"})
    return make_figure(traces, height=height, annotations=notes, shapes=shapes, **layout)


def _endpoint_title(key: str, comparison: Comparison) -> str:
    unit = f"{column(key).unit}; " if column(key).unit else ""
    primary = "primary: " if key == comparison.experiment.primary else ""
    direction = BETTER[mode_of(key, comparison.experiment)]
    return f"<b>{primary}{comparison.column(key).heading}</b> minus {comparison.baseline}<br>{unit}{direction}"


def _difference(arm: Arm, key: str, comparison: Comparison) -> Figure:
    """Return one arm's difference to the baseline at one endpoint; without an interval where seeds diverged."""
    contrast, scale = arm.contrasts[key], display_scale(key)
    difference = contrast.difference
    claim = claim_of(arm, key, comparison)
    shade, symbol = SHOWN if arm.kind in ("arm", "finalist") else OTHERS
    text = f"{arm.name} {settings_text(arm, comparison)}<br>{difference_text(arm, key)} {column(key).unit}"
    text += f"<br>{claim} than {comparison.baseline}" if claim else "<br>not significant"
    row: Figure = {
        "type": "scatter",
        "mode": "markers",
        "x": [difference.mean * scale],
        "y": [arm.name],
        "marker": {"color": shade, "size": 10, "symbol": symbol if claim else f"{symbol}-open"},
        "text": [text],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if contrast.diverged or difference.low is None or difference.high is None:
        return row
    above, below = (difference.high - difference.mean) * scale, (difference.mean - difference.low) * scale
    return row | {
        "error_x": {"type": "data", "symmetric": False, "array": [above], "arrayminus": [below], "color": shade}
    }
