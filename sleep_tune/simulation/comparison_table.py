"""The tables of a comparison of search methods, and its CSV."""

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
from sleep_tune.simulation.method_comparison import Interval, MethodRow
from sleep_tune.simulation.rank_agreement import RankAgreement
from sleep_tune.simulation.simulated_search import SearchResult, Setup

__all__ = ["print_report", "write_csv"]


def print_report(
    rows: Sequence[MethodRow], agreements: Mapping[str, Sequence[RankAgreement]], setup: Setup, console: Console
) -> None:
    """Print a table of regrets for each source of curves, their explanation, and the rank correlations."""
    for curves, its_rows in itertools.groupby(rows, key=lambda row: row.curves):
        console.print(_regrets(curves, list(its_rows), setup))
    console.print(
        f"regret: loss at the end of the chosen setting minus that of the best in the space, without noise, in "
        f"thousandths of a nat, after a cost of {setup.runs:g} whole runs (and shares of it): mean over seeds and 95% "
        "interval. difference: paired difference of the last regret to the first row; negative is better; * if the "
        "interval does not contain 0 (not corrected for several comparisons). lost: share of searches that stopped a "
        "trial which is better at the end than their choice. idle: share of the slots' time without a trial."
    )
    if agreements:
        console.print(_taus(agreements))


def write_csv(path: Path, found: Sequence[SearchResult], setup: Setup) -> None:
    """Write a line for each search; a link that the user names stays, and the file behind it is written."""
    text = io.StringIO()
    writer = csv.writer(text)
    marks = [f"regret_{mark:.0%}" for mark in setup.marks]
    writer.writerow(
        [
            "curves",
            "arm",
            "seed",
            *marks,
            "finalist",
            "trials",
            "completed",
            "stopped",
            "missed",
            "lost",
            "hours",
            "idle",
        ]
    )
    for one in found:
        regrets = [f"{regret:.6f}" for regret in one.regrets]
        regrets.append(f"{one.finalist:.6f}")
        counts = [one.trials, one.completed, one.stopped, f"{one.missed:.6f}", int(one.lost)]
        names = map(spreadsheet_cell, (one.curves, one.method))
        writer.writerow([*names, one.seed, *regrets, *counts, f"{one.hours:.3f}", f"{one.idle:.4f}"])
    write_whole(path.resolve() if path.is_file() else path, text.getvalue())


def _regrets(curves: str, rows: Sequence[MethodRow], setup: Setup) -> Table:
    title = f"{curves}: regret at equal cost, {rows[0].seeds} seeds"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("search", overflow="fold", min_width=16)
    for name in ("trials", *(f"{mark:.0%}" for mark in setup.marks), "difference", "lost", "idle"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.method,
            f"{row.trials:.0f}",
            *(_thousandths(regret) for regret in row.regrets),
            "" if row.differences is None else _difference(row.differences[-1]),
            f"{row.lost:.0%}",
            f"{row.idle:.0%}",
        )
    return table


def _taus(agreements: Mapping[str, Sequence[RankAgreement]]) -> Table:
    shares = sorted({one.share for rows in agreements.values() for one in rows})
    title = "Kendall's tau between a share of the budget and its end (in brackets: pairs of the same scheduler.within)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("curves")
    for share in shares:
        table.add_column(f"{share:.0%}", justify="right")
    for name, rows in agreements.items():
        by_share = {one.share: one for one in rows}
        table.add_row(name, *(_tau(by_share[share]) if share in by_share else "" for share in shares))
    return table


def _tau(one: RankAgreement) -> str:
    return f"{one.tau:.2f}" if one.within is None else f"{one.tau:.2f} ({one.within:.2f})"


def _thousandths(value: Interval) -> str:
    return f"{_short(value.mean)} ± {_short(value.half)}"


def _difference(value: Interval) -> str:
    star = "*" if abs(value.mean) > value.half else ""
    return f"{'+' if value.mean > 0 else ''}{_short(value.mean)} ± {_short(value.half)}{star}"


def _short(nats: float) -> str:
    """Return thousandths with about three digits."""
    return f"{1000 * nats:.1f}" if abs(nats) < 0.01 else f"{1000 * nats:.0f}"
