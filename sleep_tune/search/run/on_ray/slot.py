"""A slot: a Ray Tune Trainable whose actor and worker group are reused by one trial after another.

`step` returns the next message of the workers, which Tune hands to the dispatcher. The dispatcher answers through the
mailbox; Tune itself stops a trial only if it failed too often.
"""

import contextlib
import uuid
from dataclasses import replace
from typing import Any

import ray
from ray import tune

from sleep_tune.search.decide.assignments import Worker
from sleep_tune.search.run.on_ray.memory_kills import killed_by_ray
from sleep_tune.search.run.on_ray.messages import Ended, Failed, GroupEnded, MailboxClosed, UserMistake, WorkerLost
from sleep_tune.search.run.on_ray.slot_plan import SlotPlan
from sleep_tune.search.run.on_ray.worker_group import DIED, MailboxClient, WorkerGroup

__all__ = ["GRACE_SECONDS", "Slot"]

GRACE_SECONDS = 60.0
"""How long a worker may train on after STOP before its process is killed."""

STRAGGLE_SECONDS = 15.0
"""How long after one worker of a trial has ended the others may still train; then all are killed."""

PATIENCE_SECONDS = 5.0
"""How often a slot without messages checks whether its worker should have stopped."""

END_SECONDS = 4.0
"""How long a slot that ends waits for its workers; Tune kills the slot after 5 s."""


class Slot(tune.Trainable):
    """The resources of one trial at a time, with a worker group that stays warm."""

    def setup(
        self,
        config: dict[str, Any],
        mailboxes: Any = None,
        plan: SlotPlan | None = None,
        worker: Worker | None = None,
        folder: str = "",
    ) -> None:
        """Open a mailbox, put the first job into it, and start the workers without waiting for them."""
        assert plan is not None, "the slot's plan is bound by tune.with_parameters"
        assert worker is not None, "the slot's worker is bound by tune.with_parameters"
        self._mailboxes = mailboxes
        self._name = f"slot-{uuid.uuid4().hex[:8]}"
        self._mailbox = MailboxClient(mailboxes, self._name)
        ray.get(mailboxes.open_mailbox.remote(self._name, plan.workers))
        ray.get(mailboxes.deliver_job.remote(self._name, config["trial"]))
        self._group = WorkerGroup(plan, folder, worker, mailboxes, self._name)
        self._group.start()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Give the same workers another trial; kill them first if one is stuck in the last trial."""
        if not self._mailbox.call("wait_until_idle", GRACE_SECONDS, STRAGGLE_SECONDS):
            self._group.kill()
        ray.get(self._mailboxes.deliver_job.remote(self._name, new_config["trial"]))
        return True

    def step(self) -> dict[str, Any]:
        """Return the workers' next message.

        Raises:
            RuntimeError: the worker group has ended; Tune then ends this slot.
        """
        message = None
        while message is None:
            message = self._mailbox.call("next_message", PATIENCE_SECONDS)
            if message is None and self._mailbox.call("seconds_overdue") > GRACE_SECONDS:
                self._group.kill()
                self._mailbox.call("end_overdue_run")
        if isinstance(message, GroupEnded):
            raise RuntimeError(message.reason)
        if isinstance(message, WorkerLost):
            killer = message.killer or ("Ray" if killed_by_ray(message.workers) else None)
            message = replace(message, killer=killer, workers=())
        return {
            "message": message,
            "slot": self._name,
            "done": isinstance(message, Ended | Failed | UserMistake | MailboxClosed),
        }

    def cleanup(self) -> None:
        """Close the mailbox, which ends the workers; kill those that do not end in time."""
        with contextlib.suppress(*DIED):
            self._mailbox.call("close")
            if not self._group.join(END_SECONDS):
                self._group.kill()
