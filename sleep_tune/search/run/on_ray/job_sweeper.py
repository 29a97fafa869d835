"""Removal of what a search leaves in a joined cluster when it ends or is killed.

Ray removes a job's placement groups at the end of the job, and an actor's at its death. A group whose request arrives
after both stays, with its CPUs, as long as the cluster. Ray Train's controllers start new groups until their process is
killed, which is a while after the search was. Ray Train's `PlacementGroupCleaner` does not help: it learns of a group
only when its workers have started; and if its controller dies before it has started itself, it stays for ever too.

So each search starts an actor that survives it. It waits for the end of the search's job, removes groups and ends
processes until the job has had none for a while, and ends.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from sleep_tune.errors import ClusterError

__all__ = ["ClusterJob", "JobSweeper", "start_sweeper", "sweep"]

START_SECONDS = 120.0
"""Time for the sweeper's process to start."""

POLL_SECONDS = 2.0
"""How often the sweeper checks whether the job has ended."""

LOOK_SECONDS = 1.0
"""How often the sweeper looks for what is left once the job has ended."""

QUIET_SECONDS = 20.0
"""The sweeper ends when nothing was left for so long; a process that is being killed may still send requests."""

LONGEST_SECONDS = 900.0
"""The sweeper ends so long after the job at the latest, for example if the cluster does not answer."""


@dataclass(frozen=True, slots=True)
class ClusterJob:
    """A job of a cluster. Both functions may raise any error if the cluster does not answer."""

    has_ended: Callable[[], bool]
    clear: Callable[[], bool]
    """Removes what it can of what is left of the job; returns whether anything was left."""


def sweep(
    job: ClusterJob, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Wait for the end of `job`, then clear what is left of it until nothing was left for `QUIET_SECONDS`.

    Args:
        job: the job; its errors are ignored, since the cluster may be busy.
        clock: returns seconds.
        sleep: waits for so many seconds.
    """
    while not _answer(job.has_ended):
        sleep(POLL_SECONDS)
    ended = quiet_from = clock()
    while clock() - quiet_from < QUIET_SECONDS and clock() - ended < LONGEST_SECONDS:
        if _answer(job.clear) is not False:
            quiet_from = clock()
        sleep(LOOK_SECONDS)


def _answer(ask: Callable[[], bool]) -> bool | None:
    """Return the answer of the cluster, None if it gives none."""
    with contextlib.suppress(Exception):
        return ask()
    return None


class JobSweeper:
    """Actor that sweeps up after one job, in a thread, and then ends its own process.

    The thread starts with the actor and not by a call, which would never arrive if the search is killed first.
    """

    def __init__(self, job: str) -> None:
        """Begin to wait for the end of the job of this id. Ray repeats this if it restarts the actor."""
        import ray

        this_actor = ray.get_runtime_context().current_actor
        threading.Thread(target=self._sweep, args=(_ray_job(job), this_actor), daemon=True).start()

    @staticmethod
    def _sweep(job: ClusterJob, this_actor: Any) -> None:
        import ray

        sweep(job)
        ray.kill(this_actor, no_restart=True)


def _ray_job(job: str) -> ClusterJob:
    """Return the job of the id `job`, as this process, an actor of the job, sees and clears it."""
    import ray
    from ray._private.state import state
    from ray.util.placement_group import PlacementGroup, remove_placement_group
    from ray.util.state import list_actors, list_placement_groups

    this_actor, this_node = ray.get_runtime_context().get_actor_id(), ray.get_runtime_context().get_node_id()

    def has_ended() -> bool:
        jobs: list[dict[str, Any]] = state.job_table()  # type: ignore[no-untyped-call]
        return not any(each["JobID"] == job and not each["IsDead"] for each in jobs)

    def clear() -> bool:
        groups = list_placement_groups(filters=[("creator_job_id", "=", job), ("state", "!=", "REMOVED")])
        for group in groups:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(bytes.fromhex(group.placement_group_id))))
        living = list_actors(filters=[("job_id", "=", job), ("state", "!=", "DEAD")])
        # Other jobs can use an actor that has a name, for example Ray's coordinator of all training in the cluster.
        ours = [actor for actor in living if actor.actor_id != this_actor and not actor.name]
        for actor in ours:
            if actor.node_id == this_node and actor.pid:  # Ray Train's cleaners; Ray itself ends all others
                _kill(actor.pid, f"ray::{actor.class_name}")
        return bool(groups or ours)

    return ClusterJob(has_ended, clear)


def _kill(pid: int, title: str) -> None:
    """Kill a process of this machine if its title begins so; its id may be another's by now."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if " ".join(process.cmdline()).startswith(title):
            process.kill()


def start_sweeper() -> None:
    """Start the sweeper of this process's job, on the cluster's head, and wait until it runs.

    Call it before the job makes a placement group. Ray must be running.

    Raises:
        ClusterError: it does not start.
    """
    import ray
    from ray._common.constants import HEAD_NODE_RESOURCE_NAME
    from ray.exceptions import GetTimeoutError, RayError

    sweeper: Any = ray.remote(num_cpus=0, max_restarts=-1)(JobSweeper)
    on_head = sweeper.options(lifetime="detached", resources={HEAD_NODE_RESOURCE_NAME: 0.001})
    try:
        ray.get(on_head.remote(ray.get_runtime_context().get_job_id()).__ray_ready__.remote(), timeout=START_SECONDS)
    except (RayError, GetTimeoutError) as error:
        raise ClusterError(
            f"the Ray cluster did not start a process of this search on its head within {START_SECONDS:.0f} s: it has "
            f"died or is overloaded ({str(error).strip().splitlines()[0]}). Run the same command again to resume, or "
            "search without Ray: --launcher inline"
        ) from error
