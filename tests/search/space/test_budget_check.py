"""A space that the budget can never hold is refused before anything starts; one that it can hold is not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.babylm.challenge import DATASETS
from sleep_tune.config.schema import BudgetConfig, LengthConfig, RunConfig, SleepConfig
from sleep_tune.config.tree import from_dict, to_dict
from sleep_tune.errors import BudgetError, ConfigError
from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.budget_check import budget_words, check_budget, corpus_lines, planned_parameters
from sleep_tune.search.space.search_space import (
    Arm,
    Baseline,
    Choice,
    CorpusSummary,
    Parameter,
    Resources,
    Stop,
    Uniform,
)
from sleep_tune.search.space.trial_configs import with_settings
from tests.messages import missing
from tests.search.studies import BASE, study

CORPUS = CorpusSummary(words=100_000, samples=1_000)
BATCHES = (Parameter("training.batch_size", Choice((32, 64))),)


@pytest.mark.parametrize(("words", "warnings"), [(10_000_000, 0), (10_421_796, 1)])
def test_a_budget_above_babylms_limit_is_warned_of_beside_the_text(words: int, warnings: int) -> None:
    corpus = CorpusSummary(words=words, samples=100_000, description=("text: train",))
    base = from_dict(with_settings(to_dict(BASE), {"data.kind": "babylm", "data.dataset": DATASETS["strict-small"]}))
    lines = corpus_lines(base, corpus)
    assert lines[0] == "text: train"
    assert [line.startswith("warning: ") for line in lines[1:]] == [True] * warnings
    allowed = from_dict(with_settings(to_dict(base), {"budget.words": 100_000_000}))
    assert corpus_lines(allowed, corpus) == corpus.description


def test_only_parameters_that_change_the_plan_are_tried() -> None:
    parameters = (
        Parameter("training.schedule", Choice(("linear", "cosine"))),
        Parameter("training.learning_rate", Uniform(1e-4, 1e-3)),
        Parameter("sleep.folds", Choice((1, 2)), {"training.schedule": ("linear",)}),
    )
    assert [parameter.key for parameter in planned_parameters(parameters)] == ["training.schedule", "sleep.folds"]


@given(st.sampled_from([{"passes": 3.0}, {"words": 12_345, "passes": None}]))
def test_the_budget_of_every_run(budget: dict[str, float]) -> None:
    base = RunConfig(budget=BudgetConfig(**budget))  # type: ignore[arg-type]
    assert budget_words(base, CORPUS) == (budget.get("words") or 300_000)


def test_a_base_that_does_not_fit_is_allowed_if_the_search_sets_the_option() -> None:
    base = RunConfig(sleep=SleepConfig(folds=500))
    check_budget(study(), base, CORPUS)
    with pytest.raises(BudgetError) as raised:
        check_budget(study(parameters=(Parameter("training.warmup", Uniform(0, 0.5)),)), base, CORPUS)
    assert not missing(raised.value, "base: |sleep.folds|[1, 32]")


def test_a_baseline_that_does_not_fit() -> None:
    base = RunConfig(budget=BudgetConfig(passes=0.5), sleep=SleepConfig(length=LengthConfig(passes=None, ratio=0)))
    parameters = (Parameter("training.warmup", Uniform(0, 0.5)),)
    check_budget(study(parameters=parameters, baselines={"epochs": Baseline()}), base, CORPUS)
    with pytest.raises(BudgetError, match=r"baselines\.as_epochs"):
        check_budget(study(parameters=parameters, baselines={"as_epochs": Baseline()}), base, CORPUS)


def test_an_arm_that_does_not_fit() -> None:
    """One like the best trial fits if it does with some setting of the space."""
    many = Arm(settings={"sleep.folds": 500})
    arms = {"none": Arm(settings={"sleep": "epochs"}), "many": many, "of_many": Arm(matched="many")}
    with pytest.raises(ConfigError) as raised:
        check_budget(study(arms=arms), BASE, CORPUS)
    assert not missing(raised.value, "small|2|arms.many: |arms.of_many: |sleep.folds|[1, 32]")
    space = study(arms={"top": Arm(like="best", settings={"sleep.folds": 20})}, parameters=BATCHES)
    check_budget(space, BASE, CORPUS)
    with pytest.raises(BudgetError, match=r"arms\.top: "):
        check_budget(replace(space, arms={"top": Arm(like="best", settings={"sleep.folds": 50})}), BASE, CORPUS)


WARMUP = Parameter("training.warmup", Uniform(0, 0.5))
CAP, MIX = "sleep.replay.max_exposures", "sleep.interleave"


@pytest.mark.parametrize(
    ("key", "value", "fits", "sleep", "names"),
    [
        (CAP, 9, 10, SleepConfig(), f"{CAP}|10|9"),
        (MIX, True, False, SleepConfig(length=LengthConfig(passes=None, ratio=0)), f"{MIX}|sleep.length.ratio"),
        (MIX, True, False, SleepConfig(folds=1), f"{MIX}|sleep.folds=1"),
    ],
)
def test_caps_and_interleaved_replay_that_the_budget_cannot_hold(
    key: str, value: Value, fits: Value, sleep: SleepConfig, names: str
) -> None:
    """Baselines switch both off, so they are not refused."""
    plain = RunConfig(sleep=sleep)
    odd = from_dict(with_settings(to_dict(plain), {key: value}))
    baselines = {"epochs": Baseline(), "as_epochs": Baseline()}
    choices = (Parameter("training.batch_size", Choice((32,))), Parameter(key, Choice((value, fits))))
    refused = {
        f"base: |{names}": (odd, study(parameters=(WARMUP,), baselines=baselines)),
        f"parameters.{key}: |{names}": (plain, study(parameters=(Parameter(key, Choice((value,))),))),
        f"parameters.{key}: |{value!r}|{names}": (plain, study(parameters=choices)),
        f"arms.odd: |{names}": (plain, study(parameters=BATCHES, arms={"odd": Arm(settings={key: value})})),
    }
    for expected, (base, space) in refused.items():
        with pytest.raises(BudgetError) as raised:
            check_budget(space, base, CORPUS)
        assert not missing(raised.value, expected)
    check_budget(study(parameters=(Parameter(key, Choice((fits,))),), arms={"even": Arm()}), plain, CORPUS)
    check_budget(study(parameters=(Parameter(key, Choice((fits,))),), baselines=baselines), odd, CORPUS)


def test_without_a_search_its_settings_need_not_fit() -> None:
    space = study(parameters=(Parameter("sleep.folds", Choice((500,))),), arms={"none": Arm()}, stop=Stop(trials=0))
    check_budget(space, BASE, CORPUS)


def test_a_range_of_which_a_part_fits_is_kept() -> None:
    base = RunConfig(sleep=SleepConfig(length=LengthConfig(passes=None, ratio=1)))
    check_budget(study(parameters=(Parameter("sleep.length.ratio", Uniform(1, 90)),)), base, CORPUS)
    with pytest.raises(BudgetError, match=r"parameters\.sleep\.length\.ratio"):
        check_budget(study(parameters=(Parameter("sleep.length.ratio", Uniform(20, 90)),)), base, CORPUS)


def test_workers_make_batches_larger() -> None:
    parameters = (Parameter("sleep.folds", Choice((5, 30))),)
    check_budget(study(parameters=parameters), BASE, CORPUS)
    with pytest.raises(BudgetError, match="30"):
        check_budget(study(parameters=parameters, resources=Resources(workers=2)), BASE, CORPUS)


def test_all_that_does_not_fit_is_reported_together() -> None:
    base = RunConfig(sleep=SleepConfig(length=LengthConfig(passes=None, ratio=1)))
    space = study(parameters=(Parameter("sleep.folds", Choice((5, 500, 600))),), baselines={"epochs": Baseline()})
    with pytest.raises(ConfigError) as raised:
        check_budget(space, base, CORPUS)
    heading, *lines = str(raised.value).splitlines()
    assert not missing(heading, "small|2")
    assert len(lines) == 2
    assert not missing(lines[0], "parameters.sleep.folds|500")
    assert not missing(lines[1], "parameters.sleep.folds|600")
