"""Fresh seeds: each study has its own, every arm of it the same, and a log of an earlier version keeps its rule."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.experiment.event_log import read_events
from sleep_tune.results.comparison import compare
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.finalists import DRAWN, fresh_seeds, seeds_source
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Baseline, Finalists, LogUniform, Parameter, Search, Space, Stop
from tests.made import Line, make_old
from tests.results.conftest import has_note
from tests.search.studies import BASE, WORKER, open_search, plain

SPACE = plain(
    stop=Stop(trials=2),
    baselines={"epochs": Baseline(), "as_epochs": Baseline()},
    finalists=Finalists(count=1, seeds=3),
)


def seeds_of(space: Space, taken: int = 0) -> tuple[int, ...]:
    return fresh_seeds(space, seeds_source(space), taken)


def asked(director: Director) -> dict[str, list[int]]:
    """Arm -> the seeds of its repeats."""
    found: dict[str, list[int]] = {}
    for trial in director.trials.values():
        if trial.role != "search":
            found.setdefault(trial.arm, []).append(trial.seed)
    return found


def searched(folder: Path, space: Space) -> dict[str, list[int]]:
    director = open_search(folder, space)
    run_inline(director, WORKER)
    director.close()
    return asked(director)


@pytest.mark.parametrize(
    "other",
    [
        replace(SPACE, name="small2"),
        replace(SPACE, search=Search(seed=2, startup=3)),
        replace(SPACE, base={"data": "text"}),
    ],
)
def test_two_studies_share_no_seed(other: Space) -> None:
    """One does not replicate the other on the same seeds: with 1000 + search.seed, studies of 0 and 1 shared 4 of 5."""
    many = replace(SPACE.finalists, seeds=50)
    ours, theirs = (seeds_of(replace(space, finalists=many)) for space in (SPACE, other))
    assert not set(ours) & set(theirs)


def test_the_seeds_of_a_study_are_these_whatever_else_it_asks_for() -> None:
    """Held to numbers: a later version that drew others would tear a study's repeats apart."""
    assert seeds_of(SPACE) == (464622, 304292, 874171)
    assert seeds_of(replace(SPACE, stop=Stop(trials=99), baselines={})) == (464622, 304292, 874171)


@given(st.integers(1, 60), st.integers(1, 60), st.one_of(st.none(), st.integers(0, 9)), st.integers(0, 12))
def test_more_seeds_begin_with_the_same_ones_and_are_never_the_searchs(
    few: int, more: int, first: int | None, taken: int
) -> None:
    few, more = sorted((few, more))
    spaces = [replace(SPACE, finalists=Finalists(seeds=count, first_seed=first)) for count in (few, more)]
    taken = taken if first is not None else seeds_of(spaces[0])[taken % few]
    less, all_ = (seeds_of(space, taken) for space in spaces)
    assert all_[:few] == less
    assert len(set(all_)) == more
    assert taken not in all_
    assert first is not None or all(seed in DRAWN for seed in all_)


def test_no_seed_of_a_study_comes_twice_however_many_it_asks_for() -> None:
    """Of 3,000 draws from 900,000 numbers some are alike: without a look at those before, about five pairs here."""
    seeds = seeds_of(replace(SPACE, finalists=Finalists(seeds=3_000)))
    assert len(set(seeds)) == 3_000


def test_a_first_seed_pairs_studies_on_purpose() -> None:
    paired = replace(SPACE, finalists=Finalists(seeds=3, first_seed=1000))
    assert seeds_of(paired) == seeds_of(replace(paired, name="other")) == (1000, 1001, 1002)
    assert seeds_of(paired, taken=1001) == (1000, 1002, 1003)


def test_no_arm_is_repeated_under_the_seed_that_chose_the_settings(tmp_path: Path) -> None:
    space = replace(SPACE, finalists=Finalists(count=1, seeds=3, first_seed=BASE.training.seed))
    found = {seed - BASE.training.seed for seeds in searched(tmp_path / "x", space).values() for seed in seeds}
    assert found == {1, 2, 3}


def test_every_arm_has_the_same_seeds_and_its_runs_are_named_by_them(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", SPACE)
    run_inline(director, WORKER)
    director.close()
    arms = asked(director)
    assert len(arms) == 3
    assert set(map(tuple, arms.values())) == {seeds_of(SPACE)}
    assert {f"{arm}-s{seed}" for arm in arms for seed in seeds_of(SPACE)} < director.trials.keys()


def test_a_study_that_is_resumed_and_grown_keeps_its_seeds(tmp_path: Path) -> None:
    before = searched(tmp_path / "x", SPACE)
    after = searched(tmp_path / "x", replace(SPACE, finalists=Finalists(count=1, seeds=5)))
    assert {arm: seeds[:3] for arm, seeds in after.items()} == before
    assert all(len(seeds) == 5 for seeds in after.values())


def test_a_base_that_is_written_otherwise_draws_no_new_seeds(tmp_path: Path) -> None:
    """What seeds are drawn from is in the log, not in what the file or a later version makes of the base."""
    before = searched(tmp_path / "x", SPACE)
    more = replace(SPACE, base={"sleep.folds": 10}, finalists=Finalists(count=1, seeds=4))
    after = searched(tmp_path / "x", more)
    assert {arm: seeds[:3] for arm, seeds in after.items()} == before


@pytest.mark.parametrize("ended", [True, False])
def test_a_log_of_an_earlier_version_keeps_its_seeds_and_names(tmp_path: Path, ended: bool) -> None:
    """Such a log has no source; its repeats are numbered, and start at 1000 plus the search's seed."""
    director = open_search(tmp_path / "x", SPACE)
    director.close()

    def take_out(lines: list[Line]) -> None:
        del lines[0]["data"]["seeds_source"], lines[0]["data"]["study"]["finalists"]["first_seed"]

    path = tmp_path / "x" / "trials.jsonl"
    make_old(path, take_out)
    if ended:
        assert set(map(tuple, searched(tmp_path / "x", SPACE).values())) == {(1001, 1002, 1003)}
    grown = replace(SPACE, finalists=Finalists(count=1, seeds=4))
    assert set(map(tuple, searched(tmp_path / "x", grown).values())) == {(1001, 1002, 1003, 1004)}
    names = {event.trial for event in read_events(path) if event.event == "asked"}
    assert {"epochs-s1", "epochs-s4", "as_epochs-s4"} < names
    assert len([name for name in names if "-s" in str(name)]) == 12


def test_a_baseline_like_a_tuned_one_has_its_settings_and_is_an_a_a_control(tmp_path: Path) -> None:
    rate = Parameter("training.learning_rate", LogUniform(1e-4, 1e-2))
    space = replace(
        SPACE,
        parameters=(*SPACE.parameters, rate),
        baselines={"as_epochs": Baseline(like="epochs"), "epochs": Baseline(trials=2, parameters=(rate.key,))},
    )
    director = open_search(tmp_path / "like", space)
    run_inline(director, WORKER)
    director.close()
    settings = {
        arm: [trial.parameters for trial in director.trials.values() if trial.role == "baseline" and trial.arm == arm]
        for arm in space.baselines
    }
    best = next(director.state.ranking("epochs")).parameters
    assert settings == {"epochs": [best] * 3, "as_epochs": [best] * 3}
    comparison = compare(tmp_path / "like")
    assert has_note(comparison, "as_epochs is an A/A control")
    assert has_note(comparison, "as_epochs", "found for epochs")
    assert not has_note(comparison, "Not tuned")
