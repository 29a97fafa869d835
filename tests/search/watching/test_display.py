"""What a search says while it runs, over a real director and a worker that replays curves."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sleep_tune.config.schema import RunConfig
from sleep_tune.records import Progress
from sleep_tune.search.director import Director
from sleep_tune.search.fake import TOY_CORPUS, FakeWorker
from sleep_tune.search.inline import run_inline
from sleep_tune.search.space import Baseline, Choice, Finalists, Parameter, Space, Stop, Uniform
from sleep_tune.search.watching.display import HEARTBEAT_SECONDS, Display
from sleep_tune.search.watching.forecast import forecast, work_done
from sleep_tune.search.work import Trial

BUDGET = 10 * TOY_CORPUS.words


def study(**more: Any) -> Space:
    """Four trials, two baselines and one finalist over two seeds: ten runs."""
    parts: dict[str, Any] = {
        "name": "demo",
        "parameters": (
            Parameter("sleep.folds", Choice((5, 10, 20))),
            Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)),
        ),
        "stop": Stop(trials=4),
        "baselines": {"epochs": Baseline(), "as_epochs": Baseline()},
        "finalists": Finalists(count=1, seeds=2),
    }
    return Space(**(parts | more))


@pytest.fixture
def open_director(tmp_path: Path) -> Iterator[Callable[..., Director]]:
    """Opens directors on one folder; the last is closed at the end."""
    opened: list[Director] = []

    def open_one(**space: Any) -> Director:
        for director in opened:
            director.close()
        opened[:] = [Director(study(**space), RunConfig(), TOY_CORPUS, tmp_path / "demo")]
        return opened[0]

    yield open_one
    for director in opened:
        director.close()


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds, as a monotonic clock has them."""
        return self.now


def console(width: int = 100, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, legacy_windows=False)


def text_of(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def table_of(display: Display, width: int = 100) -> str:
    shown = console(width)
    shown.print(display.table())
    return text_of(shown)


def started(director: Director) -> Trial:
    trial = director.next()
    assert isinstance(trial, Trial)
    return trial


def at(words: int, rung: int | None = None, **metrics: float) -> Progress:
    return Progress(
        words_seen=words,
        budget_words=BUDGET,
        updates=words // 1000,
        phase="wake",
        cycle=2,
        pass_index=0,
        fold=2,
        folds=10,
        read_ratio=0.3,
        seconds=words / 1000,
        rung=rung,
        metrics=metrics,
    )


def test_plain_lines_tell_every_event_once(open_director: Callable[..., Director]) -> None:
    director, shown = open_director(), console()
    with Display(director, 1, shown) as display:
        run_inline(director, FakeWorker(), display.refresh)
    lines = [line.partition("] ")[2] for line in text_of(shown).splitlines()]
    assert len(lines) == len(set(lines))
    trials = director.trials
    assert len(trials) == 10
    for name, trial in trials.items():
        own = [line for line in lines if line.startswith(f"{name} ")]
        assert own[0].startswith(f"{name} asked: ")
        assert own[1] == f"{name} started"
        assert own[-1].startswith(f"{name} {trial.state}")
        assert len(own) == 3 + len(trial.decisions)
    assert any(line.startswith("t0001 asked: folds ") and "replay.ratio 0." in line for line in lines)
    assert any("t0001 at 333,333 words: eval/nll" in line and line.endswith("goes on") for line in lines)
    assert any(line.endswith("is stopped") for line in lines)
    assert any(line.startswith("epochs-s1 asked: epochs, seed 1000") for line in lines)


def test_a_failure_is_told_with_its_reason(open_director: Callable[..., Director]) -> None:
    director, shown = open_director(), console()
    with Display(director, 1, shown) as display:
        trial = started(director)
        director.on_failure(trial.id, "loss is nan\nat step 3", "diverged", "logs/t0001.log")
        display.refresh()
        assert "t0001         " in table_of(display)
        assert "(diverged): loss is nan (see logs/t0001.log)" in table_of(display)
    assert "t0001 failed (diverged): loss is nan (see logs/t0001.log)\n" in text_of(shown)


def test_settings_in_brackets_are_not_markup(open_director: Callable[..., Director]) -> None:
    director, shown = open_director(), console()
    with Display(director, 1, shown):
        director.on_failure(started(director).id, "got [bold] and [/x]", "bug")
    assert "got [bold] and [/x]" in text_of(shown)


def test_a_quiet_search_says_that_it_is_alive_and_not_too_often(open_director: Callable[..., Director]) -> None:
    director, shown, clock = open_director(), console(), Clock()
    with Display(director, 1, shown, clock=clock) as display:
        trial = started(director)
        display.refresh()
        before = text_of(shown).count("\n")
        for second in range(int(3.5 * HEARTBEAT_SECONDS)):
            clock.now = float(second)
            director.on_progress(trial.id, at(5_000 * second))
            display.refresh()
        beats = text_of(shown).splitlines()[before:]
    assert len(beats) == 3
    assert "0/10 trials" in beats[0]
    assert "t0001 wake 3/10 15%" in beats[0]
    assert "left" in beats[0]


def test_what_an_earlier_session_said_is_not_said_again(open_director: Callable[..., Director]) -> None:
    director = open_director()
    started(director)
    resumed, shown = open_director(), console()
    with Display(resumed, 1, shown) as display:
        assert text_of(shown) == ""
        assert started(resumed).id == "t0001"
        display.refresh()
        assert text_of(shown).splitlines()[0].endswith("t0001 started again (attempt 2)")


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_live_table_shows_where_each_run_is(open_director: Callable[..., Director], width: int) -> None:
    director, shown = open_director(), console(width, terminal=True)
    with Display(director, 2, shown) as display:
        trial = started(director)
        assert "starting" in table_of(display, width)
        director.on_progress(trial.id, at(333_400, 333_333, **{"eval/nll": 4.25}))
        director.on_progress(trial.id, at(412_345, loss=4.5))
        text = table_of(display, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    assert "demo · 1/2 slots busy · 0/10 trials" in text
    assert "best: none has completed yet" in text
    row = next(line for line in text.splitlines() if line.startswith("t0001"))
    for part in ("search", "wake 3/10", "412k/1.0M", "4.500", "4.2500 at 33%"):
        assert part in row
    assert ("━" in row) == (width >= 100)


def test_the_live_table_names_the_best_and_the_last_to_end(open_director: Callable[..., Director]) -> None:
    director, shown = open_director(), console(100, terminal=True)
    with Display(director, 1, shown) as display:
        run_inline(director, FakeWorker(), display.refresh)
        text = table_of(display)
    best = director.best()
    assert best is not None
    assert f"best {best.id}: eval/nll {best.value:.4f} · folds " in text
    assert "0/1 slots busy · 10/10 trials" in text
    assert "nothing is running" in text
    assert "completed: eval/nll" in text
    assert "left" not in text
    assert "10/10 trials" in text_of(shown)


def test_time_left_follows_the_speed_in_words(open_director: Callable[..., Director]) -> None:
    director, clock = open_director(), Clock()
    display = Display(director, 1, console(), clock=clock)
    trial = started(director)
    director.on_progress(trial.id, at(BUDGET // 2))
    clock.now = 60.0
    assert work_done(director.trials.values()) == 0.5
    left = forecast(director).work_left
    assert left == pytest.approx(9.5)
    assert "about 0:19:00 left" in table_of(display)


def test_runs_that_end_early_shorten_the_forecast(open_director: Callable[..., Director]) -> None:
    director = open_director()
    run_inline(director, FakeWorker())
    assert forecast(director).work_left == 0
    assert (forecast(director).done, forecast(director).total) == (10, 10)


def test_no_total_is_made_up_where_only_time_ends_the_search(open_director: Callable[..., Director]) -> None:
    director, clock = open_director(stop=Stop(hours=1.0)), Clock()
    display = Display(director, 1, console(), clock=clock)
    trial = started(director)
    director.on_progress(trial.id, at(BUDGET // 2))
    clock.now = 60.0
    assert forecast(director).total is None
    assert "0 trials done" in table_of(display)
    assert "left" not in table_of(display)
