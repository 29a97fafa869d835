"""The files that BabyLM's pipeline writes for a zero-shot task, byte for byte."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.babylm.challenge import READING_SCORES
from sleep_tune.evaluation.human_agreement import wug_ratios
from sleep_tune.evaluation.items import Item
from sleep_tune.evaluation.reading_times import Surprisal
from sleep_tune.evaluation.suite import TaskScores
from sleep_tune.evaluation.task_report import TaskReport
from sleep_tune.evaluation.tasks import Task
from sleep_tune.files import write_whole

__all__ = ["PREDICTIONS", "REPORT", "format_report", "task_predictions", "write_official", "write_official_reading"]

PREDICTIONS, REPORT, READING_REPORT = "predictions.json", "best_temperature_report.txt", "report.txt"


def write_official(folder: Path, result: TaskScores) -> None:
    """Write predictions.json and best_temperature_report.txt of a task.

    Args:
        folder: the task's folder in a model's results.
        result: scores on the task.
    """
    predictions = task_predictions(result.task, result.items, result.scores, result.decisions.predictions)
    write_whole(folder / PREDICTIONS, json.dumps(predictions))
    write_whole(folder / REPORT, format_report(result.report))


def format_report(report: TaskReport) -> str:
    """Return the text of best_temperature_report.txt.

    The temperature is always 1: the pipeline would choose the best one on the test items themselves.
    """
    lines = ["TEMPERATURE: 1.00", ""]
    for section, groups in report.sections.items():
        lines.append(f"### {section.upper()} {report.metric}")
        lines += [f"{group}: {value:.2f}" for group, value in groups.items()]
        lines.append("")
    lines += [f"### AVERAGE {report.metric}", f"{report.average:.2f}", ""]
    return "\n".join(lines) + "\n"


def task_predictions(
    task: Task, items: Sequence[Item], scores: Sequence[NDArray[np.float64]], chosen: NDArray[np.int64]
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return the object of predictions.json: UID -> {"predictions": [{"id", "pred"}]}, in the order of the files.

    Args:
        task: says which text is the prediction, and whether its probability is written too.
        items: of the task.
        scores: for each item (number of options,) log-probabilities in nats.
        chosen: (number of items,) indices of options.
    """
    probabilities = wug_ratios(np.stack(scores)).tolist() if task.predicts_probability else None
    by_uid: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for number, (item, index) in enumerate(zip(items, chosen.tolist(), strict=True)):
        option = item.options[index]
        row: dict[str, Any] = {"id": item.id, "pred": option.text if task.predicts_text else option.ending}
        if probabilities is not None:
            row["prob"] = probabilities[number]
        by_uid.setdefault(item.uid, {"predictions": []})["predictions"].append(row)
    return by_uid


def write_official_reading(folder: Path, surprisal: Surprisal, scores: Mapping[str, float]) -> None:
    """Write predictions.json and report.txt of the task `reading`.

    Args:
        folder: the task's folder in a model's results.
        surprisal: NaN is written as NaN, which Python's json reads back.
        scores: READING_SCORES in percent.
    """
    pairs = zip(surprisal.words.tolist(), surprisal.previous.tolist(), strict=True)
    rows = [{"id": index, "pred": word, "prev_pred": previous} for index, (word, previous) in enumerate(pairs)]
    write_whole(folder / PREDICTIONS, json.dumps({"reading": {"predictions": rows}}))
    eyes, paced = (scores[name] for name in READING_SCORES)
    text = f"EYE TRACKING SCORE: {eyes:.2f}\nSELF-PACED READING SCORE: {paced:.2f}\n"
    write_whole(folder / READING_REPORT, text)
