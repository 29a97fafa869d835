"""The model: initial weights, sparse head and FLOPs, for every architecture of the table."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, RobertaConfig

from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import ConfigError
from sleep_tune.model import MODELS, build_model, count_flops, masked_logits, sparse_forward
from sleep_tune.sleep.samples import SpecialTokens

SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)
VOCAB = 97


def build(kind: str = "roberta_prelayernorm", *, seed: int = 0, tie: bool = True) -> Any:
    config = ModelConfig(
        kind=kind, layers=2, hidden=32, heads=4, feed_forward=64, initializer_range=0.1, tie_embeddings=tie
    )
    return build_model(config, vocab_size=VOCAB, max_length=16, special=SPECIAL, seed=seed)


def batch(*, padded: bool) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
    rng = np.random.default_rng(0)
    input_ids = rng.integers(4, VOCAB, (5, 16))
    input_ids[:, 0] = SPECIAL.start
    if padded:
        input_ids[3:, 11:] = SPECIAL.pad
    attended = torch.from_numpy((input_ids != SPECIAL.pad).astype(np.int64)) if padded else None
    content = np.flatnonzero((input_ids != SPECIAL.pad) & (input_ids != SPECIAL.start))
    positions = np.sort(rng.choice(content, 9, replace=False))
    return torch.from_numpy(input_ids), attended, torch.from_numpy(positions)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kind", MODELS)
def test_sparse_logits_are_the_dense_ones(kind: str, padded: bool) -> None:
    model = build(kind).eval()
    input_ids, attention_mask, positions = batch(padded=padded)
    with torch.no_grad():
        dense = model(input_ids=input_ids, attention_mask=attention_mask).logits.flatten(0, 1)[positions]
        sparse = masked_logits(model, input_ids, attention_mask, positions)
    torch.testing.assert_close(sparse, dense, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_sparse_gradients_are_the_dense_ones(kind: str) -> None:
    model = build(kind).eval()
    input_ids, attention_mask, positions = batch(padded=True)
    torch.autograd.backward(masked_logits(model, input_ids, attention_mask, positions).square().mean())
    sparse = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    dense = model(input_ids=input_ids, attention_mask=attention_mask).logits.flatten(0, 1)[positions]
    torch.autograd.backward(dense.square().mean())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(sparse[name], parameter.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_the_model_is_left_as_it_was_after_a_sparse_forward(kind: str) -> None:
    model = build(kind).eval()
    input_ids, attention_mask, positions = batch(padded=False)
    with torch.no_grad(), sparse_forward(model):
        sparse = model(input_ids=input_ids, attention_mask=attention_mask, positions=positions)
    assert sparse.shape == (9, VOCAB)
    assert model(input_ids=input_ids).logits.shape == (5, 16, VOCAB)


def test_weights_follow_the_seed_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first, again, other = build(seed=1), build(seed=1), build(seed=2)
    assert torch.equal(torch.rand(3), expected)
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name))
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_initializer_range_is_the_standard_deviation() -> None:
    weight = build().base_model.encoder.layer[0].intermediate.dense.weight
    assert float(weight.detach().std()) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("tie", [False, True])
def test_embeddings_are_shared_when_asked(tie: bool) -> None:
    model = build(tie=tie)
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) is tie


@pytest.mark.parametrize("kind", MODELS)
def test_the_saved_folder_opens_by_itself(kind: str, tmp_path: Path) -> None:
    model = build(kind).eval()
    model.save_pretrained(tmp_path)
    opened = AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    input_ids, _, positions = batch(padded=False)
    with torch.no_grad():
        torch.testing.assert_close(
            masked_logits(opened, input_ids, None, positions), masked_logits(model, input_ids, None, positions)
        )


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("kind", MODELS)
def test_every_trained_weight_gets_a_gradient(kind: str, tie: bool) -> None:
    """DDP waits for the gradient of every weight that is trained."""
    model = build(kind, tie=tie)
    input_ids, attention_mask, positions = batch(padded=True)
    torch.autograd.backward(masked_logits(model, input_ids, attention_mask, positions).square().mean())
    assert all((parameter.grad is not None) == parameter.requires_grad for parameter in model.parameters())


def test_a_row_of_the_greatest_length_fits() -> None:
    model = build().eval()
    with torch.no_grad():
        assert model(input_ids=torch.full((1, 16), 5)).logits.shape == (1, 16, VOCAB)
        with pytest.raises(RuntimeError, match="out of bounds"):
            model(input_ids=torch.full((1, 17), 5))


def test_an_unknown_architecture_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown model.kind 'robertta'; did you mean 'roberta'"):
        build("robertta")


def test_a_width_that_the_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model.hidden must be a multiple of model.heads; got hidden 30 and heads 4"):
        build_model(ModelConfig(hidden=30, heads=4), vocab_size=VOCAB, max_length=16, special=SPECIAL, seed=0)


def test_flops_of_the_small_model() -> None:
    """A dense head on 8 x 256, feed-forward 2048, vocabulary 8192 costs 79.04 MFLOP a token, forward and backward."""
    sizes = ModelConfig()
    config = RobertaConfig(
        vocab_size=8192, hidden_size=sizes.hidden, num_hidden_layers=sizes.layers, intermediate_size=sizes.feed_forward
    )
    dense = count_flops(config, tokens=1, predicted=1, length=128)
    assert dense == pytest.approx(79.04e6, rel=0.001)
    assert count_flops(config, tokens=100, predicted=15, length=128) < 80 * dense
