import hashlib
import time

import numpy as np
import pytest

from sleep_tune.config.schema import DataConfig
from sleep_tune.data.documents import Splits
from sleep_tune.data.toy.draws import Draws
from sleep_tune.data.toy.genres import GENRES
from sleep_tune.data.toy.paradigms import PARADIGMS, PHENOMENA
from sleep_tune.data.toy.phrases import someone
from sleep_tune.data.toy_corpus import GRAMMAR, PAIRS_PER_PARADIGM, generate, toy_corpus


@pytest.fixture(scope="module")
def language() -> Splits:
    return generate(20_000, 0.05, seed=0)


def sentences_of(splits: Splits, name: str) -> list[str]:
    return [sentence for document in getattr(splits, name) for sentence in document.sentences]


def test_the_lexicon_has_at_most_a_hundred_words(language: Splits) -> None:
    words = {word.strip(".?") for text in sentences_of(language, "train") for word in text.split()}
    paired = {word.strip(".?") for pair in language.pairs["dev"] for word in (pair.good + " " + pair.bad).split()}
    assert 80 <= len(words) <= 100
    assert paired <= words


def test_generation_is_fast() -> None:
    """Tens of thousands of sentences in under two seconds, with room for a busy machine."""
    before = time.process_time()
    generate(20_000, 0.05, seed=1)
    assert time.process_time() - before < 2


def test_the_size_is_as_configured(language: Splits) -> None:
    assert 20_000 <= len(sentences_of(language, "train")) < 20_000 + 16
    for name in ("dev", "test"):
        assert 1_000 <= len(sentences_of(language, name)) < 1_000 + 16


def test_every_genre_has_its_share(language: Splits) -> None:
    sources = [document.source for document in language.train]
    for genre, (percentage, _) in GENRES.items():
        assert sources.count(genre) / len(sources) == pytest.approx(percentage / 100, abs=0.04)


def test_a_language_is_a_pure_function_of_size_and_seed(language: Splits) -> None:
    assert generate(20_000, 0.05, seed=0) == language
    other = generate(300, 0.05, seed=1)
    assert other.train[0] != language.train[0]
    assert other.pairs != language.pairs
    assert generate(300, 0.05, seed=0).pairs == language.pairs
    splits = {name: set(getattr(language, name)) for name in ("train", "dev", "test")}
    assert not splits["dev"] & splits["test"]
    assert len(splits["train"] & splits["dev"]) < 3


def test_pairs_are_distinct_and_never_read(language: Splits) -> None:
    text = {sentence for name in ("train", "dev", "test") for sentence in sentences_of(language, name)}
    held = {split: {(pair.good, pair.bad) for pair in language.pairs[split]} for split in ("dev", "test")}
    assert not held["dev"] & held["test"]
    for split, pairs in held.items():
        assert not {sentence for pair in pairs for sentence in pair} & text
        names = [pair.paradigm for pair in language.pairs[split]]
        assert {name: names.count(name) for name in names} == dict.fromkeys(PARADIGMS, PAIRS_PER_PARADIGM)


def test_no_ill_formed_sentence_is_ever_written(language: Splits) -> None:
    """Pairs of other seeds, which nothing keeps out of this text."""
    text = set(sentences_of(language, "train"))
    others = [pair for seed in (1, 2, 3) for pair in generate(100, 0.05, seed).pairs["dev"]]
    assert {pair.paradigm for pair in others} == set(PARADIGMS)
    assert not [pair for pair in others if pair.bad in text]


def test_pairs_differ_minimally(language: Splits) -> None:
    for pair in language.pairs["dev"]:
        good, bad = pair.good.split(), pair.bad.split()
        assert len(good) == len(bad)
        different = [(one, two) for one, two in zip(good, bad, strict=True) if one != two]
        assert len(different) == (2 if pair.paradigm == "npi_scope" else 1), pair


AGREEING = ("agreement", "determiner", "anaphor", "auxiliary_agreement", "question_animacy")


@pytest.mark.parametrize("paradigm", sorted(name for name in PARADIGMS if name.startswith(AGREEING)))
def test_what_is_right_here_is_wrong_there(paradigm: str) -> None:
    """Preferring one word to another must not answer a paradigm of agreement."""
    draws = Draws(np.random.default_rng(2))
    right, wrong = set(), set()
    for _ in range(1000):
        good, bad = PARADIGMS[paradigm](draws)
        pairs = zip(good.split(), bad.split(), strict=True)
        one, two = next((one, two) for one, two in pairs if one != two)
        right.add(one)
        wrong.add(two)
    assert right == wrong


def test_sources_differ_in_what_they_say(language: Splits) -> None:
    texts: dict[str, list[str]] = {genre: [] for genre in GENRES}
    for document in language.train:
        texts[document.source] += document.sentences
    questions = {genre: np.mean([text.endswith("?") for text in texts[genre]]) for genre in GENRES}
    assert questions["talk"] > 0.5
    assert questions["stories"] == questions["facts"] == questions["picture_books"] == 0


def test_the_identity_names_size_seed_and_grammar() -> None:
    one = toy_corpus(DataConfig(sentences=300)).identity
    assert one == toy_corpus(DataConfig(sentences=300)).identity
    for other in (
        DataConfig(sentences=301),
        DataConfig(sentences=300, seed=1),
        DataConfig(sentences=300, dev_ratio=0.1),
    ):
        assert toy_corpus(other).identity != one


def test_another_language_has_another_version() -> None:
    """Old tokens would be used for the new text; and a run whose checkpoint names the old text could not resume."""
    splits = generate(2000, 0.05, seed=0)
    texts = [sentence for name in ("train", "dev", "test") for sentence in sentences_of(splits, name)]
    texts += [text for pairs in splits.pairs.values() for pair in pairs for text in (pair.good, pair.bad)]
    generated = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    assert (GRAMMAR[:8], generated[:8]) == ("c37c9ab6", "9f270cd6"), "the language has changed: change GRAMMAR too"


def test_keeping_the_pairs_out_leaves_the_text_what_teaches_them() -> None:
    """Short pairs ("the girl helps herself") once removed 86% of the reflexives, and no model learned gender."""
    pairs = generate(100, 0.05, 0).pairs
    reserved = {text for split in ("dev", "test") for pair in pairs[split] for text in (pair.good, pair.bad)}
    draws = Draws(np.random.default_rng(3))
    for _, mixture in GENRES.values():
        for construction in mixture:
            written = [construction(draws, tuple(someone(draws) for _ in range(3))) for _ in range(400)]
            assert np.mean([sentence in reserved for sentence in written]) < 0.12, construction.__name__


def test_there_are_at_least_six_phenomena() -> None:
    assert len(PHENOMENA) >= 6
    assert list(PARADIGMS) == [name for paradigms in PHENOMENA.values() for name in paradigms]
