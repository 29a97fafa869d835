"""A tokenizer and models of Hugging Face's kinds, small enough for any test, untrained but far from uniform."""

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

__all__ = ["LONGEST", "tiny_model", "tiny_tokenizer"]

SPECIAL = ["<s>", "</s>", "<pad>", "<mask>"]

LONGEST = 200
"""Tokens that the models have positions for."""


def tiny_tokenizer(texts: Iterable[str], vocab_size: int = 300) -> PreTrainedTokenizerFast:
    """Byte-level, of so few tokens that most words take several, some of them half a letter."""
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
    """A model that the back end can ask, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = _causal(len(tokenizer)) if backend == "causal" else _masked(len(tokenizer))
    model.train(False)
    return model


def _masked(vocab_size: int) -> PreTrainedModel:
    return RobertaPreLayerNormForMaskedLM(
        RobertaPreLayerNormConfig(
            vocab_size=vocab_size,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=LONGEST + 3,
            pad_token_id=2,
            initializer_range=0.3,
            type_vocab_size=1,
        )
    )


def _causal(vocab_size: int) -> PreTrainedModel:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocab_size,
            n_positions=LONGEST,
            n_embd=16,
            n_layer=2,
            n_head=2,
            initializer_range=0.3,
            bos_token_id=0,
            eos_token_id=1,
        )
    )
