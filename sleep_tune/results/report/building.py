"""From an experiment's folder to its report.html. Partial folders give partial reports that say so."""

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from sleep_tune.files import write_whole
from sleep_tune.results.arms import Comparison
from sleep_tune.results.columns import short_names
from sleep_tune.results.comparison import compare
from sleep_tune.results.documents import html_table
from sleep_tune.results.experiment import DESCRIPTION
from sleep_tune.results.report import run_figures, search_figures
from sleep_tune.results.report.importance import FEWEST, importance
from sleep_tune.results.report.journals import Journal, read_journals
from sleep_tune.results.report.page import Plot, Section, make_page
from sleep_tune.results.report.points import SearchPoints, search_points
from sleep_tune.results.sheet import make_sheet
from sleep_tune.results.table import read_events, trials

__all__ = ["FILE", "write_report"]

FILE = "report.html"

MOST_FAILURES = 50
"""Failures told one by one."""

PAIRS_OF_INTEREST = (("sleep.replay.ratio", "sleep.folds"), ("sleep.replay.ratio", "sleep.length.passes"))
"""Parameters that a heat map is drawn of, where both were searched: first those that the mechanism turns on."""


def write_report(folder: Path, comparison: Comparison | None = None) -> Path:
    """Write report.html of the experiment in `folder`, however far it has got.

    Args:
        folder: of the experiment.
        comparison: of its arms, if it has been made already.

    Returns:
        The file: self-contained, below 5 MB.

    Raises:
        RunFolderError: the folder holds no experiment.
        DataError: a line of its log is no event, or its description is not YAML.
    """
    made = comparison or compare(folder)
    events = read_events(folder)
    table = trials(events)
    journals = read_journals(folder, table)
    sections = [
        Section("The answer", tuple(_answer(made, table))),
        Section("Arms against the baseline", tuple(_table(made))),
        Section("Learning curves", tuple(_learning(made, journals))),
        Section("The search", tuple(_search(made, search_points(events, made.experiment)))),
        Section("What was replayed", tuple(_replayed(made, journals))),
        Section("Failures", tuple(_failures(table))),
        Section("How to reproduce this", tuple(_reproduce(folder))),
    ]
    write_whole(folder / FILE, make_page(f"{made.experiment.name}: does sleep beat epochs?", sections))
    return folder / FILE


def _answer(comparison: Comparison, table: pd.DataFrame) -> Iterator[str]:
    yield f'<p class="answer">{html.escape(comparison.verdict)}</p>'
    states = table["state"].value_counts()
    open_states = {str(state): int(states[state]) for state in ("running", "waiting", "interrupted") if state in states}
    if open_states:
        told = ", ".join(f"{number} {state}" for state, number in open_states.items())
        yield f'<p class="warn">This report is partial: {told} of {len(table)} trials had not ended.</p>'
    for note in comparison.notes:
        if note.startswith(("Beware", "Not matched", "Missing")) or "That is few" in note:
            yield f'<p class="warn">{html.escape(note)}</p>'


def _table(comparison: Comparison) -> Iterator[str]:
    if not comparison.arms:
        yield "<p>No run over fresh seeds has been asked for yet.</p>"
        return
    yield html_table(make_sheet(comparison))
    yield f"<ul>{''.join(f'<li>{html.escape(note)}</li>' for note in comparison.notes)}</ul>"


def _learning(comparison: Comparison, journals: Mapping[str, Sequence[Journal]]) -> Iterator[str | Plot]:
    metric = comparison.experiment.objective
    by_arm: dict[str, list[pd.DataFrame]] = {}
    for arm in comparison.arms:
        runs = [journal.evaluations for journal in journals.get(arm.name, [])]
        by_arm[arm.name] = [_values(run, metric) for run in runs]
    drawn = run_figures.learning_curves({name: runs for name, runs in by_arm.items() if runs}, metric)
    shaded = next((arm.name for arm in comparison.arms if arm.kind == "finalist" and journals.get(arm.name)), "")
    firsts = {name: runs[0] for name, runs in journals.items() if runs}
    trained = run_figures.losses(firsts, shaded)
    if trained:
        bands = f" Behind: when {shaded} was awake (yellow) and asleep (blue)." if shaded else ""
        yield Plot(trained, f"Training loss of each arm's first seed, awake as a line and asleep dotted.{bands}")
    if drawn and any(len(run) > 1 for runs in by_arm.values() for run in runs):
        yield Plot(drawn, f"{metric} on dev of every run over fresh seeds, where it was evaluated.")
    if not trained:
        yield "<p>No run over fresh seeds has been trained yet.</p>"


def _search(comparison: Comparison, points: SearchPoints) -> Iterator[str | Plot]:
    metric, mode = comparison.experiment.objective, comparison.experiment.mode
    if points.trials.empty:
        yield "<p>No trial of the search has been asked for yet.</p>"
        return
    for made, caption in (
        (
            search_figures.history(points.trials, metric, mode),
            f"{metric} of each trial where it got to; open: stopped.",
        ),
        (
            search_figures.rungs(points.rungs, metric),
            f"{metric} at each rung; a trial that was stopped ends at its last.",
        ),
        (
            search_figures.parallel(points.trials, points.parameters, metric, mode),
            "One line a trial. Drag along an axis to choose; a choice that a trial did not have lies at the bottom.",
        ),
    ):
        if made:
            yield Plot(made, caption)
    yield from _parameters(points, metric, mode)


def _parameters(points: SearchPoints, metric: str, mode: str) -> Iterator[str | Plot]:
    """Importance, slices and heat maps at the first rung."""
    early, first, parameters = points.early, points.first, points.parameters
    where = f"at {first:.0%} of the budget, where every trial was measured" if first < 1 else "at the end of the budget"
    found = importance(early, parameters, early["value"], mode)
    drawn = search_figures.importances(found)
    if drawn:
        yield Plot(
            drawn,
            f"Importance for {metric} {where} (PED-ANOVA over {int(early['value'].notna().sum())} trials; bars: 95% "
            "over resampled trials). Wide bars say that the search was too small to tell.",
        )
    else:
        yield f"<p>Importance of the parameters needs at least {FEWEST} trials with a value.</p>"
    sliced = search_figures.slices(early, parameters, metric)
    if sliced:
        yield Plot(sliced, f"{metric} {where} against each parameter; the others vary along.")
    names = short_names(parameters)
    most = tuple(one.key for one in found[:2])
    for across, down in dict.fromkeys(pair for pair in (*PAIRS_OF_INTEREST, most) if len(pair) == 2):
        if {across, down} <= set(parameters):
            mapped = search_figures.heat_map(early, across, down, metric, mode)
            told = f"Mean {metric} {where} over {names[across]} and {names[down]}; n trials in each cell."
            yield from [Plot(mapped, told)] if mapped else []


def _replayed(comparison: Comparison, runs: Mapping[str, Sequence[Journal]]) -> Iterator[str | Plot]:
    journals = {arm: own[0] for arm, own in runs.items()}
    shown = run_figures.exposures(journals)
    slept = {name: journal for name, journal in journals.items() if not journal.sleeps.empty}
    if not slept:
        yield "<p>No run that is compared has slept yet.</p>"
        return
    if shown:
        yield Plot(shown, "How often samples had been seen by the end of the last sleep (each arm's first seed).")
    name = next(
        (arm.name for arm in comparison.arms if arm.kind == "finalist" and arm.name in slept), next(iter(slept))
    )
    for made, caption in (
        (run_figures.sources(slept[name]), f"Where the buffer of each sleep of {name} came from."),
        (run_figures.ages(slept[name]), f"How old what {name} replayed was, and how hard when it was last read awake."),
    ):
        if made:
            yield Plot(made, caption)


def _failures(table: pd.DataFrame) -> Iterator[str]:
    failed = table[table["state"].isin(["failed", "refused"])]
    if failed.empty:
        yield "<p>None.</p>"
        return
    rows = "".join(
        f"<tr><td>{html.escape(str(row.trial))}</td><td>{html.escape(str(row.state))}</td>"
        f"<td>{html.escape(str(row.kind or ''))}</td><td>{html.escape(str(row.reason or ''))}</td></tr>"
        for row in failed.head(MOST_FAILURES).itertuples()
    )
    if len(failed) > MOST_FAILURES:
        yield f"<p>The first {MOST_FAILURES} of {len(failed)}; all are in tables/trials.csv.</p>"
    head = "<thead><tr><th>trial</th><th>state</th><th>kind</th><th>reason</th></tr></thead>"
    yield f'<div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>'


def _reproduce(folder: Path) -> Iterator[str]:
    path = folder / DESCRIPTION
    described: Any = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    if not isinstance(described, dict):
        yield f"<p>The folder has no {DESCRIPTION}.</p>"
        return
    packages = described.get("packages") or {}
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    commit = described.get("commit") or "unknown"
    dirty = " with uncommitted changes" if described.get("uncommitted") else ""
    yield (
        f"<p>sleep-tune {html.escape(str(described.get('sleep_tune')))}, commit <code>{html.escape(str(commit))}</code>"
        f"{dirty}, Python {html.escape(str(described.get('python')))}, {html.escape(str(described.get('platform')))}; "
        f"{html.escape(versions)}.</p>"
    )
    space = yaml.safe_dump(described.get("space"), sort_keys=False, allow_unicode=True)
    yield "<p>Save this as <code>space.yaml</code> and run <code>python tune.py space.yaml</code>:</p>"
    yield f"<pre>{html.escape(space)}</pre>"


def _values(evaluations: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One metric of one run on dev by words seen."""
    if metric not in evaluations:
        return pd.DataFrame({"words_seen": [], "value": []})
    known = evaluations[evaluations[metric].notna()]
    return known[["words_seen", metric]].rename(columns={metric: "value"})
