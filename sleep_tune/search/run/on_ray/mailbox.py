"""The mailboxes through which the driver, the slots and their workers exchange jobs, reports and decisions.

One `Mailbox` serves one slot. `Mailboxes` holds all of them and runs as one Ray actor. Both are plain asyncio, so that
tests need no Ray. Rules:

- A worker does not wait for an answer to a heartbeat. Only the latest one is kept; the report of a rung replaces it.
- The report of a rung is answered when the driver has decided. Every rank gets the same answer.
- A worker that asks for a job while its rank has one is a new process that replaces a dead one: the job was lost.
- A message about a job that the slot no longer has (from a process that outlived its attempt, or after the search) is
  ignored and answered with None: the run must end and change no file. The answer is not STOP, because a run that stops
  removes its checkpoints, which the next attempt needs.
- While the search is paused, heartbeats are answered with PAUSE, and a job that no worker has taken ends at once.
"""

import asyncio
import inspect
import math
import time
from collections.abc import Callable
from typing import Any

from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.search.run.on_ray.messages import (
    Ended,
    Failed,
    GroupEnded,
    Job,
    Key,
    MailboxClosed,
    Message,
    ProgressMessage,
    UserMistake,
    WorkerLost,
)

__all__ = ["Mailbox", "Mailboxes"]

TAKE_SECONDS = 1.0
"""A request for a job is answered after this time at the latest; the open request of a dead worker could take a job."""


class Mailbox:
    """The job of one slot, and the messages of the slot's workers about it."""

    def __init__(self, ranks: int) -> None:
        """Create the mailbox of a group of `ranks` workers (at least 1)."""
        self._ranks = ranks
        self._workers: dict[int, Any] = {}
        self._changed = asyncio.Condition()
        self._closed = False
        self._messages: list[Message] = []
        self._beat: ProgressMessage | None = None
        self._job: Job | None = None
        self._tickets: dict[int, object] = {}
        self._waiting: set[int] = set()
        self._given: set[int] = set()
        self._ended: set[int] = set()
        self._decisions: dict[int, Decision] = {}
        self._reported: Progress | None = None
        self._stop_time: float | None = None
        self._paused = False
        self._taken: Key | None = None
        self._kills: dict[int, tuple[str, int]] = {}
        self.reason = ""
        """Why the worker group ended; empty while it runs."""
        self.killer: str | None = None
        """'the kernel' or 'Ray', if it killed the group's workers because memory ran out."""

    def __repr__(self) -> str:
        """The job, and the ranks that have taken it or wait for one."""
        job = "no job" if self._job is None else "{}#{}".format(*self._job.key)
        return f"Mailbox({job}, given to {sorted(self._given)}, waiting {sorted(self._waiting)})"

    # Called by the driver and the slot

    async def put_job(self, job: Job) -> None:
        """Make `job` the next one that each rank takes, and drop messages about earlier jobs."""
        self._job = job
        self._given = set()
        self._ended = set()
        self._reported = None
        self._stop_time = None
        self._messages = [message for message in self._messages if isinstance(message, GroupEnded)]
        self._beat = None
        self._decisions = {}
        self._give_back()
        await self._notify()

    async def next_message(self, timeout: float) -> Message | None:
        """Return the oldest message, else the latest heartbeat; None if `timeout` seconds pass without either."""
        await self._until(lambda: bool(self._messages or self._beat or self._closed), timeout)
        if self._messages:
            return self._messages.pop(0)
        beat, self._beat = self._beat, None
        return beat or (MailboxClosed() if self._closed else None)

    async def answer(self, key: Key, rung: int, decision: Decision) -> None:
        """Set the decision at `rung` for all ranks of the job `key`."""
        if self._holds(key):
            self._decisions[rung] = decision
            if decision is Decision.STOP:
                self._stop_time = time.monotonic()
            await self._notify()

    async def set_paused(self, paused: bool) -> None:
        """While `paused`, answer heartbeats with PAUSE, and end a job that no worker has taken."""
        self._paused = paused
        self._give_back()
        await self._notify()

    def was_taken(self, key: Key) -> bool:
        """Return whether a worker has taken the job `key` from this mailbox."""
        return self._taken == key

    def has_held(self, key: Key) -> bool:
        """Return whether the job `key` was the last one in this mailbox, taken or not."""
        return self._taken == key or self._holds(key)

    def seconds_overdue(self) -> float:
        """Return the seconds since a run that still trains was answered with STOP; 0 if it was not."""
        return 0.0 if self._job is None or self._stop_time is None else time.monotonic() - self._stop_time

    async def end_overdue_run(self) -> None:
        """End a run that does not stop when it should: it counts as stopped at its last rung."""
        if self._job is not None and self._reported is not None:
            last = self._reported
            outcome = Outcome(
                state="stopped",
                words_seen=last.words_seen,
                updates=last.updates,
                seconds=last.seconds,
                flops=math.nan,
                device="unknown",
                metrics=last.metrics,
            )
            self._end_job(Ended(trial=self._job.trial, attempt=self._job.attempt, outcome=outcome))
            await self._notify()

    async def wait_until_idle(self, timeout: float, straggle: float = math.inf) -> bool:
        """Wait until every rank waits for a job.

        Args:
            timeout: seconds to wait in all.
            straggle: seconds to wait for the other ranks once one of them waits for a job.

        Returns:
            False if that takes longer: a worker is stuck, perhaps in a collective operation with one that has ended.
        """
        end = time.monotonic() + timeout
        if not await self._until(lambda: bool(self._waiting), timeout):
            return False
        left = min(straggle, end - time.monotonic())
        return await self._until(lambda: len(self._waiting) == self._ranks, left)

    def workers(self) -> list[Any]:
        """Return the actor handle of the latest worker of each rank that has asked for a job."""
        return list(self._workers.values())

    def peers(self, rank: int) -> list[Any]:
        """Return the actor handles of the workers of other ranks."""
        return [worker for other, worker in self._workers.items() if other != rank]

    async def end_group(self, reason: str, killer: str | None = None) -> None:
        """Record that the worker group has ended, so that the slot stops waiting for it.

        Args:
            reason: why, with the traceback.
            killer: 'the kernel' or 'Ray', if it killed the workers because memory ran out on their machine.
        """
        self.reason, self.killer = reason, killer
        self._messages.append(GroupEnded(reason=reason))
        await self._notify()

    async def close(self) -> None:
        """Give out no more jobs, and answer every report and every request that waits."""
        self._closed = True
        await self._notify()

    # Called by the workers

    async def take_job(self, rank: int, worker: Any = None, kills: tuple[str, int] = ("", 0)) -> Job | bool:
        """Return the job to train next; True if there is none yet (ask again), False if there will be none.

        Args:
            rank: the worker's rank in its group.
            worker: the worker's actor handle.
            kills: the worker's machine, and how many processes its kernel has killed because memory ran out.
        """
        if self._job is not None and rank in self._given - self._ended:
            (machine, before), workers = self._kills[rank], tuple(self._workers.values())
            killer = "the kernel" if kills[0] == machine and kills[1] > before else None
            self._end_job(WorkerLost(trial=self._job.trial, attempt=self._job.attempt, killer=killer, workers=workers))
        self._workers[rank], self._kills[rank] = worker, kills
        ticket = self._tickets[rank] = object()
        self._waiting.add(rank)
        await self._notify()
        await self._until(lambda: self._closed or self._tickets[rank] is not ticket or self._offers(rank), TAKE_SECONDS)
        if self._tickets[rank] is not ticket:
            return True
        if self._closed:
            self._waiting.discard(rank)
            return False
        if not self._offers(rank):
            return True
        self._waiting.discard(rank)
        self._given.add(rank)
        assert self._job is not None
        self._taken = self._job.key
        return self._job

    async def heartbeat(self, key: Key, progress: Progress) -> Decision | None:
        """Keep a heartbeat. The answer is CONTINUE, or PAUSE while the search is paused."""
        if not self._wanted(key):
            return None
        self._beat = ProgressMessage(trial=key[0], attempt=key[1], progress=progress)
        await self._notify()
        return Decision.PAUSE if self._paused else Decision.CONTINUE

    async def report_rung(self, key: Key, rank: int, progress: Progress) -> Decision | None:
        """Report a rung and wait for the decision. The values are those of rank 0."""
        rung = progress.rung
        assert rung is not None, "a report without a rung is a heartbeat"
        if rank == 0 and self._wanted(key) and rung not in self._decisions:
            self._beat = None
            self._reported = progress
            self._messages.append(ProgressMessage(trial=key[0], attempt=key[1], progress=progress))
            await self._notify()
        await self._until(lambda: not self._wanted(key) or rung in self._decisions)
        return self._decisions[rung] if self._wanted(key) else None

    async def end_run(self, rank: int, message: Ended | Failed | UserMistake) -> None:
        """Record how the run ended: the outcome of rank 0, or the failure of any rank."""
        wanted = self._holds(message.key)
        if wanted and (rank == 0 or not isinstance(message, Ended)):
            self._end_job(message)
            await self._notify()
        elif wanted:
            self._ended.add(rank)

    def _holds(self, key: Key) -> bool:
        return self._job is not None and self._job.key == key

    def _wanted(self, key: Key) -> bool:
        return self._holds(key) and not self._closed

    def _offers(self, rank: int) -> bool:
        return self._job is not None and rank not in self._given

    def _give_back(self) -> None:
        """While the search is paused, end a job that no worker has taken; it restarts later."""
        if self._paused and self._job is not None and not self._given:
            self._end_job(Ended(trial=self._job.trial, attempt=self._job.attempt, outcome=None))

    def _end_job(self, message: Ended | Failed | UserMistake | WorkerLost) -> None:
        self._messages.append(message)
        self._beat = None
        self._job = None

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(condition), timeout)
            except TimeoutError:
                return False
        return True


class Mailboxes:
    """The mailboxes of all slots, and the jobs that wait for a slot."""

    def __init__(self) -> None:
        """Create no mailbox yet."""
        self._boxes: dict[str, Mailbox] = {}
        self._ready: dict[str, Job] = {}
        self._paused = False

    def __repr__(self) -> str:
        """The mailboxes by slot, and the trials that wait for one."""
        return f"Mailboxes({self._boxes}, ready: {sorted(self._ready)})"

    async def open_mailbox(self, slot: str, ranks: int) -> None:
        """Create the mailbox of `slot`, unless it has one."""
        box = self._boxes.setdefault(slot, Mailbox(ranks))
        await box.set_paused(self._paused)

    def stage_job(self, job: Job) -> None:
        """Keep `job` for the slot to which Tune gives its trial."""
        self._ready[job.trial] = job

    async def deliver_job(self, slot: str, trial: str) -> None:
        """Put the staged job of `trial` into the mailbox of `slot`."""
        await self._boxes[slot].put_job(self._ready.pop(trial))

    async def set_paused(self, paused: bool) -> None:
        """Pause or resume every mailbox, and those that are created later."""
        self._paused = paused
        for box in self._boxes.values():
            await box.set_paused(paused)

    async def close_dead_slot(self, key: Key) -> tuple[bool, str, str | None]:
        """Drop the job `key`, whose slot has died, and close that slot's mailbox.

        Returns:
            Whether a worker had taken the job; why the slot's worker group ended, if it ended before the slot; and
            'the kernel' or 'Ray', if it killed the group's workers because memory ran out.
        """
        self._ready.pop(key[0], None)
        boxes = [box for box in self._boxes.values() if box.has_held(key)]
        for box in boxes:
            await box.close()
        reason, killer = next(((box.reason, box.killer) for box in boxes if box.reason), ("", None))
        return any(box.was_taken(key) for box in boxes), reason, killer

    async def close_all(self) -> None:
        """Close every mailbox, at the end of the search or at a signal."""
        for box in self._boxes.values():
            await box.close()

    async def call(self, slot: str, method: str, *arguments: Any) -> Any:
        """Call `method` of the mailbox of `slot`."""
        answer = getattr(self._boxes[slot], method)(*arguments)
        return await answer if inspect.isawaitable(answer) else answer
