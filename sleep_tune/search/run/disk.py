"""Disk space of a search: which models are kept, the experiment's limit, and pauses while the disk is nearly full.

Only models, and the checkpoints of trials that have ended, are removed; metrics never are. The size of an ended trial
is measured once.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.size import checkpoint_bytes, model_bytes, needed_bytes
from sleep_tune.config.tree import from_dict
from sleep_tune.experiment.run_folder import WEIGHTS, remove_weights
from sleep_tune.experiment.search_state import MAIN, TrialState
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.experiment_identity import ExperimentIdentity
from sleep_tune.search.space.arm_settings import arm_settings
from sleep_tune.search.space.settings import list_settings
from sleep_tune.search.space.trial_configs import with_settings

__all__ = ["PATIENCE", "RESERVE", "RESUMABLE", "DiskWatch"]

RESERVE = 256 * 2**20
"""Bytes that stay free for logs, tables and other users of the disk."""
PATIENCE = 0.1
"""Seconds that one check of the disk may take."""
MARGIN = 1.1
"""A paused search resumes when this factor of the needed space is free, so that it does not pause again at once."""
SIZED_BY = ("model.", "tokenizer.vocab_size", "data.max_length", "training.optimizer", "training.ema")
"""Prefixes of the options on which the size of a run's files depends."""
RESUMABLE = ("infrastructure", "bug")
"""Kinds of failure after which a trial may resume from its checkpoint."""


@dataclass(slots=True)
class _Taken:
    """Size of an ended trial's folder, in bytes, and the state in which it was measured."""

    state: str
    keeps: bool
    weights: int
    rest: int


class DiskWatch:
    """Watch that keeps a search within its disk space; called from the thread that drives the search.

    Args:
        director: of the search. Its `held` is set while space is short, unless the search is paused for another reason.
        free: returns the bytes free on a folder's disk.
        reserve: bytes that stay free.
        patience: seconds that one check may take; the rest is done in the next check.
    """

    def __init__(
        self,
        director: Director,
        *,
        free: Callable[[Path], int] | None = None,
        reserve: int = RESERVE,
        patience: float = PATIENCE,
    ) -> None:
        self._director = director
        self._free = free or (lambda folder: shutil.disk_usage(folder).free)
        self._reserve = reserve
        self._patience = patience
        self._taken: dict[str, _Taken] = {}
        self._message: str | None = None
        self._start, self._step = _needs(director)

    def watch(self) -> None:
        """Remove what is not kept, and pause or resume the search. To be called about every 10 seconds."""
        self._retain()
        cap = self._director.space.resources.disk_gb
        message = (None if cap is None else self._over_cap(cap)) or self._nearly_full()
        director = self._director
        if director.held in (None, self._message):
            director.held = message
        self._message = message

    def summary(self) -> str:
        """Return, for the end of a search, how many models are kept and the size of the experiment. Removes nothing."""
        models = [taken.weights for taken in self._taken.values() if taken.weights]
        total = self._total()
        return f"kept {len(models)} models, {_gigabytes(sum(models))}; the experiment takes {_gigabytes(total)}"

    def _retain(self) -> None:
        """Remove files of trials that have ended or lost their rank since the last check, and measure the rest."""
        keepers, until = self._keepers(), time.monotonic() + self._patience
        for trial in self._director.trials.values():
            if not trial.ended or trial.source is not None or trial.repeats is not None:
                self._taken.pop(trial.id, None)
                continue
            keeps = trial.id in keepers
            known = self._taken.get(trial.id)
            if known is not None and (known.state, known.keeps) == (trial.state, keeps):
                continue
            if trial.kind not in RESUMABLE:
                self._remove_attempts(trial)
                if not keeps:
                    remove_weights(self._folder(trial))
            weights, rest = _measure(self._folder(trial))
            self._taken[trial.id] = _Taken(trial.state, keeps, weights, rest)
            if time.monotonic() > until:
                return

    def _keepers(self) -> set[str]:
        """Return the trials whose weights are kept: the best of each search, and completed runs over fresh seeds."""
        state, space = self._director.state, self._director.space
        kept = {trial.id for trial in islice(state.ranking(MAIN), max(1, space.finalists.count))}
        for name in space.baselines:
            kept |= {trial.id for trial in islice(state.ranking(name), 1)}
        return kept | {
            trial.id
            for trial in state.trials.values()
            if trial.role != "search" and trial.state == "completed"
            if trial.number is None
        }

    def _over_cap(self, cap: float) -> str | None:
        """Remove weights, worst first, until the experiment takes at most `cap` GB; return a message if it cannot.

        Then trials that have paused at a rung are stopped, worst first, and their checkpoints are removed.
        """
        total = self._total()
        for trial in self._worst_first():
            if total <= cap * 1e9:
                return None
            taken = self._taken.get(trial.id)
            if taken is not None and taken.weights:
                remove_weights(self._folder(trial))
                total -= taken.weights
                taken.weights = 0
        for trial in self._director.paused_worst_first():
            if total <= cap * 1e9:
                return None
            total -= sum(_measure(self._folder(trial)))
            self._director.stop_paused(trial.id, f"resources.disk_gb allows {cap:g} GB, and its checkpoint was removed")
            self._remove_attempts(trial)
            total += sum(_measure(self._folder(trial)))
        if total <= cap * 1e9:
            return None
        return (
            f"{self._director.folder} takes {_gigabytes(total)}, resources.disk_gb allows {cap:g} GB, and no weights "
            "are left to remove: raise resources.disk_gb, or move files away; the search then resumes"
        )

    def _worst_first(self) -> Iterator[TrialState]:
        """Yield trials whose weights may be removed: search trials, then runs over fresh seeds; never the best one."""
        state = self._director.state
        sign = -1 if state.mode == "min" else 1
        best = self._director.best()
        ended = [trial for trial in state.trials.values() if trial.state == "completed" and trial is not best]
        yield from sorted(ended, key=lambda trial: (trial.number is None, sign * (trial.value or 0.0)))

    def _nearly_full(self) -> str | None:
        """Return a message if the disk has no room for the next checkpoints of the trials that have begun."""
        if self._director.finished:
            return None
        begun = [trial for trial in self._director.trials.values() if trial.attempt and _is_to_write(trial)]
        needed = self._reserve + max(len(begun) * self._step, self._start)
        free = self._free(self._director.folder)
        wanted = needed if self._message is None else round(needed * MARGIN)
        if free >= wanted:
            return None
        return (
            f"the disk of {self._director.folder} has {_gigabytes(free)} free, and the next checkpoints of "
            f"{max(1, len(begun))} trials and a reserve need {_gigabytes(wanted)}: free {_gigabytes(wanted - free)} "
            "more; the search then resumes by itself"
        )

    def _total(self) -> int:
        """Return the bytes of the experiment: ended trials as measured before, everything else as it is now."""
        folder = self._director.folder
        open_trials = [
            self._folder(trial) for trial in self._director.trials.values() if trial.attempt and not trial.ended
        ]
        ended = sum(taken.weights + taken.rest for taken in self._taken.values())
        return ended + sum(sum(_measure(path)) for path in open_trials) + _size(folder, skip="trials")

    def _folder(self, trial: TrialState) -> Path:
        return self._director.folder / "trials" / trial.id

    def _remove_attempts(self, trial: TrialState) -> None:
        """Remove the trial's checkpoints, and first the file that marks the process that may write them."""
        for attempt in self._folder(trial).glob("attempt-*"):
            (attempt / "writer").unlink(missing_ok=True)
            shutil.rmtree(attempt, ignore_errors=True)


def _needs(director: Director) -> tuple[int, int]:
    """Return the bytes that the largest trial of the space needs to start, and for its next checkpoint and model."""
    base = ExperimentIdentity(director.folder).tree
    arms = director.space.arms
    sized = tuple(
        parameter
        for parameter in director.space.parameters
        if parameter.key.startswith(SIZED_BY) and not parameter.when
    )
    settings = [*list_settings(sized, corners=True), *(arm_settings(director.space, name) or {} for name in arms)]
    configs = [from_dict(with_settings(base, each)) for each in settings]
    start = max(needed_bytes(config) for config in configs)
    return start, max(map(_bytes_of_a_step, configs))


def _bytes_of_a_step(config: RunConfig) -> int:
    """Return the bytes of a checkpoint and of the models that may be written before the next one."""
    training = config.training
    models = 1 + int(training.ema is not None) + int(training.word_checkpoints)
    return checkpoint_bytes(config) + models * model_bytes(config)


def _is_to_write(trial: TrialState) -> bool:
    """Return whether a trial that has begun may write a checkpoint soon."""
    return not trial.ended and trial.state != "paused"


def _measure(folder: Path) -> tuple[int, int]:
    """Return the bytes of a trial's weights, and of the rest of its folder."""
    weights = sum(_size(folder / name) for name in WEIGHTS)
    return weights, _size(folder) - weights


def _size(folder: Path, skip: str = "") -> int:
    """Return the bytes of the files below a folder, without its folder `skip`; files that vanish count as 0."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        total += 0 if entry.name == skip else _size(Path(entry.path))
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
                except FileNotFoundError:
                    continue
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return total


def _gigabytes(num_bytes: int) -> str:
    """Return a size in words, such as 0.03 GB or 12.4 GB."""
    return f"{num_bytes / 1e9:,.2g} GB" if num_bytes < 1e9 else f"{num_bytes / 1e9:,.1f} GB"
