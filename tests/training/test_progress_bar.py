"""What a run by hand shows."""

import logging
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sleep_tune.data.prepare import Corpus
from sleep_tune.training import progress_bar
from sleep_tune.training.run import train
from tests.messages import missing
from tests.training.runs import keep_training, make_config, weigh


@pytest.mark.slow
def test_without_a_terminal_it_is_a_line_at_every_tenth(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_bar, "HEARTBEAT_SECONDS", math.inf)  # the machine may be slow
    train(make_config(tmp_path, log_ratio=0.01), keep_training, corpus=corpus, evaluate=weigh, show_progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert 8 <= len(lines) <= 10
    assert re.fullmatch(r"pass 1/2 · (wake|sleep) \d/3 · loss \d\.\d{3} · words [\d,]+/[\d,]+ · \d+ s", lines[0])


@pytest.mark.slow
def test_without_a_terminal_a_slow_run_is_not_silent(
    corpus: Corpus,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress_bar, "HEARTBEAT_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, "sleep_tune.training.stages"):
        outcome = train(make_config(tmp_path), keep_training, corpus=corpus, evaluate=weigh, show_progress=True)
    assert len(capsys.readouterr().err.splitlines()) == outcome.updates
    assert not missing(caplog.text, "saving the model|evaluating the model on dev|evaluating the model on test")


ON_A_TERMINAL = """
import fcntl, os, struct, sys, termios
fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
from pathlib import Path
from sleep_tune.training import progress_bar
from sleep_tune.training.run import train
from tests.messages import missing
from tests.training.runs import keep_training, make_config, weigh
train(make_config(Path(sys.argv[1])), keep_training, evaluate=weigh, show_progress=True)
"""


@pytest.mark.slow
def test_on_a_terminal_it_is_a_bar(corpus: Corpus, tmp_path: Path) -> None:
    """With pass, phase, loss, words, speed and the time left."""
    reader, writer = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, str(tmp_path)], stderr=writer, cwd=Path(__file__).parents[2]
    )
    os.close(writer)
    shown = b""
    try:
        while part := os.read(reader, 4096):
            shown += part
    except OSError:  # how Linux says that the other end was closed
        pass
    os.close(reader)
    assert process.wait(timeout=240) == 0
    last = [text for text in shown.decode().replace("\r", "\n").split("\n") if text.strip()][-1]
    pattern = (
        r"pass 2/2 · (wake|sleep) \d/3 · loss \d\.\d{3} · words [\d,]+/[\d,]+ \|.{20}\| .*words/s · \d\d:\d\d left"
    )
    assert re.fullmatch(pattern, last.strip())
