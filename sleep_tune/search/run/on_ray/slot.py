"""A slot as Ray Tune sees it: a Trainable whose actor, and the workers behind it, are used by trial after trial.

`step` returns the next thing that the workers say. The driver answers through the mailbox; Tune's own stop is only
for a trial that is given up. Knows nothing of the director, nor of what a job trains.
"""

import contextlib
import uuid
from dataclasses import replace
from typing import Any

import ray
from ray import tune

from sleep_tune.search.decide.work import Worker
from sleep_tune.search.run.on_ray.memory_kills import killed_by_ray
from sleep_tune.search.run.on_ray.messages import Closed, Ended, Failed, GroupEnded, Lost, Refused
from sleep_tune.search.run.on_ray.worker_group import DIED, Group, GroupPlan, Line

__all__ = ["GRACE_SECONDS", "Slot"]

GRACE_SECONDS = 60.0
"""A worker told to stop has this long to do so; then its process is ended."""

STRAGGLE_SECONDS = 15.0
"""Workers of one trial come to its end together; one that comes so much later never will."""

PATIENCE_SECONDS = 5.0
"""How often a slot that hears nothing looks whether its worker is overdue."""

END_SECONDS = 4.0
"""The wait for the workers when the slot itself ends; less than the 5 s after which Tune kills the slot."""


class Slot(tune.Trainable):
    """One trial's worth of resources, with a warm worker group."""

    def setup(
        self, config: dict[str, Any], room: Any = None, plan: GroupPlan | None = None, worker: Worker | None = None
    ) -> None:
        """Open a mailbox, put the first job into it and start the workers, without waiting for them."""
        assert plan is not None, "the slot's plan is bound by tune.with_parameters"
        assert worker is not None, "the slot's worker is bound by tune.with_parameters"
        self._room = room
        self._name = f"slot-{uuid.uuid4().hex[:8]}"
        self._line = Line(room, self._name)
        ray.get(room.open.remote(self._name, plan.workers))
        ray.get(room.fetch.remote(self._name, config["trial"]))
        self._group = Group(plan, worker, room, self._name)
        self._group.start()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Give the same workers another trial; one that is stuck in the last trial is ended first."""
        if not self._line.call("settle", GRACE_SECONDS, STRAGGLE_SECONDS):
            self._group.kill()
        ray.get(self._room.fetch.remote(self._name, new_config["trial"]))
        return True

    def step(self) -> dict[str, Any]:
        """Wait for what the workers say next.

        Raises:
            RuntimeError: the worker group is gone; Tune then gives up this slot.
        """
        message = None
        while message is None:
            message = self._line.call("next", PATIENCE_SECONDS)
            if message is None and self._line.call("overdue") > GRACE_SECONDS:
                self._group.kill()
                self._line.call("give_up")
        if isinstance(message, GroupEnded):
            raise RuntimeError(message.reason)
        if isinstance(message, Lost):
            killer = message.killer or ("Ray" if killed_by_ray(message.workers) else None)
            message = replace(message, killer=killer, workers=())
        return {"message": message, "slot": self._name, "done": isinstance(message, Ended | Failed | Refused | Closed)}

    def cleanup(self) -> None:
        """Let the workers go: asked first, then ended."""
        with contextlib.suppress(*DIED):
            self._line.call("close")
            if not self._group.join(END_SECONDS):
                self._group.kill()
