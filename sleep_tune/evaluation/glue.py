"""The tasks of GLUE and SuperGLUE as filtered by BabyLM: columns of their files, settings for fine-tuning, metrics.

Columns, templates and settings are those of babylm/evaluation-pipeline-2025 (`finetune/`, `eval_finetuning.sh`); the
metrics are those of scikit-learn, which it uses.
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
    """A classification task on pairs of texts."""

    first: tuple[str, ...]
    """Columns of the first text."""
    second: tuple[str, ...]
    template: str = ""
    """Format string that joins the columns of the first text; empty: they are joined by blanks."""
    labels: int = 2
    batch_size: int = 32
    epochs: int = 10
    chosen_by: str = "accuracy"
    """Metric on the validation data by which the best epoch is chosen."""
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
"""Name -> task. Its files are <name>.train.jsonl, and <name>.valid.jsonl, which chooses the epoch and is predicted."""


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples in a file."""

    texts: tuple[tuple[str, str], ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.labels)


def find_glue_files(data: Path, only: Sequence[str] = ()) -> dict[str, tuple[Path, Path]]:
    """Return the tasks in a folder: name -> (training file, validation file).

    Args:
        data: the folder glue_filtered.
        only: names of tasks to return; empty: all that exist.

    Raises:
        DataError: the folder holds no task, or lacks one of the two files of a task that it has or that is asked for.
    """
    for name in only:
        if name not in GLUE_TASKS:
            raise DataError(unknown("fine-tuning task", name, GLUE_TASKS))
    found = {}
    for name in only or GLUE_TASKS:
        train, valid = (data / f"{name}.{split}.jsonl" for split in ("train", "valid"))
        if train.is_file() and valid.is_file():
            found[name] = (train, valid)
        elif only or train.is_file() or valid.is_file():
            raise DataError(f"{name} must have {train.name} and {valid.name} in {data}")
    if not found:
        raise DataError(
            f"{data} must hold <task>.train.jsonl and <task>.valid.jsonl of {', '.join(GLUE_TASKS)}; it holds none"
        )
    return found


TEXT_OR_EMPTY = ColumnRule(
    "a text of whole characters",
    lambda value: isinstance(value, str) and (not value.strip() or is_nonblank(value)),
)


def read_examples(task: GlueTask, path: Path) -> Examples:
    """Read the examples of a file.

    Raises:
        DataError: a line is not a JSON object, lacks a column, or has a label out of range; the message gives file,
            line and column.
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
    """Return the share of right predictions; both arrays are (N,)."""
    return float(np.mean(labels == predictions))


def f1(labels: Labels, predictions: Labels) -> float:
    """Return F1 of label 1; 0 if it occurs neither in the labels nor in the predictions."""
    right = int(np.sum((labels == 1) & (predictions == 1)))
    total = int(np.sum(labels == 1) + np.sum(predictions == 1))
    return 2.0 * right / total if total else 0.0


def mcc(labels: Labels, predictions: Labels) -> float:
    """Return Matthews' correlation of binary labels and predictions; 0 if one of them is constant."""
    first, second = labels.astype(np.float64), predictions.astype(np.float64)
    spread = float(first.std() * second.std())
    return float(np.mean((first - first.mean()) * (second - second.mean()))) / spread if spread else 0.0


GLUE_METRICS: Mapping[str, Callable[[Labels, Labels], float]] = {"accuracy": accuracy, "f1": f1, "mcc": mcc}
"""Name -> function (labels (N,), predictions (N,)) -> value in [0, 1], or [-1, 1] for mcc."""
