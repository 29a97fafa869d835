import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sleep_tune.errors import ConfigError
from sleep_tune.search.space.base import compose_base
from sleep_tune.simulation.curves import Source, read_source
from sleep_tune.simulation.landscape import Landscape
from sleep_tune.simulation.method_comparison import MethodComparison, mean_interval, run_comparison, summarise
from sleep_tune.simulation.methods import REFERENCE, read_methods
from sleep_tune.simulation.simulated_search import Setup
from tests.simulation.spaces import flat

ARMS = tuple(
    read_methods(
        Path(__file__).parents[2] / "search_spaces" / "replay.yaml",
        ["algorithm=random", "algorithm=random,first_rung=0.1"],
        slots=1,
    )
)
PARAMETERS = ARMS[0].space.parameters
COMPARISON = MethodComparison(
    ARMS,
    (read_source("parallel", PARAMETERS), read_source("tangled", PARAMETERS)),
    (0, 1),
    Setup(compose_base(ARMS[0].space), runs=3.0),
)


def test_every_arm_meets_every_seed_of_every_source_and_the_rows_say_so() -> None:
    ended: list[int] = []
    found, foretold = run_comparison(COMPARISON, advance=ended.append)
    assert sum(ended) == len(found) == 2 * 2 * 3
    rows = summarise(found, 3)
    assert [(row.curves, row.method) for row in rows] == [(name, arm.name) for name in foretold for arm in ARMS]
    assert [told.share for told in foretold["parallel"]] == pytest.approx([1 / 9, 1 / 3, 1.0])
    assert rows[0].method == REFERENCE
    assert rows[0].differences is None
    mine = {one.seed: one.regrets[2] for one in found if (one.curves, one.method) == ("parallel", ARMS[1].name)}
    its = {one.seed: one.regrets[2] for one in found if (one.curves, one.method) == ("parallel", REFERENCE)}
    assert rows[1].differences is not None
    assert rows[1].differences[2].mean == pytest.approx(np.mean([mine[seed] - its[seed] for seed in (0, 1)]))


def test_the_interval_is_students() -> None:
    values = [1.0, 2.0, 4.0, 9.0]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    told = mean_interval(values)
    assert (told.mean - told.half, told.mean + told.half) == pytest.approx((low, high))
    assert math.isinf(mean_interval([1.0]).half)


def test_a_rung_before_the_curves_begin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(source: object, seed: int) -> Landscape:
        return flat(lambda settings: 0.0, first_share=0.2)

    monkeypatch.setattr(Source, "landscape", late)
    with pytest.raises(ConfigError, match=r"the first rung must be at 20% of the budget or later.*got 11%"):
        run_comparison(COMPARISON)


@pytest.mark.slow
def test_processes_share_the_work_and_change_nothing() -> None:
    small = dataclasses.replace(COMPARISON, sources=COMPARISON.sources[:1])
    assert run_comparison(small, processes=2) == run_comparison(small)
