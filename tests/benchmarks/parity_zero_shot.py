"""Zero-shot parity: the official pipeline and this package on the same models and data, item by item. See parity.md.

    python tests/benchmarks/parity_zero_shot.py CHECKOUT --model DIR:BACKEND ... --data DIR [--tasks A,B] [--keep DIR]

CHECKOUT is a working tree of the official code of 2025, or `strict/` in one of 2026; the protocol is that of the data,
or `--protocol`. Each task is scored by its code in another process and by `sleep_tune.evaluation` in this one. Every
option's score, every choice and the bytes of both files are compared; where options tie, choices are drawn with the
same seed on both sides. `--keep` writes the official scores and files for the test suite.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sleep_tune.babylm.data_protocol import AUTO_PROTOCOL, protocol_of_data
from sleep_tune.babylm.protocols import EXPECTED_CREDIT, PROTOCOLS, Protocol
from sleep_tune.evaluation import official_files
from sleep_tune.evaluation.items import best_options
from sleep_tune.evaluation.model_folder import load_fast_tokenizer, load_model
from sleep_tune.evaluation.positions import readable_positions
from sleep_tune.evaluation.suite import READING, Suite, SuiteScores, TaskScores
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import tasks_of
from sleep_tune.evaluation.tie_rules import decide

DRIVER = Path(__file__).with_name("parity_official_run.py")
TOLERANCE = 1e-4
ROUNDING = 3e-5
"""Two scores of the pipeline that differ by less than this differ only by the order of its additions."""


def main(arguments: list[str]) -> int:
    """Compare, print a line for each model and task, and return 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--model", action="append", required=True, help="folder:backend; may be repeated")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", default="", help="folders, with commas between; default: all but Zorro")
    parser.add_argument("--protocol", default=AUTO_PROTOCOL, choices=[AUTO_PROTOCOL, *PROTOCOLS])
    parser.add_argument("--batch-size", type=int, default=64, help="items in a batch of the official code")
    parser.add_argument("--keep", type=Path, help="keep the official output here")
    options = parser.parse_args(arguments)
    data = options.data.resolve()
    protocol = protocol_of_data(data, options.protocol)
    known = [name for name in (*tasks_of(protocol), READING) if name != "zorro"]
    folders = find_task_folders(data, known, [name for name in options.tasks.split(",") if name])
    same = True
    for given in options.model:
        folder, _, backend = given.rpartition(":")
        model = load_model(Path(folder), backend)
        suite = Suite(
            folders,
            load_fast_tokenizer(Path(folder), backend, model),
            backend=backend,
            batch_tokens=16_384,
            positions=readable_positions(model),
            protocol=protocol,
            draw_ties=True,
        )
        for long in suite.too_long:
            print(f"{Path(folder).name:14} {backend:6} {long.name:24} skipped: a text has {long.longest} tokens")
        scored = suite.score(model)
        keep = options.keep / f"{Path(folder).name}_{backend}" if options.keep else None
        with tempfile.TemporaryDirectory() as temporary:
            output = Path(temporary)
            reading = folders[READING] if scored.surprisal is not None else None
            run_official(
                scored.tasks,
                options.checkout.resolve(),
                Path(folder).resolve(),
                backend,
                output,
                reading=reading,
                batch_size=options.batch_size,
            )
            written = output / Path(folder).resolve().stem / "main" / "zero_shot" / backend
            title = f"{Path(folder).name:14} {backend:6}"
            for result in scored.tasks:
                scores = np.array(json.loads((output / f"{result.name}.json").read_text()))
                theirs = written / result.task.official / result.path.stem
                same &= compare(result, scores, theirs, title, protocol, keep and keep / result.name)
            if scored.surprisal is not None:
                same &= compare_reading(scored, written / READING, output / "ours", title)
    return 0 if same else 1


def compare(
    result: TaskScores, theirs: np.ndarray, folder: Path, title: str, protocol: Protocol, keep: Path | None
) -> bool:
    """Compare our scores and files with those of the official code, and return whether they agree.

    Args:
        result: our scores; where options tie, the credits follow the draw.
        theirs: (number of items, number of options) scores of the official code.
        folder: its files of the task.
        title: first words of the line that is printed.
        protocol: the year's rules.
        keep: folder for its output; None: it is not kept.
    """
    files = {name: (folder / name).read_bytes() for name in (official_files.PREDICTIONS, official_files.REPORT)}
    ours = np.array([scores.tolist() for scores in result.scores])
    off = float(np.nanmax(np.abs(ours - theirs)))
    defined = np.array_equal(np.isfinite(ours), np.isfinite(theirs))
    ties = sum(len(best_options(scores)) > 1 for scores in theirs)
    chosen = decide(result.items, list(theirs), protocol.ties, draw=True)
    different = np.flatnonzero(chosen.predictions != result.decisions.predictions).tolist()
    leads = np.diff(np.sort(theirs, axis=1)[:, -2:], axis=1)[:, 0]
    rounding = [n for n in different if leads[n] < ROUNDING]
    report, predictions = same_files(result, files)
    # The rule for ties on the official scores: its files follow from them in every byte, whatever the rounding is.
    on_theirs = replace(
        result,
        scores=tuple(theirs),
        decisions=chosen,
        report=result.task.report(result.items, list(theirs), chosen.credits),
    )
    rule = all(text.startswith("same") for text in same_files(on_theirs, files))
    are_drawn = protocol.ties == EXPECTED_CREDIT
    expected = decide(result.items, list(result.scores), protocol.ties).credits
    average = result.task.report(result.items, list(result.scores), expected).average
    words = [
        f"{title} {result.name:24} {len(ours):6,} items  choices differ {len(different)}",
        f" (by rounding of the pipeline {len(rounding)})" if rounding else "",
        f"  scores within {off:.1e}  report {report}  predictions {predictions}",
        f"  ties {ties}: {result.report.average:.2f} drawn, {average:.2f} expected" if are_drawn else "",
        "" if rule else "  RULE DIFFERS",
    ]
    print("".join(words), flush=True)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        np.savetxt(keep / "scores.txt", theirs, fmt="%.5f")
        for name, content in files.items():
            (keep / name).write_bytes(content)
    agrees = report == "same" and not different
    return rule and defined and off < TOLERANCE and (agrees or (bool(different) and rounding == different))


def same_files(result: TaskScores, files: dict[str, bytes]) -> tuple[str, str]:
    """Compare the two files that follow from scores with the official ones, and return a word on each."""
    chosen = result.decisions.predictions
    written = json.dumps(official_files.task_predictions(result.task, result.items, result.scores, chosen)).encode()
    report = official_files.format_report(result.report).encode() == files[official_files.REPORT]
    predictions = equal_predictions(written, files[official_files.PREDICTIONS], result.task.predicts_probability)
    return "same" if report else "DIFFERS", predictions


def compare_reading(scored: SuiteScores, folder: Path, ours: Path, title: str) -> bool:
    """Compare the surprisal of each word and the report of reading times, and return whether they agree."""
    assert scored.surprisal is not None
    official_files.write_official_reading(ours, scored.surprisal, scored.reading)
    rows = [
        np.array([[row["pred"], row["prev_pred"]] for row in json.loads(path.read_text())[READING]["predictions"]])
        for path in (ours / official_files.PREDICTIONS, folder / official_files.PREDICTIONS)
    ]
    off = float(np.nanmax(np.abs(rows[0] - rows[1])))
    missing = np.array_equal(np.isnan(rows[0]), np.isnan(rows[1]))
    report = (ours / "report.txt").read_bytes() == (folder / "report.txt").read_bytes()
    print(
        f"{title} {READING:24} {len(rows[0]):6,} words  surprisal within {off:.1e}"
        + ("" if missing else ", OTHERS ARE MISSING")
        + f"  report {'same' if report else 'DIFFERS'}",
        flush=True,
    )
    return missing and report and off < TOLERANCE


def run_official(
    results: Sequence[TaskScores],
    checkout: Path,
    model: Path,
    backend: str,
    temporary: Path,
    *,
    reading: Path | None = None,
    batch_size: int = 64,
) -> list[tuple[float, float]]:
    """Score the tasks by the official code, which writes its files and <task>.json with the scores of all options.

    Args:
        results: our scores, which name the tasks and their folders.
        checkout: working tree of the official code.
        model: folder.
        backend: of the model.
        temporary: where the files go.
        reading: folder of reading times; None: they are not scored.
        batch_size: items in one of its batches; options that are the same tokens have equal scores only in batches of
            one, since it pads others to different lengths.

    Returns:
        The seconds of its loop over each task, by the clock and of the processor.
    """
    both = ["--output_dir", str(temporary), "--model_path_or_name", str(model), "--backend", backend]
    calls: list[dict[str, object]] = []
    for result in results:
        arguments = [*both, "--save_predictions", "--data_path", str(result.path), "--task", result.task.official]
        arguments += ["--batch_size", str(batch_size)]
        files = {"scores": f"{result.name}.json", "seconds": f"{result.name}.seconds"}
        paths = {name: str(temporary / file) for name, file in files.items()}
        calls.append({"module": "sentence_zero_shot", "arguments": arguments, **paths})
    if reading is not None:
        calls.append({"module": READING, "arguments": [*both, "--data_path", str(reading / "reading_data.csv")]})
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
