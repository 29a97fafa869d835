"""Environment variables of Ray: which of the shell's a search uses, and which it sets.

Ray, Tune and Train read about two hundred variables. Some name another cluster, folder or program; with them a search's
own Ray would fail, or ask that cluster about its workers. Ray reads some on import, so this module imports no Ray.
"""

import contextlib
import os
import re
from collections.abc import Collection, Iterator, Mapping

from sleep_tune.errors import ClusterError

__all__ = [
    "KEPT",
    "changed_environment",
    "ignored_variables",
    "joined_cluster_environment",
    "own_ray_environment",
    "proxy_bypass",
]

DRIVER = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A job that was submitted to a cluster may set the same variables as a search.
    "RAY_OVERRIDE_JOB_RUNTIME_ENV": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Under `uv run`, Ray would copy the working directory, results included, and start every worker through uv.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Tune's own snapshots are never read: a search resumes from its log.
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
}
"""Set in the driver's process."""

RAYS = ("RAY_", "TUNE_")
"""Prefixes of the variables of Ray and its libraries."""

LIBRARIES = ("RAY_AIR_", "RAY_CHDIR_", "RAY_TRAIN_", "RAY_TUNE_", "TUNE_")
"""Prefixes of the variables of Tune and Train, which a search sets itself on any cluster."""

KEPT = {
    "RAY_memory_monitor_refresh_ms": (r"[0-9]{1,9}", "a whole number of milliseconds"),
    "RAY_memory_usage_threshold": (r"0(\.[0-9]*)?|\.[0-9]+|1(\.0*)?", "a share of the memory between 0 and 1, as 0.95"),
    "RAY_worker_register_timeout_seconds": (r"[1-9][0-9]{0,8}", "a whole number of seconds, at least 1"),
}
"""Variables that a search's own Ray takes from the shell, because a slow or crowded machine may need other numbers.

Each with the form of its value, as a pattern and in words: at any other value, even a space, Ray ends this process.
"""

PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def ignored_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the names of Ray's variables that a search's own Ray does not use, sorted.

    Raises:
        ClusterError: the value of one of `KEPT` is not valid; Ray would end this process without a message.
    """
    _require_numbers(environment)
    return sorted(name for name in environment if name.startswith(RAYS) and name not in KEPT)


def _require_numbers(environment: Mapping[str, str]) -> None:
    for name, (form, meaning) in KEPT.items():
        if name in environment and re.fullmatch(form, environment[name]) is None:
            raise ClusterError(f"{name} must be {meaning}; got {environment[name]!r}. Correct or unset it")


@contextlib.contextmanager
def own_ray_environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Remove the ignored variables from the environment and make `changes`; undo both on exit."""
    with changed_environment({**DRIVER, **changes}, ignored_variables(os.environ)):
        yield


@contextlib.contextmanager
def joined_cluster_environment(address: str, changes: Mapping[str, str]) -> Iterator[None]:
    """Let Ray find the cluster at `address` and no other, and make `changes`; undo both on exit.

    Raises:
        ClusterError: the value of one of `KEPT` is not valid.
    """
    _require_numbers(os.environ)
    removed = [name for name in os.environ if name.startswith(LIBRARIES) or name == "RAY_API_SERVER_ADDRESS"]
    with changed_environment({**DRIVER, **changes, "RAY_ADDRESS": address}, removed):
        yield


def proxy_bypass(environment: Mapping[str, str], hosts: Collection[str]) -> dict[str, str]:
    """Return the variables with which requests to `hosts` bypass the shell's proxy; none if there is no proxy.

    Ray sends HTTP requests to its dashboard. A proxy may not reach it, and must not see its token.
    """
    if not any(environment.get(name) or environment.get(name.upper()) for name in PROXIES):
        return {}
    before = environment.get("no_proxy") or environment.get("NO_PROXY")
    bypassed = ",".join([*([before] if before else []), *hosts, "127.0.0.1", "localhost"])
    return {"no_proxy": bypassed, "NO_PROXY": bypassed}


@contextlib.contextmanager
def changed_environment(changes: Mapping[str, str], removed: Collection[str] = ()) -> Iterator[None]:
    """Change this process's environment; on exit restore it, and the variables that Ray itself has changed."""
    before = dict(os.environ)
    for name in removed:
        del os.environ[name]
    os.environ.update(changes)
    try:
        yield
    finally:
        for name in {name for name in {*before, *os.environ} if name.startswith(RAYS)} | set(changes):
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]
