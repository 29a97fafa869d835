"""What a run wrote of its own course, metrics.jsonl, as tables: losses by words seen, and what each sleep replayed.

A run that is still going, or was killed, gives what it has written. Knows no figures.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sleep_tune.errors import DataError
from sleep_tune.experiment.run_journal import read_journal_lines
from sleep_tune.results.trial_tables import read_trials

__all__ = ["Journal", "Journals", "read_journal", "read_journals"]

LOSSES = ("words_seen", "phase", "cycle", "loss", "loss/wake", "loss/sleep", "learning_rate")
EXAMPLES = ("cycle", "age", "score", "times_seen", "text")
NESTED = ("sources", "exposures", "examples", "kind")


@dataclass(frozen=True, slots=True)
class Journal:
    """One run's course."""

    losses: pd.DataFrame
    """A row for each line of losses; columns as `LOSSES`."""
    evaluations: pd.DataFrame
    """A row for each evaluation: words_seen, split, and the metrics by their names."""
    sleeps: pd.DataFrame
    """A row for each sleep: cycle, words_seen (at its end), buffer_size, candidates, words, mean_score, mean_age."""
    sources: pd.DataFrame
    """A row for each sleep, a column for each source: its share of the buffer."""
    exposures: tuple[int, ...]
    """Samples by how often they had been seen after the last sleep; the last count is of all that were seen more."""
    examples: pd.DataFrame
    """A row for each sample of a buffer that was kept as text; columns as `EXAMPLES`. Older runs kept none."""


@dataclass(frozen=True, slots=True)
class Journals:
    """The journals of an experiment."""

    runs: dict[str, list[Journal]]
    """Arm -> one for each seed that has any, in their order."""
    problems: tuple[str, ...] = ()
    """What could not be read, file by file."""


def read_journal(run: Path) -> Journal | None:
    """The journal in a run's folder, without a last line torn by a kill; None where there is none yet.

    Raises:
        DataError: a line is none of a journal; the message names it.
    """
    path = run / "metrics.jsonl"
    if not path.is_file():
        return None
    return _journal(list(read_journal_lines(path)))


def _journal(lines: list[dict[str, Any]]) -> Journal:
    losses = [line for line in lines if line.get("kind") == "train"]
    evaluations = [line | dict(line.get("metrics", {})) for line in lines if line.get("kind") == "eval"]
    sleeps = list(_sleeps(lines))
    return Journal(
        losses=pd.DataFrame(losses, columns=list(LOSSES)),
        evaluations=pd.DataFrame(evaluations).drop(columns=["metrics", "kind"], errors="ignore"),
        sleeps=pd.DataFrame(sleeps).drop(columns=list(NESTED), errors="ignore"),
        sources=pd.DataFrame([sleep["sources"] for sleep in sleeps]).fillna(0.0),
        exposures=tuple(sleeps[-1]["exposures"]) if sleeps else (),
        examples=pd.DataFrame(
            [{"cycle": sleep["cycle"]} | one for sleep in sleeps for one in sleep.get("examples") or ()],
            columns=list(EXAMPLES),
        ),
    )


def read_journals(folder: Path, table: pd.DataFrame | None = None) -> Journals:
    """The journals of an experiment's runs over fresh seeds; one that cannot be read is told among the problems.

    Args:
        folder: of the experiment.
        table: its trials, if they have been read already.

    Raises:
        RunFolderError: the folder holds no experiment.
        DataError: a line of its log is no event.
    """
    table = read_trials(folder) if table is None else table
    repeated = table[table["role"].isin(["baseline", "finalist"]) & (table["study"] == "")]
    runs: dict[str, list[Journal]] = {}
    problems = []
    for arm, trial in zip(repeated["arm"], repeated["trial"], strict=True):
        try:
            journal = read_journal(folder / "trials" / str(trial))
        except DataError as error:
            problems.append(f"Left out: {error}.")
            continue
        if journal is not None:
            runs.setdefault(str(arm), []).append(journal)
    return Journals(runs, tuple(problems))


def _sleeps(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sleeps with the words seen by the line of losses that follows each."""
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
