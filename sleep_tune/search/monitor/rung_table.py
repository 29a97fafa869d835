"""The rung table: how many trials reached each rung and were promoted, and the rank correlation with later results."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sleep_tune.experiment.search_state import MAIN, TrialState
from sleep_tune.search.monitor import wording
from sleep_tune.search.monitor.rank_correlation import RankCorrelation, rank_correlation

__all__ = ["Rung", "draw_rungs", "rung_table", "rung_warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A rung of the search; the last row of a table is the end of the budget."""

    words: int
    """Nominal words."""
    share: float
    """Of the budget, in (0, 1]."""
    arrived: int
    promoted: int
    paused: int
    """Trials that have paused there and may be promoted."""
    stopped: int
    best: float | None
    """Best finite value reported there."""
    next: RankCorrelation | None = None
    """With the next rung; None at the last rung, and if fewer than two trials reached both."""
    end: RankCorrelation | None = None
    """With the end of the budget."""


def rung_table(trials: Iterable[TrialState], mode: str) -> list[Rung]:
    """Return the rungs of the search's own trials, ascending, the end last; empty before a trial has reached a rung.

    Args:
        trials: of every role; only search trials that lie in the present space are counted.
        mode: 'min' or 'max' of the objective.
    """
    placed = [trial for trial in trials if trial.study == MAIN and trial.point is not None]
    searched = [trial for trial in placed if trial.rungs and trial.repeats is None]
    budgets = {report.budget_words for trial in searched for report in trial.reports.values()}
    if not budgets:
        return []
    budget = max(budgets)
    places = sorted({place for trial in searched for place in trial.rungs if place < budget})
    values = {place: {trial.id: trial.rungs[place] for trial in searched if place in trial.rungs} for place in places}
    finished = {trial.id: trial.value for trial in searched if trial.state == "completed" and trial.value is not None}
    groups = {trial.id: trial.group for trial in searched}
    best = min if mode == "min" else max
    rows = []
    for at, place in enumerate(places):
        decided = Counter(trial.decisions[place].value for trial in searched if place in trial.decisions)
        paused = sum(trial.state == "paused" and trial.paused_at == place for trial in searched)
        finite = [value for value in values[place].values() if math.isfinite(value)]
        later = values[places[at + 1]] if at + 1 < len(places) else None
        rows.append(
            Rung(
                words=place,
                share=place / budget,
                arrived=len(values[place]),
                promoted=decided["continue"],
                paused=paused,
                stopped=decided["stop"] + decided["pause"] - paused,
                best=best(finite) if finite else None,
                next=None if later is None else rank_correlation(values[place], later, groups),
                end=rank_correlation(values[place], finished, groups),
            )
        )
    top = best(finished.values()) if finished else None
    end = Rung(words=budget, share=1.0, arrived=len(finished), promoted=0, paused=0, stopped=0, best=top)
    return [*rows, end] if rows else []


def draw_rungs(trials: Sequence[TrialState], mode: str, within: str | None = None) -> list[RenderableType]:
    """Return the table with its caption and its warning; an empty list before a trial has reached a rung.

    Args:
        trials: of every role.
        mode: 'min' or 'max' of the objective.
        within: the parameter of which only trials with the same value are compared.
    """
    rungs = rung_table(trials, mode)
    if not rungs:
        return []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    pauses = any(rung.paused for rung in rungs)
    decided = ("promoted", *(("paused",) if pauses else ()), "stopped")
    for heading in ("rung", "words", "arrived", *decided, "best", "tau next", "tau end"):
        table.add_column(heading, justify="right", no_wrap=True)
    for rung in rungs:
        table.add_row(*_cells(rung, is_end=rung is rungs[-1], pauses=pauses))
    parts: list[RenderableType] = [table]
    if any(rung.next or rung.end for rung in rungs):
        pooled = f"; only pairs of the same {within}" if within else ""
        caption = f"tau (trials): Kendall's rank correlation over the trials that reached both{pooled}"
        parts.append(Text(caption, style="dim"))
    message = rung_warning(rungs)
    if message is not None:
        parts.append(Text(message, style="yellow"))
    return [Group(*parts)]


def rung_warning(rungs: Sequence[Rung]) -> str | None:
    """Return a sentence on rungs with a low rank correlation with the next rung or the end; None if there are none."""
    low = []
    for at, rung in enumerate(rungs[:-1]):
        places = {"end": rung.end}
        if at + 2 < len(rungs):
            places = {f"{rungs[at + 1].share:.0%}": rung.next} | places
        for place, correlation in places.items():
            if correlation is not None and correlation.is_low:
                low.append(f"{rung.share:.0%} to {place} (tau below {correlation.upper:.2f})")
    if not low:
        return None
    return (
        f"Low rank correlation between rungs, with 95% confidence: {', '.join(low)}. "
        "A later scheduler.first_rung would stop fewer good trials"
    )


def _cells(rung: Rung, is_end: bool, pauses: bool) -> list[str]:
    """Return the cells of one row; if any trial is paused, that column is shown."""
    head = ["end" if is_end else f"{rung.share:.0%}", wording.short_words(rung.words), str(rung.arrived)]
    if is_end:
        return [*head, "", *([""] * pauses), "", wording.objective_value(rung.best), "", ""]
    decided = [str(rung.promoted), *([str(rung.paused)] * pauses), str(rung.stopped)]
    return [*head, *decided, wording.objective_value(rung.best), _tau(rung.next), _tau(rung.end)]


def _tau(correlation: RankCorrelation | None) -> str:
    """Return `0.71 (12)`: tau and its number of trials."""
    return "" if correlation is None else f"{correlation.tau:.2f} ({correlation.trials})"
