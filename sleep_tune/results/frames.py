"""Tidy pandas frames of an experiment: one observation a row, with the same columns and types for every experiment.

docs/api.md explains each column with its unit.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from sleep_tune.results.report.importance import Importance
from sleep_tune.results.report.training_logs import TrainingLog

__all__ = ["COLUMNS", "importance_frame", "log_frame", "make_frame"]

TEXT, WHOLE, REAL = "object", "Int64", "float64"

RUN = {"arm": TEXT, "seed": WHOLE}

DIFFERENCE = {"difference": REAL, "low": REAL, "high": REAL, "error": REAL, "p": REAL, "p_holm": REAL}

COLUMNS: dict[str, dict[str, str]] = {
    "curves": {
        **{"trial": TEXT, "role": TEXT, "arm": TEXT, "seed": WHOLE, "attempt": WHOLE, "rung": WHOLE},
        **{"words_seen": WHOLE, "phase": TEXT, "cycle": WHOLE, "read_ratio": REAL, "seconds": REAL},
        **{"decision": TEXT, "metric": TEXT, "value": REAL},
    },
    "evaluations": {"split": TEXT, "rung": WHOLE, "words_seen": WHOLE, "metric": TEXT, "value": REAL},
    "looks": {
        **{"experiment": TEXT, "arm": TEXT, "metric": TEXT, "look": WHOLE, "seeds": WHOLE},
        **{**DIFFERENCE, "level": REAL, "decided": TEXT},
    },
    "gain": {
        **{"experiment": TEXT, "arm": TEXT, "metric": TEXT, "effect": TEXT, "plus": TEXT, "minus": TEXT},
        **{"seeds": WHOLE, "items": WHOLE, **DIFFERENCE, "tests": WHOLE, "diverged": WHOLE},
    },
    "paradigms": {
        **{"endpoint": TEXT, "arm": TEXT, "paradigm": TEXT, "items": WHOLE, "seeds": WHOLE},
        **{"score": REAL, "baseline_score": REAL, "chance": REAL, **DIFFERENCE},
    },
    "correlations": {"parameter": TEXT, "value": TEXT, "spearman": REAL, "low": REAL, "high": REAL, "trials": WHOLE},
    "importance": {"parameter": TEXT, "importance": REAL, "low": REAL, "high": REAL, "trials": WHOLE},
    "losses": {
        **RUN,
        **{"words_seen": WHOLE, "phase": TEXT, "cycle": WHOLE},
        **{"loss": REAL, "loss/wake": REAL, "loss/sleep": REAL, "learning_rate": REAL},
    },
    "phases": {**RUN, "words_seen": WHOLE, "phase": TEXT, "cycle": WHOLE, "learning_rate": REAL},
    "sleeps": {
        **RUN,
        **{"cycle": WHOLE, "words_seen": WHOLE, "buffer_size": WHOLE, "candidates": WHOLE, "words": WHOLE},
        **{"batches": WHOLE, "mean_score": REAL, "mean_age": REAL},
    },
    "sources": {**RUN, "cycle": WHOLE, "source": TEXT, "replayed": REAL, "corpus": REAL},
    "exposures": {**RUN, "times_seen": WHOLE, "samples": WHOLE, "share": REAL},
    "examples": {**RUN, "cycle": WHOLE, "age": WHOLE, "score": REAL, "times_seen": WHOLE, "text": TEXT},
}
"""Frame -> column -> type. The frames `trials`, `runs` and `comparison` are those of `trial_tables` and
`table_files.tidy`."""


def make_frame(name: str, rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as the frame of this name: its columns, in their order and of their types, even without a row.

    Args:
        name: a key of `COLUMNS`.
        rows: a column that they lack is missing everywhere; other columns are left out.
    """
    columns = COLUMNS[name]
    table = pd.DataFrame(rows).reindex(columns=list(columns)).reset_index(drop=True)
    return table.astype(columns)


def importance_frame(importances: Sequence[Importance]) -> pd.DataFrame:
    """Return a row per parameter, the most important first."""
    rows = [
        {"parameter": one.key, "importance": one.share, "low": one.low, "high": one.high, "trials": one.trials}
        for one in importances
    ]
    return make_frame("importance", rows)


def log_frame(name: str, runs: Mapping[str, Sequence[TrainingLog]]) -> pd.DataFrame:
    """Return a frame of the training logs of an experiment's runs.

    Args:
        name: losses, phases, sleeps, sources, exposures or examples.
        runs: arm -> the logs of its seeds.
    """
    made = [
        make_frame(name, _own_rows(name, log).assign(arm=arm, seed=log.seed))
        for arm, logs in runs.items()
        for log in logs
    ]
    return pd.concat([make_frame(name, []), *made], ignore_index=True)


def _own_rows(name: str, log: TrainingLog) -> pd.DataFrame:
    """Return one run's part of a frame, without arm and seed."""
    match name:
        case "sources":
            return pd.DataFrame(_sources(log))
        case "exposures":
            total = sum(log.exposures)
            counts = enumerate(log.exposures)
            return pd.DataFrame([{"times_seen": at, "samples": count, "share": count / total} for at, count in counts])
    table: pd.DataFrame = getattr(log, name)
    return table


def _sources(log: TrainingLog) -> Iterator[dict[str, Any]]:
    """Yield the share of each source in each sleep's buffer, and in the corpus."""
    for cycle, shares in zip(log.sleeps.get("cycle", ()), log.sources.to_dict("records"), strict=True):
        for source, share in shares.items():
            held = log.corpus.get(str(source), 0.0) if log.corpus else None
            yield {"cycle": cycle, "source": source, "replayed": share, "corpus": held}
