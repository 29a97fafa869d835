"""A tokenizer and models of Hugging Face's architectures, small enough for any test, untrained but far from uniform."""

from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaPreLayerNormConfig,
    RobertaPreLayerNormForMaskedLM,
)

__all__ = ["LONGEST", "causal_model", "masked_model", "tiny_model", "tiny_tokenizer"]

SPECIAL = ["<s>", "</s>", "<pad>", "<mask>"]

LONGEST = 200
"""Number of positions of the models."""


def tiny_tokenizer(texts: Iterable[str], vocab_size: int = 300) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer of so few tokens that most words take several, some of them half a letter."""
    built = Tokenizer(models.BPE())
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    built.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    built.train_from_iterator(texts, trainer)
    built.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), add_prefix_space=True)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=built,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        mask_token="<mask>",
    )


def tiny_model(backend: str, tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> PreTrainedModel:
    """Return a model for the back end, in evaluation mode."""
    size = len(tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if backend == "causal":
            return causal_model(size, positions=LONGEST, end=1)
        return masked_model(size, positions=LONGEST, pad=2)


def masked_model(vocab_size: int, *, positions: int, pad: int) -> PreTrainedModel:
    """Return two layers of the architecture that this package trains, in evaluation mode."""
    config = RobertaPreLayerNormConfig(
        vocab_size=vocab_size,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions + pad + 1,
        pad_token_id=pad,
        initializer_range=0.3,
        type_vocab_size=1,
    )
    model: PreTrainedModel = RobertaPreLayerNormForMaskedLM(config).train(False)
    return model


def causal_model(vocab_size: int, *, positions: int, end: int) -> PreTrainedModel:
    """Return two layers of GPT-2, whose text starts with token 0 and ends with `end`, in evaluation mode."""
    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=positions,
        n_embd=16,
        n_layer=2,
        n_head=2,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=end,
    )
    model: PreTrainedModel = GPT2LMHeadModel(config).train(False)
    return model
