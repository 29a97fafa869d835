"""Figures of what sleeps replayed: how often samples were seen, from which sources, how old, how hard. No folders."""

from collections.abc import Mapping
from typing import Any

from sleep_tune.results.report.journals import Journal
from sleep_tune.results.report.style import AXIS, COLOURS, figure, filled, note, stack

__all__ = ["ages", "exposures", "sources"]

Figure = dict[str, Any]

RULE = 10
"""Times that BabyLM, read to the letter, lets a sample be seen."""


def exposures(journals: Mapping[str, Journal], titles: Mapping[str, str] | None = None) -> Figure | None:
    """How often samples had been seen by the end of the last sleep, arm by arm; the rule's bound as a line.

    Args:
        journals: arm -> that of one of its runs.
        titles: arm -> its entry in the legend, if that is not its name.
    """
    traces, longest = [], 0
    for number, (arm, journal) in enumerate(journals.items()):
        counts = journal.exposures
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
                "marker": filled(number),
                "hovertemplate": hover,
            }
        )
    if not traces:
        return None
    layout: Figure = {"xaxis": {"type": "category"}, "yaxis": {"tickformat": ".0%"}}
    if longest > RULE:
        line = {"type": "line", "yref": "paper", "x0": RULE + 0.5, "x1": RULE + 0.5, "y0": 0, "y1": 1}
        layout["shapes"] = [line | {"line": {"color": "#222", "dash": "dash", "width": 1}}]
        words = note(f"more than {RULE}", 0, 1, xanchor="left", yanchor="top")
        layout["annotations"] = [words | {"xref": "x", "x": RULE + 0.6}]
    return figure(traces, x="times seen", y="share of the samples", barmode="group", **layout)


def sources(journal: Journal) -> Figure | None:
    """The share of each source in the buffer of each sleep, stacked."""
    if journal.sources.empty:
        return None
    cycles = (journal.sleeps["cycle"] + 1).tolist()
    traces = [
        {"type": "bar", "name": str(source), "x": cycles, "y": share.tolist()}
        | {"marker": filled(number), "hovertemplate": f"{source}: %{{y:.1%}}<extra></extra>"}
        for number, (source, share) in enumerate(journal.sources.items())
    ]
    axes: Figure = {"xaxis": {"tickformat": "d"}, "yaxis": {"tickformat": ".0%"}}
    return figure(traces, x="sleep", y="share of the buffer", barmode="stack", **axes)


def ages(journal: Journal) -> Figure | None:
    """How old what was replayed was, in cycles since it was read, and below how hard it had been."""
    if journal.sleeps.empty:
        return None
    cycles = (journal.sleeps["cycle"] + 1).tolist()
    axes, notes = stack(["mean age (cycles since it was read)", "mean score when last read awake (nats)"], gap=0.14)
    traces: list[Figure] = [
        {"type": "scatter", "mode": "lines+markers", "x": cycles, "y": journal.sleeps[key].tolist(), "yaxis": axis}
        | {"line": {"color": shade, "width": 2}, "hovertemplate": "sleep %{x}: %{y:.2f}<extra></extra>"}
        for key, axis, shade in (("mean_age", "y", COLOURS[0]), ("mean_score", "y2", COLOURS[1]))
    ]
    words: Figure = {"anchor": "y2", "tickformat": "d"} | ({"dtick": 1} if len(cycles) <= 20 else {})
    axes["yaxis"] |= {"rangemode": "tozero"}
    return figure(
        traces, x="sleep", height=420, showlegend=False, xaxis=AXIS | words | {"title": {"text": "sleep"}},
        annotations=notes, **axes,
    )  # fmt: skip
