"""Tables of a search's trials, as its figures need them: the last value, the value at the first rung, every rung."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.experiment.search_state import MAIN
from sleep_tune.results.columns import setting_text, short_names
from sleep_tune.results.trial_tables import parameter_columns

__all__ = ["SearchTables", "make_search_tables"]


@dataclass(frozen=True, slots=True)
class SearchTables:
    """A search as tables, one row per trial unless said otherwise."""

    trials: pd.DataFrame
    """Columns of `trial_tables.tabulate_trials`, and number (from 1), value (the objective at the last rung, if any),
    share (of the budget, at that rung) and label (name and settings)."""
    rungs: pd.DataFrame
    """The objective, a row per trial and rung: trial, share, value, decision."""
    first_rung: pd.DataFrame
    """`trials` indexed by trial, with the objective at the first rung as value: there all trials can be compared."""
    first_share: float
    """The first rung, as a share of the budget."""
    parameters: tuple[str, ...]
    """Searched parameters, by dotted key."""
    measures: pd.DataFrame
    """Every metric, a row per trial, rung and metric: trial, share, metric, value."""


def make_search_tables(trials: pd.DataFrame, curves: pd.DataFrame, experiment: Experiment) -> SearchTables:
    """Return the tables of an experiment's search; of a running search they hold what is known so far.

    Args:
        trials: of `trial_tables.tabulate_trials`.
        curves: of `trial_tables.tabulate_curves`.
        experiment: names the objective and the searched parameters.
    """
    metric = experiment.objective
    search = trials[trials["study"] == MAIN].reset_index(drop=True).copy()  # in one block, however many columns
    measures = curves[curves["trial"].isin(search["trial"])]
    budgets = search.set_index("trial")["budget_words"].astype("float64")
    measures = measures.assign(
        share=measures["rung"].astype("float64") / measures["trial"].map(budgets).astype("float64")
    )
    rungs = measures[measures["metric"] == metric]
    last = rungs.sort_values("share").groupby("trial").last()
    columns = parameter_columns(trials)
    parameters = [key for key in columns if key in experiment.parameters] or columns
    search = search.assign(
        number=search.index + 1,
        value=search["trial"].map(last["value"]).astype("float64"),
        share=search["trial"].map(last["share"]).astype("float64").fillna(0.0),
        label=_labels(search, parameters),
    )
    first_share = float(rungs["share"].min()) if len(rungs) else 1.0
    at_first = rungs[rungs["share"] == first_share].set_index("trial")["value"].astype("float64")
    first_rung = search.assign(value=search["trial"].map(at_first)).set_index("trial", drop=False)
    return SearchTables(search, rungs, first_rung, first_share, tuple(parameters), measures)


def _labels(search: pd.DataFrame, parameters: Sequence[str]) -> list[str]:
    """Return `t0007: folds 5, ratio 0.782` for each trial."""
    names = short_names(parameters)
    labels = []
    for trial, *values in search[["trial", *parameters]].itertuples(index=False):
        known = {key: value for key, value in zip(parameters, values, strict=True) if not pd.isna(value)}
        settings = ", ".join(f"{names[key]} {setting_text(value)}" for key, value in known.items())
        labels.append(f"{trial}: {settings}" if settings else str(trial))
    return labels
