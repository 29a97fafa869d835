"""Figure of the arms' differences to the baseline, endpoint by endpoint, with intervals. Computes none of them."""

from typing import Any

from sleep_tune.results.arms import PAIRS, Arm, Comparison, mode_of
from sleep_tune.results.columns import column
from sleep_tune.results.report.style import AXIS, COLOURS, figure, note
from sleep_tune.results.sheet import claim_of, settings_text
from sleep_tune.results.verdict import difference_text

__all__ = ["differences"]

Figure = dict[str, Any]

BETTER = {"min": "left is better", "max": "right is better"}

ROW, HEAD = 30, 92
"""Pixels of an arm's row, and of what stands around an endpoint's panel."""


def differences(comparison: Comparison) -> Figure | None:
    """A panel for each endpoint, an arm's difference with its 95% interval in each row; filled: a claim after Holm."""
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
        notes.append(note(_title(key, comparison), 0, top, xanchor="left", yanchor="bottom", align="left"))
        where = {"xref": f"x{suffix}", "yref": f"y{suffix} domain", "y0": 0, "y1": 1}
        shapes.append(where | {"type": "line", "x0": 0, "x1": 0, "line": {"color": "#222", "width": 1}})
        smallest = comparison.experiment.smallest if key == comparison.experiment.primary else None
        if smallest is not None:
            edge = smallest * _scale(key)
            band = {"type": "rect", "x0": -edge, "x1": edge, "layer": "below", "line": {"width": 0}}
            shapes.append(where | band | {"fillcolor": "rgba(0,0,0,0.07)"})
        for arm in arms:
            if key in arm.contrasts:
                traces.append(_row(arm, key, comparison) | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"})
    return figure(traces, height=height, annotations=notes, shapes=shapes, **layout)


def _title(key: str, comparison: Comparison) -> str:
    unit = f"{column(key).unit}; " if column(key).unit else ""
    primary = "primary: " if key == comparison.experiment.primary else ""
    way = BETTER[mode_of(key, comparison.experiment)]
    return f"<b>{primary}{column(key).heading}</b> minus {comparison.baseline}<br>{unit}{way}"


def _scale(key: str) -> float:
    """Return what a difference is multiplied by to be shown: minimal pairs are scored in shares, shown in points."""
    return 100.0 if key == PAIRS else 1.0


def _row(arm: Arm, key: str, comparison: Comparison) -> Figure:
    contrast, scale = arm.contrasts[key], _scale(key)
    difference = contrast.difference
    claim = claim_of(arm, key, comparison)
    shade = COLOURS[0] if arm.kind == "finalist" else COLOURS[7]
    told = f"{arm.name} {settings_text(arm, comparison)}<br>{difference_text(arm, key)} {column(key).unit}"
    told += f"<br>{claim} than {comparison.baseline}" if claim else "<br>not told apart"
    row: Figure = {
        "type": "scatter",
        "mode": "markers",
        "x": [difference.mean * scale],
        "y": [arm.name],
        "marker": {"color": shade, "size": 10, "symbol": "circle" if claim else "circle-open"},
        "text": [told],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if contrast.diverged or difference.low is None or difference.high is None:
        return row
    above, below = (difference.high - difference.mean) * scale, (difference.mean - difference.low) * scale
    return row | {
        "error_x": {"type": "data", "symmetric": False, "array": [above], "arrayminus": [below], "color": shade}
    }
