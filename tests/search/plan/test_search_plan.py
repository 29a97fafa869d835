"""The plan says what the search then does."""

import io
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sleep_tune.config.schema import ModelConfig
from sleep_tune.config.size import checkpoint_bytes, model_bytes, needed_bytes
from sleep_tune.errors import BudgetError
from sleep_tune.experiment.trial_state import Arrivals
from sleep_tune.search.decide.asha import is_promoted
from sleep_tune.search.plan.plan_record import Plan, Slots
from sleep_tune.search.plan.plan_view import show_plan
from sleep_tune.search.plan.search_plan import expected_at_rungs, make_plan
from sleep_tune.search.plan.seed_scatter import SeedScatter
from sleep_tune.search.plan.speeds import Speed
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.search_space import (
    Arm,
    Baseline,
    Choice,
    Claim,
    CorpusSummary,
    Finalists,
    Int,
    Parameter,
    Resources,
    Scheduler,
    Search,
    Stop,
)
from sleep_tune.search.space.space_file import load_space
from tests.search.studies import BASE, plain, search, study

STRICT_SMALL = CorpusSummary(words=10_000_000, samples=111_600)
CORPUS = CorpusSummary(words=100_000, samples=1_000)
REPLAY = Path(__file__).parents[3] / "search_spaces" / "replay.yaml"
ONE = Slots(1, 0.0, "1 slot")
SPEED = Speed(
    words_per_second=1e4,
    evaluation_seconds=20.0,
    test_seconds=30.0,
    start_seconds=1.0,
    device="cpu",
    time=0.0,
    source="a guess",
)


def shown(plan: Plan, width: int = 100) -> str:
    text = io.StringIO()
    show_plan(plan, Console(file=text, width=width))
    return text.getvalue()


@pytest.mark.parametrize("path", sorted(REPLAY.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_space_has_a_plan_on_the_toy_language(path: Path) -> None:
    space = load_space(path, ["data=toy"])
    plan = make_plan(space, compose_base(space), STRICT_SMALL, slots=ONE, speed=SPEED)
    assert {*space.baselines, *space.arms} <= {part.name.rpartition(" ")[2] for part in plan.parts}
    assert not any(length.not_possible for length in plan.arms)


def test_the_study_of_replay() -> None:
    space = load_space(REPLAY)
    plan = make_plan(space, compose_base(space), STRICT_SMALL, slots=Slots(4, 1.0, "4 slots"))
    assert plan.budget_words == 100_000_000
    assert {part.name: part.runs for part in plan.parts} == {
        "search": pytest.approx(64),
        "tuning of epochs": 64,
        "baseline epochs": 5,
        "baseline as_epochs": 5,
        "finalists": 15,
    }
    assert [rung.words for rung in plan.rungs] == [33_333_333, 100_000_000]
    text = shown(plan)
    for part in (
        "10,000,000 words in 111,600 samples",
        "64 trials",
        "unknown: add --calibrate",
        "4 slots",
        "nothing was started",
    ):
        assert part in text
    rows = [line.split() for line in text.splitlines()]
    assert ["sleep.length.passes", "=", "1", "1", "9", "5", "to", "100", "27", "to", "935"] in rows
    assert ["sleep.length.passes", "=", "5", "5", "1", "5", "to", "100", "13", "to", "189"] in rows
    assert ["baseline", "epochs", "10", "none", "10"] in rows


def test_a_grid_has_as_many_trials_as_points(tmp_path: Path) -> None:
    """A smaller limit leaves points out, and the plan says how many; a larger one changes nothing."""
    parameters = (
        Parameter("sleep.folds", Int(1, 6)),
        Parameter("training.learning_rate", Choice((1e-3, 1e-4))),
        Parameter("training.warmup", Choice((0.0, 0.1))),
    )
    tuned = {"epochs": Baseline(trials=3, parameters=("training.learning_rate", "training.warmup"))}
    space = study(parameters=parameters, search=Search(algorithm="grid"), baselines=tuned, stop=Stop(trials=100))
    plan = make_plan(space, BASE, CORPUS, slots=ONE)
    assert {part.name: part.runs for part in plan.parts[:2]} == {"search": pytest.approx(24), "tuning of epochs": 3}
    assert "24 points of the grid" in shown(plan)
    assert "baselines.epochs.trials = 3 leaves out 1 of the 4 points" in shown(plan)
    part = make_plan(replace(space, stop=Stop(trials=10), baselines={}), BASE, CORPUS, slots=ONE)
    assert part.parts[0].runs == pytest.approx(10)
    assert "stop.trials = 10 leaves out 14 of the 24 points" in shown(part)
    more = replace(space, baselines={"epochs": Baseline(trials=9, parameters=("training.learning_rate",))})
    assert [part.runs for part in make_plan(more, BASE, CORPUS, slots=ONE).parts[1:2]] == [2]
    assert "leaves out" not in shown(make_plan(more, BASE, CORPUS, slots=ONE))


def test_a_plan_says_what_the_text_is() -> None:
    corpus = replace(CORPUS, description=("text: train 7 words (a [b].txt)", "not read: 1 hidden (.c)", "warning: odd"))
    text = shown(make_plan(study(), BASE, corpus, slots=ONE))
    rows = [" ".join(line.split()) for line in text.splitlines()]
    at = rows.index("text train 7 words (a [b].txt)")
    assert rows[at + 1 : at + 3] == ["not read 1 hidden (.c)", "warning odd"]


def test_expected_counts_are_those_of_the_rule() -> None:
    """Against the rule itself over shuffled values; a scheduler that pauses promotes the best third in the end."""
    rng = random.Random(0)
    reached = [0, 0, 0]
    for _ in range(400):
        values = [rng.random() for _ in range(27)]
        for rung in range(3):
            reached[rung] += len(values)
            arrivals = Arrivals("min")
            values = [value for value in values if is_promoted(arrivals.add("t", value), 3)]
            rng.shuffle(values)
    expected = expected_at_rungs(27, 3, Scheduler())
    assert [count / 400 for count in reached] == pytest.approx(expected, rel=0.1)
    assert expected_at_rungs(27, 3, Scheduler(name="promotion")) == [27, 9, 3]


def test_groups_keep_more() -> None:
    assert expected_at_rungs(24, 2, Scheduler(), groups=4)[1] > expected_at_rungs(24, 2, Scheduler())[1]


def test_a_plan_without_a_scheduler_is_exact(tmp_path: Path) -> None:
    space = study(scheduler=Scheduler(name="none"), baselines={}, stop=Stop(trials=4))
    plan = make_plan(space, BASE, CORPUS, slots=ONE)
    trained = [trial for trial in search(tmp_path / "x", space).values() if trial[7] != "refused"]
    assert len(trained) == plan.runs
    assert plan.words == len(trained) * 1_000_000


def test_time_without_a_scheduler_is_exact() -> None:
    """4 trials, then 2 finalists of 2 seeds; each sees 100 s of words, evaluated once, or at three rungs too."""
    space = study(scheduler=Scheduler(name="none"), baselines={}, stop=Stop(trials=4))
    plan = make_plan(space, BASE, CORPUS, slots=Slots(2, 1.0, "2 slots"), speed=SPEED)
    assert plan.span is not None
    assert (plan.span.search, plan.span.whole) == (2 * 121, 2 * 121 + 2 * (151 + 3 * 20))
    assert plan.seconds == 4 * 121 + 4 * (151 + 3 * 20)
    assert plan.gpu_hours == pytest.approx((4 * 121 + 4 * (151 + 3 * 20)) / 3600)


def test_a_trial_that_is_stopped_takes_less() -> None:
    space = study(scheduler=Scheduler(first_rung=0.3, reduction=3), baselines={}, stop=Stop(trials=9))
    plan = make_plan(space, BASE, CORPUS, slots=ONE, speed=SPEED)
    on = plan.rungs[1].trials
    assert plan.parts[0].seconds == pytest.approx(on * (1 + 100 + 40) + (9 - on) * (1 + 100 / 3 + 20))


@given(
    slots=st.integers(1, 20),
    trials=st.integers(1, 60),
    gpus=st.sampled_from([0.0, 0.5, 2.0]),
    tuned=st.integers(1, 5) | st.none(),
    seeds=st.integers(1, 4),
    count=st.integers(0, 3),
)
def test_the_sums_are_sums(slots: int, trials: int, gpus: float, tuned: int | None, seeds: int, count: int) -> None:
    baseline = Baseline() if tuned is None else Baseline(trials=tuned, parameters=("training.learning_rate",))
    space = study(
        stop=Stop(trials=trials), baselines={"epochs": baseline}, finalists=Finalists(count=count, seeds=seeds)
    )
    plan = make_plan(space, BASE, CORPUS, slots=Slots(slots, gpus, ""), speed=SPEED)
    assert plan.span is not None
    assert plan.seconds is not None
    rates = 3  # a baseline is tuned by at most one trial for each
    assert plan.runs == pytest.approx(trials + min(tuned or 0, rates) + seeds * (1 + min(count, trials)))
    assert plan.gpu_hours == pytest.approx(plan.seconds * gpus / 3600)
    assert plan.seconds / slots <= plan.span.whole * (1 + 1e-9)
    assert plan.span.search <= plan.span.whole <= plan.seconds * (1 + 1e-9)
    assert [rung.trials for rung in plan.rungs] == sorted((rung.trials for rung in plan.rungs), reverse=True)
    assert trials * plan.rungs[0].words <= plan.parts[0].words * (1 + 1e-9) <= trials * plan.budget_words * (1 + 1e-9)


@given(st.floats(0.5, 50), st.integers(1, 8))
def test_time_limits_the_trials(hours: float, slots: int) -> None:
    space = study(stop=Stop(hours=hours), baselines={}, finalists=Finalists(count=0))
    plan = make_plan(space, BASE, CORPUS, slots=Slots(slots, 0.0, ""), speed=SPEED)
    assert plan.trials is not None
    assert plan.seconds is not None
    assert plan.seconds / slots == pytest.approx(hours * 3600, rel=0.1, abs=141)


def test_gpu_hours_limit_the_trials() -> None:
    space = study(stop=Stop(gpu_hours=2, trials=1000), scheduler=Scheduler(name="none"), baselines={})
    plan = make_plan(space, BASE, CORPUS, slots=Slots(4, 2.0, ""), speed=SPEED)
    assert plan.trials == round(3600 / 121)
    assert f"which is about {plan.trials} trials at most" in shown(plan)
    assert make_plan(space, BASE, CORPUS, slots=Slots(4, 0.0, ""), speed=SPEED).trials == 1000


def test_without_a_number_of_trials_the_counts_are_for_one() -> None:
    space = study(stop=Stop(no_improvement=5))
    plan = make_plan(space, BASE, CORPUS, slots=ONE, speed=SPEED)
    assert plan.trials is None
    assert "counts below are for one" in " ".join(shown(plan).split())


@pytest.mark.parametrize(
    ("cap", "effect"), [(500.0, "is enough"), (1.0, "keeps fewer models"), (0.001, "is not enough to start")]
)
def test_the_effect_of_a_disk_limit_is_shown(cap: float, effect: str) -> None:
    space = study(resources=Resources(disk_gb=cap), finalists=Finalists(count=2, seeds=20))
    text = shown(make_plan(space, BASE, CORPUS, slots=ONE))
    assert f"resources.disk_gb = {cap:g} {effect}" in " ".join(text.split())


def test_what_a_search_can_find_is_shown() -> None:
    """In units of the scatter over seeds, or in those of the objective."""
    space = study(stop=Stop(trials=64), finalists=Finalists(count=3))
    scatter = SeedScatter(deviation=0.01, arms=4, runs=20, source=Path("results/earlier"))
    known, unknown = (make_plan(space, BASE, CORPUS, slots=ONE, scatter=given) for given in (scatter, None))
    text = " ".join(shown(known).split())
    assert all(part in text for part in ("by 0.017 becomes one of the 3", "by 0.023", "20 runs of 4 arms", "eval/nll"))
    text = " ".join(shown(unknown).split())
    assert all(part in text for part in ("by 1.7 x", "by 2.3 x", "--from DIR"))
    alone = replace(space, finalists=Finalists(count=1))
    assert "finalists in half" not in " ".join(shown(make_plan(alone, BASE, CORPUS, slots=ONE)).split())
    none = study(parameters=(), stop=Stop(trials=0), arms={"none": Arm(settings={"sleep": "epochs"})}, baselines={})
    endless = study(stop=Stop(no_improvement=5))
    assert [make_plan(space, BASE, CORPUS, slots=ONE).power for space in (none, endless)] == [None, None]


LOOKS = (5, 8, 12)


def test_planned_looks_have_expected_and_largest_numbers_of_runs() -> None:
    """Controls and the reference are counted with the arms that need them."""
    space = study(
        arms={"fixed": Arm(settings={"sleep.folds": 7}), "control": Arm(matched="fixed"), "same": Arm(matched="best")},
        finalists=Finalists(count=2, seeds=LOOKS),
        scheduler=Scheduler(name="none"),
    )
    plan = make_plan(space, BASE, CORPUS, slots=ONE, speed=SPEED)
    alike, differ = plan.expected
    assert plan.seed_runs == 12 * (2 + 1 + 2 + 2)
    for expected in plan.expected:
        seeds = expected.case.seeds
        assert seeds["control"] == seeds["fixed"]
        assert seeds["same"] == seeds["finalists"]
        assert expected.runs == pytest.approx(
            2 * seeds["finalists"] + sum(seeds[arm] for arm in (*space.arms, "epochs", "as_epochs"))
        )
        assert 5 <= min(seeds.values()) <= max(seeds.values()) == seeds["epochs"] <= 12
        assert expected.span is not None and plan.span is not None
        assert expected.span.whole < plan.span.whole
    assert alike.case.difference == 0
    assert alike.runs < differ.runs < plan.seed_runs
    text = " ".join(shown(plan).split())
    assert all(part in text for part in ("5, 8 and 12 seeds", f"expect {alike.runs:.0f} (", f"; {differ.runs:.0f} ("))


def test_a_fixed_number_of_seeds_has_the_difference_that_it_shows() -> None:
    space = study(finalists=Finalists(count=2, seeds=5))
    scatter = SeedScatter(deviation=0.01, arms=4, runs=20, source=Path("results/earlier"))
    unknown, known = (make_plan(space, BASE, CORPUS, slots=ONE, scatter=given) for given in (None, scatter))
    difference = unknown.expected[1].case.difference
    assert known.expected[1].case.in_metric == pytest.approx(difference * 0.01)
    assert f"5 for each arm; a difference from epochs of {difference:.2g} x the scatter" in " ".join(
        shown(unknown).split()
    )
    assert f"a difference from epochs of {difference * 0.01:.2g}" in " ".join(shown(known).split())
    other = replace(space, comparison=Claim(primary="babylm/blimp"))
    assert make_plan(other, BASE, CORPUS, slots=ONE, scatter=scatter).expected[1].case.in_metric is None


@pytest.mark.parametrize("more", [{"finalists": Finalists(count=2, seeds=1)}, {"comparison": Claim(reference="none")}])
def test_where_no_arm_is_compared_nothing_is_expected(more: dict[str, Any]) -> None:
    plan = make_plan(study(**more), BASE, CORPUS, slots=ONE)
    assert plan.expected == ()
    assert f"seeds {plan.looks[-1]} for each arm; no arm is compared" in " ".join(shown(plan).split())


def test_enqueued_points_and_earlier_experiments_are_shown() -> None:
    space = study(enqueue=({"sleep.folds": 5},), warm_start=("results/a", "results/b"))
    text = " ".join(shown(make_plan(space, BASE, CORPUS, slots=ONE)).split())
    assert all(part in text for part in ("1 point of enqueue", "results/a, results/b"))
    assert "enqueue" not in shown(make_plan(study(), BASE, CORPUS, slots=ONE))


def test_models_that_stay_are_those_of_the_best_and_of_fresh_seeds() -> None:
    """Two finalists and the best of a tuned baseline, then two baselines and two finalists over three seeds."""
    space = study(finalists=Finalists(count=2, seeds=3))
    plan = make_plan(space, BASE, CORPUS, slots=ONE)
    assert plan.left_bytes == (2 + 1 + 3 * (2 + 2)) * model_bytes(BASE)
    assert plan.running_bytes == needed_bytes(BASE)
    assert plan.paused_bytes == 0


def test_paused_trials_need_room_for_their_checkpoints() -> None:
    """At most 18 of 27 are paused at a time; a limit that holds no checkpoints stops paused trials."""
    space = plain(scheduler=Scheduler(name="promotion"), stop=Stop(trials=27))
    plan = make_plan(space, BASE, CORPUS, slots=ONE)
    assert plan.paused_bytes == 18 * checkpoint_bytes(BASE)
    assert "paused trials" in " ".join(shown(plan).split())
    cap = (plan.left_bytes + plan.running_bytes + plan.paused_bytes / 2) / 1e9
    text = " ".join(shown(make_plan(replace(space, resources=Resources(disk_gb=cap)), BASE, CORPUS, slots=ONE)).split())
    assert "stops paused trials" in text


def test_a_model_of_unknown_size_is_said_not_counted_as_nothing() -> None:
    unsized = replace(BASE, model=ModelConfig(kind="my_lab.models:build"))
    line = next(line for line in shown(make_plan(study(), unsized, CORPUS, slots=ONE)).splitlines() if "disk" in line)
    assert "not known" in line and "MB" not in line


@pytest.mark.parametrize("width", [80, 110])
def test_a_plan_fits_the_terminal(width: int) -> None:
    text = io.StringIO()
    space = load_space(REPLAY)
    plan = make_plan(space, compose_base(space), STRICT_SMALL, slots=Slots(4, 1.0, "4 slots"), speed=SPEED)
    show_plan(plan, Console(file=text, width=width, force_terminal=True, color_system=None))
    lines = text.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert any(line.startswith("total") for line in lines)
    assert any("GPU-hours" in line for line in lines)


def test_what_never_fits_is_refused_in_the_plan() -> None:
    space = study(parameters=(Parameter("sleep.folds", Choice((5, 500))),), baselines={})
    with pytest.raises(BudgetError, match="the choice 500 can never be used"):
        make_plan(space, BASE, CORPUS, slots=ONE)


def test_arms_and_what_they_wait_for() -> None:
    space = study(
        scheduler=Scheduler(name="none"),
        baselines={"epochs": Baseline()},
        arms={
            "of_strict": Arm(matched="strict"),
            "of_best": Arm(matched="best"),
            "strict": Arm(settings={"sleep": "strict"}),
            "like_best": Arm(like="best", settings={"sleep.folds": 10}),
        },
    )
    plan = make_plan(space, BASE, CORPUS, slots=Slots(30, 1.0, "30 slots"), speed=SPEED)
    assert {part.name: (part.runs, part.waits_for) for part in plan.parts} == {
        "search": (7, ""),
        "baseline epochs": (2, ""),
        "arm strict": (2, ""),
        "arm like_best": (2, "the search"),
        "finalists": (4, ""),
        "control of_strict": (2, "the run of strict with the same seed"),
        "control of_best": (2, "the run of the best finalist with the same seed"),
    }
    assert plan.span is not None
    run = 151 + 3 * 20
    assert (plan.span.search, plan.span.whole) == (121, 121 + 2 * run)
    rows = [line.split() for line in shown(plan).splitlines()]
    at = next(number for number, row in enumerate(rows) if row[:2] == ["control", "of_best"])
    assert rows[at + 1] == ["after", "the", "run", "of", "the", "best", "finalist", "with", "the", "same", "seed"]
    assert ["arm", "strict", "1", "9", "10", "89"] in rows


def test_arms_without_a_search() -> None:
    space = study(parameters=(), stop=Stop(trials=0), baselines={}, arms={"none": Arm(settings={"sleep": "epochs"})})
    plan = make_plan(space, BASE, CORPUS, slots=ONE, speed=SPEED)
    assert [(part.name, part.runs) for part in plan.parts] == [("arm none", 2)]
    assert plan.span is not None
    assert plan.span.whole == 2 * (151 + 3 * 20)
    assert ["search", "none:", "baselines", "and", "arms", "alone"] in [
        line.split() for line in shown(plan).splitlines()
    ]
