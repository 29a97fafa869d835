"""Names of runs: readable, the same for the same settings, and different for different ones."""

import re
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.config.groups import default_choices
from sleep_tune.config.options import options
from sleep_tune.config.rules import MAX_NAME
from sleep_tune.config.run_names import NAMELESS, PLAIN_RUN, name_run
from sleep_tune.experiment.run_folder import IRRELEVANT


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, PLAIN_RUN),
        ({"sleep": "weighted", "training.seed": 3}, "weighted-seed3"),
        ({"training.seed": 3, "sleep": "weighted"}, "weighted-seed3"),
        ({"sleep": "epochs"}, "epochs"),
        ({"budget.words": 100_000_000, "model": "small", "data": "babylm"}, "babylm-small-words100M"),
        ({"budget.passes": 4, "sleep.length.passes": 2.5}, "length_passes2.5-budget_passes4"),
        ({"training.learning_rate": 1e-5, "sleep.learning_rate": 0.5}, "sleep_learning_rate0.5-learning_rate1e-05"),
        ({"training.objective": "clm", "training.ema": None}, "objective_clm-ema_null"),
        ({"evaluation.rungs": [0.25, 0.5]}, "rungs0.25_0.5"),
        ({"sleep.interleave": True, "data.path": "books"}, "path_books-interleave_true"),
        ({"tracking": "wandb", "training.threads": 2, "run.name": "x"}, PLAIN_RUN),
    ],
)
def test_a_name(settings: dict[str, Any], name: str) -> None:
    assert name_run(settings) == name


@pytest.mark.parametrize(
    "settings",
    [
        {"data.path": "/home/me/books"},
        {"data.path": "a=b, c"},
        {"model.options": {"num_hidden_layers": 4}},
        {key: option.default for key, option in options().items()},
    ],
)
def test_what_cannot_be_read_from_the_name_has_a_digest(settings: dict[str, Any]) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+-[0-9a-f]{6}", name_run(settings))
    assert name_run(settings) == name_run(dict(reversed(settings.items())))


def test_a_long_name_is_cut_between_settings() -> None:
    settings = {key: 3 for key in ("data.sentences", "data.max_length", "model.layers", "model.hidden", "model.heads")}
    name = name_run(settings | {"model.feed_forward": 3, "sleep.folds": 3})
    assert re.fullmatch("sentences3-max_length3-layers3-hidden3-heads3-feed_forward3-[0-9a-f]{6}", name)


def test_paths_that_end_alike_have_different_names() -> None:
    paths = ["/a/books", "/b/books", "books", "./books", "books/"]
    names = [name_run({"data.path": path}) for path in paths]
    assert len(set(names)) == len(paths)
    assert all(name.startswith("path_books") for name in names)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.just([0.3, 0.6]))
SETTINGS = st.dictionaries(st.sampled_from([*options(), *default_choices()]), VALUES, max_size=8)


@given(SETTINGS)
def test_every_name_is_one_folder(settings: dict[str, Any]) -> None:
    name = name_run(settings)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", name) and len(name.encode()) <= MAX_NAME and name not in (".", "..")


def test_options_with_values_of_their_own_have_names_of_their_own() -> None:
    names = {key: name_run({key: 3}) for key in options() if name_run({key: 3}) != PLAIN_RUN}
    assert all(first != second for first, second in combinations(names.values(), 2))


def test_what_leaves_the_run_the_same_is_not_in_its_name() -> None:
    sections = {name for name in NAMELESS if name not in options()}
    assert sections == {"run", "tracking"}
    assert set(IRRELEVANT) == {key for key in options() if key in NAMELESS or key.partition(".")[0] in sections} - {
        "run.sources"
    }
