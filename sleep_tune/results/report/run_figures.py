"""Figures of the runs that are compared: what they learnt by words seen, and what their sleeps replayed."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from sleep_tune.results.report.journals import Journal
from sleep_tune.results.report.style import COLOURS, SLEEP, WAKE, colour, figure

__all__ = ["ages", "exposures", "learning_curves", "losses", "sources"]

Figure = dict[str, Any]

MOST_SHADES = 120
"""Phases shaded behind a curve; of more, stripes would be too thin to see."""


def learning_curves(curves: Mapping[str, Sequence[pd.DataFrame]], metric: str) -> Figure | None:
    """A metric of every run by words seen: an arm's seeds in one colour.

    Args:
        curves: arm -> for each of its seeds a table with columns words_seen and value.
        metric: what `value` is.
    """
    traces = []
    for number, (arm, runs) in enumerate(curves.items()):
        for at, run in enumerate(run for run in runs if not run.empty):
            traces.append(
                {"type": "scatter", "mode": "lines+markers", "name": arm, "legendgroup": arm, "showlegend": at == 0}
                | {"x": run["words_seen"].tolist(), "y": run["value"].tolist(), "opacity": 0.75}
                | {"line": {"color": colour(number), "width": 1.5}, "marker": {"size": 4}}
            )
    return figure(traces, x="words seen", y=metric) if traces else None


def losses(journals: Mapping[str, Journal], shaded: str) -> Figure | None:
    """Training losses by words seen, awake as a line and asleep dotted; one arm's phases are shaded behind.

    Args:
        journals: arm -> one of its runs.
        shaded: the arm whose phases are shown.
    """
    traces = []
    for number, (arm, journal) in enumerate(journals.items()):
        for key, dash in (("loss/wake", "solid"), ("loss/sleep", "dot")):
            own = journal.losses[journal.losses[key].notna()]
            if not own.empty:
                traces.append(
                    {"type": "scatter", "mode": "lines", "name": f"{arm}, {key.partition('/')[2]}"}
                    | {"x": own["words_seen"].tolist(), "y": own[key].tolist()}
                    | {"line": {"color": colour(number), "dash": dash, "width": 1.5}}
                )
    if not traces:
        return None
    shapes = _shades(journals[shaded].losses) if shaded in journals else []
    return figure(traces, x="words seen", y="training loss (nats)", shapes=shapes)


def sources(journal: Journal) -> Figure | None:
    """The share of each source in the buffer of each sleep, stacked."""
    if journal.sources.empty:
        return None
    cycles = (journal.sleeps["cycle"] + 1).tolist()
    traces = [
        {"type": "bar", "name": str(source), "x": cycles, "y": share.tolist(), "marker": {"color": colour(number)}}
        for number, (source, share) in enumerate(journal.sources.items())
    ]
    return figure(traces, x="sleep", y="share of the buffer", barmode="stack", yaxis={"tickformat": ".0%"})


def ages(journal: Journal) -> Figure | None:
    """How old what was replayed was, in cycles since it was read, and how hard it had been."""
    if journal.sleeps.empty:
        return None
    cycles = (journal.sleeps["cycle"] + 1).tolist()
    line: Figure = {"type": "scatter", "mode": "lines+markers", "x": cycles}
    traces: list[Figure] = [
        line | {"name": "mean age", "y": journal.sleeps["mean_age"].tolist(), "line": {"color": COLOURS[0]}},
        line
        | {"name": "mean score", "y": journal.sleeps["mean_score"].tolist(), "yaxis": "y2"}
        | {"line": {"color": COLOURS[1], "dash": "dot"}},
    ]
    right = {"title": {"text": "score when read (nats)"}, "overlaying": "y", "side": "right", "showgrid": False}
    return figure(traces, x="sleep", y="age (cycles)", yaxis2=right, margin={"r": 60})


def exposures(journals: Mapping[str, Journal]) -> Figure | None:
    """How often samples had been seen by the end of the last sleep, arm by arm."""
    traces = []
    for number, (arm, journal) in enumerate(journals.items()):
        counts = journal.exposures
        total = sum(counts)
        if not total:
            continue
        last = max(index for index, count in enumerate(counts) if count)
        labels = [str(index) for index in range(last + 1)]
        if last == len(counts) - 1:
            labels[-1] = f"{last}+"
        shares = [count / total for count in counts[: last + 1]]
        traces.append({"type": "bar", "name": arm, "x": labels, "y": shares, "marker": {"color": colour(number)}})
    if not traces:
        return None
    axes: Figure = {"xaxis": {"type": "category"}, "yaxis": {"tickformat": ".0%"}}
    return figure(traces, x="times seen", y="share of the samples", barmode="group", **axes)


def _shades(table: pd.DataFrame) -> list[Figure]:
    """A band for each phase, from where it was first seen on record to where the next one was."""
    if table.empty:
        return []
    change = (table["phase"] != table["phase"].shift()) | (table["cycle"] != table["cycle"].shift())
    starts = table[change]
    if len(starts) > MOST_SHADES:
        return []
    begins = [0, *starts["words_seen"].tolist()[1:]]
    ends = [*begins[1:], int(table["words_seen"].iloc[-1])]
    return [
        {"type": "rect", "xref": "x", "yref": "paper", "x0": begin, "x1": end, "y0": 0, "y1": 1, "layer": "below"}
        | {"line": {"width": 0}, "fillcolor": SLEEP if phase == "sleep" else WAKE}
        for begin, end, phase in zip(begins, ends, starts["phase"], strict=True)
    ]
