"""Disk: whose weights stay, what an experiment may take, and when a search has to wait for room.

Knows folders and the director's trials; no Ray, no torch, nothing of what is in the files. Metrics are never removed:
only models, and what an ended trial would have been resumed from. Sizes of ended trials are measured once.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sleep_tune.config.size import checkpoint_bytes, model_bytes, needed_bytes
from sleep_tune.config.tree import from_dict
from sleep_tune.experiment.experiment_file import EXPERIMENT, read_experiment_file
from sleep_tune.experiment.run_folder import WEIGHTS, remove_weights
from sleep_tune.experiment.search_state import MAIN, TrialState
from sleep_tune.search.decide.director import Director
from sleep_tune.search.space.search_space import list_settings
from sleep_tune.search.space.trial_configs import with_settings

__all__ = ["MAY_GO_ON", "PATIENCE", "RESERVE", "Disk", "watcher"]

RESERVE = 256 * 2**20
"""Bytes that are left free for logs, tables and everyone else on the disk."""
PATIENCE = 0.1
"""Seconds that the search may be kept waiting by a look at its disk."""
MARGIN = 1.1
"""A search that waits for room goes on when there is so much more than is needed, so that it does not wait again."""
SIZED_BY = ("model.", "tokenizer.vocab_size", "data.max_length")
"""What a run's files are larger or smaller by."""
MAY_GO_ON = ("infrastructure", "bug")
"""Kinds of failure after which a trial may be started again, from its checkpoint."""


@dataclass(slots=True)
class _Taken:
    """What an ended trial's folder takes, in bytes."""

    state: str
    keeps: bool
    weights: int
    rest: int


class Disk:
    """The disk of one search, looked after from the thread that drives it.

    Args:
        director: of the search; its `held` is set while there is no room, unless another holds it.
        free: folder -> bytes free on its disk.
        reserve: bytes that are left free.
        patience: seconds that a look may take to measure and remove; what is left waits for the next one.
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
        """Remove what need not stay, and hold the search or let it go on. Meant to be called about every 10 seconds."""
        self._retain()
        cap = self._director.space.resources.disk_gb
        message = (None if cap is None else self._over_cap(cap)) or self._nearly_full()
        director = self._director
        if director.held in (None, self._message):
            director.held = message
        self._message = message

    def summary(self) -> str:
        """How many models are kept and what they take, for the end of a search. Removes nothing."""
        models = [taken.weights for taken in self._taken.values() if taken.weights]
        total = self._total()
        return f"kept {len(models)} models, {_gigabytes(sum(models))}; the experiment takes {_gigabytes(total)}"

    def _retain(self) -> None:
        """Give every trial that has ended since, or whose place among the best has changed, what it is due."""
        keepers, until = self._keepers(), time.monotonic() + self._patience
        for trial in self._director.trials.values():
            if not trial.ended or trial.source is not None or trial.repeats is not None:
                self._taken.pop(trial.id, None)
                continue
            keeps = trial.id in keepers
            known = self._taken.get(trial.id)
            if known is not None and (known.state, known.keeps) == (trial.state, keeps):
                continue
            if trial.kind not in MAY_GO_ON:
                self._remove_attempts(trial)
                if not keeps:
                    remove_weights(self._folder(trial))
            weights, rest = _measure(self._folder(trial))
            self._taken[trial.id] = _Taken(trial.state, keeps, weights, rest)
            if time.monotonic() > until:
                return

    def _keepers(self) -> set[str]:
        """Trials whose weights stay: the best of each search, and every completed run over fresh seeds."""
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
        """Remove weights, worst first, until the experiment takes no more than `cap` GB; say so if it still does."""
        total = self._total()
        for trial in self._worst_first():
            if total <= cap * 1e9:
                return None
            taken = self._taken.get(trial.id)
            if taken is not None and taken.weights:
                remove_weights(self._folder(trial))
                total -= taken.weights
                taken.weights = 0
        if total <= cap * 1e9:
            return None
        return (
            f"{self._director.folder} takes {_gigabytes(total)}, resources.disk_gb allows {cap:g} GB, and no weights "
            "are left to remove: raise resources.disk_gb, or move files away; the search then goes on"
        )

    def _worst_first(self) -> Iterator[TrialState]:
        """Trials with weights that may go: of the searches, then of the runs over fresh seeds. Never the best one."""
        state = self._director.state
        sign = -1 if state.mode == "min" else 1
        best = self._director.best()
        ended = [trial for trial in state.trials.values() if trial.state == "completed" and trial is not best]
        yield from sorted(ended, key=lambda trial: (trial.number is None, sign * (trial.value or 0.0)))

    def _nearly_full(self) -> str | None:
        """Say what is needed if the disk cannot hold what the trials that have begun will write next."""
        if self._director.finished:
            return None
        begun = [trial for trial in self._director.trials.values() if trial.attempt and not trial.ended]
        needed = self._reserve + max(len(begun) * self._step, self._start)
        free = self._free(self._director.folder)
        wanted = needed if self._message is None else round(needed * MARGIN)
        if free >= wanted:
            return None
        return (
            f"the disk of {self._director.folder} has {_gigabytes(free)} free, and the next checkpoints of "
            f"{max(1, len(begun))} trials and a reserve take {_gigabytes(wanted)}: free {_gigabytes(wanted - free)} "
            "more; the search then goes on by itself"
        )

    def _total(self) -> int:
        """Bytes that the experiment takes: ended trials as remembered, everything else as it is now."""
        folder = self._director.folder
        open_trials = [
            self._folder(trial) for trial in self._director.trials.values() if trial.attempt and not trial.ended
        ]
        ended = sum(taken.weights + taken.rest for taken in self._taken.values())
        return ended + sum(sum(_measure(path)) for path in open_trials) + _size(folder, skip="trials")

    def _folder(self, trial: TrialState) -> Path:
        return self._director.folder / "trials" / trial.id

    def _remove_attempts(self, trial: TrialState) -> None:
        """Remove what the trial would have been resumed from, first what tells an old process that it is the writer."""
        for attempt in self._folder(trial).glob("attempt-*"):
            (attempt / "writer").unlink(missing_ok=True)
            shutil.rmtree(attempt, ignore_errors=True)


def watcher(director: Director) -> Callable[[], None]:
    """What the launcher calls about every 10 seconds."""
    return Disk(director).watch


def _needs(director: Director) -> tuple[int, int]:
    """Bytes that the largest trial of the space needs to start, and for its next checkpoint and its model."""
    base = read_experiment_file(director.folder / EXPERIMENT)["base"]
    sized = tuple(
        parameter
        for parameter in director.space.parameters
        if parameter.key.startswith(SIZED_BY) and not parameter.when
    )
    configs = [from_dict(with_settings(base, chosen)) for chosen in list_settings(sized, corners=True)]
    start = max(needed_bytes(config) for config in configs)
    step = max(
        checkpoint_bytes(config) + model_bytes(config) * (2 if config.training.word_checkpoints else 1)
        for config in configs
    )
    return start, step


def _measure(folder: Path) -> tuple[int, int]:
    """Bytes of a trial's weights, and of the rest of its folder."""
    weights = sum(_size(folder / name) for name in WEIGHTS)
    return weights, _size(folder) - weights


def _size(folder: Path, skip: str = "") -> int:
    """Bytes that the files below a folder take, without a folder `skip` in it; what vanishes meanwhile takes none."""
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
    """For people: 0.03 GB, 12.4 GB."""
    return f"{num_bytes / 1e9:,.2g} GB" if num_bytes < 1e9 else f"{num_bytes / 1e9:,.1f} GB"
