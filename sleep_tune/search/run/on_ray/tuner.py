"""A search on Ray: one Tuner gives trials to slots, and the director decides.

Tune's searcher and scheduler are thin adapters here: they pass each call to the `Dispatcher`. Tune's own state is never
restored; a search resumes from the director's log.
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
from sleep_tune.search.decide.assignments import Done, Worker
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.stop_signals import GRACE_SECONDS
from sleep_tune.search.run.on_ray.dispatcher import Dispatcher
from sleep_tune.search.run.on_ray.mailbox import Mailboxes
from sleep_tune.search.run.on_ray.memory_kills import killed_for_memory
from sleep_tune.search.run.on_ray.slot import Slot
from sleep_tune.search.run.on_ray.slot_plan import SlotPlan

__all__ = ["DirectedScheduler", "DirectedSearcher", "run_on_ray"]

SLOT_BUNDLE: dict[str, int | float] = {"memory": 1}
"""Resources of a slot's own actor, which needs no CPU: one byte, because Tune refuses an empty bundle."""

MAILBOXES_SECONDS = 120.0
"""Time for the process of the mailboxes to start."""

MOST_SLOTS = 10_000
"""Tune's limit of concurrent trials, above that of any cluster. The dispatcher sets the real one, which may change."""


class DirectedSearcher(Searcher):
    """Searcher that passes Tune's requests for trials, and the ends of trials, to the dispatcher."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._dispatcher = dispatcher

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial's id, None for none yet, or FINISHED for no more."""
        # After an error the answer is Done: without running trials Tune would repeat its request for ever after None.
        trial = self._dispatcher.guard(lambda: self._dispatcher.next(trial_id), Done())
        if isinstance(trial, Done):
            return str(Searcher.FINISHED)
        return None if trial is None else {"trial": trial.id}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Handle a trial's last result, or with `error` the death of its slot."""
        message = (result or {}).get("message")
        self._dispatcher.guard(lambda: self._dispatcher.on_end(trial_id, message, error))

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Do nothing: a search resumes from the director's log."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: a search resumes from the director's log."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a search resumes from the director's log."""


class DirectedScheduler(FIFOScheduler):
    """Scheduler that passes results to the dispatcher. Tune itself stops a trial only if it failed too often."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._dispatcher = dispatcher

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Handle a heartbeat, the report of a rung, or the death of a worker."""
        continues = self._dispatcher.guard(
            lambda: self._dispatcher.on_message(trial.trial_id, result["slot"], result["message"]), True
        )
        return str(TrialScheduler.CONTINUE if continues else TrialScheduler.STOP)


class _Ticker(tune.Callback):
    """Callback that calls `Dispatcher.poll` after each step of Tune, about ten times a second."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._dispatcher.guard(self._dispatcher.poll)


class _StopAll(tune.Stopper):
    """Stopper that ends all slots at a signal, or after an error that Tune does not see."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._closed = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        must_stop = self._dispatcher.must_stop
        if must_stop and not self._closed:
            self._closed = True
            self._dispatcher.mailboxes.close_all.remote()
        return must_stop


def run_on_ray(
    director: Director,
    worker: Worker,
    slot_plan: SlotPlan,
    *,
    logs: Path,
    interrupted: Callable[[], bool],
    tick: Callable[[], None],
    slots: Callable[[], int] | None = None,
) -> None:
    """Run the director's trials on warm slots until the search is over or `interrupted()`. Ray must be running.

    Args:
        director: proposes trials and decides at their reports.
        worker: trains one configuration; importable on every node.
        slot_plan: the number of slots, and the resources of their workers.
        logs: absolute path of the folder for the logs of trials and of Tune.
        interrupted: called about ten times a second; True ends the search.
        tick: called about ten times a second, to refresh a display.
        slots: returns how many trials may run now; called before each start of a trial. None: `slot_plan.slots`.

    Raises:
        Exception: the error that the director or `tick` raised, once Tune has ended all slots.
    """
    dispatcher = Dispatcher(director, None, logs, slots or (lambda: slot_plan.slots), interrupted, tick)
    storage = logs / "ray"
    while True:
        dispatcher.mailboxes = _start_mailboxes()
        try:
            with current().waiting(patience=GRACE_SECONDS + PATIENCE_SECONDS):  # `interrupted` checks for signals
                _tuner(dispatcher, slot_plan, worker, storage).fit()
        except Exception as error:
            if dispatcher.error is None and not dispatcher.mailboxes_died:
                if not killed_for_memory(error):
                    raise
                raise ClusterError(
                    "memory ran out on the machine of this search, and Ray killed the search's own processes. Free "
                    "memory there and run the same command again to resume, or search without Ray: --launcher inline"
                ) from error
            traceback.print_exc()
        finally:
            shutil.rmtree(storage, ignore_errors=True)
        if dispatcher.error is not None:
            raise dispatcher.error
        current().end()
        if not dispatcher.mailboxes_died:
            return
        dispatcher.reassign()


def _start_mailboxes() -> Any:
    """Start the actor of the mailboxes on this node, so that it survives the loss of any other node.

    Raises:
        ClusterError: it does not start, for example because Ray on this node has died.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    mailboxes: Any = ray.remote(num_cpus=0)(Mailboxes).options(scheduling_strategy=here).remote()
    try:
        ray.get(mailboxes.set_paused.remote(False), timeout=MAILBOXES_SECONDS)
    except (RayError, GetTimeoutError) as error:
        raise ClusterError(
            f"the Ray cluster did not start the search's mailboxes on this machine within {MAILBOXES_SECONDS:.0f} s: "
            f"it has died or is overloaded ({str(error).strip().splitlines()[0]}). Run the same command again to "
            "resume, or search without Ray: --launcher inline"
        ) from error
    return mailboxes


def _tuner(dispatcher: Dispatcher, plan: SlotPlan, worker: Worker, storage: Path) -> tune.Tuner:
    return tune.Tuner(
        tune.with_resources(
            tune.with_parameters(Slot, mailboxes=dispatcher.mailboxes, plan=plan, worker=worker, folder=str(storage)),
            tune.PlacementGroupFactory([SLOT_BUNDLE]),
        ),
        tune_config=tune.TuneConfig(
            search_alg=DirectedSearcher(dispatcher),
            scheduler=DirectedScheduler(dispatcher),
            num_samples=-1,
            max_concurrent_trials=MOST_SLOTS,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(storage),
            stop=_StopAll(dispatcher),
            callbacks=[_Ticker(dispatcher)],
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
        ),
    )
