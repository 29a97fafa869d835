"""Published figures as rows of a comparison: one CSV with a column `model`, one per metric, and `source`.

They have no seeds that anyone shares, and so no differences: they stand beside the arms for orientation.
"""

from pathlib import Path

import pandas as pd

from sleep_tune.errors import DataError
from sleep_tune.results.arms import Arm
from sleep_tune.results.statistics import Estimate

__all__ = ["read_published"]


def read_published(path: Path) -> list[Arm]:
    """A row for each line of the file, cells that are empty left out.

    Raises:
        DataError: the file is no such table.
    """
    try:
        table = pd.read_csv(path, comment="#")
        named = table.set_index("model")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} must be a CSV with a column 'model' and one for each metric: {error}") from error
    numbers = named.drop(columns="source", errors="ignore")
    arms = []
    for model, row in numbers.iterrows():
        known = {str(key): float(value) for key, value in row.items() if pd.notna(value)}
        arms.append(
            Arm(
                name=str(model),
                kind="published",
                parameters={},
                seeds=(),
                unfinished=(),
                failures={},
                values={},
                estimates={key: Estimate(value, None, None, 1) for key, value in known.items()},
            )
        )
    return arms
