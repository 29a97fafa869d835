"""Finding an experiment, who drives it, and the screen that `--status` prints."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import UserError
from sleep_tune.folder_lock import LOCK, FolderLock, read_holder
from sleep_tune.search.decide.director import Director
from sleep_tune.search.monitor.status import find_experiment, show_status
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from tests.made import make_old
from tests.search.monitor.shown import console, started, study, text_of


def test_an_experiment_is_found_by_file_name_and_folder(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "demo"
    folder.mkdir(parents=True)
    (folder / "trials.jsonl").touch()
    (tmp_path / "demo.yaml").touch()
    (tmp_path / "other.yaml").write_text("name: demo")
    results = tmp_path / "results"
    assert find_experiment(tmp_path / "demo.yaml", (), results) == folder
    assert find_experiment(tmp_path / "other.yaml", (), results) == folder
    assert find_experiment(tmp_path / "demo.yaml", ("data=toy", "name=demo"), results) == folder
    assert find_experiment(Path("demo"), (), results) == folder
    assert find_experiment(folder, (), tmp_path) == folder
    mine = results / "mine"
    mine.mkdir()
    (mine / "trials.jsonl").touch()
    assert find_experiment(Path("demo"), ("name=mine",), results) == mine  # of the space that comes with the package


@pytest.mark.parametrize(
    ("space", "overrides", "message"),
    [
        ("demo.yaml", ("data=toy", "name=dmo"), "dmo.*results.*demo"),
        ("else.yaml", (), "else.*demo"),
        ("none.yaml", (), "none.yaml"),
        ("none", (), "none.*results.*demo"),
    ],
)
def test_what_cannot_be_found_is_an_error_that_lists_what_there_is(
    tmp_path: Path, space: str, overrides: tuple[str, ...], message: str
) -> None:
    (tmp_path / "results" / "demo").mkdir(parents=True)
    (tmp_path / "results" / "demo" / "trials.jsonl").touch()
    for name in ("demo.yaml", "else.yaml"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=message):
        find_experiment(tmp_path / space if space.endswith("yaml") else Path(space), overrides, tmp_path / "results")


def status(folder: Path) -> str:
    shown = console(80)
    show_status(folder, (), folder.parent, shown)
    return text_of(shown)


def test_a_running_search_names_its_process(open_director: Callable[..., Director]) -> None:
    director = open_director()
    started(director)
    found = read_holder(director.folder / LOCK)
    assert found is not None
    assert (found.process, found.is_here, found.is_alive) == (os.getpid(), True, True)
    text = status(director.folder)
    assert text.startswith("demo · 1/1 slots busy · 0/10 runs done")
    driver = rf"process {os.getpid()} .*since [-0-9]+ [:0-9]+[+-]\d\d:\d\d; last event 0:0\d:\d\d ago"
    assert re.search(driver, " ".join(text.split()))
    assert max(map(len, text.splitlines())) <= 80


def test_a_log_of_the_future_is_a_log_of_now(open_director: Callable[..., Director]) -> None:
    """The clock was set back by an hour after the last event."""
    director = open_director()
    started(director)
    later = time.time() + 3600
    os.utime(director.folder / "trials.jsonl", (later, later))
    assert "last event 0:00:00 ago" in " ".join(status(director.folder).split())


def left(folder: Path) -> Path:
    """An experiment whose driver has ended while a trial was running."""
    director = Director(study(), RunConfig(), TOY_CORPUS, folder)
    started(director)
    director.close()
    return folder


def test_a_killed_search_is_not_running(tmp_path: Path) -> None:
    folder = left(tmp_path / "demo")
    assert read_holder(folder / LOCK) is None
    text = status(folder)
    assert "0/1 slots busy" in text
    assert "not running" in text
    assert "t0001  search  waiting" in text


SINCE = "2026-01-01 00:00:00"


@pytest.mark.parametrize(
    ("process", "place", "message"),
    [
        (2**22 + 1, "here", f"process {2**22 + 1} has ended"),
        (os.getpid(), "here", f"process {os.getpid()} has ended"),  # another's number
        (7, "elsewhere", f"{SINCE} by process 7 on {socket.gethostname()}"),
        (7, "unknown", f"{SINCE} by process 7 on {socket.gethostname()}"),
    ],
    ids=["dead", "another's number", "elsewhere", "an earlier version's"],
)
def test_a_killed_driver_is_distinguished_from_one_that_cannot_be_seen(
    tmp_path: Path, process: int, place: str, message: str
) -> None:
    """Where a process can be looked for is not said by its host's name: containers can share one."""
    folder = left(tmp_path / "demo")
    with FolderLock(tmp_path / "other"):
        machine = (tmp_path / "other" / LOCK).read_text().splitlines()[1].split()[0]
    exactly = {"here": f"{machine} 7\n", "elsewhere": f"{machine[::-1]} 7\n", "unknown": ""}[place]
    (folder / ".lock").write_text(f"process {process} on {socket.gethostname()} (since {SINCE})\n{exactly}")
    text = " ".join(status(folder).split())
    assert message in text
    assert ("t0001 search starting" in text) == (place != "here")


def test_a_folder_that_was_never_locked_has_no_driver(tmp_path: Path) -> None:
    assert read_holder(tmp_path / LOCK) is None
    (tmp_path / ".lock").write_text("process x on y")
    assert read_holder(tmp_path / LOCK) is None


def test_a_thousand_trials_are_shown_in_less_than_a_second(open_director: Callable[..., Director]) -> None:
    folder = open_director().folder
    make_old(folder / "trials.jsonl")
    lines = (folder / "trials.jsonl").read_text().splitlines()
    head = (
        '{"schema":1,"event":"%s","time":1.0,"trial":"t%d","attempt":1,"role":"search","arm":"t%d","seed":0,"data":%s}'
    )
    asked = '{"study":"search","number":%d,"parameters":{"sleep.folds":5,"sleep.replay.ratio":0.5},"group":""}'
    progress = (
        '{"words_seen":333333,"budget_words":1000000,"updates":1,"phase":"wake","cycle":0,"pass_index":0,"fold":0,'
        '"folds":5,"read_ratio":0.5,"seconds":9.0,"rung":333333,"metrics":{"eval/nll":%f}}'
    )
    for n in range(1000):
        lines.append(head % ("asked", n, n, asked % n))
        lines.append(head % ("started", n, n, '{"after":null,"gpus":1.0}'))
        value = (n * 7919 % 1000) / 1000
        lines.append(head % ("report", n, n, f'{{"rung":333333,"value":{value},"progress":{progress % value}}}'))
        lines.append(
            head % ("rung", n, n, f'{{"rung":333333,"value":{value},"decision":"stop","kept":1,"reported":9}}')
        )
        lines.append(head % ("stopped", n, n, '{"reason":"not among the best"}'))
    (folder / "trials.jsonl").write_text("\n".join(lines) + "\n")
    began = time.process_time()
    text = status(folder)
    assert time.process_time() - began < 1
    assert "1000 stopped" in text


def test_a_look_loads_nothing_heavy() -> None:
    heavy = {"torch", "transformers", "ray", "optuna", "hydra", "numpy", "scipy", "pandas"}
    code = f"import sys, sleep_tune.search.monitor.status; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
