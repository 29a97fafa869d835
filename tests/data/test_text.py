import gzip
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest

import sleep_tune.data.text as text_module
from sleep_tune.config.schema import DataConfig
from sleep_tune.data.cache import content_key
from sleep_tune.data.text import text_corpus
from sleep_tune.errors import ConfigError, DataError, shortened
from tests.messages import raises_naming


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
    found = text_corpus(corpus(folder))
    assert list(found.identity) == ["kind", "dev/childes/0", "test/childes/1", "train/childes/2"]  # the cache's keys
    splits = found.read()
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
    with raises_naming(DataError, "data.path", "childrn", f"did you mean {tmp_path / 'children'}?"):
        text_corpus(corpus(tmp_path / "childrn"))
    with raises_naming(DataError, "childen/books", f"did you mean {tmp_path / 'children'}?"):
        text_corpus(corpus(tmp_path / "childen" / "books"))
    with pytest.raises(DataError, match=r"zzz, which does not exist$"):
        text_corpus(corpus(tmp_path / "zzz"))


def test_a_folder_of_text_is_the_corpus_that_it_was(tmp_path: Path) -> None:
    """Before tables were read: a changed digest would make every old run and experiment another one."""
    paragraphs = [f"The dog sees {n} cats. Then it runs home!\n" + "\n" * (n % 3 == 0) for n in range(220)]
    files = {
        "train/childes.train": "".join(paragraphs[:120]),
        "train/tales/b.txt": '\ufeffOne.\r\n\r\nTwo \u2014 "three".\r\n',
        "dev/childes.dev": "".join(paragraphs[200:]),
        "c_test.txt": "A cat.\n\nA dog.\n",
        "README.md": "no",
        "rows.jsonl": '{"text": "no"}\n',
        "a.csv.gz": "no",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    raw = text_corpus(corpus(tmp_path))
    assert content_key(raw.identity) == "a26bf0047aa74fb2a5c2b048340b4f1e"
    splits = raw.read()
    documents = json.dumps(
        [
            [[document.source, *document.sentences] for document in part]
            for part in (splits.train, splits.dev, splits.test)
        ]
    )
    assert hashlib.sha256(documents.encode()).hexdigest()[:32] == "04bef0dadfc01c54fffb615a0b328ce3"
    unread = {name for names in raw.inventory.not_read.values() for name in names}
    assert unread == {"README.md", "rows.jsonl", "a.csv.gz"}


def test_one_file_is_a_corpus(tmp_path: Path) -> None:
    folder = write(tmp_path, a_txt="Text.", b_txt="More.")
    raw = text_corpus(corpus(folder / "a.txt"))
    assert [document.sentences for document in raw.read().train] == [("Text.",)]
    assert raw.identity == text_corpus(corpus(write(tmp_path / "alone", a_txt="Text."))).identity


def test_a_list_of_files_and_folders_is_one_corpus_in_any_order(tmp_path: Path) -> None:
    write(tmp_path, a_txt="One.", train__b_train="Two.", dev__b_dev="Three.", dev__notes_md="No.", c_txt="Four.")
    (tmp_path / "rows.jsonl").write_text('{"text": "Five."}\n')
    names = ["train", "dev", "rows.jsonl"]
    (tmp_path / "rows.jsonl").rename(tmp_path / "train.jsonl")
    names[2] = "train.jsonl"
    paths = [str(tmp_path / name) for name in names]
    raw, other = (text_corpus(DataConfig(kind="text", path=tuple(order))) for order in (paths, paths[::-1]))
    assert raw.identity == other.identity
    splits = raw.read()
    assert [document.sentences for document in splits.train] == [("Two.",), ("Five.",)]
    assert [document.sentences for document in splits.dev] == [("Three.",)]
    assert raw.inventory.not_read == {"of type .md": ("dev/notes.md",)}


def test_what_a_list_names_must_be_there_readable_and_named_once(tmp_path: Path) -> None:
    write(tmp_path, a_txt="One.", b_md="No.", books__c_txt="Two.")
    (tmp_path / "gone.txt").symlink_to("nowhere")
    for names, parts in (
        (["a.txt", "b.md"], [tmp_path / "b.md", "*.jsonl"]),
        (["gone.txt"], [tmp_path / "gone.txt", "link"]),
        (["a.tx"], [f"did you mean {tmp_path / 'a.txt'}?"]),
        (["books", "books/c.txt"], [tmp_path / "books" / "c.txt", "twice"]),
        (["books/*.txt"], [tmp_path / "books" / "*.txt", "pattern"]),
    ):
        with raises_naming(DataError, "data.path", *parts):
            text_corpus(DataConfig(kind="text", path=tuple(str(tmp_path / name) for name in names)))
    with raises_naming(DataError, "data.path", "address", "lab.org/a.txt"):
        text_corpus(DataConfig(kind="text", path="https://lab.org/a.txt"))


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_compressed_text_is_the_same_text(ending: str, tmp_path: Path) -> None:
    text = "".join(f"The dog sees {number} cats.\n\n" for number in range(1000))
    plain = text_corpus(corpus(write(tmp_path / "plain", a_txt=text)))
    packed = tmp_path / "packed" / f"a.txt{ending}"
    packed.parent.mkdir()
    packed.write_bytes(compressed(text.encode(), ending) + compressed(b"One more.\n", ending))  # two members or frames
    raw = text_corpus(corpus(packed))
    assert raw.read().train[:-1] == plain.read().train
    assert raw.identity != plain.identity
    for damaged in (packed.read_bytes()[:-5], b"The dog."):
        packed.write_bytes(damaged)
        with raises_naming(DataError, packed, ending):
            text_corpus(corpus(packed)).read()


def compressed(content: bytes, ending: str) -> bytes:
    return gzip.compress(content) if ending == ".gz" else pyarrow.compress(content, codec="zstd", asbytes=True)


def test_a_path_is_needed() -> None:
    with raises_naming(ConfigError, "data.path", "data=text"):
        text_corpus(DataConfig(kind="text"))


def test_a_folder_without_text_says_what_it_holds(tmp_path: Path) -> None:
    with raises_naming(DataError, tmp_path, "*.txt", "*.train", "no files"):
        text_corpus(corpus(tmp_path))
    write(tmp_path, a_md="x", b_json="x")
    with raises_naming(DataError, ".md (a.md)", ".json (b.json)"):
        text_corpus(corpus(tmp_path))


def test_bytes_that_are_not_utf8_are_located(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"one\ntwo\ncaf\xe9 three\n")
    with raises_naming(DataError, "latin.txt:3", "UTF-8", "0xe9", 11):
        text_corpus(corpus(tmp_path)).read()


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-32"])
@pytest.mark.parametrize("order", ["LE", "BE"])
def test_other_encodings_are_named(tmp_path: Path, encoding: str, order: str) -> None:
    (tmp_path / "windows.txt").write_bytes("\ufeffOne.\nTwo.".encode(encoding + order))
    with raises_naming(DataError, "windows.txt", "UTF-8", f"iconv -f {encoding} -t UTF-8"):
        text_corpus(corpus(tmp_path)).read()


def test_nul_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n\ntwo \0 three\n")
    with raises_naming(DataError, "a.txt:3", "NUL", 9, "UTF-16"):
        text_corpus(corpus(tmp_path)).read()


def test_a_pointer_to_text_that_was_not_downloaded_is_refused(tmp_path: Path) -> None:
    write(tmp_path, a_txt="Some words.\n\nMore words.\n")
    (tmp_path / "b.txt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n")
    with raises_naming(DataError, "b.txt", "Git LFS", "git lfs pull"):
        text_corpus(corpus(tmp_path)).read()


def test_utf16_without_a_mark_is_no_latin1(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("два слова".encode("UTF-16-LE"))
    with raises_naming(DataError, "a.txt:1", "NUL", "UTF-16"):
        text_corpus(corpus(tmp_path)).read()


def test_suspicious_text_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, a_txt="Caf\ufffd. \ufeffA.\x1b[0m \x85\u2028\x0c \x07", b_txt="\n \n", c_txt="\tPlain, café.")
    warnings = text_corpus(corpus(tmp_path)).read().warnings
    assert [re.sub(r" \(.*\)", "", warning) for warning in warnings] == [
        "a.txt holds replacement characters: 1",
        "a.txt holds byte-order marks within the text: 1",
        "a.txt holds control characters: 2",
        "b.txt holds no words",
    ]


def test_copies_are_a_warning(tmp_path: Path) -> None:
    write(tmp_path, a_txt="Same.", b_txt="Other.", copy__a_txt="Same.")
    (warning,) = text_corpus(corpus(tmp_path)).inventory.warnings
    assert "a.txt, copy/a.txt" in warning and "b.txt" not in warning


def test_text_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """The digest names the cache entry; text of another content must never get under that name."""
    raw = text_corpus(corpus(write(tmp_path, a_txt="Before.")))
    write(tmp_path, a_txt="Between")
    with raises_naming(DataError, tmp_path / "a.txt", "changed"):
        raw.read()
    raw = text_corpus(corpus(tmp_path))
    (tmp_path / "a.txt").unlink()
    with raises_naming(DataError, tmp_path / "a.txt", "No such file"):
        raw.read()


def write_in_place(path: Path) -> None:
    """Change the file to text of the same size, and set back the time of its change."""
    before = path.stat()
    path.write_text(path.read_text().replace("cats", "dogs"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def write_and_restore(path: Path) -> None:
    """Change the file, and put back what it held."""
    text = path.read_text()
    path.write_text(text.replace("cats", "dogs"))
    path.write_text(text)


def swap_and_restore(path: Path) -> None:
    """Put another file in its place for a while."""
    path.rename(path.with_suffix(".kept"))
    path.write_text("Other.\n")
    path.with_suffix(".kept").rename(path)


@pytest.mark.parametrize("change", [write_in_place, write_and_restore, swap_and_restore])
@pytest.mark.parametrize("age", [0.0, 3600.0])
def test_any_change_while_text_is_read_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], age: float
) -> None:
    monkeypatch.setattr(text_module, "PIECE_BYTES", 50)
    path = write(tmp_path, a_txt="The dog sees cats.\n\n" * 200) / "a.txt"
    os.utime(path, (time.time() - age,) * 2)
    raw = text_corpus(corpus(tmp_path))
    assert raw.stream is not None
    documents = raw.stream([])
    next(documents)
    time.sleep(0.02)  # a time of change is as fine as the kernel's ticks
    change(path)
    with raises_naming(DataError, path, "changed"):
        list(documents)


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    write(tmp_path, a_txt="x")
    (tmp_path / "b.txt").symlink_to(tmp_path / "gone.txt")
    with raises_naming(DataError, tmp_path / "b.txt", "No such file"):
        text_corpus(corpus(tmp_path))


@pytest.mark.parametrize("path", ["~nobody-of-this-name/a", "x" * 300, "a\0b"])
def test_a_path_that_cannot_be_is_refused(path: str) -> None:
    with raises_naming(DataError, shortened(path, 200)):
        text_corpus(DataConfig(kind="text", path=path))


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "windows.txt").write_bytes("\ufeffOne.\r\n\r\nTwo.\r\n".encode())
    documents = text_corpus(corpus(tmp_path)).read().train
    assert [document.sentences for document in documents] == [("One.",), ("Two.",)]


def test_blank_files_are_refused(tmp_path: Path) -> None:
    write(tmp_path, a_train="Text.", a_dev=" \n\t\n")
    with raises_naming(DataError, "dev", "a.dev", tmp_path):
        text_corpus(corpus(tmp_path)).read()


def test_a_text_is_read_in_pieces_as_it_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"The dog sees {number} cats.\r\n\u2028Bob\x07 ran.\n" for number in range(300)]
    text = "".join(["a,b\n", *lines, "*** START OF THE PROJECT GUTENBERG EBOOK\n", "x,y\n", "no end"])
    whole = text_corpus(corpus(write(tmp_path, a_txt=text))).read()
    monkeypatch.setattr(text_module, "PIECE_BYTES", 50)
    assert text_corpus(corpus(tmp_path)).read() == whole
    assert [warning.split(" ", 1)[1][:13] for warning in whole.warnings] == [
        "begins like a",
        "holds the lic",
        "holds control",
    ]


@pytest.mark.parametrize(("wrong", "what"), [(b"\xe9", "0xe9"), (b"\0", "NUL")])
def test_a_mistake_far_into_a_file_is_located_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: bytes, what: str
) -> None:
    monkeypatch.setattr(text_module, "PIECE_BYTES", 50)
    (tmp_path / "a.txt").write_bytes(b"one two three\n" * 100 + b"four " + wrong + b"\nfive\n")
    with raises_naming(DataError, "a.txt:101", what, "1,405"):
        text_corpus(corpus(tmp_path)).read()
