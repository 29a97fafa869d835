import base64
import contextlib
import struct
import textwrap
import tracemalloc
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.errors import DataError
from sleep_tune.evaluation import task_files as limits
from sleep_tune.evaluation.task_files import NUMBER, TEXT, TEXTS, TaskFile, checked_rows, read_task_files, text_lines

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


def test_files_come_in_the_order_of_their_names_and_others_are_ignored(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.txt", "._a.jsonl"):
        (tmp_path / name).write_text(name)
    files = read_task_files(tmp_path, ".jsonl")
    assert [(file.stem, file.content) for file in files] == [("a", b"a.jsonl"), ("b", b"b.jsonl")]
    assert files[0].where == str(tmp_path / "a.jsonl")


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"at least one \.jsonl file"):
        read_task_files(tmp_path, ".jsonl")


def test_a_zip_with_the_official_password_is_read_and_never_written(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "ewok_fast.zip", ENCRYPTED)
    (file,) = read_task_files(path, ".jsonl")
    assert file.stem == "material-properties"
    assert file.where == f"{path}/ewok_fast/material-properties.jsonl"
    assert b'"Target1": "Ann sweats."' in file.content
    assert list(tmp_path.iterdir()) == [path]


def test_a_zip_with_another_password_says_what_to_do(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "ewok_fast.zip", ANOTHER)
    with pytest.raises(DataError, match=r"BabyLM2025.*unpack it yourself into .*ewok_fast, "):
        read_task_files(path, ".jsonl")


def test_half_a_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "ewok_fast.zip", ENCRYPTED)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"ewok_fast\.zip .*whole zip"):
        read_task_files(path, ".jsonl")


def pack(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, content in members.items():
            archive.writestr(name.rstrip("*"), content)
    return path


def test_the_largest_official_zip_is_far_below_the_limits(tmp_path: Path) -> None:
    """EWoK's items are a few sentences with other names in them: 8,000 lines of them."""
    lines = b"".join(
        b'{"Domain": "material-properties", "Context1": "Person %d sees the ball.", "Target1": "It is %d."}\n'
        % (number * 7919 % 10007, number * 104729 % 99991)
        for number in range(8000)
    )
    path = pack(tmp_path / "ewok.zip", {f"ewok/{name}.jsonl": lines for name in ("b", "a", "c")})
    assert [(file.stem, file.content == lines) for file in read_task_files(path, ".jsonl")] == [
        ("a", True), ("b", True), ("c", True)
    ]  # fmt: skip


def test_a_zip_that_holds_far_more_than_its_size_is_refused_before_memory_is_full(tmp_path: Path) -> None:
    path = pack(tmp_path / "ewok.zip", {f"{name}.jsonl": bytes(40 * 2**20) for name in "ab"})
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"ewok\.zip .*256 MiB and 100 times"):
            read_task_files(path, ".jsonl")
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("megabytes", "most", "is_read"), [((1, 1), 256, True), ((10, 10), 256, False), ((2, 2), 3, False)]
)
def test_all_that_a_zip_holds_counts_and_small_ones_may_hold_more(
    tmp_path: Path, megabytes: tuple[int, int], most: int, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these is far above 100 times its own size; 16 MiB are always read, but never more than the most."""
    monkeypatch.setattr(limits, "MOST_UNPACKED", most * 2**20)
    path = pack(tmp_path / "ewok.zip", {f"{at}.jsonl": bytes(size * 2**20) for at, size in enumerate(megabytes)})
    if is_read:
        assert [len(file.content) for file in read_task_files(path, ".jsonl")] == [size * 2**20 for size in megabytes]
    else:
        with pytest.raises(DataError, match=rf"ewok\.zip .*{most} MiB"):
            read_task_files(path, ".jsonl")


@pytest.mark.parametrize(
    ("before", "after"),
    [("é".encode(), b"\xff\xfe"), (struct.pack("<II", 3, 3), struct.pack("<II", 2**20, 2**20))],
    ids=["a name that is no UTF-8", "a size beyond the end"],
)
def test_an_impossible_directory_of_a_zip_is_refused(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = pack(tmp_path / "ewok.zip", {"é.jsonl": b"{ }"}, zipfile.ZIP_STORED)
    assert path.read_bytes().count(before) == 2
    path.write_bytes(path.read_bytes().replace(before, after))
    with pytest.raises(DataError, match=r"ewok\.zip .*whole zip"):
        read_task_files(path, ".jsonl")


def test_sizes_in_an_archive_s_headers_are_not_trusted(tmp_path: Path) -> None:
    """Both headers say that the file has 10 bytes."""
    path = pack(tmp_path / "ewok.zip", {"a.jsonl": bytes(40 * 2**20)})
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 40 * 2**20), struct.pack("<I", 10)))
    with pytest.raises(DataError, match=r"ewok\.zip must "):
        read_task_files(path, ".jsonl")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"../a.jsonl": b"{}"}, r".*below its own folder.* '\.\./a\.jsonl'"),
        ({"/etc/a.jsonl": b"{}"}, r".*below its own folder.* '/etc/a\.jsonl'"),
        ({"a.jsonl": b"{}", "a.jsonl*": b"{}"}, r".*once.* 'a\.jsonl' and 'a\.jsonl'"),
        ({"x/a.jsonl": b"{}", "y/a.jsonl": b"{}"}, r".*once.* 'x/a\.jsonl' and 'y/a\.jsonl'"),
        ({"__MACOSX/a.jsonl": b"{}"}, r".*at least one \.jsonl file"),
        ({"a.jsonl/": b""}, r".*at least one \.jsonl file"),
    ],
)
def test_names_that_no_official_zip_has_are_refused(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=rf"ewok\.zip {message}"):
        read_task_files(pack(tmp_path / "ewok.zip", members), ".jsonl")


def test_a_name_that_zip_writes_with_a_dot_is_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "ewok.zip", {"./ewok//a.jsonl": b"{}"})
    assert [file.content for file in read_task_files(path, ".jsonl")] == [b"{}"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ewok.zip", "w") as archive:
        link = zipfile.ZipInfo("a.jsonl")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match=r"ewok\.zip .*'a\.jsonl' is a link"):
        read_task_files(tmp_path / "ewok.zip", ".jsonl")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_a_limit_are_refused(tmp_path: Path, method: int) -> None:
    path = pack(tmp_path / "ewok.zip", {"a.jsonl": b"{}"}, method)
    with pytest.raises(DataError, match=rf"ewok\.zip .*'a\.jsonl' .*method {method};"):
        read_task_files(path, ".jsonl")


def test_an_encryption_that_is_not_read_says_what_to_do(tmp_path: Path) -> None:
    """AES has a method of its own, 99."""
    path = pack(tmp_path / "ewok.zip", {"a.jsonl": b"{}" * 100})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 10] = 99
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"ewok\.zip .*not AES.*method 99; unpack it yourself into .*ewok, "):
        read_task_files(path, ".jsonl")


@given(data=st.data())
def test_a_zip_with_any_byte_changed_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = write_zip(tmp_path_factory.mktemp("zip") / "ewok.zip", ENCRYPTED)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        read_task_files(path, ".jsonl")


def test_rows_come_with_their_lines_and_blank_lines_count() -> None:
    row = b'{"sentence_good": "\xc3\xa9", "ratio": "0.5"}'
    assert rows(row + b"\r\n\n" + row) == [(n, {"sentence_good": "é", "ratio": "0.5"}) for n in (1, 3)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"island\.jsonl .*empty"),
        (b"\n \n", "empty"),
        (b'{"sentence_good": "a", "ratio": 1}\n{"sentence_go', r"island\.jsonl:2:2: .*cut off"),
        (b'{"sentence_good": "a", ', r"island\.jsonl:1:2\d: .*cut off"),
        (b'{"sentence_good": "a" "ratio": 1}', r"island\.jsonl:1:23: .*Expecting ','"),
        (b"[1]", r"island\.jsonl:1:1: .*'\[1\]'"),
        (b'{"sentence_god": "a", "ratio": 1}', r"'sentence_good'.*did you mean 'sentence_god'\?"),
        (b'{"sentence_good": 3, "ratio": 1}', r"island\.jsonl:1: .*'sentence_good' .* 3"),
        (b'{"sentence_good": " ", "ratio": 1}', r"island\.jsonl:1: .*'sentence_good' .*empty"),
        (b'{"sentence_good": "\\ud800", "ratio": 1}', r"island\.jsonl:1: .*'.ud800'"),
        (b'{"sentence_good": "a", "ratio": "x"}', r"'ratio' .*finite.* 'x'"),
        (b'{"sentence_good": "a", "ratio": 1e999}', r"'ratio' .*finite.* inf"),
        (b'{"sentence_good": "a", "ratio": NaN}', r"'ratio' .*finite.* nan"),
        (b'{"sentence_good": "a", "ratio": ' + b"9" * 4000 + b"}", r"'ratio' .*finite.* 999"),
        (b"[" * 100_000, r"island\.jsonl:1: .*recursion"),
        (b'{"sentence_good": "a", "ratio": ' + b"9" * 5000 + b"}", r"island\.jsonl:1: .*Exceeds the limit"),
        (b'{"sentence_good": "\xff"}', r"island\.jsonl:1:20: .*UTF-8"),
    ],
)
def test_a_broken_line_is_refused_with_file_line_and_column(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        rows(content)


def test_rules_for_lists_of_texts_and_numbers() -> None:
    assert TEXTS.holds(["a", "b"])
    assert not TEXTS.holds(["a"])
    assert not TEXTS.holds("ab")
    assert not TEXTS.holds(["a", 1])
    assert not NUMBER.holds(True)


def test_lines_keep_the_spaces_around_them() -> None:
    assert list(text_lines(a_file(b" a b \r\nc\n"))) == [(1, " a b "), (2, "c")]
