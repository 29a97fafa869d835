"""What a comparison prints, and its CSV. Computes nothing."""

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sleep_tune.files import write_whole
from sleep_tune.plain_text import spreadsheet_cell
from sleep_tune.simulation.method_comparison import Interval, Row
from sleep_tune.simulation.rank_agreement import Foretold
from sleep_tune.simulation.simulated_search import Found, Setup

__all__ = ["print_report", "write_csv"]


def print_report(
    rows: Sequence[Row], foretold: Mapping[str, Sequence[Foretold]], setup: Setup, console: Console
) -> None:
    """A table of regrets for each source of curves, one of what early ranks say, and how to read them."""
    for curves, its_rows in itertools.groupby(rows, key=lambda row: row.curves):
        console.print(_regrets(curves, list(its_rows), setup))
    console.print(
        f"regret: loss at the end of the chosen setting less that of the best in the space, without noise, in "
        f"thousandths of a nat, after a cost of {setup.runs:g} whole runs in words (and shares of it). Mean over seeds "
        "and its 95% interval. against it: the paired difference of the last column to the first row of its curves; "
        "negative is better; * where the interval leaves out 0 (not corrected for many comparisons). lost: searches "
        "that stopped a trial better at the end than what they chose. idle: share of the slots' time."
    )
    if foretold:
        console.print(_taus(foretold))


def write_csv(path: Path, found: Sequence[Found], setup: Setup) -> None:
    """Write a line for each search; a link that the user names stays, and the file behind it is written."""
    text = io.StringIO()
    writer = csv.writer(text)
    marks = [f"regret_{mark:.0%}" for mark in setup.marks]
    writer.writerow(
        ["curves", "arm", "seed", *marks, "trials", "completed", "stopped", "missed", "lost", "hours", "idle"]
    )
    for one in found:
        regrets = [f"{regret:.6f}" for regret in one.regrets]
        counts = [one.trials, one.completed, one.stopped, f"{one.missed:.6f}", int(one.lost)]
        names = map(spreadsheet_cell, (one.curves, one.arm))
        writer.writerow([*names, one.seed, *regrets, *counts, f"{one.hours:.3f}", f"{one.idle:.4f}"])
    write_whole(path.resolve() if path.is_file() else path, text.getvalue())


def _regrets(curves: str, rows: Sequence[Row], setup: Setup) -> Table:
    title = f"{curves}: regret at equal cost, {rows[0].seeds} seeds"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("search", overflow="fold", min_width=16)
    for name in ("trials", *(f"{mark:.0%}" for mark in setup.marks), "against it", "lost", "idle"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.arm,
            f"{row.trials:.0f}",
            *(_thousandths(regret) for regret in row.regrets),
            "" if row.differences is None else _difference(row.differences[-1]),
            f"{row.lost:.0%}",
            f"{row.idle:.0%}",
        )
    return table


def _taus(foretold: Mapping[str, Sequence[Foretold]]) -> Table:
    shares = sorted({told.share for rows in foretold.values() for told in rows})
    title = "Kendall's tau between a share of the budget and the end without noise (within groups of the study)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("curves")
    for share in shares:
        table.add_column(f"{share:.0%}", justify="right")
    for name, rows in foretold.items():
        by_share = {told.share: told for told in rows}
        table.add_row(name, *(_tau(by_share[share]) if share in by_share else "" for share in shares))
    return table


def _tau(told: Foretold) -> str:
    return f"{told.tau:.2f}" if told.within is None else f"{told.tau:.2f} ({told.within:.2f})"


def _thousandths(value: Interval) -> str:
    return f"{_short(value.mean)} ± {_short(value.half)}"


def _difference(value: Interval) -> str:
    star = "*" if abs(value.mean) > value.half else ""
    return f"{'+' if value.mean > 0 else ''}{_short(value.mean)} ± {_short(value.half)}{star}"


def _short(nats: float) -> str:
    """Thousandths, of which three digits are enough."""
    return f"{1000 * nats:.1f}" if abs(nats) < 0.01 else f"{1000 * nats:.0f}"
