"""A synthetic experiment folder, written through the real records, for every test of this layer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sleep_tune.files import append_json_line
from sleep_tune.records import Event, Outcome
from tests.made import make_progress

BUDGET = 1_000_000


class SyntheticLog:
    """Writes trials.jsonl an event at a time, as a search would; time passes a second per event."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / "trials.jsonl"
        self.time = 1_000_000.0
        self.heads: dict[str, dict[str, Any]] = {}

    def event(self, name: str, trial: str | None = None, attempt: int | None = None, **data: Any) -> None:
        """Append any event."""
        self.time += 1
        head = self.heads.get(trial, {}) if trial else {}
        event = Event(event=name, time=self.time, trial=trial, attempt=attempt, data=data, **head)
        append_json_line(self.path, event.to_json())

    def open(self, **space: Any) -> None:
        """The search opens: its description, and the log's first line."""
        named = {"name": "replay", "objective": {"metric": "eval/nll", "mode": "min"}} | space
        corpus = {"words": 100_000, "samples": 1000}
        description = {"space": named, "base": {}, "corpus": corpus}
        (self.folder / "experiment.yaml").write_text(yaml.safe_dump(description))
        self.event("opened", space=named["name"], budget_words=BUDGET, corpus=corpus)

    def ask(self, trial: str, *, role: str = "search", arm: str | None = None, seed: int = 0, **more: Any) -> None:
        """A trial is asked for and started."""
        self.heads[trial] = {"role": role, "arm": arm or trial, "seed": seed}
        study = "search" if role == "search" else ""
        self.event("asked", trial, study=study, number=0, parameters=more.get("parameters", {}), group="")
        self.event("started", trial, 1, after=None, gpus=more.get("gpus", 0.0))

    def rung(self, trial: str, rung: int, *, attempt: int = 1, decision: str = "continue", **metrics: float) -> None:
        """A rung's report and its decision; metrics by name without the prefix `eval/`."""
        named = {f"eval/{key}": value for key, value in metrics.items()}
        where = {"phase": "sleep", "cycle": 3, "fold": 3, "read_ratio": 0.4}
        progress = make_progress(rung - 100, BUDGET, seconds=rung / 10_000, rung=rung, metrics=named, **where)
        self.event("report", trial, attempt, rung=rung, value=metrics["nll"], progress=progress.to_json())
        self.event("rung", trial, attempt, rung=rung, value=metrics["nll"], decision=decision)

    def complete(self, trial: str, metrics: Mapping[str, float], *, attempt: int = 1, **more: Any) -> None:
        """A trial spends its budget."""
        values: dict[str, Any] = {"words_seen": BUDGET - 300, "updates": 250, "seconds": 36.0, "flops": 2e13}
        values |= {"device": "cpu"} | more
        outcome = Outcome(state="completed", metrics=metrics, **values)
        self.event("completed", trial, attempt, value=metrics["eval/nll"], outcome=outcome.to_json())

    def run(self, arm: str, seed: int, nll: float, accuracy: float, *, role: str = "baseline", **more: Any) -> None:
        """A whole run of one arm over one seed."""
        trial = f"{arm}-s{seed}"
        self.ask(trial, role=role, arm=arm, seed=seed, parameters=more.pop("parameters", {}))
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
