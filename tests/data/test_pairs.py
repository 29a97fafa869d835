from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.data.pairs import MinimalPair, read_pairs, write_pairs
from sleep_tune.errors import DataError
from sleep_tune.files import read_json_lines
from tests.messages import raises_naming


@given(texts=st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_pairs_survive_a_file_in_blimps_columns(
    texts: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("pairs") / "agreement.jsonl"
    pairs = tuple(MinimalPair("agreement", good, bad) for good, bad in texts)
    write_pairs(path, pairs)
    assert read_pairs(path) == pairs
    columns = {"sentence_good", "sentence_bad", "field", "UID", "linguistics_term"}
    assert all(set(row) <= columns for row in read_json_lines(path))


def test_a_line_without_its_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"sentence_good": "a", "sentence_bad": "b"}\n{"sentence_good": "a"}\n')
    with raises_naming(DataError, "pairs.jsonl:2", "sentence_bad", "['sentence_good']"):
        read_pairs(path)
    path.write_text('nonsense\n{"sentence_good": "a"}\n')
    with raises_naming(DataError, "pairs.jsonl:1", "JSON"):
        read_pairs(path)


def test_the_paradigm_is_the_files_name_where_no_line_says_it(tmp_path: Path) -> None:
    path = tmp_path / "islands.jsonl"
    path.write_text('{"sentence_good": "a", "sentence_bad": "b"}\n')
    assert read_pairs(path) == (MinimalPair("islands", "a", "b"),)
