"""Files of a comparison: comparison.{csv,parquet,md,tex,html}, and {trials,correlations,paradigms,gain}.{csv,parquet}.

`gain` says what differences are made of; it is written where there are controls.
"""

import io
from pathlib import Path

import pandas as pd

from sleep_tune.files import write_whole
from sleep_tune.plain_text import spreadsheet_cell, visible
from sleep_tune.results.arms import Comparison
from sleep_tune.results.comparison import compare
from sleep_tune.results.look_table import tabulate_looks
from sleep_tune.results.markup import DOCUMENTS
from sleep_tune.results.paradigms import compare_paradigms, tabulate_paradigms
from sleep_tune.results.parameter_correlations import correlate_search, tabulate_correlations
from sleep_tune.results.sheet import settings_text
from sleep_tune.results.trial_tables import read_trials

__all__ = ["FOLDER", "tidy", "tidy_gains", "write_comparison", "write_tables"]

FOLDER = "tables"
"""Folder of the tables, in the folder of an experiment."""


def write_tables(folder: Path) -> Comparison:
    """Compare the arms of the experiment in `folder` and write its tables.

    Raises:
        RunFolderError: the folder holds no experiment, or a file in it is not as it was written.
        DataError: experiment.yaml names an unknown resource or mode.
    """
    comparison = compare(folder)
    write_comparison(comparison, folder / FOLDER, experiment=folder)
    return comparison


def write_comparison(comparison: Comparison, folder: Path, *, experiment: Path | None = None) -> list[Path]:
    """Write a comparison in every format, and tables of what it is made of.

    These are: the evidence at each look, if looks are planned; the differences in each paradigm, if the arms kept their
    answers to a task's items; and if there is an experiment, its trials, and the rank correlations of its parameters
    with the objective, if it had enough trials.

    Args:
        comparison: to write.
        folder: for the files.
        experiment: folder of the experiment whose trials are written.

    Returns:
        The files.
    """
    tables = {"comparison": tidy(comparison)}
    if comparison.plan is not None:
        tables["looks"] = tabulate_looks(comparison)
    if comparison.gains:
        tables["gain"] = tidy_gains(comparison)
    paradigms = compare_paradigms(comparison)
    if paradigms:
        tables["paradigms"] = tabulate_paradigms(paradigms)
    if experiment is not None:
        tables["trials"] = trials = read_trials(experiment)
        correlations = correlate_search(trials, comparison.experiment)
        if correlations:
            tables["correlations"] = tabulate_correlations(correlations)
    written = []
    for name, table in tables.items():
        written += _write_table(table, folder / name)
    for suffix, document in DOCUMENTS.items():
        write_whole(folder / f"comparison.{suffix}", document(comparison))
        written.append(folder / f"comparison.{suffix}")
    return written


def tidy(comparison: Comparison) -> pd.DataFrame:
    """Return one row per arm and metric, with every metric and cost.

    Columns: experiment, arm, kind, parameters (with all digits), metric, seeds, mean, low, high (95% interval).

    Differences to the baseline, at endpoints only: shared_seeds, items (treated as random beside the seeds; missing
    where the test is on seeds alone), difference, difference_low, difference_high, error (standard error), p, p_holm,
    p_flip (permutation test over seeds), p_equal (equivalence, Holm-corrected), diverged (seeds at which either arm
    diverged: p counts them, means and intervals do not), level (a p_holm or p_equal below it is significant), looks
    (planned looks that are complete; missing where the number of seeds was fixed).
    """
    rows: list[dict[str, object]] = []
    for arm in comparison.arms:
        for metric in comparison.metrics:
            row: dict[str, object] = {"experiment": comparison.experiment.name, "arm": arm.name, "kind": arm.kind}
            row |= {"parameters": settings_text(arm, comparison, str), "metric": metric}
            estimate, contrast = arm.estimates.get(metric), arm.contrasts.get(metric)
            if estimate is not None:
                row |= {"seeds": estimate.count, "mean": estimate.mean, "low": estimate.low, "high": estimate.high}
            if contrast is not None:
                difference = contrast.difference
                row |= {"shared_seeds": difference.count, "items": contrast.items, "difference": difference.mean}
                row |= {"difference_low": difference.low, "difference_high": difference.high}
                row |= {"error": difference.error, "p": difference.p, "p_holm": contrast.p_holm}
                row |= {"p_flip": contrast.p_flip, "p_equal": contrast.p_equal, "diverged": contrast.diverged}
                row |= {"level": contrast.level, "looks": contrast.looks}
            rows.append(row)
    head = ["experiment", "arm", "kind", "parameters", "metric"]
    values = ["seeds", "mean", "low", "high", "shared_seeds", "items"]
    differences = ["difference", "difference_low", "difference_high", "error", "p", "p_holm", "p_flip", "p_equal"]
    table = pd.DataFrame(rows, columns=[*head, *values, *differences, "diverged", "level", "looks"])
    whole = dict.fromkeys(("seeds", "shared_seeds", "items", "diverged", "looks"), "Int64")
    return table.astype(whole | dict.fromkeys(("mean", "low", "high", *differences, "level"), "float64"))


def tidy_gains(comparison: Comparison) -> pd.DataFrame:
    """Return one row per arm, metric and effect, and one for the whole difference, at every endpoint.

    Columns: experiment, arm, metric, effect (exposure, selection, order, several of them joined by +, phases, or
    whole), plus and minus (the two arms), seeds, items (treated as random beside the seeds; missing where the test is
    on seeds alone), difference, low, high (95% interval), error (standard error), p, p_holm (over `tests` effects),
    diverged (seeds at which either arm diverged).
    """
    rows: list[dict[str, object]] = []
    for gain in comparison.gains:
        for effect in gain.rows:
            made = effect.contrast
            row: dict[str, object] = {"experiment": comparison.experiment.name, "arm": gain.arm}
            row |= {"metric": gain.endpoint, "effect": "+".join(effect.parts), "plus": effect.arm}
            row |= {"minus": effect.minus, "seeds": made.difference.count, "items": made.items}
            row |= {"difference": made.difference.mean, "low": made.difference.low, "high": made.difference.high}
            row |= {"error": made.difference.error, "p": made.difference.p, "p_holm": made.p_holm}
            row |= {"tests": None if effect is gain.whole else gain.tests, "diverged": made.diverged}
            rows.append(row)
    whole_numbers = dict.fromkeys(("seeds", "items", "tests", "diverged"), "Int64")
    numbers = dict.fromkeys(("difference", "low", "high", "error", "p", "p_holm"), "float64")
    return pd.DataFrame(rows).astype(whole_numbers | numbers)


def _write_table(table: pd.DataFrame, path: Path) -> list[Path]:
    """Write a table as CSV and as Parquet, which keeps types, and return the files.

    In the CSV, a text that a spreadsheet would take for a formula has a ' in front; numbers stay numbers.
    """
    table = table.map(lambda value: visible(value) if isinstance(value, str) else value).rename(columns=visible)
    write_whole(
        path.with_suffix(".csv"), table.map(spreadsheet_cell).rename(columns=spreadsheet_cell).to_csv(index=False)
    )
    buffer = io.BytesIO()
    _plain(table).to_parquet(buffer, index=False)
    write_whole(path.with_suffix(".parquet"), buffer.getvalue())
    return [path.with_suffix(".csv"), path.with_suffix(".parquet")]


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with columns of several types as text, because a column of Parquet has one type."""
    mixed = [
        key
        for key in table.columns
        if table[key].dtype == object and len({type(value) for value in table[key].dropna()}) > 1
    ]
    return table.assign(**{key: table[key].map(str, na_action="ignore") for key in mixed})
