"""Sizes estimated from the configuration are close to those of the model."""

import dataclasses

import pytest

from sleep_tune.config.load import compose
from sleep_tune.config.size import checkpoint_bytes, model_bytes, needed_bytes, num_weights
from sleep_tune.models.build import build_model
from sleep_tune.models.trunk_matrices import trunk_matrices
from sleep_tune.sleep.samples import SpecialTokens


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_weights_are_about_those_of_the_model(size: str) -> None:
    base = compose([f"model={size}"])
    special = SpecialTokens(start=0, separator=1, pad=2, mask=3)
    vocabulary, length = base.tokenizer.vocab_size, base.data.max_length
    model = build_model(base.model, vocab_size=vocabulary, max_length=length, special=special, seed=0)
    assert num_weights(base) == pytest.approx(sum(weights.numel() for weights in model.parameters()), rel=0.05)


def test_the_need_of_disk_follows_the_model() -> None:
    """The small model has 13 million parameters: 3 checkpoints x 3 x 4 bytes, and the model."""
    small = compose(["model=small"])
    assert 450e6 < needed_bytes(small) < 650e6
    bare = dataclasses.replace(small.training, checkpoint_ratio=0.0, save_model=False)
    assert needed_bytes(dataclasses.replace(small, training=bare)) < 50e6
    assert checkpoint_bytes(small) == 3 * model_bytes(small)


def test_word_checkpoints_need_their_room() -> None:
    small = compose(["model=small"])
    many = compose(["model=small", "training.word_checkpoints=true"])
    assert needed_bytes(many) - needed_bytes(small) == 19 * model_bytes(small)


def test_muon_keeps_one_moment_of_the_trunks_matrices_and_adamw_two() -> None:
    adamw, muon = (compose(["model=small", f"training.optimizer={name}"]) for name in ("adamw", "muon"))
    model = build_model(
        muon.model,
        objective="mlm",
        vocab_size=muon.tokenizer.vocab_size,
        max_length=muon.data.max_length,
        special=SpecialTokens(start=0, separator=1, pad=2, mask=3),
        seed=0,
    )
    matrices = sum(matrix.weights.numel() for matrix in trunk_matrices(model))
    assert checkpoint_bytes(adamw) - checkpoint_bytes(muon) == 4 * matrices
    assert needed_bytes(adamw) - needed_bytes(muon) == 3 * 4 * matrices
