import pytest

from sleep_tune import babylm, babylm_sizes


def test_the_macro_average_counts_every_group_once() -> None:
    assert babylm.macro_average({"islands": 50.0, "agreement": 90.0}) == 70.0
    with pytest.raises(ValueError, match="at least one score; got none"):
        babylm.macro_average({})


def test_every_track_has_a_dataset_and_a_size() -> None:
    assert set(babylm.DATASETS) == set(babylm.NOMINAL_WORDS)


def test_entity_tracking_is_a_mean_of_means_and_the_other_script_s_mean_stands_beside_it() -> None:
    full = {f"{split}_{ops}_ops": 10.0 * ops for split in ("regular", "move_contents") for ops in range(6)}
    assert babylm.entity_tracking_averages(full) == babylm.Averages(25.0, {"mean over groups": 25.0})
    uneven = {"regular_0_ops": 0.0, "regular_1_ops": 20.0, "move_contents_0_ops": 90.0}
    averages = babylm.entity_tracking_averages(uneven)
    assert averages.score == 50.0
    assert averages.other["mean over groups"] == pytest.approx(110 / 3)
    with pytest.raises(ValueError, match="must be named <split>_<number>_ops; got 'regular_ops'"):
        babylm.entity_tracking_averages({"regular_ops": 1.0})


def test_glue_takes_f1_for_two_tasks_and_says_what_accuracy_alone_would_be() -> None:
    averages = babylm.glue_averages({"boolq": 60.0, "mrpc": 70.0, "qqp": 80.0}, {"mrpc": 76.0, "qqp": 74.0, "boolq": 0})
    assert averages == babylm.Averages(70.0, {"accuracy of all": 70.0})
    assert babylm.glue_averages({"mrpc": 70.0}, {"mrpc": 80.0}) == babylm.Averages(80.0, {"accuracy of all": 70.0})


def test_the_benchmark_s_average_counts_each_score_once_and_never_zorro() -> None:
    assert babylm.benchmark_averages({"blimp_fast": 60.0, "wug_past_tense": 20.0, "zorro": 99.0}) == babylm.Averages(
        40.0, {}
    )
    assert babylm.benchmark_averages({"zorro": 70.0}) is None
    folders = ["blimp_filtered", "supplement_filtered", "ewok_filtered", "entity_tracking", "wug_adj_nominalization"]
    row = dict.fromkeys([*folders, *babylm.READING_SCORES, "glue_filtered"], 40.0)
    averages = babylm.benchmark_averages(row | {"comps": 49.0})
    assert averages == babylm.Averages(41.0, {"official row": 40.0})


def test_a_task_counts_by_its_full_data_and_by_its_rho_in_whatever_order_they_come() -> None:
    """Names in order put blimp_fast before blimp_filtered, and entity_tracking before entity_tracking_fast."""
    names = ["blimp_fast", "blimp_filtered", "entity_tracking", "entity_tracking_fast"]
    names += [f"{babylm.WUG[0]}{ending}" for ending in ("", babylm.ACCURACY, babylm.UNSPECIFIED)]
    expected = {"blimp": "blimp_filtered", "entity_tracking": "entity_tracking", "wug_adj": babylm.WUG[0]}
    assert babylm.counted_scores(names) == babylm.counted_scores(reversed(names)) == expected
    assert babylm.counted_scores(names[5:]) == {"wug_adj": f"{babylm.WUG[0]}{babylm.ACCURACY}"}
    assert babylm.counted_scores(names[6:]) == {}
    assert babylm.benchmark_averages({"entity_tracking": 20.0, "entity_tracking_fast": 90.0}) == babylm.Averages(
        20.0, {}
    )


@pytest.mark.parametrize(
    ("heading", "found"),
    [
        ("blimp_fast", ("blimp_fast", 1.0)),
        ("babylm/ewok_filtered", ("ewok_filtered", 1.0)),
        ("BLiMP Supplement", ("supplement_filtered", 1.0)),
        ("Reading (Eye Tracking)", ("reading_eye_tracking", 1.0)),
        ("wug_past_rho", ("wug_past_tense", 100.0)),
        ("WUGs", ("wug_adj_nominalization_unspecified", 1.0)),
        ("reading", None),
        ("blimp_fest", None),
        ("", None),
    ],
)
def test_a_published_column_is_known_by_any_of_its_names(heading: str, found: tuple[str, float] | None) -> None:
    assert babylm.find_score(heading) == found


def test_every_folder_has_a_task_with_a_heading() -> None:
    for folder, task in babylm.FOLDERS.items():
        assert all(babylm.FOLDERS.get(name, name) in babylm.TITLES for name in babylm.score_names(folder)), folder
        assert task in babylm.CHANCE or task in ("glue", "aoa")
    assert babylm.title("reading_self_paced") == "self-paced"
    assert babylm.title("someone_s_own") == "someone_s_own"


def test_checkpoints_are_those_that_the_challenge_asks_for() -> None:
    assert babylm.AOA_CHECKPOINTS["strict-small"][8:11] == (9, 10, 20)
    assert len(babylm.AOA_CHECKPOINTS["strict-small"]) == 19
    assert len(babylm.AOA_CHECKPOINTS["strict"]) == 28


def test_official_sizes_are_found_whatever_the_case_of_a_group() -> None:
    assert babylm_sizes.expected_size("blimp_filtered", "principle_A_case_1") == 912
    assert babylm_sizes.expected_size("blimp_fast", "wh_island") == 200
    assert babylm_sizes.expected_size("entity_tracking_fast", "ambiref_0_ops") is None
    assert babylm_sizes.expected_size("zorro", "npi") is None
    assert sum(babylm_sizes.FOLDER_SIZES["blimp_filtered"].values()) == 59_875
    assert sum(babylm_sizes.FOLDER_SIZES["supplement_filtered"].values()) == 5_218
    assert sum(babylm_sizes.FOLDER_SIZES["entity_tracking"].values()) == 9_483
    assert set(babylm_sizes.FOLDER_SIZES) < set(babylm.FOLDERS)
