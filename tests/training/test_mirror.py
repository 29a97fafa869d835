"""The mirror of checkpoints: a run whose disk is gone resumes from it."""

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.config.rules import check_rules
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import ConfigError, RunFolderError
from sleep_tune.records import Decision, Progress
from sleep_tune.training.attempts import find_latest, make_attempt
from sleep_tune.training.checkpoint import complete_checkpoint
from sleep_tune.training.identity import Identity, identify
from sleep_tune.training.mirror import Mirror, mirror_name, open_mirror
from sleep_tune.training.run import train
from tests.training.runs import DATA, keep_training, make_config, read_lines, same_outcome, weigh

RUNGS = (0.3, 0.6)


def write(run: Path, updates: int) -> Path:
    folder = run / "attempt-1" / f"checkpoint-{updates}"
    folder.mkdir(parents=True)
    for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json"):
        (folder / name).write_bytes(b"state" * updates)
    complete_checkpoint(folder, {"words": updates}, {"seconds": 1.5}, b"one\n")
    return folder


def copied(place: Path) -> list[str]:
    return sorted(path.name for path in place.rglob("checkpoint-*"))


def an_identity() -> Identity:
    return identify(make_config(Path("x")), "corpus", 1)


def test_a_run_without_one_has_none() -> None:
    assert open_mirror(make_config(Path("run")), an_identity()) is None


def test_what_was_pushed_is_pulled_with_its_lines(tmp_path: Path) -> None:
    run, place = tmp_path / "run", tmp_path / "there"
    mirror = Mirror(place.as_uri(), "x")
    mirror.push(write(run, 3))
    shutil.rmtree(run)
    pulled = mirror.pull(make_attempt(run))
    assert pulled is not None
    assert pulled == find_latest(run)
    assert (pulled.updates, pulled.state, pulled.journal()) == (3, {"seconds": 1.5}, b"one\n")
    assert (pulled.folder / "model.safetensors").read_bytes() == b"state" * 3
    assert int(pulled.stream_state()["words"]) == 3


def test_the_last_two_stay_and_later_ones_are_left_alone(tmp_path: Path) -> None:
    run, place = tmp_path / "run", tmp_path / "there"
    mirror = Mirror(place.as_uri(), "x")
    for updates in (2, 30, 9, 10):
        mirror.push(write(run, updates))
    assert copied(place) == ["checkpoint-10", "checkpoint-30", "checkpoint-9"]


@pytest.mark.parametrize("files", range(6))
def test_a_copy_that_broke_off_before_its_marker_is_none(
    files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The marker is copied last: until then a run resumes from the checkpoint before it, without a warning."""
    run, mirror = tmp_path / "run", Mirror((tmp_path / "there").as_uri(), "x")
    mirror.push(write(run, 2))
    broken, left, copy = write(run, 3), [files], shutil.copyfileobj
    assert len(list(broken.iterdir())) == 7

    def break_off(source: Any, target: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("the network is gone")
        copy(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", break_off)
        mirror.push(broken)
    caplog.clear()
    pulled = mirror.pull(make_attempt(tmp_path / "again"))
    assert pulled is not None
    assert pulled.updates == 2
    assert not caplog.records


def test_a_copy_without_its_marker_is_none(tmp_path: Path) -> None:
    run, place = tmp_path / "run", tmp_path / "there"
    mirror = Mirror(place.as_uri(), "x")
    mirror.push(write(run, 3))
    next(place.rglob("complete.json")).unlink()
    shutil.rmtree(run)
    assert mirror.pull(make_attempt(run)) is None
    assert find_latest(run) is None


def test_a_damaged_copy_is_named_and_the_one_before_it_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, place = tmp_path / "run", tmp_path / "there"
    mirror = Mirror(place.as_uri(), "x")
    for updates in (3, 7):
        mirror.push(write(run, updates))
    shutil.rmtree(run)
    (place / "x" / "checkpoint-7" / "optimizer.pt").write_bytes(b"statE" * 7)
    attempt = make_attempt(run)
    pulled = mirror.pull(attempt)
    assert pulled is not None
    assert pulled.updates == 3
    assert [path.name for path in attempt.glob("checkpoint-*")] == ["checkpoint-3"]
    assert f"training.mirror holds {place}/x/checkpoint-7" in caplog.text
    assert "optimizer.pt is not what was written" in caplog.text
    (place / "x" / "checkpoint-3" / "model.safetensors").unlink()
    with pytest.raises(
        RunFolderError, match=r"model\.safetensors is missing, and no other .* remove .*/there/x to train"
    ):
        mirror.pull(attempt)


def test_the_copies_of_a_run_that_is_over_are_removed(tmp_path: Path) -> None:
    run, place = tmp_path / "run", tmp_path / "there"
    for name in ("x", "y"):
        Mirror(place.as_uri(), name).push(write(run / name, 3))
    for _ in range(2):
        Mirror(place.as_uri(), "x").remove()
    assert [path.name for path in place.iterdir()] == ["y"]


def test_a_place_that_cannot_be_written_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    mirror = Mirror((tmp_path / "file").as_uri(), "x")
    mirror.push(write(tmp_path / "run", 3))
    assert "was not copied to training.mirror" in caplog.text


@pytest.mark.parametrize("uri", ["folder/there", "xyz://bucket/there"])
def test_a_place_of_no_kind_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match=rf"training\.mirror must be a URI such as s3://bucket/folder; got '{uri}'"):
        Mirror(uri, "x")


def test_a_place_is_named_by_what_the_run_is_and_not_by_where_it_lies() -> None:
    def named(
        folder: str = "a/b", *, corpus: str = "c", processes: int = 1, group: str | None = None, **other: Any
    ) -> str:
        config = make_config(Path(folder), rungs=other.pop("rungs", ()), **other)
        config.run.name, config.tracking.group = "mine", group
        config.data = dataclasses.replace(DATA, path=folder)
        return mirror_name(config, identify(config, corpus, processes))

    assert re.fullmatch(r"mine-[0-9a-f]{12}", named())
    same = [named("elsewhere"), named(threads=3), named(rungs=(0.5,)), named(mirror="file:///x")]
    assert set(same) == {named()}
    others = [
        *(named(seed=1), named(learning_rate=0.5), named(batch_size=4), named(corpus="d"), named(processes=2)),
        *(named(group="one"), named(group="two")),
    ]
    assert len({named(), *others}) == 1 + len(others)
    assert re.fullmatch(r"__.._a-mine-[0-9a-f]{12}", named(group="//../a"))


def test_models_on_the_way_are_not_mirrored() -> None:
    config = make_config(Path("run"), mirror="file:///there", word_checkpoints=True)
    with pytest.raises(ConfigError, match=r"training\.word_checkpoints must be false with training\.mirror"):
        check_rules(config)


def pause_at(number: int) -> Callable[[Progress], Decision]:
    def report(progress: Progress) -> Decision:
        nonlocal number
        number -= progress.rung is not None
        return Decision.PAUSE if progress.rung is not None and number == 0 else Decision.CONTINUE

    return report


@pytest.mark.slow
def test_a_run_whose_folder_is_gone_resumes_from_its_mirror(
    corpus: Corpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As if nothing had happened: batches, losses, rungs and lines."""
    whole = train(make_config(tmp_path / "whole", rungs=RUNGS), keep_training, corpus=corpus, evaluate=weigh)
    config = make_config(tmp_path / "run", rungs=RUNGS, mirror=(tmp_path / "there").as_uri())
    for _ in RUNGS:
        assert train(config, pause_at(1), corpus=corpus, evaluate=weigh).state == "paused"
        assert len(copied(tmp_path / "there")) == 2
        shutil.rmtree(tmp_path / "run")
    caplog.clear()
    assert same_outcome(train(config, keep_training, corpus=corpus, evaluate=weigh), whole)
    assert not caplog.text
    assert read_lines(tmp_path / "run") == read_lines(tmp_path / "whole")
    assert not list((tmp_path / "there").iterdir())


@pytest.mark.slow
def test_another_configuration_of_the_same_name_begins_afresh(corpus: Corpus, tmp_path: Path) -> None:
    """It took the other one's weights, optimizer and scores, and said nothing."""
    mirror = (tmp_path / "there").as_uri()
    first = make_config(tmp_path / "run", rungs=(0.3,), mirror=mirror)
    assert train(first, pause_at(1), corpus=corpus, evaluate=weigh).state == "paused"
    shutil.rmtree(tmp_path / "run")
    changes: dict[str, Any] = {"learning_rate": 0.001, "seed": 9}
    outcome = train(
        make_config(tmp_path / "run", mirror=mirror, **changes), keep_training, corpus=corpus, evaluate=weigh
    )
    alone = train(make_config(tmp_path / "alone", **changes), keep_training, corpus=corpus, evaluate=weigh)
    assert same_outcome(outcome, alone)
    assert len(copied(tmp_path / "there")) == 2  # the first one's, which may resume later


@pytest.mark.slow
def test_a_run_all_of_whose_checkpoints_are_damaged_resumes_from_its_mirror(corpus: Corpus, tmp_path: Path) -> None:
    whole = train(make_config(tmp_path / "whole", rungs=(0.5,)), keep_training, corpus=corpus, evaluate=weigh)
    config = make_config(tmp_path / "run", rungs=(0.5,), mirror=(tmp_path / "there").as_uri())
    assert train(config, pause_at(1), corpus=corpus, evaluate=weigh).state == "paused"
    for file in (tmp_path / "run").rglob("optimizer.pt"):
        file.write_bytes(b"")
    (tmp_path / "run" / "metrics.jsonl").write_bytes(b"")
    assert same_outcome(train(config, keep_training, corpus=corpus, evaluate=weigh), whole)
    assert read_lines(tmp_path / "run") == read_lines(tmp_path / "whole")
