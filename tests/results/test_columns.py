"""Columns: their order, how numbers are written, and the shortest names of settings."""

import pytest

from sleep_tune.results.columns import COLUMNS, column, short_names, sort_metrics


def test_columns_come_in_the_tables_order_and_others_by_name() -> None:
    given = ["words_seen", "test/pairs/b", "test/nll", "test/pairs/a"]
    assert sort_metrics(given) == ["test/nll", "words_seen", "test/pairs/a", "test/pairs/b"]
    assert sort_metrics(reversed(COLUMNS)) == list(COLUMNS)


def test_babylm_s_scores_stand_between_measures_and_costs_the_average_first() -> None:
    scores = ["babylm/macro", "babylm/blimp_fast", "babylm/reading_eye_tracking", "babylm/zorro", "babylm/someone_s"]
    given = ["words_seen", "ties/zorro", *reversed(scores), "test/nll"]
    assert sort_metrics(given) == ["test/nll", *scores, "words_seen", "ties/zorro"]
    assert [column(key).heading for key in scores[:4]] == ["macro average", "BLiMP fast", "eye tracking", "Zorro"]
    assert column("babylm/blimp_filtered").heading == "BLiMP"
    assert (column("babylm/blimp_fast").better, column("babylm/comps").unit) == ("max", "points")


def test_a_metric_outside_the_table_has_its_own_name() -> None:
    assert column("test/blimp").heading == "test blimp"


@pytest.mark.parametrize(
    ("key", "number", "text"),
    [
        ("test/nll", 2.34567, "2.346"),
        ("test/pseudo_perplexity", 9.987, "9.99"),
        ("test/pseudo_perplexity", 123.45, "123.5"),
        ("test/pseudo_perplexity", 12345.6, "12,346"),
        ("test/pseudo_perplexity", 4.85e8, "4.85e08"),
        ("test/pairs_accuracy", 0.8964, "89.6"),
        ("babylm/blimp_fast", 59.4, "59.40"),
        ("words_seen", 99_999_872.0, "99,999,872"),
        ("flops", 9.71e15, "9.71e15"),
        ("gpu_hours", 0.01234, "0.0123"),
    ],
)
def test_numbers_are_written_as_people_read_them(key: str, number: float, text: str) -> None:
    assert column(key).write(number) == text


def test_settings_have_the_shortest_names_that_tell_them_apart() -> None:
    keys = ["sleep.folds", "sleep.replay.ratio", "sleep.length.ratio", "sleep.folds"]
    assert short_names(keys) == {
        "sleep.folds": "folds",
        "sleep.replay.ratio": "replay.ratio",
        "sleep.length.ratio": "length.ratio",
    }
    assert short_names([]) == {}
    assert short_names(["ratio", "sleep.ratio"]) == {"ratio": "ratio", "sleep.ratio": "sleep.ratio"}
