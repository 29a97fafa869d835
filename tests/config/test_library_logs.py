"""What libraries say lands in the log file, once, and nowhere else."""

import logging
import warnings
from pathlib import Path

import pytest

from sleep_tune.config.library_logs import log_to, redirect_libraries
from sleep_tune.errors import RunFolderError


def test_records_and_warnings_go_to_the_file_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("some_library")
    library.addHandler(logging.StreamHandler())
    library.propagate = False
    before = list(logging.getLogger().handlers)
    with log_to(tmp_path / "log.txt"):
        redirect_libraries()
        library.warning("loud %d", 3)
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            logging.captureWarnings(False)
            logging.captureWarnings(True)
            warnings.warn("deprecated", UserWarning, stacklevel=1)
    text = (tmp_path / "log.txt").read_text()
    assert text.count("WARNING some_library: loud 3") == 1
    assert "UserWarning: deprecated" in text
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == before


def test_a_resumed_run_appends(tmp_path: Path) -> None:
    for word in ("first", "second"):
        with log_to(tmp_path / "log.txt"):
            logging.getLogger("x").info(word)
    assert (tmp_path / "log.txt").read_text().count("INFO x: ") == 2


def test_a_log_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.txt").mkdir()
    with pytest.raises(RunFolderError, match=str(tmp_path / "log.txt")), log_to(tmp_path / "log.txt"):
        pass
