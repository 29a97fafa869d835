import doctest

import pytest

from sleep_tune.babylm import score_names
from sleep_tune.babylm.challenge import AOA_CHECKPOINTS, CHANCE, FOLDERS, WUG
from sleep_tune.babylm.score_names import ACCURACY, TITLES, UNSPECIFIED, counted_scores, find_score, score_title


def test_the_examples_in_the_docstrings_are_right() -> None:
    assert doctest.testmod(score_names) == doctest.TestResults(failed=0, attempted=5)


def test_a_task_counts_by_its_full_data_and_by_its_rho_in_whatever_order_they_come() -> None:
    """Names in order put blimp_fast before blimp_filtered, and entity_tracking before entity_tracking_fast."""
    names = ["blimp_fast", "blimp_filtered", "entity_tracking", "entity_tracking_fast"]
    names += [f"{WUG[0]}{ending}" for ending in ("", ACCURACY, UNSPECIFIED)]
    expected = {"blimp": "blimp_filtered", "entity_tracking": "entity_tracking", "wug_adj": WUG[0]}
    assert counted_scores(names) == counted_scores(reversed(names)) == expected
    assert counted_scores(names[5:]) == {"wug_adj": f"{WUG[0]}{ACCURACY}"}
    assert counted_scores(names[6:]) == {}


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
    assert find_score(heading) == found


def test_every_folder_has_a_task_with_a_heading() -> None:
    for folder, task in FOLDERS.items():
        assert all(FOLDERS.get(name, name) in TITLES for name in score_names.score_names(folder)), folder
        assert task in CHANCE or task in ("glue", "aoa")
    assert score_title("reading_self_paced") == "self-paced"
    assert score_title("someone_s_own") == "someone_s_own"


def test_checkpoints_are_those_that_the_challenge_asks_for() -> None:
    assert AOA_CHECKPOINTS["strict-small"][8:11] == (9, 10, 20)
    assert len(AOA_CHECKPOINTS["strict-small"]) == 19
    assert len(AOA_CHECKPOINTS["strict"]) == 28
