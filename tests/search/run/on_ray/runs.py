"""Checks of a run's folder while processes are killed, and the same run undisturbed."""

import contextlib
import json
from pathlib import Path

from sleep_tune.experiment.run_folder import read_config
from sleep_tune.records import Decision

__all__ = ["Watch", "losses", "train_again"]


class Watch:
    """Checks that the record of a resumed run never loses lines that its checkpoint had."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.kept = 0

    def look(self) -> bool:
        """Note the latest complete checkpoint; the record never shrinks below it. True once there is one."""
        record = self.run / "metrics.jsonl"
        size = record.stat().st_size if record.exists() else 0
        assert size >= self.kept, f"{self.run.name} began anew: {size} bytes of its record, {self.kept} were kept"
        for marker in self.run.glob("attempt-*/checkpoint-*/complete.json"):
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):  # removed once a later one is complete
                self.kept = max(self.kept, json.loads(marker.read_text())["files"]["metrics.jsonl"]["bytes"])
        return self.kept > 0


def losses(run: Path) -> list[tuple[int, float]]:
    """(updates, loss) of every line of a run's record."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["updates"], line["loss"]) for line in lines if line["kind"] == "train"]


def train_again(run: Path, folder: Path, **options: object) -> None:
    """Train a run's configuration in this process, without any search, into another folder."""
    from sleep_tune.training.run import train

    config = read_config(run)
    config.run.dir = str(folder)
    for name, value in options.items():
        setattr(config.training, name, value)
    train(config, lambda progress: Decision.CONTINUE)
