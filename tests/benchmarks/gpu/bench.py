"""Speeds on a GPU, in parts that each end in time: see README.md in this folder.

Each measurement is appended to results.jsonl when it is made. The table and the JSON are made from these lines at the
end, or when a signal comes.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import PreTrainedModel

from sleep_tune.config.schema import EvaluationConfig, ModelConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.evaluation.backends import CAUSAL, MLM
from sleep_tune.evaluation.evaluator import Evaluator
from sleep_tune.evaluation.minimal_pairs import PairScorer, draw_pairs
from sleep_tune.models.build import build_model
from sleep_tune.records import Decision, Progress
from sleep_tune.training import compilation
from sleep_tune.training.run import train
from tests.benchmarks.gpu.workloads import Setting, Workload, make_config, make_corpus, ours, theirs

PRECISIONS = ("bf16", "fp32")


@dataclass(frozen=True)
class Scale:
    """How much is measured, and on what."""

    device: str
    workloads: dict[str, Workload]
    batches: tuple[int, ...]
    compiled_batches: tuple[int, ...]
    updates: int
    trials: tuple[int, ...]
    trial_batch: int
    trial_updates: int
    rows: int
    """Rows of text that are evaluated by the strided method; an eighth of them by the exact one."""
    pairs: int
    part_seconds: float
    total_seconds: float


SCALES = {
    "full": Scale(
        device="cuda",
        workloads={
            "small": Workload("mlm", ModelConfig(), length=128, vocabulary=8192),
            "gpt2_babylm2026": Workload(
                "clm",
                ModelConfig(kind="gpt2", layers=12, hidden=768, heads=12, feed_forward=3072),
                length=512,
                vocabulary=16_384,
            ),
        },
        batches=(32, 64, 128, 256, 512),
        compiled_batches=(128, 512),
        updates=18,
        trials=(1, 2, 4, 8),
        trial_batch=128,
        trial_updates=150,
        rows=1024,
        pairs=4000,
        part_seconds=110,
        total_seconds=580,
    ),
    "miniature": Scale(
        device="cpu",
        workloads={
            "small": Workload("mlm", ModelConfig(layers=1, hidden=16, heads=2, feed_forward=32), 32, 600),
            "gpt2_babylm2026": Workload(
                "clm", ModelConfig(kind="gpt2", layers=1, hidden=16, heads=2, feed_forward=32), 32, 600
            ),
        },
        batches=(4,),
        compiled_batches=(4,),
        updates=6,
        trials=(1, 2),
        trial_batch=4,
        trial_updates=8,
        rows=8,
        pairs=22,
        part_seconds=600,
        total_seconds=3600,
    ),
}


class Recorder:
    """Appends measurements to results.jsonl; a part starts none that would probably end too late."""

    def __init__(self, file: Path, part: str, seconds: float) -> None:
        self._file = file
        self._part = part
        self._ends = time.monotonic() + seconds
        self._longest = 0.0

    def write(self, **values: Any) -> None:
        """Append one line."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"part": self._part, **values}) + "\n")

    def measure(self, unit: str, make: Callable[[], float], **what: Any) -> None:
        """Append what `make` returns, or why there is no number."""
        if time.monotonic() + self._longest > self._ends:
            self.write(**what, unit=unit, failure="no time left")
            return
        began = time.monotonic()
        memory: dict[str, float] = {}
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            value = make()
        except Exception as error:  # one setting that is too large must not cost the others
            self.write(**what, unit=unit, failure=f"{type(error).__name__}: {error}"[:200])
            return
        finally:
            self._longest = max(self._longest, time.monotonic() - began)
        if torch.cuda.is_available():
            memory["gigabytes"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        self.write(**what, value=float(f"{value:.4g}"), unit=unit, **memory)


def training_speeds(name: str, scale: Scale, record: Recorder) -> None:
    """Both programs at each batch size and precision; bf16 first, since it is what a GPU is used for."""
    for precision in PRECISIONS:
        for batch in scale.batches:
            setting = Setting(scale.device, precision, batch, scale.updates)
            for program, speed in (("sleep-tune", ours), ("transformers", theirs)):
                record.measure(
                    "tokens/s",
                    lambda speed=speed, setting=setting: speed(scale.workloads[name], setting),  # type: ignore[misc]
                    model=name,
                    program=program,
                    precision=precision,
                    batch=batch,
                )


def compiled_speeds(name: str, scale: Scale, record: Recorder) -> None:
    """Compiled updates, and seconds of a whole run whose code is not there yet, and is there."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[compilation.VARIABLE] = folder
        for batch in scale.compiled_batches:
            setting = Setting(scale.device, "bf16", batch, scale.updates, compile=True)
            for start in ("first", "second"):
                what = {"model": name, "program": "sleep-tune", "precision": "bf16", "batch": batch}
                began = time.monotonic()
                record.measure(
                    "tokens/s",
                    lambda setting=setting: ours(scale.workloads[name], setting),  # type: ignore[misc]
                    **what,
                    compiled=True,
                    start=start,
                )
                record.write(**what, start=start, value=round(time.monotonic() - began, 1), unit="s, whole run")


def packed_speeds(scale: Scale, record: Recorder) -> None:
    """Several trials at once on the device: the sum of their tokens a second."""
    for trials in scale.trials:
        record.measure(
            "tokens/s, all trials",
            lambda trials=trials: run_trials(scale, trials),  # type: ignore[misc]
            model="small",
            precision="bf16",
            batch=scale.trial_batch,
            trials=trials,
        )


def run_trials(scale: Scale, trials: int) -> float:
    """Start the trials in processes of their own, which begin their timed updates together."""
    with tempfile.TemporaryDirectory() as meeting:
        command = [sys.executable, __file__, "--trial", meeting, "--of", str(trials)]
        command += [] if scale.device == "cuda" else ["--miniature"]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(trials)]
        return sum(float(process.communicate()[0].split()[-1]) for process in processes)


def run_trial(scale: Scale, meeting: Path, trials: int) -> None:
    """Train one trial, whose timed updates begin when those of all do, and print its tokens a second."""

    def wait() -> None:
        (meeting / str(os.getpid())).touch()
        while len(list(meeting.iterdir())) < trials:
            time.sleep(0.01)

    setting = Setting(scale.device, "bf16", scale.trial_batch, scale.trial_updates)
    print(ours(scale.workloads["small"], setting, wait))


def evaluation_speeds(name: str, scale: Scale, record: Recorder) -> None:
    """Rows and pairs a second, and the share of pairs in which bf16 chooses as fp32 does."""
    workload = scale.workloads[name]
    corpus = make_corpus(workload, 0)
    model = untrained(workload, corpus, scale.device)
    for precision in PRECISIONS:
        for method, rows in (("strided", scale.rows), ("exact", max(scale.rows // 8, 1))):
            evaluation = EvaluationConfig(method=method, samples=rows, pairs=0, test=False)
            evaluator = Evaluator(corpus, evaluation, 0, objective=workload.objective)
            record.measure(
                "rows/s",
                lambda run=evaluator, precision=precision, rows=rows: (
                    rows
                    / seconds_of(  # type: ignore[misc]
                        lambda: run(model), scale.device, precision
                    )
                ),
                model=name,
                precision=precision,
                method=method,
            )
    pairs = draw_pairs(corpus.pairs["dev"], scale.pairs, np.random.default_rng(0))
    scorer = PairScorer(
        pairs,
        corpus.tokenizer_dir,
        backend=MLM if workload.objective == "mlm" else CAUSAL,
        max_length=workload.length,
        batch_tokens=EvaluationConfig().batch_tokens,
    )
    chosen: dict[str, Any] = {}

    def score(precision: str) -> float:
        def keep() -> None:
            scores = scorer.score(model)
            chosen[precision] = scores[:, 0] > scores[:, 1]

        return len(pairs) / seconds_of(keep, scale.device, precision)

    for precision in PRECISIONS:
        record.measure(
            "pairs/s",
            lambda precision=precision: score(precision),  # type: ignore[misc]
            model=name,
            precision=precision,
        )
    if len(chosen) == len(PRECISIONS):
        share = float(np.mean(chosen["bf16"] == chosen["fp32"]))
        record.write(model=name, value=round(share, 5), unit="share of equal choices, bf16 and fp32")


def untrained(workload: Workload, corpus: Corpus, device: str) -> PreTrainedModel:
    """Return the workload's model with random weights, whose scores are close: the hardest case for bf16."""
    model: Any = build_model(
        workload.model,
        objective=workload.objective,
        vocab_size=workload.vocabulary,
        max_length=workload.length,
        special=corpus.train.special,
        seed=0,
    )
    trained: PreTrainedModel = model.to(device)
    return trained


def seconds_of(action: Callable[[], Any], device: str, precision: str) -> float:
    """Return the seconds of the second of two calls; an evaluation returns numbers, so the device has then finished."""
    with torch.autocast(device, dtype=torch.bfloat16) if precision == "bf16" else nullcontext():
        action()
        began = time.perf_counter()
        action()
    return time.perf_counter() - began


def resumed_losses(name: str, scale: Scale, record: Recorder) -> None:
    """The largest difference between the losses of a run that was paused and resumed, and of one that was not."""

    def pause(progress: Progress) -> Decision:
        return Decision.CONTINUE if progress.rung is None else Decision.PAUSE

    def proceed(progress: Progress) -> Decision:
        return Decision.CONTINUE

    def difference(precision: str) -> float:
        workload = scale.workloads[name]
        losses: list[list[float]] = []
        setting = Setting(scale.device, precision, scale.batches[0], scale.updates)
        corpus = make_corpus(workload, scale.batches[0] * scale.updates)
        with tempfile.TemporaryDirectory() as folder:
            for run, answers in (("whole", [proceed]), ("parts", [pause, proceed])):
                config = make_config(workload, setting, Path(folder) / run)
                config.training.log_ratio, config.evaluation.rungs = 1e-6, (0.5,)
                states = [
                    train(config, answer, corpus=corpus, evaluate=lambda model, split: {"eval/nll": 0.0}).state
                    for answer in answers
                ]
                assert states[-1] == "completed" and len(set(states)) == len(answers), states
                lines = (Path(folder) / run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
                losses.append([line["loss"] for line in map(json.loads, lines) if line["kind"] == "train"])
        whole, parts = losses
        return float(np.abs(np.subtract(whole, parts)).max())

    for precision in PRECISIONS:
        record.measure(
            "nats, largest difference after resuming",
            lambda precision=precision: difference(precision),  # type: ignore[misc]
            model=name,
            precision=precision,
        )


PARTS: dict[str, Callable[[Scale, Recorder], None]] = {
    "train small": lambda scale, record: training_speeds("small", scale, record),
    "train gpt2": lambda scale, record: training_speeds("gpt2_babylm2026", scale, record),
    "evaluate small": lambda scale, record: evaluation_speeds("small", scale, record),
    "resume": lambda scale, record: resumed_losses("small", scale, record),
    "pack": packed_speeds,
    "compile small": lambda scale, record: compiled_speeds("small", scale, record),
    "compile gpt2": lambda scale, record: compiled_speeds("gpt2_babylm2026", scale, record),
    "evaluate gpt2": lambda scale, record: evaluation_speeds("gpt2_babylm2026", scale, record),
}
"""Name -> part, in the order in which they run: if time runs out, the last ones are missing."""


def run_parts(parts: Sequence[str], scale: Scale, out: Path, options: Sequence[str]) -> None:
    """Run each part in a process of its own, which is killed if it takes too long."""
    ends = time.monotonic() + scale.total_seconds
    for part in parts:
        seconds = min(scale.part_seconds, ends - time.monotonic())
        record = Recorder(out / "results.jsonl", part, seconds)
        if seconds < 10:
            record.write(failure="no time left")
            continue
        began = time.monotonic()
        command = [sys.executable, __file__, "--part", part, "--seconds", str(seconds - 10), "--out", str(out)]
        with (out / "log.txt").open("ab") as log:
            process = subprocess.Popen([*command, *options], stdout=log, stderr=log, start_new_session=True)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                record.write(failure=f"killed after {seconds:.0f} s")
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if process.returncode not in (0, -signal.SIGKILL):
            record.write(failure=f"ended with code {process.returncode}: see log.txt")
        print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)


def write_results(out: Path) -> None:
    """Make results.json and table.txt from the lines that are there, and print the table."""
    file = out / "results.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    on_gpu = torch.cuda.is_available()
    machine = {
        "device": torch.cuda.get_device_name() if on_gpu else platform.machine(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }
    (out / "results.json").write_text(json.dumps({"machine": machine, "results": rows}, indent=1), encoding="utf-8")
    columns = (
        "part",
        "model",
        "program",
        "precision",
        "batch",
        "trials",
        "method",
        "start",
        "value",
        "unit",
        "failure",
    )
    for row in rows:
        row.setdefault("value", row.get("failure"))
    cells = [[shown(row.get(column)) for column in columns] for row in rows]
    used = [index for index in range(len(columns)) if any(line[index] for line in cells)]
    lines = [[columns[index] for index in used], *([line[index] for index in used] for line in cells)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(used))]
    table = [
        "  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    text = "\n".join([", ".join(f"{key} {value}" for key, value in machine.items()), *table]) + "\n"
    (out / "table.txt").write_text(text, encoding="utf-8")
    print(text, end="")


def shown(value: Any) -> str:
    """Return a cell of the table."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
    return str(value)


def main(arguments: Sequence[str]) -> int:
    """Run all parts, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: all of {', '.join(PARTS)}")
    parser.add_argument("--miniature", action="store_true", help="tiny models on the CPU, to try the script")
    parser.add_argument(
        "--out", type=Path, default=Path("gpu_results"), help="folder of the results (default: %(default)s)"
    )
    for hidden in ("--part", "--seconds", "--trial", "--of"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    scale = SCALES["miniature" if given.miniature else "full"]
    if given.miniature:
        compilation.BACKEND = "eager"
        os.environ["OMP_NUM_THREADS"] = "1"  # of the parts' processes
    if given.trial:
        run_trial(scale, Path(given.trial), int(given.of))
        return 0
    if given.part:
        PARTS[given.part](scale, Recorder(given.out / "results.jsonl", given.part, float(given.seconds)))
        return 0
    if unknown := [part for part in given.parts if part not in PARTS]:
        parser.error(f"a part must be one of {', '.join(PARTS)}; got {unknown[0]}")
    if scale.device == "cuda" and not torch.cuda.is_available():
        parser.error("a CUDA device is needed, and torch finds none; --miniature tries the script on the CPU")
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "results.jsonl").unlink(missing_ok=True)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        run_parts(given.parts or list(PARTS), scale, given.out, ["--miniature"] * given.miniature)
    finally:
        write_results(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
