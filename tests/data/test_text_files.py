import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.data.documents import SPLITS
from sleep_tune.data.text_files import find_text_files
from sleep_tune.errors import DataError
from tests.messages import raises_naming


def fill(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Some text.\n", encoding="utf-8")
    return folder


def found(folder: Path) -> tuple[dict[str, list[str]], set[str]]:
    """Files by split, and the names of what is not read."""
    files, inventory = find_text_files(folder, "data.path")
    splits = {split: list(names) for split, names in inventory.files.items() if names}
    assert splits == {
        split: [str(file.path.relative_to(folder)) for file in files if file.split == split] for split in splits
    }
    return splits, {name for names in inventory.not_read.values() for name in names}


LAYOUTS: dict[str, tuple[dict[str, list[str]], list[str]]] = {
    "one file": ({"train": ["corpus.txt"]}, []),
    "books": ({"train": ["emma.txt", "more/persuasion.txt"]}, ["README.md", "LICENSE.txt"]),
    "three files": ({"train": ["train.txt"], "dev": ["valid.txt"], "test": ["test.txt"]}, ["README.txt", "vocab.json"]),
    "WikiText": (
        {"train": ["wiki.train.tokens"], "dev": ["wiki.valid.tokens"], "test": ["wiki.test.tokens"]},
        ["other.tokens"],
    ),
    "BabyLM": (
        {
            "train": ["train_10M/bnc_spoken.train", "train_10M/childes.train"],
            "dev": ["dev/bnc_spoken.dev", "dev/childes.dev"],
            "test": ["test/bnc_spoken.test", "test/childes.test"],
        },
        ["train_10M/README.txt"],
    ),
    "BabyLM 2026": ({"train": ["childes.train.txt"], "dev": ["childes.dev.txt"]}, [".gitattributes", "README.md"]),
    "folders": ({"train": ["Train/a.txt", "Train/more/b.txt"], "dev": ["val/a.txt"], "test": ["Test/a.txt"]}, []),
    "shards": ({"train": ["train-00000-of-00002.txt", "train-00001-of-00002.txt"], "test": ["test.txt"]}, []),
    "a test set beside books": ({"train": ["emma.txt", "persuasion.txt"], "test": ["test.txt"]}, []),
    "dev in a folder": ({"train": ["emma.txt"], "dev": ["dev/b.txt"]}, []),
    "what Jupyter and a Mac leave": (
        {"train": ["a.train"], "test": ["a.test"]},
        [".ipynb_checkpoints/", ".DS_Store", "._a.train", "__MACOSX/"],
    ),
    "what editors leave": ({"train": ["a.txt"]}, ["a.txt~", "#a.txt#", ".a.txt.swp", "a.txt.bak", "b.train~"]),
    "what cannot be read": ({"train": ["a.txt"]}, ["b.txt.gz", "c.jsonl", "d.parquet.gz", "e.zip", "Makefile"]),
    "shards of a table": (
        {"train": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"], "dev": ["validation.parquet"]},
        ["README.md", "dataset_infos.json"],
    ),
    "compressed text": ({"train": ["train/a.txt.gz", "train/b.train.gz"], "test": ["test.txt.gz"]}, ["README.txt.gz"]),
    "a folder that is called as a file": ({"train": ["a.txt/b.txt"]}, ["a.txt/c.md"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_folders_as_people_have_them(layout: str, tmp_path: Path) -> None:
    splits, not_read = LAYOUTS[layout]
    fill(tmp_path, [name for names in splits.values() for name in names])
    fill(tmp_path, [f"{name}x-checkpoint.train" if name.endswith("/") else name for name in not_read])
    assert found(tmp_path) == (splits, set(not_read))


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (["train.txt", "emma.txt", "persuasion.txt"], ["train.txt", "emma.txt", "persuasion.txt", "news_train.txt"]),
        (["night_train.txt", "emma.txt"], ["night_train.txt", "emma.txt"]),
        (["train/test.txt"], ["train/test.txt", "test and train"]),
        (["a_test_of_wills.txt", "emma.txt"], ["a_test_of_wills.txt", "test"]),
        (["test.txt", "dev.txt"], ["data.path", "1 file, of dev text (dev.txt)", "1 file, of test text (test.txt)"]),
        (["train.txt.gz", "test.txt"], ["train.txt.gz", "text.gz"]),
        (["train.json"], ["data.path", "only 1 file, of type .json (train.json), which is not read"]),
        (["a.jsonl", "b.jsonl.gz", "c.csv"], ["jsonl (a.jsonl)", "jsonl.gz (b.jsonl.gz)", "csv (c.csv)", "data.path="]),
        ([".hidden/a.txt"], ["only 1 folder, hidden (.hidden/)"]),
        (
            ["train_10M/childes.train", "train_100M/childes.train"],
            ["train_100M/childes.train", "train_10M/childes.train"],
        ),
        (["train.txt", "train/train.txt"], ["train.txt", "train/train.txt"]),
        (["a.txt", "valid.txt", "eval.txt"], ["valid.txt", "eval.txt", "dev"]),
        (["a\nb.txt"], [r"a\nb.txt", "UTF-8"]),
    ],
)
def test_files_that_are_no_corpus_are_named(files: list[str], named: list[str], tmp_path: Path) -> None:
    fill(tmp_path, files)
    with pytest.raises(DataError) as caught:
        find_text_files(tmp_path, "data.path")
    assert "\n" not in str(caught.value)
    for name in named:
        assert name in str(caught.value)


def test_a_file_without_a_split_is_passed_over_on_request(tmp_path: Path) -> None:
    stray = "open_subtitles_cleaned_ckpt_70.txt"
    fill(tmp_path, ["childes.train.txt", "open_subtitles.train.txt", stray])
    with raises_naming(DataError, stray):
        find_text_files(tmp_path, "data.dataset")
    files, inventory = find_text_files(tmp_path, "data.dataset", skip_unnamed=True)
    assert [file.source for file in files] == ["childes", "open_subtitles"]
    assert [names for names in inventory.not_read.values() if stray in names] == [(stray,)]
    fill(tmp_path / "none", ["a.txt"])
    files, inventory = find_text_files(tmp_path / "none", "data.dataset", skip_unnamed=True)
    assert [file.source for file in files] == ["a"]
    assert not inventory.not_read


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))).write_text("x")
    with raises_naming(DataError, "UTF-8", r"caf\udce9.txt"):
        find_text_files(tmp_path, "data.path")


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    folder, elsewhere = fill(tmp_path / "corpus", ["a.txt", "books/b.txt"]), fill(tmp_path / "big", ["c.txt"])
    (folder / "linked").symlink_to(elsewhere)
    (folder / "again").symlink_to(folder / "books")
    (folder / "books" / "loop").symlink_to(folder)
    assert found(folder) == ({"train": ["a.txt", "books/b.txt", "linked/c.txt"]}, {"again/", "books/loop/"})


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    fill(tmp_path, ["a.txt"])
    os.mkfifo(tmp_path / "pipe.txt")
    assert found(tmp_path) == ({"train": ["a.txt"]}, {"pipe.txt"})


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "a.txt")
    with raises_naming(DataError, tmp_path / "a.txt"):
        find_text_files(tmp_path, "data.path")


PART = st.sampled_from(["train", "dev", "Test", "val", "emma", "README", ".git", "a", "train_10M", "#b#", "c~"])
SUFFIX = st.sampled_from([".txt", ".jsonl", ".train", ".dev", ".valid.txt", ".md", ".txt.gz", "", ".tokens"])
PATH = st.builds(
    lambda folders, stem, suffix: "/".join([*(f"{x}1" for x in folders), stem + suffix]),
    st.lists(PART, max_size=2),
    PART,
    SUFFIX,
)


@given(st.sets(PATH, max_size=8))
def test_every_file_is_read_or_named_and_never_both(tmp_path_factory: pytest.TempPathFactory, paths: set[str]) -> None:
    folder = fill(tmp_path_factory.mktemp("corpus"), sorted(paths))
    try:
        files, inventory = find_text_files(folder, "data.path")
    except DataError:
        return
    read = [name for split in SPLITS for name in inventory.files[split]]
    named = [name for names in inventory.not_read.values() for name in names]
    assert len(files) == len(read) == len(set(read)) and len(named) == len(set(named))
    for path in paths:
        within = [name for name in named if path == name or (name.endswith("/") and path.startswith(name))]
        assert (path in read) + len(within) == 1
