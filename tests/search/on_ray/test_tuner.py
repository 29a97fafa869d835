"""Whole searches on a real Ray, in processes of their own, with a worker that trains nothing."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sleep_tune.search.on_ray.reaper import reap

SCRIPT = Path(__file__).parents[1] / "fake_search.py"
PATIENCE = 150.0

pytestmark = pytest.mark.timeout(400)


class Driver:
    """A search's process, and what it and its Ray leave behind."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.output = folder.parent / "output.txt"
        with self.output.open("a") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(folder), *options], stdout=file, stderr=subprocess.STDOUT
            )
        self.seen: dict[int, psutil.Process] = {}

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to come true while the search runs."""
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
        """The search's processes of this title."""
        self.look()
        found = []
        for process in self.seen.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                if " ".join(process.cmdline()).startswith(name):
                    found.append(process)
        return found

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE)

    def leaves_nothing(self) -> bool:
        """Whether every process that was seen is gone, within ten seconds."""
        _, alive = psutil.wait_procs(self.seen.values(), timeout=10)
        return not alive

    def events(self) -> list[dict[str, Any]]:
        """What trials.jsonl holds."""
        log = self.folder / "trials.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def count(self, event: str) -> int:
        """How many such events there were."""
        return sum(line["event"] == event for line in self.events())

    def starts(self) -> list[str]:
        """Trials in the order in which workers took them."""
        file = self.folder / "starts.txt"
        return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    drivers: list[Driver] = []

    def start(*options: str) -> Driver:
        drivers.append(Driver(tmp_path / "study", *options))
        return drivers[-1]

    yield start
    for driver in drivers:
        if driver.process.poll() is None:
            driver.process.kill()


@pytest.mark.slow
def test_killed_workers_and_slots_resume_their_trial(start: Callable[..., Driver]) -> None:
    driver = start("--seconds", "4", "--diverge", "t0003")
    driver.until(lambda: driver.count("report") >= 1)
    driver.named("ray::RayTrainWorker")[0].kill()
    driver.until(lambda: any(e["event"] == "started" and e["attempt"] == 2 for e in driver.events()))
    driver.until(lambda: driver.count("completed") + driver.count("stopped") >= 1)
    driver.named("ray::ResourceTrainable")[0].kill()
    assert driver.wait() == 0, driver.output.read_text()
    assert driver.leaves_nothing()

    events = driver.events()
    assert events[-1] | {"time": 0} == {"schema": 1, "event": "closed", "time": 0, "data": {"finished": True}}
    ends = Counter(e["trial"] for e in events if e["event"] in ("completed", "stopped", "failed"))
    assert set(ends.values()) == {1}
    assert len(ends) == 7
    assert [e["trial"] for e in events if e["event"] == "failed"] == ["t0003"]
    lost = [e for e in events if e["event"] == "started" and e["data"]["after"] == "lost"]
    assert len(lost) == 2
    assert len(driver.starts()) == 7 + len(lost)

    terminal = driver.output.read_text()
    assert "t0003" in terminal
    for noise in ("Warning", "ray", "TrainController", "prints this", "Traceback"):
        assert noise not in terminal.replace(str(driver.folder), ""), terminal
    assert "t0001 prints this" in (driver.folder / "logs" / "t0001.log").read_text()
    assert "TrainController" in (driver.folder / "logs" / "driver.log").read_text()
    assert not (driver.folder / "logs" / "ray").exists()


@pytest.mark.slow
def test_a_stopped_and_a_killed_search_go_on_where_they_were(start: Callable[..., Driver]) -> None:
    """Ctrl-C, then kill -9, then to the end: nothing is lost, repeated, or left running."""
    driver = start("--seconds", "4")
    driver.until(lambda: driver.count("report") >= 2)
    driver.process.send_signal(signal.SIGINT)
    assert driver.wait() == 130, driver.output.read_text()
    assert driver.leaves_nothing()
    events = driver.events()
    assert events[-1]["data"] == {"finished": False}
    running = {e["trial"] for e in events if e["event"] == "started"}
    running -= {e["trial"] for e in events if e["event"] in ("completed", "stopped", "paused")}
    assert not running  # each run has saved what it had
    assert driver.count("paused") >= 1

    driver = start("--seconds", "4")
    driver.until(lambda: driver.count("completed") >= 2)
    driver.process.kill()
    driver.wait()
    assert driver.leaves_nothing()
    before = driver.events()
    done = {e["trial"] for e in before if e["event"] in ("completed", "stopped")}
    starts = Counter(driver.starts())

    driver = start("--seconds", "0.5")
    assert driver.wait() == 0, driver.output.read_text()
    events = driver.events()
    assert events[: len(before)] == before
    assert events[-1]["data"] == {"finished": True}
    ends = Counter(e["trial"] for e in events if e["event"] in ("completed", "stopped", "failed"))
    assert set(ends.values()) == {1}
    assert len(ends) == 7
    assert all(Counter(driver.starts())[trial] == starts[trial] for trial in done)

    started = time.monotonic()
    driver = start("--seconds", "0.5")
    assert driver.wait() == 0
    assert time.monotonic() - started < 5
    assert driver.events() == events


@pytest.mark.slow
def test_two_workers_train_one_trial_and_a_bug_stops_the_search(start: Callable[..., Driver]) -> None:
    driver = start("--workers", "2", "--bug", "t0002")
    assert driver.wait() == 1
    events = driver.events()
    assert [(e["trial"], e["event"]) for e in events if e["event"] in ("completed", "stopped")] == [
        ("t0001", "completed")
    ]
    assert Counter(driver.starts()) == {"t0001": 2, "t0002": 2}
    failed = next(e for e in events if e["event"] == "failed")
    assert (failed["trial"], failed["data"]["kind"]) == ("t0002", "bug")
    assert failed["data"]["reason"] == "ZeroDivisionError: a bug of ours"
    assert failed["data"]["log"] == str(driver.folder / "logs" / "t0002.log")
    assert "ZeroDivisionError: a bug of ours" in driver.output.read_text()
    assert "ZeroDivisionError" in (driver.folder / "logs" / "t0002.log").read_text()
    assert driver.leaves_nothing()


@pytest.mark.slow
def test_a_cluster_is_joined_and_a_second_ray_refused(start: Callable[..., Driver], tmp_path: Path) -> None:
    """Ray Train's clean-up takes one Ray for the other, so that a live trial's resources could be freed."""
    environment = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # a short path, for Ray's sockets
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--num-cpus=2", "--port=0"]
    ray += ["--include-dashboard=true", f"--temp-dir={folder}"]
    with (tmp_path / "head.txt").open("w") as file:
        head = subprocess.Popen(ray, env=environment, stdout=file, stderr=file)
    try:
        end = time.monotonic() + PATIENCE
        while "Ray runtime started" not in (tmp_path / "head.txt").read_text() and time.monotonic() < end:
            time.sleep(0.2)
        driver = start()
        assert driver.wait() == 2
        assert "one Ray at a time must run on this machine" in driver.output.read_text()
        assert "--address" in driver.output.read_text()
        assert not driver.folder.exists()

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_AUTH_MODE", "disabled")
            driver = start("--address", "auto", "--trials", "1")
        assert driver.wait() == 0, driver.output.read_text()
        assert driver.events()[-1]["data"] == {"finished": True}
        assert head.poll() is None
    finally:
        head.kill()
        head.wait()
        reap(folder)
