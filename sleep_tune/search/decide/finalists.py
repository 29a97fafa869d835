"""Runs over fresh seeds: every baseline and arm, and the finalists, which are the best configurations of the search.

A control (`matched`) has the exposures of another run, its parent, and is due when that run has ended. With several
looks, runs are due up to the number of seeds of the next look (`look_schedule`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice

from sleep_tune.experiment.search_state import MAIN, SearchState
from sleep_tune.experiment.trial_state import TrialState, Value, version_key
from sleep_tune.search.decide.look_schedule import LookSchedule
from sleep_tune.search.space.arm_settings import arm_settings, found_first
from sleep_tune.search.space.search_space import BEST, Space

__all__ = [
    "DRAWN",
    "FIRST_SEED",
    "Repeat",
    "due_repeats",
    "fresh_seeds",
    "look_schedule",
    "seeds_source",
    "why_dropped",
]

DRAWN = range(100_000, 1_000_000)
"""Range of fresh seeds: six digits, so that a seed chosen by hand is unlikely to be among them."""

FIRST_SEED = 1000
"""First fresh seed, plus the search's own seed, in logs without a source; two such studies share most seeds."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """One configuration under one fresh seed; `arm` is the name of a baseline or an arm, or a search trial's id."""

    id: str
    role: str
    arm: str
    seed: int
    parameters: dict[str, Value]
    matched: str | None = None
    """The run whose exposures it has."""


def seeds_source(space: Space) -> str:
    """Return what a study's fresh seeds are drawn from: a digest of its name, its base and its search's seed.

    It is logged when a search opens, so that the study keeps its seeds under later versions.
    """
    study = [space.name, dict(space.base), space.search.seed]
    return hashlib.sha256(json.dumps(study, sort_keys=True).encode()).hexdigest()[:16]


def fresh_seeds(space: Space, source: str | None, taken: int) -> tuple[int, ...]:
    """Return the fresh seeds, which all arms and finalists share. A larger number begins with the same seeds.

    Two studies have different seeds, so that one can replicate the other; `finalists.first_seed` lets them share.

    Args:
        space: has the largest number of seeds, and the first one if the user chose it.
        source: what they are drawn from; None in a log that an earlier version opened, which keeps its rule.
        taken: the seed of the search's own runs, on which settings were chosen: never among them.
    """
    first = space.finalists.first_seed
    if first is None and source is not None:
        candidates = _drawn(source)
    else:
        candidates = count(FIRST_SEED + space.search.seed if first is None else first)
    return tuple(islice((seed for seed in candidates if seed != taken), space.finalists.most_seeds))


def _drawn(source: str) -> Iterator[int]:
    """Yield different seeds, each from its own hash: numbers of a library's generator may change with its version."""
    seen: set[int] = set()
    for number in count():
        digest = hashlib.sha256(f"{source} {number}".encode()).digest()
        seed = DRAWN[int.from_bytes(digest[:8]) % len(DRAWN)]
        if seed not in seen:
            seen.add(seed)
            yield seed


@dataclass(frozen=True, slots=True)
class _DueArm:
    """An arm whose settings are known, and which may be trained over fresh seeds."""

    role: str
    name: str
    settings: dict[str, Value]


def due_repeats(space: Space, state: SearchState, seeds: tuple[int, ...]) -> list[Repeat]:
    """Return the runs over fresh seeds that may start by now, in order, including those that have started.

    Baselines and arms fill the slots while the search's last trials run. One that needs what a search finds waits for
    it. Finalists are the best of the search, once all of it has ended: all seeds of one, then the next. Controls are
    last: each run as soon as its parent has ended, unless a bug ended that, which the next session starts again.
    """
    if state.study(MAIN).ended is None:
        return []
    found = _found_settings(space, state)
    arms = _due_arms(space, state, found)
    looks = _schedule(space, state, arms)
    due: dict[str, list[Repeat]] = {
        key: _over_seeds(state, arm.role, arm.name, arm.settings, seeds[: looks.count_seeds(arm.name)])
        for key, arm in arms.items()
    }
    for name, arm in space.arms.items():
        settings = arm_settings(space, name, found)
        if settings is not None and arm.matched in due:
            due[name] = list(_controls(state, name, settings, due[arm.matched]))
    return [repeat for repeats in due.values() for repeat in repeats]


def look_schedule(space: Space, state: SearchState) -> LookSchedule:
    """Return the looks at the arms that may be trained over fresh seeds by now, controls apart: they are not judged."""
    return _schedule(space, state, _due_arms(space, state, _found_settings(space, state)))


def _schedule(space: Space, state: SearchState, arms: Mapping[str, _DueArm]) -> LookSchedule:
    taken = {arm.name: state.evidence.get(arm.name, {}).get(version_key(arm.settings), {}) for arm in arms.values()}
    return LookSchedule(space.finalists.looks, taken)


def _due_arms(space: Space, state: SearchState, found: dict[str, dict[str, Value]]) -> dict[str, _DueArm]:
    """Return every baseline, arm and finalist that may start by now, by its name; the best finalist as `BEST`.

    The search must have ended, though trials of it may be running.
    """
    due = {}
    for name in (*space.baselines, *space.arms):
        settings = _settings(space, name, found)
        if settings is not None and (name in space.baselines or space.arms[name].matched is None):
            due[name] = _DueArm("arm" if name in space.arms else "baseline", name, settings)
    if state.is_over(MAIN):
        for place, trial in enumerate(islice(state.ranking(MAIN), space.finalists.count)):
            due[trial.id if place else BEST] = _DueArm("finalist", trial.id, trial.parameters)
    return due


def why_dropped(space: Space, state: SearchState, run: TrialState) -> str | None:
    """Return why the space has no use for a run any more: its arm is gone, or has other settings; None otherwise.

    A run that waits for its next attempt may be the one whose settings ended the last session.
    """
    if run.role not in ("baseline", "arm"):
        return None
    if run.arm not in space.baselines and run.arm not in space.arms:
        return f"the study has no arm {run.arm} any more"
    found = _found_settings(space, state)
    settings, parent = _settings(space, run.arm, found), None
    if run.arm in space.arms and (parent := space.arms[run.arm].matched) == BEST and BEST in found:
        parent = next(state.ranking(MAIN)).id
    if settings is None or version_key(settings, parent) == state.version(run):
        return None
    return f"{run.arm} has other settings by now"


def _settings(space: Space, name: str, found: dict[str, dict[str, Value]]) -> dict[str, Value] | None:
    """Return what the runs of a baseline or an arm are asked for with; None while a search has not found it."""
    if name in space.arms:
        return arm_settings(space, name, found)
    first = found_first(space, name)
    return {} if first is None else found.get(first)


def _found_settings(space: Space, state: SearchState) -> dict[str, dict[str, Value]]:
    """Return the settings that the searches which are over have found: of the best trial, and of tuned baselines."""
    found: dict[str, dict[str, Value]] = {}
    for name, baseline in space.baselines.items():
        if baseline.trials is not None and state.is_over(name):
            tuned = next(state.ranking(name), None)
            found[name] = tuned.parameters if tuned is not None else {}
    if state.is_over(MAIN):
        best = next(state.ranking(MAIN), None)
        if best is not None:
            found[BEST] = best.parameters
    return found


def _over_seeds(
    state: SearchState, role: str, arm: str, parameters: dict[str, Value], seeds: tuple[int, ...]
) -> list[Repeat]:
    """Return one run for each seed."""
    name = _versioned(state, arm, version_key(parameters))
    ids = seeds if state.seeds_source is not None else range(1, len(seeds) + 1)  # earlier versions numbered them
    return [Repeat(f"{name}-s{of}", role, arm, seed, dict(parameters)) for of, seed in zip(ids, seeds, strict=True)]


def _controls(
    state: SearchState, arm: str, parameters: dict[str, Value], parents: Sequence[Repeat]
) -> Iterator[Repeat]:
    """Yield a control's runs whose parents have ended for good."""
    for parent in parents:
        run = state.trials.get(parent.id)
        if run is not None and run.ended and run.kind != "bug":
            name = _versioned(state, arm, version_key(parameters, run.arm))
            of = parent.id.rpartition("-s")[2]
            yield Repeat(f"{name}-s{of}", "arm", arm, run.seed, dict(parameters), matched=run.id)


def _versioned(state: SearchState, arm: str, key: str) -> str:
    """Return what an arm's runs are called: one that has other settings than before has runs of a new name."""
    earlier = state.arms.get(arm, [])
    version = (earlier.index(key) if key in earlier else len(earlier)) + 1
    return arm if version == 1 else f"{arm}-v{version}"
