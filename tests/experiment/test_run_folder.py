"""A run's folder belongs to one configuration and, while it is written, to one process."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sleep_tune.config.describe import to_yaml
from sleep_tune.config.load import compose
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import flatten, to_dict
from sleep_tune.errors import DataError, DiskError, RunFolderError
from sleep_tune.experiment import run_folder
from sleep_tune.records import Outcome
from sleep_tune.training.identity import identify

RESUMABLE = {
    "run.name": "x",
    "run.dir": "elsewhere",
    "data.cache_dir": "cache",
    "training.mirror": "file:///mirror",
    "training.threads": 1,
    "training.checkpoint_ratio": 0.5,
    "training.checkpoint_minutes": "null",
    "tracking.wandb": "offline",
    "tracking.project": "p",
    "tracking.entity": "e",
    "tracking.group": "g",
    "tracking.role": "r",
    "tracking.arm": "a",
    "tracking.tensorboard": "true",
}
"""Every option that may change when a run is resumed -> a value that is not its default."""


def test_a_fresh_folder_is_written_and_the_same_run_resumes(tmp_path: Path) -> None:
    config = compose(["sleep=epochs"])
    assert not run_folder.record_run(tmp_path, config)
    assert run_folder.record_run(tmp_path, config)
    assert run_folder.read_config(tmp_path) == config
    assert "numpy" in json.loads((tmp_path / "environment.json").read_text())["packages"]


def test_a_run_may_be_resumed_with_other_options_that_change_nothing_of_it(tmp_path: Path) -> None:
    changed = compose([f"{key}={value}" for key, value in RESUMABLE.items()])
    values = flatten(to_dict(changed))
    assert all(values[key] != before for key, before in flatten(to_dict(RunConfig())).items() if key in RESUMABLE)
    assert RESUMABLE.keys() == set(run_folder.IRRELEVANT)
    run_folder.record_run(tmp_path, compose([]))
    assert run_folder.record_run(tmp_path, changed)
    assert run_folder.read_config(tmp_path) == changed
    assert identify(changed, "c", 1).digest() == identify(compose([]), "c", 1).digest()


def test_another_configuration_is_refused_with_what_differs(tmp_path: Path) -> None:
    run_folder.record_run(tmp_path, compose(["training.compile=true"]))
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    told = "training.seed is 0 there, 3 here; training.compile is true there, false here"
    with pytest.raises(RunFolderError, match=re.escape(told)):
        run_folder.record_run(tmp_path, compose(["training.seed=3"]))
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_other_rungs_are_written_and_the_run_resumes(tmp_path: Path) -> None:
    """A search whose scheduler has changed looks at its runs elsewhere; they are the same runs."""
    run_folder.record_run(tmp_path, compose(["evaluation.rungs=[0.3]"]))
    other = compose(["evaluation.rungs=[0.2,0.6]"])
    assert run_folder.record_run(tmp_path, other)
    assert run_folder.read_config(tmp_path) == other
    with pytest.raises(RunFolderError, match=r"training\.seed is 0 there, 3 here\. Give"):
        run_folder.record_run(tmp_path, compose(["training.seed=3"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("training: {sed: 3}", r"config\.yaml must be a configuration of this version: unknown option 'training\.sed'"),
        ("training: [", r"config\.yaml must be a configuration of this version"),
        ("budget: {passes: 0.5}", r"of this version: sleep\.length\.passes must be at most"),
        ("", r"config\.yaml must hold every section .* lacks run, data, tokenizer, model, sleep"),
        (to_yaml(RunConfig())[:-100].rpartition("tracking:")[0], r"config\.yaml .* lacks tracking"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(RunFolderError, match=message):
        run_folder.record_run(tmp_path, RunConfig())


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"must be the folder of a run; got no config\.yaml in it"):
        run_folder.read_config(tmp_path)


@pytest.mark.parametrize("error", [DataError("no text"), ValueError("in the user's own code")])
def test_a_fresh_run_that_fails_before_it_trains_leaves_nothing_behind(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)), run_folder.claimed(tmp_path / "runs" / "a", RunConfig()) as resumed:
        assert not resumed
        (tmp_path / "runs" / "a" / "log.txt").write_text("")
        raise error
    assert not list(tmp_path.iterdir())


def test_a_run_that_has_trained_keeps_what_it_has(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    with pytest.raises(DiskError), run_folder.claimed(folder, RunConfig()):
        (folder / "metrics.jsonl").write_text("")
        raise DiskError("full")
    with pytest.raises(DataError), run_folder.claimed(folder, RunConfig()) as resumed:
        assert resumed
        raise DataError("gone")
    assert (folder / "config.yaml").exists()


def test_one_that_is_refused_where_another_has_trained_leaves_it_as_it_was(tmp_path: Path) -> None:
    """Its configuration was lost; that of the refused one does not take its place."""
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(RunFolderError), run_folder.claimed(tmp_path, RunConfig()) as resumed:
        assert not resumed
        raise RunFolderError("of another run")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_folder_that_was_there_is_left_there(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("")
    with pytest.raises(DataError), run_folder.claimed(tmp_path, RunConfig()):
        raise DataError("no text")
    assert [file.name for file in tmp_path.iterdir()] == ["theirs"]


def test_what_somebody_else_put_there_stays_and_hides_no_message(tmp_path: Path) -> None:
    """Another run began in the same new parent; the user left a note, and had a log of his own there before."""
    with pytest.raises(DataError, match="no text"), run_folder.claimed(tmp_path / "runs" / "a", RunConfig()):
        (tmp_path / "runs" / "b").mkdir()
        raise DataError("no text")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["b"]
    folder = tmp_path / "runs" / "b"
    (folder / "log.txt").write_text("theirs")
    with pytest.raises(DataError, match="no text"), run_folder.claimed(folder, RunConfig()):
        raise DataError("no text")
    assert [path.name for path in folder.iterdir()] == ["log.txt"]
    with pytest.raises(DataError, match="no text"), run_folder.claimed(tmp_path / "runs" / "c", RunConfig()):
        shutil.rmtree(tmp_path / "runs")
        raise DataError("no text")


def test_one_that_is_refused_removes_nothing_of_the_one_that_runs(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"
    with run_folder.claimed(folder, RunConfig()):
        with pytest.raises(RunFolderError, match="is writing it now"), run_folder.claimed(folder, RunConfig()):
            pass
        assert sorted(path.name for path in folder.iterdir()) == [".lock", "config.yaml", "environment.json"]


RACE = """
import sys, time
from pathlib import Path
from sleep_tune.experiment.run_folder import claimed
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import flatten, to_dict
from sleep_tune.errors import DataError, RunFolderError

folder, shared = Path(sys.argv[1]), Path(sys.argv[2])
config = RunConfig()
print("ready", flush=True)
sys.stdin.readline()
for _ in range(60):
    try:
        with claimed(folder, config):
            with shared.open("x"):  # two at once would find it there
                pass
            time.sleep(0.001)
            shared.unlink()
            raise DataError("no text")
    except RunFolderError as error:
        assert "is writing it now" in str(error), error
    except DataError:
        pass
"""


def test_two_processes_that_make_and_forget_one_folder_never_hold_it_together(tmp_path: Path) -> None:
    """The lock file is removed with the folder, and may be opened by another at that moment."""
    command = [sys.executable, "-c", RACE, str(tmp_path / "runs" / "a"), str(tmp_path / "held")]
    root = Path(run_folder.__file__).parents[2]
    pipe = subprocess.PIPE
    racers = [subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    for racer in racers:
        assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    assert [racer.communicate()[1] for racer in racers] == ["", ""]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


OUTCOME = Outcome(
    state="completed", words_seen=10, updates=2, seconds=1.5, flops=3.0, device="cpu", metrics={"eval/nll": 2.0}
)


def test_the_outcome_is_read_back(tmp_path: Path) -> None:
    assert run_folder.read_outcome(tmp_path) is None
    run_folder.write_outcome(tmp_path, OUTCOME)
    assert run_folder.read_outcome(tmp_path) == OUTCOME


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "outcome.json must say how the run ended"),
        ("{", "outcome.json must say how the run ended"),
        ("[" * 100_000, "outcome.json must say how the run ended"),
        (b"\xff\xfe{", "outcome.json must say how the run ended"),
        ([1], "it must be a JSON object; got [1]"),
        ({"state": "finished"}, "unknown state 'finished'; choose one of: completed, paused, stopped"),
        ({"state": None}, "state must be a text; got null"),
        ({"words_seen": "10"}, 'words_seen must be an integer >= 0; got "10"'),
        ({"updates": True}, "updates must be an integer >= 0; got true"),
        ({"updates": -1}, "updates must be an integer >= 0; got -1"),
        ({"seconds": None}, "seconds must be a number; got null"),
        ({"metrics": [1]}, "metrics must be a mapping of numbers; got [1]"),
        ({"metrics": {"eval/nll": "2"}}, 'metrics must be a mapping of numbers; got {"eval/nll": "2"}'),
        ("device", "device must be a text; it is missing"),
    ],
)
def test_an_outcome_that_no_run_wrote_is_refused(content: Any, said: str, tmp_path: Path) -> None:
    values = OUTCOME.to_json()
    if isinstance(content, dict):
        content = json.dumps(values | content)
    elif content == "device":
        content = json.dumps({name: value for name, value in values.items() if name != content})
    elif isinstance(content, list):
        content = json.dumps(content)
    (tmp_path / "outcome.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RunFolderError, match=re.escape(said)) as refused:
        run_folder.read_outcome(tmp_path)
    assert f"remove {tmp_path} to train the run again" in str(refused.value)


def test_a_disk_too_full_is_refused_before_anything_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = compose(["model=small"])
    run_folder.require_room(tmp_path, config)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**8))
    told = r"must have [\d,]+ MiB free for the run's checkpoints and models; it has 95 MiB: .*run\.dir=.*--dir"
    with pytest.raises(DiskError, match=told):
        run_folder.require_room(tmp_path, config)


def test_weights_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("model", "checkpoints/chck_1M", ".model.removed", "eval"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("x")
    run_folder.remove_weights(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["eval"]
    run_folder.remove_weights(tmp_path)


def test_a_trial_s_folder_may_be_a_link_and_nothing_else_may_be_in_its_place(tmp_path: Path) -> None:
    """A launcher records a run in its folder: a file in the way would end the search as a bug of ours."""
    config = compose([])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "dangling").symlink_to(tmp_path / "not" / "made" / "yet")
    for name, place in (("linked", "elsewhere"), ("dangling", "not/made/yet")):
        assert run_folder.record_run(tmp_path / name, config) is False
        assert run_folder.record_run(tmp_path / name, config) is True
        assert (tmp_path / place / run_folder.CONFIG).is_file()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "blocked").symlink_to(tmp_path / "file" / "x")
    for name in ("file", "loop", "blocked"):
        with pytest.raises(RunFolderError, match=re.escape(f"{tmp_path / name} must be a folder that can be written")):
            run_folder.record_run(tmp_path / name, config)
