from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.data.file_types import find_type
from sleep_tune.data.split_names import SPLIT_NAMES, find_split, is_text_name
from sleep_tune.errors import DataError
from tests.messages import raises_naming

NAMES = [(split, name) for split, names in SPLIT_NAMES.items() for name in names]


@pytest.mark.parametrize(("split", "name"), NAMES)
@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        ("{}.txt", "text"),
        ("{}", "text"),
        ("a.{}", "a"),
        ("a.b_c.{}.txt", "a.b_c"),
        ("a_{}.txt", "a"),
        ("a-{}.txt", "a"),
        ("{}-00001-of-00002.txt", "00001-of-00002"),
        ("{}_set.txt", "set"),
        ("{}set.txt", "text"),
        ("wiki.{}.tokens", "wiki"),
        ("wiki.{}.raw", "wiki"),
        ("{}/a.txt", "a"),
        ("{}_10M/a.txt", "a"),
        ("deep/{}/er/a.txt", "deep/er/a"),
        ("tales/{}.txt", "tales"),
        ("{0}/a.{0}", "a"),
        ("{}/a_test_of_wills.txt", "a_test_of_wills"),
    ],
)
def test_the_usual_names_are_recognised_in_any_case(pattern: str, source: str, split: str, name: str) -> None:
    for spelling in (name, name.upper(), name.title()):
        path = PurePath(pattern.format(spelling))
        place = find_split(path)
        assert is_text_name(path.name)
        assert (place.split, place.source) == (split, source)


@pytest.mark.parametrize(
    ("name", "suffix", "split", "source"),
    [
        ("train.jsonl", ".jsonl", "train", "text"),
        ("news_test.CSV.gz", ".CSV.gz", "test", "news"),
        ("childes.dev.jsonl", ".jsonl", "dev", "childes"),
        ("valid/a.parquet", ".parquet", "dev", "a"),
        ("emma.txt.gz", ".gz", None, "emma"),
        ("emma.tsv", ".tsv", None, "emma"),
    ],
)
def test_the_suffix_of_a_type_is_no_part_of_the_name(name: str, suffix: str, split: str | None, source: str) -> None:
    path = PurePath(name)
    type = find_type(path.name)
    assert type is not None and type.suffix == suffix
    place = find_split(path, type.suffix)
    assert (place.split, place.source) == (split, source)


@pytest.mark.parametrize("source", ["childes", "bnc_spoken", "OpenSubtitles", "a.b", "x-", "2nd"])
@pytest.mark.parametrize("folder", ["", "train_10M/", "any/where/"])
@pytest.mark.parametrize("ending", [".train", ".train.txt"])
def test_babylms_sources_are_what_stands_before_the_suffix(folder: str, source: str, ending: str) -> None:
    place = find_split(PurePath(f"{folder}{source}{ending}"))
    assert (place.split, place.source) == ("train", source)


@pytest.mark.parametrize(
    "path",
    ["emma.txt", "trainspotting.txt", "contest.txt", "latest/a.txt", "devotion.txt", "Valentine.txt", "тест.txt"],
)
def test_other_words_are_no_split(path: str) -> None:
    place = find_split(PurePath(path))
    assert (place.split, place.source) == (None, PurePath(path).stem)


def test_a_capital_begins_a_word() -> None:
    assert find_split(PurePath("wikiTest.txt")).split == "test"


@pytest.mark.parametrize("path", ["train/test.txt", "dev/x.train", "test/deep/Train/a.txt", "train/valid/a.txt"])
def test_a_path_of_two_splits_is_refused(path: str) -> None:
    with raises_naming(DataError, path, " and "):
        find_split(PurePath(path))


@pytest.mark.parametrize(
    "path", ["a_test_of_wills.txt", "train_to_pakistan.txt", "train_test.txt", "test.en.txt", "train stations/a.txt"]
)
def test_a_name_that_is_not_clear_is_refused(path: str) -> None:
    with raises_naming(DataError, path, "news_test.txt"):
        find_split(PurePath(path))


@pytest.mark.parametrize(
    "name", ["a.txt.gz", "a.md", "notes", "a.tokens", "photo.raw", "train.jsonl", "test.py", "txt"]
)
def test_other_types_are_no_text(name: str) -> None:
    assert not is_text_name(name)


WORDS = st.sampled_from(["train", "Dev", "test", "val", "news", "of", "set", "7", "10M", "é"])
NAME = st.builds(
    lambda words, joint, suffix: joint.join(words) + suffix,
    st.lists(WORDS, min_size=1, max_size=4),
    st.sampled_from("._- "),
    st.sampled_from([".txt", ".train", ".valid.tokens"]),
)


@given(st.lists(NAME, min_size=1, max_size=3))
def test_no_path_with_the_name_of_a_split_goes_unnoticed(parts: list[str]) -> None:
    path = PurePath(*parts)
    words = {
        word.casefold()
        for part in parts
        for word in part.replace("_", ".").replace("-", ".").replace(" ", ".").split(".")
    }
    named = {split for split, name in NAMES if name in words}
    try:
        split = find_split(path).split
    except DataError:
        assert named
    else:
        assert (split in named) if named else split is None
