"""When a display speaks or draws, over a real director and a worker that replays curves."""

from collections.abc import Callable

from sleep_tune.search.decide.director import Director
from sleep_tune.search.monitor.display import HEARTBEAT_SECONDS, REDRAW_SECONDS, Display
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from tests.search.monitor.shown import Clock, at, console, started, text_of


def test_without_a_terminal_every_event_is_one_line_with_the_time(open_director: Callable[..., Director]) -> None:
    director, shown = open_director(), console()
    with Display(director, 1, shown) as display:
        run_inline(director, FakeWorker(), display.refresh)
    lines = text_of(shown).splitlines()
    assert all(line.startswith("[0:00:0") for line in lines)
    assert len(lines) == len(set(lines))
    assert "[0:00:00] t0001 started" in lines
    assert max(map(len, lines)) > 0


def test_settings_and_reasons_in_brackets_are_not_markup(open_director: Callable[..., Director]) -> None:
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
    assert "0/10 runs done · about 2:" in beats[0]
    assert beats[0].endswith("left · t0001 wake 3/10 15%")


def test_a_screen_is_drawn_anew_at_the_end_and_not_at_every_report(open_director: Callable[..., Director]) -> None:
    director, shown, clock = open_director(), console(terminal=True), Clock()
    with Display(director, 1, shown, clock=clock) as display:
        trial = started(director)
        display.refresh()
        before = text_of(shown)
        assert "t0001" in before  # a new trial is drawn at once
        for words in range(100):
            director.on_progress(trial.id, at(words))
            display.refresh()
        assert text_of(shown) == before
        clock.now = REDRAW_SECONDS
        display.refresh()
        assert "1/1 slots busy" in text_of(shown)
        director.on_failure(trial.id, "loss is nan", "diverged")
        display.refresh()
        assert "loss is nan" not in text_of(shown)
    assert "loss is nan" in text_of(shown)
