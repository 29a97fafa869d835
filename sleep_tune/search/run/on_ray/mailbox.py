"""The mailbox between a slot and its workers: jobs in, reports out, and the handshake at a rung.

One `Mailbox` serves one slot; `MailRoom` holds them all and becomes the one Ray actor through which the driver, the
slots and the workers speak. Plain asyncio, so that it is tested without Ray; it knows nothing of Ray, Tune or training.

Five rules:
- A heartbeat is never waited for. Only the latest is kept, and one that a rung has overtaken is dropped.
- A rung's report is answered when the driver has decided; every rank that asks gets the same answer.
- A worker that asks for a job while it still holds one is a new process in a dead one's place: the job was lost.
- What comes for a job that is no longer the slot's (an old process that outlived its attempt, or a search that is over)
  is ignored, and answered with None: leave off, and touch nothing. To stop, as a rung decides, ends a run and clears
  its checkpoints; these are the next attempt's.
- While the search is held, heartbeats are answered with PAUSE, and a job that no worker has taken is given back.
"""

import asyncio
import inspect
import math
import time
from collections.abc import Callable
from typing import Any

from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.search.run.on_ray.messages import (
    Closed,
    Ended,
    Failed,
    GroupEnded,
    Heard,
    Job,
    Key,
    Lost,
    Message,
    Refused,
)

__all__ = ["MailRoom", "Mailbox"]

TAKE_SECONDS = 1.0
"""A worker's wait for a job is answered at least this often: a dead worker's wait could otherwise swallow a job."""


class Mailbox:
    """The job that a slot's workers are to train, and what they say of it."""

    def __init__(self, ranks: int) -> None:
        """Serve a group of `ranks` workers (at least 1)."""
        self._ranks = ranks
        self._workers: dict[int, Any] = {}
        self._changed = asyncio.Condition()
        self._closed = False
        self._messages: list[Message] = []
        self._beat: Heard | None = None
        self._job: Job | None = None
        self._tickets: dict[int, object] = {}
        self._waiting: set[int] = set()
        self._given: set[int] = set()
        self._ended: set[int] = set()
        self._decisions: dict[int, Decision] = {}
        self._reported: Progress | None = None
        self._stop_time: float | None = None
        self._held = False
        self._taken: Key | None = None
        self._kills: dict[int, tuple[str, int]] = {}
        self.reason = ""
        """Why the worker group is gone, once it is."""
        self.killer: str | None = None
        """Who killed its workers because memory ran out, if that is why."""

    def __repr__(self) -> str:
        """The job, and which ranks hold it or wait."""
        job = "no job" if self._job is None else "{}#{}".format(*self._job.key)
        return f"Mailbox({job}, given to {sorted(self._given)}, waiting {sorted(self._waiting)})"

    # The driver and the slot

    async def put(self, job: Job) -> None:
        """Make `job` the slot's: the next that each rank takes. What was said of an earlier job is forgotten."""
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

    async def next(self, timeout: float) -> Message | None:
        """The oldest message, else the latest heartbeat; None if `timeout` seconds pass without either."""
        await self._until(lambda: bool(self._messages or self._beat or self._closed), timeout)
        if self._messages:
            return self._messages.pop(0)
        beat, self._beat = self._beat, None
        return beat or (Closed() if self._closed else None)

    async def answer(self, key: Key, rung: int, decision: Decision) -> None:
        """Decide on the report of `rung`, for every rank of the job `key`."""
        if self._holds(key):
            self._decisions[rung] = decision
            if decision is Decision.STOP:
                self._stop_time = time.monotonic()
            await self._notify()

    async def hold(self, held: bool) -> None:
        """While `held`, have runs save a checkpoint and end, and give back what no worker has taken."""
        self._held = held
        self._give_back()
        await self._notify()

    def took(self, key: Key) -> bool:
        """Whether a worker ever took the job `key` here."""
        return self._taken == key

    def had(self, key: Key) -> bool:
        """Whether the job `key` was here at last, taken or not."""
        return self._taken == key or self._holds(key)

    def overdue(self) -> float:
        """Seconds since the run was told to stop and has not ended; 0 if it was not told."""
        return 0.0 if self._job is None or self._stop_time is None else time.monotonic() - self._stop_time

    async def give_up(self) -> None:
        """Count a run that was told to stop and does not end as stopped at its last report."""
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
            self._over(Ended(trial=self._job.trial, attempt=self._job.attempt, outcome=outcome))
            await self._notify()

    async def settle(self, timeout: float, straggle: float = math.inf) -> bool:
        """Wait until every rank waits for a job.

        Returns:
            False if `timeout` seconds pass first, or `straggle` since one rank was seen to wait: a worker is stuck,
            perhaps in an exchange with one that has left the job alone.
        """
        end = time.monotonic() + timeout
        if not await self._until(lambda: bool(self._waiting), timeout):
            return False
        left = min(straggle, end - time.monotonic())
        return await self._until(lambda: len(self._waiting) == self._ranks, left)

    def workers(self) -> list[Any]:
        """The handles of the workers that ever asked for a job, the latest of each rank."""
        return list(self._workers.values())

    def peers(self, rank: int) -> list[Any]:
        """The handles of the workers of other ranks."""
        return [worker for other, worker in self._workers.items() if other != rank]

    async def end_group(self, reason: str, killer: str | None = None) -> None:
        """Say that the worker group is gone, so that nobody waits for it.

        Args:
            reason: Why, with the traceback.
            killer: Who killed its workers because memory ran out on their machine, if that is known.
        """
        self.reason, self.killer = reason, killer
        self._messages.append(GroupEnded(reason=reason))
        await self._notify()

    async def close(self) -> None:
        """Give out no more jobs, answer every report with None, and let whoever waits go."""
        self._closed = True
        await self._notify()

    # The workers

    async def take(self, rank: int, worker: Any = None, kills: tuple[str, int] = ("", 0)) -> Job | bool:
        """The job to train next; True: none yet, ask again; False: there will be none.

        Args:
            rank: The worker's rank in its group.
            worker: The worker's handle, for `workers`.
            kills: The worker's machine, and how many processes its kernel has killed because memory ran out.
        """
        if self._job is not None and rank in self._given - self._ended:
            (machine, before), workers = self._kills[rank], tuple(self._workers.values())
            killer = "the kernel" if kills[0] == machine and kills[1] > before else None
            self._over(Lost(trial=self._job.trial, attempt=self._job.attempt, killer=killer, workers=workers))
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

    async def beat(self, key: Key, progress: Progress) -> Decision | None:
        """Remember a heartbeat; the answer is CONTINUE, or PAUSE while the search is held."""
        if not self._wanted(key):
            return None
        self._beat = Heard(trial=key[0], attempt=key[1], progress=progress)
        await self._notify()
        return Decision.PAUSE if self._held else Decision.CONTINUE

    async def rung(self, key: Key, rank: int, progress: Progress) -> Decision | None:
        """Report a rung (rank 0's is the one that is read) and wait for the decision."""
        rung = progress.rung
        assert rung is not None, "a report without a rung is a heartbeat"
        if rank == 0 and self._wanted(key) and rung not in self._decisions:
            self._beat = None
            self._reported = progress
            self._messages.append(Heard(trial=key[0], attempt=key[1], progress=progress))
            await self._notify()
        await self._until(lambda: not self._wanted(key) or rung in self._decisions)
        return self._decisions[rung] if self._wanted(key) else None

    async def end(self, rank: int, message: Ended | Failed | Refused) -> None:
        """Say how the run ended. Rank 0's outcome counts, and any rank's failure."""
        wanted = self._holds((message.trial, message.attempt))
        if wanted and (rank == 0 or not isinstance(message, Ended)):
            self._over(message)
            await self._notify()
        elif wanted:
            self._ended.add(rank)

    # Within

    def _holds(self, key: Key) -> bool:
        return self._job is not None and self._job.key == key

    def _wanted(self, key: Key) -> bool:
        return self._holds(key) and not self._closed

    def _offers(self, rank: int) -> bool:
        return self._job is not None and rank not in self._given

    def _give_back(self) -> None:
        """End a job that no worker has taken, while the search is held: it goes on in another attempt."""
        if self._held and self._job is not None and not self._given:
            self._over(Ended(trial=self._job.trial, attempt=self._job.attempt, outcome=None))

    def _over(self, message: Ended | Failed | Refused | Lost) -> None:
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


class MailRoom:
    """Every slot's mailbox, and the jobs that the driver has made ready for slots to fetch."""

    def __init__(self) -> None:
        """Start without slots."""
        self._boxes: dict[str, Mailbox] = {}
        self._ready: dict[str, Job] = {}
        self._held = False

    def __repr__(self) -> str:
        """The slots and their jobs."""
        return f"MailRoom({self._boxes}, ready: {sorted(self._ready)})"

    async def open(self, slot: str, ranks: int) -> None:
        """Give `slot` a mailbox, unless it has one."""
        box = self._boxes.setdefault(slot, Mailbox(ranks))
        await box.hold(self._held)

    def stage(self, job: Job) -> None:
        """Make `job` ready for the slot that will be given its trial."""
        self._ready[job.trial] = job

    async def fetch(self, slot: str, trial: str) -> None:
        """Put the staged job of `trial` into the slot's mailbox."""
        await self._boxes[slot].put(self._ready.pop(trial))

    async def hold(self, held: bool) -> None:
        """While `held`, every run is to pause, and no job is begun."""
        self._held = held
        for box in self._boxes.values():
            await box.hold(held)

    async def bury(self, key: Key) -> tuple[bool, str, str | None]:
        """Forget the job `key`, whose slot has died, and close its mailbox.

        Returns:
            Whether a worker ever took the job; why the slot's worker group ended, if it did before the slot; and who
            killed the group because memory ran out, if that is why.
        """
        self._ready.pop(key[0], None)
        boxes = [box for box in self._boxes.values() if box.had(key)]
        for box in boxes:
            await box.close()
        reason, killer = next(((box.reason, box.killer) for box in boxes if box.reason), ("", None))
        return any(box.took(key) for box in boxes), reason, killer

    async def close_all(self) -> None:
        """Close every mailbox: the search is over or interrupted."""
        for box in self._boxes.values():
            await box.close()

    async def call(self, slot: str, method: str, *arguments: Any) -> Any:
        """Call `method` of the slot's mailbox."""
        answer = getattr(self._boxes[slot], method)(*arguments)
        return await answer if inspect.isawaitable(answer) else answer
