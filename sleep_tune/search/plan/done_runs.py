"""Runs of a search that have ended already, read from its folder for a plan; nothing is written or locked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.experiment_file import EXPERIMENT
from sleep_tune.experiment.search_state import MAIN, SearchState, TrialState
from sleep_tune.folder_lock import LOCK, read_holder
from sleep_tune.search.decide.current_space import CurrentSpace
from sleep_tune.search.decide.experiment_identity import (
    check_reserve,
    check_same_study,
    check_trials,
    find_space_changes,
)
from sleep_tune.search.space.search_space import CorpusSummary, Space
from sleep_tune.search.space.space_json import finalists_from_json

__all__ = ["FINALISTS", "TUNING", "DoneRuns", "read_done"]

FINALISTS = "finalists"
"""Name of the part of a plan with the runs of all finalists."""

TUNING = "tuning of "
"""Beginning of the name of the part that tunes a baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneRuns:
    """What a search has done so far."""

    ended: Mapping[str, int]
    """Part of the plan ('search', 'baseline epochs', ...) -> runs that have ended, failed ones included."""
    open: int
    """Runs that have begun and not ended, and resume from their last checkpoints; none that has paused at a rung."""
    is_over: bool
    """Whether nothing is left to do."""
    changes: tuple[str, ...]
    """How the space differs from that of the last session."""
    warmed: tuple[str, ...]
    """Earlier experiments whose trials it has already taken over for this space."""
    looks: tuple[int, ...]
    """Numbers of seeds that were planned when the first run over fresh seeds began; empty before it."""
    process: int | None
    """The process of this machine that runs the search now."""


def read_done(folder: Path, space: Space, base: RunConfig, corpus: CorpusSummary) -> DoneRuns | None:
    """Return what the search in a folder has done; None if there is none.

    Args:
        folder: results/<name>.
        space: the current space.
        base: what `space.base` composes to.
        corpus: read by every trial.

    Raises:
        RunFolderError: what the search itself would refuse: the folder holds another study, or its log or its runs
            are damaged.
    """
    if not (folder / EXPERIMENT).exists() and not (folder / LOG).exists():
        check_trials(folder, ())
        return None
    then = check_same_study(folder, space, base, corpus)
    state = SearchState(mode=space.objective.mode, placement=CurrentSpace(space, base))
    looks: tuple[int, ...] = ()
    for event in read_events(folder / LOG) if (folder / LOG).exists() else ():
        state.apply(event)
        if state.versions and not looks:
            looks = _looks(state.space or then.space)
    check_trials(folder, state.trials)
    changes = find_space_changes(state.space or then.space, space) if state.sessions else []
    check_reserve(folder, state, changes)
    holder = read_holder(folder / LOCK)
    return DoneRuns(
        ended=Counter(_part(trial) for trial in state.trials.values() if trial.ended and trial.source is None),
        open=sum(trial.state in ("running", "waiting") and trial.attempt > 0 for trial in state.trials.values()),
        is_over=state.finished and not any(not change.key.startswith("resources.") for change in changes),
        changes=tuple(map(str, changes)),
        warmed=() if changes else tuple(state.warmed),
        looks=looks,
        process=holder.process if holder is not None and holder.is_here and holder.is_alive else None,
    )


def _looks(space: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the planned looks of a space as JSON; none where one of an earlier version does not state them."""
    finalists = space.get("finalists") or {}
    return finalists_from_json(finalists).looks if "seeds" in finalists else ()


def _part(trial: TrialState) -> str:
    """Return the part of the plan that a trial belongs to (`Part.name`)."""
    if trial.role == "finalist":
        return FINALISTS
    if trial.role == "arm":
        return f"{'arm' if trial.matched is None else 'control'} {trial.arm}"
    if trial.role == "baseline" and not trial.study:
        return f"baseline {trial.arm}"
    return "search" if trial.study == MAIN else f"{TUNING}{trial.study}"
