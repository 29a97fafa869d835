"""Figures of what was replayed: how often samples were seen, the buffers' sources, age and score of their samples.

Each function returns a figure, or None where there is nothing to show.
"""

from collections.abc import Mapping

from sleep_tune.results.report.figure_style import AXIS, COLOURS, Figure, bar_fill, make_figure, stack_panels, text_note
from sleep_tune.results.report.training_logs import TrainingLog

__all__ = ["plot_ages", "plot_exposures", "plot_sources"]

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
        layout["shapes"] = [line | {"line": {"color": "#222", "dash": "dash", "width": 1}}]
        words = text_note(f"more than {BABYLM_LIMIT}", 0, 1, xanchor="left", yanchor="top")
        layout["annotations"] = [words | {"xref": "x", "x": BABYLM_LIMIT + 0.6}]
    return make_figure(traces, x="times seen", y="share of the samples", barmode="group", **layout)


def plot_sources(log: TrainingLog) -> Figure | None:
    """Return the share of each source in the buffer of each sleep, stacked."""
    if log.sources.empty:
        return None
    cycles = (log.sleeps["cycle"] + 1).tolist()
    traces = [
        {"type": "bar", "name": str(source), "x": cycles, "y": share.tolist()}
        | {"marker": bar_fill(number), "hovertemplate": f"{source}: %{{y:.1%}}<extra></extra>"}
        for number, (source, share) in enumerate(log.sources.items())
    ]
    axes: Figure = {"xaxis": {"tickformat": "d"}, "yaxis": {"tickformat": ".0%"}}
    return make_figure(traces, x="sleep", y="share of the buffer", barmode="stack", **axes)


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
