"""Floating-point operations are those of the matrix products that a model computes."""

from typing import Any

import pytest
from transformers import AutoModelForCausalLM, CohereConfig, OPTConfig

from sleep_tune.config.schema import ModelConfig
from sleep_tune.models.build import build_model
from sleep_tune.sleep.samples import SpecialTokens
from sleep_tune.training.flops import count_flops

SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)
LENGTH, VOCAB = 32, 97
SIZES = ModelConfig(layers=3, hidden=16, heads=2, feed_forward=40)
ATTENTION = 4 * LENGTH * SIZES.hidden  # a token's scores and their weighted sum
PROJECTIONS = 3 * 2 * SIZES.hidden**2
OUTPUT = 2 * SIZES.hidden**2
FEED_FORWARD = 2 * 2 * SIZES.hidden * SIZES.feed_forward
LAYER = PROJECTIONS + ATTENTION + OUTPUT + FEED_FORWARD
EMBEDDING = 2 * SIZES.hidden * VOCAB

BY_HAND = {
    # RoBERTa's last layer, from its attention's output on, and its head are computed at the predicted positions only.
    "roberta": (3 * LAYER - OUTPUT - FEED_FORWARD, OUTPUT + FEED_FORWARD + 2 * SIZES.hidden**2 + EMBEDDING),
    "gpt2": (3 * LAYER, EMBEDDING),
    "llama": (3 * (LAYER + FEED_FORWARD // 2), EMBEDDING),
}
"""Architecture -> operations of a forward pass for a token, and for a prediction."""


def build(kind: str) -> Any:
    sizes = ModelConfig(**vars(SIZES) | {"kind": kind} | ({"dropout": 0.0} if kind == "llama" else {}))
    objective = "mlm" if kind == "roberta" else "clm"
    return build_model(sizes, objective=objective, vocab_size=VOCAB, max_length=LENGTH, special=SPECIAL, seed=0)


@pytest.mark.parametrize("kind", BY_HAND)
def test_they_are_what_one_counts_by_hand(kind: str) -> None:
    model = build(kind)
    by_token, by_prediction = BY_HAND[kind]
    assert count_flops(model, tokens=640, predicted=70, length=LENGTH) == 3 * (640 * by_token + 70 * by_prediction)
    assert all(module.training for module in model.modules())


def test_a_model_that_this_package_does_not_know_has_its_head_at_the_predicted_positions() -> None:
    opener: Any = AutoModelForCausalLM
    config = OPTConfig(
        vocab_size=VOCAB,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        ffn_dim=40,
        word_embed_proj_dim=16,
        max_position_embeddings=LENGTH,
    )
    model = opener.from_config(config, attn_implementation="sdpa")
    assert count_flops(model, tokens=640, predicted=70, length=LENGTH) == 3 * (640 * 3 * LAYER + 70 * EMBEDDING)


def test_a_model_that_scales_its_logits_has_its_head_at_every_position() -> None:
    opener: Any = AutoModelForCausalLM
    config = CohereConfig(
        vocab_size=VOCAB,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=40,
        max_position_embeddings=LENGTH,
        pad_token_id=2,
        bos_token_id=0,
        eos_token_id=1,
    )
    model = opener.from_config(config, attn_implementation="sdpa")
    gated = LAYER + FEED_FORWARD // 2
    assert count_flops(model, tokens=640, predicted=70, length=LENGTH) == 3 * 640 * (3 * gated + EMBEDDING)
