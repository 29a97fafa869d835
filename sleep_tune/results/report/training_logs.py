"""The training logs of an experiment's runs (metrics.jsonl) as tables: losses, evaluations, and what sleeps replayed.

The log of a run that is still training, or was killed, is read as far as it goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from sleep_tune.errors import DataError
from sleep_tune.experiment.run_folder import METRICS
from sleep_tune.experiment.run_journal import read_journal_lines
from sleep_tune.results.trial_tables import read_trials, repeated_runs

__all__ = ["TrainingLog", "TrainingLogs", "read_training_log", "read_training_logs"]

LOSSES = ("words_seen", "phase", "cycle", "loss", "loss/wake", "loss/sleep", "learning_rate")
PHASES = ("words_seen", "phase", "cycle", "learning_rate")
EXAMPLES = ("cycle", "age", "score", "times_seen", "text")
NESTED = ("sources", "exposures", "examples", "corpus", "kind")


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """One run's training log."""

    losses: pd.DataFrame
    """A row per line of losses; columns as `LOSSES`."""
    evaluations: pd.DataFrame
    """A row per evaluation: words_seen, split, rung, and the metrics by their names."""
    sleeps: pd.DataFrame
    """A row per sleep: cycle, words_seen (at its end), buffer_size, candidates, words, mean_score, mean_age."""
    sources: pd.DataFrame
    """A row per sleep, a column per source: its share of the buffer, in [0, 1]."""
    exposures: tuple[int, ...]
    """Entry i: number of samples seen i times by the end of the last sleep; the last entry: seen so often or more."""
    examples: pd.DataFrame
    """A row per sample of a buffer that was logged with its text; columns as `EXAMPLES`. Older runs logged none."""
    corpus: Mapping[str, float] = field(default_factory=dict)
    """Source -> share of the corpus's samples that come from it; empty for older runs, which did not log it."""
    phases: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(PHASES)))
    """A row per fold read awake and per sleep, with its mean learning rate; columns as `PHASES`, words_seen at its end.
    Of older runs, a row for each of these in which losses were logged."""
    seed: int | None = None
    """The run's seed, where the experiment's event log names it."""

    @property
    def replayed(self) -> "pd.Series[float]":
        """Share of each source in all that was replayed: the shares in the buffers, weighted by the words replayed."""
        weights = self.sleeps["words"].fillna(0.0).to_numpy(float)
        total = float(weights.sum())
        return (self.sources.mul(weights, axis=0).sum() / total) if total else self.sources.mean()

    @property
    def source_balance(self) -> pd.DataFrame:
        """A row per source, the largest first: its share of the corpus, of all that was replayed, and their ratio.

        Empty where nothing was replayed, or the run did not log its corpus. Columns: corpus, replayed, ratio.
        """
        held = pd.Series(self.corpus if len(self.sources) else {}, dtype="float64")
        held = held[held > 0].sort_values(ascending=False, kind="stable")
        replayed = self.replayed.reindex(held.index).fillna(0.0) if len(held) else held
        return pd.DataFrame({"corpus": held, "replayed": replayed, "ratio": replayed / held})


@dataclass(frozen=True, slots=True)
class TrainingLogs:
    """The training logs of an experiment's runs over fresh seeds."""

    runs: dict[str, list[TrainingLog]]
    """Arm -> the logs of its seeds, in their order."""
    problems: tuple[str, ...] = ()
    """A sentence for each file that could not be read."""


def read_training_log(run: Path) -> TrainingLog | None:
    """Return the training log in a run's folder, without a last line torn by a kill; None if there is none yet.

    Raises:
        DataError: a line is not as a run writes it; the message names it.
    """
    path = run / METRICS
    if not path.is_file():
        return None
    lines = list(read_journal_lines(path))
    losses = [line for line in lines if line.get("kind") == "train"]
    evaluations = [line | dict(line.get("metrics", {})) for line in lines if line.get("kind") == "eval"]
    sleeps = _sleeps(lines)
    phases = [line for line in lines if line.get("kind") == "phase"]
    return TrainingLog(
        losses=pd.DataFrame(losses, columns=list(LOSSES)),
        evaluations=pd.DataFrame(evaluations).drop(columns=["metrics", "kind"], errors="ignore"),
        sleeps=pd.DataFrame(sleeps).drop(columns=list(NESTED), errors="ignore"),
        sources=pd.DataFrame([sleep["sources"] for sleep in sleeps]).fillna(0.0),
        exposures=tuple(sleeps[-1]["exposures"]) if sleeps else (),
        examples=pd.DataFrame(
            [{"cycle": sleep["cycle"]} | one for sleep in sleeps for one in sleep.get("examples") or ()],
            columns=list(EXAMPLES),
        ),
        corpus=next((sleep["corpus"] for sleep in sleeps if "corpus" in sleep), {}),
        phases=pd.DataFrame(phases, columns=list(PHASES)) if phases else _phases_of_losses(losses),
    )


def read_training_logs(folder: Path, trials: pd.DataFrame | None = None) -> TrainingLogs:
    """Return the logs of an experiment's runs over fresh seeds; one that cannot be read is named as a problem.

    Args:
        folder: of the experiment.
        trials: its table of trials, if it has been read already.

    Raises:
        RunFolderError: the folder holds no experiment, or a line of its event log is not as it was written.
    """
    trials = read_trials(folder) if trials is None else trials
    repeated = repeated_runs(trials)
    runs: dict[str, list[TrainingLog]] = {}
    problems = []
    for arm, trial, seed in zip(repeated["arm"], repeated["trial"], repeated["seed"], strict=True):
        try:
            log = read_training_log(folder / "trials" / str(trial))
        except DataError as error:
            problems.append(f"Left out: {error}.")
            continue
        if log is not None:
            runs.setdefault(str(arm), []).append(replace(log, seed=int(seed)))
    return TrainingLogs(runs, tuple(problems))


def _phases_of_losses(lines: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the phases of a run that logged none: of each, the last words and the mean rate of its lines of losses."""
    table = pd.DataFrame(lines, columns=list(PHASES)).dropna()
    kept = {"words_seen": "last", "learning_rate": "mean"}
    return table.groupby(["cycle", "phase"], sort=False, as_index=False).agg(kept)[list(PHASES)]


def _sleeps(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of sleeps, each with the words seen of the first line of losses after it."""
    found: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for line in lines:
        if line.get("kind") == "sleep":
            waiting.append(line)
        elif line.get("kind") == "train":
            found += [sleep | {"words_seen": line["words_seen"]} for sleep in waiting]
            waiting.clear()
    last = max((line["words_seen"] for line in lines if "words_seen" in line), default=0)
    return found + [sleep | {"words_seen": last} for sleep in waiting]
