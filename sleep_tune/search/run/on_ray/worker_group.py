"""The workers of one slot: started once, then training job after job from the slot's mailbox.

Ray Train starts the group, places it, watches it, and starts it again when a process dies; this module is what runs
inside it and the thread that keeps it. It knows nothing of Tune or of the search; what a job trains is the `Worker`'s.
"""

import contextlib
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayActorError

from sleep_tune.config.tree import from_dict
from sleep_tune.errors import JobCancelled, Superseded, UserError
from sleep_tune.files import writing
from sleep_tune.records import Decision, Progress, Report
from sleep_tune.search.decide.work import KINDS, Worker
from sleep_tune.search.run.on_ray.memory_kills import count_kills
from sleep_tune.search.run.on_ray.messages import Ended, Failed, Job, Refused
from sleep_tune.search.run.output_redirection import printing_to

__all__ = ["DIED", "Group", "GroupPlan", "Line"]

DIED = (RayActorError, OutOfMemoryError)
"""What a call of an actor raises that has died; the second where Ray killed it because memory ran out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """What every slot's group is made of."""

    workers: int
    cpus_per_worker: int
    gpus_per_worker: float
    folder: str
    """Absolute path where Ray Train may write."""


class Line:
    """One slot's mailbox, called from another process; every call waits for its answer.

    Args:
        room: The handle of the actor that is the search's `MailRoom`.
        slot: Name of the slot.
    """

    def __init__(self, room: Any, slot: str) -> None:
        self._room = room
        self._slot = slot

    def call(self, method: str, *arguments: Any) -> Any:
        """Call `method` of the mailbox and wait."""
        return ray.get(self.send(method, *arguments))

    def send(self, method: str, *arguments: Any) -> Any:
        """Call `method` of the mailbox; the answer is a Ray object reference."""
        return self._room.call.remote(self._slot, method, *arguments)


PEER_SECONDS = 10.0
"""A worker that raises waits so long to learn whether another's death was the reason."""


class _Reporter:
    """`report` as a run is given it: rungs wait for their decision, a heartbeat is told the last one's."""

    def __init__(self, line: Line, job: Job, rank: int) -> None:
        self._line = line
        self._job = job
        self._rank = rank
        self._sent: Any = None

    def __call__(self, progress: Progress) -> Decision:
        if progress.rung is not None:
            return self._heed(self._line.call("rung", self._job.key, self._rank, progress))
        if self._rank != 0:
            return Decision.CONTINUE
        if self._sent is not None:
            answered, _ = ray.wait([self._sent], timeout=0)
            if not answered:
                return Decision.CONTINUE
            answer = self._heed(ray.get(self._sent))
            self._sent = None
            if answer is not Decision.CONTINUE:
                return answer
        self._sent = self._line.send("beat", self._job.key, progress)
        return Decision.CONTINUE

    @staticmethod
    def _heed(answer: Decision | None) -> Decision:
        if answer is None:
            raise JobCancelled("the search is over, or the job is another process's")
        return answer


def train_jobs(settings: dict[str, Any]) -> None:
    """Run in every process of the group: take a job, train it, say how it ended, until there are no more.

    Args:
        settings: `room` and `slot` of the mailbox, and the `worker` that trains.
    """
    from ray.train import get_context

    rank = get_context().get_world_rank()
    line = Line(settings["room"], settings["slot"])
    me, node = ray.get_runtime_context().current_actor, ray.get_runtime_context().get_node_id()
    while True:
        job = line.call("take", rank, me, (node, count_kills()))
        if job is False:
            return
        if job is not True:
            message = _train(settings["worker"], job, _Reporter(line, job, rank))
            if isinstance(message, Failed) and message.kind == "bug" and _a_peer_died(line.call("peers", rank)):
                raise RuntimeError(f"a worker of the group died during {job.trial}; the group begins anew")
            if message is not None:
                line.call("end", rank, message)


def _a_peer_died(peers: Sequence[Any]) -> bool:
    """Whether another worker of the group died just now: what this one then raises is no bug of the run's."""
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


def _train(worker: Worker, job: Job, report: Report) -> Ended | Failed | Refused | None:
    try:
        with writing(Path(job.log)), printing_to(Path(job.log)):
            return _train_printing(worker, job, report)
    except UserError as error:  # the log itself cannot be written
        return Refused(trial=job.trial, attempt=job.attempt, error=error)


def _train_printing(worker: Worker, job: Job, report: Report) -> Ended | Failed | Refused | None:
    config = from_dict(job.config)
    try:
        with writing(Path(config.run.dir or ".")):
            outcome = worker(config, report)
    except (JobCancelled, Superseded):
        return None
    except DIED:
        raise  # the mailbox is gone, and the search with it
    except UserError as error:
        return Refused(trial=job.trial, attempt=job.attempt, error=error)
    except Exception as error:
        traceback.print_exc()
        kind = next((kind for raised, kind in KINDS.items() if isinstance(error, raised)), "bug")
        reason = traceback.format_exc() if kind == "bug" else str(error)
        return Failed(trial=job.trial, attempt=job.attempt, kind=kind, reason=reason)
    return Ended(trial=job.trial, attempt=job.attempt, outcome=outcome)


class Group:
    """A worker group that lives as long as its slot.

    Its thread ends when the mailbox is closed and the workers have returned, or when Ray Train gives the group up; it
    then says so in the mailbox, where the slot would otherwise wait for ever.
    """

    def __init__(self, plan: GroupPlan, worker: Worker, room: Any, slot: str) -> None:
        self._plan = plan
        self._worker = worker
        self._room = room
        self._slot = slot
        self._thread = threading.Thread(target=self._keep, name=f"group-{slot}", daemon=True)

    def start(self) -> None:
        """Start the group without waiting for it."""
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the group's end; False if `timeout` seconds pass first."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def kill(self) -> None:
        """End every worker process at once; Ray Train starts the group again while the mailbox is open."""
        for worker in Line(self._room, self._slot).call("workers"):
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
            Line(self._room, self._slot).call("end_group", reason, killer)

    def _trainer(self) -> Any:
        from ray.train.v2.api.config import FailureConfig, RunConfig, ScalingConfig

        # A lone worker needs no process group. TorchTrainer would import torch here and in Ray Train's controller:
        # 3 s and 270 MB for each slot.
        trainer: Any
        if self._plan.workers == 1:
            from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer as trainer
        else:
            from ray.train.torch import TorchTrainer as trainer
        return trainer(
            train_jobs,
            train_loop_config={"room": self._room, "slot": self._slot, "worker": self._worker},
            scaling_config=ScalingConfig(
                num_workers=self._plan.workers,
                use_gpu=self._plan.gpus_per_worker > 0,
                resources_per_worker={"CPU": self._plan.cpus_per_worker, "GPU": self._plan.gpus_per_worker},
            ),
            run_config=RunConfig(
                name=self._slot,
                storage_path=self._plan.folder,
                # Any number of deaths, which are counted by trial; but a group that finds no place is given up.
                failure_config=FailureConfig(max_failures=-1, controller_failure_limit=0),
            ),
        )
