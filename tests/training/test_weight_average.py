"""The moving average of the weights: its law, its place in a run, and that training does not notice it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedModel

from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import RunFolderError
from sleep_tune.evaluation.evaluator import Evaluator
from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.training.attempts import find_latest
from sleep_tune.training.run import train
from sleep_tune.training.weight_average import FILE, WeightAverage, decay_at
from tests.messages import raises_naming
from tests.training.runs import DATA, keep_training, make_config, read_lines, weigh
from tests.training.test_damage import reseal


class Tied(nn.Module):
    """An embedding that is the head too, and a buffer that is no weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5)
        self.head.weight = self.embedding.weight
        self.register_buffer("counts", torch.zeros(5))


def set_weights(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for weights in model.parameters():
            weights.fill_(value)


def averaged(model: nn.Module, average: WeightAverage) -> list[torch.Tensor]:
    with average.in_model():
        return [weights.detach().clone() for weights in model.parameters()]


@given(values=st.lists(st.floats(-2, 2), min_size=1, max_size=30), decay=st.floats(0.05, 0.999))
def test_the_average_is_the_recurrence(values: list[float], decay: float) -> None:
    model = Tied()
    set_weights(model, 1.5)
    average, expected = WeightAverage(model, decay), 1.5
    for updates, value in enumerate(values, 1):
        set_weights(model, value)
        average.update(updates)
        share = min(decay, (1 + updates) / (10 + updates))
        assert decay_at(updates, decay) == share
        expected = share * expected + (1 - share) * value
    for weights in averaged(model, average):
        np.testing.assert_allclose(weights.numpy(), expected, atol=1e-5)


def test_the_initial_weights_of_a_short_run_hardly_count() -> None:
    """Of 100 updates at 0.999: without the rising decay, nine tenths of the average would be the initial weights."""
    model = Tied()
    set_weights(model, 1.0)
    average = WeightAverage(model, 0.999)
    set_weights(model, 0.0)
    for updates in range(1, 101):
        average.update(updates)
    assert all(float(weights.max()) < 1e-6 for weights in averaged(model, average))


def test_weights_are_their_own_again_after_an_evaluation_that_fails() -> None:
    model = Tied()
    average = WeightAverage(model, 0.9)
    set_weights(model, 0.1)
    average.update(1)
    before = {name: (weights.data_ptr(), weights.detach().clone()) for name, weights in model.named_parameters()}
    with pytest.raises(ZeroDivisionError), average.in_model():
        assert model.head.weight is model.embedding.weight
        assert not any(torch.equal(weights, before[name][1]) for name, weights in model.named_parameters())
        raise ZeroDivisionError
    for name, weights in model.named_parameters():
        assert (weights.data_ptr(), weights.requires_grad) == (before[name][0], True)
        assert torch.equal(weights, before[name][1])


def test_saved_averages_are_those_of_the_weights_and_are_restored(tmp_path: Path) -> None:
    model = Tied()
    average = WeightAverage(model, 0.9)
    set_weights(model, 0.1)
    average.update(1)
    average.save(tmp_path)
    assert load_file(tmp_path / FILE).keys() == {"embedding.weight", "head.bias"}
    other = Tied()
    restored = WeightAverage(other, 0.9)
    restored.load(tmp_path)
    for ours, theirs in zip(averaged(other, restored), averaged(model, average), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda saved: {"head.bias": saved["head.bias"]}, "embedding.weight"),
        (lambda saved: saved | {"other": torch.zeros(2)}, "other"),
        (lambda saved: saved | {"head.bias": torch.zeros(2)}, "(2,)"),
        (None, FILE),
    ],
)
def test_averages_of_another_model_are_refused(change: Any, named: str, tmp_path: Path) -> None:
    model = Tied()
    average = WeightAverage(model, 0.9)
    average.save(tmp_path)
    if change is None:
        (tmp_path / FILE).write_bytes(b"no tensors")
    else:
        save_file(change(load_file(tmp_path / FILE)), tmp_path / FILE)
    with raises_naming(RunFolderError, str(tmp_path), FILE, named):
        average.load(tmp_path)


@pytest.fixture(scope="module")
def plain(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A run without an average."""
    folder = tmp_path_factory.mktemp("plain")
    return folder, train(make_config(folder, rungs=(0.5,)), keep_training, corpus=corpus)


@pytest.fixture(scope="module")
def done(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The same with one."""
    folder = tmp_path_factory.mktemp("done")
    return folder, train(make_config(folder, rungs=(0.5,), ema=0.9), keep_training, corpus=corpus)


def of_model(metrics: Any) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if not name.startswith("ema/")}


@pytest.mark.slow
def test_training_and_the_models_own_results_are_those_without_it(
    plain: tuple[Path, Outcome], done: tuple[Path, Outcome]
) -> None:
    """To the bit: losses, metrics, weights, and the answer to each item."""
    assert read_lines(done[0], "train") == read_lines(plain[0], "train")
    assert read_lines(done[0], "sleep") == read_lines(plain[0], "sleep")
    assert of_model(done[1].metrics) == plain[1].metrics
    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (done[0], plain[0]))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    answers, expected = (pd.read_parquet(folder / "eval" / "items.parquet") for folder in (done[0], plain[0]))
    pd.testing.assert_frame_equal(answers, expected)


@pytest.mark.slow
def test_every_metric_has_its_variant_at_rungs_and_at_the_end(done: tuple[Path, Outcome]) -> None:
    folder, outcome = done
    for line in read_lines(folder, "eval"):
        names = set(of_model(line["metrics"]))
        assert line["metrics"].keys() == names | {f"ema/{name}" for name in names}
        assert line["metrics"]["ema/" + min(names)] != line["metrics"][min(names)]
    assert outcome.metrics["ema/test/nll"] != outcome.metrics["test/nll"]
    assert outcome.metrics["ema/test/nll"] == pytest.approx(outcome.metrics["test/nll"], rel=0.2)


@pytest.mark.slow
def test_the_averaged_model_opens_by_itself_and_measures_as_it_did(done: tuple[Path, Outcome], corpus: Corpus) -> None:
    folder, outcome = done
    assert sorted(path.name for path in folder.iterdir()) == [
        "eval",
        "exposures.npz",
        "metrics.jsonl",
        "model",
        "model-ema",
        "outcome.json",
    ]
    assert sorted(path.name for path in (folder / "model-ema").iterdir()) == sorted(
        path.name for path in (folder / "model").iterdir()
    )
    model = AutoModelForMaskedLM.from_pretrained(folder / "model-ema")
    measured = Evaluator(corpus, make_config(folder).evaluation, DATA.seed)(model, "test")
    assert measured["test/nll"] == pytest.approx(outcome.metrics["ema/test/nll"], rel=1e-5)
    assert measured["test/pairs_accuracy"] == outcome.metrics["ema/test/pairs_accuracy"]


@pytest.mark.slow
def test_it_is_the_average_of_the_weights_after_every_update(corpus: Corpus, tmp_path: Path) -> None:
    """Of a causal model, with several batches in an update."""
    config = make_config(tmp_path, ema=0.7, accumulation=4, rungs=tuple(n / 100 for n in range(1, 100)))
    config.model.kind, config.training.objective = "gpt2", "clm"
    config.sleep.replay.strategy = "random"
    seen: list[dict[str, torch.Tensor]] = []

    def keep(model: PreTrainedModel, split: str) -> dict[str, float]:
        seen.append({name: weights.detach().clone() for name, weights in model.named_parameters()})
        return weigh(model, split)

    outcome = train(config, keep_training, corpus=corpus, evaluate=keep)
    rungs = {line["updates"]: index for index, line in enumerate(read_lines(tmp_path, "eval"))}
    assert set(rungs) == set(range(1, outcome.updates + 1))  # every update was followed by a rung
    expected: dict[str, torch.Tensor] = {}
    for updates, index in sorted(rungs.items()):
        average, weights = seen[2 * index], seen[2 * index + 1]
        share = min(0.7, (1 + updates) / (10 + updates))
        for name in weights if expected else ():
            expected[name] = share * expected[name] + (1 - share) * weights[name]
            torch.testing.assert_close(average[name], expected[name], atol=1e-5, rtol=1e-4)
        expected = expected or dict(average)
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "model-ema")
    for name, published in saved.named_parameters():
        assert torch.equal(published, seen[-2][name])


@pytest.mark.slow
def test_neither_model_is_saved_where_none_is_wanted(corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path, ema=0.9, save_model=False, checkpoint_ratio=0.0)
    outcome = train(config, keep_training, corpus=corpus, evaluate=weigh)
    assert outcome.metrics.keys() == {"eval/nll", "test/nll", "ema/eval/nll", "ema/test/nll"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "eval",
        "exposures.npz",
        "metrics.jsonl",
        "outcome.json",
    ]


@pytest.mark.slow
def test_word_checkpoints_are_of_the_model_itself(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sleep_tune.training import run, word_checkpoints

    monkeypatch.setattr(word_checkpoints, "MILLION", 1000)
    monkeypatch.setattr(run, "word_marks", lambda budget: (2000,))
    for name, ema in (("plain", None), ("averaged", 0.9)):
        config = make_config(tmp_path / name, ema=ema, word_checkpoints=True)
        train(config, keep_training, corpus=corpus, evaluate=weigh)
    ours, theirs = (
        load_file(tmp_path / name / "checkpoints" / "chck_2M" / "model.safetensors") for name in ("averaged", "plain")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_a_checkpoint_without_the_average_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    def pause(progress: Progress) -> Decision:
        return Decision.CONTINUE if progress.rung is None else Decision.PAUSE

    config = make_config(tmp_path, rungs=(0.5,), ema=0.9)
    assert train(config, pause, corpus=corpus, evaluate=weigh).state == "paused"
    checkpoint = find_latest(tmp_path)
    assert checkpoint is not None
    (checkpoint.folder / FILE).unlink()
    reseal(checkpoint.folder)
    with raises_naming(RunFolderError, str(checkpoint.folder), FILE):
        train(config, keep_training, corpus=corpus, evaluate=weigh)
