"""Fine-tuning parity: the official pipeline and this package on the same models and data. See parity.md.

    python tests/benchmarks/parity_glue.py CHECKOUT --model DIR ... --data DIR [--tasks A,B] [--rows N] [--keep DIR]

CHECKOUT is `strict/` in a working tree of the official code of 2026, which needs scikit-learn. DATA holds
<task>.train.jsonl and <task>.valid.jsonl. The predictions and metrics of both are compared; `--keep` writes the
official ones for the test suite.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from sleep_tune.babylm.protocols import PROTOCOLS
from sleep_tune.evaluation.fine_tuning import FineTuneSettings, fine_tune
from sleep_tune.evaluation.glue import GLUE_TASKS, find_glue_files, read_examples
from sleep_tune.evaluation.official_files import PREDICTIONS

RESULTS = "results.txt"
TOLERANCE = 1e-12


def main(arguments: list[str]) -> int:
    """Compare, print a line for each model and task, and return 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--model", type=Path, action="append", required=True, help="folder; may be repeated")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", default="", help="names, with commas between; default: all in DATA")
    parser.add_argument("--rows", type=int, help="use only so many lines of each file")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the official output here")
    options = parser.parse_args(arguments)
    settings = FineTuneSettings(
        last_token=PROTOCOLS["2026"].classifies_last_token,
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        accumulate=options.accumulate,
    )
    same = True
    files = find_glue_files(options.data.resolve(), [name for name in options.tasks.split(",") if name])
    for model in options.model:
        for task, paths in files.items():
            with tempfile.TemporaryDirectory() as temporary:
                train, valid = (shortened(path, options.rows, Path(temporary)) for path in paths)
                same &= compare(task, model.resolve(), train, valid, settings, options)
    return 0 if same else 1


def shortened(path: Path, rows: int | None, folder: Path) -> Path:
    """Write the first rows of a file into a folder, and return its path there."""
    (folder / path.name).write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:rows]))
    return folder / path.name


def compare(
    task: str, model: Path, train: Path, valid: Path, settings: FineTuneSettings, options: argparse.Namespace
) -> bool:
    """Fine-tune by both, print how they differ, and return whether they agree."""
    theirs = run_official(task, model, train, valid, settings, options.checkout.resolve(), train.parent)
    kind = GLUE_TASKS[task]
    ours = fine_tune(model, kind, read_examples(kind, train), read_examples(kind, valid), settings)
    predicted = [row["pred"] for row in json.loads((theirs / PREDICTIONS).read_text())[task]["predictions"]]
    lines = (theirs / RESULTS).read_text().splitlines()
    metrics = {name: float(value) for name, value in (line.split(": ") for line in lines)}
    different = sum(one != other for one, other in zip(ours.predictions, predicted, strict=True))
    off = max(abs(ours.metrics[name] - value) for name, value in metrics.items())
    share = 100 * sum(predicted) / len(predicted)
    print(
        f"{model.name:14} {task:8} {len(predicted):4} items  accumulate {settings.accumulate}  predictions differ "
        f"{different}  metrics within {off:.0e}  accuracy {100 * metrics['accuracy']:.2f}  predicted 1: {share:.0f}%",
        flush=True,
    )
    if options.keep is not None:
        kept = options.keep / model.name / f"{task}_{settings.accumulate}"
        kept.mkdir(parents=True, exist_ok=True)
        for name in (PREDICTIONS, RESULTS):
            shutil.copyfile(theirs / name, kept / name)
    return not different and off <= TOLERANCE


def run_official(
    task: str, model: Path, train: Path, valid: Path, settings: FineTuneSettings, checkout: Path, output: Path
) -> Path:
    """Run the official code in a process of its own, and return the folder of its files."""
    kind = GLUE_TASKS[task]
    given = replace(settings, epochs=settings.epochs or kind.epochs)
    command = [sys.executable, "-m", "evaluation_pipeline.finetune.run", "--model_name_or_path", str(model)]
    command += ["--train_data", str(train), "--valid_data", str(valid), "--predict_data", str(valid)]
    command += ["--task", task, "--num_labels", str(kind.labels), "--batch_size", str(kind.batch_size)]
    command += ["--learning_rate", str(given.learning_rate), "--num_epochs", str(given.epochs)]
    command += ["--gradient_accumulation", str(given.accumulate), "--sequence_length", str(given.sequence_length)]
    command += ["--metrics", *kind.metrics, "--metric_for_valid", kind.chosen_by, "--seed", str(given.seed)]
    command += ["--padding_side", "left", "--take_final", "--results_dir", str(output / "results")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return output / "results" / model.stem / "main" / "finetune" / task


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
