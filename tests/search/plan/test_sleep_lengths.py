"""What a length of sleep does, over all that the other choices may be."""

import math

from sleep_tune.config.schema import BudgetConfig, LengthConfig, RunConfig, SleepConfig
from sleep_tune.search.plan.sleep_lengths import SleepLength, arms_of, lengths_of
from sleep_tune.search.space.search_space import Arm, Baseline, Choice, CorpusSummary, Parameter, Uniform
from tests.search.studies import BASE, study

CORPUS = CorpusSummary(words=100_000, samples=1_000)
REPEATS = RunConfig(sleep=SleepConfig(length=LengthConfig(passes=None, repeats=1)))


def test_passes_that_are_given_are_given_whatever_the_folds() -> None:
    parameters = (Parameter("sleep.folds", Choice((5, 20))), Parameter("sleep.length.passes", Choice((1.0, 4.0))))
    assert lengths_of(study(parameters=parameters), BASE, CORPUS) == (
        SleepLength("sleep.length.passes = 1", "1", "9", "5 to 20", "70 to 109", 0.0),
        SleepLength("sleep.length.passes = 4", "4", "1.5", "5 to 20", "31 to 37", 0.0),
    )


def test_passes_that_hang_on_the_other_choices_are_a_range() -> None:
    parameters = (Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)), Parameter("sleep.length.repeats", Choice((1, 2))))
    once, twice = lengths_of(study(parameters=parameters), REPEATS, CORPUS)
    assert (once.sleep, twice.sleep) == ("1 replays", "2 replays")
    low, _, high = once.passes.partition(" to ")
    assert 1 < float(low) < float(high) < 10
    assert float(twice.passes.split()[0]) < float(high)


def test_without_a_length_that_is_searched_there_is_one_line() -> None:
    parameters = (Parameter("sleep.folds", Choice((5, 20))),)
    (length,) = lengths_of(study(parameters=parameters), BASE, CORPUS)
    assert length == SleepLength("as in base", "1", "9", "5 to 20", "70 to 109", 0.0)


def test_what_the_budget_cannot_hold_is_a_share() -> None:
    base = RunConfig(sleep=SleepConfig(length=LengthConfig(passes=None, ratio=1)))
    parameters = (
        Parameter("training.batch_size", Choice((32, 256))),
        Parameter("sleep.folds", Choice((2, 20))),
        Parameter("sleep.length.ratio", Uniform(1, 90)),
    )
    fits, never = lengths_of(study(parameters=parameters), base, CORPUS)
    assert fits == SleepLength("sleep.length.ratio = 1", "5", "1", "2 to 20", "24 to 31", 0.25)
    assert never == SleepLength("sleep.length.ratio = 90", "not possible", "", "", "", 1.0)


def test_baselines_do_not_sleep_or_by_an_epoch_s_law() -> None:
    base = RunConfig(budget=BudgetConfig(passes=3))
    space = study(baselines={"epochs": Baseline(), "as_epochs": Baseline()})
    epochs, as_epochs = arms_of(space, base, CORPUS)
    assert epochs == SleepLength("baseline epochs", "3", "none", "", "3", 0.0)
    assert (as_epochs.passes, as_epochs.folds, as_epochs.exposures) == ("1", "1", "3")


def test_a_cap_bounds_the_most_exposures() -> None:
    """A sample of the first fold is read once; with r = 9, buffers of 30% and K folds it is replayed 30 H_K times."""
    uncapped = 1 + math.ceil(30 * sum(1 / fold for fold in range(1, 11)))
    parameters = (Parameter("sleep.replay.max_exposures", Choice((None, 12, 20))),)
    (length,) = lengths_of(study(parameters=parameters), BASE, CORPUS)
    assert length.exposures == f"12 to {uncapped}"
    space = study(
        baselines={},
        arms={"capped": Arm(settings={"sleep.replay.max_exposures": 15}), "matched": Arm(matched="capped")},
    )
    assert [(arm.name, arm.exposures) for arm in arms_of(space, BASE, CORPUS)] == [("arm capped", "15")]
