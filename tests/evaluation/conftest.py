"""A model small enough for any test, and a dense oracle of it that shares no code with the package."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedModel

from sleep_tune.sleep.samples import Samples, SpecialTokens
from tests.evaluation.tiny import causal_model, masked_model

SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)
VOCAB = 23
MAX_LENGTH = 12

Oracle = Callable[[Sequence[int], Sequence[int]], dict[int, float]]


@pytest.fixture
def special() -> SpecialTokens:
    return SPECIAL


@pytest.fixture
def model() -> PreTrainedModel:
    """Untrained, but far from uniform; in training mode, with dropout, as during a training run."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = masked_model(VOCAB, positions=MAX_LENGTH, pad=SPECIAL.pad)
    model: PreTrainedModel = built.train()
    return model


@pytest.fixture
def causal() -> PreTrainedModel:
    """The same of GPT-2."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = causal_model(VOCAB, positions=MAX_LENGTH, end=SPECIAL.separator)
    model: PreTrainedModel = built.train()
    return model


@pytest.fixture
def oracle(model: nn.Module) -> Oracle:
    """Log-probability of the tokens at `positions`, all masked at once, by the dense model on this one text."""

    def log_probabilities(text: Sequence[int], positions: Sequence[int]) -> dict[int, float]:
        model.eval()
        masked = torch.tensor([list(text)])
        for position in positions:
            masked[0, position] = SPECIAL.mask
        with torch.no_grad():
            log_p = model(input_ids=masked).logits[0].double().log_softmax(dim=-1)
        model.train()
        return {position: float(log_p[position, text[position]]) for position in positions}

    return log_probabilities


def make_rows(num_rows: int, length: int, seed: int = 0) -> NDArray[np.int32]:
    """Packed rows with separators inside; every third is padded."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(4, VOCAB, size=(num_rows, length)).astype(np.int32)
    rows[:, 0] = SPECIAL.start
    rows[rng.random(rows.shape) < 0.15] = SPECIAL.separator
    rows[:, 0] = SPECIAL.start
    for row in rows[::3]:
        row[rng.integers(2, length) :] = SPECIAL.pad
    return rows


@pytest.fixture
def rows() -> Callable[..., NDArray[np.int32]]:
    return make_rows


@pytest.fixture
def samples() -> Samples:
    tokens = make_rows(20, MAX_LENGTH)
    return Samples(
        tokens=tokens,
        starts_word=tokens > SPECIAL.mask,
        sources=np.zeros(len(tokens), np.int16),
        source_names=("made up",),
        special=SPECIAL,
        vocab_size=VOCAB,
    )


WORDS = ["the", "a", "cat", "cats", "dog", "dogs", "sleeps", "sleep", "sees", "see", "it", "they"]


@pytest.fixture
def tokenizer_dir(tmp_path: Path) -> Path:
    """A tokenizer of whole words, which frames a sentence as <s> ... </s>; an unknown word is the token `it`."""
    vocabulary = {"<s>": 0, "</s>": 1, "<pad>": 2, "<mask>": 3} | {word: 4 + n for n, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="it"))
    tokenizer.add_special_tokens(["<s>", "</s>", "<pad>", "<mask>"])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.enable_truncation(4)  # as some published tokenizers have it: scores must not depend on it
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    roles = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "mask_token": "<mask>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"} | roles
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    return tmp_path
