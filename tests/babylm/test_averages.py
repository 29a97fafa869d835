import pytest

from sleep_tune.babylm.averages import (
    Averages,
    benchmark_average,
    entity_tracking_averages,
    glue_averages,
    macro_average,
)
from sleep_tune.babylm.challenge import READING_SCORES


def test_the_macro_average_counts_every_group_once() -> None:
    assert macro_average({"islands": 50.0, "agreement": 90.0}) == 70.0
    with pytest.raises(ValueError, match="at least one"):
        macro_average({})


def test_entity_tracking_is_a_mean_of_means_beside_the_mean_of_the_other_script() -> None:
    full = {f"{split}_{ops}_ops": 10.0 * ops for split in ("regular", "move_contents") for ops in range(6)}
    assert entity_tracking_averages(full) == Averages(25.0, {"mean over groups": 25.0})
    uneven = {"regular_0_ops": 0.0, "regular_1_ops": 20.0, "move_contents_0_ops": 90.0}
    averages = entity_tracking_averages(uneven)
    assert averages.score == 50.0
    assert averages.other["mean over groups"] == pytest.approx(110 / 3)
    with pytest.raises(ValueError, match="'regular_ops'"):
        entity_tracking_averages({"regular_ops": 1.0})


def test_glue_takes_f1_for_two_tasks_beside_accuracy_alone() -> None:
    averages = glue_averages({"boolq": 60.0, "mrpc": 70.0, "qqp": 80.0}, {"mrpc": 76.0, "qqp": 74.0, "boolq": 0})
    assert averages == Averages(70.0, {"accuracy of all": 70.0})
    assert glue_averages({"mrpc": 70.0}, {"mrpc": 80.0}) == Averages(80.0, {"accuracy of all": 70.0})


def test_the_benchmark_s_average_counts_each_score_once_and_never_zorro() -> None:
    assert benchmark_average({"blimp_fast": 60.0, "wug_past_tense": 20.0, "zorro": 99.0}) == 40.0
    assert benchmark_average({"zorro": 70.0}) is None
    assert benchmark_average({"entity_tracking": 20.0, "entity_tracking_fast": 90.0}) == 20.0
    folders = ["blimp_filtered", "global_piqa_parallel", "ewok_filtered", "entity_tracking", "wug_adj_nominalization"]
    assert (
        benchmark_average(dict.fromkeys([*folders, *READING_SCORES, "glue_filtered"], 40.0) | {"comps": 49.0}) == 41.0
    )
