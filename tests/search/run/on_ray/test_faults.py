"""Kill processes of a search, at seeded random moments, and check that nothing is lost or done twice."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.results.table_files import write_tables
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.on_ray.cluster import this_machine
from tests.search.fake_search import study
from tests.search.run.on_ray.driving import Driver
from tests.search.run.on_ray.runs import Watch, losses, train_again

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[4]

REAL = """\
base: {data: toy, data.sentences: 600, data.max_length: 64, tokenizer.vocab_size: 300, model: tiny, budget.passes: 20,
       sleep: default, evaluation.samples: 16, evaluation.pairs: 24, training.save_model: false,
       training.checkpoint_ratio: 0.05, training.log_ratio: 0.01, training.device: cpu}
parameters:
  sleep.folds: {choice: [2, 3]}
scheduler: {name: none}
stop: {trials: 2}
finalists: {count: 0}
"""


def decisions(folder: Path) -> list[tuple[Any, ...]]:
    """Everything that a log says was asked, reported, decided and reached, in order, without times and attempts."""
    made = []
    for line in (folder / "trials.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] in ("asked", "report", "rung", "stopped", "completed", "failed", "refused", "ended"):
            made.append((event["event"], event.get("trial"), json.dumps(event["data"], sort_keys=True)))
    return made


def has_grown(driver: Driver, events: int) -> bool:
    """Whether the log has that many events."""
    return len(driver.events()) >= events


def test_a_driver_killed_again_and_again_decides_as_if_it_had_not_been(
    start: Callable[..., Driver], tmp_path: Path
) -> None:
    """One slot and curves that are functions of the settings: log and table equal those of a search undisturbed."""
    undisturbed = tmp_path / "undisturbed" / "study"
    study(undisturbed, cpus=this_machine().cpus, worker=FakeWorker(heartbeats=10)).run(launcher="inline", address=None)
    one_slot = ("--cpus", str(this_machine().cpus), "--seconds")
    moments = random.Random(3)
    for _ in range(2):
        driver = start(*one_slot, "2")
        driver.until(partial(has_grown, driver, len(driver.events()) + 2))
        time.sleep(moments.uniform(0, 3))
        driver.process.kill()
        driver.wait()
        assert driver.leaves_nothing()
    driver = start(*one_slot, "0.2")
    assert driver.wait() == 0, driver.output.read_text()
    assert decisions(driver.folder) == decisions(undisturbed)
    assert driver.count("resumed") == 2
    for folder in (driver.folder, undisturbed):
        write_tables(folder)
    table = Path("tables") / "comparison.csv"
    assert (driver.folder / table).read_text() == (undisturbed / table).read_text()


def real(tmp_path: Path, space: str = REAL) -> Driver:
    """A search with real training."""
    (tmp_path / "real.yaml").write_text(space)
    return Driver(tmp_path / "results" / "real", command=[str(ROOT / "tune.py"), "real.yaml"])


def test_real_training_resumes_from_its_checkpoint_when_a_worker_or_a_slot_is_killed(tmp_path: Path) -> None:
    driver = real(tmp_path)
    runs = [Watch(driver.folder / "trials" / name) for name in ("t0001", "t0002")]
    driver.until(lambda: all([run.look() for run in runs]))
    driver.named("ray::RayTrainWorker")[0].kill()
    driver.until(lambda: all([run.look() for run in runs]) and driver.attempts(2) == 1)
    driver.named("ray::ResourceTrainable")[-1].kill()
    driver.until(lambda: all([run.look() for run in runs]) and driver.attempts(2) + driver.attempts(3) == 2)
    while driver.process.poll() is None:
        assert all([run.look() for run in runs])
        time.sleep(0.05)
    assert driver.wait() == 0, driver.output.read_text()
    assert driver.leaves_nothing()
    ends = Counter(event["trial"] for event in driver.events() if event["event"] == "completed")
    assert ends == {"t0001": 1, "t0002": 1}
    for run in runs:
        train_again(run.run, tmp_path / run.run.name)
        assert losses(run.run) == losses(tmp_path / run.run.name)


def test_a_search_survives_its_mailboxes_and_ends_by_itself_when_its_cluster_dies(start: Callable[..., Driver]) -> None:
    """It never waits for something that has died. Ray needs ten seconds to notice a dead raylet."""
    driver = start("--seconds", "40", "--trials", "1")
    driver.until(lambda: driver.running() >= 1)
    driver.named("ray::Mailboxes")[0].kill()
    driver.until(lambda: driver.after("lost") >= 1 and len(driver.starts()) > len(set(driver.starts())))
    driver.named("raylet")[0].kill()
    assert driver.wait() != 0
    assert driver.leaves_nothing()
    driver = start("--seconds", "0.2", "--trials", "1")
    assert driver.wait() == 0, driver.output.read_text()
    assert driver.leaves_nothing()
    ends = Counter(e["trial"] for e in driver.events() if e["event"] in ("completed", "stopped", "failed"))
    assert set(ends.values()) == {1}
    assert driver.count("failed") == 0
