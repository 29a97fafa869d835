"""What runs say of themselves, as tests have them say it: any field may be given, the others have plain values."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sleep_tune.experiment.event_log import LineWriter
from sleep_tune.records import Event, Outcome, Progress

Line = dict[str, Any]


def make_progress(words: int, budget: int, **more: Any) -> Progress:
    """A report from the first pass of a run that has seen `words` of its budget."""
    parts: dict[str, Any] = {
        "words_seen": words,
        "budget_words": budget,
        "updates": words // 1000,
        "phase": "wake",
        "cycle": 0,
        "pass_index": 0,
        "fold": 0,
        "folds": 10,
        "read_ratio": 0.5,
        "seconds": words / 1000,
    }
    return Progress(**(parts | more))


def make_outcome(state: str = "completed", **more: Any) -> Outcome:
    """How a run ended on a CPU, after a second."""
    parts: dict[str, Any] = {"words_seen": 1000, "updates": 1, "seconds": 1.0, "flops": 0.0, "device": "cpu"}
    return Outcome(state=state, **(parts | more))


def write_log(path: Path, events: Iterable[Event]) -> None:
    """Write a whole event log, as a search does."""
    writer = LineWriter()
    path.write_bytes(b"".join(map(writer.line, events)))


def make_old(path: Path, change: Callable[[list[Line]], Any] = lambda lines: None) -> None:
    """Make a log one of schema 1, whose lines have neither number nor checksum.

    Args:
        path: of the log.
        change: what else is changed in its lines' objects.
    """
    lines: list[Line] = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        line["schema"] = 1
        for key in ("number", "sha256"):
            line.pop(key, None)
    change(lines)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
