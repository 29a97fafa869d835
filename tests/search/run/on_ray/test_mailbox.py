import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.records import Decision, Progress
from sleep_tune.search.run.on_ray.mailbox import Mailbox, Mailboxes
from sleep_tune.search.run.on_ray.messages import (
    Ended,
    Failed,
    GroupEnded,
    Job,
    MailboxClosed,
    ProgressMessage,
    WorkerLost,
)
from tests.made import make_outcome, make_progress

SOON = 0.05


def job(trial: str = "t0001", attempt: int = 1) -> Job:
    return Job(trial=trial, attempt=attempt, config={}, log="log")


def progress(words: int, rung: int | None = None) -> Progress:
    return make_progress(words, 1000, rung=rung)


def ended(job: Job, state: str = "completed") -> Ended:
    return Ended(trial=job.trial, attempt=job.attempt, outcome=make_outcome(state))


def failed(job: Job) -> Failed:
    return Failed(trial=job.trial, attempt=job.attempt, kind="diverged", reason="NaN")


def run(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_a_job_is_taken_once_by_each_rank() -> None:
    async def scene() -> None:
        box = Mailbox(2)
        await box.put_job(job())
        assert await box.take_job(0) == job()
        assert await box.take_job(1) == job()
        assert await box.next_message(SOON) is None

    run(scene())


def test_a_worker_waits_for_a_job() -> None:
    async def scene() -> None:
        box = Mailbox(1)
        taking = asyncio.create_task(box.take_job(0))
        await asyncio.sleep(SOON)
        assert not taking.done()
        await box.put_job(job())
        assert await taking == job()

    run(scene())


def test_only_the_latest_heartbeat_is_kept() -> None:
    async def scene() -> None:
        box = Mailbox(1)
        await box.put_job(job())
        await box.take_job(0)
        for words in (1, 2, 3):
            assert await box.heartbeat(job().key, progress(words)) is Decision.CONTINUE
        assert await box.next_message(SOON) == ProgressMessage(trial="t0001", attempt=1, progress=progress(3))
        assert await box.next_message(SOON) is None

    run(scene())


def test_a_rung_waits_for_its_decision_and_overtakes_the_heartbeat() -> None:
    async def scene() -> None:
        box = Mailbox(1)
        await box.put_job(job())
        await box.take_job(0)
        await box.heartbeat(job().key, progress(1))
        report = asyncio.create_task(box.report_rung(job().key, 0, progress(500, rung=500)))
        await asyncio.sleep(SOON)
        assert not report.done()
        assert await box.next_message(SOON) == ProgressMessage(
            trial="t0001", attempt=1, progress=progress(500, rung=500)
        )
        assert await box.next_message(SOON) is None
        await box.answer(job().key, 500, Decision.STOP)
        assert await report is Decision.STOP

    run(scene())


def test_every_rank_hears_the_same_decision_and_only_rank_0_is_read() -> None:
    async def scene() -> None:
        box = Mailbox(2)
        await box.put_job(job())
        await asyncio.gather(box.take_job(0), box.take_job(1))
        late = asyncio.create_task(box.report_rung(job().key, 1, progress(7, rung=500)))
        first = asyncio.create_task(box.report_rung(job().key, 0, progress(500, rung=500)))
        message = await box.next_message(SOON)
        assert isinstance(message, ProgressMessage)
        assert message.progress.words_seen == 500
        assert await box.next_message(SOON) is None
        await box.answer(job().key, 500, Decision.CONTINUE)
        assert [await late, await first] == [Decision.CONTINUE] * 2

    run(scene())


def test_a_worker_that_asks_again_has_lost_its_job() -> None:
    """A killed worker's successor asks for a job; the driver, not the mailbox, decides what becomes of the old one."""

    async def scene() -> None:
        box = Mailbox(1)
        await box.put_job(job())
        await box.take_job(0, "dead")
        again = asyncio.create_task(box.take_job(0, "alive"))
        assert await box.next_message(SOON) == WorkerLost(trial="t0001", attempt=1, workers=("dead",))
        assert not again.done()
        await box.put_job(job(attempt=2))
        assert await again == job(attempt=2)

    run(scene())


@pytest.mark.parametrize(
    ("before", "after", "killer"),
    [
        (("a", 3), ("a", 4), "the kernel"),
        (("a", 3), ("a", 3), None),
        (("a", 3), ("b", 4), None),  # the successor is elsewhere, and cannot know
        (("a", 3), ("a", 0), None),  # the machine was started again
    ],
)
def test_a_worker_whose_kernel_has_killed_since_died_for_want_of_memory(
    before: tuple[str, int], after: tuple[str, int], killer: str | None
) -> None:
    async def scene() -> None:
        box = Mailbox(1)
        await box.put_job(job())
        await box.take_job(0, None, before)
        again = asyncio.create_task(box.take_job(0, None, after))
        lost = await box.next_message(SOON)
        assert isinstance(lost, WorkerLost)
        assert lost.killer == killer
        await box.close()
        assert await again is False

    run(scene())


def test_a_dead_workers_wait_takes_no_job() -> None:
    """A worker killed while it waited leaves its wait behind in the mailbox."""

    async def scene() -> None:
        box = Mailbox(1)
        dead = asyncio.create_task(box.take_job(0))
        await asyncio.sleep(0)
        alive = asyncio.create_task(box.take_job(0))
        await asyncio.sleep(SOON)
        await box.put_job(job())
        assert await dead is True
        assert await alive == job()
        assert await box.next_message(SOON) is None

    run(scene())


def test_an_earlier_attempt_is_dismissed_and_not_heard() -> None:
    """The answer STOP would have removed the checkpoints that the later attempt resumes from."""

    async def scene() -> None:
        box = Mailbox(1)
        await box.put_job(job(attempt=2))
        await box.take_job(0)
        assert await box.heartbeat(job(attempt=1).key, progress(1)) is None
        assert await box.report_rung(job(attempt=1).key, 0, progress(500, rung=500)) is None
        await box.end_run(0, ended(job(attempt=1)))
        await box.answer(job(attempt=1).key, 500, Decision.CONTINUE)
        assert await box.next_message(SOON) is None

    run(scene())


def test_rank_0_ends_the_job_and_any_rank_fails_it() -> None:
    async def scene() -> None:
        box = Mailbox(2)
        await box.put_job(job())
        await asyncio.gather(box.take_job(0), box.take_job(1))
        await box.end_run(1, ended(job()))
        assert await box.next_message(SOON) is None
        await box.end_run(0, ended(job()))
        assert await box.next_message(SOON) == ended(job())
        await box.put_job(job("t0002"))
        await asyncio.gather(box.take_job(0), box.take_job(1))
        await box.end_run(1, failed(job("t0002")))
        assert await box.next_message(SOON) == failed(job("t0002"))

    run(scene())


def test_a_rank_that_has_ended_may_ask_while_another_still_trains() -> None:
    async def scene() -> None:
        box = Mailbox(2)
        await box.put_job(job())
        await asyncio.gather(box.take_job(0), box.take_job(1))
        await box.end_run(1, ended(job()))
        asking = asyncio.create_task(box.take_job(1))
        assert await box.next_message(SOON) is None
        await box.end_run(0, ended(job()))
        assert await box.next_message(SOON) == ended(job())
        await box.put_job(job("t0002"))
        assert await asking == job("t0002")

    run(scene())


def test_settled_means_that_every_rank_waits() -> None:
    async def scene() -> None:
        box = Mailbox(2)
        waits = [asyncio.create_task(box.take_job(0))]
        assert not await box.wait_until_idle(SOON)
        assert not await box.wait_until_idle(1000.0, SOON)
        waits.append(asyncio.create_task(box.take_job(1)))
        assert await box.wait_until_idle(1.0)
        await box.put_job(job())
        await asyncio.gather(*waits)
        assert not await box.wait_until_idle(SOON)

    run(scene())


def test_a_run_that_does_not_stop_counts_as_stopped_where_it_reported() -> None:
    async def scene() -> None:
        box = Mailbox(1)
        await box.put_job(job())
        await box.take_job(0, "worker")
        report = asyncio.create_task(box.report_rung(job().key, 0, progress(500, rung=500)))
        await box.next_message(SOON)
        assert box.seconds_overdue() == 0
        await box.answer(job().key, 500, Decision.STOP)
        assert await report is Decision.STOP
        await asyncio.sleep(SOON)
        assert box.seconds_overdue() > 0
        assert box.workers() == ["worker"]
        await box.end_overdue_run()
        message = await box.next_message(SOON)
        assert isinstance(message, Ended)
        assert message.outcome is not None
        assert (message.outcome.state, message.outcome.words_seen) == ("stopped", 500)
        await box.end_run(0, ended(job()))  # the worker did end after all
        assert await box.next_message(SOON) is None

    run(scene())


def test_closing_lets_everyone_go() -> None:
    async def scene() -> None:
        box = Mailbox(2)
        await box.put_job(job())
        await box.take_job(0)
        report = asyncio.create_task(box.report_rung(job().key, 0, progress(500, rung=500)))
        listening = asyncio.create_task(box.next_message(60))
        await box.next_message(SOON)
        await box.close()
        assert await report is None
        assert isinstance(await listening, MailboxClosed | ProgressMessage)
        assert await box.heartbeat(job().key, progress(600)) is None
        assert await box.take_job(1) is False
        assert await box.next_message(SOON) == MailboxClosed()

    run(scene())


def test_the_end_of_the_group_is_heard_and_survives_the_next_job() -> None:
    """A slot whose workers are gone must not wait for a report for ever."""

    async def scene() -> None:
        box = Mailbox(1)
        await box.end_group("no such device")
        await box.put_job(job())
        assert await box.next_message(60) == GroupEnded(reason="no such device")

    run(scene())


def test_a_heartbeat_needs_no_rung_and_a_rung_one() -> None:
    async def scene() -> None:
        box = Mailbox(1)
        await box.put_job(job())
        with pytest.raises(AssertionError, match="heartbeat"):
            await box.report_rung(job().key, 0, progress(1))

    run(scene())


def test_a_held_search_pauses_its_runs_and_gives_back_what_none_has_begun() -> None:
    async def scene() -> None:
        box = Mailbox(1)
        await box.put_job(job())
        await box.take_job(0)
        assert await box.heartbeat(job().key, progress(1)) is Decision.CONTINUE
        await box.set_paused(True)
        assert await box.heartbeat(job().key, progress(2)) is Decision.PAUSE
        await box.end_run(0, ended(job(), "paused"))
        assert await box.next_message(SOON) == ended(job(), "paused")
        await box.put_job(job(attempt=2))
        message = await box.next_message(SOON)
        assert isinstance(message, Ended)
        assert (message.attempt, message.outcome) == (2, None)
        assert await box.take_job(0) is True
        await box.set_paused(False)
        await box.put_job(job(attempt=3))
        assert await box.take_job(0) == job(attempt=3)
        assert await box.heartbeat(job(attempt=3).key, progress(3)) is Decision.CONTINUE

    run(scene())


def test_a_rung_may_be_answered_with_a_pause() -> None:
    async def scene() -> None:
        box = Mailbox(1)
        await box.put_job(job())
        await box.take_job(0)
        report = asyncio.create_task(box.report_rung(job().key, 0, progress(500, rung=500)))
        await box.next_message(SOON)
        await box.answer(job().key, 500, Decision.PAUSE)
        assert await report is Decision.PAUSE
        assert box.seconds_overdue() == 0  # saving a checkpoint takes its time

    run(scene())


def test_a_room_that_is_held_holds_every_slot_that_opens() -> None:
    async def scene() -> None:
        room = Mailboxes()
        await room.open_mailbox("a", 1)
        room.stage_job(job())
        await room.deliver_job("a", "t0001")
        await room.set_paused(True)
        assert isinstance(await room.call("a", "next_message", SOON), Ended)
        await room.open_mailbox("b", 1)
        room.stage_job(job(attempt=2))
        await room.deliver_job("b", "t0001")
        assert isinstance(await room.call("b", "next_message", SOON), Ended)

    run(scene())


def test_a_dead_slots_job_is_known_to_have_been_taken_or_not() -> None:
    async def scene() -> None:
        room = Mailboxes()
        await room.open_mailbox("a", 1)
        room.stage_job(job())
        await room.deliver_job("a", "t0001")
        assert await room.call("a", "take_job", 0) == job()
        assert await room.close_dead_slot(job().key) == (True, "", None)
        assert await room.call("a", "heartbeat", job().key, progress(1)) is None
        assert await room.call("a", "take_job", 0) is False
        await room.open_mailbox("b", 1)
        room.stage_job(job("t0002"))
        assert await room.close_dead_slot(job("t0002").key) == (False, "", None)
        room.stage_job(job("t0002"))
        await room.deliver_job("b", "t0002")
        await room.call("b", "end_group", "no memory", "the kernel")
        assert await room.close_dead_slot(job("t0002").key) == (False, "no memory", "the kernel")

    run(scene())


def test_workers_know_their_peers() -> None:
    async def scene() -> None:
        box = Mailbox(2)
        await box.put_job(job())
        await asyncio.gather(box.take_job(0, "first"), box.take_job(1, "second"))
        assert box.peers(0) == ["second"]
        assert box.peers(1) == ["first"]

    run(scene())


def test_the_room_hands_staged_jobs_to_slots_and_closes_them_all() -> None:
    async def scene() -> None:
        room = Mailboxes()
        for slot in ("a", "b", "a"):
            await room.open_mailbox(slot, 1)
        room.stage_job(job("t0007"))
        await room.deliver_job("b", "t0007")
        assert await room.call("b", "take_job", 0) == job("t0007")
        assert await room.call("a", "seconds_overdue") == 0
        assert "t0007#1" in repr(room)
        await room.close_all()
        assert await room.call("a", "take_job", 0) is False

    run(scene())


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_every_job_ends_once_however_often_its_workers_die(seed: int, ranks: int) -> None:
    """Workers that die at random: each death is one WorkerLost, each job one end, and attempts are counted up."""

    async def scene() -> None:
        rng = random.Random(seed)
        box = Mailbox(ranks)
        deaths = 0

        async def group() -> None:
            """A group that is started again, all ranks together, whenever one of them dies."""
            nonlocal deaths
            while await asyncio.gather(*(worker(rank) for rank in range(ranks))) != [False] * ranks:
                deaths += 1

        async def worker(rank: int) -> bool:
            while True:
                given_job = await box.take_job(rank)
                if given_job is False:
                    return False
                if given_job is True:
                    continue
                if dies[given_job.key]:
                    return True
                await box.report_rung(given_job.key, rank, progress(500, rung=500))
                await box.end_run(rank, ended(given_job))

        dies: dict[tuple[str, int], bool] = {}
        working = asyncio.create_task(group())
        for number in range(3):
            now = job(f"t{number}")
            while True:
                dies[now.key] = rng.random() < 0.4
                await box.put_job(now)
                message = await box.next_message(10)
                if isinstance(message, WorkerLost):
                    assert (message.trial, message.attempt) == now.key
                    now = job(now.trial, now.attempt + 1)
                    continue
                assert isinstance(message, ProgressMessage)
                await box.answer(now.key, 500, Decision.CONTINUE)
                assert await box.next_message(10) == ended(now)
                break
        await box.close()
        await working
        assert deaths == sum(dies.values())

    run(scene())
