import os
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from sleep_tune.data.encoding import TokenStream, encode_by_offsets, encode_by_words, mean_unspaced_length, one_thread
from sleep_tune.data.preprocess import preprocess
from sleep_tune.data.tokenizer import train_bpe
from tests.data.stored_text import encode

TEXT = "the dog sees the dogs. the cats don't see the dog! it's 10,000 times <mask> 'tis naïve 日本語 über-cat"
SEPARATOR = 2
SENTENCES = st.lists(
    st.text().map(lambda text: preprocess(text, include_punctuation=True)).filter(bool), min_size=1, max_size=6
)


@cache
def bpe() -> Tokenizer:
    tokenizer = train_bpe(Counter(TEXT.split() * 3), 350)
    tokenizer.encode_special_tokens = True
    return tokenizer


@cache
def unigram() -> Tokenizer:
    """A tokenizer of another kind, as a loaded one may be: SentencePiece's spaces, and an unknown token."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=80, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False)
    with one_thread():
        tokenizer.train_from_iterator([TEXT] * 3, trainer)
    return tokenizer


def split_at_separators(stream: TokenStream) -> list[list[int]]:
    ends = np.cumsum(stream.lengths)
    assert (stream.tokens[ends - 1] == SEPARATOR).all()
    assert not stream.starts_word[ends - 1].any()
    return [part[:-1].tolist() for part in np.split(stream.tokens, ends[:-1])]


@given(SENTENCES)
def test_words_counted_are_the_words_of_the_text(sentences: list[str]) -> None:
    num_words = sum(len(sentence.split()) for sentence in sentences)
    for function in (encode_by_words, encode_by_offsets):
        stream = encode(function, bpe(), sentences, SEPARATOR)
        assert stream.starts_word.sum() == num_words
        assert len(stream.tokens) == len(stream.starts_word) == stream.lengths.sum()


@given(SENTENCES)
def test_word_by_word_is_exact_for_the_byte_level_tokenizer(sentences: list[str]) -> None:
    by_words = encode(encode_by_words, bpe(), sentences, SEPARATOR)
    whole = [encoding.ids for encoding in bpe().encode_batch(sentences, add_special_tokens=False)]
    assert split_at_separators(by_words) == whole
    by_offsets = encode(encode_by_offsets, bpe(), sentences, SEPARATOR)
    assert by_words.tokens.tolist() == by_offsets.tokens.tolist()
    # A token that is nothing but the space before a word starts it by the one rule, and not by the other.
    assert by_words.starts_word.sum() == by_offsets.starts_word.sum()
    assert by_words.lengths.tolist() == by_offsets.lengths.tolist()


@given(st.lists(st.text(alphabet="acdeghnost.", min_size=1, max_size=8), min_size=1, max_size=8))
def test_any_tokenizer_flags_the_first_token_of_each_word(words: list[str]) -> None:
    sentence = " ".join(words)
    stream = encode(encode_by_offsets, unigram(), [sentence], SEPARATOR)
    assert stream.starts_word.sum() == len(words)
    parts = np.split(stream.tokens[:-1], np.flatnonzero(stream.starts_word)[1:])
    texts = ["".join(str(unigram().id_to_token(token)) for token in part).strip("\u2581") for part in parts]
    assert texts == words


def test_special_tokens_in_the_text_are_text() -> None:
    stream = encode(encode_by_words, bpe(), ["a <mask> b </s> <pad>"], SEPARATOR)
    assert not set(stream.tokens[:-1].tolist()) & {0, 1, 2, 3, 4}
    assert bpe().decode(stream.tokens[:-1].tolist()) == "a <mask> b </s> <pad>"


def test_nothing_is_an_empty_stream() -> None:
    for function in (encode_by_words, encode_by_offsets):
        stream = encode(function, bpe(), [], SEPARATOR)
        assert len(stream.tokens) == len(stream.starts_word) == len(stream.lengths) == 0


def test_the_environment_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "TOKENIZERS_PARALLELISM"
    monkeypatch.delenv(name, raising=False)
    with one_thread():
        assert os.environ[name] == "false"
    assert name not in os.environ
    monkeypatch.setenv(name, "true")
    with one_thread():
        assert os.environ[name] == "true"
    assert os.environ[name] == "true"


def test_words_of_a_text_without_spaces_are_long() -> None:
    def length(*sentences: str) -> float:
        words = Counter(" ".join(sentences).split())
        return mean_unspaced_length(list(words), np.asarray(list(words.values())))

    assert length("the cat sat", "le café") == 0.0
    assert length("今天 我 去 了 学校", "the cat 我") == 8 / 6  # cut into words
    assert length("今天我去了学校然后回家了。", "ฉันไปโรงเรียนเมื่อวานนี้") > 12
