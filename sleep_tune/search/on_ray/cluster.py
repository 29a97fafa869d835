"""The Ray cluster: started here for one search, or joined; its nodes, and what is wrong with it, told at the start.

Knows nothing of trials.
"""

import contextlib
import functools
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from sleep_tune.errors import ClusterError
from sleep_tune.search.on_ray.reaper import watched
from sleep_tune.search.on_ray.seats import Node
from sleep_tune.search.on_ray.token import token_settings

__all__ = ["joined", "nodes", "refuse_second", "started", "this_machine"]

SETTINGS = {
    # Ray Train looks for dead and finished workers this often (seconds); 2 s is its default.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    # Ray would make a session folder the working directory, and relative paths would lead there.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # A worker group that finds no place within this time (seconds) is given up; Ray's 60 s would be tried for ever.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "20",
    # Helpers of Train that serve neither a search nor its report, a process of 0.1 GB for each slot.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
}
"""Environment of every process that Ray starts for us."""

DRIVER_SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Tune's own snapshots are never read: what survives a search is its log.
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
}
"""Environment of the driver, unless it is set already."""

OBJECT_STORE_BYTES = 200_000_000
"""Only reports and configurations pass through it."""

CONNECT_SECONDS = 10.0

VANISH_SECONDS = 10.0
"""How long a Ray that is being ended, by a killed driver for one, has to vanish before it counts as a second Ray."""


@functools.cache
def this_machine() -> Node:
    """The CPUs that this process may use and the GPUs that are visible to it, without starting anything."""
    cpus = len(os.sched_getaffinity(0))
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists():
        share, period = quota.read_text().split()
        if share != "max":
            cpus = max(1, min(cpus, int(share) // int(period)))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return Node(cpus, len([device for device in visible.split(",") if device.strip() not in ("", "-1")]))
    if shutil.which("nvidia-smi") is None:
        return Node(cpus, 0)
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False, timeout=60)
    return Node(cpus, 0 if listed.returncode else len(listed.stdout.splitlines()))


@contextlib.contextmanager
def started(node: Node) -> Iterator[list[Node]]:
    """Start a Ray of our own on this machine, with the dashboard; end it and its folder on leaving.

    Its processes end with this one, however this one ends.

    Raises:
        ClusterError: another Ray runs on this machine, or this one does not come up whole.
    """
    refuse_second()
    folder = Path(tempfile.mkdtemp(prefix="sleep-tune-ray-", dir=_short_folder()))
    # A token in the environment spares the user's home the file that Ray would leave there.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with (
        watched(folder),
        _connected(
            address="local",
            num_cpus=node.cpus,
            num_gpus=node.gpus,
            include_dashboard=True,
            object_store_memory=OBJECT_STORE_BYTES,
            _temp_dir=str(folder),
            # Else a file that an earlier `ray start` left in /tmp/ray leads Ray Train's clean-up to a dead cluster.
            environment={"RAY_TMPDIR": str(folder)},
        ),
    ):
        yield nodes()


@contextlib.contextmanager
def joined(address: str, warn: Callable[[str], None]) -> Iterator[list[Node]]:
    """Join a running cluster; leave it on leaving.

    Args:
        address: 'auto' for the cluster that this machine belongs to ($RAY_ADDRESS, if set), or 'host:port'.
        warn: is called with a sentence if the cluster lets everybody in.

    Raises:
        ClusterError: there is none, it does not let us in, it has no dashboard, or this machine belongs to two.
    """
    found = _resolve(address)
    refuse_second({found})
    os.environ.update(token_settings(found, warn))
    # Told to every process: Ray Train's clean-up would look for an address by itself, and may find another cluster's.
    with _connected(address=found, environment={"RAY_ADDRESS": found}):
        yield nodes()


def _resolve(address: str) -> str:
    """The host:port behind `address`, where something answers: Ray itself would try for minutes."""
    if address == "auto":
        running = list(_running())
        address = os.environ.get("RAY_ADDRESS", "auto")
        if address == "auto":
            if len(running) != 1:
                told = "no Ray runs here" if not running else f"there are {', '.join(running)}"
                raise ClusterError(f"--address auto needs one Ray on this machine, as `ray start` makes it; {told}")
            address = running[0]
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise ClusterError(f"--address must be auto or host:port, as `ray start` prints it; got {address}")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterError(f"--address must be that of a running Ray cluster; {address} gives: {error}") from error
    return address


@contextlib.contextmanager
def _connected(*, address: str, environment: Mapping[str, str] | None = None, **arguments: Any) -> Iterator[None]:
    """Connect, with `environment` in every process that is started for us."""
    for key, value in DRIVER_SETTINGS.items():
        os.environ.setdefault(key, value)
    import ray

    settings = {"env_vars": {**SETTINGS, **(environment or {})}}
    try:
        ray.init(address=address, runtime_env=settings, log_to_driver=True, configure_logging=False, **arguments)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise ClusterError(f"no Ray cluster at {address!r}: {str(error).strip()}") from error
    try:
        _require_dashboard(ray.get_runtime_context().gcs_address)
        yield
    finally:
        ray.shutdown()


def nodes() -> list[Node]:
    """What each machine of the cluster has that is there now; Ray must be up."""
    import ray

    alive: list[Mapping[str, Any]] = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return [Node(int(node["Resources"].get("CPU", 0)), node["Resources"].get("GPU", 0.0)) for node in alive]


def _require_dashboard(address: str, patience: float = 30.0) -> None:
    """Ask the cluster's State API, which the dashboard serves, one question.

    Ray Train frees the resources of a slot that died only if the State API answers; without it they stay taken.
    """
    from ray.util.state import list_nodes

    end = time.monotonic() + patience
    while True:
        try:
            list_nodes(address=address, limit=1, timeout=10)
            return
        except Exception as error:
            if time.monotonic() > end:
                raise ClusterError(
                    "the Ray cluster must run its dashboard, or what a dead slot held is never freed; "
                    "install ray[default] and start the head with `ray start --head --include-dashboard=true` "
                    f"({str(error).strip()})"
                ) from error
            time.sleep(0.5)


def refuse_second(own: Collection[str] = ()) -> None:
    """Refuse a machine where a Ray other than `own` runs: Ray Train's clean-up can take one for the other.

    Raises:
        ClusterError: there is one, and it does not vanish as one that is being ended does.
    """
    end = time.monotonic() + VANISH_SECONDS
    while others := {address: pid for address, pid in _running().items() if address not in own}:
        if time.monotonic() > end:
            told = ", ".join(f"{address} (raylet, process {pid})" for address, pid in others.items())
            raise ClusterError(
                f"one Ray at a time must run on this machine, or Ray Train's clean-up takes one for the other; there "
                f"is another: {told}. Join it with --address {next(iter(others))}, or end it"
            )
        time.sleep(0.5)


def _running() -> dict[str, int]:
    """Address of each Ray that has a raylet on this machine -> process id of the raylet."""
    found: dict[str, int] = {}
    for process in psutil.process_iter(["name", "cmdline", "status"]):
        # A zombie has ended; only its parent has not looked yet.
        if process.info["name"] == "raylet" and process.info["status"] != psutil.STATUS_ZOMBIE:
            flags = [flag for flag in process.info["cmdline"] or [] if flag.startswith("--gcs-address=")]
            found[flags[0].partition("=")[2] if flags else "an unknown address"] = process.pid
    return found


def _short_folder() -> Path:
    """Where Ray's folder can be: its sockets' paths must stay below 108 bytes, and take 75 of their own."""
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) <= 12 else Path("/tmp")
