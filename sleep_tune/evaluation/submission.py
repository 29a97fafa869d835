"""Completeness of a submission: every file, every group and its size.

These are the checks of babylm/evaluation-pipeline-2025 before it joins the files into one: the final model's full
tasks, ages of acquisition and fine-tuning in `main`, and the fast tasks of every checkpoint.
"""

from collections.abc import Iterator
from pathlib import Path

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS, WUG
from sleep_tune.babylm.group_sizes import AOA_CONTEXTS, GROUP_SIZES, expected_size
from sleep_tune.evaluation.official_files import PREDICTIONS
from sleep_tune.evaluation.tasks import TASKS
from sleep_tune.files import read_json_object

__all__ = ["AGES", "FAST_TASKS", "FULL_TASKS", "missing_parts"]


def _places(*folders: str) -> dict[str, str]:
    """Return task folder -> folder of its predictions in a back end's folder, as `write_zero_shot` writes them."""
    return {name: f"{TASKS[name].official}/{name}" if name in TASKS else name for name in folders}


FULL_TASKS = _places(
    *("blimp_filtered", "supplement_filtered", "ewok_filtered", "entity_tracking", *WUG, "comps", "reading")
)
FAST_TASKS = _places("blimp_fast", "supplement_fast", "ewok_fast", "entity_tracking_fast", *WUG, "reading")
"""Task folder of full_eval, and of fast_eval -> folder of its predictions in a back end's folder."""
AGES = "AoA_word/surprisal.json"
"""File of the words' surprisal over checkpoints, in a back end's folder."""


def missing_parts(results: Path, backend: str, track: str) -> list[str]:
    """Return everything that is missing or of a wrong size, a line each; empty if the submission is complete.

    Args:
        results: folder of one model: OUTPUT_DIR/<model>.
        backend: back end of the predictions that are submitted.
        track: a key of AOA_CHECKPOINTS.
    """
    return [*_final(results / "main", backend, track), *_checkpoints(results, backend, track)]


def _final(main: Path, backend: str, track: str) -> Iterator[str]:
    top = main / "zero_shot" / backend
    for folder, place in FULL_TASKS.items():
        yield from _predictions(top / place / PREDICTIONS, folder, full=True)
    for task, size in GROUP_SIZES["2025"]["glue_filtered"].items():
        path = main / "finetune" / task / PREDICTIONS
        read = read_json_object(path)
        number = None if read is None else len(read.get(task, {}).get("predictions", ()))
        if number is None:
            yield f"{path} (fine-tuning on {task})"
        elif number != size:
            yield f"{path}: {task} must have {size} predictions; it has {number}"
    yield from _ages(top / AGES, track)


def _checkpoints(results: Path, backend: str, track: str) -> Iterator[str]:
    for millions in AOA_CHECKPOINTS[track]:
        top = results / f"chck_{millions}M" / "zero_shot" / backend
        if not top.is_dir():
            yield f"{top} (the fast tasks of checkpoint chck_{millions}M)"
            continue
        for folder, place in FAST_TASKS.items():
            yield from _predictions(top / place / PREDICTIONS, folder, full=False)


def _predictions(path: Path, folder: str, *, full: bool) -> Iterator[str]:
    """Yield what is wrong with one task: no file of predictions, or groups of other sizes than the official ones."""
    read = read_json_object(path)
    if read is None:
        yield f"{path} ({folder} of {'full' if full else 'fast'}_eval)"
        return
    for group, found in read.items():
        number, size = len(found.get("predictions", ())), expected_size(folder, group, "2025")
        if size is None:
            yield f"{path}: {folder} has no group '{group}'"
        elif number != size:
            yield f"{path}: {group} must have {size} predictions; it has {number}"
    expected = {group.lower() for group in GROUP_SIZES["2025"][folder]} - {"*"}
    for group in sorted(expected - {group.lower() for group in read}):
        yield f"{path}: {folder} must have the group '{group}'"


def _ages(path: Path, track: str) -> Iterator[str]:
    read = read_json_object(path)
    if read is None:
        yield f"{path} (ages of acquisition: --aoa)"
        return
    steps = [f"chck_{millions}M" for millions in AOA_CHECKPOINTS[track]]
    counts = dict.fromkeys(steps, 0)
    for row in read.get("results", ()):
        counts[row["step"]] = counts.get(row["step"], 0) + 1
    for step, number in counts.items():
        if step not in steps:
            yield f"{path}: {step} is not a checkpoint of {track}"
        elif number != AOA_CONTEXTS:
            yield f"{path}: {step} must have {AOA_CONTEXTS} contexts; it has {number}"
