"""Zero-shot scores as files for machines: scores.json, and items.parquet with every item's margin. Knows no reports."""

import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sleep_tune.babylm.averages import benchmark_averages
from sleep_tune.evaluation.items import Item, choose, margin
from sleep_tune.evaluation.suite import TaskScores
from sleep_tune.evaluation.task_report import ACCURACY
from sleep_tune.files import write_whole

__all__ = [
    "ITEMS",
    "SCORES",
    "details",
    "item_rows",
    "items_table",
    "macro",
    "scored_before",
    "write_items",
    "write_scores",
]

SCORES, ITEMS = "scores.json", "items.parquet"


def details(results: Sequence[TaskScores]) -> dict[str, dict[str, Any]]:
    """Task -> its score in percent, items, share of ties, and the sections of its report."""
    return {
        result.name: {
            "score": result.score,
            "items": len(result.items),
            "ties": result.ties,
            "metric": result.figures.metric.lower(),
            "groups": {section: dict(groups) for section, groups in result.figures.sections.items()},
        }
        for result in results
    }


def macro(scores: Mapping[str, float]) -> float | None:
    """The macro average over BabyLM's tasks among scores in percent; None where there are none, or one is NaN."""
    averages = benchmark_averages(scores)
    return None if averages is None else _number(averages.score)


def write_scores(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, whole; numbers that are none become null."""
    write_whole(path, json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")


def scored_before(path: Path) -> tuple[str | None, tuple[str, ...]]:
    """The model that a scores.json is of, and the names of its scores; None and no names where it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None, ()
    if not isinstance(content, dict):
        return None, ()
    model, scores = content.get("model"), content.get("scores")
    return model if isinstance(model, str) else None, tuple(scores) if isinstance(scores, dict) else ()


def items_table(results: Sequence[TaskScores]) -> pd.DataFrame:
    """One row an item.

    Columns: task; uid and id, as in predictions.json; text, a fingerprint of the options' texts, by which an item is
    known again in another folder (blimp_fast is a part of blimp_filtered, numbered anew); scores, of each option in
    nats; prediction and label, indices of options; margin, of the right option over the best other, in nats; correct,
    1 or 0 (a tie is right where the first option is), and missing where a task has no right answer; human, the share of
    people who chose option 0.
    """
    rows = [
        row
        for result in results
        for row in item_rows(result.name, result.items, result.scores, has_answers=result.figures.metric == ACCURACY)
    ]
    return pd.DataFrame(rows)


def item_rows(
    task: str, items: Sequence[Item], scores: Sequence[NDArray[np.float64]], *, has_answers: bool = True
) -> list[dict[str, Any]]:
    """The rows of one task, as `items_table` has them."""
    return [
        {
            "task": task,
            "uid": item.uid,
            "id": item.id,
            "text": _fingerprint(item),
            "scores": own.tolist(),
            "prediction": choose(own),
            "label": item.label,
            "margin": margin(own, item.label),
            "correct": float(choose(own) == item.label) if has_answers else math.nan,
            "human": item.human if item.human is not None else math.nan,
        }
        for item, own in zip(items, scores, strict=True)
    ]


def _fingerprint(item: Item) -> str:
    texts = "\0".join(option.text for option in item.options)
    return hashlib.blake2b(texts.encode(), digest_size=8).hexdigest()


def write_items(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, whole."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_whole(path, buffer.getvalue())


def _plain(value: Any) -> Any:
    """JSON has no NaN: a score that could not be computed is null."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return _number(value) if isinstance(value, float) else value


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
