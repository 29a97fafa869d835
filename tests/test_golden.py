"""The few texts whose every word is held: what a newcomer reads first, and what a mistake looks like."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sleep_tune import cli
from sleep_tune.commands import search, train
from sleep_tune.config.schema import RunConfig
from sleep_tune.console import PlainConsole
from sleep_tune.search.decide.director import Director
from sleep_tune.search.monitor.screen import screen
from sleep_tune.search.plan.plan_record import Slots
from sleep_tune.search.plan.plan_view import show_plan
from sleep_tune.search.plan.search_plan import make_plan
from sleep_tune.search.plan.speeds import Speed
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.search_space import CorpusSummary
from sleep_tune.search.space.space_file import load_space
from sleep_tune.simulation.engine import MemoryLog, VirtualClock
from tests.golden import assert_golden
from tests.search.monitor.shown import BUDGET, at, drawn, started, study
from tests.search.studies import outcome

SPACE = """\
base: {data: toy, model: tiny, trainin.seed: 3}
parameters:
  sleep.folds: {choise: [2, 3]}
  sleep.replay.ratio: {uniform: [0.5, 2]}
stop: {trials: -1}
"""

ARMS = """\
base: {data: toy, model: tiny, budget.passes: 6}
parameters: {sleep.folds: {choice: [2, 5, 10]}}
stop: {trials: 3}
baselines: {epochs: {}}
arms:
  strict: {sleep: strict, sleep.folds: 20}
  random: {like: best, sleep: random}
  control: {matched: best}
  strict-control: {matched: strict}
finalists: {count: 1}
"""


@pytest.mark.parametrize(
    ("name", "help_text", "end"),
    [
        ("tune-help.txt", search.help_text, "Exit code:"),
        ("train-worker-help.txt", train.help_text, "GROUPS"),
    ],
)
def test_the_beginning_of_help(name: str, help_text: Callable[[], str], end: str) -> None:
    assert_golden(name, help_text().partition(end)[0])


@pytest.mark.parametrize(
    ("name", "main", "arguments"),
    [
        ("mistakes-in-a-space.txt", search.main, ["space.yaml", "--plan"]),
        ("bad-override.txt", train.main, ["sleep.replay.ratio=2"]),
        ("folder-without-text.txt", train.main, ["data=text", "data.path=books"]),
    ],
)
def test_a_mistake(
    name: str,
    main: Callable[[Sequence[str]], int],
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("space.yaml").write_text(SPACE)
    Path("books").mkdir()
    Path("books", "a.json").write_text("{}")
    assert cli.run(main, arguments) == cli.MISTAKE
    *_, error = capsys.readouterr().err.partition("error: ")
    assert_golden(name, f"error: {error}")


def test_the_plan_of_the_demo() -> None:
    space = load_space(Path(__file__).parents[1] / "search_spaces" / "demo.yaml")
    corpus = CorpusSummary(
        words=72_530, samples=6_480, description=("text: train 72,530 words; dev 3,650; test 3,734",)
    )
    speed = Speed(words_per_second=30_000.0, evaluation_seconds=0.5, device="cpu", time=0.0, source="an example")
    plan = make_plan(
        space, compose_base(space), corpus, slots=Slots(2, 0.0, "2 slots of 1 worker (1 CPU)"), speed=speed
    )
    text = io.StringIO()
    show_plan(plan, PlainConsole(file=text))
    assert_golden("plan-of-the-demo.txt", text.getvalue())


def test_the_plan_of_arms(tmp_path: Path) -> None:
    (tmp_path / "why.yaml").write_text(ARMS)
    space = load_space(tmp_path / "why.yaml")
    corpus = CorpusSummary(words=72_530, samples=6_480)
    speed = Speed(words_per_second=30_000.0, evaluation_seconds=0.5, device="cpu", time=0.0, source="an example")
    plan = make_plan(space, compose_base(space), corpus, slots=Slots(2, 0.0, "2 slots of 1 worker"), speed=speed)
    text = io.StringIO()
    show_plan(plan, PlainConsole(file=text))
    assert_golden("plan-of-arms.txt", text.getvalue())


def test_the_screen_of_a_search() -> None:
    """One trial has completed, one was stopped, one has failed, one is running."""
    clock = VirtualClock()
    director = Director(study(), RunConfig(), TOY_CORPUS, Path("demo"), clock=clock, log=MemoryLog())
    for value, end in ((4.25, "completed"), (4.5, "stopped")):
        trial = started(director)
        clock.advance(clock() + 400)
        director.on_progress(trial.id, at(BUDGET // 3, BUDGET // 3, **{"eval/nll": value}))
        director.on_end(trial.id, outcome(end, value))
    director.on_failure(started(director).id, "the loss stayed high", "diverged", "logs/t0003.log")
    clock.advance(clock() + 100)
    director.on_progress(started(director).id, at(BUDGET // 4, loss=4.4))
    text = drawn(screen(director, 2, width=100), 100)
    assert_golden("screen.txt", "".join(f"{line.rstrip()}\n" for line in text.splitlines()))
