"""A Ray cluster: joined by its address, its nodes, and what is wrong with it. `own_ray` starts a search's own."""

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from sleep_tune.errors import ClusterError, UserError, shortened
from sleep_tune.search.run.on_ray.ray_variables import around_joined, bypassing_proxies, changed
from sleep_tune.search.run.on_ray.slot_plan import Node
from sleep_tune.search.run.on_ray.token import token_settings

__all__ = ["FOLDER_PREFIX", "connected", "explained", "joined", "nodes", "raylets", "require_dashboard", "this_machine"]

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

CONNECT_SECONDS = 10.0

FOLDER_PREFIX = "sleep-tune-ray-"
"""How the names of the folders of searches' own Rays begin."""


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
def explained(sentence: Callable[[str], str]) -> Iterator[None]:
    """Make one sentence of whatever keeps Ray from starting or answering: it raises bare `Exception`, among others.

    Args:
        sentence: from the first line of Ray's message to ours.

    Raises:
        ClusterError: with that sentence.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        known = isinstance(error, ImportError | OSError | RuntimeError | ValueError) or type(
            error
        ).__module__.startswith("ray.")
        if not known and type(error) is not Exception:
            raise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ClusterError(sentence(shortened(reason, 300))) from error


@contextlib.contextmanager
def joined(address: str, warn: Callable[[str], None]) -> Iterator[list[Node]]:
    """Join a running cluster; leave it on leaving.

    Args:
        address: 'auto' for the cluster that this machine belongs to ($RAY_ADDRESS, if set), or 'host:port'.
        warn: is called with a sentence if the cluster lets everybody in, or hides its dashboard from its machines.

    Raises:
        ClusterError: there is none, it does not let us in, it has no dashboard, or this machine belongs to several.
    """
    found = _resolve(address)
    host = found.rpartition(":")[0]
    hosts = ",".join({host, *_addresses(host)})
    # Every process is given the address: Ray Train would look for one by itself, and may find another cluster's. The
    # shells in which the nodes were started may have named other addresses and proxies.
    everywhere = {"RAY_ADDRESS": found, "RAY_API_SERVER_ADDRESS": ""}
    everywhere |= {"NO_PROXY": f"${{NO_PROXY}},${{no_proxy}},{hosts},127.0.0.1", "no_proxy": "${NO_PROXY}"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(around_joined(found, token_settings(found, warn)))
        stack.enter_context(changed(bypassing_proxies(os.environ, [hosts])))
        with explained(lambda reason: f"no Ray cluster at {found}: {reason}"):
            stack.enter_context(connected(address=found, environment=everywhere, log_to_driver=True))
        require_dashboard("install ray[default] and start the head with `ray start --head --include-dashboard=true`")
        _warn_of_dashboard(warn)
        yield nodes()


def _warn_of_dashboard(warn: Callable[[str], None]) -> None:
    """Warn if machines of the cluster cannot reach its dashboard, as is the default; Ray must be up."""
    import ray
    from ray.dashboard.utils import get_address_for_submission_client

    url: str = get_address_for_submission_client(None)
    machines = {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]
    if _is_hidden(url, machines):
        warn(
            f"the cluster's dashboard ({url}) answers only on its own machine, so what a killed slot held on another "
            "is never freed. Start the head with --dashboard-host=ADDRESS, its own in the network"
        )


def _is_hidden(url: str, machines: Collection[str]) -> bool:
    """Whether `url` leads each of several machines to itself."""
    return len(machines) > 1 and urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def _resolve(address: str) -> str:
    """The host:port behind `address`, where something answers: Ray itself would try for minutes."""
    here, source = raylets(), "--address"
    if address == "auto":
        address, source = os.environ.get("RAY_ADDRESS") or "auto", "RAY_ADDRESS"
        if address == "auto":
            clusters = [found for found, raylet in here.items() if not _is_of_a_search(raylet)]
            if len(clusters) != 1:
                found = f"there are several; choose one: --address {' or '.join(clusters)}" if clusters else "none runs"
                raise ClusterError(f"--address auto needs one Ray on this machine, as `ray start` makes it; {found}")
            address = clusters[0]
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise ClusterError(f"{source} must be auto or host:port, as `ray start` prints it; got {address}")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS) as connection:
            is_here = connection.getsockname()[0] == connection.getpeername()[0]
    except (OSError, OverflowError) as error:
        raise ClusterError(f"{source} must be that of a running Ray cluster; {address} gives: {error}") from error
    # Other nodes cannot reach this machine by the names that it has for itself, such as 127.0.0.1.
    ours = {found.address for card in psutil.net_if_addrs().values() for found in card}
    same = [own for own in here if own.rpartition(":")[2] == port and own.rpartition(":")[0] in ours]
    return same[0] if is_here and address not in here and same else address


def _addresses(host: str) -> set[str]:
    """The IP addresses of `host`, if its name is known here."""
    with contextlib.suppress(OSError):
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    return set()


@contextlib.contextmanager
def connected(*, address: str, environment: Mapping[str, str], **arguments: Any) -> Iterator[None]:
    """Connect, with `environment` in every process that is started for us."""
    import ray

    settings = {"env_vars": {**SETTINGS, **environment}}
    try:
        ray.init(address=address, runtime_env=settings, configure_logging=False, **arguments)
        yield
    finally:
        ray.shutdown()


def nodes() -> list[Node]:
    """What each machine of the cluster has that is there now; Ray must be up."""
    import ray

    alive: list[Mapping[str, Any]] = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return [Node(int(node["Resources"].get("CPU", 0)), node["Resources"].get("GPU", 0.0)) for node in alive]


def require_dashboard(remedy: str, patience: float = 30.0) -> None:
    """Ask the cluster's State API, which the dashboard serves, for this node, as Ray Train asks for its actors.

    Ray Train frees the resources of a slot that died only if the State API answers; without it they stay taken.

    Raises:
        ClusterError: it does not answer, or that of another cluster does.
    """
    import ray
    from ray.util.state import get_node

    node, end = ray.get_runtime_context().get_node_id(), time.monotonic() + patience
    while True:
        try:
            if get_node(node, timeout=10) is not None:
                return
            reason = "another cluster's dashboard answers"
        except Exception as error:
            reason = shortened(str(error).strip(), 300)
        if time.monotonic() > end:
            raise ClusterError(
                f"Ray must run its dashboard, or what a dead slot held is never freed; {remedy} ({reason})"
            )
        time.sleep(0.5)


def raylets() -> dict[str, psutil.Process]:
    """Address of each Ray that has a raylet on this machine -> the raylet."""
    found: dict[str, psutil.Process] = {}
    for process in psutil.process_iter(["name", "cmdline", "status", "username"]):
        # A zombie has ended; only its parent has not looked yet.
        if process.info["name"] == "raylet" and process.info["status"] != psutil.STATUS_ZOMBIE:
            flags = [flag for flag in process.info["cmdline"] or [] if flag.startswith("--gcs-address=")]
            found[flags[0].partition("=")[2] if flags else "an unknown address"] = process
    return found


def _is_of_a_search(raylet: psutil.Process) -> bool:
    """Whether a raylet is that of a search's own Ray, which nobody else may join."""
    return any(f"/{FOLDER_PREFIX}" in flag for flag in raylet.info["cmdline"] or [])
