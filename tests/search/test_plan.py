"""The plan says what the search then does."""

import random
from pathlib import Path

import pytest

from sleep_tune.config.load import compose
from sleep_tune.errors import BudgetError
from sleep_tune.model import build_model
from sleep_tune.search.asha import goes_on
from sleep_tune.search.plan import expected_at_rungs, make_plan, num_weights
from sleep_tune.search.reading.load import compose_base, load_space
from sleep_tune.search.space import Choice, CorpusSummary, Parameter, Scheduler, Stop
from sleep_tune.sleep.samples import SpecialTokens
from tests.search.studies import BASE, search, study

STRICT_SMALL = CorpusSummary(words=10_000_000, samples=111_600)
REPLAY = Path(__file__).parents[2] / "search_spaces" / "replay.yaml"


def test_the_study_of_the_mission() -> None:
    space = load_space(REPLAY)
    plan = make_plan(space, compose_base(space), STRICT_SMALL, slots=4)
    assert plan.budget_words == 100_000_000
    assert plan.repeats == 25
    assert [rung.words for rung in plan.rungs] == [33_333_333, 100_000_000]
    text = plan.text()
    assert "study replay: a corpus of 10,000,000 words" in text
    assert "search: 64 trials; compared within sleep.length.passes" in text
    assert "sleep.length.passes = 1: 1 pass, 5 folds a pass, 9 words asleep per word awake; ends after sleep 5" in text
    assert "baseline epochs: 10 passes without sleep" in text
    assert "4 at a time" in text
    assert text.endswith("nothing was started")


def test_expected_counts_are_those_of_the_rule() -> None:
    """Against the rule itself over shuffled values."""
    rng = random.Random(0)
    reached = [0, 0, 0]
    for _ in range(400):
        values = [rng.random() for _ in range(27)]
        for rung in range(3):
            reached[rung] += len(values)
            values = [value for n, value in enumerate(values) if goes_on(values[: n + 1], 3, "min")]
            rng.shuffle(values)
    expected = expected_at_rungs(27, 3, 3)
    assert [count / 400 for count in reached] == pytest.approx(expected, rel=0.1)


def test_groups_keep_more() -> None:
    assert expected_at_rungs(24, 2, 3, groups=4)[1] > expected_at_rungs(24, 2, 3)[1]


def test_a_plan_without_a_scheduler_is_exact(tmp_path: Path) -> None:
    space = study(scheduler=Scheduler(name="none"), baselines={}, stop=Stop(trials=4))
    plan = make_plan(space, BASE, CorpusSummary(words=100_000, samples=1_000))
    trained = [trial for trial in search(tmp_path / "x", space).values() if trial[7] != "refused"]
    assert len(trained) == 4 + plan.repeats
    assert plan.words == len(trained) * 1_000_000


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_weights_are_about_those_of_the_model(size: str) -> None:
    base = compose([f"model={size}"])
    special = SpecialTokens(start=0, separator=1, pad=2, mask=3)
    vocabulary, length = base.tokenizer.vocab_size, base.data.max_length
    model = build_model(base.model, vocab_size=vocabulary, max_length=length, special=special, seed=0)
    assert num_weights(base) == pytest.approx(sum(weights.numel() for weights in model.parameters()), rel=0.05)


def test_what_never_fits_is_refused_in_the_plan() -> None:
    with pytest.raises(BudgetError, match="the choice 500 can never be used"):
        make_plan(
            study(parameters=(Parameter("sleep.folds", Choice((5, 500))),), baselines={}),
            BASE,
            CorpusSummary(words=100_000, samples=1_000),
        )
