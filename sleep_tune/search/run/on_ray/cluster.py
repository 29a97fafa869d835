"""Connections to a Ray cluster: join a running one by its address, and list its nodes (`own_ray` starts one)."""

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
from sleep_tune.installation import PACKAGE
from sleep_tune.search.run.on_ray.cluster_checks import token_variables
from sleep_tune.search.run.on_ray.ray_variables import changed_environment, joined_cluster_environment, proxy_bypass
from sleep_tune.search.run.on_ray.slot_plan import Node

__all__ = [
    "FOLDER_PREFIX",
    "connect",
    "explain_ray_errors",
    "join_cluster",
    "nodes",
    "raylets",
    "require_dashboard",
    "this_machine",
]

SETTINGS = {
    # How often (seconds) Ray Train checks for dead and finished workers; its default is 2.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    # Else Ray makes a session folder the working directory, and relative paths lead there.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # A worker group that finds no place within this time (seconds) ends; Ray would retry for ever, for 60 s each.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "20",
    # Parts of Train that a search does not use, among them a process of 0.1 GB for each slot.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
}
"""Environment variables of every process that Ray starts for a search."""

CONNECT_SECONDS = 10.0
"""How long to wait for something to answer at an address."""

FOLDER_PREFIX = "sleep-tune-ray-"
"""Prefix of the folders of searches' own Rays."""


@functools.cache
def this_machine() -> Node:
    """Return the CPUs that this process may use and the GPUs that it can see, without starting Ray."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # none on macOS
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
def explain_ray_errors(sentence: Callable[[str], str]) -> Iterator[None]:
    """Turn errors of Ray, which raises bare `Exception` among others, into a message of one sentence.

    Args:
        sentence: makes the message from the first line of Ray's; from all lines, if the first only announces them.

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
        text = str(error).strip() or type(error).__name__
        first = text.splitlines()[0]
        reason = " ".join(text.split()) if first.endswith(":") else first
        raise ClusterError(sentence(shortened(reason, 300))) from error


@contextlib.contextmanager
def join_cluster(address: str, warn: Callable[[str], None]) -> Iterator[list[Node]]:
    """Join a running cluster and return its nodes; disconnect on exit.

    Args:
        address: 'auto' for the cluster that this machine belongs to ($RAY_ADDRESS, if set), or 'host:port'.
        warn: called with a sentence if the cluster requires no token, or its nodes cannot reach its dashboard.

    Raises:
        ClusterError: there is no cluster or more than one, it refuses the token, or it has no dashboard.
    """
    found = _resolve(address)
    host = found.rpartition(":")[0]
    hosts = ",".join({host, *_addresses(host)})
    # Every process gets the address, since Ray Train would search for one and may find another cluster's. The shells
    # in which the nodes were started may have set other addresses and proxies.
    everywhere = {"RAY_ADDRESS": found, "RAY_API_SERVER_ADDRESS": ""}
    everywhere |= {"NO_PROXY": f"${{NO_PROXY}},${{no_proxy}},{hosts},127.0.0.1", "no_proxy": "${NO_PROXY}"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(joined_cluster_environment(found, token_variables(found, warn)))
        stack.enter_context(changed_environment(proxy_bypass(os.environ, [hosts])))
        with explain_ray_errors(lambda reason: f"cannot join the Ray cluster at {found}: {reason}{_remedy(reason)}"):
            stack.enter_context(connect(address=found, environment=everywhere, log_to_driver=True))
        require_dashboard("install ray[default] and start the head with `ray start --head --include-dashboard=true`")
        _warn_of_dashboard(warn)
        yield nodes()


def _remedy(reason: str) -> str:
    """Return what to do about an error of Ray; empty if that is not known."""
    return ". Use the same versions on all machines" if reason.startswith("Version mismatch") else ""


def _warn_of_dashboard(warn: Callable[[str], None]) -> None:
    """Warn if other machines of the cluster cannot reach its dashboard (Ray's default); Ray must be running."""
    import ray
    from ray.dashboard.utils import get_address_for_submission_client

    url: str = get_address_for_submission_client(None)
    machines = {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]
    if _is_hidden(url, machines):
        warn(
            f"the cluster's dashboard ({url}) answers only on its own machine, so the resources of a killed slot on "
            "another machine are never freed. Start the head with --dashboard-host=ADDRESS, its address in the network"
        )


def _is_hidden(url: str, machines: Collection[str]) -> bool:
    """Return whether `url` is a loopback address although there are several machines."""
    return len(machines) > 1 and urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def _resolve(address: str) -> str:
    """Return the host:port of `address`, after checking that something answers there: Ray would try for minutes."""
    here, source = raylets(), "--address"
    if address == "auto":
        address, source = os.environ.get("RAY_ADDRESS") or "auto", "RAY_ADDRESS"
        if address == "auto":
            clusters = [found for found, raylet in here.items() if not _is_of_a_search(raylet)]
            if len(clusters) != 1:
                found = f"found several; choose one: --address {' or '.join(clusters)}" if clusters else "found none"
                raise ClusterError(
                    f"--address auto needs exactly one running Ray (`ray start`) on this machine; {found}"
                )
            address = clusters[0]
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise ClusterError(f"{source} must be auto, or host:port as `ray start` prints it; got {address}")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS) as connection:
            is_here = connection.getsockname()[0] == connection.getpeername()[0]
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"{source} must be the address of a running Ray cluster; nothing answers at {address}: {error}"
        ) from error
    # Other nodes cannot reach this machine by its loopback addresses, such as 127.0.0.1.
    ours = {found.address for card in psutil.net_if_addrs().values() for found in card}
    same = [own for own in here if own.rpartition(":")[2] == port and own.rpartition(":")[0] in ours]
    return same[0] if is_here and address not in here and same else address


def _addresses(host: str) -> set[str]:
    """Return the IP addresses of `host`; none if its name is unknown here."""
    with contextlib.suppress(OSError):
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    return set()


@contextlib.contextmanager
def connect(*, address: str, environment: Mapping[str, str], **arguments: Any) -> Iterator[None]:
    """Connect to Ray, and set `environment` in every process that it starts for this one; disconnect on exit.

    Raises:
        ClusterError: the working directory holds another package of our name.
    """
    import ray

    _check_working_directory()
    settings = {"env_vars": {**SETTINGS, **environment}}
    try:
        ray.init(address=address, runtime_env=settings, configure_logging=False, **arguments)
        yield
    finally:
        ray.shutdown()


def _check_working_directory() -> None:
    """Refuse a working directory that holds another package of our name: Ray puts it first on its workers' path.

    A `worker_process_setup_hook` that imports ours first is no remedy: with one, a search that is killed leaves a
    placement group in its cluster.

    Raises:
        ClusterError: it does.
    """
    other = Path.cwd() / PACKAGE.name
    if (other / "__init__.py").is_file() and other.resolve() != PACKAGE:
        raise ClusterError(
            f"the working directory must not hold another sleep_tune, which Ray's workers would import; {other} is not "
            f"{PACKAGE}: change to another folder, or use the command of that one"
        )


def nodes() -> list[Node]:
    """Return the CPUs and GPUs of each machine in the cluster now; Ray must be running."""
    import ray

    alive: list[Mapping[str, Any]] = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return [Node(int(node["Resources"].get("CPU", 0)), node["Resources"].get("GPU", 0.0)) for node in alive]


def require_dashboard(remedy: str, patience: float = 30.0) -> None:
    """Check that the cluster's State API, which the dashboard serves, knows this node.

    Ray Train asks it whether its actors live, and without an answer never frees the resources of a dead slot.

    Args:
        remedy: what the user can do, for the message.
        patience: seconds to wait for an answer.

    Raises:
        ClusterError: the State API does not answer, or it is another cluster's.
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
                f"Ray's dashboard must run, else the resources of a dead slot are never freed; {remedy} ({reason})"
            )
        time.sleep(0.5)


def raylets() -> dict[str, psutil.Process]:
    """Return the raylets on this machine by the address of their cluster."""
    found: dict[str, psutil.Process] = {}
    for process in psutil.process_iter(["name", "cmdline", "status", "username"]):
        # A zombie has ended, but its parent has not waited for it yet.
        if process.info["name"] == "raylet" and process.info["status"] != psutil.STATUS_ZOMBIE:
            flags = [flag for flag in process.info["cmdline"] or [] if flag.startswith("--gcs-address=")]
            found[flags[0].partition("=")[2] if flags else "an unknown address"] = process
    return found


def _is_of_a_search(raylet: psutil.Process) -> bool:
    """Return whether a raylet belongs to a search's own Ray, which cannot be joined."""
    return any(f"/{FOLDER_PREFIX}" in flag for flag in raylet.info["cmdline"] or [])
