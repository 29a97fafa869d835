"""Zero-shot parity: the official pipeline and this package on the same models and data, item by item. See parity.md.

    python tests/benchmarks/parity_zero_shot.py CHECKOUT --model DIR:BACKEND ... --data DIR [--tasks A,B] [--keep DIR]

CHECKOUT is a working tree of babylm/evaluation-pipeline-2025. Each task is scored by its code in another process
and by `sleep_tune.evaluation` in this one. Every option's score, every choice and the bytes of both files are compared.
`--keep` writes the official scores and files for the test suite.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from sleep_tune.evaluation import official_files
from sleep_tune.evaluation.items import choose
from sleep_tune.evaluation.model_folder import load_fast_tokenizer, load_model
from sleep_tune.evaluation.positions import readable_positions
from sleep_tune.evaluation.suite import Suite, TaskScores
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import TASKS

DRIVER = Path(__file__).with_name("parity_official_run.py")
TOLERANCE = 1e-4
ROUNDING = 1e-5
"""Two scores of the pipeline that differ by less than this differ only by the order of its additions."""


def main(arguments: list[str]) -> int:
    """Compare, print a line for each model and task, and return 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--model", action="append", required=True, help="folder:backend; may be repeated")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", default="", help="folders, with commas between; default: all but Zorro")
    parser.add_argument("--keep", type=Path, help="keep the official output here")
    options = parser.parse_args(arguments)
    only = [name for name in options.tasks.split(",") if name]
    folders = find_task_folders(options.data.resolve(), [name for name in TASKS if name != "zorro"], only)
    same = True
    for given in options.model:
        folder, _, backend = given.rpartition(":")
        model = load_model(Path(folder), backend)
        tokenizer = load_fast_tokenizer(Path(folder), backend, model)
        positions = readable_positions(model)
        suite = Suite(folders, tokenizer, backend=backend, batch_tokens=16_384, positions=positions)
        results = suite.score(model).tasks
        keep = options.keep / f"{Path(folder).name}_{backend}" if options.keep else None
        with tempfile.TemporaryDirectory() as temporary:
            run_official(results, options.checkout.resolve(), Path(folder).resolve(), backend, Path(temporary))
            for result in results:
                same &= compare(result, Path(temporary), Path(folder), backend, keep and keep / result.name)
    return 0 if same else 1


def compare(result: TaskScores, output: Path, model: Path, backend: str, keep: Path | None) -> bool:
    """Compare our scores and files with those of the official code, and return whether they agree."""
    folder = output / model.resolve().stem / "main" / "zero_shot" / backend / result.task.official / result.path.stem
    files = {name: (folder / name).read_bytes() for name in (official_files.PREDICTIONS, official_files.REPORT)}
    theirs = np.array(json.loads((output / f"{result.name}.json").read_text()))
    ours = np.array([scores.tolist() for scores in result.scores])
    off = float(np.abs(ours - theirs).max())
    different = [n for n, (a, b) in enumerate(zip(ours, theirs, strict=True)) if choose(a) != choose(b)]
    leads = np.diff(np.sort(theirs, axis=1)[:, -2:], axis=1)[:, 0]
    rounding = [n for n in different if leads[n] < ROUNDING]
    chosen = result.decisions.predictions
    written = json.dumps(official_files.task_predictions(result.task, result.items, result.scores, chosen)).encode()
    report = official_files.format_report(result.report).encode() == files[official_files.REPORT]
    predictions = equal_predictions(written, files[official_files.PREDICTIONS], result.task.predicts_probability)
    print(
        f"{model.name:14} {backend:6} {result.name:24} {len(ours):6,} items  choices differ {len(different)}"
        + (f" (by rounding of the pipeline {len(rounding)})" if rounding else "")
        + f"  scores within {off:.1e}  report {'same' if report else 'DIFFERS'}  predictions {predictions}",
        flush=True,
    )
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        np.savetxt(keep / "scores.txt", theirs, fmt="%.5f")
        for name, content in files.items():
            (keep / name).write_bytes(content)
    return not different and report and off < TOLERANCE


def run_official(
    results: tuple[TaskScores, ...], checkout: Path, model: Path, backend: str, temporary: Path
) -> list[tuple[float, float]]:
    """Score the tasks by the official code, which writes its files and <task>.json with the scores of all options.

    Returns:
        The seconds of its loop over each task, by the clock and of the processor.
    """
    calls = []
    for result in results:
        arguments = ["--save_predictions", "--output_dir", str(temporary), "--data_path", str(result.path)]
        arguments += ["--task", result.task.official, "--model_path_or_name", str(model), "--backend", backend]
        files = {"scores": f"{result.name}.json", "seconds": f"{result.name}.seconds"}
        calls.append({"arguments": arguments, **{name: str(temporary / file) for name, file in files.items()}})
    (temporary / "calls.json").write_text(json.dumps(calls))
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(temporary / "calls.json")],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the official pipeline failed:\n{done.stderr[-2000:]}")
    return [tuple(json.loads((temporary / f"{result.name}.seconds").read_text())) for result in results]


def equal_predictions(ours: bytes, theirs: bytes, probabilities: bool) -> str:
    """Compare two predictions.json; the last digits of wug's probabilities depend on the order of additions."""
    if ours == theirs:
        return "same bytes"
    if not probabilities:
        return "DIFFER"
    pairs = zip(_flat(ours), _flat(theirs), strict=True)
    off = max(
        abs(float(a.pop("prob")) - float(b.pop("prob"))) if a["id"] == b["id"] and a["pred"] == b["pred"] else 1.0
        for a, b in pairs
    )
    return f"same, probabilities within {off:.1e}" if off < TOLERANCE else "DIFFER"


def _flat(predictions: bytes) -> list[dict[str, str | float]]:
    return [row for group in json.loads(predictions).values() for row in group["predictions"]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
