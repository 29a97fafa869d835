"""The driver's side of a search on Ray: which trial is in which slot, what becomes of those whose slot or mailbox died.

Tune's adapters (`tuner`) ask here, and here the director is asked. Knows no Tune, and nothing of how workers train.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

from sleep_tune.errors import ClusterError, DiskError, UserError
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.work import Done, Trial
from sleep_tune.search.run.on_ray.messages import Ended, Failed, Heard, Job, Lost, Refused
from sleep_tune.search.run.on_ray.worker_group import DIED

__all__ = ["FULL_SECONDS", "MOST_UNSTARTED", "Desk"]

MOST_UNSTARTED = 4
"""So many worker groups in a row may end before they begin; then something is wrong on the cluster."""

NO_PLACE = "WorkerGroupStartupTimeoutError"
"""In the reason of a group that found no place: it may find one when others have done."""

FULL_SECONDS = 10.0
"""After a run found the disk full, the next is started so much later."""

START_REMEDY = (
    "free memory there, train fewer trials at a time (resources.cpus_per_worker), or search without Ray: "
    "--launcher inline"
)
"""What helps where memory does not suffice for workers to start; their settings are not the cause yet."""


@dataclass
class Desk:
    """Where Tune's adapters meet: whose trial is whose, and what went wrong.

    Tune must never see an exception of ours (it would carry on, or hide it): the first is kept here and stops the
    search; `tuner.run` raises it when Tune has let everything go.
    """

    director: Director
    room: Any
    """The actor that is the search's `MailRoom`."""
    logs: Path
    """Absolute folder for what the trials print."""
    slots: Callable[[], int]
    """How many trials may run now."""
    interrupted: Callable[[], bool]
    tick: Callable[[], None]
    again: deque[Trial] = field(default_factory=deque)
    """Trials whose slot died; the next free slot takes them up."""
    trials: dict[str, Trial] = field(default_factory=dict)
    """Tune's id of a live trial -> ours."""
    held: bool = False
    """Whether the mailboxes have been told that the search is held."""
    full: str | None = None
    """Why a run found no room on the disk, while the search is held for it."""
    full_until: float = 0.0
    unstarted: int = 0
    """Worker groups in a row that ended before they began."""
    room_died: bool = False
    error: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles all that it is given, for a restoration that we never ask for."""
        return {}

    @property
    def stops(self) -> bool:
        """Whether Tune must let everything go."""
        return self.error is not None or self.room_died or self.interrupted()

    def guard(self, act: Callable[[], Any], otherwise: Any = None) -> Any:
        """Return `act()`; once anything has gone wrong, and from then on, `otherwise`."""
        if self.error is not None or self.room_died:
            return otherwise
        try:
            return act()
        except DIED:  # no other actor is called from here
            self.room_died = True
            return otherwise
        except Exception as error:
            self.error = error
            return otherwise

    def log(self, trial: Trial) -> str:
        """Path of the file that takes what is printed during `trial`."""
        return str(self.logs / f"{trial.id}.log")

    def job(self, trial: Trial) -> Job:
        """The job that an attempt at `trial` is."""
        return Job(trial=trial.id, attempt=trial.attempt, config=trial.config, log=self.log(trial))

    def look(self) -> None:
        """Refresh what is shown, and tell every mailbox when the search is held or goes on. Called again and again."""
        self.tick()
        if self.full is not None and time.monotonic() >= self.full_until:
            if self.director.held == self.full:
                self.director.held = None
            self.full = None
        held = self.director.held is not None
        if held != self.held:
            self.held = held
            self.room.hold.remote(held)
        while held and self.again:
            self.director.on_end(self.again.popleft().id, None)

    def next(self, tune_id: str) -> Trial | Done | None:
        """The trial to start under Tune's `tune_id`; None: ask later; Done: there will be no more."""
        if self.interrupted():
            return Done()
        if not self.trials:
            self.look()  # Tune, with nothing to do, calls nothing else
        if len(self.trials) >= self.slots() or self.director.held is not None:
            return None
        trial = self.again.popleft() if self.again else self.director.next()
        if isinstance(trial, Done):
            return None if self.trials else trial  # a live trial may yet lose its slot and need another
        if not isinstance(trial, Trial):
            return None
        self.trials[tune_id] = trial
        ray.get(self.room.stage.remote(self.job(trial)))
        return trial

    def hear(self, tune_id: str, slot: str, message: Heard | Lost) -> bool:
        """Pass on what a slot's workers say of a running trial; False if the trial is to be given up."""
        trial = self.trials[tune_id]
        if isinstance(message, Lost):
            again = self.director.on_lost(trial.id, log=self.log(trial), killer=message.killer)
            if again is None:
                return False
            self.trials[tune_id] = again
            self.room.call.remote(slot, "put", self.job(again))
            return True
        decision = self.director.on_progress(trial.id, message.progress)
        if message.progress.rung is not None:
            key = (message.trial, message.attempt)
            self.room.call.remote(slot, "answer", key, message.progress.rung, decision)
        return True

    def end(self, tune_id: str, message: object, slot_died: bool) -> None:
        """Pass on how a trial ended, or that its slot died under it."""
        trial = self.trials[tune_id]
        if slot_died:
            self._bury(trial)
        elif isinstance(message, Ended):
            self.director.on_end(trial.id, message.outcome)
        elif isinstance(message, Refused):
            self._wait_for_room(trial, message.error)
        elif isinstance(message, Failed):
            log = self.log(trial)
            told = message.reason.strip().splitlines()[-1]
            self.director.on_failure(trial.id, told, message.kind, log)
            if message.kind == "bug":
                raise RuntimeError(f"{trial.id} met a bug, and the search stops; its log is {log}\n{message.reason}")
        del self.trials[tune_id]

    def _wait_for_room(self, trial: Trial, error: UserError) -> None:
        """A full disk holds the search for a while, for somebody to make room; any other mistake of the user's ends it.

        Raises:
            UserError: what is wrong, if it is not the disk.
        """
        if not isinstance(error, DiskError):
            raise error
        self.director.on_end(trial.id, None)
        self.director.held = self.full = str(error)
        self.full_until = time.monotonic() + FULL_SECONDS

    def take_up(self) -> None:
        """Once the mailboxes have died, and every slot after them: the trials that ran go on from their checkpoints."""
        for trial in self.trials.values():
            self._lose(trial, "the mailbox actor died")
        self.trials.clear()
        self.held = self.room_died = False

    def _bury(self, trial: Trial) -> None:
        """A slot has died: its trial needs another. One that no worker had begun has lost nothing.

        Raises:
            ClusterError: again and again no worker can be started, and not for want of a place.
        """
        taken, reason, killer = ray.get(self.room.bury.remote(self.job(trial).key))
        if taken:
            self.unstarted = 0
            self._lose(trial, "its slot died", killer)
            return
        self.again.append(trial)
        self.unstarted += bool(reason) and NO_PLACE not in reason
        if self.unstarted >= MOST_UNSTARTED:
            cause = reason.strip().splitlines()[-1]
            if killer is not None:
                cause = f"memory ran out on their machine, and {killer} killed them; {START_REMEDY}"
            raise ClusterError(
                f"workers must be able to start on the cluster; {self.unstarted} groups of them in a row ended before "
                f"they began: {cause} (see {self.logs / 'driver.log'})"
            )

    def _lose(self, trial: Trial, reason: str, killer: str | None = None) -> None:
        again = self.director.on_lost(trial.id, reason, self.log(trial), killer)
        if again is not None:
            self.again.append(again)
