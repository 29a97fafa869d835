import os
from pathlib import Path

import pytest

from sleep_tune.config.schema import DataConfig
from sleep_tune.data.text import find_files, text_corpus
from sleep_tune.errors import ConfigError, DataError


def corpus(folder: Path) -> DataConfig:
    return DataConfig(kind="text", path=str(folder))


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_text_files_are_training_text(tmp_path: Path) -> None:
    write(tmp_path, b_txt="Two words.\n\nThree more words.\n", a_txt="One.\n", deep__c_txt="Deep.", notes_md="No.")
    splits = text_corpus(corpus(tmp_path)).read()
    assert [(document.source, document.sentences) for document in splits.train] == [
        ("a", ("One.",)),
        ("b", ("Two words.",)),
        ("b", ("Three more words.",)),
        ("c", ("Deep.",)),
    ]
    assert splits.dev == splits.test == ()


@pytest.mark.parametrize("ending", ["", "_txt"])
def test_babylms_names_are_its_splits(tmp_path: Path, ending: str) -> None:
    folder = write(
        tmp_path,
        **{
            f"train__childes_train{ending}": "Mama.",
            f"dev__childes_dev{ending}": "Papa.",
            f"test__childes_test{ending}": "Dog.",
            "README_txt": "Not text.",
        },
    )
    splits = text_corpus(corpus(folder)).read()
    parts = (splits.train, splits.dev, splits.test)
    assert [[(document.source, *document.sentences) for document in part] for part in parts] == [
        [("childes", "Mama.")],
        [("childes", "Papa.")],
        [("childes", "Dog.")],
    ]


def test_the_identity_is_the_content(tmp_path: Path) -> None:
    one = text_corpus(corpus(write(tmp_path / "one", a_txt="Same."))).identity
    two = text_corpus(corpus(write(tmp_path / "two", a_txt="Same."))).identity
    assert one == two
    write(tmp_path / "two", a_txt="Other")
    os.utime(tmp_path / "two" / "a.txt", ns=(1, 1))
    assert text_corpus(corpus(tmp_path / "two")).identity != one


def test_a_missing_folder_names_its_nearest(tmp_path: Path) -> None:
    (tmp_path / "children").mkdir()
    with pytest.raises(DataError, match=r"data\.path must be a folder; got .*childrn, which does not exist; did"):
        text_corpus(corpus(tmp_path / "childrn"))
    with pytest.raises(DataError, match=r"which does not exist; did you mean .*/children\?"):
        text_corpus(corpus(tmp_path / "childen" / "books"))
    with pytest.raises(DataError, match=r"zzz, which does not exist$"):
        text_corpus(corpus(tmp_path / "zzz"))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    write(tmp_path, a_txt="Text.")
    with pytest.raises(DataError, match=r"got the file .*a\.txt: give the folder that holds it"):
        text_corpus(corpus(tmp_path / "a.txt"))


def test_a_path_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"data\.path must be set for data=text"):
        text_corpus(DataConfig(kind="text"))


def test_a_folder_without_text_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold \*\.txt or \*\.train files; it has no files at all"):
        text_corpus(corpus(tmp_path))
    write(tmp_path, a_md="x", b_json="x")
    with pytest.raises(DataError, match=r"it has 2 other files \(\.json, \.md\)"):
        text_corpus(corpus(tmp_path))


def test_two_sizes_of_a_corpus_in_one_folder_are_refused(tmp_path: Path) -> None:
    write(tmp_path, train10M__childes_train="x", train100M__childes_train="x")
    with pytest.raises(DataError, match=r"two files of one name, train100M/childes\.train and train10M/childes\.train"):
        find_files(tmp_path, "data.path")


def test_bytes_that_are_not_utf8_are_located(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"one\ntwo\ncaf\xe9 three\n")
    with pytest.raises(DataError, match=r"latin\.txt:3: the text must be UTF-8; got the byte 0xe9 at offset 11"):
        text_corpus(corpus(tmp_path)).read()


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "windows.txt").write_bytes("\ufeffOne.\r\n\r\nTwo.\r\n".encode())
    documents = text_corpus(corpus(tmp_path)).read().train
    assert [document.sentences for document in documents] == [("One.",), ("Two.",)]


def test_blank_files_are_refused(tmp_path: Path) -> None:
    write(tmp_path, a_train="Text.", a_dev=" \n\t\n")
    with pytest.raises(DataError, match=r"the dev text must not be empty; got nothing but white space in .*a\.dev"):
        text_corpus(corpus(tmp_path)).read()
