from pathlib import Path

import pytest

from sleep_tune.errors import ConfigError
from sleep_tune.simulation.methods import REFERENCE, read_methods, single_search
from tests.messages import raises_naming
from tests.simulation.spaces import PARAMETERS

SPACE = Path(__file__).parents[2] / "search_spaces" / "replay.yaml"


def test_the_study_comes_first_and_variants_change_it() -> None:
    arms = read_methods(SPACE, ["reduction=2,slots=4", "scheduler.within=null", "algorithm=random"], slots=1)
    reference, halving, together, random = arms
    assert [arm.name for arm in arms][:2] == [REFERENCE, "reduction=2,slots=4"]
    assert (reference.slots, halving.slots) == (1, 4)
    assert (reference.space.scheduler.reduction, halving.space.scheduler.reduction) == (3.0, 2.0)
    assert (reference.space.scheduler.within, together.space.scheduler.within) == ("sleep.length.passes", None)
    assert (reference.space.search.algorithm, random.space.search.algorithm) == ("tpe", "random")


def test_what_is_for_every_search_comes_before_a_variants_own() -> None:
    reference, variant = read_methods(
        SPACE, ["reduction=2"], slots=1, every="algorithm=random,reduction=4,first_rung=0.1"
    )
    assert reference.name == REFERENCE
    assert reference.space.search.algorithm == variant.space.search.algorithm == "random"
    assert (reference.space.scheduler.reduction, variant.space.scheduler.reduction) == (4.0, 2.0)


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("reductoin=2", "reductoin=2: .*did you mean 'reduction'"),
        ("stop.trials=3", r"stop\.trials=3: "),
        ("slots=0", "slots must be a whole number >= 1; got '0'"),
        ("reduction=1", "reduction"),
        ("within=sleep.nothing", "within"),
    ],
)
def test_a_mistake_in_a_variant_is_reported(variant: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_methods(SPACE, [variant], slots=1)


def test_a_study_is_single_search_to_the_search_alone() -> None:
    space = single_search(read_methods(SPACE, [], slots=1)[0].space, PARAMETERS, seed=7)
    assert space.search.seed == 7
    assert (space.baselines, space.arms, space.finalists.count) == ({}, {}, 0)
    assert (space.enqueue, space.warm_start) == ((), ())
    assert space.parameters == PARAMETERS


def test_a_study_of_arms_alone_is_not_simulated(tmp_path: Path) -> None:
    path = tmp_path / "arms.yaml"
    path.write_text("stop: {trials: 0}\ncomparison: {reference: a}\narms: {a: {}}\n")
    with raises_naming(ConfigError, path, "parameters"):
        read_methods(path, [], slots=1)


def test_what_trials_are_compared_within_must_be_searched() -> None:
    with pytest.raises(ConfigError, match=r"scheduler\.within must be searched; got sleep\.length\.passes over"):
        single_search(read_methods(SPACE, [], slots=1)[0].space, PARAMETERS[:1], seed=0)


def test_a_grid_needs_parameters_that_can_be_listed() -> None:
    space = read_methods(SPACE.with_name("ancestor_grid.yaml"), [], slots=1)[0].space
    assert single_search(space, PARAMETERS[:2], seed=0).search.algorithm == "grid"
    with raises_naming(ConfigError, "search.algorithm", "grid"):
        single_search(space, PARAMETERS, seed=0)
