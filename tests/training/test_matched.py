"""Runs that repeat the exposures of another run: what they see, how they resume, and what is refused."""

import dataclasses
import shutil
from collections import Counter
from pathlib import Path

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import RunFolderError
from sleep_tune.experiment.exposures import read_exposures
from sleep_tune.experiment.run_folder import record_run
from sleep_tune.records import Decision, Progress
from sleep_tune.training.identity import identify
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.run import train
from sleep_tune.training.session import open_stream
from tests.messages import raises_naming
from tests.sleep.corpora import play
from tests.training.runs import keep_training, make_config, read_lines, same_outcome, weigh


def matching(folder: Path, parent: Path, **training: object) -> RunConfig:
    """The configuration of `make_config`, matched to a run."""
    config = make_config(folder, **training)  # type: ignore[arg-type]
    config.sleep.matched = str(parent)
    return config


@pytest.fixture(scope="module")
def parent(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with sleep that has completed, without a model."""
    folder = tmp_path_factory.mktemp("runs") / "parent"
    train(make_config(folder, save_model=False), keep_training, corpus=corpus, evaluate=weigh)
    return folder


def test_a_run_writes_how_often_it_saw_each_sample(parent: Path, corpus: Corpus) -> None:
    times_seen = read_exposures(parent).times_seen
    stream = open_stream(make_config(parent), corpus, ProcessGroup())
    assert (times_seen > 0).all()
    assert times_seen.max() > 4, "some samples were replayed"
    assert read_exposures(parent).budget_words == stream.plan.budget_words


def test_a_matched_run_sees_the_words_of_its_parent_and_writes_their_exposures(
    parent: Path, corpus: Corpus, tmp_path: Path
) -> None:
    config = matching(tmp_path / "matched", parent, save_model=False)
    there = read_lines(parent, "train")[-1]
    outcome = train(config, keep_training, corpus=corpus, evaluate=weigh)
    assert outcome.state == "completed"
    assert outcome.words_seen == there["words_seen"]
    assert abs(outcome.updates - there["updates"]) <= 3
    lines = read_lines(tmp_path / "matched")
    assert {line["kind"] for line in lines} == {"train", "phase", "eval"}
    assert {line["phase"] for line in lines if line["kind"] == "train"} == {"wake"}
    assert lines[0]["read_ratio"] > 0
    assert read_exposures(tmp_path / "matched").digest() == read_exposures(parent).digest()
    again = matching(tmp_path / "again", tmp_path / "matched", save_model=False)
    assert same_outcome(train(again, keep_training, corpus=corpus, evaluate=weigh), outcome), "matched to a matched run"


def test_a_matched_run_that_was_cut_equals_an_uninterrupted_one(parent: Path, corpus: Corpus, tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def cut(progress: Progress) -> Decision:
        if progress.rung is not None:
            raise Cut
        return Decision.CONTINUE

    configs = {name: matching(tmp_path / name, parent, save_model=False, rungs=(0.4,)) for name in ("whole", "cut")}
    whole = train(configs["whole"], keep_training, corpus=corpus, evaluate=weigh)
    with pytest.raises(Cut):
        train(configs["cut"], cut, corpus=corpus, evaluate=weigh)
    assert list((tmp_path / "cut").glob("attempt-*/checkpoint-*"))
    assert same_outcome(train(configs["cut"], keep_training, corpus=corpus, evaluate=weigh), whole)
    assert read_lines(tmp_path / "cut") == read_lines(tmp_path / "whole")


def test_several_processes_see_the_batches_of_one(parent: Path, corpus: Corpus, tmp_path: Path) -> None:
    alone = open_stream(matching(tmp_path, parent, batch_size=8), corpus, ProcessGroup())
    pair = open_stream(matching(tmp_path, parent, batch_size=4), corpus, ProcessGroup(1, 2))
    assert [batch.input_ids.tolist() for batch in play(alone)] == [batch.input_ids.tolist() for batch in play(pair)]


def test_runs_without_sleep_can_be_matched(corpus: Corpus, tmp_path: Path) -> None:
    """Every sample as often as in epochs, but no longer once a pass."""
    train(make_config(tmp_path / "epochs", sleep=False, save_model=False), keep_training, corpus=corpus, evaluate=weigh)
    stream = open_stream(matching(tmp_path / "m", tmp_path / "epochs"), corpus, ProcessGroup())
    rows = [row for batch in play(stream) for row in batch.sample_ids.max(axis=1).tolist()]
    first = rows[: len(corpus.train)]
    assert max(Counter(rows).values()) == 4
    assert len(set(first)) < len(first)


def test_identity_holds_the_exposures_and_not_their_place(parent: Path, corpus: Corpus, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "parent"
    shutil.copytree(parent, moved)
    here, there = (identify(matching(tmp_path / "m", folder), corpus.key, 1) for folder in (parent, moved))
    alone = identify(make_config(tmp_path / "m"), corpus.key, 1)
    assert here.digest() == there.digest() != alone.digest()
    assert here.differences_from(there.to_json()) == ""
    assert "sleep.matched" in here.differences_from(alone.to_json())
    assert not record_run(tmp_path / "m", matching(tmp_path / "m", parent))
    assert record_run(tmp_path / "m", matching(tmp_path / "m", moved))
    for other in (matching(tmp_path / "m", tmp_path / "other"), make_config(tmp_path / "m")):
        with raises_naming(RunFolderError, "sleep.matched", "parent"):
            record_run(tmp_path / "m", other)


def test_runs_that_cannot_be_compared_are_refused(parent: Path, corpus: Corpus, tmp_path: Path) -> None:
    for changed, names in (
        (matching(tmp_path, parent, seed=1), ("training.seed", "0 there, 1 here")),
        (matching(tmp_path, tmp_path / "none"), (str(tmp_path / "none"), "completed")),
        (matching(tmp_path, tmp_path), (str(tmp_path), "completed")),
    ):
        with raises_naming(RunFolderError, *names):
            open_stream(changed, corpus, ProcessGroup())
    config = matching(tmp_path, parent)
    config.sleep.context = "repack"
    with raises_naming(RunFolderError, "sleep.matched", "sleep.context", "keep there, repack here"):
        open_stream(config, corpus, ProcessGroup())
    config = matching(tmp_path, parent)
    config.budget.passes = 4.0
    with raises_naming(RunFolderError, "sleep.matched", "budget"):
        open_stream(config, corpus, ProcessGroup())
    with raises_naming(RunFolderError, "sleep.matched", "corpus"):
        open_stream(matching(tmp_path, parent), dataclasses.replace(corpus, key="another"), ProcessGroup())
