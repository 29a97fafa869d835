"""The best settings of a search: selected on dev over fresh seeds, where there are finalists, and never on test."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from sleep_tune.errors import DataError, RunFolderError
from sleep_tune.experiment.experiment_file import Experiment, describe_experiment
from sleep_tune.experiment.run_folder import AVERAGED_MODEL, CONFIG, MODEL
from sleep_tune.experiment.search_state import MAIN
from sleep_tune.metric_names import AVERAGED, split_variant
from sleep_tune.results.comparable_losses import OBJECTIVE, is_loss
from sleep_tune.results.run_facts import flatten_section
from sleep_tune.results.trial_tables import parameter_columns, read_trials, repeated_runs

__all__ = ["Winner", "find_winner", "winner_of_run"]


@dataclass(frozen=True, slots=True)
class Winner:
    """The best arm."""

    arm: str
    run: Path
    """Folder of its best run on dev."""
    why: str
    """Reason, without a full stop."""
    sleep: Mapping[str, Any]
    """Section `sleep` of its configuration, nested, without options that are not set."""
    others: Mapping[str, Any]
    """Searched options of other sections, by dotted key."""
    base: Mapping[str, Any]
    """The study's base without sleep: choices of groups, and options by dotted key."""
    weights: str = MODEL
    """Folder of its weights, in that of the run: averaged ones where it was chosen by these."""

    @property
    def settings(self) -> dict[str, Any]:
        """The base and the best settings as overrides of a run: choices of groups, and options by dotted key."""
        return {**self.base, **flatten_section(self.sleep, "sleep."), **self.others}

    @property
    def model(self) -> Path:
        """Folder of its model."""
        return self.run / self.weights


def find_winner(folder: Path) -> Winner:
    """Return the arm with the best mean objective on dev over fresh seeds or, without finalists, the best trial.

    Where there was no search, the best of the study's arms, without the reference and matched controls.

    An arm that diverged at more seeds than another never wins against it, because its mean is over fewer survivors.
    The means of the others are over the seeds that all of them have, as some may have run for longer or lost a machine.

    Raises:
        RunFolderError: the folder holds no experiment, or the winner's configuration is missing or damaged.
        DataError: no run has been completed, or their objective is a loss that is not comparable between them.
    """
    table, experiment = read_trials(folder), describe_experiment(folder)
    done = table[(table["state"] == "completed") & table["repeats"].isna()]
    metric, lowest = experiment.objective, experiment.mode == "min"
    done = done[np.isfinite(done[metric])] if metric in done else done[:0]
    _require_one_objective(metric, done)
    repeated, role = _repeated(done, experiment)
    if not repeated.empty:
        diverged = table[(table["role"] == role) & (table["kind"] == "diverged")].groupby("arm").size()
        lost = {str(name): int(diverged.get(name, 0)) for name in repeated["arm"].unique()}
        least = repeated[repeated["arm"].map(lost) == min(lost.values())]
        shared = set.intersection(*(set(runs["seed"]) for _, runs in least.groupby("arm")))
        compared = least[least["seed"].isin(shared)] if shared else least
        means = compared.groupby("arm")[metric].mean().sort_values(ascending=lowest, kind="stable")
        arm, value = str(means.index[0]), float(means.iloc[0])
        runs = repeated[repeated["arm"] == arm]
        among = " of the arms that diverged least" if any(lost.values()) else ""
        number = int((compared["arm"] == arm).sum())
        why = f"{arm} has the best mean {metric} on dev{among}, {value:.4f} over {number} fresh seeds"
        why += " that all of them have" if shared and len(compared) < len(least) else ""
        why += "; no seed was run for all of them" if not shared else ""
        why += f"; {lost[arm]} more diverged" if lost[arm] else ""
    else:
        runs = done[done["study"] == MAIN]
        if runs.empty:
            raise DataError(
                f"{folder} must have a completed run of a finalist or an arm, or a completed trial of the search, with "
                f"a finite {metric}; none of its {len(table)} trials was"
            )
        runs = runs.sort_values(metric, ascending=lowest, kind="stable")[:1]
        arm, value = str(runs["trial"].iloc[0]), float(runs[metric].iloc[0])
        why = f"{arm} has the best {metric} of the search, {value:.4f}, under one seed: no finalist was repeated"
    best = runs.sort_values(metric, ascending=lowest, kind="stable").iloc[0]
    run = folder / "trials" / str(best["trial"])
    config = _config(run)
    columns = [key for key in parameter_columns(table) if role == "arm" or key in experiment.parameters]
    searched = {key: best[key] for key in columns}
    others = {key: _plain(value) for key, value in searched.items() if not key.startswith("sleep.") and pd.notna(value)}
    weights = AVERAGED_MODEL if AVERAGED in split_variant(metric)[0].split("/") else MODEL
    return Winner(arm, run, why, _without_nulls(config["sleep"]), others, _base(experiment), weights)


def winner_of_run(run: Path) -> Winner:
    """Return a run by itself, which nothing was compared with.

    Raises:
        RunFolderError: its configuration is missing or damaged.
    """
    config = _config(run)
    why = "the settings of one run, which was compared with no other"
    return Winner(run.resolve().name, run, why, _without_nulls(config["sleep"]), {}, {})


def _repeated(done: pd.DataFrame, experiment: Experiment) -> tuple[pd.DataFrame, str]:
    """Return the completed runs over fresh seeds that can win, and their role.

    These are finalists. Where there was no search: arms, without the reference and without matched controls.
    """
    runs = repeated_runs(done)
    arms = runs[(runs["role"] == "arm") & runs["matched"].isna() & (runs["arm"] != experiment.reference)]
    if (done["study"] == MAIN).any() or arms.empty:
        return runs[runs["role"] == "finalist"], "finalist"
    return arms, "arm"


def _require_one_objective(metric: str, runs: pd.DataFrame) -> None:
    """Refuse to choose by a loss among runs of several training objectives."""
    objectives = sorted(set(runs[OBJECTIVE].dropna())) if OBJECTIVE in runs else []
    if is_loss(metric) and len(objectives) > 1:
        raise DataError(
            f"the winner's {metric} must be comparable, but the runs have several values of {OBJECTIVE} "
            f"({', '.join(map(str, objectives))}): a study of these needs a score of test items as its objective, such "
            "as eval/pairs_accuracy or babylm2026/blimp_fast"
        )


def _config(run: Path) -> dict[str, Any]:
    path = run / CONFIG
    if not path.is_file():
        raise RunFolderError(f"{path} must hold the winner's configuration; it is missing")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RunFolderError(f"{path} is not YAML: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("sleep"), dict):
        raise RunFolderError(f"{path} must hold a run's configuration, with a section sleep")
    return config


def _base(experiment: Experiment) -> dict[str, Any]:
    """Return the base of all runs, without sleep and without searched parameters."""
    return {
        key: value
        for key, value in experiment.base.items()
        if key.split(".")[0] != "sleep" and key not in experiment.parameters and value is not None
    }


def _without_nulls(section: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if isinstance(value, Mapping) else value
        for key, value in section.items()
        if value is not None
    }


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
