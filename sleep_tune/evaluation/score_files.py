"""The files of a model's zero-shot scores: the official files, scores.json, and items.parquet with all items."""

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

from sleep_tune.babylm.averages import benchmark_average
from sleep_tune.babylm.protocols import ABSENT, Protocol
from sleep_tune.errors import DataError
from sleep_tune.evaluation.items import Item, margin
from sleep_tune.evaluation.official_files import write_official, write_official_reading
from sleep_tune.evaluation.suite import READING, SuiteScores, TaskScores
from sleep_tune.evaluation.task_report import ACCURACY
from sleep_tune.evaluation.tie_rules import Decisions, decide
from sleep_tune.files import read_json_object, write_whole
from sleep_tune.metric_names import of_variant

__all__ = [
    "ITEMS",
    "SCORES",
    "item_rows",
    "items_table",
    "macro_score",
    "read_previous_scores",
    "require_same_protocol",
    "write_items",
    "write_zero_shot",
]

SCORES, ITEMS = "scores.json", "items.parquet"


def write_zero_shot(top: Path, scored: SuiteScores, warnings: Sequence[str], about: Mapping[str, str]) -> None:
    """Write the official files of each task, items.parquet and, last, scores.json.

    Args:
        top: the back end's folder in a model's results.
        scored: scores of all tasks.
        warnings: for scores.json.
        about: model, back end and the like, for scores.json.
    """
    for result in scored.tasks:
        write_official(top / result.task.official / result.path.stem, result)
    if scored.surprisal is not None:
        write_official_reading(top / READING, scored.surprisal, scored.reading)
    if scored.tasks:
        write_items(top / ITEMS, items_table(scored.tasks))
    content = {
        **about,
        "scores": scored.scores | {"macro": macro_score(scored.scores)},
        "tasks": _details(scored.tasks),
        "warnings": list(warnings),
    }
    write_whole(top / SCORES, json.dumps(_without_nan(content), indent=2, allow_nan=False) + "\n")


def _details(results: Sequence[TaskScores]) -> dict[str, dict[str, Any]]:
    """Return task -> its score in percent, number of items, share of ties, and the sections of its report."""
    return {
        result.name: {
            "score": result.score,
            "items": len(result.items),
            "ties": result.ties,
            "metric": result.report.metric.lower(),
            "groups": {section: dict(groups) for section, groups in result.report.sections.items()},
        }
        for result in results
    }


def macro_score(scores: Mapping[str, float]) -> float | None:
    """Return the macro average over BabyLM's tasks among scores in percent; None if there are none, or one is NaN."""
    average = benchmark_average(scores)
    return None if average is None else _none_for_nan(average)


def require_same_protocol(path: Path, protocol: Protocol) -> None:
    """Raise DataError if a scores.json holds scores of another protocol; without a protocol they are of ABSENT."""
    content = read_json_object(path)
    if content is None:
        return
    if (year := content.get("protocol", ABSENT)) != protocol.year:
        raise DataError(
            f"{path} must hold scores of protocol {protocol.year} to be replaced; it holds those of {year}: give "
            "another --output-dir"
        )


def read_previous_scores(path: Path) -> tuple[str | None, tuple[str, ...]]:
    """Return the model and the names of the scores in a scores.json; None and no names if it cannot be read."""
    content = read_json_object(path) or {}
    model, scores = content.get("model"), content.get("scores")
    return model if isinstance(model, str) else None, tuple(scores) if isinstance(scores, dict) else ()


def items_table(results: Sequence[TaskScores], variant: str = "") -> pd.DataFrame:
    """Return a table with a row for each item, with the tasks of a variant of the metrics.

    Columns: task; uid and id, as in predictions.json; text, a fingerprint of the options' texts, which identifies an
    item across folders (blimp_fast is a subset of blimp_filtered with other numbers); scores, of each option in nats;
    prediction and label, indices of options; margin, of the right option over the best other one, in nats; correct, 1
    or 0, or the share that a tie counts by the protocol, and NaN for a task without right answers; human, the share of
    people who chose option 0.
    """
    rows = [
        row
        for result in results
        for row in item_rows(
            of_variant(variant, result.name),
            result.items,
            result.scores,
            has_answers=result.report.metric == ACCURACY,
            decisions=result.decisions,
        )
    ]
    return pd.DataFrame(rows)


def item_rows(
    task: str,
    items: Sequence[Item],
    scores: Sequence[NDArray[np.float64]],
    *,
    has_answers: bool = True,
    decisions: Decisions | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of one task, as `items_table` has them.

    Args:
        task: its name.
        items: its items.
        scores: for each item (number of options,) log-probabilities in nats.
        has_answers: whether one of the options is right.
        decisions: the model's choices; None: the first of the best options.
    """
    made = decisions or decide(items, scores)
    return [
        {
            "task": task,
            "uid": item.uid,
            "id": item.id,
            "text": _fingerprint(item),
            "scores": own.tolist(),
            "prediction": chosen,
            "label": item.label,
            "margin": margin(own, item.label),
            "correct": credit if has_answers else math.nan,
            "human": item.human if item.human is not None else math.nan,
        }
        for item, own, chosen, credit in zip(
            items, scores, made.predictions.tolist(), made.credits.tolist(), strict=True
        )
    ]


def _fingerprint(item: Item) -> str:
    texts = "\0".join(option.text for option in item.options)
    return hashlib.blake2b(texts.encode(), digest_size=8).hexdigest()


def write_items(path: Path, table: pd.DataFrame) -> None:
    """Write a table as a Parquet file, atomically."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_whole(path, buffer.getvalue())


def _without_nan(value: Any) -> Any:
    """Replace NaN, which JSON does not have, by None in a nested dictionary."""
    if isinstance(value, Mapping):
        return {name: _without_nan(inner) for name, inner in value.items()}
    return _none_for_nan(value) if isinstance(value, float) else value


def _none_for_nan(value: float) -> float | None:
    return None if math.isnan(value) else value
