"""The matrices of the trunk, for every architecture of the table and for others that transformers builds."""

from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, ModernBertConfig, ModernBertForMaskedLM

from sleep_tune.config.schema import ModelConfig
from sleep_tune.models.architectures import ARCHITECTURES
from sleep_tune.models.build import build_model
from sleep_tune.models.trunk_matrices import trunk_matrices
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.sleep.samples import SpecialTokens

SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)


def build(kind: str, *, tie: bool = True) -> Any:
    sizes = ModelConfig(kind=kind, layers=2, hidden=16, heads=2, feed_forward=24, tie_embeddings=tie)
    objective = OBJECTIVES_OF[kind][-1]
    return build_model(sizes, objective=objective, vocab_size=50, max_length=16, special=SPECIAL, seed=0)


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("kind", [kind for kind in ARCHITECTURES if kind != "hf"])
def test_they_are_all_tables_of_numbers_in_the_trunk_but_embeddings(kind: str, tie: bool) -> None:
    model = build(kind, tie=tie)
    expected = {
        name
        for name, weights in model.base_model.named_parameters()
        if weights.ndim == 2 and not any(part in name for part in ("embed", "wte", "wpe"))
    }
    ids = {id(matrix.weights) for matrix in trunk_matrices(model)}
    assert {name for name, weights in model.base_model.named_parameters() if id(weights) in ids} == expected
    assert len(expected) in (2 * 4, 2 * 6, 2 * 7)  # of a layer: GPT-2, RoBERTa, Llama


def test_parts_of_a_fused_layer_are_the_projections_that_it_computes() -> None:
    """The outputs of part i depend on the weights of part i alone, whichever way round the layer holds them."""
    ids: Any = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=3, sep_token_id=4)
    gpt2 = GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=1, n_head=2, **ids)
    sizes: Any = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24)
    modernbert = ModernBertConfig(vocab_size=50, **sizes, **ids)
    parts = {}
    for model in (GPT2LMHeadModel(gpt2), ModernBertForMaskedLM(modernbert)):
        names = {id(module.weight): path for path, module in model.named_modules() if hasattr(module, "weight")}
        for matrix in trunk_matrices(model):
            path = names[id(matrix.weights)]
            parts[path.rpartition(".")[2]] = matrix.parts
            layer, states = model.get_submodule(path), torch.randn(5, matrix.weights.shape[1 - matrix.outputs])
            with torch.no_grad():
                before = layer(states).chunk(matrix.parts, -1)
                matrix.weights.chunk(matrix.parts, matrix.outputs)[-1].zero_()
                after = layer(states).chunk(matrix.parts, -1)
            assert all(torch.equal(one, other) for one, other in zip(before[:-1], after[:-1], strict=True))
            assert not torch.equal(before[-1], after[-1])
    assert parts == {"c_attn": 3, "c_fc": 1, "c_proj": 1, "Wqkv": 3, "Wi": 2, "Wo": 1}


def test_frozen_weights_are_left_out_and_shared_ones_are_there_once() -> None:
    model = build("llama")
    first, second = model.base_model.layers
    second.self_attn = first.self_attn
    first.mlp.up_proj.weight.requires_grad_(False)
    found = [matrix.weights for matrix in trunk_matrices(model)]
    assert len(found) == len({id(weights) for weights in found}) == 2 * 7 - 4 - 1


def test_a_layer_that_is_an_embedding_too_is_none() -> None:
    model = build("llama")
    layer = model.base_model.layers[0].mlp.up_proj
    layer.weight = model.get_input_embeddings().weight
    assert all(matrix.weights is not layer.weight for matrix in trunk_matrices(model))
