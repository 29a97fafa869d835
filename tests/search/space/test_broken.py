"""Hundreds of broken files: each ends in one error that names the line, and nothing is written."""

import subprocess
import sys
from pathlib import Path

import pytest

from sleep_tune.errors import ConfigError
from sleep_tune.search.space.space_file import load_space
from tests.search.space.mutations import VALID, Broken, broken_files

TUNE = Path(__file__).parents[3] / "tune.py"

FILES = list(broken_files())


def test_there_are_hundreds_and_no_two_are_the_same() -> None:
    assert len(FILES) >= 200
    assert len({file.content for file in FILES}) == len(FILES)
    assert len({file.name for file in FILES}) == len(FILES)


@pytest.mark.parametrize("name", VALID)
def test_what_is_broken_was_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(VALID[name], encoding="utf-8")
    load_space(path)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_broken_file_is_one_report_with_its_line(file: Broken, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(file.content)
    with pytest.raises(ConfigError) as raised:
        load_space(path)
    message = str(raised.value)
    assert message.startswith(f"{path}:{file.line}: ")
    assert "\n" not in message
    assert len(message) < 1500
    assert [found.name for found in tmp_path.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize("number", range(2))
def test_the_command_says_the_same(number: int, tmp_path: Path) -> None:
    """One that is searched, one that is planned."""
    file = FILES[number * (len(FILES) // 2)]
    (tmp_path / "study.yaml").write_bytes(file.content)
    command = [sys.executable, str(TUNE), "study.yaml", *(["--plan"] if number % 2 else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: study.yaml:{file.line}: ")
    assert "Traceback" not in done.stderr
    assert [found.name for found in tmp_path.iterdir()] == ["study.yaml"]
