"""Checkpoints in a second place: a run whose disk is gone goes on from there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sleep_tune.config.check import check
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import ConfigError
from sleep_tune.records import Decision, Progress
from sleep_tune.training.checkpoint import complete, find_latest, make_attempt
from sleep_tune.training.mirror import Mirror, open_mirror
from sleep_tune.training.run import train
from tests.training.runs import go_on, make_config, read_lines, same_outcome, weigh

RUNGS = (0.3, 0.6)


def write(run: Path, updates: int) -> Path:
    folder = run / "attempt-1" / f"checkpoint-{updates}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights" * updates)
    complete(folder, {"words": updates}, {"seconds": 1.5})
    return folder


def copied(place: Path) -> list[str]:
    return sorted(path.name for path in place.rglob("checkpoint-*"))


def test_a_run_without_one_has_none() -> None:
    assert open_mirror(None, Path("run")) is None


def test_what_was_pushed_is_pulled_with_its_lines(tmp_path: Path) -> None:
    run, place = tmp_path / "x" / "trials" / "t1", tmp_path / "there"
    checkpoint = write(run, 3)
    (run / "metrics.jsonl").write_text("one\ntwo\n")
    mirror = Mirror(place.as_uri(), run)
    mirror.push(checkpoint, len("one\n"))
    shutil.rmtree(run)
    mirror.pull(make_attempt(run))
    assert (run / "metrics.jsonl").read_text() == "one\n"
    latest = find_latest(run)
    assert latest is not None
    assert (latest.updates, latest.state) == (3, {"seconds": 1.5})
    assert (latest.folder / "model.safetensors").read_bytes() == b"weights" * 3
    assert int(latest.stream_state()["words"]) == 3


def test_older_ones_are_removed_and_later_ones_left_alone(tmp_path: Path) -> None:
    run, place = tmp_path / "run", tmp_path / "there"
    run.mkdir()
    (run / "metrics.jsonl").write_text("")
    mirror = Mirror(place.as_uri(), run)
    for updates in (2, 30, 9):
        mirror.push(write(run, updates), 0)
    assert copied(place) == ["checkpoint-30", "checkpoint-9"]


def test_a_copy_without_its_marker_is_none(tmp_path: Path) -> None:
    run, place = tmp_path / "run", tmp_path / "there"
    checkpoint = write(run, 3)
    (run / "metrics.jsonl").write_text("")
    mirror = Mirror(place.as_uri(), run)
    mirror.push(checkpoint, 0)
    next(place.rglob("complete.json")).unlink()
    shutil.rmtree(run)
    attempt = make_attempt(run)
    mirror.pull(attempt)
    assert find_latest(run) is None


def test_a_place_that_cannot_be_written_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint = write(tmp_path / "run", 3)
    (tmp_path / "file").touch()
    Mirror((tmp_path / "file").as_uri(), tmp_path / "run").push(checkpoint, 0)
    assert "was not copied to training.mirror" in caplog.text


@pytest.mark.parametrize("uri", ["folder/there", "xyz://bucket/there"])
def test_a_place_of_no_kind_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"training\.mirror must be a URI such as s3://bucket/folder; got '{uri}'"):
        Mirror(uri, tmp_path)


def test_models_on_the_way_are_not_mirrored() -> None:
    config = make_config(Path("run"), mirror="file:///there", word_checkpoints=True)
    with pytest.raises(ConfigError, match=r"training\.word_checkpoints must be false with training\.mirror"):
        check(config)


def pause_at(number: int) -> Callable[[Progress], Decision]:
    def report(progress: Progress) -> Decision:
        nonlocal number
        number -= progress.rung is not None
        return Decision.PAUSE if progress.rung is not None and number == 0 else Decision.CONTINUE

    return report


@pytest.mark.slow
def test_a_run_whose_folder_is_gone_goes_on_from_its_mirror(corpus: Corpus, tmp_path: Path) -> None:
    """As if nothing had happened: batches, losses, rungs and lines."""
    whole = train(make_config(tmp_path / "whole", rungs=RUNGS), go_on, corpus=corpus, evaluate=weigh)
    config = make_config(tmp_path / "run", rungs=RUNGS, mirror=(tmp_path / "there").as_uri())
    for _ in RUNGS:
        assert train(config, pause_at(1), corpus=corpus, evaluate=weigh).state == "paused"
        assert len(copied(tmp_path / "there")) == 1
        shutil.rmtree(tmp_path / "run")
    assert same_outcome(train(config, go_on, corpus=corpus, evaluate=weigh), whole)
    assert read_lines(tmp_path / "run") == read_lines(tmp_path / "whole")
