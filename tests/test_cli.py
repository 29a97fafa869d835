"""Every end of a command has its exit code and one message; only our own bugs show a traceback."""

import errno
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sleep_tune import cli
from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.prepare import prepare
from sleep_tune.errors import ConfigError, Diverged, UserError

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("code", ["import tune", "import sleep_tune", "from sleep_tune import cli"])
def test_windows_itself_is_refused_in_one_sentence(code: str) -> None:
    """fcntl, which locks folders, is what every system but Windows has."""
    line = f"import sys; sys.path.insert(0, '.'); sys.modules['fcntl'] = None; {code}; from sleep_tune import cli"
    done = subprocess.run([sys.executable, "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "WSL" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("sleep.folds must be a whole number"), 2, "error: sleep.folds must be a whole number\n"),
        (UserError("x"), 2, "error: x\n"),
        (UserError("a\x1b[2Jb"), 2, "error: a\u241b[2Jb\n"),
        (Diverged("the loss is NaN"), 1, "failed: the loss is NaN\n"),
        (KeyboardInterrupt(), 130, ""),
        (OSError(errno.ENOSPC, "full", "/data/x"), 2, "error: the disk must have room for /data/x; it is full\n"),
        (OSError(errno.ENOSPC, "full"), 2, "error: the disk must have room for the results; it is full\n"),
        (OSError(errno.EROFS, "ro", "/x"), 2, "error: the disk must be writable for /x; it is read-only now\n"),
    ],
)
def test_an_error_is_a_message_and_a_code(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(arguments: Sequence[str]) -> int:
        raise error

    assert cli.run(main, []) == code
    assert capsys.readouterr() == ("", message)


def test_a_long_message_is_broken_between_words_in_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def main(arguments: Sequence[str]) -> int:
        raise ConfigError("a.yaml has 2 mistakes:\n  a.yaml:1: misspelt-key is unknown here\n  a.yaml:22: so is this")

    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.run(main, []) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: a.yaml has 2 mistakes:",
        "  a.yaml:1: misspelt-key is",
        "      unknown here",
        "  a.yaml:22: so is this",
    ]


def test_a_message_that_cannot_be_printed_leaves_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal has been closed, for instance."""

    def main(arguments: Sequence[str]) -> int:
        raise UserError("x")

    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w", closefd=True) as closed:
        monkeypatch.setattr(sys, "stderr", closed)
        assert cli.run(main, []) == 2
        os.dup2(os.open(os.devnull, os.O_WRONLY), writes)  # what is buffered can be written at last


def test_a_command_that_ends_well_returns_its_code() -> None:
    assert cli.run(lambda arguments: len(arguments), ["a", "b", "c"]) == 3


@pytest.mark.parametrize("error", [RuntimeError("bug"), PermissionError(errno.EACCES, "no"), SystemExit(143)])
def test_our_own_bugs_keep_their_traceback(error: BaseException) -> None:
    def main(arguments: Sequence[str]) -> int:
        raise error

    with pytest.raises(type(error)):
        cli.run(main, [])


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """`train_worker.py --help | head -1` printed a traceback once its pipe was closed."""
    script = "from sleep_tune import cli; import sys; sys.exit(cli.run(lambda a: print('x\\n' * 100_000) or 0, []))"
    root = Path(cli.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_steps_that_take_long_are_printed_within_the_block(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = DataConfig(sentences=300, max_length=32, cache_dir=str(tmp_path))
    with cli.echo_log("sleep_tune.data"):
        prepare(data, TokenizerConfig(vocab_size=300))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["reading", "training", "tokenizing"]
    with cli.echo_log("sleep_tune.data"):
        prepare(data, TokenizerConfig(vocab_size=300))
    logging.getLogger("sleep_tune.data.cache").info("outside the block")
    assert capsys.readouterr().err == "", "nothing is printed for a text that is in the cache"


STREAMS = """\
import os, subprocess, sys
from sleep_tune import cli
def main(arguments):
    print("\\u00b7 is printed")
    os.write(1, b"by C code\\n")
    print("an error", file=sys.stderr)
    child = "import os; [os.fstat(number) for number in range(3)]"
    assert subprocess.run([sys.executable, "-c", child]).returncode == 0, "a child process has the streams too"
    with open("file", "w") as file:
        return file.fileno()
sys.exit(cli.run(main, []))
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_at_the_start_is_no_file_s_place(closed: str, tmp_path: Path) -> None:
    """What C code prints would have gone into the first file that was opened: a lock, a log."""
    shell = ["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, STREAMS]
    done = subprocess.run(shell, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode > 2
    assert not (tmp_path / "file").read_bytes()


def test_a_terminal_without_our_characters_shows_others(tmp_path: Path) -> None:
    variables = {"PYTHONPATH": str(ROOT), "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", STREAMS]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | variables, capture_output=True, check=False)
    assert b"? is printed\n" in done.stdout


def test_a_working_directory_that_was_removed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert cli.run(lambda arguments: 0, []) == 2
    assert "the working directory must exist" in capsys.readouterr().err
