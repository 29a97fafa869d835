"""The tokenizer beside a model, of every kind: a prompt stays open, and nothing else about a text changes."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, processors

from sleep_tune.config.schema import TokenizerConfig
from sleep_tune.data.published_tokenizer import write_tokenizer
from sleep_tune.data.tokenizer import bpe_recipe, hub_recipe
from sleep_tune.errors import DataError
from sleep_tune.evaluation.item_scorer import tokenize_options
from sleep_tune.evaluation.items import TextOption
from tests.data.kinds import KINDS, TEXT
from tests.data.stored_text import Tokenized, tokenize
from tests.messages import raises_naming

LENGTH = 24


def bpe(made: Path) -> Tokenized:
    return tokenize(bpe_recipe(TokenizerConfig(vocab_size=400), made), {"train": TEXT}, made)


def loaded(source: Path, made: Path) -> Tokenized:
    return tokenize(hub_recipe(TokenizerConfig(kind="hub", name=str(source)), made), {"train": TEXT}, made)


def write(source: Path, folder: Path, *, causal: bool) -> dict[str, int]:
    folder.mkdir()
    return write_tokenizer(source, folder, causal=causal, max_length=LENGTH)


def opened(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("kind", ["bpe", *KINDS])
def test_a_causal_models_tokenizer_ends_no_text_and_changes_nothing_else(tmp_path: Path, kind: str) -> None:
    made = tmp_path / "made"
    special = (bpe(made) if kind == "bpe" else loaded(KINDS[kind](tmp_path / "source"), made)).special
    ids = write(made, tmp_path / "model", causal=True)
    assert ids == {
        **{"bos_token_id": special.start, "eos_token_id": special.separator, "pad_token_id": special.pad},
    }
    packed, published = opened(made), opened(tmp_path / "model")
    for text in (TEXT[0], f" {TEXT[1]}"):
        theirs, ours = (one(text, return_offsets_mapping=True) for one in (packed, published))
        assert ours["input_ids"] == theirs["input_ids"][:-1]
        assert ours["offset_mapping"] == theirs["offset_mapping"][:-1]
        assert theirs["input_ids"][-1] == special.separator
    pair = published("the dog", "the cat")["input_ids"]
    assert (pair[0], pair.count(special.separator)) == (special.start, 1 + (special.start == special.separator))
    assert (published.model_max_length, published.padding_side) == (LENGTH, "left")
    assert set(published("the dog")) == {"input_ids", "attention_mask"}
    batch = published(["the dog", TEXT[0]], padding=True)
    assert batch["input_ids"][0][0] == special.pad
    assert batch["attention_mask"][0][0] == 0


def test_a_causal_model_is_scored_alike_with_both_tokenizers(tmp_path: Path) -> None:
    bpe(tmp_path / "made")
    write(tmp_path / "made", tmp_path / "model", causal=True)
    options = [TextOption(TEXT[0]), TextOption("the dog sees a cat", " a cat"), TextOption("the dogs")]
    packed, published = (tokenize_options(options, opened(tmp_path / name), "causal") for name in ("made", "model"))
    for theirs, ours in zip(packed, published, strict=True):
        for part in ("text", "positions", "targets"):
            assert getattr(ours, part).tolist() == getattr(theirs, part).tolist()


@pytest.mark.parametrize("trim", [True, False])
def test_the_characters_of_tokens_stay_where_a_post_processor_says_them(tmp_path: Path, trim: bool) -> None:
    """RoBERTa's own post-processor does two things: it adds tokens, and it trims spaces off the others."""
    special = bpe(tmp_path / "made").special
    path = tmp_path / "made" / "tokenizer.json"
    roberta = Tokenizer.from_file(str(path))
    ends = (("</s>", special.separator), ("<s>", special.start))
    roberta.post_processor = processors.RobertaProcessing(*ends, trim_offsets=trim)
    roberta.save(str(path))
    write(tmp_path / "made", tmp_path / "model", causal=True)
    published = Tokenizer.from_file(str(tmp_path / "model" / "tokenizer.json"))
    for text in TEXT[:3]:
        assert published.encode(text).offsets == roberta.encode(text).offsets[:-1]
        assert published.encode(text).ids == roberta.encode(text).ids[:-1]


def test_a_continuation_that_is_decoded_by_itself_keeps_the_space_before_it(tmp_path: Path) -> None:
    bpe(tmp_path / "made")
    write(tmp_path / "made", tmp_path / "model", causal=True)
    published = opened(tmp_path / "model")
    prompt, text = (published(words)["input_ids"] for words in ("the dog", "the dog sees a cat"))
    assert text[: len(prompt)] == prompt
    assert published.decode(text[len(prompt) :]) == " sees a cat"


def test_a_masked_models_tokenizer_reads_a_text_as_it_was_packed(tmp_path: Path) -> None:
    bpe(tmp_path / "made")
    write(tmp_path / "made", tmp_path / "model", causal=False)
    theirs, ours = (tmp_path / name / "tokenizer.json" for name in ("made", "model"))
    assert theirs.read_bytes() == ours.read_bytes()
    settings = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    assert settings["model_max_length"] == LENGTH
    assert "padding_side" not in settings


def test_a_tokenizer_that_was_removed_is_named(tmp_path: Path) -> None:
    with raises_naming(DataError, tmp_path / "key" / "tokenizer"):
        write(tmp_path / "key" / "tokenizer", tmp_path / "model", causal=True)
