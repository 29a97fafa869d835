"""Replay by excess loss: the loss of the model less that of a reference model at the same positions."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sleep_tune.config.schema import ReplayConfig, RunConfig, TokenizerConfig
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.errors import ConfigError, DataError, RunFolderError, UserError
from sleep_tune.models.architectures import mask_maker
from sleep_tune.models.sparse import sparse_forward
from sleep_tune.records import Decision, Progress
from sleep_tune.training.batch_feed import BatchFeed
from sleep_tune.training.first_model import make_first_model
from sleep_tune.training.flops import count_flops
from sleep_tune.training.identity import identify
from sleep_tune.training.outputs import write_model
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.reference_model import ReferenceModel, open_reference
from sleep_tune.training.run import train
from sleep_tune.training.session import open_stream
from tests.messages import raises_naming
from tests.training.runs import DATA, keep_training, make_config, read_lines, same_outcome, weigh

CPU = torch.device("cpu")
CASES = [("roberta_prelayernorm", "mlm"), ("roberta", "hybrid"), ("gpt2", "clm"), ("modernbert", "mlm")]


def with_reference(config: RunConfig, folder: Path, **replay: Any) -> RunConfig:
    """The configuration with excess as its signal."""
    options = {"signal": "excess", "reference": str(folder), "normalise": "rank"} | replay
    config.sleep.replay = ReplayConfig(**options)
    return config


def write_reference(folder: Path, corpus: Corpus, kind: str = "roberta_prelayernorm", objective: str = "mlm") -> Path:
    """Write another model than the one that a run begins with."""
    config = make_config(folder, objective=objective, seed=7)
    config.model.kind = kind
    write_model(folder, make_first_model(config, corpus), corpus.tokenizer_dir)
    return folder


@pytest.mark.parametrize(("kind", "objective"), CASES)
def test_its_losses_are_those_of_the_whole_model(kind: str, objective: str, corpus: Corpus, tmp_path: Path) -> None:
    """With the masks of the batch, causal or not, computed from all logits; and its cost is counted."""
    config = make_config(tmp_path, objective=objective, causal_ratio=0.5)
    config.model.kind = kind
    with_reference(config, write_reference(tmp_path / "reference", corpus, kind, objective))
    reference = open_reference(config, corpus, CPU)
    assert reference is not None
    model: Any = reference.model
    stream = open_stream(config, corpus, ProcessGroup())
    mask = mask_maker(kind)
    feed = BatchFeed(stream, corpus.train, config.training, mask=mask, device=CPU, processes=ProcessGroup())
    for prepared in [feed.next_batch() for _ in range(4)]:
        assert prepared is not None
        with sparse_forward(model):
            losses = reference.losses(prepared)
        assert not losses.requires_grad
        with torch.no_grad():
            logits = model(input_ids=prepared.input_ids, attention_mask=prepared.attention_mask).logits
        wanted = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1)[prepared.positions], prepared.labels, reduction="none"
        )
        assert torch.allclose(losses, wanted, atol=1e-4)
    assert (reference.num_tokens, reference.num_predicted) == (feed.num_tokens, feed.num_predicted)
    counts = {"tokens": feed.num_tokens, "predicted": feed.num_predicted, "length": 32}
    assert reference.flops(32) == pytest.approx(count_flops(model, **counts) / 3)


@pytest.mark.slow
def test_scores_are_excess_losses_and_the_cost_is_counted(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a run of the same batches (strategy random) without a reference; asleep it reads where scores refresh."""
    folder = write_reference(tmp_path / "reference", corpus)
    losses: dict[str, list[float]] = {}
    flops = {}
    record = BatchFeed.record_losses
    for name, refresh in (("plain", 0.0), ("excess", 0.0), ("refreshed", 0.5)):
        config = make_config(tmp_path / name)
        config.sleep.replay = ReplayConfig(strategy="random", refresh=refresh)
        if name != "plain":
            with_reference(config, folder, strategy="random", refresh=refresh)
        kept = losses.setdefault(name, [])

        def keep(feed: BatchFeed, prepared: Any, values: torch.Tensor, kept: list[float] = kept) -> None:
            if prepared.batch.phase == "wake":
                kept.extend(values.tolist())
            record(feed, prepared, values)

        with monkeypatch.context() as patched:
            patched.setattr(BatchFeed, "record_losses", keep)
            flops[name] = train(config, keep_training, corpus=corpus, evaluate=weigh).flops
    references: list[float] = []
    reference = open_reference(with_reference(make_config(tmp_path), folder), corpus, CPU)
    assert reference is not None
    config = make_config(tmp_path)
    config.sleep.replay.strategy = "random"
    stream = open_stream(config, corpus, ProcessGroup())
    feed = BatchFeed(stream, corpus.train, config.training, device=CPU, processes=ProcessGroup())
    for prepared in feed:
        feed.record_losses(prepared, torch.ones(len(prepared.labels)))
        if prepared.batch.phase == "wake":
            with sparse_forward(reference.model):
                references.extend(reference.losses(prepared).tolist())
    excess = np.array(losses["plain"]) - np.array(losses["excess"])
    np.testing.assert_allclose(excess, references, atol=1e-4)
    assert flops["excess"] - flops["plain"] == pytest.approx(reference.flops(32))
    whole = {"tokens": feed.num_tokens, "predicted": feed.num_predicted, "length": 32}
    assert flops["refreshed"] - flops["plain"] == pytest.approx(count_flops(reference.model, **whole) / 3)


@pytest.mark.slow
def test_a_run_with_a_reference_that_is_cut_is_the_same(corpus: Corpus, tmp_path: Path) -> None:
    folder = write_reference(tmp_path / "reference", corpus)
    knobs: dict[str, Any] = {"normalise": "source", "refresh": 0.3, "uniform": 0.1}
    expected = train(
        with_reference(make_config(tmp_path / "whole", rungs=(0.5,)), folder, **knobs),
        keep_training,
        corpus=corpus,
        evaluate=weigh,
    )

    def cut(progress: Progress) -> Decision:
        if progress.rung is not None:
            raise RuntimeError("cut")
        return Decision.CONTINUE

    config = with_reference(make_config(tmp_path / "cut", rungs=(0.5,)), folder, **knobs)
    with pytest.raises(RuntimeError, match="cut"):
        train(config, cut, corpus=corpus, evaluate=weigh)
    other = write_reference(tmp_path / "other", corpus)
    reference = make_first_model(make_config(tmp_path, seed=8), corpus)
    write_model(other, reference, corpus.tokenizer_dir)
    with raises_naming(RunFolderError, "sleep.replay.reference"):
        train(with_reference(config, other, **knobs), keep_training, corpus=corpus, evaluate=weigh)
    moved = shutil.copytree(folder, tmp_path / "moved")
    outcome = train(with_reference(config, moved, **knobs), keep_training, corpus=corpus, evaluate=weigh)
    assert same_outcome(outcome, expected)
    assert read_lines(tmp_path / "cut") == read_lines(tmp_path / "whole")


def test_a_run_is_another_one_with_another_reference_but_not_with_another_path(corpus: Corpus, tmp_path: Path) -> None:
    folder = write_reference(tmp_path / "reference", corpus)
    moved = shutil.copytree(folder, tmp_path / "moved")
    one, same = (identify(with_reference(make_config(tmp_path), place), "key", 1) for place in (folder, moved))
    config = make_config(tmp_path, seed=8)
    write_model(folder, make_first_model(config, corpus), corpus.tokenizer_dir)
    other = identify(with_reference(make_config(tmp_path), folder), "key", 1)
    assert one == same
    assert one.digest() != other.digest()
    assert "sleep.replay.reference" in other.differences_from(one.to_json())


def test_a_control_does_not_depend_on_the_reference_that_it_inherits(corpus: Corpus, tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    train(make_config(parent, save_model=False), keep_training, corpus=corpus, evaluate=weigh)
    config = with_reference(make_config(tmp_path / "control"), write_reference(tmp_path / "reference", corpus))
    config.sleep.matched = str(parent)
    before = identify(config, corpus.key, 1)
    shutil.rmtree(tmp_path / "reference")
    assert identify(config, corpus.key, 1) == before


def open_it(config: RunConfig, corpus: Corpus) -> ReferenceModel | None:
    return open_reference(config, corpus, CPU)


def test_a_model_that_does_not_fit_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    key = "sleep.replay.reference"

    def refused(kind: type[UserError], folder: Path, *facts: object, **training: Any) -> None:
        with raises_naming(kind, key, *facts):
            open_it(with_reference(make_config(tmp_path, **training), folder), corpus)

    masked = write_reference(tmp_path / "masked", corpus)
    causal = write_reference(tmp_path / "causal", corpus, "gpt2", "clm")
    refused(DataError, causal, "training.objective=mlm", causal, "clm")
    refused(DataError, masked, "training.objective=hybrid", "mlm", objective="hybrid")
    windows = write_reference(tmp_path / "windows", corpus, "modernbert")
    refused(ConfigError, windows, "model.kind=roberta_prelayernorm", "modernbert")
    refused(DataError, tmp_path / "absent", tmp_path / "absent")

    another = prepare(DATA, TokenizerConfig(vocab_size=400))
    other = write_reference(tmp_path / "other", another)
    refused(DataError, other, f"{corpus.train.vocab_size} tokens", "400", "tokenizer=hub", f"tokenizer.name={other}")
    (masked / "tokenizer.json").unlink()
    refused(DataError, masked, "tokenizer.json", masked)
    (masked / "config.json").write_text("{")
    refused(DataError, masked, "config.json", masked)

    short = write_reference(tmp_path / "short", prepare(replace(DATA, max_length=16), TokenizerConfig(vocab_size=512)))
    with raises_naming(ConfigError, "data.max_length", key, 16, 32):
        open_it(with_reference(make_config(tmp_path), short), corpus)


def test_a_folder_that_does_not_state_its_objective_is_known_by_its_class(corpus: Corpus, tmp_path: Path) -> None:
    folder = write_reference(tmp_path / "reference", corpus)
    stated = json.loads((folder / "config.json").read_text())
    del stated["training_objective"]
    (folder / "config.json").write_text(json.dumps(stated))
    assert open_it(with_reference(make_config(tmp_path), folder), corpus) is not None


def test_nothing_is_opened_without_one_or_without_sleep(corpus: Corpus, tmp_path: Path) -> None:
    assert open_it(make_config(tmp_path), corpus) is None
    config = with_reference(make_config(tmp_path, sleep=False), tmp_path / "absent")
    assert not open_stream(config, corpus, ProcessGroup()).needs_losses("wake")
