"""Every optimizer of the table: which weights it updates and how, its schedule, and its state."""

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel

from sleep_tune.config.schema import ModelConfig, TrainingConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import ConfigError, RunFolderError
from sleep_tune.models.build import build_model
from sleep_tune.models.decay import names_to_decay
from sleep_tune.models.trunk_matrices import trunk_matrices
from sleep_tune.records import Decision, Progress
from sleep_tune.sleep.samples import SpecialTokens
from sleep_tune.training.attempts import find_latest
from sleep_tune.training.optimizers import OPTIMIZERS, moment_names
from sleep_tune.training.run import train
from tests.messages import raises_naming
from tests.training.runs import keep_training, make_config, read_lines, same_outcome, weigh
from tests.training.test_damage import reseal

MODELS = [("roberta_prelayernorm", "mlm"), ("roberta", "hybrid"), ("gpt2", "clm"), ("llama", "clm")]
SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)


def build(kind: str, objective: str) -> PreTrainedModel:
    sizes = ModelConfig(kind=kind, layers=2, hidden=16, heads=2, feed_forward=24)
    return build_model(sizes, objective=objective, vocab_size=50, max_length=16, special=SPECIAL, seed=0)


def give_gradients(model: PreTrainedModel, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for weights in model.parameters():
        if weights.requires_grad:
            weights.grad = torch.randn(weights.shape, generator=generator)


def state_of(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: weights.detach().clone() for name, weights in model.named_parameters()}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_trained_weight_is_updated_once_and_decays_by_the_rule(name: str, model: tuple[str, str]) -> None:
    built, training = build(*model), TrainingConfig(weight_decay=0.25)
    optimizer = OPTIMIZERS[name](built, training)
    decay = {id(weights): group["weight_decay"] for group in optimizer.param_groups for weights in group["params"]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(decay)
    names = names_to_decay(built)
    assert {n: decay.get(id(w)) for n, w in built.named_parameters()} == {
        n: (0.25 if n in names else 0.0) for n, w in built.named_parameters() if w.requires_grad
    }
    assert {group["lr"] for group in optimizer.param_groups} == {training.learning_rate}


@pytest.mark.parametrize("model", MODELS)
def test_muon_is_torchs_own_on_each_projection_and_adamw_on_the_rest(model: tuple[str, str]) -> None:
    """Step for step, and a fused layer gets the updates that separate layers would get."""
    training = TrainingConfig(optimizer="muon", learning_rate=0.01, weight_decay=0.1, beta2=0.9)
    ours, theirs = build(*model), build(*model)
    optimizer = OPTIMIZERS["muon"](ours, training)
    projections = [
        (matrix, [torch.nn.Parameter(part) for part in matrix.weights.detach().chunk(matrix.parts, matrix.outputs)])
        for matrix in trunk_matrices(theirs)
    ]
    assert sum(len(parts) for _, parts in projections) in (2 * 6, 2 * 7)
    of_muon = {id(matrix.weights) for matrix, _ in projections}
    rest = [(name, w) for name, w in theirs.named_parameters() if id(w) not in of_muon]
    muon: Any = torch.optim.Muon(
        [part for _, parts in projections for part in parts], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    decayed = names_to_decay(theirs)
    adamw = torch.optim.AdamW(
        [
            {"params": [w for name, w in rest if name in decayed], "weight_decay": 0.1},
            {"params": [w for name, w in rest if name not in decayed], "weight_decay": 0.0},
        ],
        lr=0.01,
        betas=(0.9, 0.9),
        eps=1e-6,
        fused=True,
    )
    for seed in range(3):
        give_gradients(ours, seed)
        give_gradients(theirs, seed)
        optimizer.step()
        for matrix, parts in projections:
            gradient = matrix.weights.grad
            assert gradient is not None
            for part, of_part in zip(parts, gradient.chunk(matrix.parts, matrix.outputs), strict=True):
                part.grad = of_part.clone()
        muon.step()
        adamw.step()
    with torch.no_grad():
        for matrix, parts in projections:
            matrix.weights.copy_(torch.cat(list(parts), matrix.outputs))
    for (name, weights), expected in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(weights, expected, msg=name, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_muons_updates_have_the_size_of_adamws(model: tuple[str, str]) -> None:
    """About 0.2 of the learning rate for each weight, whatever the shape of the matrix."""
    built = build(*model)
    optimizer = OPTIMIZERS["muon"](built, TrainingConfig(learning_rate=0.01, weight_decay=0.0))
    matrices = list(trunk_matrices(built))
    before = [matrix.weights.detach().clone() for matrix in matrices]
    give_gradients(built, 0)
    optimizer.step()
    for matrix, was in zip(matrices, before, strict=True):
        size = float((matrix.weights.detach() - was).square().mean().sqrt())
        assert 0.15 < size / 0.01 < 0.25


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_restored_optimizer_continues_as_the_saved_one(name: str) -> None:
    """Through a file that is read without running code, under a schedule, which acts on all weights after it too."""

    def step(model: PreTrainedModel, optimizer: Any, scheduler: Any, seed: int) -> None:
        give_gradients(model, seed)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        assert all(weights.grad is None for weights in model.parameters())

    def begin(model: PreTrainedModel) -> tuple[Any, Any]:
        optimizer = OPTIMIZERS[name](model, TrainingConfig(learning_rate=0.01))
        return optimizer, LambdaLR(optimizer, lambda updates: 1 / (1 + updates))

    one = build("gpt2", "clm")
    optimizer, scheduler = begin(one)
    for seed in range(3):
        step(one, optimizer, scheduler, seed)
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, file)
    file.seek(0)
    other = copy.deepcopy(one)
    optimizer_of_other, scheduler_of_other = begin(other)
    saved = torch.load(file, weights_only=True)
    optimizer_of_other.load_state_dict(saved["optimizer"])
    scheduler_of_other.load_state_dict(saved["scheduler"])
    for seed in range(3, 6):
        step(one, optimizer, scheduler, seed)
        step(other, optimizer_of_other, scheduler_of_other, seed)
        assert {group["lr"] for group in optimizer_of_other.param_groups} == {scheduler.get_last_lr()[0]}
    assert scheduler.get_last_lr()[0] == pytest.approx(0.01 / 7)
    for weights, expected in zip(other.parameters(), one.parameters(), strict=True):
        assert torch.equal(weights, expected)
    for group in optimizer_of_other.param_groups:
        for weights in group["params"]:
            moments = optimizer_of_other.state[weights]
            assert all(moments[moment].shape == weights.shape for moment in moment_names(group))


def test_a_model_without_linear_layers_is_refused() -> None:
    model = build("gpt2", "clm")
    for matrix in trunk_matrices(model):
        matrix.weights.requires_grad_(False)
    with raises_naming(ConfigError, "training.optimizer=muon", "GPT2LMHeadModel", "adamw"):
        OPTIMIZERS["muon"](model, TrainingConfig())


class Cut(Exception):
    """What ends a run in these tests."""


def cut(progress: Progress) -> Decision:
    if progress.rung is not None:
        raise Cut
    return Decision.CONTINUE


def short_config(folder: Path, name: str, model: tuple[str, str]) -> Any:
    config = make_config(folder, rungs=(0.6,), optimizer=name, objective=model[1], checkpoint_ratio=0.25)
    config.model.kind = model[0]
    config.budget.passes, config.sleep.length.ratio = 1.6, 0.5
    return config


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_resumed_equals_uninterrupted(name: str, model: tuple[str, str], corpus: Corpus, tmp_path: Path) -> None:
    """Loss for loss, with dropout and sleep; a checkpoint holds the moments of all weights."""
    whole = train(short_config(tmp_path / "whole", name, model), keep_training, corpus=corpus, evaluate=weigh)
    config = short_config(tmp_path / "cut", name, model)
    with pytest.raises(Cut):
        train(config, cut, corpus=corpus, evaluate=weigh)
    checkpoint = find_latest(tmp_path / "cut")
    assert checkpoint is not None
    assert 0 < checkpoint.updates < whole.updates
    assert same_outcome(train(config, keep_training, corpus=corpus, evaluate=weigh), whole)
    lines = read_lines(tmp_path / "whole")
    assert read_lines(tmp_path / "cut") == lines
    losses = [line["loss"] for line in lines if line["kind"] == "train"]
    assert sum(losses[-5:]) < sum(losses[:5])


def lose_momentum(state: Any) -> None:
    for moments in state["state"].values():
        moments.pop("momentum_buffer", None)


def reshape_momentum(state: Any) -> None:
    state["state"][0]["momentum_buffer"] = torch.zeros(1)


def rename(state: Any) -> None:
    state["state"] = {key: {"exp_avg": torch.zeros(1)} for key in state["state"]}


@pytest.mark.slow
@pytest.mark.parametrize("damage", [lose_momentum, reshape_momentum, rename])
def test_the_state_of_another_optimizer_is_refused(
    damage: Callable[[Any], None], corpus: Corpus, tmp_path: Path
) -> None:
    config = short_config(tmp_path, "muon", MODELS[0])
    with pytest.raises(Cut):
        train(config, cut, corpus=corpus, evaluate=weigh)
    checkpoint = find_latest(tmp_path)
    assert checkpoint is not None
    state = torch.load(checkpoint.folder / "optimizer.pt", weights_only=True)
    damage(state)
    torch.save(state, checkpoint.folder / "optimizer.pt")
    reseal(checkpoint.folder)
    with raises_naming(RunFolderError, "the state of the optimizer", "momentum_buffer"):
        train(config, keep_training, corpus=corpus, evaluate=weigh)
