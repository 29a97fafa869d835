"""The Ray that a command starts for itself on this machine, beside whatever else runs there, for this user alone."""

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
from sleep_tune.search.run.on_ray.cluster import FOLDER_PREFIX, connected, explained, nodes, raylets, require_dashboard
from sleep_tune.search.run.on_ray.ray_variables import around_own, bypassing_proxies, changed, ignored
from sleep_tune.search.run.on_ray.reaper import watched
from sleep_tune.search.run.on_ray.slot_plan import Node

__all__ = ["notes", "started"]

OBJECT_STORE_BYTES = 200_000_000
"""Only reports and configurations pass through it."""

PATIENCE = {"RAY_gcs_server_port_wait_time_s": "120"}
"""How long Ray waits for its first process to start on a busy machine; 30 s is its default."""

FOLDER_BYTES = 50_000_000
"""Room for the logs of our own Ray."""

LEAST_FILES = 200
"""A Ray on two processors started with so many open files a process; with 64 it ended this process without a word."""

LEAST_THREADS = 800
"""A search with two workers had 770; with too few, Ray aborted this process."""

SHORT_PLACES = ("/tmp", "/var/tmp", "/dev/shm")
"""Where Ray's folder can be if the usual place has no room or too long a path."""

LONGEST_PLACE = 11
"""Bytes: a socket's path has at most 107, and Ray's longest takes 96 of them below this place."""


def notes() -> list[str]:
    """Return what a user should know before a search starts its own Ray, a sentence each.

    Raises:
        ClusterError: a variable of the shell that this Ray would use has no valid value.
    """
    notes = []
    if others := raylets():
        named = [f"{address} ({raylet.info['username']}, process {raylet.pid})" for address, raylet in others.items()]
        notes.append(f"other Rays run on this machine and use the same processors: {listed(named)}")
    if unused := ignored(os.environ):
        notes.append(f"the search starts a Ray of its own (--address joins another) and ignores {listed(unused)}")
    return notes


@contextlib.contextmanager
def started(
    node: Node, *, otherwise: str = "search without Ray: --launcher inline", is_search: bool = True
) -> Iterator[list[Node]]:
    """Start a Ray of our own on this machine; end it and remove its folder on leaving.

    Its processes end with this one, however this one ends. Other Rays on the machine do not matter, nor which of Ray's
    variables the shell sets. Nobody but this user can open its sockets and logs.

    Args:
        node: what it may use.
        otherwise: what a user can do without a Ray, for messages.
        is_search: whether Ray Train runs there, which needs the dashboard, and what workers print is wanted here.

    Raises:
        ClusterError: it does not start.
    """
    _require_limits(otherwise)
    folder = _private_folder(otherwise)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # Ray Train asks for the address of its cluster where RAY_TMPDIR says. A token in the environment spares the
        # user's home the file that Ray would leave there.
        ours = {"RAY_TMPDIR": str(folder), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token(), **PATIENCE}
        stack.enter_context(around_own(ours))
        with explained(
            lambda reason: (
                f"a Ray must start on this machine; it did not: {reason} ({_limits(folder)}). Try again when the "
                f"machine is less busy, or {otherwise}"
            )
        ):
            stack.enter_context(watched(folder))
            stack.enter_context(_connected_to_own(folder, node, is_search))
        if is_search:
            require_dashboard(f"install ray[default], or {otherwise}")
        yield nodes()


@contextlib.contextmanager
def _connected_to_own(folder: Path, node: Node, is_search: bool) -> Iterator[None]:
    """Start Ray in `folder`, which is RAY_TMPDIR; end it on leaving."""
    temporary = os.environ.get("TMPDIR", tempfile.gettempdir())
    with contextlib.ExitStack() as stack:
        # Ray's dashboard makes sockets below TMPDIR, whose path may be too long for them. Workers get the user's.
        with changed({"TMPDIR": str(folder)}):
            from ray.util import get_node_ip_address

            here: str = get_node_ip_address()  # type: ignore[no-untyped-call]
            stack.enter_context(changed(bypassing_proxies(os.environ, [here])))
            stack.enter_context(
                connected(
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

        # As `ray start` leaves it: else Ray Train would look for its cluster among all that run on this machine.
        (folder / "ray" / "ray_current_cluster").write_text(ray.get_runtime_context().gcs_address)
        yield


def _require_limits(otherwise: str) -> None:
    """Refuse limits at which Ray ends this process from C++, where nothing can be caught.

    Raises:
        ClusterError: too few open files or threads are allowed.
    """
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)  # Ray raises its own as far as it may
    if 0 <= files < LEAST_FILES:
        raise ClusterError(
            f"Ray needs at least {LEAST_FILES} open files for each process; this shell allows {files} (ulimit -Hn). "
            f"Raise the limit, or {otherwise}"
        )
    threads, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if threads < 0 or os.geteuid() == 0:  # without a limit, or above it
        return
    used = sum(
        process.info["num_threads"] or 0
        for process in psutil.process_iter(["uids", "num_threads"])
        if process.info["uids"] is not None and process.info["uids"].real == os.getuid()
    )
    if threads - used < LEAST_THREADS:
        raise ClusterError(
            f"Ray needs at least {LEAST_THREADS} more threads; this shell allows {threads} (ulimit -u), of which this "
            f"user's processes have {used}. Raise the limit, or {otherwise}"
        )


def _limits(folder: Path) -> str:
    """What Ray may have run short of, in figures."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    processes, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    room = shutil.disk_usage(folder if folder.exists() else folder.parent).free
    told = [f"{room / 1e6:.0f} MB free in {folder.parent}", f"at most {files} open files (ulimit -n)"]
    if processes != resource.RLIM_INFINITY:
        told.append(f"at most {processes} processes (ulimit -u)")
    return ", ".join(told)


@functools.cache
def _token() -> str:
    """The token of this process's Rays; one only, for Ray reads it only once in a process."""
    return secrets.token_hex(32)


def _private_folder(otherwise: str) -> Path:
    """Make a folder for Ray that only this user can enter.

    Ray opens its own folder, within it, to everybody.

    Raises:
        ClusterError: there is no place for it.
    """
    told = []
    for place in dict.fromkeys([tempfile.gettempdir(), *SHORT_PLACES]):
        if len(os.fsencode(place)) > LONGEST_PLACE:
            continue
        try:
            free = shutil.disk_usage(place).free
            if free >= FOLDER_BYTES:
                return Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=place))
            told.append(f"{place} has {free / 1e6:.0f} MB free")
        except OSError as error:
            told.append(f"{place}: {error.strerror}")
    raise ClusterError(
        f"Ray needs a folder with {FOLDER_BYTES / 1e6:.0f} MB of room and a path of at most {LONGEST_PLACE} bytes; "
        f"{', '.join(told)}. Make room there, set TMPDIR to such a folder, or {otherwise}"
    )
