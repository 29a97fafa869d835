"""The rung table: who arrived at each rung, who went on, and whether the order there is the order at the end.

Arithmetic on trials. Stops nobody, and draws nothing.
"""

import math
from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sleep_tune.experiment.search_state import MAIN, TrialState

__all__ = ["ENOUGH", "LOW", "Agreement", "Rung", "agreement", "concordance", "rung_table"]

ENOUGH = 10
"""Trials that must have reached both places before their order is judged."""

LOW = 0.3
"""A rung does not foretell if even the upper end of tau's interval is below.

Low, because those that went on are a selected sample: where the order of all trials agrees at 0.5, that of the best
third does at about 0.3.
"""

ONE_SIDED = 1.645
"""Standard errors from an estimate to the upper end of its one-sided 95% interval."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether trials that were ahead at one place are ahead at a later one, over those that reached both."""

    tau: float
    """Kendall's tau-b, in [-1, 1]; over pairs of the same group."""
    trials: int
    upper: float
    """Its one-sided 95% upper bound, from the standard error that it has where there is no agreement."""

    @property
    def is_enough(self) -> bool:
        """Whether there are trials enough to judge by."""
        return self.trials >= ENOUGH

    @property
    def is_low(self) -> bool:
        """Whether the first place does not foretell the second, as far as those that went on can show."""
        return self.is_enough and self.upper < LOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A place in the budget where trials of the search were compared; the last row of a table is its end."""

    words: int
    """Nominal words."""
    share: float
    """Of the budget, in (0, 1]."""
    arrived: int
    went_on: int
    stopped: int
    best: float | None
    """The best finite value reported there."""
    next: Agreement | None = None
    """With the next rung; None at the last rung, and where fewer than two trials reached both."""
    end: Agreement | None = None
    """With the end of the budget."""


def rung_table(trials: Iterable[TrialState], mode: str) -> list[Rung]:
    """The rungs of the search's own trials, ascending, the end last; empty before any trial has reached a rung.

    Args:
        trials: of every role; repeats over seeds and tuned baselines' trials are left out, and those outside the
            present space.
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
        finite = [value for value in values[place].values() if math.isfinite(value)]
        later = values[places[at + 1]] if at + 1 < len(places) else None
        rows.append(
            Rung(
                words=place,
                share=place / budget,
                arrived=len(values[place]),
                went_on=decided["continue"],
                stopped=decided["stop"],
                best=best(finite) if finite else None,
                next=None if later is None else agreement(values[place], later, groups),
                end=agreement(values[place], finished, groups),
            )
        )
    top = best(finished.values()) if finished else None
    end = Rung(words=budget, share=1.0, arrived=len(finished), went_on=0, stopped=0, best=top)
    return [*rows, end] if rows else []


def agreement(
    first: dict[str, float], second: dict[str, float], groups: dict[str, str] | None = None
) -> Agreement | None:
    """Kendall's tau-b between the order of trials at two places, over pairs of trials of one group, pooled.

    Groups start at different levels, so a pair of two groups says nothing of a rung: concordant less discordant pairs
    are summed over the groups, and divided by the sum of what they could be at most. The interval takes the standard
    error that the sum has where orders are independent (Kendall, "A New Measure of Rank Correlation", 1938).

    Args:
        first: trial -> value at the first place; not finite counts as not there.
        second: trial -> value at the second.
        groups: trial -> group; by default all are of one.

    Returns:
        None where fewer than two trials of a group reached both, or all are equal.
    """
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for trial, value in first.items():
        other = second.get(trial, math.nan)
        if math.isfinite(value) and math.isfinite(other):
            pairs[groups[trial] if groups else ""].append((value, other))
    surplus = possible = variance = 0.0
    trials = 0
    for values in pairs.values():
        size = len(values)
        if size < 2:
            continue
        ahead, most = concordance(values)
        trials += size
        surplus, possible = surplus + ahead, possible + most
        variance += size * (size - 1) * (2 * size + 5) / 18
    if not possible:
        return None
    tau = surplus / possible
    return Agreement(tau, trials, min(1.0, tau + ONE_SIDED * math.sqrt(variance) / possible))


def concordance(values: Sequence[tuple[float, float]]) -> tuple[int, float]:
    """Concordant less discordant pairs of points, and the most that ties let it be: their ratio is tau-b.

    Counts inversions in order of the first coordinate, in n log n steps (Knight, "A Computer Method for Calculating
    Kendall's Tau with Ungrouped Data", 1966). scipy.stats has it too, and takes longer to import than a status to show.
    """
    ordered = sorted(values)
    seen: list[float] = []
    discordant = 0
    for _, value in ordered:
        discordant += len(seen) - bisect_right(seen, value)
        insort(seen, value)
    total = math.comb(len(ordered), 2)
    tied_first = _ties(Counter(value for value, _ in ordered))
    tied_second = _ties(Counter(seen))
    concordant = total - tied_first - tied_second + _ties(Counter(ordered)) - discordant
    return concordant - discordant, math.sqrt((total - tied_first) * (total - tied_second))


def _ties(counts: Counter[float] | Counter[tuple[float, float]]) -> int:
    return sum(math.comb(count, 2) for count in counts.values())
