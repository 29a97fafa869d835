"""Whole searches on a real Ray, in processes of their own, with a worker that trains nothing."""

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sleep_tune.search.run.on_ray.reaper import MEMBERSHIP, members
from tests.search.run.on_ray.driving import Driver

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(400)]


def test_killed_workers_and_slots_resume_their_trial(start: Callable[..., Driver]) -> None:
    driver = start("--seconds", "4", "--diverge", "t0003", "--overflow", "t0002")
    driver.until(lambda: driver.count("report") >= 1)
    driver.named("ray::RayTrainWorker")[0].kill()
    driver.until(lambda: any(e["event"] == "started" and e["attempt"] == 2 for e in driver.events()))
    driver.until(lambda: driver.count("completed") + driver.count("stopped") >= 1)
    driver.named("ray::ResourceTrainable")[0].kill()
    assert driver.wait() == 0, driver.output.read_text()
    assert driver.leaves_nothing()

    events = driver.events()
    assert (events[-1]["event"], events[-1]["data"]) == ("closed", {"finished": True})
    ends = Counter(e["trial"] for e in events if e["event"] in ("completed", "stopped", "failed"))
    assert set(ends.values()) == {1}
    assert len(ends) == 7
    failed = {e["trial"]: e["data"] for e in events if e["event"] == "failed"}
    assert {name: data["kind"] for name, data in failed.items()} == {"t0003": "diverged"}
    assert all(data["log"] == str(driver.folder / "logs" / f"{name}.log") for name, data in failed.items())
    lost = [e for e in events if e["event"] == "started" and e["data"]["after"] == "lost"]
    assert len(lost) == 2
    (deferred,) = [e for e in events if e["event"] == "deferred"]
    assert deferred["trial"] == "t0002"
    assert len(driver.starts()) == 7 + len(lost) + 1
    (alone,) = [n for n, e in enumerate(events) if e["event"] == "started" and e["data"].get("alone")]
    beside = [e["trial"] for e in events[alone:] if e["event"] == "started" and e["trial"] != "t0002"]
    ended = next(e for e in events[alone:] if e["event"] in ("completed", "stopped"))
    assert ended["trial"] == "t0002"
    assert events.index(ended) < next(n for n, e in enumerate(events) if n > alone and e["trial"] in beside)

    terminal = driver.output.read_text()
    assert "t0003" in terminal
    for noise in ("Warning", "ray", "TrainController", "prints this", "Traceback"):
        assert noise not in terminal.replace(str(driver.folder), ""), terminal
    assert "t0001 prints this" in (driver.folder / "logs" / "t0001.log").read_text()
    assert "TrainController" in (driver.folder / "logs" / "driver.log").read_text()
    assert not (driver.folder / "logs" / "ray").exists()


def test_a_stopped_search_resumes_where_it_was(start: Callable[..., Driver]) -> None:
    """SIGTERM as trials start, Ctrl-C once a trial has ended, then to the end: nothing is lost, repeated or left.

    Nor is anything ended that does not belong to the search, such as a reader of its Ray's logs.
    """
    driver = start("--seconds", "4")
    driver.until(lambda: driver.count("started") >= 1)
    driver.process.send_signal(signal.SIGTERM)
    assert driver.wait() == 143, driver.output.read_text()
    assert driver.output.read_text().splitlines()[-1] == "stopped by SIGTERM"
    assert driver.leaves_nothing()

    driver = start("--seconds", "3")
    driver.until(lambda: driver.count("completed") + driver.count("stopped") >= 1 and driver.running() >= 1)
    (raylet,) = driver.named("raylet")
    folder = raylet.environ()[MEMBERSHIP]
    all_of_it, ours = [raylet, *raylet.children(recursive=True)], members(folder)
    assert all(process in ours or not process.is_running() for process in all_of_it)
    with subprocess.Popen(["tail", "-f", *Path(folder).glob("session_*/logs/raylet.out")]) as reader:
        driver.process.send_signal(signal.SIGINT)
        assert driver.wait() == 130, driver.output.read_text()
        assert driver.leaves_nothing()
        assert not members(folder) and not Path(folder).exists()
        assert reader.poll() is None
        reader.kill()
    events = driver.events()
    assert events[-1]["data"] == {"finished": False}
    running = {e["trial"] for e in events if e["event"] == "started"}
    running -= {e["trial"] for e in events if e["event"] in ("completed", "stopped", "paused")}
    assert not running  # each run has saved what it had
    assert driver.count("paused") >= 1

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

    driver = start("--seconds", "0.5")
    while driver.process.poll() is None:
        assert not driver.named("raylet")  # nothing is left to run, so no Ray is started
        time.sleep(0.05)
    assert driver.wait() == 0
    assert driver.events() == events
