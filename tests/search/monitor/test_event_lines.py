"""What is said of a real director's search, in plain lines."""

from collections.abc import Callable

import pytest

from sleep_tune.search.decide.director import Director
from sleep_tune.search.monitor.event_lines import News, heartbeat
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Stop
from tests.search.monitor.shown import BUDGET, at, started
from tests.search.studies import outcome


def test_every_event_is_told_once(open_director: Callable[..., Director]) -> None:
    director = open_director()
    news, lines = News(director), list[str]()
    run_inline(director, FakeWorker(), lambda: lines.extend(news.lines()))
    assert len(lines) == len(set(lines))
    assert len(director.trials) == 10
    for name, trial in director.trials.items():
        own = [line for line in lines if line.startswith(f"{name} ")]
        assert own[0].startswith(f"{name} asked: ")
        assert own[1] == f"{name} started"
        assert own[-1].startswith(f"{name} {trial.state}")
        assert len(own) == 3 + len(trial.decisions)
    assert any(line.startswith("t0001 asked: folds ") and "replay.ratio 0." in line for line in lines)
    assert any("t0001 at 333,333 words: eval/nll" in line and line.endswith("goes on") for line in lines)
    assert any(line.endswith("is stopped") for line in lines)
    seed = next(trial.seed for trial in director.trials.values() if trial.arm == "epochs")
    assert f"epochs-s{seed} asked: epochs, seed {seed}" in lines


def test_a_failure_is_told_with_its_reason_and_log(open_director: Callable[..., Director]) -> None:
    director = open_director()
    news = News(director)
    director.on_failure(started(director).id, "loss is nan\nat step 3", "diverged", "logs/t0001.log")
    assert list(news.lines())[-1] == "t0001 failed (diverged): loss is nan (see logs/t0001.log)"
    assert list(news.lines()) == []


def test_a_lost_process_is_told(open_director: Callable[..., Director]) -> None:
    director = open_director()
    news, trial = News(director), started(director)
    assert list(news.lines())[-1] == "t0001 started"
    director.on_lost(trial.id)
    assert list(news.lines()) == ["t0001 lost its process, started again (attempt 2)"]
    director.on_lost(trial.id, killer="the kernel")
    told = "t0001 lost its process (memory ran out on its machine, and the kernel killed it), started again (attempt 3)"
    assert list(news.lines()) == [told]


@pytest.mark.parametrize("beats", [0, 1])
def test_a_held_search_and_its_pausing_runs_are_told(open_director: Callable[..., Director], beats: int) -> None:
    director = open_director()
    news, trial = News(director), started(director)
    list(news.lines())
    for _ in range(beats):
        director.on_progress(trial.id, at(BUDGET // 4))
    director.held = "the disk is nearly full"
    assert list(news.lines()) == ["the search is paused: the disk is nearly full"]
    director.on_end(trial.id, outcome("paused", 3.0))
    assert list(news.lines()) == [
        f"t0001 paused at {'25%' if beats else 'its beginning'}; it goes on from there later",
    ]
    director.held = None
    assert started(director).id == trial.id
    assert list(news.lines()) == ["the search goes on", "t0001 started again (attempt 2)"]


def test_what_an_earlier_session_said_is_not_said_again(open_director: Callable[..., Director]) -> None:
    started(open_director())
    resumed = open_director()
    news = News(resumed)
    assert list(news.lines()) == []
    assert started(resumed).id == "t0001"
    assert list(news.lines()) == ["t0001 started again (attempt 2)"]


def test_a_heartbeat_makes_up_no_total_where_only_time_ends_the_search(open_director: Callable[..., Director]) -> None:
    director = open_director(stop=Stop(hours=1.0))
    assert heartbeat(director, 1) == "0 runs done · nothing is running"
    director.on_progress(started(director).id, at(BUDGET // 2))
    assert heartbeat(director, 1) == "0 runs done · t0001 wake 3/10 50%"
