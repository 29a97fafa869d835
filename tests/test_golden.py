"""The few texts whose every word is held: what a newcomer reads first, and what a mistake looks like."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import train_worker
import tune
from sleep_tune import cli
from tests.golden import assert_golden

SPACE = """\
base: {data: toy, model: tiny, trainin.seed: 3}
parameters:
  sleep.folds: {choise: [2, 3]}
  sleep.replay.ratio: {uniform: [0.5, 2]}
stop: {trials: 0}
"""


@pytest.mark.parametrize(
    ("name", "help_text", "end"),
    [
        ("tune-help.txt", tune.help_text, "Exit code:"),
        ("train-worker-help.txt", train_worker.help_text, "GROUPS"),
    ],
)
def test_the_beginning_of_help(name: str, help_text: Callable[[], str], end: str) -> None:
    assert_golden(name, help_text().partition(end)[0])


@pytest.mark.parametrize(
    ("name", "main", "arguments"),
    [
        ("mistakes-in-a-space.txt", tune.main, ["space.yaml", "--plan"]),
        ("bad-override.txt", train_worker.main, ["sleep.replay.ratio=2"]),
        ("folder-without-text.txt", train_worker.main, ["data=text", "data.path=books"]),
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
    Path("books", "a.jsonl").write_text("{}")
    assert cli.run(main, arguments) == cli.MISTAKE
    *_, error = capsys.readouterr().err.partition("error: ")
    assert_golden(name, f"error: {error}")
