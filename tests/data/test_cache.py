import errno
import fcntl
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sleep_tune.data.cache import MANIFEST, cache_folder, cached_folder, content_key, file_digest, require_cache_space
from sleep_tune.errors import ConfigError, DiskError
from tests.messages import raises_naming

MAKER = """
import sys, time
from pathlib import Path
from sleep_tune.data.cache import cached_folder
from tests.messages import raises_naming

def make(folder):
    (folder / "half").write_text("half")
    Path(sys.argv[2]).touch()
    time.sleep(60)

cached_folder(Path(sys.argv[1]), "key", make)
"""


def make_slowly(cache: Path) -> None:
    """Leave a trace outside the cache of every time that the work is really done."""

    def make(folder: Path) -> None:
        with (cache / "made").open("a") as log:
            log.write(f"{os.getpid()}\n")
        (folder / "first").write_text("1")
        time.sleep(0.2)
        (folder / "second").write_text("2")

    folder = cached_folder(cache, "key", make)
    assert (folder / "first").read_text() + (folder / "second").read_text() == "12"


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    calls: list[Path] = []
    for _ in range(2):
        assert cached_folder(tmp_path, "key", calls.append) == tmp_path / "key"
    assert len(calls) == 1


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_that_start_together_make_it_once(tmp_path: Path, damaged: bool) -> None:
    if damaged:
        make_slowly(tmp_path)
        (tmp_path / "made").unlink()
        (tmp_path / "key" / "second").write_text("3")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=make_slowly, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len((tmp_path / "made").read_text().splitlines()) == 1


def test_a_killed_writer_leaves_nothing_that_is_read(tmp_path: Path) -> None:
    cache, started = tmp_path / "cache", tmp_path / "started"
    writer = subprocess.Popen([sys.executable, "-c", MAKER, str(cache), str(started)])
    while not started.exists():
        assert writer.poll() is None
        time.sleep(0.01)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert [path for path in cache.iterdir() if path.is_dir()] != []

    def make(folder: Path) -> None:
        assert list(folder.iterdir()) == []
        (folder / "whole").touch()

    folder = cached_folder(cache, "key", make)
    assert {path.name for path in folder.iterdir()} == {"whole", MANIFEST}
    assert [path for path in cache.iterdir() if path.is_dir()] == [folder]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cached_folder(tmp_path, "key", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["key.lock"]


def test_a_digest_is_that_of_the_content_however_quickly_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    digests = []
    for content in (b"one", b"two") * 100:  # within one tick of the kernel's clock, by which it dates changes
        path.write_bytes(content)
        digests.append(file_digest(path))
    assert len(set(digests)) == 2 and len(set(digests[::2])) == 1


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with raises_naming(DiskError, "953,674,380 MiB", "token cache", "data.cache_dir", "SLEEP_TUNE_CACHE"):
        cached_folder(tmp_path, "key", lambda folder: require_cache_space(folder, 10**15))
    assert [path.name for path in tmp_path.iterdir()] == ["key.lock"]
    require_cache_space(tmp_path / "new", 1)


def write_to_full_disk(folder: Path) -> None:
    Path("/dev/full").write_text(str(folder))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_disk_that_fills_up_meanwhile_is_no_traceback(tmp_path: Path) -> None:
    with raises_naming(DiskError, "data.cache_dir", tmp_path):
        cached_folder(tmp_path, "key", write_to_full_disk)


def test_a_cache_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for cache in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/file"), tmp_path / ("file" * 99)):
        with raises_naming(ConfigError, "data.cache_dir", cache):
            cached_folder(cache, "key", lambda _folder: None)


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SLEEP_TUNE_CACHE", raising=False)
    assert cache_folder(None) == tmp_path / ".cache" / "sleep-tune"
    monkeypatch.setenv("SLEEP_TUNE_CACHE", "~/tokens")
    assert cache_folder(None) == tmp_path / "tokens"
    assert cache_folder(str(tmp_path / "given")) == tmp_path / "given"
    assert cache_folder("~no-such-user/tokens") == Path.cwd() / "~no-such-user" / "tokens"  # pathlib would raise


def test_keys_stand_for_content() -> None:
    assert content_key({"a": 1, "b": "x"}) == content_key({"b": "x", "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def become_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def point_nowhere(file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")


DAMAGES = [flip_a_bit, cut, become_a_folder, point_nowhere, Path.unlink, lambda file: file.write_text("")]


def fill(folder: Path) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "pairs.jsonl").write_text('{"good": "a"}\n')
    np.save(folder / "tokens.npy", np.arange(100))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["tokens.npy", "below/pairs.jsonl", MANIFEST])
def test_a_damaged_folder_is_made_anew_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, damage: Callable[[Path], object]
) -> None:
    folder = cached_folder(tmp_path, "key", fill)
    mapped = np.load(folder / "tokens.npy", mmap_mode="r")
    damage(folder / name)
    with caplog.at_level(logging.WARNING):
        assert cached_folder(tmp_path, "key", fill) == folder
    [record] = caplog.records
    assert str(folder) in record.message
    assert name in record.message or name == MANIFEST
    assert np.load(folder / "tokens.npy").tolist() == list(range(100))
    if name != "tokens.npy":
        assert mapped.tolist() == list(range(100)), "a process that has the old files mapped keeps them"
    caplog.clear()
    cached_folder(tmp_path, "key", fill)
    assert caplog.records == []


def test_at_most_one_damaged_folder_is_kept(tmp_path: Path) -> None:
    for _ in range(3):
        flip_a_bit(cached_folder(tmp_path, "key", fill) / "tokens.npy")
    assert sum("damaged" in path.name for path in tmp_path.iterdir()) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": {"a": 1}}', '{"files": {"a": {"bytes": "x"}}}', "\0"])
def test_a_manifest_of_other_content_is_damage(tmp_path: Path, content: str) -> None:
    folder = cached_folder(tmp_path, "key", fill)
    (folder / MANIFEST).write_text(content)
    assert (cached_folder(tmp_path, "key", fill) / MANIFEST).read_text() != content


def test_an_entry_that_is_a_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("something else")
    assert (cached_folder(tmp_path, "key", fill) / "tokens.npy").is_file()


def test_files_added_later_do_not_matter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (cached_folder(tmp_path, "key", fill) / ".DS_Store").touch()
    cached_folder(tmp_path, "key", fill)
    assert caplog.records == []


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """No user, not even root, writes to the folder; all users can read it."""
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_read_only_cache_is_used_and_damage_there_is_one_sentence() -> None:
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        cache = Path(top) / "cache"
        folder = cached_folder(cache, "key", fill)
        with read_only(cache):
            assert cached_folder(cache, "key", fill) == folder
        flip_a_bit(folder / "tokens.npy")
        with (
            read_only(cache),
            raises_naming(ConfigError, "data.cache_dir", cache, "tokens.npy"),
        ):
            cached_folder(cache, "key", fill)


def test_what_is_wrong_with_the_text_is_not_said_of_the_cache(tmp_path: Path) -> None:
    (tmp_path / "text").touch()

    def read_text(_: Path) -> None:
        (tmp_path / "text" / "book.txt").read_text()

    with pytest.raises(NotADirectoryError):
        cached_folder(tmp_path / "cache", "key", read_text)


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with raises_naming(ConfigError, "data.cache_dir", "flock"):
        cached_folder(tmp_path, "key", fill)


@pytest.mark.parametrize(
    ("cache_mode", "umask", "folder_mode", "file_mode"),
    [
        (0o2775, 0o002, 0o2775, 0o664),  # a laboratory's, whose users share a group
        (0o2775, 0o077, 0o2755, 0o644),
        (0o755, 0o022, 0o755, 0o644),
        (0o750, 0o077, 0o750, 0o640),
        (0o700, 0o077, 0o700, 0o600),
        (0o1777, 0o022, 0o755, 0o644),
    ],
)
def test_who_may_read_the_cache_may_read_what_is_in_it(
    tmp_path: Path, cache_mode: int, umask: int, folder_mode: int, file_mode: int
) -> None:
    def make(folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.txt").write_text("a")
        Path(tempfile.mkstemp(dir=folder)[1]).rename(folder / "b.txt")  # for its user alone, as some libraries do

    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(cache_mode)
    before = os.umask(umask)
    try:
        folder = cached_folder(cache, "key", make)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in (folder, *folder.rglob("*"))}
    files = dict.fromkeys(("a.txt", "b.txt", MANIFEST), file_mode)
    assert modes == {"key": folder_mode, "inner": folder_mode} | files
    lock = (cache / "key.lock").stat().st_mode & 0o777
    assert lock & 0o444 == cache_mode & 0o444


def test_a_lock_of_another_user_is_used_as_it_is() -> None:
    """It may be read, not written, and its permissions are not ours to change."""
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        cache = Path(top) / "cache"
        cache.mkdir()
        cache.chmod(0o777)
        (cache / "key.lock").touch()
        (cache / "key.lock").chmod(0o640 if os.geteuid() == 0 else 0o444)
        with read_only(Path(top)):
            assert (cached_folder(cache, "key", fill) / "tokens.npy").is_file()


def test_a_lock_that_is_a_link_is_refused_and_what_it_leads_to_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "key.lock").symlink_to(tmp_path / "elsewhere")
    with raises_naming(ConfigError, "data.cache_dir"):
        cached_folder(tmp_path, "key", fill)
    assert not (tmp_path / "elsewhere").exists()
