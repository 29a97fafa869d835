"""Completeness of a submission: every file, every group and its size, and one protocol in all of them.

The checks of sizes are those of BabyLM's pipelines before they join the files into one: the final model's full tasks,
ages of acquisition and fine-tuning in `main`, and the fast tasks of every checkpoint. That no group is missing is
checked here alone: the official code takes a file with some of the groups.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS
from sleep_tune.babylm.group_sizes import AOA_CONTEXTS, GROUP_SIZES, NUM_GROUPS, expected_size
from sleep_tune.babylm.protocols import ABSENT, AGE_SCORE, Protocol
from sleep_tune.errors import DataError
from sleep_tune.evaluation.aoa import FOLDER
from sleep_tune.evaluation.official_files import PREDICTIONS
from sleep_tune.evaluation.score_files import SCORES
from sleep_tune.evaluation.tasks import TASKS
from sleep_tune.files import read_json_object

__all__ = ["Gaps", "age_files", "glue_files", "missing_parts", "prediction_files", "require_one_protocol"]

Gaps = dict[Path, list[str]]
"""File, or folder of a checkpoint, that is missing or of a wrong size -> what is wrong with it, a line each."""


def prediction_files(top: Path, folders: Iterable[str]) -> dict[str, Path]:
    """Return task folder -> file of its predictions in a back end's folder, as `write_zero_shot` writes them."""
    return {name: top / (f"{TASKS[name].official}/{name}" if name in TASKS else name) / PREDICTIONS for name in folders}


def glue_files(main: Path, protocol: Protocol) -> dict[str, Path]:
    """Return task of fine-tuning -> file of its predictions in a revision's folder."""
    return {task: main / "finetune" / task / PREDICTIONS for task in GROUP_SIZES[protocol.year]["glue_filtered"]}


def age_files(top: Path, protocol: Protocol) -> dict[str, Path]:
    """Return name in the submitted file -> file of ages of acquisition in a back end's folder."""
    return {name: top / FOLDER / file for name, file in protocol.ages.items()}


def missing_parts(results: Path, backend: str, track: str, protocol: Protocol) -> Gaps:
    """Return everything that is missing or of a wrong size; empty if the submission is complete.

    Args:
        results: folder of one model: OUTPUT_DIR/<model>.
        backend: back end of the predictions that are submitted.
        track: a key of AOA_CHECKPOINTS.
        protocol: of the submission.
    """
    gaps: Gaps = {}
    for path, line in (*_final(results / "main", backend, track, protocol), *_fast(results, backend, track, protocol)):
        gaps.setdefault(path, []).append(line)
    return gaps


def require_one_protocol(results: Path, backend: str, track: str, protocol: Protocol) -> None:
    """Check that no part of a submission was scored by another protocol.

    Raises:
        DataError: a scores.json beside the parts is of another year; all of them are named.
    """
    revisions = ("main", *(f"chck_{millions}M" for millions in AOA_CHECKPOINTS[track]))
    beside = [results / revision / "zero_shot" / backend / SCORES for revision in revisions]
    beside += [path.with_name(SCORES) for path in glue_files(results / "main", protocol).values()]
    read = ((path, read_json_object(path)) for path in beside)
    years = {path: content.get("protocol", ABSENT) for path, content in read if content is not None}
    if other := {path: year for path, year in years.items() if year != protocol.year}:
        lines = "\n".join(f"  {path}: {year}" for path, year in other.items())
        raise DataError(
            f"{results} must hold scores by the protocol of {protocol.year} for a submission of that year; evaluate "
            f"again with --protocol {protocol.year}, or give --protocol; these are of another year:\n{lines}"
        )


def _final(main: Path, backend: str, track: str, protocol: Protocol) -> Iterator[tuple[Path, str]]:
    top = main / "zero_shot" / backend
    for folder, path in prediction_files(top, protocol.full).items():
        for line in _predictions(path, folder, protocol.year, full=True):
            yield path, line
    for task, path in glue_files(main, protocol).items():
        size, number = GROUP_SIZES[protocol.year]["glue_filtered"][task], _num_predictions(read_json_object(path), task)
        if number is None:
            yield path, f"{path} (fine-tuning on {task})"
        elif number != size:
            yield path, f"{path}: {task} must have {size} predictions; it has {number}"
    for path in age_files(top, protocol).values():
        for line in _age_score(path) if path.name == AGE_SCORE else _ages(path, track):
            yield path, line


def _fast(results: Path, backend: str, track: str, protocol: Protocol) -> Iterator[tuple[Path, str]]:
    for millions in AOA_CHECKPOINTS[track]:
        top = results / f"chck_{millions}M" / "zero_shot" / backend
        if not top.is_dir():
            yield top, f"{top} (the fast tasks of checkpoint chck_{millions}M)"
            continue
        for folder, path in prediction_files(top, protocol.fast).items():
            for line in _predictions(path, folder, protocol.year, full=False):
                yield path, line


def _predictions(path: Path, folder: str, year: str, *, full: bool) -> Iterator[str]:
    """Yield what is wrong with one task: no file of predictions, or groups of other sizes than the official ones."""
    read = read_json_object(path)
    if read is None:
        yield f"{path} ({folder} of {'full' if full else 'fast'}_eval)"
        return
    for group in read:
        number, size = _num_predictions(read, group), expected_size(folder, group, year)
        if size is None:
            yield f"{path}: {folder} has no group '{group}'"
        elif number != size:
            yield f"{path}: {group} must have {size} predictions; it has {number or 0}"
    expected = {group.lower() for group in GROUP_SIZES[year][folder]} - {"*"}
    for group in sorted(expected - {group.lower() for group in read}):
        yield f"{path}: {folder} must have the group '{group}'"
    if len(read) != NUM_GROUPS.get(folder, len(read)):
        yield f"{path}: {folder} must have {NUM_GROUPS[folder]} groups; it has {len(read)}"


def _num_predictions(read: object, group: str) -> int | None:
    """Return the number of predictions of a group; None if the file has no list of them."""
    found = read.get(group) if isinstance(read, dict) else None
    rows = found.get("predictions") if isinstance(found, dict) else None
    return len(rows) if isinstance(rows, list) else None


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


def _age_score(path: Path) -> Iterator[str]:
    read = read_json_object(path)
    if read is None:
        yield f"{path} (agreement with children's ages of acquisition: --aoa with cdi_human.csv)"
    elif not isinstance(read.get("aoa"), float | int):
        yield f"{path}: aoa must be a number; got {str(read.get('aoa'))[:80]}"
