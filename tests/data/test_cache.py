import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sleep_tune.data.cache import cache_folder, cached_folder, content_key, require_cache_space
from sleep_tune.errors import ConfigError, DiskError

MAKER = """
import sys, time
from pathlib import Path
from sleep_tune.data.cache import cached_folder

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


def test_processes_that_start_together_make_it_once(tmp_path: Path) -> None:
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
    assert [path.name for path in folder.iterdir()] == ["whole"]
    assert [path for path in cache.iterdir() if path.is_dir()] == [folder]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cached_folder(tmp_path, "key", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["key.lock"]


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(
        DiskError, match=r"must have 953,674,380 MiB free for the token cache; it has [\d,]+ MiB: .* data\.cache_dir"
    ):
        cached_folder(tmp_path, "key", lambda folder: require_cache_space(folder, 10**15))
    assert [path.name for path in tmp_path.iterdir()] == ["key.lock"]
    require_cache_space(tmp_path / "new", 1)


def write_to_full_disk(folder: Path) -> None:
    Path("/dev/full").write_text(str(folder))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_disk_that_fills_up_meanwhile_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"ran full while the token cache was written; nothing was kept"):
        cached_folder(tmp_path, "key", write_to_full_disk)


def test_a_cache_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for cache in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=r"data\.cache_dir must be a folder that can be written to; got .*file"):
            cached_folder(cache, "key", lambda _folder: None)


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SLEEP_TUNE_CACHE", raising=False)
    assert cache_folder(None) == tmp_path / ".cache" / "sleep-tune"
    monkeypatch.setenv("SLEEP_TUNE_CACHE", "~/tokens")
    assert cache_folder(None) == tmp_path / "tokens"
    assert cache_folder(str(tmp_path / "given")) == tmp_path / "given"


def test_keys_stand_for_content() -> None:
    assert content_key({"a": 1, "b": "x"}) == content_key({"b": "x", "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})
