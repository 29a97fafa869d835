"""The launchers of a search: `inline` runs one trial at a time in this process, `ray` runs trials on warm slots.

Importing this module starts nothing and imports no Ray.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.interrupts import current
from sleep_tune.search.decide.assignments import Worker
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.run.on_ray import own_ray
from sleep_tune.search.run.on_ray.job_sweeper import start_sweeper
from sleep_tune.search.run.on_ray.slot_plan import Node, SlotPlan

__all__ = ["LAUNCHERS", "Launch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a launcher needs to run the trials of a search."""

    director: Director
    worker: Worker
    slot_plan: SlotPlan
    nodes: list[Node]
    joined: bool
    """Whether this process is connected to a Ray cluster already."""
    logs: Path
    """Absolute path of the folder for the logs of trials."""
    slots: Callable[[], int]
    """Returns how many trials may run now."""
    interrupted: Callable[[], bool]
    """Returns whether the search must end now; called about ten times a second."""
    refresh: Callable[[], None]
    """Refreshes the display and checks the disk; called about ten times a second."""


def launch_inline(launch: Launch) -> None:
    """Run one trial at a time in this process."""

    def refresh() -> None:
        launch.refresh()
        if launch.interrupted():
            current().end()

    with current().waiting():
        run_inline(launch.director, launch.worker, refresh)


def launch_on_ray(launch: Launch) -> None:
    """Run trials on the joined cluster, or on a Ray that is started and ended here."""
    with contextlib.ExitStack() as stack:
        stack.callback(current().install)  # Ray replaces the handler of SIGTERM when it starts
        if not launch.joined:
            stack.enter_context(own_ray.start_own_ray(launch.nodes[0]))
        current().install()
        from sleep_tune.search.run.on_ray import tuner

        if launch.joined:
            start_sweeper()
        tuner.run_on_ray(
            launch.director,
            launch.worker,
            launch.slot_plan,
            logs=launch.logs,
            slots=launch.slots,
            interrupted=launch.interrupted,
            tick=launch.refresh,
        )


LAUNCHERS: dict[str, Callable[[Launch], None]] = {"inline": launch_inline, "ray": launch_on_ray}
"""The launchers by their names on the command line."""
