import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers

from sleep_tune.config.schema import TokenizerConfig
from sleep_tune.data import tokenizer
from sleep_tune.data.encoding import one_thread
from sleep_tune.data.tokenizer import LONGEST_WORD, TOKENIZERS, bpe_recipe, train_bpe
from sleep_tune.errors import ConfigError
from sleep_tune.sleep.samples import SpecialTokens
from tests.data.stored_text import tokenize
from tests.messages import raises_naming

SENTENCES = ["the dog sees a cat.", "the cats see the dogs.", "a b a b"]


def test_transformers_opens_the_trained_tokenizer(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    recipe = bpe_recipe(TokenizerConfig(vocab_size=400), tmp_path)
    built = tokenize(recipe, {"train": SENTENCES}, tmp_path / "made")
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
        "import hashlib; from collections import Counter; from sleep_tune.data.toy_corpus import generate;"
        "from sleep_tune.data.tokenizer import train_bpe;"
        "counts = Counter(w for d in generate(300, 0.05, 0).train for s in d.sentences for w in s.split());"
        "print(hashlib.sha256(train_bpe(counts, 400).to_str().encode()).hexdigest())"
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


@given(st.lists(st.text(alphabet="ab é.'", min_size=1, max_size=30).map(" ".join), min_size=1, max_size=4))
def test_counted_words_train_the_vocabulary_of_the_sentences(sentences: list[str]) -> None:
    """The library trains on whole sentences otherwise, which gives the same and takes longer."""
    sentences = [" ".join(sentence.split()) for sentence in sentences]
    made = train_bpe(Counter(" ".join(sentences).split()), 300)
    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = made.pre_tokenizer
    special = [AddedToken(token, lstrip=token == "<mask>", special=True) for token in tokenizer.SPECIAL.values()]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, min_frequency=2, special_tokens=special, initial_alphabet=alphabet)
    with one_thread():
        plain.train_from_iterator(sentences, trainer)
    assert json.loads(made.to_str())["model"] == json.loads(plain.to_str())["model"]


@given(st.integers(1, 3 * LONGEST_WORD + 1))
def test_longer_words_are_cut_for_training_alone(length: int) -> None:
    parts = tokenizer._short_words("x" * length)
    assert "".join(parts) == "x" * length
    assert 0 < min(map(len, parts)) <= max(map(len, parts)) <= LONGEST_WORD
    assert len(parts) == -(-length // LONGEST_WORD)


def test_a_word_of_200_000_letters_is_trained_on_and_counted_as_one(tmp_path: Path) -> None:
    """Training took time with the square of its length: minutes for one word."""
    word = "".join(np.random.default_rng(0).choice(list("abcdefghij"), 200_000))
    recipe = bpe_recipe(TokenizerConfig(vocab_size=1000), tmp_path)
    before = time.process_time()
    made = tokenize(recipe, {"train": [f"the {word}", f"a {word}"]}, tmp_path / "made")
    assert time.process_time() - before < 20
    assert made.streams["train"].starts_word.sum() == 4
