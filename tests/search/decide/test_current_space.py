"""What settings asked for under one space are called in another."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.config.tree import flatten, to_dict
from sleep_tune.experiment.trial_state import configuration_key
from sleep_tune.search.decide.current_space import CurrentSpace, match_point, project
from sleep_tune.search.decide.sampler import Sampler
from sleep_tune.search.space.search_space import Baseline, Choice, Int, LogUniform, Parameter, Scheduler, Uniform
from sleep_tune.search.space.trial_configs import with_settings
from tests.search.studies import BASE, plain, study

TREE = to_dict(BASE)
FOLDS = (Choice((5, 10)), Choice((10, 20)), Int(4, 12), Int(4, 12, 2), Int(5, 10, log=True), None)
RATIO = (Uniform(0.1, 0.9), Uniform(0.4, 0.6), Uniform(0.1, 0.9, 0.2), LogUniform(0.3, 0.5), Choice((0.5, 0.25)), None)
STRATEGY = (Choice(("strict", "random")), Choice(("weighted", "strict")), Choice(("weighted",)), None)


@st.composite
def spaces(draw: st.DrawFn) -> tuple[Parameter, ...]:
    """Any of the options above, each searched or not; the ratio perhaps under one strategy only."""
    strategy, ratio, folds = draw(st.sampled_from(STRATEGY)), draw(st.sampled_from(RATIO)), draw(st.sampled_from(FOLDS))
    parameters = [] if strategy is None else [Parameter("sleep.replay.strategy", strategy)]
    if ratio is not None:
        is_conditional = strategy is not None and draw(st.booleans())
        when = {"sleep.replay.strategy": strategy.values[:1]} if is_conditional and strategy is not None else {}
        parameters.append(Parameter("sleep.replay.ratio", ratio, when))
    if folds is not None:
        parameters.append(Parameter("sleep.folds", folds))
    return tuple(parameters)


def proposed(parameters: tuple[Parameter, ...], number: int) -> dict[str, Any]:
    return Sampler(parameters, algorithm="random", mode="min", seed=0, startup=1).ask(number)


@settings(max_examples=100)
@given(spaces(), spaces(), st.integers(0, 20))
def test_a_trial_fits_if_the_space_can_make_its_configuration(
    before: tuple[Parameter, ...], now: tuple[Parameter, ...], number: int
) -> None:
    asked = proposed(before, number)
    config = flatten(with_settings(TREE, asked))
    point = project(now, TREE, config)
    if point is not None:
        assert flatten(with_settings(TREE, point)) == config
        assert match_point(now, point) == point
    unsearched = config.keys() - {parameter.key for parameter in now}
    base = flatten(TREE)
    if any(config[key] != base[key] for key in unsearched):
        assert point is None


@settings(max_examples=100)
@given(spaces(), spaces(), st.integers(0, 20))
def test_the_short_way_finds_what_the_long_one_does(
    before: tuple[Parameter, ...], now: tuple[Parameter, ...], number: int
) -> None:
    asked = proposed(before, number)
    assert match_point(before, asked) == asked
    assert project(before, TREE, flatten(with_settings(TREE, asked))) == asked
    short = match_point(now, asked)
    if short is not None:
        assert project(now, TREE, flatten(with_settings(TREE, asked))) == short


@pytest.mark.parametrize(
    ("before", "domain", "now"),
    [
        (5, Choice((5.0, 1.0)), 5.0),
        (5.0, Int(1, 5), 5),
        (5, Uniform(1, 5), 5.0),
        (5.5, Int(1, 9), None),
        (5.0, Int(1, 9, 2), 5),
        (5, Uniform(1, 9, 0.5), 5.0),
        (5.3, Uniform(1, 9, 0.5), None),
        (5, Choice((1.0, 2.0)), None),
        (True, Choice((1.0, 2.0)), None),
    ],
)
def test_values_are_the_domain_s_own(before: Any, domain: Any, now: Any) -> None:
    """So that one setting has one name, whichever way it was asked for."""
    parameter = Parameter("sleep.length.passes", domain)
    if before is not True:
        point = project((parameter,), TREE, flatten(with_settings(TREE, {parameter.key: before})))
        assert point == (None if now is None else {parameter.key: now})
        assert now is None or configuration_key(point or {}) == configuration_key({parameter.key: now})
    short = match_point((parameter,), {parameter.key: before})
    assert short is None or configuration_key(short) == configuration_key({parameter.key: now})


def test_an_option_searched_anew_is_read_off_the_base() -> None:
    now = (Parameter("sleep.folds", Int(1, 30)), Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)))
    present = CurrentSpace(plain(parameters=now), BASE)
    assert present.point("search", {"sleep.folds": 7}) == {"sleep.folds": 7, "sleep.replay.ratio": 0.3}
    narrow = CurrentSpace(plain(parameters=(now[0], Parameter("sleep.replay.ratio", Uniform(0.4, 0.9)))), BASE)
    assert narrow.point("search", {"sleep.folds": 7}) is None


def test_an_option_no_longer_searched_must_be_the_base_s() -> None:
    present = CurrentSpace(plain(), BASE)
    assert present.point("search", {"sleep.folds": 7, "sleep.replay.ratio": 0.3}) == {"sleep.folds": 7}
    assert present.point("search", {"sleep.folds": 7, "sleep.replay.ratio": 0.6}) is None


def test_a_length_that_excludes_another() -> None:
    """Options of which one at most is set clear each other."""
    now = (Parameter("sleep.length.ratio", Uniform(0.5, 4)),)
    present = CurrentSpace(plain(parameters=now), BASE)
    assert present.point("search", {"sleep.length.ratio": 2.0}) == {"sleep.length.ratio": 2.0}
    assert present.point("search", {"sleep.length.passes": 2.0}) is None


def test_a_baseline_s_trials_lie_over_what_it_sets() -> None:
    space = study()
    present = CurrentSpace(space, BASE)
    assert present.point("epochs", {"training.learning_rate": 1e-3}) == {"training.learning_rate": 1e-3}
    assert present.point("epochs", {"training.learning_rate": 0.5}) is None
    assert present.point("as_epochs", {}) is None
    untuned = CurrentSpace(study(baselines={"epochs": Baseline()}), BASE)
    assert untuned.point("epochs", {"training.learning_rate": 1e-3}) is None


def test_groups_are_those_of_the_present_scheduler() -> None:
    present = CurrentSpace(study(scheduler=Scheduler(within="sleep.folds")), BASE)
    assert present.group({"sleep.folds": 5}) == "5"
    assert CurrentSpace(study(), BASE).group({"sleep.folds": 5}) == ""
