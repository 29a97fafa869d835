"""Arms against epochs: means over seeds with intervals, paired differences with corrected p, notes and a verdict.

An arm is what was repeated over fresh seeds: the baseline `epochs`, the other baselines (controls), and the finalists
of the search. A run of the search itself never counts: it was chosen for its value. Knows nothing of how tables look.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from sleep_tune.results.arms import BASELINE, PAIRS, Arm, Comparison, Contrast
from sleep_tune.results.columns import order
from sleep_tune.results.experiment import describe
from sleep_tune.results.notes import write_notes
from sleep_tune.results.statistics import Difference, estimate_mean, holm, paired_difference
from sleep_tune.results.table import metric_columns, parameter_columns, read_experiment
from sleep_tune.results.verdict import write_verdict

__all__ = ["compare"]

MAIN = "search"
"""The study that the space describes; a tuned baseline's own study has the baseline's name, a repeated run has none."""

COSTS = ("words_seen", "updates", "flops", "gpu_hours", "cpu_hours")
"""Columns of the table of trials that are compared beside the metrics."""


def compare(folder: Path) -> Comparison:
    """Compare the arms of the experiment in `folder`, however far it has got.

    Raises:
        RunFolderError: the folder holds no experiment.
        DataError: a line of its log is no event, or its description is not YAML.
    """
    table, experiment = read_experiment(folder), describe(folder)
    table = table.join(_device_hours(table, experiment.workers))
    arms = _contrast([_arm(name, runs) for name, runs in _arms(table)], experiment.primary)
    search = table[table["study"] == MAIN]
    comparison = Comparison(
        experiment=experiment,
        arms=arms,
        metrics=tuple(order(key for arm in arms for key in arm.estimates)),
        endpoints=_endpoints(arms, experiment.primary),
        trials={str(state): int(count) for state, count in search["state"].value_counts().items()},
        notes=(),
        verdict="",
    )
    return replace(comparison, notes=tuple(write_notes(comparison)), verdict=write_verdict(comparison))


def _device_hours(table: pd.DataFrame, workers: int) -> pd.DataFrame:
    """Hours of a run times the GPUs it held, or times its workers on CPUs; missing where the device is not known."""
    hours = table["seconds"] / 3600
    on_cpu = table["device"].eq("cpu")
    on_gpu = ~on_cpu & table["device"].notna()
    gpu_hours = hours * table["gpus"].where(table["gpus"] > 0, workers)
    return pd.DataFrame({"gpu_hours": gpu_hours.where(on_gpu), "cpu_hours": (hours * workers).where(on_cpu)})


def _arms(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """(name, its runs): the baseline, then controls, then finalists, each in the order asked for."""
    repeated = table[table["role"].isin(["baseline", "finalist"]) & (table["study"] == "")]
    groups = [(str(name), runs) for name, runs in repeated.groupby("arm", sort=False)]
    rank = {"baseline": 1, "finalist": 2}
    return sorted(groups, key=lambda group: 0 if group[0] == BASELINE else rank[str(group[1]["role"].iloc[0])])


def _arm(name: str, runs: pd.DataFrame) -> Arm:
    """One arm from its runs; not yet compared with anything."""
    completed = runs[runs["state"] == "completed"]
    failed = runs[runs["state"].isin(["failed", "refused"])]
    waiting = runs[~runs["state"].isin(["completed", "failed", "refused"])]
    values = {key: _by_seed(completed, key) for key in (*metric_columns(runs), *COSTS)}
    values = {key: by_seed for key, by_seed in values.items() if by_seed}
    finalist = bool((runs["role"] == "finalist").any())
    return Arm(
        name=name,
        kind="finalist" if finalist else "baseline" if name == BASELINE else "control",
        parameters={key: runs[key].dropna().iloc[0] for key in parameter_columns(runs) if runs[key].notna().any()},
        seeds=tuple(int(seed) for seed in completed["seed"]),
        unfinished=tuple(int(seed) for seed in waiting["seed"]),
        failures={int(run["seed"]): str(run["reason"] or "no reason given") for _, run in failed.iterrows()},
        values=values,
        estimates={key: estimate_mean(list(by_seed.values())) for key, by_seed in values.items()},
        contrasts={},
    )


def _by_seed(runs: pd.DataFrame, key: str) -> dict[int, float]:
    """Seed -> the run's value, where it is finite."""
    pairs = zip(runs["seed"], runs[key], strict=True)
    return {int(seed): float(value) for seed, value in pairs if pd.notna(value) and math.isfinite(value)}


def _endpoints(arms: Sequence[Arm], primary: str) -> tuple[str, ...]:
    """The primary endpoint, and minimal pairs where some arm measured them."""
    measured = any(PAIRS in arm.values for arm in arms)
    return (primary, PAIRS) if measured and primary != PAIRS else (primary,)


def _contrast(arms: Sequence[Arm], primary: str) -> tuple[Arm, ...]:
    """The arms with their differences to the baseline; p corrected over the arms, endpoint by endpoint."""
    baseline = next((arm for arm in arms if arm.name == BASELINE), None)
    if baseline is None:
        return tuple(arms)
    contrasts: dict[str, dict[str, Contrast]] = {arm.name: {} for arm in arms}
    for endpoint in _endpoints(arms, primary):
        differences = {arm.name: _difference(arm, baseline, endpoint) for arm in arms if arm is not baseline}
        known = {name: difference for name, difference in differences.items() if difference is not None}
        tested = {name: difference.p for name, difference in known.items() if difference.p is not None}
        adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
        for name, difference in known.items():
            contrasts[name][endpoint] = Contrast(difference, adjusted.get(name))
    return tuple(replace(arm, contrasts=contrasts[arm.name]) for arm in arms)


def _difference(arm: Arm, baseline: Arm, endpoint: str) -> Difference | None:
    """Arm minus baseline over the seeds that both have; None where they share none."""
    ours, theirs = arm.values.get(endpoint, {}), baseline.values.get(endpoint, {})
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        return None
    return paired_difference([ours[seed] for seed in shared], [theirs[seed] for seed in shared])
