"""Seconds from a signal to the end of a command, in each phase of a run and of a search; then whether it resumes.

    python -m tests.benchmarks.bench_interrupts            # every phase: about ten minutes
    python -m tests.benchmarks.bench_interrupts train save # these only

In each phase a command is sent SIGTERM once it is sure to be in the middle of it. Printed are the seconds to its end,
its exit code, its last line, and what the same command starts from afterwards.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.evaluation.folders import write_blimp, write_rows
from tests.evaluation.official_data import write_model

ROOT = Path(__file__).parents[2]

RUN: tuple[str, ...] = (
    "train_worker.py",
    "run.name=a",
    "data.sentences=2000",
    "data.max_length=64",
    "tokenizer.vocab_size=300",
)
RUN += ("budget.passes=60", "evaluation.samples=16", "evaluation.pairs=24", "training.device=cpu")
LONG_EVALUATION = ("data.sentences=20000", "budget.passes=1", "evaluation.samples=2000", "evaluation.method=exact")

SPACE = """\
base: {data: toy, data.sentences: 600, data.max_length: 64, tokenizer.vocab_size: 300, budget.passes: 200,
       evaluation.samples: 16, evaluation.pairs: 24, training.device: cpu}
parameters: {sleep.folds: {choice: [2, 3, 4]}}
stop: {trials: 5}
finalists: {count: 0}
"""


@dataclass(frozen=True)
class Phase:
    """A command, and how to see from outside that it is in the phase."""

    command: Sequence[str]
    reached: Callable[[Path, str], bool]
    """By the folder and what has been printed."""
    seconds: float = 1.0
    """To wait then."""
    prepare: Callable[[Path], None] = field(default=lambda folder: None)


def said(text: str) -> Callable[[Path, str], bool]:
    return lambda folder, printed: text in printed


def holds(pattern: str, text: str = "") -> Callable[[Path, str], bool]:
    """Whether a file of this name is there, and holds the text."""
    return lambda folder, printed: any(text in path.read_text(errors="replace") for path in folder.glob(pattern))


def has_lines(pattern: str, number: int) -> Callable[[Path, str], bool]:
    """Whether a run's record holds so many lines of losses: hundredths of its budget."""
    return lambda folder, printed: any(path.read_text().count('"train"') >= number for path in folder.glob(pattern))


def write_text(folder: Path) -> None:
    """A text whose words take a tokenizer a minute to learn."""
    (folder / "text").mkdir()
    words = (f"{number * 2_654_435_761 % 2**40:x}" for number in range(3_000_000))
    (folder / "text" / "train.txt").write_text(" ".join(next(words) + "\n" * (n % 10 == 9) for n in range(3_000_000)))


def write_search(folder: Path, text: str = SPACE) -> None:
    (folder / "space.yaml").write_text(text)


def write_tasks(folder: Path) -> None:
    write_blimp(folder / "tasks" / "blimp_filtered", size=20_000)


def write_model_and_data(folder: Path) -> None:
    write_tasks(folder)
    write_model(folder / "model", "masked")
    for split in ("train", "valid"):
        rows = [{"sentence1": "the dog " * 60, "sentence2": "a cafe", "label": n % 2} for n in range(20_000)]
        write_rows(folder / "tasks" / "glue_filtered" / f"rte.{split}.jsonl", rows)


EVALUATE = ("sleep_tune.evaluate", "model", "--data", "tasks", "--device", "cpu")
SEARCH = ("tune.py", "space.yaml")
INLINE = (*SEARCH, "--launcher", "inline")
RECORD, TRIAL = "runs/a/metrics.jsonl", "results/space/trials/t0001/metrics.jsonl"
TRAINS, BEGINS, SEARCHES = has_lines(RECORD, 1), holds(RECORD), has_lines(TRIAL, 1)
STARTED = holds("results/space/trials.jsonl", '"started"')

PHASES = {
    "prepare": Phase((*RUN, "data=text", "data.path=text"), said("tokenizer"), 4, write_text),
    "compile": Phase((*RUN, "model=small", "training.compile=true"), BEGINS, 5),
    "train": Phase(RUN, TRAINS),
    "save": Phase((*RUN, "training.checkpoint_ratio=0.00001"), TRAINS),
    "rung": Phase((*RUN, *LONG_EVALUATION, "evaluation.rungs=[0.1]"), has_lines(RECORD, 10), 2),
    "end": Phase((*RUN, *LONG_EVALUATION, "evaluation.rungs=[]"), has_lines(RECORD, 99), 3),
    "tasks": Phase((*RUN, "budget.passes=2", "evaluation.data=tasks"), has_lines(RECORD, 30), 6, write_tasks),
    "evaluate": Phase(EVALUATE, lambda *_: True, 15, write_model_and_data),
    "fine-tune": Phase((*EVALUATE, "--glue"), lambda *_: True, 20, write_model_and_data),
    "search, inline, prepare": Phase(INLINE, lambda *_: True, 1.5, write_search),
    "search, inline, train": Phase(INLINE, SEARCHES, 1, write_search),
    "search, inline, rung": Phase((*INLINE, *LONG_EVALUATION), has_lines(TRIAL, 30), 2, write_search),
    "search, Ray starts": Phase(SEARCH, said("slot"), 2, write_search),
    "search, trials start": Phase(SEARCH, STARTED, 3, write_search),
    "search, train": Phase(SEARCH, SEARCHES, 1, write_search),
    "search, rung": Phase((*SEARCH, *LONG_EVALUATION), has_lines(TRIAL, 30), 2, write_search),
}  # fmt: skip
"""Phase -> how it is reached."""


def start(phase: Phase, folder: Path, output: Path) -> "subprocess.Popen[bytes]":
    """The command, printing to a file."""
    script, *arguments = phase.command
    program = ["-m", script] if script.startswith("sleep_tune.") else [str(ROOT / script)]
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )


def interrupted(phase: Phase, folder: Path) -> tuple[float, int, str]:
    """Run until the phase, send SIGTERM, and return the seconds to the end, the exit code and what was printed."""
    phase.prepare(folder)
    output = folder / "output.txt"
    process = start(phase, folder, output)
    while not phase.reached(folder, output.read_text()):
        assert process.poll() is None, output.read_text()
        time.sleep(0.05)
    time.sleep(phase.seconds)
    assert process.poll() is None, output.read_text()
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = process.wait(600)
    return time.monotonic() - begun, code, output.read_text()


def resumed(phase: Phase, folder: Path) -> str:
    """Run the same command until it says where it resumes, or has read the text, and kill it."""
    output = folder / "again.txt"
    begun = time.monotonic()
    process = start(phase, folder, output)
    while process.poll() is None and time.monotonic() - begun < 120:
        if re.search("resuming from|text: train", output.read_text()):
            time.sleep(1)
            break
        time.sleep(0.1)
    process.kill()
    process.wait()
    found = re.findall("resuming from .*|text: train|error.*", output.read_text())
    return found[-1] if found else output.read_text().strip().splitlines()[-1]


def main(names: Sequence[str]) -> None:
    """Print a line for each phase."""
    for name in names or PHASES:
        with tempfile.TemporaryDirectory(prefix="interrupts-") as folder:
            seconds, code, printed = interrupted(PHASES[name], Path(folder))
            again = resumed(PHASES[name], Path(folder))
        last = printed.strip().splitlines()[-1]
        print(f"{name:24} {seconds:5.1f} s, code {code}: {last}\n{'':24} again: {again}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
