"""A synthetic experiment folder, written through the real records, for every test of this layer."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sleep_tune.experiment.event_log import parse_log
from sleep_tune.records import Event, Outcome
from sleep_tune.results.arms import Comparison
from tests.made import make_progress

BUDGET = 1_000_000
OPENED: dict[str, Any] = {"space": "replay", "budget_words": BUDGET, "corpus": {"words": 100_000, "samples": 1000}}


class SyntheticLog:
    """Writes trials.jsonl an event at a time, as a search would; time passes a second per event."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / "trials.jsonl"
        self.time = 1_000_000.0
        self.heads: dict[str, dict[str, Any]] = {}
        there = self.path.read_bytes() if self.path.exists() else b""
        self.writer = parse_log(self.path, there)[2]

    def event(self, name: str, trial: str | None = None, attempt: int | None = None, **data: Any) -> None:
        """Append any event."""
        if not self.writer.lines and name != "opened":
            self.event("opened", **OPENED)
        self.time += 1
        head = self.heads.get(trial, {}) if trial else {}
        event = Event(event=name, time=self.time, trial=trial, attempt=attempt, data=data, **head)
        with self.path.open("ab") as file:
            file.write(self.writer.line(event))

    def open(self, **space: Any) -> None:
        """The search opens: its description, and the log's first line; with `finalists`, the log holds the space."""
        named = {"name": "replay", "objective": {"metric": "eval/nll", "mode": "min"}} | space
        description = {"space": named, "base": {}, "corpus": OPENED["corpus"]}
        (self.folder / "experiment.yaml").write_text(yaml.safe_dump(description))
        study = {"study": named} if "finalists" in named else {}  # older versions did not log it
        self.event("opened", **OPENED | {"space": named["name"]} | study)

    def ask(self, trial: str, *, role: str = "search", arm: str | None = None, seed: int = 0, **more: Any) -> None:
        """A trial is asked for and started."""
        self.heads[trial] = {"role": role, "arm": arm or trial, "seed": seed}
        study = "search" if role == "search" else ""
        extra = {"matched": more["matched"]} if "matched" in more else {}
        self.event("asked", trial, study=study, number=0, parameters=more.get("parameters", {}), group="", **extra)
        self.event("started", trial, 1, after=None, gpus=more.get("gpus", 0.0))

    def rung(self, trial: str, rung: int, *, attempt: int = 1, decision: str = "continue", **metrics: float) -> None:
        """A rung's report and its decision; metrics by name without the prefix `eval/`."""
        named = {f"eval/{key}": value for key, value in metrics.items()}
        where = {"phase": "sleep", "cycle": 3, "fold": 3, "read_ratio": 0.4}
        progress = make_progress(rung - 100, BUDGET, seconds=rung / 10_000, rung=rung, metrics=named, **where)
        self.event("report", trial, attempt, rung=rung, value=metrics["nll"], progress=progress.to_json())
        self.event("rung", trial, attempt, rung=rung, value=metrics["nll"], decision=decision, reported=1, kept=1)

    def complete(self, trial: str, metrics: Mapping[str, float], *, attempt: int = 1, **more: Any) -> None:
        """A trial spends its budget."""
        values: dict[str, Any] = {"words_seen": BUDGET - 300, "updates": 250, "seconds": 36.0, "flops": 2e13}
        values |= {"device": "cpu"} | more
        outcome = Outcome(state="completed", metrics=metrics, **values)
        value = metrics["eval/nll"] if math.isfinite(metrics["eval/nll"]) else 0.0  # the search itself refuses others
        self.event("completed", trial, attempt, value=value, outcome=outcome.to_json())

    def run(self, arm: str, seed: int, nll: float, accuracy: float, *, role: str = "baseline", **more: Any) -> None:
        """A whole run of one arm over one seed; `matched` is the arm whose run it is matched to."""
        trial, parent = f"{arm}-s{seed}", more.pop("matched", None)
        matched = {} if parent is None else {"matched": f"{parent}-s{seed}"}
        self.ask(trial, role=role, arm=arm, seed=seed, parameters=more.pop("parameters", {}), **matched)
        metrics = {
            "eval/nll": nll - 0.01,
            "test/nll": nll,
            "test/pseudo_perplexity": 2.718281828**nll,
            "test/pairs_accuracy": accuracy,
            "test/pairs/agreement": accuracy - 0.05,
        } | more.pop("metrics", {})
        self.complete(trial, metrics, **more)


@pytest.fixture
def log(tmp_path: Path) -> SyntheticLog:
    """An empty experiment's log."""
    return SyntheticLog(tmp_path / "replay")


OUTCOMES = {
    "none yet": "No verdict",
    "one seed": "One seed ",
    "undecided": "No significant difference",
    "better": "Sleep beats ",
    "worse": "Sleep is worse than ",
    "mixed": "Sleep is not shown to beat ",
}
"""Outcome -> how the verdict on it begins."""


def outcome(comparison: Comparison) -> str:
    """Return what the verdict is."""
    return next(name for name, start in OUTCOMES.items() if comparison.verdict.startswith(start))


def has_note(comparison: Comparison, *parts: str) -> bool:
    """Whether exactly one note has all parts in it: names, numbers, and the words that make it what it is."""
    return sum(all(part in note for part in parts) for note in comparison.notes) == 1
