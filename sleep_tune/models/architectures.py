"""Architectures by name: the configuration of transformers that the options of `model` describe.

One entry of `ARCHITECTURES` is everything that the package knows about a family: how it is configured, which objectives
make sense for it (`names.OBJECTIVES_OF`), and the form of its attention mask.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transformers import GPT2Config, LlamaConfig, PretrainedConfig, RobertaConfig, RobertaPreLayerNormConfig

from sleep_tune.config.schema import ModelConfig
from sleep_tune.models.attention_masks import MaskMaker, square_mask
from sleep_tune.sleep.samples import SpecialTokens

__all__ = ["ARCHITECTURES", "Architecture", "Text"]


@dataclass(frozen=True, slots=True)
class Text:
    """What a model must hold of the text that it reads."""

    vocab_size: int
    """Rows of the embedding, special tokens included, >= 1."""
    max_length: int
    """Tokens in the longest row, special tokens included, >= 1."""
    special: SpecialTokens

    def token_ids(self) -> dict[str, Any]:
        """Return the ids of special tokens under transformers' names."""
        return {
            "bos_token_id": self.special.start,
            "eos_token_id": self.special.separator,
            "pad_token_id": self.special.pad,
        }


@dataclass(frozen=True, slots=True)
class Architecture:
    """A family of models."""

    configure: Callable[[ModelConfig, Text], PretrainedConfig]
    """Function from sizes and text to a configuration of transformers."""
    mask: MaskMaker = square_mask
    """Function from the attended positions to the attention mask that the family reads."""


def roberta(model: ModelConfig, text: Text) -> PretrainedConfig:
    """RoBERTa (Liu et al. 2019, arXiv 1907.11692): layer norm after each block."""
    return RobertaConfig(**_bert_options(model, text))


def roberta_prelayernorm(model: ModelConfig, text: Text) -> PretrainedConfig:
    """RoBERTa with the layer norm before each block, which trains stably without a long warm-up.

    As in Wettig et al. 2023 (arXiv 2202.08005) and Ott et al. 2019's fairseq.
    """
    return RobertaPreLayerNormConfig(**_bert_options(model, text))


def gpt2(model: ModelConfig, text: Text) -> PretrainedConfig:
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


def llama(model: ModelConfig, text: Text) -> PretrainedConfig:
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


def _bert_options(model: ModelConfig, text: Text) -> dict[str, Any]:
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
    "gpt2": Architecture(gpt2),
    "llama": Architecture(llama),
    "roberta": Architecture(roberta),
    "roberta_prelayernorm": Architecture(roberta_prelayernorm),
}
"""Name of `model.kind` -> architecture."""
