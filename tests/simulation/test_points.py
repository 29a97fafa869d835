import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.search.space.domains import contains
from sleep_tune.search.space.search_space import Choice, Int, active
from sleep_tune.simulation.points import Settings, coordinates, distances, draw, is_ordered
from tests.simulation.spaces import PARAMETERS, STEPPED

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_what_is_drawn_is_in_the_space(seed: int) -> None:
    settings = draw(PARAMETERS, np.random.default_rng(seed))
    for parameter in PARAMETERS:
        assert active(parameter, settings) == (parameter.key in settings)
        if parameter.key in settings:
            assert contains(parameter.domain, settings[parameter.key])


@given(SEEDS)
def test_what_is_given_is_kept_where_it_is_active(seed: int) -> None:
    rng = np.random.default_rng(seed)
    settings = draw(PARAMETERS, rng, {"sleep.replay.strategy": "random", "sleep.replay.decay": 0.3, "sleep.folds": 20})
    assert settings["sleep.folds"] == 20
    assert "sleep.replay.decay" not in settings


def test_every_value_is_drawn() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw(PARAMETERS, rng) for _ in range(200)]
    assert {settings["sleep.replay.strategy"] for settings in drawn} == {"strict", "weighted", "random"}
    assert {settings["sleep.folds"] for settings in drawn} == {5, 10, 20}


def test_coordinates_are_ranks_logarithms_and_indices() -> None:
    settings: Settings = {
        "sleep.folds": 10,
        "sleep.replay.strategy": "random",
        "sleep.length.passes": 1.0,
        "training.learning_rate": 1e-3,
        "training.batch_size": 64,
    }
    expected = np.array([0.5, 2, np.nan, 0, 0.5, 1])
    np.testing.assert_allclose(coordinates(PARAMETERS, settings), expected)


def test_coordinates_of_steps_and_of_logarithmic_whole_numbers() -> None:
    np.testing.assert_allclose(coordinates(STEPPED, {"model.layers": 7, "model.width": 64}), [0.5, 0.5])


@given(SEEDS)
def test_distances_are_those_of_a_metric_on_the_unit_cube(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = np.array([coordinates(PARAMETERS, draw(PARAMETERS, rng)) for _ in range(3)])
    apart = np.array([distances(PARAMETERS, points, point) for point in points])
    assert (np.diag(apart) == 0).all()
    assert (apart == apart.T).all()
    assert ((apart >= 0) & (apart <= 1)).all()
    assert apart[0, 2] <= apart[0, 1] + apart[1, 2] + 1e-12


def test_a_name_and_an_inactive_parameter_count_whole() -> None:
    parameters = PARAMETERS[1:3]
    points = np.array([[0.0, 0.2], [1.0, 0.2], [0.0, np.nan], [2.0, np.nan]])
    np.testing.assert_allclose(distances(parameters, points, points[0]), [0, 0.5, 0.5, 1])
    np.testing.assert_allclose(distances(parameters, points, points[3]), [1, 1, 0.5, 0])


@pytest.mark.parametrize(
    ("domain", "expected"),
    [(Choice((1, 2.5)), True), (Choice(("a", 1)), False), (Choice((True,)), False), (Int(1, 3), True)],
)
def test_only_a_choice_among_names_has_no_order(domain: Choice | Int, expected: bool) -> None:
    assert is_ordered(domain) == expected
