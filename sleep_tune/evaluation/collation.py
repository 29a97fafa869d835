"""The one file that the challenge's leaderboard takes: a submission's predictions joined, and its fast tasks' scores.

Structure and order are those of the collation of babylm/evaluation-pipeline-2025. Whether everything is there is
`submission`'s to say; scores no model.
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
from sleep_tune.evaluation.reading_times import FILE, ReadingTimes, Surprisal, read_times
from sleep_tune.evaluation.submission import AGES, FAST, FULL
from sleep_tune.evaluation.suite import find_folders
from sleep_tune.evaluation.tasks import TASKS, read_items
from sleep_tune.files import write_whole

__all__ = ["collate", "write_collation"]

READING = "reading"

Groups = dict[str, list[dict[str, Any]]]
"""Group -> its predictions, in the order of the data."""

Judge = Callable[[Groups, str], dict[str, float]]
"""Predictions, where they are from -> score by group; shares and correlations, not percent."""


def write_collation(results: Path, backend: str, track: str, fast_data: Path) -> Path:
    """Write the file where the official collation puts it, whole, and say where that is.

    Args:
        results: of one model: OUTPUT_DIR/<model>, of which `submission.missing` finds nothing missing.
        backend: whose predictions are submitted.
        track: of AOA_CHECKPOINTS.
        fast_data: evaluation_data/fast_eval, which has the right answers of the checkpoints' tasks.

    Raises:
        DataError: `fast_data` lacks a task, or predictions are not those of its items; all tasks are named.
    """
    path = results / f"all_full_preds_and_fast_scores_{backend}.json"
    write_whole(path, json.dumps(collate(results, backend, track, fast_data)))
    return path


def collate(results: Path, backend: str, track: str, fast_data: Path) -> dict[str, Any]:
    """The file's object; see `write_collated`."""
    judges = dict(_judges(fast_data))
    main = results / "main"
    top = main / "zero_shot" / backend
    content = {_name(folder): _load(top / place / "predictions.json") for folder, place in FULL.items()}
    content["aoa"] = _load(top / AGES)
    content["glue"] = {}
    for task in GROUP_SIZES["glue_filtered"]:
        content["glue"] |= _load(main / "finetune" / task / "predictions.json")
    content["fast_eval_results"] = {
        _name(folder): [
            _judged(judge, results / f"chck_{millions}M" / "zero_shot" / backend / FAST[folder] / "predictions.json")
            for millions in AOA_CHECKPOINTS[track]
        ]
        for folder, judge in judges.items()
    }
    return content


def _name(folder: str) -> str:
    """A task's name in the file."""
    return "blimp_supplement" if FOLDERS[folder] == "supplement" else FOLDERS[folder]


def _load(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def _judged(judge: Judge, path: Path) -> dict[str, float]:
    return judge({group: found["predictions"] for group, found in _load(path).items()}, str(path))


def _judges(data: Path) -> Iterator[tuple[str, Judge]]:
    """What scores each fast task's predictions, in the order of FAST; the data is read once for all checkpoints."""
    folders = find_folders(data, FAST)
    if lacking := [name for name in FAST if name not in folders]:
        raise DataError(
            f"{data} must hold all fast tasks, whose right answers the checkpoints' scores need (--data "
            f"evaluation_data/fast_eval); it lacks {', '.join(lacking)}"
        )
    for name in FAST:
        if name == READING:
            yield name, _reading_judge(read_times(folders[name] / FILE))
        else:
            by_uid: dict[str, list[Item]] = {}
            for item in read_items(TASKS[name], folders[name]):
                by_uid.setdefault(item.uid, []).append(item)
            yield name, _judge(by_uid, *((_rho, "prob") if TASKS[name].predicts_probability else (_share, "pred")))


def _judge(
    items: Mapping[str, Sequence[Item]], score: Callable[[Sequence[Item], list[Any]], float], told: str
) -> Judge:
    """Scores groups by what their predictions tell under a name."""

    def judge(groups: Groups, where: str) -> dict[str, float]:
        _require({uid: len(own) for uid, own in items.items()}, groups, (told,), where)
        return {uid: score(items[uid], [one[told] for one in predictions]) for uid, predictions in groups.items()}

    return judge


def _share(items: Sequence[Item], chosen: list[Any]) -> float:
    """Share of the texts chosen that are the right option, blanks around them aside."""
    right = sum(
        str(text).strip() == item.options[item.label].ending.strip() for item, text in zip(items, chosen, strict=True)
    )
    return right / len(items)


def _rho(items: Sequence[Item], probabilities: list[Any]) -> float:
    """Spearman's rho of the probabilities told and people's choices."""
    return wug_rho(probabilities, [item.human if item.human is not None else math.nan for item in items])


def _reading_judge(times: ReadingTimes) -> Judge:
    def judge(groups: Groups, where: str) -> dict[str, float]:
        names = ("pred", "prev_pred")
        _require({READING: len(times.words)}, groups, names, where)
        words, previous = (np.array([row[name] for row in groups[READING]], dtype=np.float64) for name in names)
        scores = Surprisal(words, previous).scores(times)
        eyes, paced = (scores[name] / 100 for name in READING_SCORES)
        return {"spr": paced, "rt": eyes}

    return judge


def _require(sizes: Mapping[str, int], groups: Groups, names: Sequence[str], where: str) -> None:
    """Predictions are of the data's groups, all of them, one for each item, and tell what they are scored by."""
    for group in sizes.keys() - groups.keys():
        raise DataError(f"{where} must have predictions of '{group}', as the fast data has; it has {sorted(groups)}")
    for group, predictions in groups.items():
        if len(predictions) != sizes.get(group, 0):
            raise DataError(
                f"{where}: '{group}' must have a prediction of each of the fast data's {sizes.get(group, 0)} items; "
                f"it has {len(predictions)}"
            )
        for number, told in enumerate(predictions):
            if not isinstance(told, dict) or not all(name in told for name in names):
                raise DataError(
                    f"{where}: prediction {number} of '{group}' must be an object with {' and '.join(names)}; got "
                    f"{str(told)[:80]}"
                )
