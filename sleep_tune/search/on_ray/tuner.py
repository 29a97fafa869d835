"""One Tuner runs everything: Tune hands slots to trials and trials to slots, the director decides.

Tune's searcher and scheduler here are thin adapters: `suggest` is `Director.next`, a result is `Director.on_progress`.
Tune's own state is never restored; what must survive is the director's log.
"""

import shutil
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.schedulers.trial_scheduler import TrialScheduler
from ray.tune.search import Searcher

from sleep_tune.search.director import Director
from sleep_tune.search.on_ray.cluster import Seats
from sleep_tune.search.on_ray.group import GroupPlan
from sleep_tune.search.on_ray.mailbox import MailRoom
from sleep_tune.search.on_ray.messages import Ended, Failed, Heard, Job, Lost, Refused
from sleep_tune.search.on_ray.slot import Slot
from sleep_tune.search.work import Done, Trial, Worker

__all__ = ["Desk", "DirectedScheduler", "DirectedSearcher", "run"]

SLOT_BUNDLE: dict[str, int | float] = {"memory": 1}
"""What Tune sets aside for a slot's own actor: one byte. It takes no CPU, and Tune refuses a bundle of nothing."""


@dataclass
class Desk:
    """Where Tune's two adapters meet: whose trial is whose, and what went wrong.

    Tune must never see an exception of ours (it would carry on, or hide it): the first is kept here and stops the
    search; `run` raises it when Tune has let everything go.
    """

    director: Director
    room: Any
    """The actor that is the search's `MailRoom`."""
    logs: Path
    """Absolute folder for what the trials print."""
    interrupted: Callable[[], bool]
    tick: Callable[[], None]
    again: deque[Trial] = field(default_factory=deque)
    """Trials whose slot died; the next free slot takes them up."""
    trials: dict[str, Trial] = field(default_factory=dict)
    """Tune's id of a live trial -> ours."""
    error: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles all that it is given, for a restoration that we never ask for."""
        return {}

    def guard(self, act: Callable[[], Any], otherwise: Any = None) -> Any:
        """Return `act()`; once anything has gone wrong, and from then on, `otherwise`."""
        if self.error is not None:
            return otherwise
        try:
            return act()
        except Exception as error:
            self.error = error
            return otherwise

    def log(self, trial: Trial) -> str:
        """Path of the file that takes what is printed during `trial`."""
        return str(self.logs / f"{trial.id}.log")

    def job(self, trial: Trial) -> Job:
        """The job that an attempt at `trial` is."""
        return Job(trial=trial.id, attempt=trial.attempt, config=trial.config, log=self.log(trial))

    def next(self, tune_id: str) -> Trial | Done | None:
        """The trial to start under Tune's `tune_id`; None: ask later; Done: there will be no more."""
        if self.interrupted():
            return Done()
        trial = self.again.popleft() if self.again else self.director.next()
        if isinstance(trial, Done):
            return None if self.trials else trial  # a live trial may yet lose its slot and need another
        if not isinstance(trial, Trial):
            return None
        ray.get(self.room.stage.remote(self.job(trial)))
        self.trials[tune_id] = trial
        return trial

    def hear(self, tune_id: str, slot: str, message: Heard | Lost) -> bool:
        """Pass on what a slot's workers say of a running trial; False if the trial is to be given up."""
        trial = self.trials[tune_id]
        if isinstance(message, Lost):
            again = self.director.on_lost(trial.id, log=self.log(trial))
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
        trial = self.trials.pop(tune_id)
        if slot_died:
            again = self.director.on_lost(trial.id, "its slot died", self.log(trial))
            if again is not None:
                self.again.append(again)
        elif isinstance(message, Ended):
            self.director.on_end(trial.id, message.outcome)
        elif isinstance(message, Refused):
            raise message.error
        elif isinstance(message, Failed):
            log = self.log(trial)
            told = message.reason.strip().splitlines()[-1]
            self.director.on_failure(trial.id, told, message.kind, log)
            if message.kind == "bug":
                raise RuntimeError(f"{trial.id} met a bug, and the search stops; its log is {log}\n{message.reason}")


class DirectedSearcher(Searcher):
    """`Director.next` in Tune's words, and where trials' ends are heard."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def suggest(self, trial_id: str) -> Any:
        """The next trial's name; None for none yet; FINISHED for no more."""
        # With nothing running, Tune would ask again for ever when told to ask later.
        trial = self._desk.guard(lambda: self._desk.next(trial_id), Done())
        if isinstance(trial, Done):
            return str(Searcher.FINISHED)
        return None if trial is None else {"trial": trial.id}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A trial's last result, or with `error` the death of its slot."""
        message = (result or {}).get("message")
        self._desk.guard(lambda: self._desk.end(trial_id, message, error))

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: the director's log is what survives."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the director's log is what survives."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the director's log is what survives."""


class DirectedScheduler(FIFOScheduler):
    """`Director.on_progress` in Tune's words. Tune is told to stop a trial only when it is given up."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._desk = desk

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Pass on a heartbeat, a rung or a lost worker."""
        goes_on = self._desk.guard(lambda: self._desk.hear(trial.trial_id, result["slot"], result["message"]), True)
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)


class _Ticker(tune.Callback):
    """Calls `tick` whenever Tune has done something, about ten times a second."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._desk.guard(self._desk.tick)


class _Until(tune.Stopper):
    """Stop the whole search when told to, or when something of ours went wrong."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._closed = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        stops = self._desk.error is not None or self._desk.interrupted()
        if stops and not self._closed:
            self._closed = True
            self._desk.room.close_all.remote()
        return stops


def run(
    director: Director,
    worker: Worker,
    seats: Seats,
    *,
    logs: Path,
    interrupted: Callable[[], bool],
    tick: Callable[[], None],
) -> None:
    """Train what the director asks for on warm slots, until it is over or `interrupted()`. Ray must be up.

    Args:
        director: Asked for trials and told what happens.
        worker: Trains one configuration; importable on every node.
        seats: How many slots, and what their workers hold.
        logs: Absolute folder for the logs of trials and of Tune.
        interrupted: Asked about ten times a second; True ends the search.
        tick: Called about ten times a second, to refresh a display.

    Raises:
        Exception: whatever the director or `tick` raised, after Tune has let every slot go.
    """
    room = ray.remote(num_cpus=0)(MailRoom).remote()
    desk = Desk(director, room, logs, interrupted, tick)
    storage = logs / "ray"
    plan = GroupPlan(
        workers=seats.workers,
        cpus_per_worker=seats.cpus_per_worker,
        gpus_per_worker=seats.gpus_per_worker,
        folder=str(storage),
    )
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(Slot, room=room, plan=plan, worker=worker), tune.PlacementGroupFactory([SLOT_BUNDLE])
        ),
        tune_config=tune.TuneConfig(
            search_alg=DirectedSearcher(desk),
            scheduler=DirectedScheduler(desk),
            num_samples=-1,
            max_concurrent_trials=seats.slots,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(storage),
            stop=_Until(desk),
            callbacks=[_Ticker(desk)],
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except Exception:
        if desk.error is None:
            raise
        traceback.print_exc()
    finally:
        shutil.rmtree(storage, ignore_errors=True)
    if desk.error is not None:
        raise desk.error
