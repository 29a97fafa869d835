"""A corpus by the user's own code: read, checked, cached by its source, with the options that its function reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sleep_tune.config.load import compose
from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.errors import ConfigError
from tests.messages import raises_naming
from tests.own_code import own_code

MODULE = """\
from pathlib import Path

from sleep_tune.data.documents import Document, RawCorpus, Splits


def corpus(make):
    return RawCorpus(identity={"version": "1"}, read=make)


def words(data):
    text = Path(data.path).read_text() if data.path else "the dog saw cat number"
    return corpus(lambda: Splits(tuple(Document("made", (f"{text} {n}",)) for n in range(60))))


def nothing(data):
    pass


def numbers(data):
    return RawCorpus(identity={"version": 1}, read=lambda: Splits(()))


def no_splits(data):
    return corpus(list)


def text(data):
    return corpus(lambda: Splits(("the dog",)))


def one_text(data):
    return corpus(lambda: Splits((Document("made", "the dog"),)))
"""


@pytest.fixture(autouse=True)
def lab(tmp_path: Path) -> Iterator[Path]:
    """A working directory with a module of its own."""
    with own_code(tmp_path, {"corpus_lab.py": MODULE}):
        yield tmp_path


def prepared(kind: str, cache: Path, path: str | None = None) -> Corpus:
    data = DataConfig(kind=f"corpus_lab:{kind}", path=path, max_length=16, cache_dir=str(cache))
    return prepare(data, TokenizerConfig(vocab_size=300))


def test_an_own_corpus_is_prepared(lab: Path) -> None:
    corpus = prepared("words", lab)
    assert corpus.train.num_words + corpus.dev.num_words + corpus.test.num_words == 60 * 6
    assert corpus.train.source_names == ("made",)


def test_its_function_reads_the_options_of_data(lab: Path) -> None:
    (lab / "text.txt").write_text("three more words")
    assert prepared("words", lab, "text.txt").train.num_words == 54 * 4
    assert compose(["data.kind=corpus_lab:words", "data.path=text.txt"]).data.path == "text.txt"


def test_another_source_is_another_corpus(lab: Path) -> None:
    """Although its identity is the same."""
    before = prepared("words", lab).key
    with own_code(lab, {"corpus_lab.py": MODULE.replace("saw", "heard")}):
        assert prepared("words", lab).key != before


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("nothing", "RawCorpus"),
        ("numbers", "RawCorpus"),
        ("no_splits", "Splits"),
        ("text", "Document"),
        ("one_text", "Document"),
    ],
)
def test_what_is_no_corpus_is_refused(lab: Path, kind: str, expected: str) -> None:
    with raises_naming(ConfigError, f"data.kind=corpus_lab:{kind}", expected):
        prepared(kind, lab)
