"""The scripts on another user's experiment: what cannot be read or written is named in one sentence, exit code 2."""

import contextlib
import importlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from sleep_tune import cli
from tests.results.report.searches import make_search

NOBODY = 65534
SCRIPTS = ("compare", "report")


def call(script: str, *arguments: object) -> int:
    """Return the exit code of one of the scripts, in this process."""
    main: Callable[[Sequence[str]], int] = importlib.import_module(f"sleep_tune.commands.{script}").main
    return cli.run(main, [str(argument) for argument in arguments])


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """Become a user with read access only, if the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def results() -> Iterator[Path]:
    """A folder of results that others may read, with one experiment; every library has been loaded."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        root.chmod(0o755)
        make_search(root / "mine", 6)
        for script in SCRIPTS:
            assert call(script, root / "mine") == 0
        make_search(root / "theirs", 6)
        (root / "theirs").chmod(0o555)
        (root / "open").mkdir()
        (root / "open").chmod(0o777)
        yield root
        (root / "theirs").chmod(0o755)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_folder_that_cannot_be_written_needs_another_for_the_output(
    results: Path, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted((results / "theirs").rglob("*"))
    with without_rights():
        assert call(script, results / "theirs") == 2
        error = capsys.readouterr().err
        assert call(script, results / "theirs", "--output", results / "open" / "new") == 0
    assert str(results / "theirs") in error
    assert "--output DIR" in error
    assert len(error.splitlines()) == 1
    assert sorted((results / "theirs").rglob("*")) == before
    assert any((results / "open" / "new").iterdir())


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("closed", ["trials.jsonl", "experiment.yaml", "."])
def test_what_cannot_be_read_is_named(
    results: Path, script: str, closed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = results / "theirs" / closed
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        with without_rights():
            assert call(script, results / "theirs", "--output", results / "open") == 2
    finally:
        path.chmod(mode)
    error = capsys.readouterr().err
    assert "theirs" in error
    assert len(error.splitlines()) == 1
    assert not list((results / "open").iterdir())


def test_one_output_takes_one_report(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call("report", results / "mine", results / "theirs", "--output", results)
    assert ended.value.code == 2
    assert "takes one FOLDER" in capsys.readouterr().err
