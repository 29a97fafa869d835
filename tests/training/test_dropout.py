"""Fast dropout: torch's law, another source."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from transformers import (
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
)

from sleep_tune.config.schema import ModelConfig
from sleep_tune.models.architectures import ARCHITECTURES
from sleep_tune.models.attention_masks import square_mask
from sleep_tune.models.build import build_model
from sleep_tune.models.sparse import masked_logits
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.sleep.samples import SpecialTokens
from sleep_tune.training.dropout import (
    DropoutStream,
    FastDropout,
    TorchStream,
    attend,
    fast_dropout,
    has_fast_dropout,
)


def build(
    kind: str = "roberta_prelayernorm",
    *,
    objective: str | None = None,
    dropout: float = 0.1,
    attention_dropout: float = 0.1,
) -> Any:
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
    objective = objective or OBJECTIVES_OF[kind][-1]
    return build_model(config, objective=objective, vocab_size=97, max_length=16, special=special, seed=0)


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    input_ids = torch.from_numpy(rng.integers(4, 97, (6, 16)))
    input_ids[4:, 12:] = 2
    return input_ids, (input_ids != 2).long(), torch.tensor([1, 5, 18, 33, 50, 66, 81])


@given(probability=st.floats(0, 0.9), size=st.integers(1, 41))
def test_elements_are_dropped_or_scaled_up(probability: float, size: int) -> None:
    kept, factor = DropoutStream(0).draw((size,), probability)
    assert kept.shape == (size,)
    assert kept.dtype == torch.bool
    assert factor == 1 / (1 - round(probability * 65536) / 65536)
    dropped = FastDropout(probability, DropoutStream(0)).train()(torch.ones(size))
    torch.testing.assert_close(dropped, kept * factor, check_dtype=False)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.013])
def test_the_share_dropped_is_the_probability(probability: float) -> None:
    """Within 4 standard errors, element by element and pair by pair."""
    size = 1_000_000
    dropped = ~DropoutStream(3).draw((size,), probability)[0]
    error = 4 * (probability * (1 - probability) / size) ** 0.5
    assert float(dropped.float().mean()) == pytest.approx(probability, abs=error)
    for distance in (1, 2, 3, 4, 64):
        both = float((dropped[:-distance] & dropped[distance:]).float().mean())
        assert both == pytest.approx(probability**2, abs=4 * probability / size**0.5)


def test_the_expectation_is_exact() -> None:
    assert DropoutStream(0).draw((1,), 0.1)[1] == 65536 / (65536 - 6554)


def test_a_stream_is_named_by_seed_batch_and_process() -> None:
    def draw(seed: int, index: int, rank: int = 0) -> torch.Tensor:
        stream = DropoutStream(seed, rank)
        stream.draw((7,), 0.5)
        stream.start(index)
        return stream.draw((1000,), 0.5)[0]

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


@pytest.mark.parametrize("kind", [kind for kind in ARCHITECTURES if kind != "hf"])
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


def queries_keys_values(key_heads: int = 4) -> Any:
    torch.manual_seed(0)
    return [torch.randn(2, heads, 16, 8, requires_grad=True) for heads in (4, key_heads, key_heads)]


def gradients_of(output: torch.Tensor, leaves: list[torch.Tensor]) -> list[torch.Tensor]:
    """The output, and the gradients of a weighted sum of it."""
    return [
        output.detach(),
        *torch.autograd.grad((output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum(), leaves),
    ]


def make_module(*, is_causal: bool) -> Any:
    module = torch.nn.Module()
    module.is_causal = is_causal  # type: ignore[assignment]
    return module


@pytest.mark.parametrize("scaling", [None, 0.7])
@pytest.mark.parametrize("key_heads", [4, 2, 1])
@pytest.mark.parametrize("form", ["full", "causal", "padded", "causal mask"])
def test_attention_without_drops_is_torchs(form: str, key_heads: int, scaling: float | None) -> None:
    """A probability too small to drop anything takes the path of dropout, and must still compute attention."""
    leaves = queries_keys_values(key_heads)
    padded = (torch.rand(2, 1, 1, 16) > 0.3).expand(2, 1, 16, 16)
    causal = (padded | torch.eye(16, dtype=torch.bool)).tril()
    allowed = {"padded": padded, "causal mask": causal}.get(form)
    ours, weights = attend(
        make_module(is_causal=form == "causal"),
        leaves[0],
        leaves[1],
        leaves[2],
        allowed,
        dropout=1e-9,
        scaling=scaling,
        stream=DropoutStream(0),
    )
    theirs = functional.scaled_dot_product_attention(
        leaves[0], leaves[1], leaves[2], allowed, is_causal=form == "causal", scale=scaling, enable_gqa=key_heads < 4
    ).transpose(1, 2)
    assert weights is None
    torch.testing.assert_close(gradients_of(ours, leaves), gradients_of(theirs, leaves))


def test_attention_with_drops_is_that_of_its_parts() -> None:
    """Softmax, then the drops of the stream, then the values; the gradients are torch's own."""
    leaves = queries_keys_values()
    query, key, value = leaves
    ours, _ = attend(
        make_module(is_causal=True), leaves[0], leaves[1], leaves[2], None, dropout=0.3, stream=DropoutStream(5)
    )
    scores = (query @ key.transpose(2, 3)) * 8**-0.5
    scores = scores.masked_fill(torch.ones(16, 16, dtype=torch.bool).triu(1), float("-inf"))
    kept, factor = DropoutStream(5).draw((2, 4, 16, 16), 0.3)
    theirs = (scores.softmax(-1) * kept * factor) @ value
    torch.testing.assert_close(gradients_of(ours, leaves), gradients_of(theirs.transpose(1, 2), leaves))


def test_attention_under_autocast_is_that_of_float32() -> None:
    """Queries may be float32 and values bfloat16, as after rotary positions."""
    leaves = queries_keys_values()
    module = make_module(is_causal=True)
    exact, _ = attend(module, leaves[0], leaves[1], leaves[2], None, dropout=0.3, stream=DropoutStream(5))
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = attend(
            module, leaves[0], leaves[1], leaves[2].bfloat16(), None, dropout=0.3, stream=DropoutStream(5)
        )
    assert rounded.dtype == torch.bfloat16
    for ours, theirs in zip(gradients_of(rounded.float(), leaves), gradients_of(exact, leaves), strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) < 0.02


@pytest.mark.parametrize("p", [0.0, 0.1])
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in ARCHITECTURES if kind != "hf" and "clm" in OBJECTIVES_OF[kind]])
def test_a_later_token_changes_no_earlier_output(kind: str, fast: bool, p: float) -> None:
    """In training mode, with torch's attention and ours, with dropout and without; the same elements are dropped."""
    model = build(kind, objective="clm", dropout=p, attention_dropout=p)
    assert has_fast_dropout(model)
    input_ids = inputs()[0][:4]
    changed = input_ids.clone()
    changed[:, 9] = (changed[:, 9] - 3) % 93 + 4
    stream: Any = DropoutStream(0) if fast else TorchStream(0)
    with fast_dropout(model, stream) if fast else nullcontext(), torch.no_grad():
        outputs = []
        for ids in (input_ids, changed):
            stream.start(0)
            outputs.append(model(input_ids=ids).logits)
    first, second = outputs
    torch.testing.assert_close(first[:, :9], second[:, :9])
    for position in range(9, 16):
        assert not torch.allclose(first[:, position], second[:, position])


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in ARCHITECTURES if "hybrid" in OBJECTIVES_OF[kind]])
def test_a_causal_mask_hides_later_tokens(kind: str, fast: bool) -> None:
    """As in causal batches of the hybrid objective, beside padding."""
    model = build(kind, objective="hybrid")
    stream: Any = DropoutStream(0) if fast else TorchStream(0)
    input_ids = inputs()[0]
    mask = square_mask(input_ids != 2, causal=True)
    changed = input_ids.clone()
    changed[:, 9] = (changed[:, 9] - 3) % 93 + 4
    with fast_dropout(model, stream) if fast else nullcontext(), torch.no_grad():
        outputs = []
        for ids in (input_ids, changed):
            stream.start(0)
            outputs.append(model(input_ids=ids, attention_mask=mask).logits)
    first, second = outputs
    torch.testing.assert_close(first[:, :9], second[:, :9])
    assert not torch.allclose(first[:, 9], second[:, 9])


SMALL: Any = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4}
FAMILIES: dict[str, Callable[[float], PreTrainedModel]] = {
    "deberta_v2": lambda p: DebertaV2ForMaskedLM(
        DebertaV2Config(
            **SMALL | {"intermediate_size": 64, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
            hidden_dropout_prob=p, attention_probs_dropout_prob=p,
        )
    ),
    "llama with grouped keys": lambda p: LlamaForCausalLM(
        LlamaConfig(**SMALL, intermediate_size=64, num_key_value_heads=2, attention_dropout=p, use_cache=False)
    ),
    "modernbert": lambda p: ModernBertForMaskedLM(
        ModernBertConfig(
            **SMALL, intermediate_size=64, local_attention=6, embedding_dropout=p, mlp_dropout=p, attention_dropout=p,
            pad_token_id=2, bos_token_id=0, eos_token_id=1, cls_token_id=0, sep_token_id=1,
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_drops_are_neither_too_many_nor_too_few(family: str, padded: bool) -> None:
    """A probability of 1e-9 drops nothing: dropout's own path must compute what the model does in evaluation."""
    torch.manual_seed(0)
    model = FAMILIES[family](1e-9)
    assert has_fast_dropout(model)
    input_ids, attended, _ = inputs()
    mask = attended if padded else None
    seen = (attended if padded else torch.ones_like(attended)).bool()
    with torch.no_grad():
        theirs = model.train(False)(input_ids=input_ids, attention_mask=mask).logits
        with fast_dropout(model.train(), DropoutStream(0)):
            ours = model(input_ids=input_ids, attention_mask=mask).logits
    torch.testing.assert_close(ours[seen], theirs[seen])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_drops_of_every_family_come_from_the_stream(family: str) -> None:
    """Torch's generator is not used; the same batch drops the same elements, another batch others."""
    torch.manual_seed(0)
    model = FAMILIES[family](0.2).train()
    stream = DropoutStream(0)
    state = torch.get_rng_state()

    def draw(index: int) -> torch.Tensor:
        stream.start(index)
        logits: torch.Tensor = model(input_ids=inputs()[0][:4]).logits
        return logits

    with fast_dropout(model, stream):
        first, again, other = draw(0), draw(0), draw(1)
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_attention_of_other_kinds_is_left_to_torch() -> None:
    """Gemma 2 caps the scores of its attention; a class that is not transformers' own may do anything."""
    assert not has_fast_dropout(
        Gemma2ForCausalLM(Gemma2Config(**SMALL, intermediate_size=64, head_dim=8, num_key_value_heads=4))
    )

    class OwnAttention(LlamaForCausalLM):  # type: ignore[no-untyped-call]
        pass

    assert not has_fast_dropout(OwnAttention(LlamaConfig(**SMALL, intermediate_size=64)))


@pytest.mark.parametrize(
    "options", [{"dropout": 0.2, "attention_dropout": 0.0}, {"dropout": 0, "attention_dropout": 0.4}]
)
@pytest.mark.parametrize("kind", ["gpt2", "roberta", "roberta_prelayernorm"])
def test_the_spread_over_drops_is_torchs(kind: str, options: Any) -> None:
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


@pytest.mark.parametrize("kind", [kind for kind in ARCHITECTURES if kind != "hf"])
def test_the_model_is_left_as_it_was(kind: str) -> None:
    model = build(kind)
    before = [repr(model), model.config._attn_implementation]
    with fast_dropout(model, DropoutStream(0)):
        assert not any(isinstance(module, torch.nn.Dropout) for module in model.modules())
        model.eval()
    assert [repr(model), model.config._attn_implementation] == before
    assert not any(module.training for module in model.modules())
