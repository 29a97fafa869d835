"""The model: initial weights, sparse head and FLOPs, for every architecture of the table."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
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
)

from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import ConfigError
from sleep_tune.models.architectures import ARCHITECTURES
from sleep_tune.models.build import build_model
from sleep_tune.models.decay import names_to_decay
from sleep_tune.models.sparse import masked_logits, sparse_forward
from sleep_tune.models.text_format import TextFormat
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.sleep.samples import SpecialTokens
from sleep_tune.training.dropout import DropoutStream, fast_dropout
from tests.messages import raises_naming

SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)
VOCAB = 97
BERT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


CASES = [(kind, objective) for kind in ARCHITECTURES for objective in OBJECTIVES_OF[kind]]
"""Every architecture with every objective that makes sense for it."""
KNOWN = [kind for kind in ARCHITECTURES if kind != "hf"]
"""Architectures whose logits are computed at some positions only, in evaluations too."""


def sizes(kind: str, *, tie: bool = True, dropout: float = 0.0) -> ModelConfig:
    if kind == "hf":
        options = BERT | {"tie_word_embeddings": tie, "hidden_dropout_prob": dropout}
        return ModelConfig(kind=kind, config="bert", options=options | {"attention_probs_dropout_prob": dropout})
    config = ModelConfig(kind=kind, layers=4, hidden=32, heads=4, feed_forward=64, initializer_range=0.1)
    return replace(config, tie_embeddings=tie, dropout=dropout, attention_dropout=dropout)


def build(
    kind: str = "roberta_prelayernorm",
    objective: str | None = None,
    *,
    seed: int = 0,
    tie: bool = True,
    length: int = 16,
    dropout: float = 0.0,
) -> Any:
    config = sizes(kind, tie=tie, dropout=dropout)
    objective = objective or OBJECTIVES_OF.get(kind, ("mlm",))[-1]
    return build_model(config, objective=objective, vocab_size=VOCAB, max_length=length, special=SPECIAL, seed=seed)


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
@pytest.mark.parametrize("kind", KNOWN)
def test_sparse_logits_are_the_dense_ones(kind: str, padded: bool) -> None:
    model = build(kind).eval()
    input_ids, attention_mask, positions = batch(padded=padded)
    with torch.no_grad():
        dense = model(input_ids=input_ids, attention_mask=attention_mask).logits.flatten(0, 1)[positions]
        sparse = masked_logits(model, input_ids, attention_mask, positions)
    torch.testing.assert_close(sparse, dense, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KNOWN)
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


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize(("kind", "objective"), CASES)
def test_the_saved_folder_opens_by_its_auto_class_with_the_same_logits(
    kind: str, objective: str, tie: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = build(kind, objective, tie=tie).eval()
    model.save_pretrained(tmp_path)
    opener: Any = AutoModelForCausalLM if objective == "clm" else AutoModelForMaskedLM
    with caplog.at_level(logging.WARNING, logger="transformers"):
        opened, report = opener.from_pretrained(tmp_path, output_loading_info=True)
    assert type(opened) is type(model)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert opened.config.training_objective == objective
    assert not [record for record in caplog.records if record.name.startswith("transformers")]
    input_ids, attention_mask, _ = batch(padded=True)
    with torch.no_grad():
        ours, theirs = (
            each.eval()(input_ids=input_ids, attention_mask=attention_mask).logits for each in (model, opened)
        )
    assert torch.equal(ours, theirs)


def training_batch(kind: str, objective: str, *, padded: bool, causal: bool) -> tuple[torch.Tensor, Any, torch.Tensor]:
    """Return rows, the mask that training gives them (`BatchFeed`), and positions to predict from."""
    input_ids, _, positions = batch(padded=padded)
    needs_mask = objective == "hybrid" or (objective == "mlm" and padded)
    attended = input_ids != SPECIAL.pad
    return input_ids, ARCHITECTURES[kind].mask(attended, causal) if needs_mask else None, positions


@pytest.mark.parametrize(("kind", "objective"), CASES)
def test_losses_and_gradients_of_training_are_those_of_the_dense_model(kind: str, objective: str) -> None:
    """The dense model gets a row mask and, by its class or `is_decoder`, the direction."""
    for causal in (False, True) if objective == "hybrid" else (objective == "clm",):
        model = build(kind, objective).eval()
        input_ids, mask, positions = training_batch(kind, objective, padded=True, causal=causal)
        labels = input_ids.flatten()[positions]
        with sparse_forward(model):
            total, losses = model(input_ids, mask, positions, labels)
        torch.autograd.backward(total)
        ours = {name: parameter.grad for name, parameter in model.named_parameters()}
        dense = build(kind, "clm" if causal else objective).eval()
        logits = dense(input_ids=input_ids, attention_mask=(input_ids != SPECIAL.pad).long()).logits
        logits = logits.flatten(0, 1)[positions]
        expected = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        torch.autograd.backward(expected.sum())
        torch.testing.assert_close(losses, expected.detach(), atol=1e-5, rtol=1e-5)
        for name, parameter in dense.named_parameters():
            torch.testing.assert_close(ours[name], parameter.grad, atol=1e-4, rtol=1e-4)


def later_tokens_matter(model: Any, input_ids: torch.Tensor, mask: Any, start: Callable[[], None]) -> bool:
    """Return whether the losses at the first half of rows change with the second half."""
    rows, length = input_ids.shape
    others = input_ids.clone()
    others[:, length // 2 :] = 5 + (others[:, length // 2 :] + 1) % 90
    positions = torch.arange(rows * length).reshape(rows, length)[:, : length // 2].flatten()
    losses = []
    for each in (input_ids, others):
        start()
        with torch.no_grad(), sparse_forward(model):
            losses.append(model(each, mask, positions, positions % VOCAB)[1])
    first, second = losses
    return not torch.allclose(first, second, atol=1e-5)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("kind", "objective"), [case for case in CASES if case[1] != "mlm"])
def test_a_causal_batch_does_not_see_the_future(kind: str, objective: str, fast: bool) -> None:
    """With torch's attention, and in training mode with the attention of fast dropout on a CPU."""
    model = build(kind, objective, dropout=0.1)
    input_ids, mask, _ = training_batch(kind, objective, padded=False, causal=True)
    stream = DropoutStream(0)
    if fast:
        with fast_dropout(model.train(), stream):
            assert not later_tokens_matter(model, input_ids, mask, lambda: stream.start(0))
    else:
        assert not later_tokens_matter(model.eval(), input_ids, mask, lambda: None)
    if objective == "hybrid":
        full = ARCHITECTURES[kind].mask(input_ids != SPECIAL.pad, False)
        assert later_tokens_matter(model.eval(), input_ids, full, lambda: None)


def test_the_windows_of_modernbert_are_kept() -> None:
    model = build("modernbert", length=200).eval()
    rng = np.random.default_rng(0)
    input_ids = torch.from_numpy(rng.integers(4, VOCAB, (2, 200)))
    input_ids[1, 150:] = SPECIAL.pad
    attended = input_ids != SPECIAL.pad
    with torch.no_grad():
        expected = model(input_ids=input_ids, attention_mask=attended.long()).logits[attended]
        ours = model(input_ids=input_ids, attention_mask=ARCHITECTURES["modernbert"].mask(attended, False)).logits[
            attended
        ]
        whole = model(input_ids=input_ids, attention_mask=ARCHITECTURES["roberta"].mask(attended, False)).logits[
            attended
        ]
    torch.testing.assert_close(ours, expected)
    assert not torch.allclose(whole, expected, atol=1e-3)


class ReadBacks(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations that read a value back from the device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.number = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        names = ("_local_scalar_dense", "nonzero", "item")
        self.number += any(name in str(operation) for name in names)
        return operation(*args, **kwargs or {})


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(("kind", "objective"), [case for case in CASES if case[0] in KNOWN])
def test_a_forward_reads_nothing_back_from_the_device(kind: str, objective: str, padded: bool) -> None:
    """The masks that transformers makes from rows do, and so does its look at rows without a mask."""
    model = build(kind, objective)
    input_ids, mask, positions = training_batch(kind, objective, padded=padded, causal=False)
    with sparse_forward(model), ReadBacks() as read_backs:
        total, _ = model(input_ids, mask, positions, positions % VOCAB)
        torch.autograd.backward(total)
    assert read_backs.number == 0


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_trained_weight_gets_a_gradient(kind: str, tie: bool) -> None:
    """DDP waits for the gradient of every weight that is trained."""
    model = build(kind, tie=tie)
    input_ids, attention_mask, positions = batch(padded=True)
    with sparse_forward(model):
        total, _ = model(input_ids, attention_mask, positions, torch.arange(9))
    torch.autograd.backward(total)
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
    config = ModelConfig(config="bert" if kind == "hf" else None)
    with torch.device("meta"):
        opener: Any = AutoModel
        model = opener.from_config(ARCHITECTURES[kind].configure(config, TextFormat(8192, 128, SPECIAL)))
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


@pytest.mark.parametrize(("kind", "objective"), CASES)
def test_a_row_of_the_greatest_length_fits(kind: str, objective: str) -> None:
    with torch.no_grad():
        assert build(kind, objective).eval()(input_ids=torch.full((1, 16), 5)).logits.shape == (1, 16, VOCAB)


@pytest.mark.parametrize("kind", ["gpt2", "roberta_prelayernorm"])
def test_the_table_of_learnt_positions_is_no_longer_than_a_row(kind: str) -> None:
    with torch.no_grad(), pytest.raises((RuntimeError, IndexError)):
        build(kind).eval()(input_ids=torch.full((1, 17), 5))


def test_an_unknown_architecture_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown model.kind 'robertta'; did you mean 'roberta'"):
        build("robertta")


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({"config": "t5"}, "model.config=t5|AutoModelForMaskedLM|AutoModelForCausalLM"),
        ({"config": "gpt2"}, "training.objective|clm|model.config=gpt2|got mlm"),
        ({"config": "roberta-base"}, "model.config|roberta-base|did you mean roberta?|model.init"),
        ({"config": "bert", "options": {"num_layers": 2}}, "model.options|'num_layers'|num_hidden_layers"),
    ],
)
def test_what_transformers_cannot_build_is_refused_with_the_nearest_choice(options: dict[str, Any], facts: str) -> None:
    with raises_naming(ConfigError, *facts.split("|")):
        build_model(ModelConfig(kind="hf", **options), vocab_size=VOCAB, max_length=16, special=SPECIAL, seed=0)


def test_a_width_that_the_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model.hidden must be a multiple of model.heads; got hidden 30 and heads 4"):
        build_model(ModelConfig(hidden=30, heads=4), vocab_size=VOCAB, max_length=16, special=SPECIAL, seed=0)


def test_gpt2_is_transformers_own_up_to_rounding() -> None:
    """Its activation is one operation here, and a composition of many in transformers."""
    model = build("gpt2").eval()
    own = GPT2LMHeadModel(GPT2Config(**model.config.to_dict() | {"activation_function": "gelu_new"})).train(False)
    own.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(model(batch(padded=False)[0]).logits, own(batch(padded=False)[0]).logits)
