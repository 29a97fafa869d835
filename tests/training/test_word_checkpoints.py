"""Models at the words seen that BabyLM's rules name: whole, at the right words, whatever happened on the way."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedModel

from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import BudgetError
from sleep_tune.records import Decision, Progress
from sleep_tune.training import outputs, word_checkpoints
from sleep_tune.training.outputs import write_model
from sleep_tune.training.run import train
from sleep_tune.training.word_checkpoints import word_marks
from tests.training.processes import start_process
from tests.training.runs import keep_training, make_config, read_lines, same_outcome, weigh


def test_the_marks_are_the_challenges() -> None:
    small = word_marks(100_000_000)
    assert [mark // 10**6 for mark in small] == [*range(1, 10), *range(10, 101, 10)]
    assert [mark // 10**6 for mark in word_marks(10**9)[len(small) :]] == list(range(200, 1001, 100))


@pytest.mark.parametrize(("budget", "last"), [(1_000_000, 1), (4_371_100, 4), (19_999_999, 10), (2 * 10**9, 1000)])
def test_a_budget_has_the_marks_that_it_holds(budget: int, last: int) -> None:
    assert word_marks(budget)[-1] == last * 10**6


def test_a_budget_that_holds_none_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path / "run", word_checkpoints=True)
    with pytest.raises(BudgetError, match=r"training\.word_checkpoints needs a budget of at least 1,000,000 words"):
        train(config, keep_training, corpus=corpus, evaluate=weigh)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million is a thousand here, so that a small run has marks to pass."""
    monkeypatch.setattr(word_checkpoints, "MILLION", 1000)


def weights(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.rglob("model.safetensors")}


@pytest.mark.slow
@pytest.mark.usefixtures("thousands")
def test_models_are_saved_at_their_words(corpus: Corpus, tmp_path: Path) -> None:
    """The last is the final model, where the budget is a mark itself; saving changes nothing of training."""
    words = {}
    config = make_config(tmp_path / "run", word_checkpoints=True)
    config.budget.passes, config.budget.words = None, 10_000
    outcome = train(config, keep_training, corpus=corpus, evaluate=weigh)
    folder = tmp_path / "run" / "checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"chck_{number}M" for number in range(1, 11))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(
        ["checkpoints", "eval", "exposures.npz", "metrics.jsonl", "model", "outcome.json"]
    )
    for path in folder.iterdir():
        model = AutoModelForMaskedLM.from_pretrained(path)
        words[path.name] = float(sum(parameter.detach().double().norm() for parameter in model.parameters()))
        assert AutoTokenizer.from_pretrained(path).mask_token_id == corpus.train.special.mask
    assert len(set(words.values())) == 10
    final = {path.name: path.read_bytes() for path in (tmp_path / "run" / "model").iterdir()}
    assert {path.name: path.read_bytes() for path in (folder / "chck_10M").iterdir()} == final
    plain = make_config(tmp_path / "plain")
    plain.budget.passes, plain.budget.words = None, 10_000
    assert same_outcome(train(plain, keep_training, corpus=corpus, evaluate=weigh), outcome)
    assert read_lines(tmp_path / "plain") == read_lines(tmp_path / "run")


def train_until_killed(folder: Path, left: int) -> None:
    """Train with a million of a thousand words, and die with half of a model written, after `left` whole ones."""

    def write_or_die(model_folder: Path, model: PreTrainedModel, tokenizer: Path) -> None:
        nonlocal left
        if left == 0:
            model.save_pretrained(model_folder)
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        write_model(model_folder, model, tokenizer)

    million: Any = word_checkpoints
    writer: Any = outputs
    million.MILLION, writer.write_model = 1000, write_or_die
    train(make_config(folder, word_checkpoints=True), keep_training, evaluate=weigh)


@pytest.mark.slow
@pytest.mark.usefixtures("thousands")
def test_a_run_killed_while_it_saves_leaves_no_half_model(corpus: Corpus, tmp_path: Path) -> None:
    """Killed at one model after the other; the rest and the end are those of a run that was not."""
    train(make_config(tmp_path / "whole", word_checkpoints=True), keep_training, corpus=corpus, evaluate=weigh)
    expected = weights(tmp_path / "whole")
    for left in (1, 2, 0):
        killed = start_process(train_until_killed, tmp_path / "cut", left)
        killed.join()
        assert killed.exitcode == -signal.SIGKILL
        there = weights(tmp_path / "cut" / "checkpoints")
        assert there.items() <= expected.items()
        assert all((tmp_path / "cut" / "checkpoints" / name / "tokenizer.json").exists() for name in there)
    train(make_config(tmp_path / "cut", word_checkpoints=True), keep_training, corpus=corpus, evaluate=weigh)
    assert weights(tmp_path / "cut") == expected
    assert not list((tmp_path / "cut").glob("attempt-*"))


@pytest.mark.slow
@pytest.mark.usefixtures("thousands")
def test_a_paused_run_saves_each_model_once(corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path / "run", word_checkpoints=True, rungs=(0.3, 0.6))

    def pause(progress: Progress) -> Decision:
        return Decision.PAUSE if progress.rung is not None else Decision.CONTINUE

    assert train(config, pause, corpus=corpus, evaluate=weigh).state == "paused"
    saved = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert saved
    train(config, keep_training, corpus=corpus, evaluate=weigh)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert saved.items() < after.items()
