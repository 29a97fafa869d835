"""A trial that two workers train together, on Ray with real training: what one would train, and as hard to kill."""

from pathlib import Path

import pytest

from sleep_tune.experiment.run_folder import read_config
from tests.search.run.on_ray.runs import Watch, losses, train_again
from tests.search.run.on_ray.test_faults import REAL, real

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(600)]

TWO_WORKERS = REAL.replace("model: tiny,", "model: tiny, model.dropout: 0, model.attention_dropout: 0,")
TWO_WORKERS = TWO_WORKERS.replace("stop: {trials: 2}", "stop: {trials: 1}\nresources: {workers: 2}")


def test_two_workers_train_what_one_would_though_one_of_them_is_killed(tmp_path: Path) -> None:
    """Dropout is off, since each worker draws its own; then only the order of sums differs."""
    driver = real(tmp_path, TWO_WORKERS)
    run = Watch(driver.folder / "trials" / "t0001")
    driver.until(run.look)
    workers = driver.named("ray::RayTrainWorker")
    assert len(workers) == 2
    workers[-1].kill()
    driver.until(lambda: run.look() and driver.attempts(2) == 1)
    assert driver.wait() == 0, driver.output.read_text()
    assert driver.leaves_nothing()
    assert [event["trial"] for event in driver.events() if event["event"] == "completed"] == ["t0001"]
    assert driver.count("failed") == 0
    together = losses(run.run)
    train_again(run.run, tmp_path / "alone", batch_size=2 * read_config(run.run).training.batch_size)
    alone = losses(tmp_path / "alone")
    assert [updates for updates, _ in together] == [updates for updates, _ in alone]
    assert [loss for _, loss in together] == pytest.approx([loss for _, loss in alone], rel=1e-3)
