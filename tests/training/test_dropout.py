"""Fast dropout: torch's law, another source."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from sleep_tune.config.schema import ModelConfig
from sleep_tune.models.architectures import ARCHITECTURES
from sleep_tune.models.build import build_model
from sleep_tune.models.sparse import masked_logits
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.sleep.samples import SpecialTokens
from sleep_tune.training.dropout import DropoutStream, FastDropout, TorchStream, attend, fast_dropout


def build(kind: str = "roberta_prelayernorm", *, dropout: float = 0.1, attention_dropout: float = 0.1) -> Any:
    config = ModelConfig(
        kind=kind,
        layers=2,
        hidden=32,
        heads=4,
        feed_forward=64,
        initializer_range=0.1,
        dropout=dropout,
        attention_dropout=attention_dropout,
    )
    special = SpecialTokens(start=0, separator=1, pad=2, mask=3)
    return build_model(config, objective=OBJECTIVES_OF[kind][-1], vocab_size=97, max_length=16, special=special, seed=0)


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    input_ids = torch.from_numpy(rng.integers(4, 97, (6, 16)))
    input_ids[4:, 12:] = 2
    return input_ids, (input_ids != 2).long(), torch.tensor([1, 5, 18, 33, 50, 66, 81])


@given(probability=st.floats(0, 0.9), size=st.integers(1, 41))
def test_elements_are_dropped_or_scaled_up(probability: float, size: int) -> None:
    kept = DropoutStream(0).kept((size,), probability)
    dropped = round(probability * 65536) / 65536
    assert kept.dtype == torch.float32
    assert all(value in (0, pytest.approx(1 / (1 - dropped))) for value in kept.tolist())


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.013])
def test_the_share_dropped_is_the_probability(probability: float) -> None:
    """Within 4 standard errors, element by element and pair by pair."""
    size = 1_000_000
    dropped = DropoutStream(3).kept((size,), probability) == 0
    error = 4 * (probability * (1 - probability) / size) ** 0.5
    assert float(dropped.float().mean()) == pytest.approx(probability, abs=error)
    for distance in (1, 2, 3, 4, 64):
        both = float((dropped[:-distance] & dropped[distance:]).float().mean())
        assert both == pytest.approx(probability**2, abs=4 * probability / size**0.5)


def test_the_expectation_is_exact() -> None:
    kept = DropoutStream(0).kept((1,), 0.1).max()
    assert float(kept) in (0.0, pytest.approx(65536 / (65536 - 6554), rel=1e-6))


def test_a_stream_is_named_by_seed_batch_and_process() -> None:
    def draw(seed: int, index: int, rank: int = 0) -> torch.Tensor:
        stream = DropoutStream(seed, rank)
        stream.kept((7,), 0.5)
        stream.start(index)
        return stream.kept((1000,), 0.5)

    first = draw(0, 5)
    assert torch.equal(first, draw(0, 5))
    for other in (draw(0, 6), draw(1, 5), draw(0, 5, rank=1)):
        assert not torch.equal(first, other)


def test_torchs_own_dropout_is_named_in_the_same_way() -> None:
    def draw(seed: int, index: int) -> torch.Tensor:
        TorchStream(seed).start(index)
        return functional.dropout(torch.ones(1000), 0.5)

    assert torch.equal(draw(0, 5), draw(0, 5))
    assert not torch.equal(draw(0, 5), draw(0, 6))
    assert not torch.equal(draw(0, 5), draw(1, 5))


def test_nothing_is_dropped_outside_training() -> None:
    values = torch.randn(5, 5)
    module = FastDropout(0.5, DropoutStream(0))
    assert torch.equal(module.eval()(values), values)
    assert not torch.equal(module.train()(values), values)


def test_the_gradient_goes_where_the_values_went() -> None:
    values = torch.ones(1000, requires_grad=True)
    dropped = FastDropout(0.3, DropoutStream(0)).train()(values)
    torch.autograd.backward(dropped.sum())
    assert values.grad is not None
    assert torch.equal(values.grad, dropped.detach())


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_without_dropout_the_model_computes_the_same(kind: str) -> None:
    """In training mode, where our attention is in place; gradients too."""
    model = build(kind, dropout=0, attention_dropout=0)
    input_ids, attention_mask, positions = inputs()

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        torch.autograd.backward(masked_logits(model, input_ids, attention_mask, positions).square().mean())
        return [parameter.grad.clone() for parameter in model.parameters()]

    expected = gradients()
    with fast_dropout(model, DropoutStream(0)):
        for ours, theirs in zip(gradients(), expected, strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_without_drops_is_torchs(masked: bool) -> None:
    """A probability too small to drop anything takes the path of dropout, and must still compute attention."""
    query, key, value = torch.randn(3, 2, 4, 16, 8).unbind()
    allowed = (torch.rand(2, 1, 1, 16) > 0.3).expand(2, 1, 16, 16) if masked else None
    ours, _ = attend(torch.nn.Module(), query, key, value, allowed, dropout=1e-9, stream=DropoutStream(0))
    theirs = functional.scaled_dot_product_attention(query, key, value, allowed).transpose(1, 2)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    "options", [{"dropout": 0.2, "attention_dropout": 0.0}, {"dropout": 0, "attention_dropout": 0.4}]
)
@pytest.mark.parametrize("kind", ["gpt2", "roberta", "roberta_prelayernorm"])
def test_the_spread_over_drops_is_torchs(kind: str, options: dict[str, float]) -> None:
    """Mean and standard deviation of logits over 2,000 copies of a row, attention's dropout and the others' apart."""
    model = build(kind, **options)
    copies = 2000
    input_ids = inputs()[0][:1].expand(copies, 16)
    positions = torch.arange(copies) * 16 + 5

    def draw() -> torch.Tensor:
        with torch.no_grad():
            logits = masked_logits(model, input_ids, None, positions)
        return logits[:, 4:]  # that of padding is always 0

    torch.manual_seed(0)
    theirs = draw()
    with fast_dropout(model, DropoutStream(0)):
        ours = draw()
    assert float(theirs.std(0).min()) > 0
    differences = (ours.mean(0) - theirs.mean(0)) / (theirs.std(0) * (2 / copies) ** 0.5)
    assert float(differences.abs().max()) < 4
    assert float((ours.std(0) / theirs.std(0) - 1).abs().max()) < 0.1


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_model_is_left_as_it_was(kind: str) -> None:
    model = build(kind)
    before = [repr(model), model.config._attn_implementation]
    with fast_dropout(model, DropoutStream(0)):
        assert not any(isinstance(module, torch.nn.Dropout) for module in model.modules())
        model.eval()
    assert [repr(model), model.config._attn_implementation] == before
    assert not any(module.training for module in model.modules())
