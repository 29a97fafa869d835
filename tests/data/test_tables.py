"""Tables as a corpus: every format gives the same documents, and what is not understood is refused with its place."""

import csv
import gzip
import json
import random
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.config.schema import DataConfig
from sleep_tune.data.documents import Document, RawCorpus
from sleep_tune.data.file_types import find_type
from sleep_tune.data.table_formats import FORMATS
from sleep_tune.data.tables import choose_columns
from sleep_tune.data.text import text_corpus
from sleep_tune.errors import ConfigError, DataError
from tests.messages import raises_naming

Row = dict[str, Any]


def write_json(path: Path, rows: Sequence[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: Sequence[Row]) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)


WRITERS: dict[str, Callable[[Path, Sequence[Row]], None]] = {
    "jsonl": write_json,
    "csv": write_csv,
    "tsv": write_csv,
    "parquet": write_parquet,
}
ROWS = [
    {"id": "1", "text": 'One, "two".\nA second line. Another sentence.', "genre": "tale"},
    {"id": "2", "text": "Naïve 日本語\t— three.", "genre": "talk"},
    {"id": "3", "text": " \n ", "genre": "talk"},
    {"id": "4", "text": "Four.\n\nFive.", "genre": "tale"},
]
DOCUMENTS = [
    ("tale", 'One, "two".', "A second line.", "Another sentence."),
    ("talk", "Naïve 日本語\t— three."),
    ("tale", "Four.", "Five."),
]


def corpus(path: Path, **options: Any) -> RawCorpus:
    return text_corpus(DataConfig(kind="text", path=str(path), **options))


def flat(documents: Sequence[Document]) -> list[tuple[str, ...]]:
    return [(document.source, *document.sentences) for document in documents]


@pytest.mark.parametrize("format", WRITERS)
def test_a_row_is_a_document_in_every_format(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{format}"
    WRITERS[format](path, ROWS)
    raw = corpus(path, source_field="genre")
    splits = raw.read()
    assert flat(splits.train) == DOCUMENTS
    assert splits.warnings == (f"rows.{format} has rows without words: 1 of 4",)
    (note,) = raw.inventory.notes
    assert "'text'" in note and "'genre'" in note and f"rows.{format}" in note
    assert {document.source for document in corpus(path).read().train} == {"rows"}


def test_tables_of_the_same_name_in_other_folders_have_sources_of_their_own(tmp_path: Path) -> None:
    for folder, format in (("books", "jsonl"), ("news/old", "jsonl"), ("news", "csv")):
        path = tmp_path / folder / f"part-0.{format}"
        path.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[format](path, ROWS[:1])
    WRITERS["jsonl"](tmp_path / "alone.jsonl", ROWS[1:2])
    paths = tuple(str(tmp_path / name) for name in ("books", "news/old", "news/part-0.csv", "alone.jsonl"))
    raw = text_corpus(DataConfig(kind="text", path=paths))
    assert {document.source for document in raw.read().train} == {
        "books/part-0",
        "news/old/part-0",
        "news/part-0",
        "alone",
    }
    assert "books/part-0.jsonl" in raw.inventory.notes[0]


def test_every_format_is_tried() -> None:
    assert set(FORMATS) == {*WRITERS, "arrow"}  # Arrow files come from the library datasets (test_hf_corpus.py)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), min_size=1, max_size=8))
def test_formats_agree_on_any_text(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    rows = [{"text": text, "n": "x"} for text in ["Words.", *texts]]
    found = set()
    for format, write in WRITERS.items():
        path = tmp_path_factory.mktemp("rows") / f"rows.{format}"
        write(path, rows)
        found.add(tuple(flat(corpus(path).read().train)))
    assert len(found) == 1


@pytest.mark.parametrize("format", WRITERS)
def test_the_identity_is_the_file_and_the_columns(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{format}"
    WRITERS[format](path, ROWS)
    plain = corpus(path).identity
    assert corpus(path, field="text").identity == plain
    others = [corpus(path, field="genre").identity, corpus(path, source_field="genre").identity]
    WRITERS[format](path, ROWS[::-1])
    others.append(corpus(path).identity)
    assert len({json.dumps(dict(identity)) for identity in (plain, *others)}) == 4


def test_a_column_is_guessed_only_if_it_can_be_no_other() -> None:
    def field(available: dict[str, bool], wanted: str | None = None) -> str:
        return choose_columns(available, wanted, None, "f").text

    assert field({"id": True, "text": True}) == "text"
    assert field({"label": False, "sentence": True}) == "sentence"
    assert field({"a": True, "b": True}, "b") == "b"
    for available in ({"a": True, "b": True}, {"text": False}, {"The dog sees a cat.": True}):
        with raises_naming(DataError, "f: data.field", *(shown for shown in available if available[shown])):
            field(available)
    with raises_naming(DataError, "data.field", "'txet'", "'text'"):
        field({"id": True, "text": True}, "txet")
    with raises_naming(DataError, "data.field", "must be a column of text", "text", "label"):
        field({"label": False, "text": True}, "label")
    with raises_naming(DataError, "data.source_field", "'genre'"):
        choose_columns({"text": True}, None, "genre", "f")


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("a.jsonl", '{"text": "a"}\n\n{"text": "b"\n', ["a.jsonl:3"]),
        ("a.jsonl", '{"text": "a"}\n["b"]\n', ["a.jsonl:2", '["b"]']),
        ("a.jsonl", '[\n{"text": "a"}\n]\n', ["a.jsonl:1", "one object a line"]),
        ("a.jsonl", '[{"text": "a"}]', ["a.jsonl:1", "one object a line"]),
        ("a.jsonl", '{"text": "a"}\n{"txt": "b"}\n', ["a.jsonl:2", "'text'", "txt"]),
        ("a.jsonl", '{"text": "a"}\n{"text": 3}\n', ["a.jsonl:2", "'text'", "3"]),
        ("a.jsonl", '{"text": "a"}\n{"text": ["b"]}\n', ["a.jsonl:2", '["b"]']),
        ("a.jsonl", '{"text": "a"}\n{"text": "\\ud800"}\n', ["a.jsonl:2", "surrogate"]),
        ("a.jsonl", '{"text": "a"}\n{"text": "b\\u0000"}\n', ["a.jsonl:2", "NUL"]),
        ("a.jsonl", b'{"text": "a"}\n{"text": "caf\xe9"}\n', ["a.jsonl:2", "UTF-8", "0xe9"]),
        ("a.jsonl", '{"text": "a"}\n'.encode("utf-16"), ["a.jsonl", "UTF-16"]),
        ("a.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", ["a.jsonl", "git lfs pull"]),
        ("a.jsonl", "", ["a.jsonl", "empty"]),
        ("a.csv", "", ["a.csv", "empty"]),
        ("a.jsonl", '{"messages": [{"text": "a"}]}\n', ["a.jsonl", "data.field", "messages"]),
        ("a.jsonl", '{"text": null}\n', ["train", "a.jsonl"]),
        ("a.csv", "text,n\na,1\nb\n", ["a.csv:3", "2 cells", "got 1"]),
        ("a.csv", 'text,n\n"a" b,1\n', ["a.csv:2"]),
        ("a.csv", 'text,n\n"a,1\n', ["a.csv:2"]),
        ("a.csv", "text,text\na,b\n", ["a.csv:1", "'text'"]),
        ("a.csv", "id;text\n1;a\n", ["a.csv:1", "commas", "id;text", "semicolons"]),
        ("a.csv", "\ufeffsep=;\r\nid;text\r\n1;a\r\n", ["a.csv:1", "commas", "sep=;", "semicolons"]),
        ("a.csv", "id\ttext\n1\ta\n", ["a.csv:1", "commas", "tabs"]),
        ("a.tsv", "id,text\n1,a\n", ["a.tsv:1", "tabs", "id,text", "commas"]),
        ("a.csv", "id,text\r1,a\r", ["a.csv:1", "CR alone"]),
        ("a.csv", "id,text\n1,a\n".encode("utf-16"), ["a.csv", "iconv -f UTF-16"]),
        ("a.csv", "The dog sees a cat.\nA cat.\n", ["a.csv", "data.field", "The dog sees a cat."]),
        ("a.csv", "<!doctype html><html>", ["a.csv", "an HTML page"]),
        ("a.csv", b"text,n\na,1\ncaf\xe9,2\n", ["a.csv:3", "UTF-8", "0xe9"]),
        ("a.tsv", "text\tn\na\n", ["a.tsv:2", "2 cells"]),
        ("a.tsv", 'text\tn\n"No," he said.\t1\n', ["a.tsv:2", '""']),
        ("a.parquet", "text,n\na,1\n", ["a.parquet", "parquet"]),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(
    name: str, content: str | bytes, parts: list[str], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with raises_naming(DataError, *parts):
        corpus(tmp_path / name).read()


def test_a_source_must_be_named_in_every_row(tmp_path: Path) -> None:
    for value in (None, " ", 1.5, ["a"]):
        write_json(tmp_path / "a.jsonl", [{"text": "a", "genre": 1}, {"text": "b", "genre": value}])
        with raises_naming(DataError, "a.jsonl:2", "'genre'"):
            corpus(tmp_path, source_field="genre").read()
    write_json(tmp_path / "a.jsonl", [{"text": "a", "genre": 1}, {"text": "b", "genre": " x "}])
    assert flat(corpus(tmp_path, source_field="genre").read().train) == [("1", "a"), ("x", "b")]


def test_a_damaged_parquet_file_and_one_with_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [{"text": f"Row {random.Random(n).random()}.", "n": n} for n in range(1000)]
    write_parquet(path, rows)
    whole = path.read_bytes()
    with raises_naming(DataError, path, "data.field", "text", "n"):
        corpus(path, field="n")
    path.write_bytes(whole[:-100])
    with raises_naming(DataError, path, "parquet"):
        corpus(path)
    path.write_bytes(whole[:2000] + b"\xff" * 100 + whole[2100:])
    with pytest.raises(DataError):
        corpus(path).read()


def test_a_column_is_named_for_tables_only(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One.")
    with raises_naming(ConfigError, "data.field", "content", tmp_path / "a.txt"):
        corpus(tmp_path, field="content")


def test_a_table_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "a.jsonl", ROWS)
    raw = corpus(tmp_path)
    write_json(tmp_path / "a.jsonl", ROWS[:2])
    with raises_naming(DataError, tmp_path / "a.jsonl", "changed"):
        raw.read()


def test_text_as_a_conversion_left_it_is_a_warning(tmp_path: Path) -> None:
    write_json(tmp_path / "a.jsonl", [{"text": "a\ufffd"}, {"text": "\ufffd b \u200b"}])
    first, second = corpus(tmp_path).read().warnings
    assert "U+FFFD" in first and first.endswith(": 2") and "U+200B" in second


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv.zst", "a.parquet"])
def test_a_table_is_read_without_holding_it(name: str, tmp_path: Path) -> None:
    num_rows, text = 20_000, "The dog sees a cat and runs home. " * 10
    type = find_type(name)
    assert type is not None
    path = tmp_path / name
    WRITERS[type.format](path, [{"text": f"{number} {text}", "n": "x"} for number in range(num_rows)])
    if type.compression == ".gz":
        path.write_bytes(gzip.compress(path.read_bytes(), 1))
    elif type.compression == ".zst":
        path.write_bytes(pyarrow.compress(path.read_bytes(), "zstd", asbytes=True))
    stream = corpus(path, field="text").stream
    assert stream is not None
    tracemalloc.start()
    try:
        assert sum(1 for _ in stream([])) == num_rows
        assert tracemalloc.get_traced_memory()[1] < num_rows * len(text) / 2
    finally:
        tracemalloc.stop()
