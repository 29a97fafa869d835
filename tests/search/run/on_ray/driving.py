"""Searches and Ray clusters in their own processes, which tests start, inspect and kill."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from sleep_tune.search.run.on_ray.reaper import MEMBERSHIP, reap

__all__ = ["PATIENCE", "Cluster", "Driver"]

SCRIPT = Path(__file__).parents[2] / "fake_search.py"
PATIENCE = 300.0
"""Seconds to wait for something that takes a few on a quiet machine."""


class Driver:
    """A search in its own process, with its log, its output and its child processes."""

    def __init__(self, folder: Path, *options: str, command: Sequence[str] | None = None) -> None:
        """Start it.

        Args:
            folder: results/<name>.
            options: of `fake_search.py`.
            command: what to start instead of `fake_search.py`, under the folder two above `folder`.
        """
        self.folder = folder
        self.output = folder.parent / "output.txt"
        self.output.parent.mkdir(exist_ok=True)
        command = [str(SCRIPT), str(folder), *options] if command is None else command
        with self.output.open("a") as file:
            self.process = subprocess.Popen(
                [sys.executable, *command], stdout=file, stderr=subprocess.STDOUT, cwd=folder.parents[1]
            )
        self.seen: dict[int, psutil.Process] = {}

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds, while the search runs."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < end, self.output.read_text()
            self.look()
            time.sleep(0.1)

    def look(self) -> None:
        """Remember every process that the search has started so far."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                self.seen.setdefault(process.pid, process)

    def named(self, name: str) -> list[psutil.Process]:
        """Return the search's live processes with this title or name."""
        self.look()
        found = []
        for process in self.seen.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                if " ".join(process.cmdline()).startswith(name) or process.name() == name:
                    found.append(process)
        return found

    def wait(self) -> int:
        """Wait for the end, and return the exit code."""
        return self.process.wait(PATIENCE)

    def leaves_nothing(self) -> bool:
        """Return whether all processes that were seen end."""
        _, alive = psutil.wait_procs(self.seen.values(), timeout=PATIENCE)
        return not alive

    def events(self) -> list[dict[str, Any]]:
        """Return the events of trials.jsonl."""
        log = self.folder / "trials.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def count(self, event: str) -> int:
        """Return the number of such events."""
        return sum(line["event"] == event for line in self.events())

    def attempts(self, number: int) -> int:
        """Return how many trials were started for the `number`-th time."""
        return sum(line["event"] == "started" and line["attempt"] == number for line in self.events())

    def after(self, what: str) -> int:
        """Return how many attempts were started after `what`: lost or resumed."""
        return sum(line["event"] == "started" and line["data"]["after"] == what for line in self.events())

    def running(self) -> int:
        """Return the number of trials that workers have taken and that have not ended."""
        ended = {e["trial"] for e in self.events() if e["event"] in ("completed", "stopped", "failed", "paused")}
        return len(set(self.starts()) - ended)

    def starts(self) -> list[str]:
        """Return the trials in the order in which workers took them."""
        file = self.folder / "starts.txt"
        return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


class Cluster:
    """A Ray cluster of several nodes on this machine, in a process of its own; driven by lines of JSON."""

    def __init__(self, folder: Path) -> None:
        """Start nothing yet; its errors go to `folder`."""
        self.nodes: list[str] = []
        """Names of the nodes that were added, in their order."""
        self._errors = folder / "cluster.txt"
        self._ray = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # a short path, for Ray's sockets

    def __enter__(self) -> "Cluster":
        self._before = {name: os.environ.get(name) for name in ("RAY_AUTH_MODE", "RAY_ADDRESS")}
        os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
        os.environ.pop("RAY_ADDRESS", None)
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("cluster_process.py"))],
                env=os.environ | {"RAY_TMPDIR": self._ray, MEMBERSHIP: self._ray, "SPT_NOENV": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        reap(self._ray)
        for name, value in self._before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def add(self, cpus: int) -> str:
        """Add a node (the first is the head) and return its name."""
        self.nodes.append(str(self._ask("add", cpus)))
        return self.nodes[-1]

    def remove(self, name: str) -> None:
        """Kill every process of a node."""
        self._ask("remove", name)
        self.nodes.remove(name)

    @property
    def address(self) -> str:
        """Its host:port."""
        return str(self._ask("address"))

    def left(self) -> list[str]:
        """The placement groups and live actors that there are."""
        return list(self._ask("left"))

    def _ask(self, *words: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        raise AssertionError(self._errors.read_text())
