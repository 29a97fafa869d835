"""The fake worker is a function of configuration and seed, and follows decisions as training does."""

from typing import Any

import pytest

from sleep_tune.config.schema import EvaluationConfig, ReplayConfig, RunConfig, SleepConfig, TrainingConfig
from sleep_tune.errors import Diverged
from sleep_tune.records import Decision
from sleep_tune.search.run.fake_worker import FakeWorker
from tests.search.studies import BUDGET

RUNGS = EvaluationConfig(rungs=(0.25, 0.5))


def keep_training(progress: Any) -> Decision:
    return Decision.CONTINUE


def test_it_reports_heartbeats_rungs_and_the_end() -> None:
    reports: list[Any] = []

    def report(progress: Any) -> Decision:
        reports.append(progress)
        return Decision.CONTINUE

    ended = FakeWorker(heartbeats=2)(RunConfig(evaluation=RUNGS), report)
    assert [progress.rung for progress in reports] == [
        None,
        None,
        BUDGET // 4,
        None,
        None,
        BUDGET // 2,
        None,
        None,
        BUDGET,
    ]
    assert (ended.state, ended.words_seen) == ("completed", BUDGET)
    assert reports[-1].metrics["eval/nll"] == ended.metrics["eval/nll"]
    assert "test/nll" in ended.metrics
    assert [progress.words_seen for progress in reports] == sorted(progress.words_seen for progress in reports)


def test_it_measures_averaged_weights_where_a_run_would() -> None:
    ended = FakeWorker()(RunConfig(training=TrainingConfig(ema=0.9)), keep_training)
    plain = FakeWorker()(RunConfig(), keep_training)
    assert ended.metrics.keys() == plain.metrics.keys() | {f"ema/{name}" for name in plain.metrics}


@pytest.mark.parametrize("rung", [None, BUDGET // 4, BUDGET // 2])
def test_it_stops_at_once(rung: int | None) -> None:
    reports: list[Any] = []

    def report(progress: Any) -> Decision:
        reports.append(progress)
        return Decision.STOP if progress.rung == rung else Decision.CONTINUE

    ended = FakeWorker()(RunConfig(evaluation=RUNGS), report)
    assert ended.state == "stopped"
    assert reports[-1].rung == rung
    assert "test/nll" not in ended.metrics


def test_it_is_deterministic_and_seeds_and_settings_differ() -> None:
    worker = FakeWorker()
    first = worker(RunConfig(), keep_training)
    assert first == worker(RunConfig(), keep_training)
    assert first != worker(RunConfig(training=TrainingConfig(seed=1)), keep_training)
    assert first != worker(RunConfig(sleep=SleepConfig(replay=ReplayConfig(ratio=0.9))), keep_training)


def test_it_diverges() -> None:
    with pytest.raises(Diverged, match="loss is nan at 50%"):
        FakeWorker()(RunConfig(training=TrainingConfig(learning_rate=0.1)), keep_training)
