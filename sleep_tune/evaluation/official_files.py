"""The files that BabyLM's pipeline writes for a zero-shot task, byte for byte. Knows no model and no scoring."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.evaluation.human_agreement import wug_ratios
from sleep_tune.evaluation.items import Item, choose
from sleep_tune.evaluation.task_report import TaskReport
from sleep_tune.evaluation.tasks import Task
from sleep_tune.files import write_whole

__all__ = ["PREDICTIONS", "REPORT", "predictions", "report", "write_official"]

PREDICTIONS, REPORT = "predictions.json", "best_temperature_report.txt"


def report(figures: TaskReport) -> str:
    """The text of best_temperature_report.txt. The temperature is 1: chosen on the test itself, it would be fitted."""
    lines = ["TEMPERATURE: 1.00", ""]
    for section, groups in figures.sections.items():
        lines.append(f"### {section.upper()} {figures.metric}")
        lines += [f"{group}: {value:.2f}" for group, value in groups.items()]
        lines.append("")
    lines += [f"### AVERAGE {figures.metric}", f"{figures.average:.2f}", ""]
    return "\n".join(lines) + "\n"


def predictions(
    task: Task, items: Sequence[Item], scores: Sequence[NDArray[np.float64]]
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The object of predictions.json: UID -> {"predictions": [{"id", "pred"}]}, in the order of the files.

    Args:
        task: says what tells a prediction, and whether a probability comes with it.
        items: of the task.
        scores: of each item's options.
    """
    probabilities = wug_ratios(np.stack(scores)).tolist() if task.predicts_probability else None
    by_uid: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for number, (item, options) in enumerate(zip(items, scores, strict=True)):
        chosen = item.options[choose(options)]
        told: dict[str, Any] = {"id": item.id, "pred": chosen.text if task.predicts_text else chosen.ending}
        if probabilities is not None:
            told["prob"] = probabilities[number]
        by_uid.setdefault(item.uid, {"predictions": []})["predictions"].append(told)
    return by_uid


def write_official(
    folder: Path, task: Task, items: Sequence[Item], scores: Sequence[NDArray[np.float64]], figures: TaskReport
) -> None:
    """Write predictions.json and best_temperature_report.txt."""
    write_whole(folder / PREDICTIONS, json.dumps(predictions(task, items, scores)))
    write_whole(folder / REPORT, report(figures))
