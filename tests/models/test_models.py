"""The model: initial weights, sparse head and FLOPs, for every architecture of the table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
    RobertaConfig,
)

from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import ConfigError
from sleep_tune.models.architectures import ARCHITECTURES, Text
from sleep_tune.models.build import build_model
from sleep_tune.models.decay import names_to_decay
from sleep_tune.models.flops import count_flops
from sleep_tune.models.sparse import masked_logits, sparse_forward
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.sleep.samples import SpecialTokens

SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)
VOCAB = 97


def build(kind: str = "roberta_prelayernorm", *, seed: int = 0, tie: bool = True) -> Any:
    config = ModelConfig(
        kind=kind, layers=2, hidden=32, heads=4, feed_forward=64, initializer_range=0.1, tie_embeddings=tie
    )
    objective = OBJECTIVES_OF.get(kind, ("mlm",))[-1]
    return build_model(config, objective=objective, vocab_size=VOCAB, max_length=16, special=SPECIAL, seed=seed)


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
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_sparse_logits_are_the_dense_ones(kind: str, padded: bool) -> None:
    model = build(kind).eval()
    input_ids, attention_mask, positions = batch(padded=padded)
    with torch.no_grad():
        dense = model(input_ids=input_ids, attention_mask=attention_mask).logits.flatten(0, 1)[positions]
        sparse = masked_logits(model, input_ids, attention_mask, positions)
    torch.testing.assert_close(sparse, dense, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ARCHITECTURES)
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


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_model_is_left_as_it_was_after_a_sparse_forward(kind: str) -> None:
    model = build(kind).eval()
    input_ids, attention_mask, positions = batch(padded=False)
    with torch.no_grad(), sparse_forward(model):
        labels = torch.arange(9)
        total, losses = model(input_ids, attention_mask, positions, labels)
    with torch.no_grad():
        dense = model(input_ids=input_ids).logits.flatten(0, 1)[positions]
    torch.testing.assert_close(losses, torch.nn.functional.cross_entropy(dense, labels, reduction="none"))
    torch.testing.assert_close(total, losses.sum())
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
def test_embeddings_are_shared_if_configured(tie: bool) -> None:
    model = build(tie=tie)
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) is tie


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_saved_folder_opens_by_itself(kind: str, tmp_path: Path) -> None:
    model = build(kind).eval()
    model.save_pretrained(tmp_path)
    opener = AutoModelForMaskedLM if "mlm" in OBJECTIVES_OF[kind] else AutoModelForCausalLM
    opened = opener.from_pretrained(tmp_path).eval()
    input_ids, _, positions = batch(padded=False)
    with torch.no_grad():
        torch.testing.assert_close(
            masked_logits(opened, input_ids, None, positions), masked_logits(model, input_ids, None, positions)
        )


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_trained_weight_gets_a_gradient(kind: str, tie: bool) -> None:
    """DDP waits for the gradient of every weight that is trained."""
    model = build(kind, tie=tie)
    input_ids, attention_mask, positions = batch(padded=True)
    torch.autograd.backward(masked_logits(model, input_ids, attention_mask, positions).square().mean())
    assert all((parameter.grad is not None) == parameter.requires_grad for parameter in model.parameters())


def shares(model: torch.nn.Module) -> tuple[set[str], set[str], float]:
    """Names that decay, names of matrices, and the share of all numbers that decay."""
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    matrices = {name for name, parameter in model.named_parameters() if parameter.ndim > 1}
    decayed = set(names_to_decay(model)) & set(sizes)
    return decayed, matrices, sum(sizes[name] for name in decayed) / sum(sizes.values())


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_weight_decay_acts_on_all_but_biases_and_norms(kind: str, tie: bool) -> None:
    """Biases and norms are the vectors. By names, 2.9% decays where a trunk is called roberta_prelayernorm."""
    decayed, matrices, _ = shares(build(kind, tie=tie))
    assert decayed == matrices


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_weight_decay_acts_on_nearly_all_of_a_model_of_real_size(kind: str) -> None:
    with torch.device("meta"):
        opener: Any = AutoModel
        model = opener.from_config(ARCHITECTURES[kind].configure(ModelConfig(), Text(8192, 128, SPECIAL)))
    assert shares(model)[2] > 0.99


SMALL: dict[str, Any] = {"vocab_size": VOCAB, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
OTHERS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SMALL, intermediate_size=64, attention_bias=True, mlp_bias=True)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4)),
    "modernbert": lambda: ModernBertForMaskedLM(
        ModernBertConfig(**SMALL, intermediate_size=64, norm_bias=True, pad_token_id=2)
    ),
    "deberta_v2": lambda: DebertaV2ForMaskedLM(
        DebertaV2Config(
            intermediate_size=64,
            relative_attention=True,
            **SMALL | {"norm_rel_ebd": "layer_norm", "conv_kernel_size": 3},
        )
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_families_are_decided_by_the_same_rule(kind: str) -> None:
    """Llama's norm is a class of its own, and no subclass of torch's."""
    decayed, matrices, share = shares(OTHERS[kind]())
    assert decayed == matrices
    assert share > 0.9


def test_a_layer_that_also_projects_is_no_norm_and_a_projection_s_bias_is_a_bias() -> None:
    class AdaptiveNorm(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(3, 3)
            self.norm = torch.nn.BatchNorm1d(3)

    model = torch.nn.ModuleDict({"layernorm_bias": AdaptiveNorm(), "attention": torch.nn.MultiheadAttention(4, 2)})
    assert set(names_to_decay(model)) == {
        "layernorm_bias.linear.weight",
        "attention.in_proj_weight",
        "attention.out_proj.weight",
    }


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


def test_gpt2_is_transformers_own_up_to_rounding() -> None:
    """Its activation is one operation here, and a composition of many in transformers."""
    model = build("gpt2").eval()
    own = GPT2LMHeadModel(GPT2Config(**model.config.to_dict() | {"activation_function": "gelu_new"})).train(False)
    own.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(model(batch(padded=False)[0]).logits, own(batch(padded=False)[0]).logits)
