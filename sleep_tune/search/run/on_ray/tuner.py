"""One Tuner runs everything: Tune hands slots to trials and trials to slots, the director decides.

Tune's searcher and scheduler here are thin adapters: `suggest` is `Director.next`, a result is `Director.on_progress`.
Tune's own state is never restored; what must survive is the director's log.
"""

import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import GetTimeoutError, RayError
from ray.tune.schedulers import FIFOScheduler
from ray.tune.schedulers.trial_scheduler import TrialScheduler
from ray.tune.search import Searcher
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sleep_tune.errors import ClusterError
from sleep_tune.interrupts import PATIENCE_SECONDS, current
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.work import Done, Worker
from sleep_tune.search.run.on_ray.dispatcher import Desk
from sleep_tune.search.run.on_ray.mailbox import MailRoom
from sleep_tune.search.run.on_ray.memory_kills import killed_for_memory
from sleep_tune.search.run.on_ray.slot import Slot
from sleep_tune.search.run.on_ray.slot_plan import Seats
from sleep_tune.search.run.on_ray.worker_group import GroupPlan
from sleep_tune.search.run.stop_signals import GRACE_SECONDS

__all__ = ["DirectedScheduler", "DirectedSearcher", "run"]

SLOT_BUNDLE: dict[str, int | float] = {"memory": 1}
"""What Tune sets aside for a slot's own actor: one byte. It takes no CPU, and Tune refuses a bundle of nothing."""

ROOM_SECONDS = 120.0
"""Time for the mailbox's process to start."""

MOST_SLOTS = 10_000
"""More than any cluster holds: how many trials run at a time is the desk's to say, for it may change."""


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
    """Has the desk look up whenever Tune has done something, about ten times a second."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._desk.guard(self._desk.look)


class _Until(tune.Stopper):
    """Stop everything when told to, or when something went wrong that Tune does not know."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._closed = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        stops = self._desk.stops
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
    slots: Callable[[], int] | None = None,
) -> None:
    """Train what the director asks for on warm slots, until it is over or `interrupted()`. Ray must be up.

    Args:
        director: Asked for trials and told what happens.
        worker: Trains one configuration; importable on every node.
        seats: What a slot's workers hold, and how many slots there are.
        logs: Absolute folder for the logs of trials and of Tune.
        interrupted: Asked about ten times a second; True ends the search.
        tick: Called about ten times a second, to refresh a display.
        slots: Asked before each start of a trial how many may run, where that changes; `seats.slots` unless given.

    Raises:
        Exception: whatever the director or `tick` raised, after Tune has let every slot go.
    """
    desk = Desk(director, None, logs, slots or (lambda: seats.slots), interrupted, tick)
    storage = logs / "ray"
    plan = GroupPlan(
        workers=seats.workers,
        cpus_per_worker=seats.cpus_per_worker,
        gpus_per_worker=seats.gpus_per_worker,
        folder=str(storage),
    )
    while True:
        desk.room = _open_room()
        try:
            with current().waiting(patience=GRACE_SECONDS + PATIENCE_SECONDS):  # `interrupted` looks, again and again
                _tuner(desk, plan, worker, storage).fit()
        except Exception as error:
            if desk.error is None and not desk.room_died:
                if not killed_for_memory(error):
                    raise
                raise ClusterError(
                    "memory must suffice for the search's own processes; it ran out on their machine, and Ray killed "
                    "them. Free memory there and run the same command again to resume, or search without Ray: "
                    "--launcher inline"
                ) from error
            traceback.print_exc()
        finally:
            shutil.rmtree(storage, ignore_errors=True)
        if desk.error is not None:
            raise desk.error
        current().end()
        if not desk.room_died:
            return
        desk.take_up()


def _open_room() -> Any:
    """The actor of the mailboxes, on this node: no other node's end can take it away.

    Raises:
        ClusterError: it does not start, as when the node itself has died.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    room: Any = ray.remote(num_cpus=0)(MailRoom).options(scheduling_strategy=here).remote()
    try:
        ray.get(room.hold.remote(False), timeout=ROOM_SECONDS)
    except (RayError, GetTimeoutError) as error:
        raise ClusterError(
            f"the Ray cluster must start the search's mailbox on this machine within {ROOM_SECONDS:.0f} s; it has "
            f"died, or is overloaded ({str(error).strip().splitlines()[0]}). Run the same command again to resume, or "
            "search without Ray: --launcher inline"
        ) from error
    return room


def _tuner(desk: Desk, plan: GroupPlan, worker: Worker, storage: Path) -> tune.Tuner:
    return tune.Tuner(
        tune.with_resources(
            tune.with_parameters(Slot, room=desk.room, plan=plan, worker=worker),
            tune.PlacementGroupFactory([SLOT_BUNDLE]),
        ),
        tune_config=tune.TuneConfig(
            search_alg=DirectedSearcher(desk),
            scheduler=DirectedScheduler(desk),
            num_samples=-1,
            max_concurrent_trials=MOST_SLOTS,
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
