"""The file to upload to the challenge's leaderboard: all predictions of a submission, and scores of the fast tasks.

Its structure and order are those of the collation in BabyLM's pipeline of the year. One number differs on purpose: the
collation of 2026 compares a checkpoint's prediction on EWoK, a whole sentence, with the bare target, so that every
model scores 0; here it is compared with the right sentence.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS, FOLDERS, READING_SCORES
from sleep_tune.babylm.group_sizes import NUM_GROUPS
from sleep_tune.babylm.protocols import Protocol
from sleep_tune.errors import DataError
from sleep_tune.evaluation.human_agreement import wug_rho
from sleep_tune.evaluation.items import Item
from sleep_tune.evaluation.reading_times import FILE, ReadingTimes, Surprisal, read_times
from sleep_tune.evaluation.submission import Gaps, age_files, glue_files, prediction_files
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import read_items, tasks_of
from sleep_tune.files import write_whole

__all__ = ["FAST_RESULTS", "collate", "write_collation"]

READING = "reading"

FAST_RESULTS = "fast_eval_results"
"""Name in the file of the checkpoints' scores."""

Groups = dict[str, list[dict[str, Any]]]
"""Group -> its predictions, in the order of the data."""

GroupScorer = Callable[[Groups, str], dict[str, float]]
"""Function (predictions, their file) -> score by group; shares and correlations, not percent."""


def write_collation(results: Path, backend: str, content: Mapping[str, Any]) -> Path:
    """Write the file at the place where the official collation writes it, and return its path."""
    path = results / f"all_full_preds_and_fast_scores_{backend}.json"
    write_whole(path, json.dumps(content))
    return path


def collate(
    results: Path, backend: str, track: str, fast_data: Path, protocol: Protocol, gaps: Gaps
) -> tuple[dict[str, Any], Gaps]:
    """Return the content of the file, and what is missing in it.

    Args:
        results: folder of one model, OUTPUT_DIR/<model>.
        backend: back end of the predictions that are submitted.
        track: a key of AOA_CHECKPOINTS.
        fast_data: evaluation_data/fast_eval, which has the right answers of the checkpoints' tasks.
        protocol: of the submission.
        gaps: as `missing_parts` returns them; these parts are null.

    Returns:
        The content; and the gaps, with predictions that do not fit the fast data, if the protocol allows them.

    Raises:
        DataError: `fast_data` lacks tasks of which there are predictions (all are named); or predictions do not fit its
            items and the protocol does not allow gaps.
    """
    gaps = dict(gaps)
    main = results / "main"
    top = main / "zero_shot" / backend
    checkpoints = [results / f"chck_{millions}M" / "zero_shot" / backend for millions in AOA_CHECKPOINTS[track]]
    scored = {
        _name(folder, protocol): [_score_file(scorer, path, protocol, gaps) for path in paths]
        for folder, scorer, paths in _fast_parts(fast_data, checkpoints, protocol, gaps)
    }
    full = {_name(name, protocol): _load(path, gaps) for name, path in prediction_files(top, protocol.full).items()}
    ages = {name: _load(path, gaps) for name, path in age_files(top, protocol).items()}
    glue: dict[str, Any] = {}
    for path in glue_files(main, protocol).values():
        glue |= _load(path, gaps) or {}
    return {**full, **ages, "glue": glue, FAST_RESULTS: scored}, gaps


def _name(folder: str, protocol: Protocol) -> str:
    """Return a task's name in the file."""
    return protocol.submitted_as.get(FOLDERS[folder], FOLDERS[folder])


def _is_missing(path: Path, gaps: Gaps) -> bool:
    return any(place in gaps for place in (path, *path.parents))


def _load(path: Path, gaps: Gaps) -> dict[str, Any] | None:
    """Return the object in a file; None if it is missing or of a wrong size."""
    if _is_missing(path, gaps):
        return None
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def _score_file(scorer: GroupScorer, path: Path, protocol: Protocol, gaps: Gaps) -> dict[str, float] | None:
    """Return the scores of a checkpoint's predictions; None if there are none, or (a new gap) if they do not fit."""
    read = _load(path, gaps)
    if read is None:
        return None
    try:
        return scorer({group: found["predictions"] for group, found in read.items()}, str(path))
    except DataError as error:
        if not protocol.allows_missing:
            raise
        gaps[path] = [str(error)]
        return None


def _fast_parts(
    data: Path, checkpoints: Sequence[Path], protocol: Protocol, gaps: Gaps
) -> Iterator[tuple[str, GroupScorer, list[Path]]]:
    """Yield each fast task, its scorer and the checkpoints' files; the data is read once for all checkpoints."""
    files = [prediction_files(top, protocol.fast) for top in checkpoints]
    paths = {name: [own[name] for own in files] for name in protocol.fast}
    needed = [name for name in protocol.fast if not all(_is_missing(path, gaps) for path in paths[name])]
    folders = find_task_folders(data, protocol.fast) if needed else {}
    if lacking := [name for name in needed if name not in folders]:
        raise DataError(
            f"{data} must hold all fast tasks of the submission, whose right answers the checkpoints' scores need "
            f"(--data evaluation_data/fast_eval); it lacks {', '.join(lacking)}"
        )
    for name in protocol.fast:
        yield name, _scorer(name, folders[name], protocol) if name in needed else _nothing, paths[name]


def _nothing(groups: Groups, where: str) -> dict[str, float]:
    """Return the scores of no predictions."""
    return {}


def _scorer(name: str, folder: Path, protocol: Protocol) -> GroupScorer:
    """Return the scorer of a fast task, which knows its right answers."""
    if name == READING:
        return _reading_scorer(read_times(folder / FILE))
    task = tasks_of(protocol)[name]
    by_uid: dict[str, list[Item]] = {}
    for item in read_items(task, folder):
        by_uid.setdefault(item.uid, []).append(item)
    if name in NUM_GROUPS:
        return _one_share(name, by_uid)
    if task.predicts_probability:
        return _item_scorer(by_uid, _rho, "prob")
    return _item_scorer(by_uid, _share_of_texts if task.predicts_text else _share, "pred")


def _item_scorer(
    items: Mapping[str, Sequence[Item]], score: Callable[[Sequence[Item], list[Any]], float], column: str
) -> GroupScorer:
    """Return a scorer of groups by one column of their predictions."""

    def score_groups(groups: Groups, where: str) -> dict[str, float]:
        _require({uid: len(own) for uid, own in items.items()}, groups, (column,), where)
        return {uid: score(items[uid], [one[column] for one in predictions]) for uid, predictions in groups.items()}

    return score_groups


def _one_share(name: str, items: Mapping[str, Sequence[Item]]) -> GroupScorer:
    """Return a scorer of a task whose groups are its items: one share over all of them, under the task's name."""
    by_group = _item_scorer(items, _share, "pred")

    def score_groups(groups: Groups, where: str) -> dict[str, float]:
        shares = by_group(groups, where)
        return {name: sum(shares.values()) / len(shares)}

    return score_groups


def _share(items: Sequence[Item], chosen: list[Any]) -> float:
    """Return the share of chosen endings that are the right option's, apart from blanks around them."""
    return _share_equal([item.options[item.label].ending for item in items], chosen)


def _share_of_texts(items: Sequence[Item], chosen: list[Any]) -> float:
    """Return the share of chosen texts that are the right option's, apart from blanks around them."""
    return _share_equal([item.options[item.label].text for item in items], chosen)


def _share_equal(right: Sequence[str], chosen: list[Any]) -> float:
    return sum(str(text).strip() == one.strip() for one, text in zip(right, chosen, strict=True)) / len(right)


def _rho(items: Sequence[Item], probabilities: list[Any]) -> float:
    """Return Spearman's rho of the predicted probabilities and people's choices."""
    return wug_rho(probabilities, [item.human if item.human is not None else math.nan for item in items])


def _reading_scorer(times: ReadingTimes) -> GroupScorer:
    def score_groups(groups: Groups, where: str) -> dict[str, float]:
        names = ("pred", "prev_pred")
        _require({READING: len(times.words)}, groups, names, where)
        words, previous = (np.array([row[name] for row in groups[READING]], dtype=np.float64) for name in names)
        scores = Surprisal(words, previous).scores(times)
        eyes, paced = (scores[name] / 100 for name in READING_SCORES)
        return {"spr": paced, "rt": eyes}

    return score_groups


def _require(sizes: Mapping[str, int], groups: Groups, names: Sequence[str], where: str) -> None:
    """Check that predictions have the groups of the data, one row for each item, and all columns that are scored."""
    for group in sizes.keys() - groups.keys():
        raise DataError(f"{where} must have predictions of '{group}', as the fast data has; it has {sorted(groups)}")
    for group, predictions in groups.items():
        if len(predictions) != sizes.get(group, 0):
            raise DataError(
                f"{where}: '{group}' must have a prediction of each of the fast data's {sizes.get(group, 0)} items; "
                f"it has {len(predictions)}"
            )
        for number, row in enumerate(predictions):
            if not isinstance(row, dict) or not all(name in row for name in names):
                raise DataError(
                    f"{where}: prediction {number} of '{group}' must be an object with {' and '.join(names)}; got "
                    f"{str(row)[:80]}"
                )
