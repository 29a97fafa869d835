"""The search's trials as points: where each got to, and what each was worth at the first rung. Draws nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sleep_tune.results.columns import setting_text, short_names
from sleep_tune.results.comparison import MAIN
from sleep_tune.results.experiment import Experiment
from sleep_tune.results.trial_tables import parameter_columns

__all__ = ["SearchPoints", "search_points"]


@dataclass(frozen=True, slots=True)
class SearchPoints:
    """A search, ready to be drawn."""

    trials: pd.DataFrame
    """A row per trial of the search: those of `table.trials`, and number (from 1), value (the objective where it got
    to, missing before its first rung), share (of the budget, there) and told (its name and settings in words)."""
    rungs: pd.DataFrame
    """A row per trial and rung: trial, share, value, decision."""
    early: pd.DataFrame
    """`trials` by id, whose `value` is the one at the first rung: there those that were stopped later still count."""
    first: float
    """That rung, as a share of the budget."""
    parameters: tuple[str, ...]
    """What was searched, by dotted key."""
    measured: pd.DataFrame
    """A row per trial, rung and metric: trial, share, metric, value; the objective among them."""


def search_points(table: pd.DataFrame, curves: pd.DataFrame, experiment: Experiment) -> SearchPoints:
    """The search of an experiment, however far it has got.

    Args:
        table: of `table.trials`.
        curves: of `table.curves`.
        experiment: what was searched, and for what.
    """
    metric = experiment.objective
    search = table[table["study"] == MAIN].reset_index(drop=True).copy()  # in one block, however many columns
    measured = curves[curves["trial"].isin(search["trial"])]
    budgets = search.set_index("trial")["budget_words"].astype("float64")
    measured = measured.assign(share=measured["rung"].astype("float64") / measured["trial"].map(budgets))
    own = measured[measured["metric"] == metric]
    last = own.sort_values("share").groupby("trial").last()
    parameters = [key for key in parameter_columns(table) if key in experiment.parameters] or parameter_columns(table)
    search = search.assign(
        number=search.index + 1,
        value=search["trial"].map(last["value"]).astype("float64"),
        share=search["trial"].map(last["share"]).astype("float64").fillna(0.0),
        told=_told(search, parameters),
    )
    first = float(own["share"].min()) if len(own) else 1.0
    at_first = own[own["share"] == first].set_index("trial")["value"].astype("float64")
    early = search.assign(value=search["trial"].map(at_first)).set_index("trial", drop=False)
    return SearchPoints(search, own, early, first, tuple(parameters), measured)


def _told(search: pd.DataFrame, parameters: Sequence[str]) -> list[str]:
    """`t0007: folds 5, ratio 0.782`, trial by trial."""
    names = short_names(parameters)
    told = []
    for trial, *values in search[["trial", *parameters]].itertuples(index=False):
        known = {key: value for key, value in zip(parameters, values, strict=True) if not pd.isna(value)}
        words = ", ".join(f"{names[key]} {setting_text(value)}" for key, value in known.items())
        told.append(f"{trial}: {words}" if words else str(trial))
    return told
