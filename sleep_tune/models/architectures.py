"""Architectures by name: the configuration of transformers that the options of `model` describe.

One entry of `ARCHITECTURES` is everything that the package knows about a family: how it is configured, which objectives
make sense for it (`names.OBJECTIVES_OF`), and the form of its attention mask.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transformers import (
    DebertaV2Config,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PretrainedConfig,
    RobertaConfig,
    RobertaPreLayerNormConfig,
)

from sleep_tune.config.schema import ModelConfig
from sleep_tune.config.size import DEBERTA_BUCKETS
from sleep_tune.import_paths import is_import_path
from sleep_tune.models.any_architecture import configure
from sleep_tune.models.attention_masks import WINDOW, MaskMaker, row_mask, square_mask, window_masks
from sleep_tune.models.text_format import TextFormat

__all__ = ["ARCHITECTURES", "Architecture", "mask_maker"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A family of models."""

    configure: Callable[[ModelConfig, TextFormat], PretrainedConfig]
    """Function from sizes and text to a configuration of transformers."""
    mask: MaskMaker = square_mask
    """Function from the attended positions to the attention mask that the family reads."""


def roberta(model: ModelConfig, text: TextFormat) -> PretrainedConfig:
    """RoBERTa (Liu et al. 2019, arXiv 1907.11692): layer norm after each block."""
    return RobertaConfig(**_bert_options(model, text))


def roberta_prelayernorm(model: ModelConfig, text: TextFormat) -> PretrainedConfig:
    """RoBERTa with the layer norm before each block, which trains stably without a long warm-up.

    As in Wettig et al. 2023 (arXiv 2202.08005) and Ott et al. 2019's fairseq.
    """
    return RobertaPreLayerNormConfig(**_bert_options(model, text))


def gpt2(model: ModelConfig, text: TextFormat) -> PretrainedConfig:
    """GPT-2 (Radford et al. 2019): learnt positions, layer norm before each block.

    Its activation is transformers' `gelu_new` as one operation, which keeps one tensor for the backward pass, not four.
    """
    return GPT2Config(
        vocab_size=text.vocab_size,
        n_positions=text.max_length,
        n_embd=model.hidden,
        n_layer=model.layers,
        n_head=model.heads,
        n_inner=model.feed_forward,
        activation_function="gelu_pytorch_tanh",
        embd_pdrop=model.dropout,
        resid_pdrop=model.dropout,
        attn_pdrop=model.attention_dropout,
        initializer_range=model.initializer_range,
        tie_word_embeddings=model.tie_embeddings,
        use_cache=False,
        **text.token_ids(),
    )


def llama(model: ModelConfig, text: TextFormat) -> PretrainedConfig:
    """Llama (Touvron et al. 2023, arXiv 2302.13971): rotary positions, gated feed-forward layers, RMS norms."""
    return LlamaConfig(
        vocab_size=text.vocab_size,
        max_position_embeddings=text.max_length,
        hidden_size=model.hidden,
        num_hidden_layers=model.layers,
        num_attention_heads=model.heads,
        num_key_value_heads=model.heads,
        intermediate_size=model.feed_forward,
        attention_dropout=model.attention_dropout,
        initializer_range=model.initializer_range,
        tie_word_embeddings=model.tie_embeddings,
        use_cache=False,
        **text.token_ids(),
    )


def modernbert(model: ModelConfig, text: TextFormat) -> PretrainedConfig:
    """ModernBERT (Warner et al. 2024, arXiv 2412.13663): rotary positions, gated feed-forward layers, sliding windows.

    Every third layer attends to the whole row, the others to WINDOW tokens on either side. `dropout` acts on embeddings
    and inside feed-forward layers; `attention_dropout` on attention weights and on the output of attention.
    """
    return ModernBertConfig(
        vocab_size=text.vocab_size,
        max_position_embeddings=text.max_length,
        hidden_size=model.hidden,
        num_hidden_layers=model.layers,
        num_attention_heads=model.heads,
        intermediate_size=model.feed_forward,
        local_attention=2 * WINDOW,
        embedding_dropout=model.dropout,
        mlp_dropout=model.dropout,
        attention_dropout=model.attention_dropout,
        initializer_range=model.initializer_range,
        tie_word_embeddings=model.tie_embeddings,
        cls_token_id=text.special.start,
        sep_token_id=text.special.separator,
        **text.token_ids(),
    )


def deberta_v2(model: ModelConfig, text: TextFormat) -> PretrainedConfig:
    """DeBERTa with the options of its version 3 (He et al. 2021, arXiv 2111.09543): attention by relative positions.

    In rows of up to DEBERTA_BUCKETS tokens each distance has a weight of its own; in longer ones, far ones share some.
    """
    return DebertaV2Config(
        **_bert_options(model, text)
        | {
            "max_position_embeddings": text.max_length,
            "type_vocab_size": 0,
            "relative_attention": True,
            "position_buckets": DEBERTA_BUCKETS if text.max_length > DEBERTA_BUCKETS else -1,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
        }
    )


def _bert_options(model: ModelConfig, text: TextFormat) -> dict[str, Any]:
    return {
        "vocab_size": text.vocab_size,
        "hidden_size": model.hidden,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "intermediate_size": model.feed_forward,
        "hidden_dropout_prob": model.dropout,
        "attention_probs_dropout_prob": model.attention_dropout,
        "initializer_range": model.initializer_range,
        "tie_word_embeddings": model.tie_embeddings,
        # RoBERTa counts positions from pad + 1 on.
        "max_position_embeddings": text.max_length + text.special.pad + 1,
        "type_vocab_size": 1,
        **text.token_ids(),
    }


ARCHITECTURES: dict[str, Architecture] = {
    "deberta_v2": Architecture(deberta_v2, row_mask),
    "gpt2": Architecture(gpt2),
    "hf": Architecture(configure, row_mask),
    "llama": Architecture(llama),
    "modernbert": Architecture(modernbert, window_masks),
    "roberta": Architecture(roberta),
    "roberta_prelayernorm": Architecture(roberta_prelayernorm),
}
"""Name of `model.kind` -> architecture."""


def mask_maker(kind: str) -> MaskMaker:
    """Return the function that makes the attention masks of an architecture, or of a model of the user's own."""
    return row_mask if is_import_path(kind) else ARCHITECTURES[kind].mask
