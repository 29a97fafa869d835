"""The search's trials as points: where each got to, and what each was worth at the first rung. Draws nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from sleep_tune.records import Event
from sleep_tune.results.comparison import MAIN
from sleep_tune.results.experiment import Experiment
from sleep_tune.results.table import curves, parameter_columns, trials

__all__ = ["SearchPoints", "search_points"]


@dataclass(frozen=True, slots=True)
class SearchPoints:
    """A search, ready to be drawn."""

    trials: pd.DataFrame
    """A row per trial of the search: those of `table.trials`, and number (from 1), value (the objective where it got
    to, missing before its first rung) and share (of the budget, there)."""
    rungs: pd.DataFrame
    """A row per trial and rung: trial, share, value, decision."""
    early: pd.DataFrame
    """`trials` by id, whose `value` is the one at the first rung: there those that were stopped later still count."""
    first: float
    """That rung, as a share of the budget."""
    parameters: tuple[str, ...]
    """What was searched, by dotted key."""


def search_points(events: Iterable[Event], experiment: Experiment) -> SearchPoints:
    """The search of an experiment, however far it has got."""
    events = list(events)
    table, metric = trials(events), experiment.objective
    search = table[table["study"] == MAIN].reset_index(drop=True)
    points = curves(events)
    own = points[(points["metric"] == metric) & points["trial"].isin(search["trial"])]
    budgets = search.set_index("trial")["budget_words"].astype("float64")
    own = own.assign(share=own["rung"].astype("float64") / own["trial"].map(budgets))
    last = own.sort_values("share").groupby("trial").last()
    search = search.assign(number=search.index + 1, value=search["trial"].map(last["value"]).astype("float64"))
    search["share"] = search["trial"].map(last["share"]).astype("float64").fillna(0.0)
    first = float(own["share"].min()) if len(own) else 1.0
    at_first = own[own["share"] == first].set_index("trial")["value"].astype("float64")
    early = search.assign(value=search["trial"].map(at_first)).set_index("trial", drop=False)
    parameters = [key for key in parameter_columns(table) if key in experiment.parameters] or parameter_columns(table)
    return SearchPoints(search, own, early, first, tuple(parameters))
