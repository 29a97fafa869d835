"""Searches that start together in one NEW folder: one of them runs, the others are refused and remove nothing."""

import contextlib
import errno
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.experiment.event_log import read_events

ROOT = Path(__file__).parents[3]

HELD = re.compile(r"process (\d+) on \S+ \(since 20\S+ \S+\) is writing it now")

DELAYS = ((0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.002, 0.004), (0.0, 0.01), (0.0, 0.03, 0.1))
"""After which each of two or three processes starts, in seconds."""


class Rival:
    """A process that starts a search at each request."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def order(self, folder: Path, at: float, *, seconds: float = 0.02, mistake: bool = False) -> None:
        """Have it search."""
        assert self.process.stdin is not None
        request = {"folder": str(folder), "at": at, "seconds": seconds, "mistake": mistake}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """What it was refused with, or None where it searched."""
        assert self.process.stderr is not None
        return json.loads(self.process.stderr.readline())


@pytest.fixture(scope="module", params=[None, errno.ENOLCK], ids=["locks", "no locks"])
def rivals(request: pytest.FixtureRequest) -> Iterator[Sequence[Rival]]:
    """Three processes, on a file system with locks or without."""
    failure = [] if request.param is None else [str(request.param)]
    command = [sys.executable, "-m", "tests.search.rival", *failure]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with contextlib.ExitStack() as stack:
        started = [
            Rival(stack.enter_context(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))) for _ in range(3)
        ]
        for rival in started:
            assert rival.answer() == "ready"
        yield started
        for rival in started:
            rival.process.kill()


def events(folder: Path) -> list[str]:
    return [event.event for event in read_events(folder / "trials.jsonl")]


def assert_whole(folder: Path) -> None:
    """One search was opened there and ended, and a later one finds nothing left to do."""
    found = events(folder)
    assert (found[0], found.count("opened"), found[-1]) == ("opened", 1, "closed")
    assert found.count("completed") >= 5
    assert {"experiment.yaml", "optuna.journal", "logs"} <= {path.name for path in folder.iterdir()}


def test_one_searches_and_the_others_are_refused(tmp_path: Path, rivals: Sequence[Rival]) -> None:
    for round_, delays in enumerate(DELAYS):
        folder, start = tmp_path / f"results-{round_}" / "study", time.time() + 0.05
        asked = rivals[: len(delays)]
        for rival, delay in zip(asked, delays, strict=True):
            rival.order(folder, start + delay)
        answers = {rival.process.pid: rival.answer() for rival in asked}
        (winner,) = [process for process, answer in answers.items() if answer is None]
        for answer in answers.values():
            if answer is not None:
                held = HELD.search(answer)
                assert held is not None, answer
                assert int(held[1]) == winner
        assert_whole(folder)


def test_one_that_is_refused_for_a_mistake_removes_what_it_made_alone(tmp_path: Path, rivals: Sequence[Rival]) -> None:
    """It may hold the folder first, and may refuse the others then; or come later, when the folder is another's."""
    for round_, delays in enumerate(DELAYS):
        folder, start = tmp_path / f"results-{round_}" / "study", time.time() + 0.05
        mistaken, *others = rivals
        mistaken.order(folder, start + delays[-1], mistake=True)
        for rival, delay in zip(others, delays, strict=False):
            rival.order(folder, start + delay)
        answer = mistaken.answer()
        assert answer is not None
        assert "nowhere" in answer or HELD.search(answer), answer
        answers = [rival.answer() for rival in others]
        assert all(answer is None or HELD.search(answer) for answer in answers), answers
        if None in answers:
            assert_whole(folder)
        else:
            assert not (folder / "trials.jsonl").exists() and not (folder / "experiment.yaml").exists()


def test_a_mistake_alone_leaves_nothing(tmp_path: Path, rivals: Sequence[Rival]) -> None:
    rivals[0].order(tmp_path / "results" / "study", 0.0, mistake=True)
    assert "nowhere" in rivals[0].answer()
    assert not list(tmp_path.iterdir())


def test_one_that_is_killed_is_followed_by_one_of_the_others(tmp_path: Path, rivals: Sequence[Rival]) -> None:
    folder, (killed, *others) = tmp_path / "results" / "study", rivals
    killed.order(folder, 0.0, seconds=30.0)
    while not (folder / "trials.jsonl").exists() or "started" not in events(folder):
        time.sleep(0.01)
    others[0].order(folder, 0.0)
    assert f"process {killed.process.pid} on" in others[0].answer()
    killed.process.kill()
    killed.process.wait()
    start = time.time() + 0.05
    for rival in others:
        rival.order(folder, start)
    assert [rival.answer() for rival in others].count(None) == 1
    assert_whole(folder)
    assert events(folder).count("resumed") == 1
