"""Answers of a run to each test item, from eval/items.parquet in its folder.

Columns: task (`causal/comps` for a variant), uid (the item's group), id, text (a fingerprint that identifies the item
in other tasks), correct (1, 0, or a share where options tie).
"""

from pathlib import Path

import pandas as pd

from sleep_tune.babylm.group_sizes import NUM_GROUPS
from sleep_tune.babylm.protocols import ABSENT, PROTOCOLS, Protocol
from sleep_tune.errors import DataError
from sleep_tune.metric_names import of_variant, split_variant
from sleep_tune.results.columns import PAIRS

__all__ = ["FILE", "read_answers"]

FILE = Path("eval", "items.parquet")

NEEDED, TEXT = ["task", "uid", "id", "correct"], "text"

PAIRS_TASK = "pairs"
"""The toy language's own minimal pairs, whose score is a share; BabyLM's tasks are in percent."""


def read_answers(run: Path, protocol: Protocol = PROTOCOLS[ABSENT]) -> dict[str, "pd.Series[float]"]:
    """Return endpoint -> score of each item, in the endpoint's unit (shares or percent); empty without the file.

    The series are indexed by (uid, id, text); text is empty in files of earlier versions. The items of a task whose
    groups are single items (Global PIQA) are one group, named as the task.

    Args:
        run: its folder.
        protocol: by which it was scored; the endpoints are that year's scores.

    Raises:
        DataError: the file is not a table of items.
    """
    path = run / FILE
    if not path.is_file():
        return {}
    try:
        table = _read(path).dropna(subset=["correct"])  # wug has no right answer
        table = table.assign(correct=table["correct"].astype("float64"))
        if not table["correct"].between(0.0, 1.0).all():
            raise ValueError("every 'correct' must be in [0, 1]")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} must be a table of items (task, uid, id, correct): {error}") from error
    answers = {}
    for task, rows in table.groupby("task", sort=False):
        variant, name = split_variant(str(task))
        grouped = rows.assign(uid=name) if name in NUM_GROUPS else rows
        scored = grouped.set_index(["uid", "id", TEXT])["correct"]
        endpoint, unit = (PAIRS, 1.0) if name == PAIRS_TASK else (f"{protocol.prefix}{name}", 100.0)
        answers[of_variant(variant, endpoint)] = scored * unit
    return answers


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, columns=[*NEEDED, TEXT])
    except (ValueError, KeyError):
        return pd.read_parquet(path, columns=NEEDED).assign(**{TEXT: ""})
