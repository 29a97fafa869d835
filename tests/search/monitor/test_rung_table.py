"""Rung tables of real directors' trials, as numbers and as they are drawn."""

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.search_state import MAIN
from sleep_tune.search.monitor.rung_table import draw_rungs, rung_table, rung_warning
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Choice, Finalists, Parameter, Scheduler, Search, Stop, Uniform
from tests.search.monitor.shown import drawn
from tests.search.studies import BUDGET, WORKER, open_search, study

HALVING = Scheduler(first_rung=0.2, reduction=2)


def test_a_whole_search_is_counted_at_each_rung(tmp_path: Path) -> None:
    space = study(
        stop=Stop(trials=20), search=Search(algorithm="random"), scheduler=Scheduler(first_rung=0.1, reduction=3)
    )
    with_director = open_search(tmp_path / "small", space)
    run_inline(with_director, WORKER)
    with_director.close()
    trials = with_director.trials.values()
    table = rung_table(trials, "min")
    searched = [trial for trial in trials if trial.study == MAIN]
    assert [rung.words for rung in table] == [BUDGET // 9, BUDGET // 3, BUDGET]
    assert [rung.share for rung in table] == pytest.approx([1 / 9, 1 / 3, 1.0], abs=1e-5)
    first, second, end = table
    assert first.arrived == first.promoted + first.stopped > second.arrived
    assert second.arrived == second.promoted + second.stopped
    assert end.arrived == sum(trial.state == "completed" and trial.repeats is None for trial in searched)
    best = with_director.best()
    assert best is not None
    assert end.best == best.value
    assert first.next is not None
    assert first.next.trials == second.arrived
    assert second.next is None
    values = [trial.rungs[first.words] for trial in searched if first.words in trial.rungs]
    assert first.best == min(value for value in values if math.isfinite(value))


def test_the_mode_and_within_are_heeded(tmp_path: Path) -> None:
    parameters = (Parameter("sleep.length.passes", Choice((1, 2))), Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)))
    space = study(
        parameters=parameters,
        baselines={},
        finalists=Finalists(count=0, seeds=1),
        search=Search(algorithm="random"),
        stop=Stop(trials=24),
        scheduler=Scheduler(first_rung=0.3, reduction=2, within="sleep.length.passes"),
    )
    director = open_search(tmp_path / "small", space)
    run_inline(director, WORKER)
    director.close()
    rung, end = rung_table(director.trials.values(), "max")
    completed = [trial for trial in director.trials.values() if trial.state == "completed"]
    assert {trial.group for trial in completed} == {"1", "2"}
    assert end.best == max(trial.value for trial in completed if trial.value is not None)
    assert rung.end is not None
    assert rung.end.trials == end.arrived == len(completed)


def test_there_is_no_table_before_a_rung(tmp_path: Path) -> None:
    assert rung_table([], "min") == []
    director = open_search(tmp_path / "small", study(scheduler=Scheduler(name="none")))
    run_inline(director, WORKER)
    director.close()
    assert rung_table(director.trials.values(), "min") == []


def noise(config: RunConfig, seed: int, share: float) -> float:
    """A curve whose values at the rungs say nothing of the end."""
    return random.Random(f"{config.sleep.replay.ratio} {share if share < 1 else 1}").random()


def searched(
    folder: Path, worker: FakeWorker, within: str | None = None, trials: int = 12, scheduler: Scheduler = HALVING
) -> str:
    """The view of a whole search."""
    space = study(
        parameters=(
            Parameter("sleep.replay.ratio", Uniform(0.01, 0.99)),
            Parameter("sleep.length.passes", Choice((1, 2))),
        ),
        baselines={},
        finalists=Finalists(count=0, seeds=1),
        search=Search(algorithm="random"),
        stop=Stop(trials=trials),
        scheduler=replace(scheduler, within=within),
    )
    director = open_search(folder / "small", space)
    run_inline(director, worker)
    director.close()
    trained = list(director.trials.values())
    message = rung_warning(rung_table(trained, "min"))
    text = "\n".join(drawn(part, 80) for part in draw_rungs(trained, "min", within))
    assert (message or "") in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    return text


def test_a_row_has_arrivals_promotions_and_stops(tmp_path: Path) -> None:
    text = searched(tmp_path, FakeWorker())
    lines = text.splitlines()
    assert lines[0].split("  ")[0] == "rung"
    assert lines[1].split()[:3] == ["25%", "250k", "12"]
    assert lines[2].split()[:2] == ["50%", "500k"]
    assert lines[3].split()[:2] == ["end", "1.0M"]
    assert len(lines) == 5


def test_a_low_rank_correlation_is_a_warning(tmp_path: Path) -> None:
    lenient = Scheduler(first_rung=0.4, reduction=1.5)
    text = " ".join(searched(tmp_path, FakeWorker(curve=noise), trials=80, scheduler=lenient).split())
    assert "44% to 67% (tau below 0." in text
    assert "67% to end (tau below " in text
    assert text.count("scheduler.first_rung") == 1


def test_groups_are_named(tmp_path: Path) -> None:
    assert "sleep.length.passes" in " ".join(searched(tmp_path, FakeWorker(), within="sleep.length.passes").split())


def test_there_is_none_before_a_rung() -> None:
    assert draw_rungs([], "min") == []
