from pathlib import Path

import pytest

from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.decoding import decoder
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.errors import DataError
from tests.messages import raises_naming

LINES = ["the cat is sitting in the garden ,", "and the two dogs saw it ."]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("text")
    for split in ("train", "dev", "test"):
        (folder / f"book.{split}").write_text("\n".join(LINES * 20) + "\n", encoding="utf-8")
    data = DataConfig(kind="text", path=str(folder), max_length=64)
    return prepare(data, TokenizerConfig(vocab_size=300))


def test_a_row_is_read_back_sentence_by_sentence(corpus: Corpus) -> None:
    text = decoder(corpus.train, corpus.tokenizer_dir)
    told = [line for sample in range(len(corpus.train)) for line in text(sample).splitlines()]
    assert {line for line in told if line.startswith("the cat") and line.endswith(",")} == {LINES[0]}
    assert "".join("".join(told).split()) == "".join("".join(LINES * 20).split())


def test_no_tokenizer_is_opened_before_the_first_text(corpus: Corpus) -> None:
    text = decoder(corpus.train, Path("nowhere"))
    with raises_naming(DataError, "nowhere"):
        text(0)
