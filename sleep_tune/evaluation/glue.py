"""GLUE and SuperGLUE as filtered by BabyLM: the tasks, what their lines hold, and how each is fine-tuned.

Columns, templates and settings are those of babylm/evaluation-pipeline-2025 (`finetune/`, `eval_finetuning.sh`), its
metrics scikit-learn's. Knows no model; training is `finetuning`'s.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.errors import DataError, unknown
from sleep_tune.evaluation.task_files import ColumnRule, TaskFile, checked_rows, is_nonblank

__all__ = ["GLUE_METRICS", "GLUE_TASKS", "Examples", "GlueTask", "find_glue_files", "read_examples"]

Labels = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class GlueTask:
    """A task of pairs of texts with a label."""

    first: tuple[str, ...]
    """Columns of the first text."""
    second: tuple[str, ...]
    template: str = ""
    """Joins the columns of the first text; empty: blanks do."""
    labels: int = 2
    batch_size: int = 32
    epochs: int = 10
    chosen_by: str = "accuracy"
    """The metric on the validation data that decides which epoch's model is kept."""
    metrics: tuple[str, ...] = ("accuracy", "f1", "mcc")


GLUE_TASKS: dict[str, GlueTask] = {
    "boolq": GlueTask(("question",), ("passage",), batch_size=16),
    "mnli": GlueTask(("premise",), ("hypothesis",), labels=3, metrics=("accuracy",)),
    "mrpc": GlueTask(("sentence1",), ("sentence2",), chosen_by="f1"),
    "multirc": GlueTask(("question", "answer"), ("paragraph",), "Question: {} Answer: {}", batch_size=16),
    "qqp": GlueTask(("question1",), ("question2",), chosen_by="f1"),
    "rte": GlueTask(("sentence1",), ("sentence2",)),
    "wsc": GlueTask(("span2_text", "span1_text"), ("text",), 'Does "{}" refer to "{}" in this passage?', epochs=30),
}
"""Name -> task. Files are <name>.train.jsonl and <name>.valid.jsonl, which is both chosen by and predicted."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Lines of a file."""

    texts: tuple[tuple[str, str], ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        """Their number."""
        return len(self.labels)


def find_glue_files(data: Path, only: Sequence[str] = ()) -> dict[str, tuple[Path, Path]]:
    """The tasks that a folder holds: name -> training and validation file.

    Args:
        data: glue_filtered.
        only: keep these.

    Raises:
        DataError: it holds none, or lacks one that was asked for, or one of a task's two files.
    """
    for name in only:
        if name not in GLUE_TASKS:
            raise DataError(unknown("fine-tuning task", name, GLUE_TASKS))
    found = {}
    for name in GLUE_TASKS:
        train, valid = (data / f"{name}.{split}.jsonl" for split in ("train", "valid"))
        if train.is_file() and valid.is_file():
            found[name] = (train, valid)
        elif name in only or train.is_file() or valid.is_file():
            raise DataError(f"{name} must have {train.name} and {valid.name} in {data}")
    chosen = {name: files for name, files in found.items() if not only or name in only}
    if not chosen:
        raise DataError(
            f"{data} must hold <task>.train.jsonl and <task>.valid.jsonl of {', '.join(GLUE_TASKS)}; it holds none"
        )
    return chosen


TEXT_OR_EMPTY = ColumnRule(
    "a text of whole characters",
    lambda value: isinstance(value, str) and (not value.strip() or is_nonblank(value)),
)


def read_examples(task: GlueTask, path: Path) -> Examples:
    """Read a file.

    Raises:
        DataError: a line is no JSON object, lacks a column, or has a label out of range; names file, line and column.
    """
    texts, labels = [], []
    columns = dict.fromkeys((*task.first, *task.second), TEXT_OR_EMPTY)
    for number, row in checked_rows(TaskFile(str(path), path.stem, path.read_bytes()), lambda _row: columns):
        label: Any = row.get("label")
        if isinstance(label, bool) or label not in range(task.labels):
            raise DataError(f"{path}:{number}: label must be a whole number from 0 to {task.labels - 1}; got {label!r}")
        first = [row[column] for column in task.first]
        texts.append((task.template.format(*first) if task.template else " ".join(first), row[task.second[0]]))
        labels.append(int(label))
    return Examples(tuple(texts), tuple(labels))


def accuracy(labels: Labels, predictions: Labels) -> float:
    """The share of right ones."""
    return float(np.mean(labels == predictions))


def f1(labels: Labels, predictions: Labels) -> float:
    """F1 of label 1; 0 where it is neither given nor predicted."""
    right = int(np.sum((labels == 1) & (predictions == 1)))
    told = int(np.sum(labels == 1) + np.sum(predictions == 1))
    return 2.0 * right / told if told else 0.0


def mcc(labels: Labels, predictions: Labels) -> float:
    """Matthews' correlation of two binary labels; 0 where one of them is constant."""
    first, second = labels.astype(np.float64), predictions.astype(np.float64)
    spread = float(first.std() * second.std())
    return float(np.mean((first - first.mean()) * (second - second.mean()))) / spread if spread else 0.0


GLUE_METRICS: Mapping[str, Callable[[Labels, Labels], float]] = {"accuracy": accuracy, "f1": f1, "mcc": mcc}
"""Name -> function of labels and predictions."""
