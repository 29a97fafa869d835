"""Seeds spent look by look: decided arms get no more, the others go on, and every kill leaves the same study."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import from_dict
from sleep_tune.errors import DataError
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.look_evidence import ArmEvidence, Judge
from sleep_tune.records import Event
from sleep_tune.search.decide.assignments import Trial
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS, FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Arm, Baseline, Claim, Finalists, Space, Stop
from sleep_tune.simulation.engine import Cluster, MemoryLog, VirtualClock
from tests.search.judges import judge_events, seeds_by_arm
from tests.search.studies import BASE, decisions, open_search, plain

LOOKS = (2, 4, 7)

EFFECTS = {6: -30.0, 16: -6.0}
"""Folds of an arm -> its true difference from the baseline, whose noise is 1."""

STUDY = plain(
    stop=Stop(trials=0),
    baselines={"epochs": Baseline(), "as_epochs": Baseline()},
    arms={
        "clear": Arm(settings={"sleep.folds": 6}),
        "of_clear": Arm(matched="clear"),
        "close": Arm(settings={"sleep.folds": 16}),
        "of_close": Arm(matched="close"),
        "hot": Arm(settings={"sleep.folds": 7, "training.learning_rate": 0.1}),
    },
    finalists=Finalists(count=0, seeds=LOOKS, first_seed=50),
)


def loss(config: RunConfig, seed: int, share: float) -> float:
    """A loss whose noise is the seed's and the arm's own; a rate above 0.05 diverges."""
    if config.training.learning_rate > 0.05 and share > 0.5:
        return float("nan")
    folds = config.sleep.folds
    return 20.0 + EFFECTS.get(folds, 0.0) + float(np.random.default_rng([seed, folds]).standard_normal())


WORKER = FakeWorker(curve=loss, heartbeats=1)


def judged(folder: Path) -> Judge:
    return judge_events(lambda: read_events(folder / LOG))


def looks_of(folder: Path) -> list[Event]:
    return [event for event in read_events(folder / LOG) if event.event == "look"]


def run(folder: Path, space: Space, judge: Judge | None = None) -> dict[str, list[int]]:
    """Run to the end; the seeds of each arm."""
    director = open_search(folder, space, judge=judge or judged(folder))
    run_inline(director, WORKER)
    assert director.finished
    director.close()
    return seeds_by_arm(director.trials.values())


def test_seeds_are_spent_on_undecided_arms_and_on_what_they_need(tmp_path: Path) -> None:
    """Controls follow their parents; the reference and an arm that is not compared get seeds as long as any arm does.

    An arm that always diverges has no evidence, so that it is never decided here.
    """
    seeds = {arm: len(runs) for arm, runs in run(tmp_path / "x", STUDY).items()}
    assert seeds == {"epochs": 7, "as_epochs": 7, "clear": 2, "of_clear": 2, "close": 4, "of_close": 4, "hot": 7}
    looks = [event.data for event in looks_of(tmp_path / "x")]
    assert [(look["number"], look["seeds"]) for look in looks] == [(1, 2), (2, 4), (3, 7)]
    assert [list(look["arms"]) for look in looks] == [
        ["epochs", "as_epochs", "clear", "close", "hot"],
        ["close", "hot"],
        ["hot"],
    ]
    assert looks[0]["arms"]["epochs"] is None and looks[0]["arms"]["as_epochs"] is None
    assert looks[0]["arms"]["clear"]["decided"] == looks[1]["arms"]["close"]["decided"] == "significant"


def test_nothing_of_a_look_is_asked_for_before_the_one_before_it(tmp_path: Path) -> None:
    run(tmp_path / "x", STUDY)
    allowed = LOOKS[0]
    for event in read_events(tmp_path / "x" / LOG):
        if event.event == "look":
            allowed = next((number for number in LOOKS if number > event.data["seeds"]), 0)
        if event.event == "asked":
            assert event.seed in range(50, 50 + allowed)


def test_the_search_ends_when_all_arms_are_decided(tmp_path: Path) -> None:
    space = replace(STUDY, arms={"clear": STUDY.arms["clear"], "null": Arm(settings={"sleep.folds": 5})})
    seeds = run(tmp_path / "x", space, lambda seeds: {arm: ArmEvidence(decided="futile") for arm in ("clear", "null")})
    assert {len(runs) for runs in seeds.values()} == {2}
    assert len(looks_of(tmp_path / "x")) == 1


def test_a_single_number_of_seeds_has_no_look(tmp_path: Path) -> None:
    space = replace(STUDY, finalists=Finalists(count=0, seeds=3))
    assert {len(runs) for runs in run(tmp_path / "x", space, refuse).values()} == {3}
    assert looks_of(tmp_path / "x") == []


def refuse(seeds: tuple[int, ...]) -> Mapping[str, ArmEvidence]:
    raise DataError(f"no run has the metric test/blimp at the seeds {seeds}")


@pytest.mark.parametrize(
    ("judge", "comparison", "reason"),
    [
        (refuse, Claim(), "test/blimp"),
        (None, Claim(), "nothing judges"),
        (refuse, Claim(reference="strict"), "no strict to compare with"),
    ],
)
def test_arms_that_cannot_be_compared_get_all_seeds(
    judge: Judge | None, comparison: Claim, reason: str, tmp_path: Path
) -> None:
    director = open_search(tmp_path / "x", replace(STUDY, comparison=comparison), judge=judge)
    run_inline(director, WORKER)
    director.close()
    assert {len(runs) for runs in seeds_by_arm(director.trials.values()).values()} == {7}
    looks = looks_of(tmp_path / "x")
    assert [look.data["seeds"] for look in looks] == [2, 4, 7]
    assert all(reason in look.data["reason"] for look in looks)


def test_finalists_and_arms_like_the_best_trial_are_looked_at_too(tmp_path: Path) -> None:
    space = replace(
        STUDY,
        stop=Stop(trials=4),
        arms={"again": Arm(like="best"), "twin": Arm(matched="best")},
        finalists=Finalists(count=1, seeds=LOOKS),
    )
    seeds = run(tmp_path / "x", space)
    director = open_search(tmp_path / "x", space)
    best = next(director.state.ranking("search")).id
    director.close()
    (first, *_) = looks_of(tmp_path / "x")
    assert first.data["arms"].keys() == {"epochs", "as_epochs", "again", best}
    assert seeds["twin"] == seeds[best]


def test_cut_after_any_event_it_spends_the_same_seeds() -> None:
    """A logged look is not judged again: a kill while it is judged repeats it, a kill after it does not."""
    director, whole, _ = run_on(())
    looks = [number for number, event in enumerate(whole) if event.event == "look"]
    around = {number + step for number in looks for step in (-1, 0, 1, 2)}
    for number in sorted({*range(2, len(whole), 25), *around}):
        again, events, calls = run_on(whole[:number])
        assert decisions(again) == decisions(director)
        assert [event.data for event in events if event.event == "look"] == [whole[at].data for at in looks]
        assert calls == list(LOOKS[sum(at < number for at in looks) :])


def run_on(events: tuple[Event, ...]) -> tuple[Director, tuple[Event, ...], list[int]]:
    """Resume from a log, without a disk, and run to the end; also the seeds of each look that is judged."""
    log, calls = MemoryLog(events), list[int]()
    judge = judge_events(lambda: log.kept)

    def count(seeds: tuple[int, ...]) -> Mapping[str, ArmEvidence]:
        calls.append(len(seeds))
        return judge(seeds)

    director = Director(STUDY, BASE, TOY_CORPUS, Path("none"), log=log, judge=count)
    run_inline(director, WORKER)
    return director, tuple(log.kept), calls


def test_more_looks_resume_with_the_arms_that_are_undecided(tmp_path: Path) -> None:
    run(tmp_path / "x", STUDY)
    grown = run(tmp_path / "x", replace(STUDY, finalists=replace(STUDY.finalists, seeds=(*LOOKS, 9))))
    assert {arm: len(seeds) for arm, seeds in grown.items()} == {
        **{"epochs": 9, "as_epochs": 9, "hot": 9},
        **{"clear": 2, "of_clear": 2, "close": 4, "of_close": 4},
    }


def test_a_look_before_those_that_were_taken_is_not_made_up_for(tmp_path: Path) -> None:
    """It would judge an arm by fewer seeds than the look before."""
    run(tmp_path / "x", replace(STUDY, finalists=replace(STUDY.finalists, seeds=(2, 5))))
    run(tmp_path / "x", replace(STUDY, finalists=replace(STUDY.finalists, seeds=(2, 3, 4, 7))))
    assert [event.data["seeds"] for event in looks_of(tmp_path / "x")] == [2, 5, 7]


def test_a_number_of_seeds_instead_of_looks_gives_all_arms_as_many(tmp_path: Path) -> None:
    run(tmp_path / "x", STUDY)
    grown = run(tmp_path / "x", replace(STUDY, finalists=replace(STUDY.finalists, seeds=8)), refuse)
    assert {len(seeds) for seeds in grown.values()} == {8}


def test_looks_instead_of_a_number_of_seeds_judge_what_has_been_trained(tmp_path: Path) -> None:
    run(tmp_path / "x", replace(STUDY, finalists=replace(STUDY.finalists, seeds=4)))
    grown = {arm: len(seeds) for arm, seeds in run(tmp_path / "x", STUDY).items()}
    assert grown == {"epochs": 7, "as_epochs": 7, "hot": 7, "clear": 4, "of_clear": 4, "close": 4, "of_close": 4}
    assert [event.data["seeds"] for event in looks_of(tmp_path / "x")] == [2, 4, 7]


def test_an_arm_that_joins_later_has_every_look_by_itself(tmp_path: Path) -> None:
    """The others keep what was decided, and are not judged again."""
    late = {name: arm for name, arm in STUDY.arms.items() if name not in ("close", "of_close")}
    before = run(tmp_path / "x", replace(STUDY, arms=late))
    taken = len(looks_of(tmp_path / "x"))
    after = run(tmp_path / "x", STUDY)
    assert {arm: after[arm] for arm in before} == before
    assert (len(after["close"]), len(after["of_close"])) == (4, 4)
    assert [list(event.data["arms"]) for event in looks_of(tmp_path / "x")[taken:]] == [["close"], ["close"]]


def test_an_arm_with_other_settings_is_undecided_again(tmp_path: Path) -> None:
    run(tmp_path / "x", STUDY)
    arms = {"clear": Arm(settings={"sleep.folds": 6, "sleep.replay.ratio": 0.3})}
    run(tmp_path / "x", replace(STUDY, arms=arms))
    (*_, last) = looks_of(tmp_path / "x")
    assert last.data["arms"].keys() == {"clear"}
    director = open_search(tmp_path / "x", replace(STUDY, arms=arms))
    assert [trial for trial in director.trials if trial.startswith("clear-v2")] == ["clear-v2-s50", "clear-v2-s51"]
    director.close()


def test_slots_wait_for_the_last_run_of_a_look(tmp_path: Path) -> None:
    """On a simulated cluster, where several runs end at different times: the seeds are those of one slot."""
    clock, log = VirtualClock(), MemoryLog()
    judge = judge_events(lambda: log.kept)
    director = Director(STUDY, BASE, TOY_CORPUS, Path("none"), clock=clock, log=log, judge=judge)

    def curve(trial: Trial, share: float) -> float:
        return loss(from_dict(trial.config), trial.seed, share)

    Cluster(director, clock, curve, num_slots=3).run()
    seeds = {arm: len(runs) for arm, runs in seeds_by_arm(director.trials.values()).items()}
    assert director.finished
    assert seeds == {"epochs": 7, "as_epochs": 7, "clear": 2, "of_clear": 2, "close": 4, "of_close": 4, "hot": 7}
