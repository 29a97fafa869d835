"""A model's zero-shot scores as an object for a notebook, with tidy pandas frames."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sleep_tune.evaluate.zero_shot import BackendScores, score_rows
from sleep_tune.evaluation.score_files import items_table

__all__ = ["EvaluationResults"]


class EvaluationResults:
    """A model's zero-shot scores. In a notebook they are shown as the frame `scores`.

    Attributes:
        scores: a row per back end and task, and the macro average. Columns: model, revision, backend, task, items,
            score and chance (percent; rank correlations times 100), ties (share of items).
        items: a row per back end and item of a task with options. Columns: backend, task, uid (group), id, text (a
            fingerprint), scores (log-probability of each option, in nats; of Global PIQA nats per token), prediction
            and label (options, from 0), margin (nats), correct (1 or 0; in 2026 1/k for a tie of k best options),
            human (share of people who chose option 0).
        warnings: what to know before the scores are compared.
        folders: where the files are, one folder per back end; they are those of BabyLM's pipeline.
    """

    scores: pd.DataFrame
    items: pd.DataFrame
    warnings: tuple[str, ...]
    folders: tuple[Path, ...]

    def __init__(self, parts: Sequence[BackendScores]) -> None:
        rows = [
            {"model": part.model, "revision": part.revision, "backend": part.backend, **row}
            for part in parts
            for row in score_rows(part.scored)
        ]
        self.scores = pd.DataFrame(rows).astype({"items": "Int64", "chance": "float64", "ties": "float64"})
        tables = [_items(part) for part in parts if part.scored.tasks]
        self.items = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        self.warnings = tuple(dict.fromkeys(warning for part in parts for warning in part.warnings))
        self.folders = tuple(part.folder for part in parts)

    def __repr__(self) -> str:
        return repr(self.scores)

    def _repr_html_(self) -> str:
        return self.scores.to_html(index=False, float_format="{:.2f}".format)


def _items(part: BackendScores) -> pd.DataFrame:
    table = items_table(part.scored.tasks)
    table.insert(0, "backend", part.backend)
    return table
