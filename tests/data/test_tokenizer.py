import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.config.schema import TokenizerConfig
from sleep_tune.data import tokenizer
from sleep_tune.data.tokenizer import LONGEST_WORD, TOKENIZERS, bpe_recipe, train_bpe
from sleep_tune.errors import ConfigError
from sleep_tune.sleep.samples import SpecialTokens
from tests.messages import raises_naming

SENTENCES = ["the dog sees a cat.", "the cats see the dogs.", "a b a b"]


def test_transformers_opens_the_trained_tokenizer(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    recipe = bpe_recipe(TokenizerConfig(vocab_size=400), tmp_path)
    built = recipe.tokenize({"train": SENTENCES}, tmp_path / "made")
    opened = AutoTokenizer.from_pretrained(tmp_path / "made")
    assert len(opened) == built.vocab_size <= 400
    assert built.special == SpecialTokens(start=0, separator=2, pad=1, mask=4)
    assert (opened.cls_token_id, opened.sep_token_id, opened.pad_token_id, opened.mask_token_id) == (0, 2, 1, 4)
    assert (opened.bos_token_id, opened.eos_token_id, opened.unk_token_id) == (0, 2, 3)
    assert opened.convert_ids_to_tokens(opened("a b")["input_ids"]) == ["<s>", "\u0120a", "\u0120b", "</s>"]
    assert set(opened("a b")) == {"input_ids", "attention_mask"}
    assert opened.decode(opened("a b")["input_ids"], skip_special_tokens=True) == "a b"
    assert len(opened("a <mask> b")["input_ids"]) == 5


def test_training_is_deterministic_over_processes() -> None:
    """Word counts live in a hash map with a random seed: ties must not be broken by its order."""
    script = (
        "import hashlib; from sleep_tune.data.toy_corpus import generate;"
        "from sleep_tune.data.tokenizer import train_bpe;"
        "text = [s for d in generate(300, 0.05, 0).train for s in d.sentences];"
        "print(hashlib.sha256(train_bpe(text, 400).to_str().encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "TOKENIZERS_PARALLELISM": parallel},
        ).stdout
        for seed, parallel in (("1", "true"), ("2", "false"))
    }
    assert len(digests) == 1


def test_a_vocabulary_without_room_for_bytes_is_refused() -> None:
    with raises_naming(ConfigError, "tokenizer.vocab_size", 261, 260):
        TOKENIZERS["bpe"](TokenizerConfig(vocab_size=260), Path())


@given(st.lists(st.text(alphabet="ab é.", min_size=1, max_size=30).map(" ".join), min_size=1, max_size=4))
def test_words_of_ordinary_length_train_the_same_vocabulary(sentences: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plain = train_bpe(sentences, 300).to_str()
        patch.setattr(tokenizer, "_with_short_words", lambda unchanged: unchanged)
        assert train_bpe(sentences, 300).to_str() == plain


@given(st.lists(st.integers(1, 3 * LONGEST_WORD + 1), min_size=1, max_size=4))
def test_longer_words_are_cut_for_training_alone(lengths: list[int]) -> None:
    sentence = " ".join("x" * length for length in lengths)
    [cut] = tokenizer._with_short_words([sentence])
    assert cut.replace(" ", "") == sentence.replace(" ", "")
    assert max(map(len, cut.split(" "))) <= LONGEST_WORD
    assert [part for part in cut.split(" ") if not part] == []
    assert cut.count(" ") == sum(-(-length // LONGEST_WORD) for length in lengths) - 1


def test_a_word_of_200_000_letters_is_trained_on_and_counted_as_one(tmp_path: Path) -> None:
    """Training took time with the square of its length: minutes for one word."""
    word = "".join(np.random.default_rng(0).choice(list("abcdefghij"), 200_000))
    recipe = bpe_recipe(TokenizerConfig(vocab_size=1000), tmp_path)
    before = time.process_time()
    made = recipe.tokenize({"train": [f"the {word}", f"a {word}"]}, tmp_path / "made")
    assert time.process_time() - before < 20
    assert made.streams["train"].starts_word.sum() == 4
