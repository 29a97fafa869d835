"""The driver's side of a search on Ray: which trial runs in which slot, and restarts after a slot or an actor has died.

Tune's adapters (`tuner`) call the dispatcher, and the dispatcher calls the director. A trial's way through the files:
`Director.next` -> `Dispatcher.next` (stages a job) -> Tune -> `Slot.setup` or `reset_config` (puts the job into its
mailbox) -> `worker_group.train_jobs` (trains it and reports to the mailbox) -> `Slot.step` -> Tune ->
`Dispatcher.on_message` or `on_end` -> `Director.on_progress` or `on_end`; a decision goes back by `Mailbox.answer`.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

from sleep_tune.errors import ClusterError, DiskError, UserError
from sleep_tune.search.decide.assignments import Done, Trial
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.on_ray.messages import Ended, Failed, Job, ProgressMessage, UserMistake, WorkerLost
from sleep_tune.search.run.on_ray.worker_group import DIED

__all__ = ["FULL_SECONDS", "MOST_UNSTARTED", "Dispatcher"]

MOST_UNSTARTED = 4
"""After so many worker groups in a row that ended before they took a job, the search ends."""

NO_PLACE = "WorkerGroupStartupTimeoutError"
"""In the reason of a group that found no place; it may find one when other trials have ended."""

FULL_SECONDS = 10.0
"""How long the search is paused after a run found the disk full."""

START_REMEDY = (
    "free memory there, train fewer trials at a time (resources.cpus_per_worker), or search without Ray: "
    "--launcher inline"
)
"""What to do if workers run out of memory before they take a job, which no setting of a trial can cause."""


@dataclass
class Dispatcher:
    """The trials that run, by Tune's id, and the first error.

    Tune would hide an exception of ours, or continue after it. So `guard` keeps the first one and ends the search, and
    `run_on_ray` raises it when Tune has ended all slots.
    """

    director: Director
    mailboxes: Any
    """Handle of the `Mailboxes` actor."""
    logs: Path
    """Absolute path of the folder for the logs of trials."""
    slots: Callable[[], int]
    """Returns how many trials may run now."""
    interrupted: Callable[[], bool]
    """Returns whether the search must end now."""
    tick: Callable[[], None]
    """Refreshes the display."""
    get: Callable[[Any], Any] = ray.get
    """Waits for an answer of the mailboxes; other than Ray's in tests."""
    clock: Callable[[], float] = time.monotonic
    """Returns seconds."""
    waiting: deque[Trial] = field(default_factory=deque)
    """Trials whose slot died; the next free slot restarts them."""
    trials: dict[str, Trial] = field(default_factory=dict)
    """Tune's id of a running trial -> the trial."""
    paused: bool = False
    """Whether the mailboxes are paused."""
    full: str | None = None
    """Message of a run that found the disk full, while the search is paused for it."""
    full_until: float = 0.0
    """End of that pause, by `clock`."""
    unstarted: int = 0
    """Worker groups in a row that ended before they took a job."""
    mailboxes_died: bool = False
    error: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles what it is given, to restore it later, which is never done here."""
        return {}

    @property
    def must_stop(self) -> bool:
        """Whether Tune must end all slots."""
        return self.error is not None or self.mailboxes_died or self.interrupted()

    def guard(self, act: Callable[[], Any], otherwise: Any = None) -> Any:
        """Return `act()`, or `otherwise` if it raises and in every later call."""
        if self.error is not None or self.mailboxes_died:
            return otherwise
        try:
            return act()
        except DIED:  # the mailboxes are the only actor called here
            self.mailboxes_died = True
            return otherwise
        except Exception as error:
            self.error = error
            return otherwise

    def log(self, trial: Trial) -> str:
        """Return the path of the log of `trial`."""
        return str(self.logs / f"{trial.id}.log")

    def job(self, trial: Trial) -> Job:
        """Return the job of this attempt at `trial`."""
        return Job(trial=trial.id, attempt=trial.attempt, config=trial.config, log=self.log(trial))

    def poll(self) -> None:
        """Refresh the display, and pause or resume the mailboxes with the search. Called about ten times a second."""
        self.tick()
        if self.full is not None and self.clock() >= self.full_until:
            if self.director.held == self.full:
                self.director.held = None
            self.full = None
        paused = self.director.held is not None
        if paused != self.paused:
            self.paused = paused
            self.mailboxes.set_paused.remote(paused)
        while paused and self.waiting:
            self.director.on_end(self.waiting.popleft().id, None)

    def next(self, tune_id: str) -> Trial | Done | None:
        """Return the trial to start under `tune_id`, None if Tune should ask again later, or Done for no more."""
        if self.interrupted():
            return Done()
        if not self.trials:
            self.poll()  # without running trials Tune calls only this method
        if len(self.trials) >= self.slots() or self.director.held is not None:
            return None
        trial = self.waiting.popleft() if self.waiting else self.director.next()
        if isinstance(trial, Done):
            return None if self.trials else trial  # a running trial may lose its slot and need another
        if not isinstance(trial, Trial):
            return None
        self.trials[tune_id] = trial
        self.get(self.mailboxes.stage_job.remote(self.job(trial)))
        return trial

    def on_message(self, tune_id: str, slot: str, message: ProgressMessage | WorkerLost) -> bool:
        """Handle a report or the death of a worker; return False if the trial has no further attempt now."""
        trial = self.trials[tune_id]
        if isinstance(message, WorkerLost):
            again = self.director.on_lost(trial.id, log=self.log(trial), killer=message.killer)
            if again is None:
                return False
            self.trials[tune_id] = again
            self.mailboxes.call.remote(slot, "put_job", self.job(again))
            return True
        decision = self.director.on_progress(trial.id, message.progress)
        if message.progress.rung is not None:
            self.mailboxes.call.remote(slot, "answer", message.key, message.progress.rung, decision)
        return True

    def on_end(self, tune_id: str, message: object, slot_died: bool) -> None:
        """Handle the end of a trial, or the death of its slot."""
        trial = self.trials[tune_id]
        if slot_died:
            self._on_slot_death(trial)
        elif isinstance(message, Ended):
            self.director.on_end(trial.id, message.outcome)
        elif isinstance(message, UserMistake):
            self._wait_for_disk(trial, message.error)
        elif isinstance(message, Failed):
            log = self.log(trial)
            last_line = message.reason.strip().splitlines()[-1]
            self.director.on_failure(trial.id, last_line, message.kind, log, on_gpu=message.on_gpu)
            if message.kind == "bug":
                raise RuntimeError(f"{trial.id} failed by a bug, and the search ends. Its log: {log}\n{message.reason}")
        del self.trials[tune_id]

    def _wait_for_disk(self, trial: Trial, error: UserError) -> None:
        """Pause the search for `FULL_SECONDS` if the disk is full, so that the user can free space.

        Raises:
            UserError: any other mistake; it ends the search.
        """
        if not isinstance(error, DiskError):
            raise error
        self.director.on_end(trial.id, None)
        self.director.held = self.full = str(error)
        self.full_until = self.clock() + FULL_SECONDS

    def reassign(self) -> None:
        """Restart all running trials from their checkpoints, after the mailboxes and therefore all slots have died."""
        for trial in self.trials.values():
            self._restart(trial, "the mailbox actor died")
        self.trials.clear()
        self.paused = self.mailboxes_died = False

    def _on_slot_death(self, trial: Trial) -> None:
        """Give the trial of a dead slot to another slot. It counts as lost only if a worker had taken it.

        Raises:
            ClusterError: `MOST_UNSTARTED` worker groups in a row could not start, and not because they found no place.
        """
        taken, reason, killer = self.get(self.mailboxes.close_dead_slot.remote(self.job(trial).key))
        if taken:
            self.unstarted = 0
            self._restart(trial, "its slot died", killer)
            return
        self.waiting.append(trial)
        self.unstarted += bool(reason) and NO_PLACE not in reason
        if self.unstarted >= MOST_UNSTARTED:
            cause = reason.strip().splitlines()[-1]
            if killer is not None:
                cause = f"memory ran out on its machine, and {killer} killed its workers; {START_REMEDY}"
            raise ClusterError(
                f"workers cannot start on the cluster: {self.unstarted} worker groups in a row ended before they took "
                f"a trial. The last one: {cause} (details in {self.logs / 'driver.log'})"
            )

    def _restart(self, trial: Trial, reason: str, killer: str | None = None) -> None:
        again = self.director.on_lost(trial.id, reason, self.log(trial), killer)
        if again is not None:
            self.waiting.append(again)
