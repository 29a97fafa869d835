"""Shrinking after a sleep: which weights and by how much, when, and that an interruption changes nothing."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers import PreTrainedModel

from sleep_tune.config.schema import RunConfig, ShrinkConfig, TrainingConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.models.decay import names_to_decay
from sleep_tune.records import Decision, Progress
from sleep_tune.sleep.batch import Batch
from sleep_tune.training import shrink
from sleep_tune.training.attempts import find_latest
from sleep_tune.training.batch_feed import BatchFeed
from sleep_tune.training.optimizers import OPTIMIZERS, moment_names
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.run import train
from sleep_tune.training.session import open_stream
from sleep_tune.training.shrink import IMPORTANCES, SleepShrink, shrink_weights
from tests.training.runs import keep_training, make_config, read_lines, same_outcome, weigh
from tests.training.test_learning_rates import PLACES, batches_of
from tests.training.test_optimizers import MODELS, build, give_gradients, state_of


def trained(kind: str, objective: str, name: str, beta1: float = 0.9) -> tuple[PreTrainedModel, Any]:
    """A model and its optimizer after two updates."""
    model = build(kind, objective)
    optimizer = OPTIMIZERS[name](model, TrainingConfig(optimizer=name, learning_rate=1e-3, beta1=beta1))
    for seed in range(2):
        give_gradients(model, seed)
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


@pytest.mark.parametrize("by", IMPORTANCES)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_each_matrix_shrinks_once_outside_its_top_share(model: tuple[str, str], name: str, by: str) -> None:
    """Against a sort of each matrix in numpy; biases and norms stay, and so do all moments."""
    built, optimizer = trained(*model, name)
    before = state_of(built)
    moments = {
        weights: (optimizer.state[weights][key], optimizer.state[weights][key].clone())
        for group in optimizer.param_groups
        for key in moment_names(group)
        for weights in group["params"]
    }
    first = {w: moment_names(group)[0] for group in optimizer.param_groups for w in group["params"]}
    shrink_weights(built, optimizer, factor=0.5, protect=0.3, by=by)
    decayed, shrunk = names_to_decay(built), 0
    for tensor, weights in built.named_parameters():
        if tensor not in decayed:
            assert torch.equal(weights, before[tensor])
            continue
        was, now = (values.detach().numpy().ravel() for values in (before[tensor], weights))
        gradients = optimizer.state[weights][first[weights]].numpy().ravel()
        importance = np.abs(was) if by == "magnitude" else np.abs(was * gradients)
        kept = np.argsort(importance)[was.size - round(0.3 * was.size) :]
        expected = was / 2
        expected[kept] = was[kept]
        assert np.array_equal(now, expected)
        shrunk += 1
    assert shrunk > 8
    assert all(torch.equal(*pair) for pair in moments.values())


@given(factor=st.floats(0, 1, width=32), protect=st.floats(0, 1), seed=st.integers(0, 50))
def test_shares_and_factors_at_their_bounds(factor: float, protect: float, seed: int) -> None:
    layer = nn.Linear(7, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(3, 7, generator=torch.Generator().manual_seed(seed)))
    before = layer.weight.detach().clone()
    optimizer = torch.optim.AdamW(layer.parameters())
    optimizer.state[layer.weight] = {"exp_avg": torch.ones(3, 7)}
    for by in IMPORTANCES:
        with torch.no_grad():
            layer.weight.copy_(before)
        shrink_weights(layer, optimizer, factor=factor, protect=protect, by=by)  # type: ignore[arg-type]
        order = before.abs().flatten().argsort()
        number = 21 - round(21 * protect)
        now, was = layer.weight.detach().flatten()[order], before.flatten()[order]
        assert torch.equal(now[:number], was[:number] * factor)
        assert torch.equal(now[number:], was[number:])


def test_weights_without_a_gradient_shrink_before_all_others_and_without_a_loss_never() -> None:
    """Such as the embeddings of words that were not replayed; ties at the border do not protect each other."""
    table, unused = nn.Embedding(10, 2), nn.Linear(2, 2, bias=False)
    model = nn.ModuleList([table, unused])
    before = table.weight.detach().clone(), unused.weight.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters())
    gradients = torch.zeros(10, 2)
    gradients[4] = 1.0
    optimizer.state[table.weight] = {"exp_avg": gradients}
    shrink_weights(model, optimizer, factor=0.5, protect=0.5, by="gradient")  # type: ignore[arg-type]
    assert torch.equal(table.weight[4], before[0][4])
    others = [row for row in range(10) if row != 4]
    assert torch.equal(table.weight[others], before[0][others] / 2)
    assert torch.equal(unused.weight, before[1])


@given(cycles=PLACES, accumulation=st.integers(1, 5), ends_awake=st.booleans(), data=st.data())
def test_weights_shrink_once_for_each_sleep_before_the_next_update(
    cycles: list[tuple[int, int]], accumulation: int, ends_awake: bool, data: st.DataObject
) -> None:
    """Also if the run is cut between any two updates; never at its end."""
    batches = batches_of(cycles)
    if ends_awake:
        batches = [batch for batch in batches if (batch.phase, batch.cycle) != ("sleep", len(cycles) - 1)]
    updates = [batches[at : at + accumulation] for at in range(0, len(batches), accumulation)]
    cut = data.draw(st.integers(0, len(updates)))
    made: list[int] = []
    shrinks = SleepShrink(ShrinkConfig(factor=0.9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            shrink, "shrink_weights", lambda *_, factor, **__: made.append(round(np.log(factor) / np.log(0.9)))
        )
        for index, update in enumerate(updates):
            if index == cut:
                due, was_asleep = shrinks.due, index > 0 and updates[index - 1][-1].phase == "sleep"
                shrinks = SleepShrink(ShrinkConfig(factor=0.9), is_asleep=was_asleep)
                shrinks.due = due
            follow_update(shrinks, update)
            assert sum(made) == count_ended(batches[: index * accumulation + 1])
        assert sum(made) + shrinks.due == count_ended(batches)


def count_ended(batches: list[Batch]) -> int:
    """Sleeps that a batch awake follows."""
    return sum((one.phase, other.phase) == ("sleep", "wake") for one, other in pairwise(batches))


def follow_update(shrinks: SleepShrink, update: list[Batch]) -> None:
    """Pass the batches of an update on as the Trainer does."""
    nothing: Any = None
    shrinks.add(update[0])
    shrinks.apply(nothing, nothing)
    for batch in update[1:]:
        shrinks.add(batch)


def make_shrinking(folder: Path, by: str, *, rungs: tuple[float, ...] = (), **training: Any) -> RunConfig:
    """A short run whose weights shrink so much that one shrink too few or too many is seen."""
    config = make_config(folder, rungs=rungs, checkpoint_ratio=0.0, **training)
    config.sleep.shrink = ShrinkConfig(factor=0.5, protect=0.4, by=by)
    config.budget.passes, config.sleep.length.ratio = 2.0, 0.6
    return config


def test_a_run_shrinks_once_after_each_sleep_but_its_last(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words and FLOPs are those of a run that does not: no pass is made for it."""
    config = make_shrinking(tmp_path / "shrinks", "gradient")
    config.sleep.replay.strategy = "random"
    made: list[tuple[int, float, float]] = []
    shrink_really = shrink.shrink_weights
    steps: list[None] = []

    def watched(model: PreTrainedModel, optimizer: Any, **named: Any) -> None:
        before = weigh(model, "dev")["eval/nll"]
        shrink_really(model, optimizer, **named)
        made.append((len(steps), before, weigh(model, "dev")["eval/nll"]))

    monkeypatch.setattr(shrink, "shrink_weights", watched)
    hook = register_optimizer_step_post_hook(lambda *_: steps.append(None))
    outcome = train(config, keep_training, corpus=corpus, evaluate=weigh)
    hook.remove()
    phases = read_lines(tmp_path / "shrinks", "phase")
    ends = np.cumsum([line["batches"] for line in phases]).tolist()
    sleeps = [end for line, end, _ in zip(phases, ends, phases[1:], strict=False) if line["phase"] == "sleep"]
    assert [step for step, *_ in made] == sleeps
    assert len(sleeps) > 2
    assert all(after < before for _, before, after in made)
    plain = make_shrinking(tmp_path / "plain", "gradient")
    plain.sleep.shrink = replace(plain.sleep.shrink, factor=1.0)
    plain.sleep.replay.strategy = "random"
    without = train(plain, keep_training, corpus=corpus, evaluate=weigh)
    assert (outcome.flops, outcome.words_seen, outcome.updates) == (without.flops, without.words_seen, without.updates)
    assert len(made) == len(sleeps)


def find_ends_of_sleeps(config: RunConfig, corpus: Corpus) -> tuple[float, ...]:
    """Shares of the budget at which sleeps end, and some awake; replay must be random."""
    alone = ProcessGroup()
    stream = open_stream(config, corpus, alone)
    feed = BatchFeed(stream, corpus.train, config.training, device=torch.device("cpu"), processes=alone)
    places = [(0, "wake")]
    for prepared in feed:
        feed.record_losses(prepared, torch.ones(len(prepared.positions)))
        places.append((stream.words_seen, prepared.batch.phase))
    ends = [words for (words, phase), (_, then) in pairwise(places) if (phase, then) == ("sleep", "wake")]
    budget = stream.plan.budget_words
    return tuple(sorted({words / budget for end in ends for words in (end, end + ends[0] // 5)}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "options"),
    [
        ("magnitude", {}),
        ("gradient", {"accumulation": 4}),
        ("gradient", {"optimizer": "muon", "ema": 0.9, "accumulation": 2}),
    ],
    ids=["adamw", "accumulation", "muon"],
)
def test_a_run_interrupted_between_a_sleep_and_its_shrink_equals_an_uninterrupted_one(
    by: str, options: dict[str, Any], corpus: Corpus, tmp_path: Path
) -> None:
    """And interrupted elsewhere; an accumulated update may hold the end of a sleep and the begin of the next fold."""

    def configure(name: str, rungs: tuple[float, ...] = ()) -> RunConfig:
        config = make_shrinking(tmp_path / name, by, rungs=rungs, **options)
        config.sleep.replay.strategy = "random"
        config.sleep.learning_rate, config.sleep.masking = 0.7, 0.3
        return config

    rungs = find_ends_of_sleeps(configure("none"), corpus)
    expected = train(configure("whole", rungs), keep_training, corpus=corpus, evaluate=weigh)
    between: list[tuple[str, int]] = []

    def pause(progress: Progress) -> Decision:
        return Decision.CONTINUE if progress.rung is None else Decision.PAUSE

    config = configure("cut", rungs)
    while (outcome := train(config, pause, corpus=corpus, evaluate=weigh)).state == "paused":
        checkpoint = find_latest(tmp_path / "cut")
        assert checkpoint is not None
        stream = open_stream(config, corpus, ProcessGroup())
        stream.load_state_dict(checkpoint.stream_state())
        between.append((stream.phase, checkpoint.state["shrinks_due"]))
    assert same_outcome(outcome, expected)
    assert read_lines(tmp_path / "cut") == read_lines(tmp_path / "whole")
    assert (("wake", 1) if "accumulation" in options else ("sleep", 0)) in between
