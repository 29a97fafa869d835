"""What holds for masked models holds for every architecture and objective that makes sense for it."""

from pathlib import Path

import pytest
import torch

from sleep_tune.config.schema import ModelConfig, RunConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.records import Decision, Progress
from sleep_tune.training.batch_feed import BatchFeed
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.run import train
from sleep_tune.training.session import open_stream
from tests.training.runs import keep_training, make_config, read_lines, same_outcome, weigh

PAIRS = [(kind, objective) for kind, objectives in OBJECTIVES_OF.items() for objective in objectives]

SIZES = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16}
NAMED = {
    "clm": ModelConfig(
        kind="hf", config="opt", options={**SIZES, "ffn_dim": 32, "word_embed_proj_dim": 16, "init_std": 0.1}
    ),
    "mlm": ModelConfig(kind="hf", config="bert", options={**SIZES, "intermediate_size": 32, "initializer_range": 0.1}),
}
"""Objective -> an architecture of transformers."""


class Cut(Exception):
    """What ends a run in these tests."""


def configure(folder: Path, kind: str, objective: str) -> RunConfig:
    config = make_config(folder, rungs=(0.3, 0.6), objective=objective)
    config.model.kind = kind
    if kind == "hf":
        config.model = NAMED[objective]
    if objective == "hybrid":
        config.training.causal_ratio = 0.3
    return config


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "objective"), PAIRS)
def test_a_run_cut_twice_equals_an_uninterrupted_one(kind: str, objective: str, corpus: Corpus, tmp_path: Path) -> None:
    """With dropout, through wake and sleep, loss for loss; scores are the losses of what was read."""
    whole = train(configure(tmp_path / "whole", kind, objective), keep_training, corpus=corpus, evaluate=weigh)
    config = configure(tmp_path / "cut", kind, objective)
    for rung in (0.3, 0.6):

        def cut(progress: Progress, rung: float = rung) -> Decision:
            if progress.rung is not None and progress.rung >= round(rung * progress.budget_words):
                raise Cut
            return Decision.CONTINUE

        with pytest.raises(Cut):
            train(config, cut, corpus=corpus, evaluate=weigh)
    assert same_outcome(train(config, keep_training, corpus=corpus, evaluate=weigh), whole)
    assert read_lines(tmp_path / "cut") == read_lines(tmp_path / "whole")
    assert len(read_lines(tmp_path / "whole", "sleep")) >= 3
    losses = [line["loss"] for line in read_lines(tmp_path / "whole", "train")]
    assert losses[-1] < losses[0] - 0.5


@pytest.mark.parametrize("objective", ["clm", "hybrid"])
def test_a_score_is_the_mean_loss_of_the_text_that_was_predicted(objective: str, corpus: Corpus) -> None:
    """Of separators, which clm predicts too, there is no score."""
    config = configure(Path("unused"), "roberta", objective)
    stream = open_stream(config, corpus, ProcessGroup())
    feed = BatchFeed(stream, corpus.train, config.training, device=torch.device("cpu"), processes=ProcessGroup())
    sums, counts = torch.zeros(len(corpus.train)), torch.zeros(len(corpus.train))
    for prepared in feed:
        if prepared.batch.phase == "sleep":
            break
        losses = torch.rand(len(prepared.labels))
        feed.record_losses(prepared, losses)
        belongs = torch.from_numpy(prepared.sample_ids >= 0)
        assert torch.equal(~belongs, prepared.labels == corpus.train.special.separator)
        ids = torch.from_numpy(prepared.sample_ids).long()[belongs]
        sums.index_add_(0, ids, losses[belongs])
        counts.index_add_(0, ids, torch.ones(len(ids)))
    read = counts > 0
    scores = torch.from_numpy(stream.history.scores).float()
    torch.testing.assert_close(scores[read], (sums / counts)[read], rtol=1e-5, atol=0)
