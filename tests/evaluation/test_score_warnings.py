from pathlib import Path

import numpy as np
import pytest

from sleep_tune.evaluation.items import Item, TextOption
from sleep_tune.evaluation.score_warnings import score_warnings
from sleep_tune.evaluation.suite import LongTask, TaskScores
from sleep_tune.evaluation.task_report import accuracy_report
from sleep_tune.evaluation.tasks import TASKS
from sleep_tune.evaluation.tie_rules import decide


def result_of(
    *pairs: tuple[float, float], alike: tuple[int, ...] = (), longest: int = 5, size: int = 200
) -> TaskScores:
    """Pairs scored as given, filled up with clear ones to the official size."""
    scores = [*pairs, *([(-1.0, -2.0)] * (size - len(pairs)))]
    items = tuple(
        Item("x", f"x_{n}", (TextOption("a"), TextOption("b")), groups={"UID": "x"}) for n in range(len(scores))
    )
    arrays = tuple(np.array(pair) for pair in scores)
    decisions = decide(items, arrays)
    return TaskScores(
        "blimp_fast",
        TASKS["blimp_fast"],
        Path("blimp_fast"),
        items,
        arrays,
        accuracy_report(items, arrays, decisions.credits),
        np.isin(np.arange(len(items)), alike),
        np.full(len(items), longest),
        decisions,
    )


def test_nothing_to_say_of_a_good_model_on_the_official_data() -> None:
    assert score_warnings([result_of((-1.0, -1.0))], positions=5) == ()


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (result_of(*[(-3.0, -3.0)] * 200), "100.0% of the items"),
        (result_of(*[(-3.0, -3.0)] * 4), "blimp_fast: in 2.0% of the items"),
        (result_of((np.nan, -1.0)), "1 of 200 items"),
        (result_of((-3.0, -3.0), alike=(0,)), "x_0"),
        (result_of(longest=6), "200 of 200 items are longer than the 5 positions"),
        (result_of(size=3), "1 of 1 groups"),
    ],
)
def test_each_fault_has_one_warning(result: TaskScores, message: str) -> None:
    (warning,) = score_warnings([result], positions=5)
    assert message in warning


def test_a_skipped_task_comes_first() -> None:
    first, second = score_warnings([result_of(size=3)], too_long=[LongTask("comps", 7, 90, 300)], positions=128)
    assert first.startswith("comps ") and all(
        number in first for number in ("7 of its 90", "128 positions", "300 tokens")
    )
    assert second.startswith("blimp_fast: ") and "3" in second and "200" in second
