"""Comparison of arms with a baseline: means over seeds, paired differences with corrected p, notes and a verdict.

An arm is a configuration trained again over fresh seeds: the study's reference (`comparison.reference`, by default
`epochs`), controls, arms with fixed settings, and the finalists of the search. Runs of the search itself are never
counted, because they were selected for their values. Models trained elsewhere and published figures may be added.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from sleep_tune.babylm.protocols import PROTOCOLS, split_score
from sleep_tune.errors import DataError
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.experiment_file import Experiment, describe_experiment
from sleep_tune.experiment.look_evidence import find_decision
from sleep_tune.experiment.run_folder import CONFIG
from sleep_tune.experiment.search_state import MAIN, SearchState, fold_events
from sleep_tune.results.answers import read_answers
from sleep_tune.results.arms import BASELINE, CONTROL, Arm, Comparison, Decided, mode_of, over_seeds
from sleep_tune.results.columns import PAIRS, column, sort_metrics
from sleep_tune.results.contrasts import add_contrasts
from sleep_tune.results.gain import explain_gains
from sleep_tune.results.held_out import hold_out_items
from sleep_tune.results.macro import average_shared_scores, score_notes
from sleep_tune.results.notes import write_notes
from sleep_tune.results.run_facts import RunFacts, read_facts
from sleep_tune.results.seed_plan import SeedPlan, find_plan
from sleep_tune.results.study_growth import StudySize, find_growth
from sleep_tune.results.trial_tables import (
    metric_columns,
    parameter_columns,
    read_trials,
    repeated_runs,
    tabulate_trials,
)
from sleep_tune.results.verdict import write_verdict

__all__ = ["compare", "compare_arms", "read_arms"]

COSTS = ("words_seen", "updates", "flops", "gpu_hours", "cpu_hours")
"""Columns of the table of trials that are compared beside the metrics."""

ROWS = ("baseline", "control", "arm", "finalist")
"""Kinds of arms in the order of their rows; matched controls come last."""


def compare(
    folder: Path,
    others: Sequence[Arm] = (),
    *,
    baseline: str | None = None,
    matched: str | None = None,
    seeds: Collection[int] | None = None,
) -> Comparison:
    """Compare the arms of the experiment in `folder`, finished or not, and `others`.

        comparison = compare(Path("results/demo"))
        print(comparison.verdict)

    Args:
        folder: of the experiment.
        others: arms trained elsewhere, or published rows.
        baseline: name of the arm that all others are compared with; the experiment's reference by default.
        matched: the resource that all arms should share, a name in `names.MATCHED`; the experiment's own by default.
        seeds: to use only the runs over these fresh seeds.

    Raises:
        RunFolderError: the folder holds no experiment, or a file in it is not as it was written.
        DataError: experiment.yaml names an unknown resource or mode, or two arms have one name.
    """
    events, experiment = read_events(folder / LOG), describe_experiment(folder)
    state = fold_events(events)
    table = tabulate_trials(state)
    search = table[table["study"] == MAIN]
    trials = {str(state): int(count) for state, count in search["state"].value_counts().items()}
    if seeds is not None:
        table = table[table["seed"].isin(seeds)]
    arms = [replace(arm, decided=_decided(arm, state)) for arm in _read_arms(table, folder, experiment)]
    return compare_arms(
        [*arms, *others],
        experiment,
        baseline=baseline,
        matched=matched,
        trials=trials,
        plan=find_plan(events),
        growth=find_growth(events),
    )


def _decided(arm: Arm, state: SearchState) -> Decided | None:
    """Return why the search gave an arm, or the arm that it is matched to, no more seeds; None if it has more since."""
    found = find_decision(state.looks_at(arm.parent or arm.name))
    if found is None or len(arm.seeds) + len(arm.failures) + len(arm.unfinished) > found[0]:
        return None
    return Decided(found[0], found[1].decided or "")


def read_arms(folder: Path, name: str | None = None) -> list[Arm]:
    """Return the arms of an experiment for another's comparison: named `<experiment>/<arm>`, none of them a baseline.

    Args:
        folder: of the experiment.
        name: of the experiment in the comparison; its own name by default.

    Raises:
        RunFolderError: the folder holds no experiment, or a file in it is not as it was written.
        DataError: experiment.yaml names an unknown resource or mode.
    """
    table, experiment = read_trials(folder), describe_experiment(folder)
    called = name or experiment.name
    return [
        replace(
            arm,
            name=f"{called}/{arm.name}",
            kind="control" if arm.kind == "baseline" else arm.kind,
            parent=arm.parent and f"{called}/{arm.parent}",
            joined=True,
        )
        for arm in _read_arms(table, folder, experiment)
    ]


def _read_arms(table: pd.DataFrame, folder: Path, experiment: Experiment) -> list[Arm]:
    """Return the arms of an experiment, in the order of the rows."""
    table = repeated_runs(table.join(_device_hours(table, experiment.workers)))
    arms = [
        _arm(str(name), _with_broken(runs, experiment.primary), folder, experiment.reference)
        for name, runs in table.groupby("arm", sort=False)
    ]
    return sorted(arms, key=_place)


def _place(arm: Arm) -> int:
    """Return the place of an arm's kind among the rows; within a kind, arms stay in the order asked for."""
    return len(ROWS) if arm.parent is not None else ROWS.index(arm.kind)


def compare_arms(
    arms: Sequence[Arm],
    experiment: Experiment,
    *,
    baseline: str | None = None,
    matched: str | None = None,
    trials: dict[str, int] | None = None,
    plan: SeedPlan | None = None,
    growth: tuple[StudySize, ...] = (),
) -> Comparison:
    """Compare arms from any source.

    Args:
        arms: without contrasts yet.
        experiment: gives the primary endpoint and the smallest difference of interest.
        baseline: name of the arm that all others are compared with; the experiment's reference by default.
        matched: the resource that all arms should share; the experiment's own by default.
        trials: state -> number of trials, where there was a search.
        plan: of the study's seeds; None where their number was fixed.
        growth: of the study, see `find_growth`.

    Raises:
        DataError: two arms have one name.
    """
    counts = Counter(arm.name for arm in arms)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DataError(f"every arm must have a name of its own; '{twice[0]}' is the name of {counts[twice[0]]}")
    judged, chosen_by = hold_out_items(arms, experiment)
    shared, averaged = average_shared_scores(judged, experiment.primary)
    endpoints = _endpoints(shared, experiment.primary)
    baseline = baseline or experiment.reference
    lower = [key for key in endpoints if mode_of(key, experiment) == "min"]
    contrasted = add_contrasts(shared, baseline, endpoints, smallest=experiment.smallest, lower=lower, plan=plan)
    gains = explain_gains(contrasted, baseline, endpoints, lower, plan)
    comparison = Comparison(
        experiment=experiment,
        arms=contrasted,
        metrics=tuple(sort_metrics(key for arm in contrasted for key in arm.estimates)),
        endpoints=endpoints,
        trials=trials or {},
        baseline=baseline,
        matched=matched or experiment.matched,
        chosen_by=chosen_by,
        averaged=(*averaged, *score_notes(shared, experiment.primary)),
        plan=plan,
        growth=growth,
        gains=gains,
    )
    return replace(comparison, notes=tuple(write_notes(comparison)), verdict=write_verdict(comparison))


def _device_hours(table: pd.DataFrame, workers: int) -> pd.DataFrame:
    """Return hours times GPUs, or times workers on CPUs, of each run; missing where the device is unknown."""
    hours = table["seconds"] / 3600
    on_cpu = table["device"].eq("cpu")
    on_gpu = ~on_cpu & table["device"].notna()
    gpu_hours = hours * table["gpus"].where(table["gpus"] > 0, workers)
    return pd.DataFrame({"gpu_hours": gpu_hours.where(on_gpu), "cpu_hours": (hours * workers).where(on_cpu)})


def _with_broken(runs: pd.DataFrame, primary: str) -> pd.DataFrame:
    """Return the runs; those that ended with a loss that is not finite count as diverged."""
    if column(primary).better != "min":
        return runs
    named = runs["not_finite"].map(lambda names: primary in str(names).split(", "))
    broken = runs["state"].eq("completed") & named
    reason = f"it ended without a finite {column(primary).heading}"
    return runs.assign(
        state=runs["state"].mask(broken, "failed"),
        kind=runs["kind"].mask(broken, "diverged"),
        reason=runs["reason"].mask(broken, reason),
    )


def _arm(name: str, runs: pd.DataFrame, folder: Path, reference: str) -> Arm:
    """Return one arm from its runs, without contrasts."""
    completed = runs[runs["state"] == "completed"]
    failed = runs[runs["state"].isin(["failed", "refused"])]
    waiting = runs[~runs["state"].isin(["completed", "failed", "refused"])]
    values = {key: _by_seed(completed, key) for key in (*metric_columns(runs), *COSTS)}
    seeds = tuple(int(seed) for seed in completed["seed"])
    scores = [key for key in values if split_score(key) is not None]
    facts = tuple(read_facts(folder / "trials" / str(trial)) for trial in completed["trial"])
    roles, parent = set(runs["role"]), runs["parent"].iloc[-1]
    is_control = parent is not None or name == CONTROL or (roles == {"baseline"} and name != BASELINE)
    is_arm = not is_control and "finalist" not in roles
    kind = "baseline" if name == reference else "control" if is_control else "arm" if is_arm else "finalist"
    return over_seeds(
        name,
        kind,
        values,
        parent=parent,
        parameters={key: runs[key].dropna().iloc[0] for key in parameter_columns(runs) if runs[key].notna().any()},
        seeds=seeds,
        missing={key: {seed: "" for seed in seeds if seed not in values[key]} for key in scores},
        unfinished=tuple(int(seed) for seed in waiting["seed"]),
        failures={
            int(run["seed"]): str(run["reason"]) if pd.notna(run["reason"]) else "" for _, run in failed.iterrows()
        },
        diverged=frozenset(int(seed) for seed in failed.loc[failed["kind"] == "diverged", "seed"]),
        facts=facts,
        answers=_answers(zip(completed["trial"], completed["seed"], facts, strict=True), folder),
    )


def _answers(runs: Iterable[tuple[str, int, RunFacts]], folder: Path) -> dict[str, dict[int, "pd.Series[float]"]]:
    """Return endpoint -> seed -> score of each item.

    Raises:
        DataError: a run was scored by an unknown protocol, or its table of items is broken.
    """
    answers: dict[str, dict[int, pd.Series[float]]] = {}
    for trial, seed, facts in runs:
        run = folder / "trials" / trial
        if facts.year not in PROTOCOLS:
            expected = f"one of {', '.join(PROTOCOLS)}"
            raise DataError(f"{run / CONFIG}: evaluation.protocol must be {expected}; got '{facts.year}'")
        for endpoint, scored in read_answers(run, PROTOCOLS[facts.year]).items():
            answers.setdefault(endpoint, {})[int(seed)] = scored
    return answers


def _by_seed(runs: pd.DataFrame, key: str) -> dict[int, float]:
    """Return seed -> value of the run, where it is finite."""
    pairs = zip(runs["seed"], runs[key], strict=True)
    return {int(seed): float(value) for seed, value in pairs if pd.notna(value) and math.isfinite(value)}


def _endpoints(arms: Sequence[Arm], primary: str) -> tuple[str, ...]:
    """Return the primary endpoint, then minimal pairs and BabyLM's tasks that some arm or published row has."""
    measured = {key for arm in arms for key in arm.estimates}
    others = sort_metrics(key for key in measured if key == PAIRS or split_score(key) is not None)
    return (primary, *(key for key in others if key != primary))
