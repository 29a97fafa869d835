"""Half a minute of a worker tells its speed, whatever the worker."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.records import Decision, Outcome, Report
from sleep_tune.search.plan.calibration import calibrate
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from tests.made import make_outcome, make_progress
from tests.search.studies import BASE


def worker(words_per_second: float, evaluation: float, test: float, asked: list[RunConfig]) -> Callable[..., Outcome]:
    """Trains at a speed, after a slow second, in made-up seconds."""

    def work(config: RunConfig, report: Report) -> Outcome:
        asked.append(config)
        budget = config.budget.words or int((config.budget.passes or 0) * TOY_CORPUS.words)
        words, seconds, ahead = 0.0, 0.0, [round(share * budget) for share in config.evaluation.rungs]

        def told(rung: int | None) -> Decision:
            return report(make_progress(round(words), budget, seconds=seconds, rung=rung))

        state = "completed"
        while words < budget and state == "completed":
            now = words_per_second * (0.1 if seconds < 1 else 1.0)
            step = min(1.0, (budget - words) / now)
            words = min(budget, words + max(1.0, now * step))
            seconds += step
            if ahead and words >= ahead[0]:
                seconds += evaluation
                told(ahead.pop(0))
            elif told(None) is Decision.STOP:
                state = "stopped"
        if state == "completed":
            seconds += evaluation
            told(budget)
            seconds += test if config.evaluation.test else 0.0
        return make_outcome(state, words_seen=round(words), seconds=seconds)

    return work


def test_the_speed_after_the_warm_up_is_found(tmp_path: Path) -> None:
    asked: list[RunConfig] = []
    speed = calibrate(BASE, TOY_CORPUS, worker(1000, 4.0, 9.0, asked), threads=2, seconds=30)
    assert speed.words_per_second == pytest.approx(1000)
    assert speed.test_seconds == pytest.approx(9)
    assert speed.evaluation_seconds == pytest.approx(4, abs=0.5)
    assert speed.device == "cpu"
    assert time.time() - speed.time < 60
    long, short = asked
    assert long.training.threads == short.training.threads == 2
    assert not long.training.save_model
    assert not long.training.checkpoint_ratio
    assert (long.budget, long.sleep) == (BASE.budget, BASE.sleep)
    assert short.sleep.length.ratio == 0
    assert not Path(str(long.run.dir)).parent.exists()


def test_a_budget_that_is_spent_sooner_is_enough(tmp_path: Path) -> None:
    speed = calibrate(BASE, TOY_CORPUS, worker(1_000_000, 1.0, 0.0, []), threads=1)
    assert speed.words_per_second == pytest.approx(1e6, rel=0.5)
