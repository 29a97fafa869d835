"""A Ray that a command starts for itself on this machine, beside other Rays, for this user only."""

import contextlib
import functools
import os
import resource
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from sleep_tune.errors import ClusterError, listed
from sleep_tune.search.run.on_ray.cluster import (
    FOLDER_PREFIX,
    connect,
    explain_ray_errors,
    nodes,
    raylets,
    require_dashboard,
)
from sleep_tune.search.run.on_ray.ray_variables import (
    changed_environment,
    ignored_variables,
    own_ray_environment,
    proxy_bypass,
)
from sleep_tune.search.run.on_ray.reaper import reap_on_exit
from sleep_tune.search.run.on_ray.slot_plan import Node

__all__ = ["start_own_ray", "startup_notes"]

OBJECT_STORE_BYTES = 200_000_000
"""Size of the object store; only reports and configurations pass through it."""

PATIENCE = {"RAY_gcs_server_port_wait_time_s": "120"}
"""How long Ray waits for its first process to start; its default of 30 s is too short on a busy machine."""

FOLDER_BYTES = 50_000_000
"""Free space that Ray's folder needs, for its logs."""

LEAST_FILES = 200
"""Open files per process: a Ray on two processors started with so many; with 64 it ended this process silently."""

LEAST_THREADS = 800
"""Threads that must be available: a search with two workers had 770, and with too few Ray aborted this process."""

SHORT_PLACES = ("/tmp", "/var/tmp", "/dev/shm")
"""Where Ray's folder can be if the usual place is full or has too long a path."""

LONGEST_PLACE = 11
"""Bytes: a socket's path has at most 107, and Ray's longest path below this place has 96."""


def startup_notes() -> list[str]:
    """Return notes for the user before a search starts its own Ray, one sentence each.

    Raises:
        ClusterError: a variable of the shell that this Ray would use has an invalid value.
    """
    notes = []
    if others := raylets():
        named = [f"{address} ({raylet.info['username']}, process {raylet.pid})" for address, raylet in others.items()]
        notes.append(f"other Rays are running on this machine and share its processors: {listed(named)}")
    if unused := ignored_variables(os.environ):
        notes.append(f"the search starts its own Ray (to join a running one: --address) and ignores {listed(unused)}")
    return notes


@contextlib.contextmanager
def start_own_ray(
    node: Node, *, otherwise: str = "search without Ray: --launcher inline", is_search: bool = True
) -> Iterator[list[Node]]:
    """Start a Ray on this machine and return its nodes; on exit, end it and remove its folder.

    Its processes end when this process ends, even by kill -9. Other Rays on the machine and the shell's variables of
    Ray have no effect on it. Only this user can open its sockets and logs.

    Args:
        node: the CPUs and GPUs that it may use.
        otherwise: what the user can do without Ray, for messages.
        is_search: whether Ray Train will run, which needs the dashboard, and whether workers print to this process.

    Raises:
        ClusterError: it does not start.
    """
    _require_limits(otherwise)
    folder = _private_folder(otherwise)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # Ray Train looks for the address of its cluster in RAY_TMPDIR. A token in the environment spares the
        # user's home the file that Ray would leave there.
        ours = {"RAY_TMPDIR": str(folder), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token(), **PATIENCE}
        stack.enter_context(own_ray_environment(ours))
        with explain_ray_errors(
            lambda reason: (
                f"Ray did not start on this machine: {reason} ({_limits(folder)}). Try again when the machine is less "
                f"busy, or {otherwise}"
            )
        ):
            stack.enter_context(reap_on_exit(folder))
            stack.enter_context(_connected_to_own(folder, node, is_search))
        if is_search:
            require_dashboard(f"install ray[default], or {otherwise}")
        yield nodes()


@contextlib.contextmanager
def _connected_to_own(folder: Path, node: Node, is_search: bool) -> Iterator[None]:
    """Start Ray in `folder`, which is RAY_TMPDIR; end it on exit."""
    temporary = os.environ.get("TMPDIR", tempfile.gettempdir())
    with contextlib.ExitStack() as stack:
        # Ray's dashboard makes sockets below TMPDIR, whose path may be too long. Workers get the user's TMPDIR.
        with changed_environment({"TMPDIR": str(folder)}):
            from ray.util import get_node_ip_address

            here: str = get_node_ip_address()  # type: ignore[no-untyped-call]
            stack.enter_context(changed_environment(proxy_bypass(os.environ, [here])))
            stack.enter_context(
                connect(
                    address="local",
                    num_cpus=node.cpus,
                    num_gpus=node.gpus,
                    include_dashboard=is_search,
                    log_to_driver=is_search,
                    object_store_memory=OBJECT_STORE_BYTES,
                    _temp_dir=str(folder / "ray"),
                    environment={"TMPDIR": temporary},
                )
            )
        import ray

        # The file that `ray start` writes: without it Ray Train would search among all clusters on this machine.
        (folder / "ray" / "ray_current_cluster").write_text(ray.get_runtime_context().gcs_address)
        yield


def _require_limits(otherwise: str) -> None:
    """Check the limits at which Ray would abort this process from C++.

    Raises:
        ClusterError: too few open files or threads are allowed.
    """
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)  # Ray raises the soft limit to the hard one
    if 0 <= files < LEAST_FILES:
        raise ClusterError(
            f"Ray needs at least {LEAST_FILES} open files per process; this shell allows {files} (ulimit -Hn). "
            f"Raise the limit, or {otherwise}"
        )
    threads, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if threads < 0 or os.geteuid() == 0:  # no limit, or root, for whom it does not count
        return
    used = sum(
        process.info["num_threads"] or 0
        for process in psutil.process_iter(["uids", "num_threads"])
        if process.info["uids"] is not None and process.info["uids"].real == os.getuid()
    )
    if threads - used < LEAST_THREADS:
        raise ClusterError(
            f"Ray needs at least {LEAST_THREADS} more threads; this shell allows {threads} (ulimit -u), and this "
            f"user's processes have {used} already. Raise the limit, or {otherwise}"
        )


def _limits(folder: Path) -> str:
    """Return the disk space and the limits that Ray may have exceeded, in numbers."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    processes, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    room = shutil.disk_usage(folder if folder.exists() else folder.parent).free
    limits = [f"{room / 1e6:.0f} MB free in {folder.parent}", f"at most {files} open files (ulimit -n)"]
    if processes != resource.RLIM_INFINITY:
        limits.append(f"at most {processes} processes (ulimit -u)")
    return ", ".join(limits)


@functools.cache
def _token() -> str:
    """Return the token of this process's Rays; always the same, because Ray reads it once per process."""
    return secrets.token_hex(32)


def _private_folder(otherwise: str) -> Path:
    """Create a folder for Ray that only this user can enter; Ray's own folder, inside it, is open to all users.

    Raises:
        ClusterError: no place has enough room and a short path.
    """
    unfit = []
    for place in dict.fromkeys([tempfile.gettempdir(), *SHORT_PLACES]):
        if len(os.fsencode(place)) > LONGEST_PLACE:
            continue
        try:
            free = shutil.disk_usage(place).free
            if free >= FOLDER_BYTES:
                return Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=place))
            unfit.append(f"{place} has {free / 1e6:.0f} MB free")
        except OSError as error:
            unfit.append(f"{place}: {error.strerror}")
    raise ClusterError(
        f"Ray needs a folder with {FOLDER_BYTES / 1e6:.0f} MB free and a path of at most {LONGEST_PLACE} bytes; found "
        f"none: {', '.join(unfit)}. Free space there, set TMPDIR to such a folder, or {otherwise}"
    )
