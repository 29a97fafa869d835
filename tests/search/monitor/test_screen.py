"""The screen over real directors and a worker that replays curves: what is on it, and that it fits."""

from collections.abc import Callable

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import Diverged
from sleep_tune.records import Outcome, Report
from sleep_tune.search.decide.director import Director
from sleep_tune.search.monitor.event_lines import EventLines
from sleep_tune.search.monitor.screen import screen
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Arm, Scheduler, Search, Stop
from tests.search.monitor.shown import BUDGET, at, drawn, started
from tests.search.studies import outcome


def shown(director: Director, slots: int = 1, width: int = 100, height: int | None = None) -> str:
    return drawn(screen(director, slots, width=width, height=height), width)


@pytest.mark.parametrize("width", [80, 100, 110])
def test_a_running_trial_is_shown_whole(open_director: Callable[..., Director], width: int) -> None:
    director = open_director()
    assert "0/10 runs done · 0:00:00 elapsed\nstarting\n" in shown(director, 2, width)
    trial = started(director)
    assert "t0001  search  starting" in shown(director, 2, width)
    director.on_progress(trial.id, at(333_400, 333_333, **{"eval/nll": 4.25}))
    director.on_progress(trial.id, at(412_345, loss=4.5))
    text = shown(director, 2, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    assert "demo · 1/2 slots busy · 0/10 runs done" in text
    assert "1 running" in text
    assert "best: none has completed yet" in text
    row = next(line for line in text.splitlines() if line.startswith("t0001"))
    for part in ("search", "wake 3/10", "412k/1.0M", "4.500", "4.2500 (33%)"):
        assert part in row
    assert ("━" in row) == (width >= 100)
    director.on_lost(trial.id)
    assert "t0001 try 2" in shown(director, 2, width)


def test_a_finished_search_names_its_best_its_rungs_and_the_last_to_end(
    open_director: Callable[..., Director],
) -> None:
    director = open_director()
    run_inline(director, FakeWorker())
    text = shown(director)
    best = director.best()
    assert best is not None
    assert f"best {best.id}: eval/nll {best.value:.4f} · folds " in text
    assert "demo · finished · 10/10 runs done" in text
    assert "nothing is running" in text
    assert "completed: eval/nll" in text
    assert "left" not in text
    assert " 33%   333k        4" in text


def test_time_and_gpu_hours_left_follow_the_runs_speed(open_director: Callable[..., Director]) -> None:
    director = open_director(gpus=2.0, stop=Stop(trials=4, gpu_hours=1.5))
    director.on_progress(started(director).id, at(BUDGET // 2))  # in 500 seconds
    assert "about 2:38:20 left" in shown(director, 1)
    assert "about 1:19:10 left" in shown(director, 2)
    assert "GPU-hours: 0.28 used, about 5.28 left" in shown(director)
    assert "0.28 of stop.gpu_hours 1.5 by the search" in shown(director)
    director.held = "the disk is nearly full"
    assert "paused: the disk is nearly full" in shown(director)
    assert "about 2:38" not in shown(director)


def test_no_total_is_made_up_where_only_time_ends_the_search(open_director: Callable[..., Director]) -> None:
    director = open_director(stop=Stop(hours=1.0))
    director.on_progress(started(director).id, at(BUDGET // 2))
    assert "0 runs done" in shown(director)
    assert "of stop.hours left" in shown(director)
    assert "about" not in shown(director)


def test_why_the_search_is_over_is_shown_while_its_repeats_run(open_director: Callable[..., Director]) -> None:
    director = open_director()
    while True:
        trial = started(director)
        if trial.role != "search":
            break
        director.on_end(trial.id, outcome("completed", 3.0))
    assert "search over (stop.trials: 4 trials)" in shown(director)


def test_controls_that_wait_are_counted(open_director: Callable[..., Director]) -> None:
    arms = {"strict": Arm(settings={"sleep": "strict"}), "control": Arm(matched="strict")}
    director = open_director(stop=Stop(trials=0), baselines={}, arms=arms)
    parents = [started(director), started(director)]
    assert "controls that wait for their parents: 2" in " ".join(shown(director).split())
    director.on_end(parents[0].id, outcome("completed", 3.0))
    source = EventLines(director)
    control = started(director)
    assert "controls that wait for their parents: 1" in " ".join(shown(director).split())
    assert f"{control.id} proposed: the exposures of {parents[0].id} in random order" in source.lines()
    assert "best" not in shown(director)  # there is no search
    assert "search over" not in shown(director)


def test_a_paused_trial_is_shown_as_waiting(open_director: Callable[..., Director]) -> None:
    director = open_director()
    trial = started(director)
    director.on_progress(trial.id, at(BUDGET // 4))
    director.held = "interrupted"
    director.on_end(trial.id, outcome("paused", 3.0))
    text = shown(director)
    assert "0/1 slots busy" in text
    assert "t0001  search  waiting" in text


def busy(open_director: Callable[..., Director], running: int, failing: int) -> Director:
    """A search of forty trials, halfway: some failed, with long reasons and logs, and some are running."""
    director = open_director(
        stop=Stop(trials=40),
        search=Search(algorithm="random"),
        scheduler=Scheduler(first_rung=0.1, reduction=2),
    )
    trained = [0]

    def work(config: RunConfig, report: Report) -> Outcome:
        trained[0] += 1
        if trained[0] > 25:
            raise KeyboardInterrupt
        if trained[0] <= failing:
            raise Diverged("loss became nan " * 10)
        return FakeWorker()(config, report)

    with pytest.raises(KeyboardInterrupt):
        run_inline(director, work)
    for _ in range(running - 1):
        director.on_progress(started(director).id, at(BUDGET // 20, loss=5.0))
    failed = next(iter(director.trials.values()))
    failed.log = "/cluster/home/someone/results/demo/logs/" + "long/" * 10 + "t0001.log"
    return director


@pytest.mark.parametrize(("running", "failing"), [(2, 0), (2, 3), (16, 5)])
def test_it_fits_the_terminal_and_leaves_no_essential_out(
    open_director: Callable[..., Director], running: int, failing: int
) -> None:
    director = busy(open_director, running, failing)
    for width, height in ((80, 23), (110, 39), (80, 30), (200, 60)):
        text = shown(director, 16, width, height)
        lines = [line.rstrip() for line in text.splitlines()]
        assert len(lines) <= height
        assert max(map(len, lines)) <= width
        assert f"demo · {running}/16 slots busy · " in lines[0]
        assert any(line.startswith("best t00") for line in lines)
        assert any(line.startswith(" end ") for line in lines)
        rows = sum(" search " in line for line in lines)
        assert rows >= min(running, 2)
        assert ("more" in text) == (rows < running)
        if failing:
            assert f"failed: {failing} diverged" in text


def test_without_a_limit_every_running_trial_is_there_and_logs_are_whole(
    open_director: Callable[..., Director],
) -> None:
    director = busy(open_director, running=16, failing=3)
    text = shown(director, 16, 80)
    assert sum(" search " in line for line in text.splitlines()) == 16
    assert str(director.trials["t0001"].log) in "".join(line.strip() for line in text.splitlines())
