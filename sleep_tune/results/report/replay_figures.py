"""Figures of what was replayed: how often samples were seen, their sources against the corpus's, their age and score.

Each function returns a figure, or None where there is nothing to show.
"""

import math
from collections.abc import Mapping

import pandas as pd

from sleep_tune.results.report.figure_style import (
    AXIS,
    Figure,
    arm_colour,
    arm_symbol,
    bar_fill,
    make_figure,
    stack_panels,
    text_note,
)
from sleep_tune.results.report.palette import COLOURS, INK
from sleep_tune.results.report.training_logs import TrainingLog

__all__ = ["plot_ages", "plot_exposures", "plot_source_ratios", "plot_sources"]

BABYLM_LIMIT = 10
"""How often the rules of BabyLM allow a model to see a sample."""


def plot_exposures(logs: Mapping[str, TrainingLog], titles: Mapping[str, str] | None = None) -> Figure | None:
    """Return how often samples had been seen by the end of the last sleep, by arm; BabyLM's limit as a line.

    Args:
        logs: arm -> the training log of one of its runs.
        titles: arm -> its entry in the legend, if that is not its name.
    """
    traces, longest = [], 0
    for number, (arm, log) in enumerate(logs.items()):
        counts = log.exposures
        total = sum(counts)
        if not total:
            continue
        last = max(index for index, count in enumerate(counts) if count)
        labels = [str(index) for index in range(last + 1)]
        if last == len(counts) - 1:
            labels[-1] = f"{last}+"
        longest = max(longest, last)
        shares = [count / total for count in counts[: last + 1]]
        hover = f"{arm}: %{{y:.1%}} seen %{{x}} times<extra></extra>"
        traces.append(
            {
                "type": "bar",
                "name": (titles or {}).get(arm, arm),
                "x": labels,
                "y": shares,
                "marker": bar_fill(number),
                "hovertemplate": hover,
            }
        )
    if not traces:
        return None
    layout: Figure = {"xaxis": {"type": "category"}, "yaxis": {"tickformat": ".0%"}}
    if longest > BABYLM_LIMIT:
        line = {"type": "line", "yref": "paper", "x0": BABYLM_LIMIT + 0.5, "x1": BABYLM_LIMIT + 0.5, "y0": 0, "y1": 1}
        layout["shapes"] = [line | {"line": {"color": INK, "dash": "dash", "width": 1}}]
        words = text_note(f"more than {BABYLM_LIMIT}", 0, 1, xanchor="left", yanchor="top")
        layout["annotations"] = [words | {"xref": "x", "x": BABYLM_LIMIT + 0.6}]
    return make_figure(traces, x="times seen", y="share of the samples", barmode="group", **layout)


def plot_sources(log: TrainingLog) -> Figure | None:
    """Return the share of each source, stacked: in the corpus (if it was logged), in each buffer, and in all sleeps."""
    if log.sources.empty:
        return None
    labels = [str(cycle + 1) for cycle in log.sleeps["cycle"]]
    labels = [*(["corpus"] if log.corpus else []), *labels, "all"]
    total = log.replayed
    traces = [
        {"type": "bar", "name": str(source), "x": labels, "marker": bar_fill(number)}
        | {"y": [*([log.corpus.get(str(source), 0.0)] if log.corpus else []), *share, total[str(source)]]}
        | {"hovertemplate": f"{source}: %{{y:.1%}}<extra></extra>"}
        for number, (source, share) in enumerate(log.sources.items())
    ]
    axes: Figure = {"xaxis": {"type": "category"}, "yaxis": {"tickformat": ".0%"}}
    return make_figure(traces, x="sleep", y="share of the samples", barmode="stack", **axes)


LEAST = 1 / 20
"""Ratio at which a source is drawn that was replayed less still, or never."""

RATIO_TICKS = {LEAST: "1/20", 1 / 5: "1/5", 1 / 2: "1/2", 1: "1", 2: "2", 5: "5", 20: "20"}


def plot_source_ratios(logs: Mapping[str, TrainingLog], titles: Mapping[str, str] | None = None) -> Figure | None:
    """Return a row per source: how much more, or less, of it was replayed than the corpus holds, a marker per arm.

    Args:
        logs: arm -> the training log of one of its runs; those without sleeps, or of older runs, are left out.
        titles: arm -> its entry in the legend, if that is not its name.
    """
    found = {arm: log.source_balance for arm, log in logs.items()}
    numbers = {arm: number for number, arm in enumerate(found)}  # an arm has one colour in all figures
    known = {arm: balance for arm, balance in found.items() if not balance.empty}
    if not known:
        return None
    sources = list(dict.fromkeys(source for balance in known.values() for source in balance.index))
    traces: list[Figure] = []
    for row, (arm, balance) in enumerate(known.items()):
        offset = 0.7 * ((row + 0.5) / len(known) - 0.5)  # arms of equal ratios stay visible
        number = numbers[arm]
        traces.append(
            {"type": "scatter", "mode": "markers", "name": (titles or {}).get(arm, arm)}
            | {"x": balance["ratio"].clip(lower=LEAST).tolist()}
            | {"y": [sources.index(source) + offset for source in balance.index]}
            | {"marker": {"color": arm_colour(number), "symbol": arm_symbol(number), "size": 9}}
            | {"text": [_balance_text(arm, source, row) for source, row in balance.iterrows()]}
            | {"hovertemplate": "%{text}<extra></extra>"}
        )
    furthest = max(2.5, *(max(value, 1 / value) for trace in traces for value in trace["x"]))
    edge = math.log10(furthest) * 1.08
    across: Figure = {"type": "log", "range": [-edge, edge], "tickangle": 0}
    across |= {"tickvals": list(RATIO_TICKS), "ticktext": list(RATIO_TICKS.values())}
    rows: Figure = {"range": [len(sources) - 0.5, -0.5], "tickvals": list(range(len(sources))), "ticktext": sources}
    middle = {"type": "line", "yref": "paper", "x0": 1, "x1": 1, "y0": 0, "y1": 1}
    sides = [
        text_note("← replayed less", 0, 1, xanchor="left", yanchor="bottom"),
        text_note("replayed more →", 1, 1, xanchor="right", yanchor="bottom"),
    ]
    inside = len(sources) * max(30, 12 * len(known))
    top = 46 + 20 * sum(trace["name"].count("<br>") + 1 for trace in traces)
    return make_figure(
        traces, x="share of replay / share of corpus", height=inside + top + 50, showlegend=True,
        annotations=sides, shapes=[middle | {"line": {"color": INK, "width": 1}}], xaxis=across,
        yaxis=rows | {"showgrid": False}, margin={"t": top, "b": 50}, legend={"y": 1 + 24 / inside},
    )  # fmt: skip


def _balance_text(arm: str, source: object, row: "pd.Series[float]") -> str:
    return f"{arm}, {source}: {row['replayed']:.1%} of the replay, {row['corpus']:.1%} of the corpus"


def plot_ages(log: TrainingLog) -> Figure | None:
    """Return the mean age and the mean score of the samples in the buffer of each sleep, in two panels."""
    if log.sleeps.empty:
        return None
    cycles = (log.sleeps["cycle"] + 1).tolist()
    axes, notes = stack_panels(["mean age (cycles)", "mean score (nats)"], gap=0.14)
    traces: list[Figure] = [
        {"type": "scatter", "mode": "lines+markers", "x": cycles, "y": log.sleeps[key].tolist(), "yaxis": axis}
        | {"line": {"color": shade, "width": 2}, "hovertemplate": "sleep %{x}: %{y:.2f}<extra></extra>"}
        for key, axis, shade in (("mean_age", "y", COLOURS[0]), ("mean_score", "y2", COLOURS[1]))
    ]
    words: Figure = {"anchor": "y2", "tickformat": "d"} | ({"dtick": 1} if len(cycles) <= 20 else {})
    axes["yaxis"] |= {"rangemode": "tozero"}
    return make_figure(
        traces, x="sleep", height=420, showlegend=False, xaxis=AXIS | words | {"title": {"text": "sleep"}},
        annotations=notes, **axes,
    )  # fmt: skip
