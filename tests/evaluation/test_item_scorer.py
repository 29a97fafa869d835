"""Scores of items against the definition: one text and one token at a time, by the dense model of transformers."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from sleep_tune.evaluation import logits
from sleep_tune.evaluation.item_scorer import ItemScorer
from sleep_tune.evaluation.items import Item, TextOption
from tests.evaluation import official_data

ITEMS = (
    Item("a", "a_0", (TextOption("The naïve child sees the dog."), TextOption(" 東京 “likes” the señor ."))),
    Item("b", "b_0", tuple(TextOption(f"Box 0 contains{end}", end) for end in (" the big cat.", " the 🦉", " the ß."))),
    Item("c", "c_0", (TextOption("the dog", ""), TextOption("", None), TextOption("x"))),
    Item("d", "d_0", (TextOption("The cat eats things", "things"), TextOption("The cat eats things", " things"))),
)

Build = Callable[[int], PreTrainedModel]


def bert(vocab_size: int) -> PreTrainedModel:
    """An architecture whose trunk and head the package does not know."""
    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        pad_token_id=1,
    )
    return official_data.filled(BertForMaskedLM(config))


CASES: dict[str, tuple[str, Build, bool]] = {
    "masked": ("mlm", official_data.masked_model, True),
    "shifted": ("mntp", official_data.masked_model, True),
    "unframed shifted": ("mntp", official_data.masked_model, False),
    "another architecture": ("mlm", bert, True),
    "causal": ("causal", official_data.causal_model, True),
    "unframed causal": ("causal", official_data.causal_model, False),
}


def tokenizer_of(folder: Path, framed: bool) -> PreTrainedTokenizerBase:
    official_data.write_tokenizer(folder, framed=framed)
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    return tokenizer


def definition(option: TextOption, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, backend: str) -> float:
    """Return the sum of log p over the tokens that end after the completion's start, each in a pass of its own."""
    encoded = tokenizer(option.text, return_offsets_mapping=True)
    ids = torch.tensor([encoded["input_ids"]], dtype=torch.long)
    total = 0.0
    for place, (_, end) in enumerate(encoded["offset_mapping"]):
        if end <= len(option.text) - len(option.ending) or (backend != "mlm" and place == 0):
            continue
        read = ids.clone()
        if backend != "causal":
            read[0, place] = tokenizer.mask_token_id
        with torch.no_grad():
            log_p = model(input_ids=read).logits[0].double().log_softmax(-1)
        total += float(log_p[place if backend == "mlm" else place - 1, ids[0, place]])
    return total


@pytest.mark.parametrize("case", CASES)
def test_scores_are_the_definition(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, build, framed = CASES[case]
    tokenizer = tokenizer_of(tmp_path, framed)
    model = build(len(tokenizer))
    expected = [[definition(option, model, tokenizer, backend) for option in item.options] for item in ITEMS]
    for batch_tokens, dense in ((1, 2**26), (60, 1), (4096, 2**26)):
        monkeypatch.setattr(logits, "DENSE_LOGITS", dense)
        scorer = ItemScorer(ITEMS, tokenizer, backend=backend, batch_tokens=batch_tokens)
        for scores, row in zip(scorer.score(model), expected, strict=True):
            np.testing.assert_allclose(scores, row, atol=1e-4)


def test_an_ending_without_a_token_scores_nothing(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(tmp_path, True)
    model = official_data.masked_model(len(tokenizer))
    scores = ItemScorer(ITEMS[2:3], tokenizer, backend="mlm", batch_tokens=64).score(model)[0]
    assert scores[:2].tolist() == [0, 0]
    assert scores[2] < 0
    nothing = ItemScorer(
        (Item("a", "a_0", (TextOption(""), TextOption(""))),), tokenizer, backend="mlm", batch_tokens=64
    )
    assert nothing.score(model)[0].tolist() == [0, 0]
    assert nothing.num_tokens == 0


@pytest.mark.parametrize("backend", ["mlm", "causal"])
def test_a_score_per_token_is_divided_by_the_scored_tokens(tmp_path: Path, backend: str) -> None:
    tokenizer = tokenizer_of(tmp_path, True)
    model = (official_data.masked_model if backend == "mlm" else official_data.causal_model)(len(tokenizer))
    per_token = [dataclasses.replace(item, per_token=True) for item in ITEMS]
    sums, means = (ItemScorer(items, tokenizer, backend=backend, batch_tokens=64) for items in (ITEMS, per_token))
    sizes = np.array([max(len(one.positions), 1) for one in sums.tokenized])
    assert sizes.max() > 1
    np.testing.assert_allclose(np.concatenate(means.score(model)), np.concatenate(sums.score(model)) / sizes)


def test_a_subset_scores_as_the_whole_and_progress_adds_up(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(tmp_path, True)
    model = official_data.masked_model(len(tokenizer))
    scorer = ItemScorer(ITEMS, tokenizer, backend="mlm", batch_tokens=64)
    batches: list[int] = []
    whole = scorer.score(model, batches.append)
    assert sum(batches) == scorer.num_tokens
    part = scorer.subset(np.array([3, 1]))
    assert [item.id for item in part.items] == ["d_0", "b_0"]
    for scores, index in zip(part.score(model), (3, 1), strict=True):
        np.testing.assert_allclose(scores, whole[index], atol=1e-5)


@pytest.mark.parametrize("backend", ["mlm", "causal"])
def test_options_that_are_the_same_tokens_are_found(tmp_path: Path, backend: str) -> None:
    tokenizer = tokenizer_of(tmp_path, True)
    items = (
        Item("a", "a_0", (TextOption("the cat", " cat"), TextOption("the cat", "cat"))),
        Item("a", "a_1", (TextOption("the cat", " cat"), TextOption("the cat"))),
        Item("a", "a_2", (TextOption("the cat"), TextOption("the cats"))),
    )
    assert ItemScorer(items, tokenizer, backend=backend, batch_tokens=64).alike().tolist() == [True, False, False]


def test_how_long_items_are(tmp_path: Path) -> None:
    """A causal model reads the tokens before the last scored one."""
    tokenizer = tokenizer_of(tmp_path, True)
    length = len(tokenizer("the cat")["input_ids"])
    items = (Item("a", "a_0", (TextOption("x"), TextOption("the cat"))),)
    assert ItemScorer(items, tokenizer, backend="mlm", batch_tokens=64).longest().tolist() == [length]
    assert ItemScorer(items, tokenizer, backend="causal", batch_tokens=64).longest().tolist() == [length - 2]
