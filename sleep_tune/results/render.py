"""A comparison as it is read: on the terminal, as Markdown, as a long tidy CSV.

Lays numbers out and computes none.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sleep_tune.files import write_whole
from sleep_tune.results.arms import Arm, Comparison
from sleep_tune.results.columns import COLUMNS, column, short_names
from sleep_tune.results.comparison import compare
from sleep_tune.results.table import read_experiment
from sleep_tune.results.verdict import difference_text, improves, is_claim

__all__ = ["FOLDER", "markdown", "print_comparison", "terminal", "tidy", "write_tables"]

FOLDER = "tables"
"""Where an experiment's tables are written, in its folder."""

WIDE = 95
"""Columns that the results take with perplexity among them."""

PERPLEXITY = "test/pseudo_perplexity"

MISSING = "–"  # noqa: RUF001  an en dash, as tables have it


def write_tables(folder: Path) -> Comparison:
    """Compare the arms of the experiment in `folder` and write its tables/comparison.{csv,md} and tables/trials.csv.

    Raises:
        RunFolderError: the folder holds no experiment.
        DataError: its log cannot be read.
    """
    comparison = compare(folder)
    tables = folder / FOLDER
    write_whole(tables / "comparison.csv", tidy(comparison).to_csv(index=False))
    write_whole(tables / "comparison.md", markdown(comparison))
    write_whole(tables / "trials.csv", read_experiment(folder).to_csv(index=False))
    return comparison


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print the terminal's form."""
    shown_on = console or Console()
    shown_on.print(terminal(comparison, shown_on.width))


def tidy(comparison: Comparison) -> pd.DataFrame:
    """One row per arm and metric, every metric and cost included.

    Columns: experiment, arm, kind, parameters, metric, seeds, mean, low, high (95% interval), shared_seeds, difference,
    difference_low, difference_high, p, p_holm (to the baseline, at endpoints). A missing value is empty.
    """
    rows: list[dict[str, object]] = []
    for arm in comparison.arms:
        for metric in comparison.metrics:
            row: dict[str, object] = {"experiment": comparison.experiment.name, "arm": arm.name, "kind": arm.kind}
            row |= {"parameters": _settings(arm, comparison), "metric": metric}
            estimate, contrast = arm.estimates.get(metric), arm.contrasts.get(metric)
            if estimate is not None:
                row |= {"seeds": estimate.count, "mean": estimate.mean, "low": estimate.low, "high": estimate.high}
            if contrast is not None:
                difference = contrast.difference
                row |= {"shared_seeds": difference.count, "difference": difference.mean}
                row |= {"difference_low": difference.low, "difference_high": difference.high}
                row |= {"p": difference.p, "p_holm": contrast.p_holm}
            rows.append(row)
    values = ["seeds", "mean", "low", "high", "shared_seeds"]
    differences = ["difference", "difference_low", "difference_high", "p", "p_holm"]
    head = ["experiment", "arm", "kind", "parameters", "metric"]
    table = pd.DataFrame(rows, columns=[*head, *values, *differences])
    whole = {"seeds": "Int64", "shared_seeds": "Int64"}
    return table.astype(whole | {key: "float64" for key in ("mean", "low", "high", *differences)})


def terminal(comparison: Comparison, width: int) -> RenderableType:
    """Results, then costs and settings, notes and verdict: readable from 80 columns on."""
    parts: list[RenderableType] = [
        Text(f"{comparison.experiment.name}: arms against {comparison.baseline}", style="bold")
    ]
    if comparison.arms:
        parts += [Text(), _results(comparison, width), Text(), _costs(comparison), Text()]
    notes = Table.grid(padding=(0, 1))
    for note in comparison.notes:
        notes.add_row(" ·", Text(note), style="dim")
    parts += [notes, Text(), Text(comparison.verdict, style="bold")]
    return Group(*parts)


def markdown(comparison: Comparison) -> str:
    """The same as one Markdown document."""
    shown, endpoints = _shown(comparison), comparison.endpoints
    head = ["arm", "settings", "seeds", *(column(key).heading for key in shown)]
    minus = f"− {comparison.baseline}"  # noqa: RUF001
    head += [f"{column(key).heading} {minus}{suffix}" for key in endpoints for suffix in ("", ", Holm p")]
    lines = [f"# {comparison.experiment.name}: arms against {comparison.baseline}", "", comparison.verdict, ""]
    if comparison.arms:
        lines += [_line(head), _line(["---"] * 3 + ["---:"] * (len(head) - 3))]
        lines += [_line(_cells(arm, comparison)) for arm in comparison.arms]
        lines.append("")
    lines += [f"- {_escape(note)}" for note in comparison.notes]
    return "\n".join(lines) + "\n"


def _results(comparison: Comparison, width: int) -> Table:
    """Arms by what they reach and how they differ from the baseline; perplexity (e^nll) only where it fits."""
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_lines=True
    )
    narrow = width < WIDE
    metrics = [key for key in _shown(comparison) if "/" in key and not (narrow and key == PERPLEXITY)]
    table.add_column("arm", no_wrap=True)
    table.add_column("seeds", justify="right", no_wrap=True)
    for key in metrics:
        table.add_column(column(key).heading, justify="right")
    for key in comparison.endpoints:
        table.add_column(f"{column(key).heading}\nvs {comparison.baseline}", justify="right")
    for arm in comparison.arms:
        cells = [Text(f"{arm.name}\n", end="").append(arm.kind, style="dim"), Text(str(len(arm.seeds)))]
        cells += [_stacked(*_estimate(arm, key)) for key in metrics]
        table.add_row(*cells, *(_contrast(arm, key, comparison) for key in comparison.endpoints))
    return table


def _costs(comparison: Comparison) -> Table:
    """Arms by what they cost and what sets them apart."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    costs = [key for key in _shown(comparison) if "/" not in key]
    table.add_column("arm", no_wrap=True)
    for key in costs:
        table.add_column(column(key).heading, justify="right", no_wrap=True)
    table.add_column("settings")
    for arm in comparison.arms:
        values = [_estimate(arm, key)[0] for key in costs]
        table.add_row(arm.name, *values, Text(_settings(arm, comparison), style="dim"))
    return table


def _contrast(arm: Arm, endpoint: str, comparison: Comparison) -> Text:
    """Difference, interval and p of one cell; coloured only where the corrected p allows a claim."""
    contrast = arm.contrasts.get(endpoint)
    if contrast is None:
        return Text(MISSING)
    mean, _, interval = difference_text(arm, endpoint).partition(" ")
    style = ""
    if is_claim(arm, endpoint):
        style = "bold green" if improves(arm, endpoint, _mode(endpoint, comparison)) else "bold red"
    text = _stacked(mean, interval, style)
    return text if contrast.p_holm is None else text.append(f"\np {_p(contrast.p_holm)}", style="dim")


def _mode(endpoint: str, comparison: Comparison) -> str:
    """Which way is better at an endpoint."""
    return comparison.experiment.mode if endpoint == comparison.experiment.primary else column(endpoint).better or "max"


def _cells(arm: Arm, comparison: Comparison) -> Iterator[str]:
    """One arm's row in Markdown."""
    yield f"{arm.name} ({arm.kind})" if arm.kind != "finalist" else arm.name
    yield _settings(arm, comparison) or MISSING
    yield str(len(arm.seeds))
    for key in _shown(comparison):
        yield " ".join(part for part in _estimate(arm, key) if part)
    for key in comparison.endpoints:
        contrast = arm.contrasts.get(key)
        text = MISSING if contrast is None else difference_text(arm, key)
        yield f"**{text}**" if is_claim(arm, key) else text
        yield MISSING if contrast is None or contrast.p_holm is None else _p(contrast.p_holm)


def _shown(comparison: Comparison) -> list[str]:
    """The metrics that have a column of their own."""
    return [key for key in comparison.metrics if key in COLUMNS or key in comparison.endpoints]


def _estimate(arm: Arm, key: str) -> tuple[str, str]:
    """(mean, interval): as shown; the interval is empty where there is none, or where every seed cost the same."""
    estimate, write = arm.estimates.get(key), column(key).write
    if estimate is None:
        return MISSING, ""
    if estimate.low is None or estimate.high is None or "/" not in key:
        return write(estimate.mean), ""
    return write(estimate.mean), f"[{write(estimate.low)}, {write(estimate.high)}]"


def _stacked(first: str, second: str, style: str = "") -> Text:
    """A number over its interval, in one cell."""
    text = Text(first, style=style)
    return text.append(f"\n{second}", style="dim") if second else text


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _settings(arm: Arm, comparison: Comparison) -> str:
    """`folds 20, replay.ratio 0.31`: what sets the arm apart, by the shortest names that no other setting has."""
    every = [key for other in comparison.arms for key in other.parameters]
    names = short_names([*comparison.experiment.parameters, *every])
    return ", ".join(f"{names[key]} {_value(value)}" for key, value in arm.parameters.items())


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _line(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _escape(text: str) -> str:
    """Markdown's own characters, as text."""
    return text.replace("|", r"\|").replace("*", r"\*").replace("_", r"\_").replace("<", "&lt;")
