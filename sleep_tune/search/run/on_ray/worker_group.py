"""The worker group of one slot: processes that Ray Train starts once and that train one job after another.

Ray Train places the group's processes, checks that they live, and restarts all of them when one dies. `train_jobs` runs
in each process: it takes a job from the mailbox, trains it, reports, and takes the next. `WorkerGroup` is the thread in
the slot's process that starts the group and waits for its end.
"""

import contextlib
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError, GetTimeoutError, OutOfMemoryError, RayActorError

from sleep_tune.config.tree import from_dict
from sleep_tune.errors import JobCancelled, OutOfMemory, Superseded, UserError
from sleep_tune.files import writing
from sleep_tune.output_redirection import redirect_output
from sleep_tune.records import Decision, Progress, Report
from sleep_tune.search.decide.assignments import KINDS, Worker
from sleep_tune.search.run.on_ray.memory_kills import count_kills
from sleep_tune.search.run.on_ray.messages import Ended, Failed, Job, UserMistake
from sleep_tune.search.run.on_ray.slot_plan import SlotPlan

__all__ = ["DIED", "MailboxClient", "WorkerGroup"]

DIED = (RayActorError, OutOfMemoryError)
"""Errors of a call to a dead actor; the second if Ray killed it because memory ran out."""

DIED_FOR_EVER = (ActorDiedError, OutOfMemoryError)
"""Those of `DIED` after which no call can succeed; the actor may also be unreachable for a while."""


class MailboxClient:
    """Client that calls one slot's mailbox from another process.

    Args:
        mailboxes: the handle of the `Mailboxes` actor.
        slot: name of the slot.
    """

    def __init__(self, mailboxes: Any, slot: str) -> None:
        self._mailboxes = mailboxes
        self._slot = slot

    def call(self, method: str, *arguments: Any) -> Any:
        """Call `method` of the mailbox and return its answer."""
        return ray.get(self.send(method, *arguments))

    def send(self, method: str, *arguments: Any) -> Any:
        """Call `method` of the mailbox and return a Ray object reference to its answer, without waiting."""
        return self._mailboxes.call.remote(self._slot, method, *arguments)


PEER_SECONDS = 10.0
"""How long a worker whose run raised checks whether another worker of the group has died."""


class _Reporter:
    """The `report` function of a run: waits at rungs; a heartbeat returns the answer to the heartbeat before it."""

    def __init__(self, mailbox: MailboxClient, job: Job, rank: int) -> None:
        self._mailbox = mailbox
        self._job = job
        self._rank = rank
        self._sent: Any = None

    def __call__(self, progress: Progress) -> Decision:
        if progress.rung is not None:
            return self._follow(self._mailbox.call("report_rung", self._job.key, self._rank, progress))
        if self._rank != 0:
            return Decision.CONTINUE
        if self._sent is not None:
            answered, _ = ray.wait([self._sent], timeout=0)
            if not answered:
                return Decision.CONTINUE
            answer = self._follow(ray.get(self._sent))
            self._sent = None
            if answer is not Decision.CONTINUE:
                return answer
        self._sent = self._mailbox.send("heartbeat", self._job.key, progress)
        return Decision.CONTINUE

    @staticmethod
    def _follow(answer: Decision | None) -> Decision:
        if answer is None:
            raise JobCancelled("the search is over, or another process has the job now")
        return answer


def train_jobs(settings: dict[str, Any]) -> None:
    """Take a job, train it and report its end, until there are no more jobs. Runs in every process of the group.

    It also returns if the mailboxes have died, most often with their search. After an error Ray Train would start the
    group again, and a placement group that it makes after the end of a search stays in the cluster.

    Args:
        settings: `mailboxes` and `slot` of the mailbox, and the `worker` that trains.
    """
    with contextlib.suppress(*DIED_FOR_EVER):
        _train_until_closed(settings)


def _train_until_closed(settings: dict[str, Any]) -> None:
    from ray.train import get_context

    rank = get_context().get_world_rank()
    mailbox = MailboxClient(settings["mailboxes"], settings["slot"])
    me, node = ray.get_runtime_context().current_actor, ray.get_runtime_context().get_node_id()
    while True:
        job = mailbox.call("take_job", rank, me, (node, count_kills()))
        if job is False:
            return
        if job is not True:
            message = _train(settings["worker"], job, _Reporter(mailbox, job, rank))
            if isinstance(message, Failed) and message.kind == "bug" and _a_peer_died(mailbox.call("peers", rank)):
                raise RuntimeError(f"a worker of the group died during {job.trial}; the group restarts")
            if message is not None:
                mailbox.call("end_run", rank, message)


def _a_peer_died(peers: Sequence[Any]) -> bool:
    """Return whether another worker of the group has died; the error of this one is then no bug in the run."""
    end = time.monotonic() + PEER_SECONDS
    while peers and time.monotonic() < end:
        for peer in peers:
            try:
                ray.get(peer.__ray_ready__.remote(), timeout=1.0)
            except DIED:
                return True
            except GetTimeoutError:
                continue
        time.sleep(0.5)
    return False


def _train(worker: Worker, job: Job, report: Report) -> Ended | Failed | UserMistake | None:
    try:
        with writing(Path(job.log)), redirect_output(Path(job.log)):
            return _train_printing(worker, job, report)
    except UserError as error:  # the log itself cannot be written
        return UserMistake(trial=job.trial, attempt=job.attempt, error=error)


def _train_printing(worker: Worker, job: Job, report: Report) -> Ended | Failed | UserMistake | None:
    config = from_dict(job.config)
    try:
        with writing(Path(config.run.dir or ".")):
            outcome = worker(config, report)
    except (JobCancelled, Superseded):
        return None
    except DIED:
        raise  # of the mailboxes; `train_jobs` handles it
    except UserError as error:
        return UserMistake(trial=job.trial, attempt=job.attempt, error=error)
    except Exception as error:
        traceback.print_exc()
        kind = next((kind for raised, kind in KINDS.items() if isinstance(error, raised)), "bug")
        reason = traceback.format_exc() if kind == "bug" else str(error)
        on_gpu = isinstance(error, OutOfMemory) and error.on_gpu
        return Failed(trial=job.trial, attempt=job.attempt, kind=kind, reason=reason, on_gpu=on_gpu)
    return Ended(trial=job.trial, attempt=job.attempt, outcome=outcome)


class WorkerGroup:
    """The thread that keeps a slot's worker group running.

    It ends when the mailbox is closed and the workers have returned, or when Ray Train cannot keep the group running.
    It then calls `end_group` of the mailbox, so that the slot does not wait for ever.
    """

    def __init__(self, plan: SlotPlan, folder: str, worker: Worker, mailboxes: Any, slot: str) -> None:
        """Prepare the thread.

        Args:
            plan: the number of workers and their resources.
            folder: absolute path of the folder in which Ray Train writes.
            worker: trains one configuration.
            mailboxes: the handle of the `Mailboxes` actor.
            slot: name of the slot.
        """
        self._plan = plan
        self._folder = folder
        self._worker = worker
        self._mailboxes = mailboxes
        self._slot = slot
        self._thread = threading.Thread(target=self._keep, name=f"group-{slot}", daemon=True)

    def start(self) -> None:
        """Start the group without waiting for it."""
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the group's end; return False if `timeout` seconds pass first."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def kill(self) -> None:
        """Kill every worker process; Ray Train restarts the group while the mailbox is open."""
        for worker in MailboxClient(self._mailboxes, self._slot).call("workers"):
            ray.kill(worker, no_restart=True)

    def _keep(self) -> None:
        started, kills, killer = time.monotonic(), count_kills(), None
        try:
            self._trainer().fit()
            reason = "the worker group ended"
        except Exception:
            reason = f"the worker group failed after {time.monotonic() - started:.0f} s:\n{traceback.format_exc()}"
            if count_kills() > kills:
                killer = "the kernel"
            elif OutOfMemoryError.__name__ in reason:
                killer = "Ray"
        with contextlib.suppress(*DIED):
            MailboxClient(self._mailboxes, self._slot).call("end_group", reason, killer)

    def _trainer(self) -> Any:
        from ray.train.v2.api.config import FailureConfig, RunConfig, ScalingConfig

        # A single worker needs no torch process group. TorchTrainer would import torch here and in Ray Train's
        # controller: 3 s and 270 MB for each slot.
        trainer: Any
        if self._plan.workers == 1:
            from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer as trainer
        else:
            from ray.train.torch import TorchTrainer as trainer
        return _without_datasets(trainer)(
            train_jobs,
            train_loop_config={"mailboxes": self._mailboxes, "slot": self._slot, "worker": self._worker},
            scaling_config=ScalingConfig(
                num_workers=self._plan.workers,
                use_gpu=self._plan.gpus_per_worker > 0,
                resources_per_worker={"CPU": self._plan.cpus_per_worker, "GPU": self._plan.gpus_per_worker},
            ),
            run_config=RunConfig(
                name=self._slot,
                storage_path=self._folder,
                # Worker deaths are limited per trial (resources.max_retries), not here. Without a place a group ends.
                failure_config=FailureConfig(max_failures=-1, controller_failure_limit=0),
            ),
        )


def _without_datasets(trainer: Any) -> Any:
    """Return a subclass of a Ray Train trainer that divides no Ray Data sets among its workers.

    Each worker group has a process for that, also without data sets: 1.5 s and 0.2 GB. The callback is found by its
    name, so that a release of Ray without it works too.
    """

    class Trainer(trainer):  # type: ignore[misc]
        def _create_default_callbacks(self) -> list[Any]:
            callbacks = super()._create_default_callbacks()
            return [callback for callback in callbacks if type(callback).__name__ != "DatasetsCallback"]

    return Trainer
