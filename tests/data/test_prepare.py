import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.cache import require_cache_space
from sleep_tune.data.prepare import MAX_SOURCES, Corpus, prepare
from sleep_tune.errors import DataError
from tests.messages import raises_naming

CHILDREN = Path(__file__).parents[3] / "shared" / "data" / "children"
SMALL = TokenizerConfig(vocab_size=400)

KILLED = """
import os, signal, sys
import sleep_tune.data.cache
import sleep_tune.data.prepare as prepare
import sleep_tune.data.tokenizer
from sleep_tune.config.schema import DataConfig, TokenizerConfig

name, function, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
holder = sys.modules[name]
original = getattr(holder, function)

def kill_at_last(*given, **options):
    global calls
    calls -= 1
    if calls == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*given, **options)

setattr(holder, function, kill_at_last)
data = DataConfig(kind="text", path=sys.argv[4], cache_dir=sys.argv[5], max_length=16)
prepare.prepare(data, TokenizerConfig(vocab_size=400))
"""
"""Prepares a book, and kills itself (kill -9) when a function is called for the nth time."""


def toy(cache: Path, **options: object) -> Corpus:
    settings: dict[str, object] = {"sentences": 400, "max_length": 32, "cache_dir": str(cache)} | options
    return prepare(DataConfig(**settings), SMALL)  # type: ignore[arg-type]


def write_book(folder: Path, paragraphs: int = 40) -> Path:
    folder.mkdir()
    text = "".join(f'Anna saw {n} dogs. "Why {n}?" she asked.\n\n' for n in range(paragraphs))
    (folder / "book.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("include_punctuation", [True, False])
@pytest.mark.parametrize("join_sentences", [True, False])
def test_every_word_of_a_folder_is_in_one_split(
    tmp_path: Path, include_punctuation: bool, join_sentences: bool
) -> None:
    data = DataConfig(
        kind="text",
        path=str(write_book(tmp_path / "books")),
        include_punctuation=include_punctuation,
        join_sentences=join_sentences,
        max_length=16,
        dev_ratio=0.1,
        cache_dir=str(tmp_path),
    )
    corpus = prepare(data, SMALL)
    assert corpus.train.num_words + corpus.dev.num_words + corpus.test.num_words == 40 * 8
    assert corpus.dev.num_words == corpus.test.num_words == 4 * 8
    assert corpus.train.source_names == ("book",)
    assert corpus.pairs == {}
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(corpus.tokenizer_dir / "tokenizer.json"))
    text = tokenizer.decode(corpus.train.tokens.reshape(-1).tolist(), skip_special_tokens=True)
    assert ("?" in text) == include_punctuation


def test_toy_is_prepared_once_and_then_mapped(tmp_path: Path) -> None:
    first, again = toy(tmp_path), toy(tmp_path)
    assert first.key == again.key
    assert first.tokenizer_dir == again.tokenizer_dir
    for name in ("train", "dev", "test"):
        one, two = getattr(first, name), getattr(again, name)
        assert (one.tokens == two.tokens).all()
        assert one.tokens.dtype == np.int16
        assert not one.tokens.flags.writeable
        assert not one.tokens.flags.owndata
        assert len(one.tokens) == len(one.starts_word) == len(one.sources)
    assert set(first.train.source_names) == {"stories", "talk", "picture_books", "facts"}
    assert set(first.pairs) == {"dev", "test"}


def test_a_bit_that_flips_in_a_file_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Tokens, minimal pairs and the tokenizer once came back changed, or ended in a traceback."""
    first = toy(tmp_path)
    folder = first.tokenizer_dir.parent
    names = ("train-tokens.npy", "dev-starts_word.npy", "pairs-dev.jsonl", "tokenizer/tokenizer.json", "about.json")
    files = {folder / name: (folder / name).read_bytes() for name in names}
    with caplog.at_level(logging.WARNING):
        for path, content in files.items():
            path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
            again = toy(tmp_path)
            assert (again.key, again.pairs) == (first.key, first.pairs)
            assert {path: path.read_bytes() for path in files} == files
    assert len(caplog.records) == len(files)


@pytest.mark.slow
def test_a_preparation_that_is_killed_at_any_step_leaves_nothing_wrong(tmp_path: Path) -> None:
    book = write_book(tmp_path / "books", paragraphs=400)
    for name, function, calls in (
        ("sleep_tune.data.prepare", "_split_text", 1),
        ("sleep_tune.data.tokenizer", "encode_by_words", 1),
        ("sleep_tune.data.prepare", "save_rows", 2),
        ("sleep_tune.data.cache", "sync_tree", 1),
    ):
        arguments = [name, function, str(calls), str(book), str(tmp_path / "killed")]
        assert subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False).returncode == -signal.SIGKILL
        (left,) = (path for path in (tmp_path / "killed").iterdir() if path.is_dir())
        assert left.name.startswith("."), "no other process takes this for a whole corpus"
        assert not list(left.glob("tmp*")), "temporary files have no name"

    def prepared(cache: Path) -> dict[str, bytes]:
        data = DataConfig(kind="text", path=str(book), cache_dir=str(cache), max_length=16)
        folder = prepare(data, SMALL).tokenizer_dir.parent
        assert {path.name for path in cache.iterdir()} == {folder.name, f"{folder.name}.lock"}
        return {str(path.relative_to(cache)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert prepared(tmp_path / "killed") == prepared(tmp_path / "whole")


@pytest.mark.parametrize("join_sentences", [True, False])
def test_the_space_that_is_needed_is_checked_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, join_sentences: bool
) -> None:
    """Before the tokenizer is trained, for the tokens in a temporary file and the rows; and for the rows once known."""
    checked: list[tuple[int, list[str]]] = []

    def checking(folder: Path, num_bytes: int) -> None:
        checked.append((num_bytes, [path.name for path in folder.iterdir()]))
        require_cache_space(folder, num_bytes)

    monkeypatch.setattr("sleep_tune.data.prepare.require_cache_space", checking)
    corpus = toy(tmp_path, join_sentences=join_sentences)
    parts = (corpus.train, corpus.dev, corpus.test)
    (tokens, before), (rows, between) = checked
    assert before == [] and between == ["tokenizer"]
    assert 7 * sum(part.num_words for part in parts) < tokens
    assert rows == sum(part.tokens.nbytes + part.starts_word.nbytes + part.sources.nbytes for part in parts)
    content = sum(int((part.tokens != part.special.pad).sum()) - len(part.tokens) for part in parts)
    assert tokens <= 4 * content + rows


def test_a_warm_start_says_what_was_read_as_the_first_did(tmp_path: Path) -> None:
    folder = write_book(tmp_path / "books")
    (folder / ".hidden.txt").write_text("Anna.")
    data = DataConfig(kind="text", path=str(folder), include_punctuation=False, cache_dir=str(tmp_path / "cache"))
    (folder / "test.txt").write_text('Anna saw 3 dogs. "Why 3?" she asked.\n\nBob saw 3 dogs.\x07\n')
    first, again = prepare(data, SMALL), prepare(data, SMALL)
    assert first.description == again.description
    text, not_read, odd, repeated, *few = first.description
    assert len(few) == 2 and all("has only" in warning for warning in few)
    assert text.startswith(
        f"text: train {first.train.num_words} words (book.txt); dev {first.dev.num_words} words (cut"
    )
    assert text.endswith("test 12 words (test.txt)")
    assert ".hidden.txt" in not_read
    assert odd == "warning: test.txt holds control characters: 1"
    assert repeated.startswith("warning: of test, 1 of 2 documents (66.7% of its words)")


@pytest.mark.parametrize(
    "options",
    [{"sentences": 500}, {"seed": 1}, {"max_length": 16}, {"include_punctuation": False}, {"join_sentences": False}],
)
def test_other_options_are_other_content(tmp_path: Path, options: dict[str, object]) -> None:
    assert toy(tmp_path, **options).key != toy(tmp_path).key


def test_pairs_are_preprocessed_as_the_text_is(tmp_path: Path) -> None:
    pairs = toy(tmp_path, include_punctuation=False).pairs["dev"]
    assert not any(mark in pair.good + pair.bad for pair in pairs for mark in ".?")


def test_max_words_limits_training_text_only(tmp_path: Path) -> None:
    whole, part = toy(tmp_path), toy(tmp_path, max_words=500)
    assert 400 < part.train.num_words <= 500
    assert part.dev.num_words == whole.dev.num_words


def test_packing_is_global_and_deterministic(tmp_path: Path) -> None:
    """The ancestor dropped the tail of every batch of 1,000, so rows depended on the number of processes."""
    data = DataConfig(
        kind="text", path=str(write_book(tmp_path / "books")), max_length=16, cache_dir=str(tmp_path / "one")
    )
    one = prepare(data, SMALL)
    data.cache_dir = str(tmp_path / "two")
    two = prepare(data, SMALL)
    assert one.key == two.key
    assert (one.train.tokens == two.train.tokens).all()
    padding = (one.train.tokens == one.train.special.pad).sum(axis=1)
    assert padding[:-1].sum() == 0


def test_sources_of_rows_are_sources_of_samples_up_to_a_limit(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"text": "Anna saw {n} dogs.", "id": {n}}}\n' for n in range(MAX_SOURCES + 1)))
    data = DataConfig(kind="text", path=str(rows), source_field="id", max_length=16, cache_dir=str(tmp_path / "cache"))
    with raises_naming(DataError, f"{MAX_SOURCES:,}", f"{MAX_SOURCES + 1:,}", "data.source_field"):
        prepare(data, SMALL)
    rows.write_text("".join(f'{{"text": "Anna saw {n} dogs.", "id": {n % 2}}}\n' for n in range(60)))
    corpus = prepare(data, SMALL)
    assert sorted(corpus.train.source_names) == ["0", "1"]
    assert any("'id'" in line for line in corpus.description)


def test_text_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "a.train").write_text("one two three")
    (tmp_path / "books" / "a.dev").write_text("... !!!")
    (tmp_path / "books" / "a.test").write_text("one")
    data = DataConfig(
        kind="text", path=str(tmp_path / "books"), include_punctuation=False, cache_dir=str(tmp_path / "cache")
    )
    with raises_naming(DataError, "dev", "empty"):
        prepare(data, SMALL)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_preparing_imports_nothing_heavy(tmp_path: Path) -> None:
    """The driver of a search prepares the corpus; what is in the cache is opened without even the tokenizer."""
    toy(tmp_path)
    script = (
        "import sys; from sleep_tune.config.schema import *; from sleep_tune.data.prepare import prepare;"
        f"prepare(DataConfig(sentences=400, max_length=32, cache_dir={str(tmp_path)!r}), "
        "TokenizerConfig(vocab_size=400));"
        "print(sorted(set(sys.modules) & "
        "{'torch', 'transformers', 'datasets', 'tokenizers', 'huggingface_hub', 'ray', 'pandas'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not CHILDREN.is_dir(), reason=f"needs the children's classics in {CHILDREN}")
def test_nine_childrens_classics(tmp_path: Path) -> None:
    data = DataConfig(kind="text", path=str(CHILDREN), cache_dir=os.fspath(tmp_path))
    corpus = prepare(data, TokenizerConfig(vocab_size=2048))
    parts = (corpus.train, corpus.dev, corpus.test)
    assert sum(part.num_words for part in parts) == 437_110
    assert len(corpus.train.source_names) == 9
    for part in parts[1:]:
        assert 0.03 < part.num_words / 437_110 < 0.07
        assert len(set(part.sources.tolist())) >= 7
    assert np.bincount(corpus.train.sources, minlength=9).min() > 50
