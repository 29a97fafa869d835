"""The sections of the report: title and values of each; templates/NAME.html holds its sentences and layout."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from sleep_tune.experiment.experiment_file import EXPERIMENT, read_experiment_file
from sleep_tune.results import parameter_correlations
from sleep_tune.results.arms import Arm, Comparison
from sleep_tune.results.columns import column, short_names
from sleep_tune.results.comparable_losses import are_comparable
from sleep_tune.results.gain import sleeping_arms
from sleep_tune.results.gain_sheet import gain_sheet
from sleep_tune.results.gain_text import TITLE, gain_statistics, gain_texts
from sleep_tune.results.look_sheet import look_sheet
from sleep_tune.results.missing_controls import find_missing
from sleep_tune.results.notes import is_power_note, is_warning
from sleep_tune.results.paradigms import ParadigmDifference
from sleep_tune.results.report.gain_figures import shown_gains
from sleep_tune.results.report.importance import FEWEST_TRIALS
from sleep_tune.results.report.section_figures import ReportData
from sleep_tune.results.report.training_logs import TrainingLog
from sleep_tune.results.sequential_contrasts import is_planned
from sleep_tune.results.sheet import (
    MISSING,
    Cell,
    Sheet,
    estimate_text,
    make_sheet,
    result_text,
    settings_text,
    shown_metrics,
)
from sleep_tune.results.verdict import difference_text

__all__ = ["SECTIONS", "ReportSection", "example_texts", "source_table"]

UNFINISHED = ("running", "waiting", "paused", "interrupted")
"""States of a trial that has not ended."""

MOST_FINALISTS = 5
"""Finalists described in the answer; the table below has all."""

MOST_FAILURES = 50
"""Rows in the table of failures."""


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section of the report."""

    title: str
    values: Callable[[ReportData], dict[str, Any]]
    """Returns the values that the section's template shows."""


def _answer(data: ReportData) -> dict[str, Any]:
    comparison = data.comparison
    finalists = [arm for arm in comparison.arms if arm.kind in ("arm", "finalist") and arm.seeds]
    states = data.trials["state"].value_counts()
    unfinished = {state: int(states[state]) for state in UNFINISHED if state in states}
    return {
        "verdict": comparison.verdict,
        "finalists": [_finalist(arm, comparison) for arm in finalists[:MOST_FINALISTS]],
        "power": [note for note in comparison.notes if is_power_note(note)],
        "ended": data.ended,
        "unfinished": unfinished,
        "count": len(data.trials),
        "warnings": [*data.logs.problems, *filter(is_warning, comparison.notes)],
    }


def _finalist(arm: Arm, comparison: Comparison) -> dict[str, str]:
    """Return a finalist's settings, result and costs, with the baseline's result."""
    primary, reference = comparison.experiment.primary, comparison.reference
    costs = [key for key in shown_metrics(comparison) if "/" not in key and key in arm.estimates]
    difference = f"{difference_text(arm, primary)} {column(primary).unit}" if primary in arm.contrasts else ""
    known = reference is not None and primary in reference.estimates and are_comparable(arm, reference, primary)
    return {
        "name": arm.name,
        "settings": settings_text(arm, comparison) or MISSING,
        "metric": comparison.column(primary).heading,
        "result": " ".join(result_text(arm, primary, comparison)).strip(),
        "baseline": comparison.baseline,
        "baseline_result": " ".join(estimate_text(reference, primary)).strip() if reference and known else "",
        "difference": difference.rstrip(),
        "costs": ", ".join(f"{estimate_text(arm, key)[0]} {comparison.column(key).heading}" for key in costs),
    }


def _arms(data: ReportData) -> dict[str, Any]:
    comparison = data.comparison
    results, costs = _split_sheet(make_sheet(comparison), comparison)
    return {
        "results": results if comparison.arms else None,
        "costs": costs if costs.headings[1:] else None,
        "notes": [note for note in comparison.notes if not is_warning(note) and not is_power_note(note)],
    }


def _split_sheet(sheet: Sheet, comparison: Comparison) -> tuple[Sheet, Sheet]:
    """Return the sheet as two: metrics, each followed by its difference and p; and costs."""
    shown, fixed = shown_metrics(comparison), sheet.words + 1
    places = {key: [fixed + at] for at, key in enumerate(shown)}
    endpoints = [key for key in comparison.endpoints if any(key in arm.contrasts for arm in comparison.arms)]
    for at, key in enumerate(endpoints):
        first = fixed + len(shown) + 2 * at
        places.setdefault(key, []).extend([first, first + 1])
    metrics = [at for key, own in places.items() if "/" in key for at in own]
    costs = [at for key, own in places.items() if "/" not in key for at in own]
    return _select_columns(sheet, [*range(fixed), *metrics], sheet.words), _select_columns(sheet, [0, *costs], 1)


def _select_columns(sheet: Sheet, places: Sequence[int], words: int) -> Sheet:
    rows = tuple(tuple(row[at] for at in places) for row in sheet.rows)
    return Sheet(tuple(sheet.headings[at] for at in places), rows, words)


def _looks(data: ReportData) -> dict[str, Any]:
    """Return the planned looks, a table with a row per arm and look, and how many runs the looks have saved."""
    comparison = data.comparison
    plan = comparison.plan
    looks = plan.schedule.looks if plan is not None else ()
    has_table = plan is not None and (len(looks) > 1 or plan.added > 0)
    trained, most = _count_runs(comparison)
    return {
        "baseline": comparison.baseline,
        "metric": comparison.column(comparison.endpoints[0]).heading,
        "looks": looks,
        "level": f"{plan.schedule.level:.3g}" if plan is not None else "",
        "trained": trained,
        "most": most,
        "saved": f"{1 - trained / most:.0%}" if most else "",
        "table": look_sheet(data.looks, comparison) if has_table and data.looks else None,
    }


def _count_runs(comparison: Comparison) -> tuple[int, int]:
    """Return the runs over fresh seeds, and how many they are if no arm is decided early.

    Zeros before the study is over, and where it has one look.
    """
    plan = comparison.plan
    if plan is None or len(plan.schedule.looks) < 2:
        return 0, 0
    arms = [arm for arm in comparison.arms if is_planned(arm)]
    ended = {arm.name: len(arm.seeds) + len(arm.failures) for arm in arms}
    decided = {arm.name for arm in arms if arm.decided is not None}
    waiting = [
        arm
        for arm in arms
        if arm.unfinished
        or (arm.parent is None and arm.name not in {*decided, comparison.baseline} and ended[arm.name] < plan.seeds)
    ]
    return (0, 0) if waiting else (sum(ended.values()), len(arms) * max(plan.seeds, len(plan.order)))


def _gain(data: ReportData) -> dict[str, Any]:
    comparison = data.comparison
    reference = comparison.reference
    texts = {text.arm: text for text in gain_texts(comparison)}
    missing = find_missing(comparison)
    return {
        "baseline": comparison.baseline,
        "sleeping": [] if reference is None else sleeping_arms(comparison.arms, comparison.baseline),
        "texts": [texts[gain.arm] for gain in shown_gains(comparison)],
        "sheet": gain_sheet(comparison),
        "statistics": gain_statistics(comparison) if comparison.gains else "",
        "missing": missing,
    }


def _paradigms(data: ReportData) -> dict[str, Any]:
    """Return a table with a row per task and arm: how many paradigms are better, worse, or neither."""
    headings = ("task", "arm", "paradigms", "better", "worse", "no difference shown", "neither above chance")
    groups: dict[tuple[str, str], list[ParadigmDifference]] = {}
    for row in data.paradigms:
        groups.setdefault((row.endpoint, row.arm), []).append(row)
    rows = []
    for (endpoint, arm), own in groups.items():
        better = sum(row.is_significant and row.difference.mean > 0 for row in own)
        worse = sum(row.is_significant and row.difference.mean < 0 for row in own)
        counts = (len(own), better, worse, len(own) - better - worse, sum(row.at_chance for row in own))
        rows.append(
            (
                Cell(data.comparison.column(endpoint).heading.removesuffix(" %")),
                Cell(arm),
                *(Cell(str(count)) for count in counts),
            )
        )
    single = bool(data.paradigms) and all(row.p_holm is None for row in data.paradigms)
    return {"table": Sheet(headings, tuple(rows), words=2), "baseline": data.comparison.baseline, "single": single}


def _learning(data: ReportData) -> dict[str, Any]:
    return {}


def _search(data: ReportData) -> dict[str, Any]:
    measured = int(data.search.first_rung["value"].notna().sum())
    return {
        "count": len(data.search.trials),
        "ended": data.ended,
        "parameters": ", ".join(short_names(data.search.parameters).values()),
        "metric": data.comparison.experiment.objective,
        "better": "lower" if data.comparison.experiment.mode == "min" else "higher",
        "measured": measured,
        "fewest": FEWEST_TRIALS,
        "completed": int((data.search.trials["state"] == "completed").sum()),
        "fewest_completed": parameter_correlations.FEWEST_TRIALS,
    }


def _replay(data: ReportData) -> dict[str, Any]:
    if data.replayed is None:
        return {"arm": None, "sources": None, "examples": None}
    name, log = data.replayed
    return {
        "arm": data.describe(name),
        "sources": source_table(log),
        "examples": None if log.examples.empty else example_texts(log),
    }


def source_table(log: TrainingLog) -> Sheet | None:
    """Return each source's share in the corpus and in all that was replayed; None where the run did not log both."""
    rows = tuple(
        (Cell(str(row.Index)), Cell(f"{row.corpus:.1%}"), Cell(f"{row.replayed:.1%}"), Cell(f"{row.ratio:.2f}"))
        for row in log.source_balance.itertuples()
    )
    return Sheet(("source", "of the corpus", "of the replay", "ratio"), rows, words=1) if rows else None


def example_texts(log: TrainingLog) -> Sheet:
    """Return the texts that were logged of the first, a middle and the last sleep, each from the highest score down."""
    examples = log.examples
    cycles = sorted(examples["cycle"].unique())
    chosen = dict.fromkeys((cycles[0], cycles[len(cycles) // 2], cycles[-1])) if cycles else {}
    rows = (row for cycle in chosen for row in examples[examples["cycle"] == cycle].itertuples())
    return Sheet(
        ("sleep", "text", "score", "age", "times seen"),
        tuple(
            (
                Cell(str(row.cycle + 1)),
                Cell(str(row.text)),
                *(
                    Cell(_number(value, digits))
                    for value, digits in ((row.score, 2), (row.age, 0), (row.times_seen, 0))
                ),
            )
            for row in rows
        ),
        words=2,
    )


def _number(value: Any, digits: int) -> str:
    return MISSING if pd.isna(value) else f"{value:.{digits}f}"


def _failures(data: ReportData) -> dict[str, Any]:
    """Return failed and refused trials with their reasons, from the event log."""
    headings = ("trial", "state", "kind", "reason")
    failed = data.trials[data.trials["state"].isin(["failed", "refused"])]
    rows = failed[list(headings)].head(MOST_FAILURES).itertuples(index=False)
    cells = tuple(tuple(Cell("" if pd.isna(value) else str(value)) for value in row) for row in rows)
    return {"table": Sheet(headings, cells, words=len(headings)), "count": len(failed)}


def _reproduce(data: ReportData) -> dict[str, Any]:
    """Return the versions of the experiment's software, and its search space.

    Raises:
        RunFolderError: experiment.yaml is not as it was written.
    """
    path = data.folder / EXPERIMENT
    read = read_experiment_file(path) if path.is_file() else None
    if read is None:
        return {"file": EXPERIMENT, "space": None}
    commit = f"{read.get('commit') or 'unknown'}{' with uncommitted changes' if read.get('uncommitted') else ''}"
    packages = ", ".join(f"{name} {version}" for name, version in (read.get("packages") or {}).items())
    versions = {
        "sleep-tune": read.get("sleep_tune"),
        "commit": commit,
        "Python": read.get("python"),
        "platform": read.get("platform"),
        "packages": packages,
    }
    return {
        "versions": {name: str(value) for name, value in versions.items() if value},
        "space": yaml.safe_dump(read.get("space"), sort_keys=False, allow_unicode=True),
    }


SECTIONS: dict[str, ReportSection] = {
    "answer": ReportSection("The answer", _answer),
    "arms": ReportSection("Arms against the baseline", _arms),
    "looks": ReportSection("The evidence look by look", _looks),
    "gain": ReportSection(TITLE, _gain),
    "paradigms": ReportSection("Paradigm by paradigm", _paradigms),
    "learning": ReportSection("Learning curves", _learning),
    "search": ReportSection("The search", _search),
    "replay": ReportSection("What was replayed", _replay),
    "failures": ReportSection("Failures", _failures),
    "reproduce": ReportSection("How to reproduce this", _reproduce),
}
"""Name of a section, and of its template -> the section, in the order of the page."""
