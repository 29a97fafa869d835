"""Whole files stay whole, and a log survives being cut anywhere."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.errors import DiskError, RunFolderError
from sleep_tune.files import read_json_lines, require_writable, share_tree, write_whole, writing

RECORDS = st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=8), max_size=3), max_size=6)


def test_write_whole_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.txt"
    write_whole(target, "first")
    write_whole(target, b"second")
    assert target.read_bytes() == b"second"
    assert list(target.parent.iterdir()) == [target]


def test_write_whole_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_whole(target, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(target, "\ud800")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    """The reader sees one of the two contents, however the writer died."""
    target = tmp_path / "file.txt"
    script = (
        "import sys; from pathlib import Path; from sleep_tune.files import write_whole\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for letter in 'ab': write_whole(Path(sys.argv[1]), letter * 100_000)\n"
    )
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            while not target.exists():
                pass
            os.kill(process.pid, signal.SIGKILL)
        assert target.read_text() in {"a" * 100_000, "b" * 100_000}


@given(records=RECORDS, data=st.data())
def test_a_log_cut_at_any_byte_gives_back_a_prefix(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    whole = path.read_bytes()
    assert list(read_json_lines(path)) == records
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)), label="cut")])
    kept = list(read_json_lines(path))
    assert kept == records[: len(kept)]


def test_a_broken_line_inside_a_log_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"a": 1}) + "\n[1]\n" + json.dumps({"b": 2}) + "\n")
    with pytest.raises(ValueError, match=r"log\.jsonl:2: .*\[1\]"):
        list(read_json_lines(path))


def test_a_line_of_a_file_that_is_no_log_is_named_and_not_quoted(tmp_path: Path) -> None:
    """A link to a private file in a received experiment once showed that file's first line in the report."""
    path = tmp_path / "log.jsonl"
    path.symlink_to(tmp_path / "key")
    path.write_text("secret\n{}\n")
    with pytest.raises(ValueError, match=r"log\.jsonl:1: expected a JSON object") as caught:
        list(read_json_lines(path))
    assert "secret" not in str(caught.value)


def test_a_line_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("[" * 100_000 + "\n{}\n")
    with pytest.raises(ValueError, match=r"log\.jsonl:1: expected a JSON object, got b'\[\["):
        list(read_json_lines(path))


@pytest.mark.parametrize("target", ["private", "nothing"])
def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path, target: str) -> None:
    """A received experiment with tables/comparison.csv -> ~/.bashrc once had its own lines written there."""
    (tmp_path / "private").write_text("before")
    (tmp_path / "private").chmod(0o600)
    (tmp_path / "link").symlink_to(tmp_path / target)
    (tmp_path / "new").touch()
    write_whole(tmp_path / "link", "text")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_text() == "text"
    assert mode_of(tmp_path / "link") == mode_of(tmp_path / "new")
    assert (tmp_path / "private").read_text() == "before"
    assert not (tmp_path / "nothing").exists()


def test_what_is_no_file_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    """`--csv /dev/stdout`: a temporary file that is renamed over it would take the terminal from everybody."""
    reader, writer = os.pipe()
    (tmp_path / "pipe").symlink_to(f"/proc/self/fd/{writer}")
    write_whole(tmp_path / "pipe", "text")
    os.close(writer)
    with os.fdopen(reader) as file:
        assert file.read() == "text"
    with pytest.raises(RunFolderError, match=re.escape(str(tmp_path))):
        write_whole(tmp_path, "text")


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o027, 0o077])
def test_a_new_file_has_the_permissions_that_open_gives(tmp_path: Path, umask: Callable[[int], int], mask: int) -> None:
    umask(mask)
    (tmp_path / "opened").touch()
    write_whole(tmp_path / "new" / "file", "text")
    assert mode_of(tmp_path / "new" / "file") == mode_of(tmp_path / "opened") == 0o666 & ~mask
    assert mode_of(tmp_path / "new") == 0o777 & ~mask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666, 0o444, 0o755])
@pytest.mark.parametrize("mask", [0o002, 0o077])
def test_a_file_that_was_there_keeps_its_permissions(
    tmp_path: Path, umask: Callable[[int], int], mode: int, mask: int
) -> None:
    target = tmp_path / "file"
    target.touch()
    target.chmod(mode)
    umask(mask)
    write_whole(target, "text")
    assert target.read_text() == "text"
    assert mode_of(target) == mode


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to groups that it is not in")


@as_root
def test_a_folder_gives_its_group_to_new_files(tmp_path: Path) -> None:
    os.chown(tmp_path, -1, 1234)
    tmp_path.chmod(0o2775)
    write_whole(tmp_path / "new" / "file", "text")
    assert (tmp_path / "new" / "file").stat().st_gid == 1234


@as_root
def test_a_file_keeps_its_group(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.touch()
    os.chown(target, -1, 1234)
    target.chmod(0o640)
    write_whole(target, "text")
    assert (target.stat().st_gid, mode_of(target)) == (1234, 0o640)


@as_root
def test_a_group_that_cannot_be_kept_leaves_the_new_one_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    target.touch()
    os.chown(target, -1, 1234)
    target.chmod(0o660)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refuse)
    write_whole(target, "text")
    assert (target.stat().st_gid, mode_of(target)) == (os.getegid(), 0o600)


def test_what_is_private_is_private_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    target.chmod(0o600)
    seen: list[tuple[int, int]] = []
    real = os.fsync

    def look(descriptor: int) -> None:
        seen.append((os.fstat(descriptor).st_size, os.fstat(descriptor).st_mode & 0o777))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write_whole(target, "new text")
    assert seen[0] == (8, 0o600)


def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "file", "before")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        with pytest.raises(DiskError, match="file"):
            write_whole(tmp_path / "file", "after")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
    with pytest.raises(DiskError, match="/dev/full"):
        write_whole(Path("/dev/full"), "after")


def test_an_error_that_is_not_the_disks_stays_what_it_is() -> None:
    with pytest.raises(PermissionError), writing(Path("x")):
        raise PermissionError(errno.EACCES, "no")


def test_a_mount_without_permissions_takes_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fchmod", refuse)
    for content in ("first", "second"):
        write_whole(tmp_path / "file", content)
        assert (tmp_path / "file").read_text() == content


def test_on_return_the_disk_has_the_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, list[str]]] = []
    monkeypatch.setattr(
        os,
        "fsync",
        lambda descriptor: synced.append((os.fstat(descriptor).st_ino, os.listdir(tmp_path))),  # noqa: PTH208
    )
    write_whole(tmp_path / "file", "text")
    assert synced[-1] == (tmp_path.stat().st_ino, ["file"])


def test_what_a_shared_folder_links_to_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "private").touch(0o600)
    shared = tmp_path / "shared"
    shared.mkdir(0o755)
    (shared / "file").touch(0o600)
    (shared / "link").symlink_to(tmp_path / "private")
    (shared / "dangling").symlink_to("nowhere")
    share_tree(shared)
    assert (mode_of(shared / "file"), mode_of(tmp_path / "private")) == (0o644, 0o600)


@pytest.mark.parametrize("place", ["file", "nowhere"])
@pytest.mark.parametrize("below", ["", "new"])
def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_computed(
    tmp_path: Path, place: str, below: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to("none")
    with pytest.raises(RunFolderError, match=rf"{tmp_path / place} .*: do that"):
        require_writable(tmp_path / place / below, "do that")
    require_writable(tmp_path / "new" / "folder", "do that")
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="has no /proc")
def test_a_folder_that_not_even_root_can_make_is_refused() -> None:
    with pytest.raises(RunFolderError, match=r"/proc/new .*/proc cannot be written.*: do that"):
        require_writable(Path("/proc/new"), "do that")
