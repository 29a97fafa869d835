"""The file to upload to the challenge's leaderboard: all predictions of a submission, and scores of the fast tasks.

Its structure and order are those of the collation in babylm/evaluation-pipeline-2025.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS, FOLDERS, READING_SCORES
from sleep_tune.babylm.group_sizes import GROUP_SIZES
from sleep_tune.errors import DataError
from sleep_tune.evaluation.human_agreement import wug_rho
from sleep_tune.evaluation.items import Item
from sleep_tune.evaluation.official_files import PREDICTIONS
from sleep_tune.evaluation.reading_times import FILE, ReadingTimes, Surprisal, read_times
from sleep_tune.evaluation.submission import AGES, FAST_TASKS, FULL_TASKS
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import TASKS, read_items
from sleep_tune.files import write_whole

__all__ = ["collate", "write_collation"]

READING = "reading"

Groups = dict[str, list[dict[str, Any]]]
"""Group -> its predictions, in the order of the data."""

GroupScorer = Callable[[Groups, str], dict[str, float]]
"""Function (predictions, their file) -> score by group; shares and correlations, not percent."""


def write_collation(results: Path, backend: str, track: str, fast_data: Path) -> Path:
    """Write the file at the place where the official collation writes it, and return its path.

    Args:
        results: folder of one model, OUTPUT_DIR/<model>; a complete submission, see `missing_parts`.
        backend: back end of the predictions that are submitted.
        track: a key of AOA_CHECKPOINTS.
        fast_data: evaluation_data/fast_eval, which has the right answers of the checkpoints' tasks.

    Raises:
        DataError: `fast_data` lacks tasks (all are named), or predictions do not fit its items.
    """
    path = results / f"all_full_preds_and_fast_scores_{backend}.json"
    write_whole(path, json.dumps(collate(results, backend, track, fast_data)))
    return path


def collate(results: Path, backend: str, track: str, fast_data: Path) -> dict[str, Any]:
    """Return the content of the file; see `write_collation`."""
    scores = {
        _name(folder): [
            _score_file(scorer, checkpoint / "zero_shot" / backend / FAST_TASKS[folder] / PREDICTIONS)
            for checkpoint in (results / f"chck_{millions}M" for millions in AOA_CHECKPOINTS[track])
        ]
        for folder, scorer in _group_scorers(fast_data)
    }
    main = results / "main"
    top = main / "zero_shot" / backend
    content = {_name(folder): _load(top / place / PREDICTIONS) for folder, place in FULL_TASKS.items()}
    content["aoa"] = _load(top / AGES)
    content["glue"] = {}
    for task in GROUP_SIZES["2025"]["glue_filtered"]:
        content["glue"] |= _load(main / "finetune" / task / PREDICTIONS)
    content["fast_eval_results"] = scores
    return content


def _name(folder: str) -> str:
    """Return a task's name in the file."""
    return "blimp_supplement" if FOLDERS[folder] == "supplement" else FOLDERS[folder]


def _load(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def _score_file(scorer: GroupScorer, path: Path) -> dict[str, float]:
    return scorer({group: found["predictions"] for group, found in _load(path).items()}, str(path))


def _group_scorers(data: Path) -> Iterator[tuple[str, GroupScorer]]:
    """Yield the scorer of each fast task, in the order of FAST_TASKS; the data is read once for all checkpoints."""
    folders = find_task_folders(data, FAST_TASKS)
    if lacking := [name for name in FAST_TASKS if name not in folders]:
        raise DataError(
            f"{data} must hold all fast tasks, whose right answers the checkpoints' scores need (--data "
            f"evaluation_data/fast_eval); it lacks {', '.join(lacking)}"
        )
    for name in FAST_TASKS:
        if name == READING:
            yield name, _reading_scorer(read_times(folders[name] / FILE))
        else:
            by_uid: dict[str, list[Item]] = {}
            for item in read_items(TASKS[name], folders[name]):
                by_uid.setdefault(item.uid, []).append(item)
            yield (
                name,
                _item_scorer(by_uid, *((_rho, "prob") if TASKS[name].predicts_probability else (_share, "pred"))),
            )


def _item_scorer(
    items: Mapping[str, Sequence[Item]], score: Callable[[Sequence[Item], list[Any]], float], column: str
) -> GroupScorer:
    """Return a scorer of groups by one column of their predictions."""

    def score_groups(groups: Groups, where: str) -> dict[str, float]:
        _require({uid: len(own) for uid, own in items.items()}, groups, (column,), where)
        return {uid: score(items[uid], [one[column] for one in predictions]) for uid, predictions in groups.items()}

    return score_groups


def _share(items: Sequence[Item], chosen: list[Any]) -> float:
    """Return the share of chosen texts that are the right option, apart from blanks around them."""
    right = sum(
        str(text).strip() == item.options[item.label].ending.strip() for item, text in zip(items, chosen, strict=True)
    )
    return right / len(items)


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
