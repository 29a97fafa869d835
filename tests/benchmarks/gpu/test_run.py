"""The script for a GPU, in miniature on a CPU, so that it works the first time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.gpu.bench import PARTS

SCRIPT = Path(__file__).parent / "run.sh"


def start(out: Path) -> "subprocess.Popen[bytes]":
    """Run the script in miniature."""
    environment = os.environ | {"PYTHON": sys.executable, "SLEEP_TUNE_CACHE": str(out.parent / "cache")}
    return subprocess.Popen([SCRIPT, "--miniature", "--out", out], env=environment, stdout=subprocess.DEVNULL)


def read(out: Path) -> list[dict[str, Any]]:
    """The measurements so far."""
    file = out / "results.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_part_measures(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert start(out).wait() == 0
    rows = read(out)
    assert not [row for row in rows if "failure" in row]
    assert {row["part"] for row in rows} == set(PARTS)
    assert all(row["value"] > 0 for row in rows if row["part"] != "resume")
    assert [row["value"] for row in rows if row["part"] == "resume"] == [0, 0]
    assert json.loads((out / "results.json").read_text())["results"] == rows
    assert len((out / "table.txt").read_text().splitlines()) == len(rows) + 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_signal_leaves_what_was_measured(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(out)
    while not read(out):
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    rows = json.loads((out / "results.json").read_text())["results"]
    assert rows
    assert len((out / "table.txt").read_text().splitlines()) == len(rows) + 2
