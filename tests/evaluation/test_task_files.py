import base64
import textwrap
from pathlib import Path

import pytest

from sleep_tune.errors import DataError
from sleep_tune.evaluation.task_files import NUMBER, TEXT, TEXTS, TaskFile, checked_rows, task_files, text_lines

# Made by `zip -X -D -r -P BabyLM2025`, of ewok_fast/material-properties.jsonl and of the file that a Mac adds to it.
ENCRYPTED = """
UEsDBAoACQAAAE9MeF05nPsGEAAAAAQAAAAlAAAAZXdva19mYXN0Ly5fbWF0ZXJpYWwtcHJvcGVydGllcy5qc29ubALdPattrfbBPdKg+bopa0
ZQSwcIOZz7BhAAAAAEAAAAUEsDBBQACQAIAE9MeF37+lmmkAAAAN0AAAAjAAAAZXdva19mYXN0L21hdGVyaWFsLXByb3BlcnRpZXMuanNvbmzj
VJZ4p/fDvfnkYaugyNxEnaEgwpVCoA2kf5ioYYxe+R0oa1IIzn97lNqPdckivwf2YK+pBRlZ/o4IZosa6Y5lH3C38SO/0XvukSLRF9oV7rIHgg
irdx3VvOdPTKwQA4SeakBYUctCeU8juTN32oOfLLJ/SoADZdZfD80wLPMMzmlkGuCmaOBuSH9444zxKx1QSwcI+/pZppAAAADdAAAAUEsBAh4D
CgAJAAAAT0x4XTmc+wYQAAAABAAAACUAAAAAAAAAAQAAAKSBAAAAAGV3b2tfZmFzdC8uX21hdGVyaWFsLXByb3BlcnRpZXMuanNvbmxQSwECHg
MUAAkACABPTHhd+/pZppAAAADdAAAAIwAAAAAAAAABAAAApIFjAAAAZXdva19mYXN0L21hdGVyaWFsLXByb3BlcnRpZXMuanNvbmxQSwUGAAAA
AAIAAgCkAAAARAEAAAAA
"""
# The same by `-P another`.
ANOTHER = """
UEsDBBQACQAIAE9MeF37+lmmkAAAAN0AAAAjAAAAZXdva19mYXN0L21hdGVyaWFsLXByb3BlcnRpZXMuanNvbmwbQt0ZRItpMqeA676Xnmyhzh
CHroGawVaQt846jcqj0lCTzth2QBkOmMfEjreQwb6v4QqLeJDFzb+tlC7TBkJxie1TrsrWX5iwj1moSLXK6Pdj/ruKXw4U8oAMItlc5NbqmOXc
AVYmlmcv0Ga/ff+HuLhJ49XRLq6EyIehj3MA89f6yO5GbFgm8vxjTF+dPaxQSwcI+/pZppAAAADdAAAAUEsBAh4DFAAJAAgAT0x4Xfv6WaaQAA
AA3QAAACMAAAAAAAAAAQAAAKSBAAAAAGV3b2tfZmFzdC9tYXRlcmlhbC1wcm9wZXJ0aWVzLmpzb25sUEsFBgAAAAABAAEAUQAAAOEAAAAAAA==
"""


def write_zip(path: Path, text: str) -> Path:
    path.write_bytes(base64.b64decode(textwrap.dedent(text)))
    return path


def a_file(content: bytes) -> TaskFile:
    return TaskFile("data/blimp_fast/island.jsonl", "island", content)


def rows(content: bytes) -> list[tuple[int, dict[str, object]]]:
    return list(checked_rows(a_file(content), lambda _row: {"sentence_good": TEXT, "ratio": NUMBER}))


def test_files_come_in_the_order_of_their_names_and_others_are_passed_over(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.txt", "._a.jsonl"):
        (tmp_path / name).write_text(name)
    files = task_files(tmp_path, ".jsonl")
    assert [(file.stem, file.content) for file in files] == [("a", b"a.jsonl"), ("b", b"b.jsonl")]
    assert files[0].where == str(tmp_path / "a.jsonl")


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold at least one \.jsonl file; it holds none"):
        task_files(tmp_path, ".jsonl")


def test_a_zip_with_the_official_password_is_read_and_never_written(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "ewok_fast.zip", ENCRYPTED)
    (file,) = task_files(path, ".jsonl")
    assert file.stem == "material-properties"
    assert file.where == f"{path}/ewok_fast/material-properties.jsonl"
    assert b'"Target1": "Ann sweats."' in file.content
    assert list(tmp_path.iterdir()) == [path]


def test_a_zip_with_another_password_says_what_to_do(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "ewok_fast.zip", ANOTHER)
    with pytest.raises(DataError, match=r"must have the password of the official README, BabyLM2025.*unpack it your"):
        task_files(path, ".jsonl")


def test_half_a_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "ewok_fast.zip", ENCRYPTED)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"ewok_fast\.zip must be a whole zip file"):
        task_files(path, ".jsonl")


def test_rows_come_with_their_lines_and_blank_lines_count() -> None:
    row = b'{"sentence_good": "\xc3\xa9", "ratio": "0.5"}'
    assert rows(row + b"\r\n\n" + row) == [(n, {"sentence_good": "é", "ratio": "0.5"}) for n in (1, 3)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"island\.jsonl must hold at least one item; it is empty"),
        (b"\n \n", "it is empty"),
        (b'{"sentence_good": "a", "ratio": 1}\n{"sentence_go', r"island\.jsonl:2:2: expected a JSON object \(the line"),
        (b'{"sentence_good": "a", ', r"island\.jsonl:1:2\d: expected a JSON object \(the line is cut off\)"),
        (b'{"sentence_good": "a" "ratio": 1}', r"island\.jsonl:1:23: expected a JSON object; Expecting ','"),
        (b"[1]", r"island\.jsonl:1:1: expected a JSON object; got '\[1\]'"),
        (b'{"sentence_god": "a", "ratio": 1}', r"column 'sentence_good'; it has.*did you mean 'sentence_god'\?"),
        (b'{"sentence_good": 3, "ratio": 1}', r"island\.jsonl:1: column 'sentence_good' must be a text .*; got 3"),
        (b'{"sentence_good": " ", "ratio": 1}', r"island\.jsonl:1: column 'sentence_good' must be a text .* not empty"),
        (b'{"sentence_good": "\\ud800", "ratio": 1}', r"island\.jsonl:1: .* whole characters .* got '.ud800'"),
        (b'{"sentence_good": "a", "ratio": "x"}', r"column 'ratio' must be a number; got 'x'"),
        (b"[" * 100_000, r"island\.jsonl:1: expected a JSON object; .*recursion"),
        (b'{"sentence_good": "a", "ratio": ' + b"9" * 5000 + b"}", r"island\.jsonl:1: .*Exceeds the limit"),
        (b'{"sentence_good": "\xff"}', r"island\.jsonl:1:20: must be UTF-8"),
    ],
)
def test_a_broken_line_is_told_with_file_line_and_column(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        rows(content)


def test_what_a_list_of_texts_is() -> None:
    assert TEXTS.holds(["a", "b"])
    assert not TEXTS.holds(["a"])
    assert not TEXTS.holds("ab")
    assert not TEXTS.holds(["a", 1])
    assert not NUMBER.holds(True)


def test_lines_keep_the_spaces_around_them() -> None:
    assert list(text_lines(a_file(b" a b \r\nc\n"))) == [(1, " a b "), (2, "c")]
