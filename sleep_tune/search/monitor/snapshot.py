"""Snapshot of a search, read from its folder: the state from the event log, and the progress of running trials.

It takes no lock, starts nothing and writes nothing; the search may be running, ended or killed. It imports no sampler
and no Ray, so that it is fast.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from sleep_tune.config.yaml_file import read_yaml
from sleep_tune.errors import RunFolderError, UserError
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.run_folder import CONFIG, METRICS
from sleep_tune.experiment.run_journal import find_mistake
from sleep_tune.experiment.search_state import SearchState
from sleep_tune.records import Progress
from sleep_tune.search.decide.experiment_identity import ExperimentIdentity
from sleep_tune.search.decide.search_view import SearchView
from sleep_tune.search.space.search_space import Baseline, Objective, Scheduler, Space, Stop
from sleep_tune.search.space.space_json import arm_from_json, finalists_from_json, parameters_from_json

__all__ = ["Recorded", "read_progress", "read_recorded"]

TAIL_BYTES = 65_536
"""Read from the end of a run's journal: dozens of lines."""

PLACED = ("train", "eval")
"""Kinds of lines that hold the run's progress."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded(SearchView):
    """View of a search that was read from its folder."""

    space: Space
    state: SearchState
    is_driven: bool
    """Whether a process runs it, or may run it."""
    silent: float
    """Seconds since its last event."""
    slots: int
    """Most trials that ran at a time in the last session."""
    held: str | None

    def seconds(self) -> float:
        """Return the wall clock over all sessions; if no process runs the search, up to its last event."""
        return self.state.seconds(self.state.last_event + (self.silent if self.is_driven else 0.0))


def read_recorded(folder: Path, *, is_driven: bool, silent: float = 0.0) -> Recorded:
    """Read an experiment's folder.

    Args:
        folder: results/<name>.
        is_driven: whether a process runs the search; if none does, its running trials are shown as waiting.
        silent: seconds since its last event.

    Raises:
        RunFolderError: it holds no search, or one that cannot be read.
    """
    events = read_events(folder / LOG)
    stored = next(
        (event.data["study"] for event in events if event.data.get("study") and event.event == "opened"), None
    )
    space = _space(stored or ExperimentIdentity(folder).space, folder)
    state = SearchState(mode=space.objective.mode)
    slots, budget = 1, 0
    for event in events:
        state.apply(event)
        if event.event in ("opened", "resumed"):
            slots, budget = 1, int(event.data.get("budget_words", budget))
        slots = max(slots, state.num_running())
    for trial in state.trials.values():
        if trial.state != "running":
            continue
        at = read_progress(folder / "trials" / trial.id, budget)
        if at is not None and (trial.progress is None or at.words_seen >= trial.progress.words_seen):
            trial.progress = at
        if not is_driven:
            trial.state = "waiting"
    last = events[-1] if events and events[-1].event == "paused" else None
    # A trial that paused at a rung says nothing about the search.
    is_held = last is not None and state.trials[last.trial or ""].state == "waiting" and not state.num_running()
    return Recorded(
        space=space if state.space is None else _space(state.space, folder),
        state=state,
        is_driven=is_driven,
        silent=silent,
        slots=slots,
        held=last.data.get("reason") if is_driven and is_held and last is not None else None,
    )


def read_progress(run: Path, budget_words: int) -> Progress | None:
    """Return a run's progress by the last line of its journal; None if there is no line or it cannot be read.

    Args:
        run: the run's folder, with metrics.jsonl.
        budget_words: words that it may see in all.
    """
    lines = [line for line in map(_parse, reversed(_tail(run / METRICS))) if line.get("kind") in PLACED]
    losses = [line["loss"] for line in lines if "loss" in line]
    places = ("words_seen", "updates", "phase", "cycle", "pass_index", "fold", "read_ratio", "seconds")
    if not lines or not all(key in lines[0] for key in places):
        return None
    return Progress(
        **{key: lines[0][key] for key in places},
        budget_words=budget_words,
        **_kind(run),
        metrics={"loss": losses[0]} if losses else {},
    )


def _parse(line: bytes) -> dict[str, Any]:
    """Return a line's object; empty for a line that is incomplete, damaged or of another version."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) and find_mistake(values) is None else {}


def _tail(path: Path) -> list[bytes]:
    """Return the last lines of a file, the first of them perhaps incomplete; none if there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read().splitlines()
    except OSError:
        return []


def _kind(run: Path) -> dict[str, Any]:
    """Return the folds of a pass (0 if they are not known) and the kind of a control, by the run's configuration."""
    try:
        sleep = read_yaml(run / CONFIG)["sleep"]
        control = "matched" if sleep.get("matched") else "interleaved" if sleep.get("interleave") else ""
        return {"folds": int(sleep["folds"]), "control": control}
    except (OSError, UserError, KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return {"folds": 0}


def _space(stored: Mapping[str, Any], folder: Path) -> Space:
    """Return the parts of the space that are shown, from its JSON.

    Raises:
        RunFolderError: it cannot be read.
    """
    try:
        return Space(
            name=str(stored["name"]),
            objective=_section(Objective, stored["objective"]),
            parameters=parameters_from_json(stored["parameters"]),
            scheduler=_section(Scheduler, stored["scheduler"]),
            stop=_section(Stop, stored["stop"]),
            baselines={name: _section(Baseline, baseline) for name, baseline in stored["baselines"].items()},
            arms={name: arm_from_json(arm) for name, arm in stored.get("arms", {}).items()},
            finalists=finalists_from_json(stored["finalists"]),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise RunFolderError(f"{folder} cannot be read as a search's ({error!r})") from error


def _section(kind: type[T], stored: Mapping[str, Any]) -> T:
    """Return a section of the space; keys of other versions are ignored."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(
        **{key: tuple(value) if isinstance(value, list) else value for key, value in stored.items() if key in known}
    )
