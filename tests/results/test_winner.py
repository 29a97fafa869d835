"""The winner: chosen on dev over fresh seeds, and what a run under its settings needs."""

from typing import Any

import pytest
import yaml

from sleep_tune.errors import DataError, RunFolderError
from sleep_tune.results.winner import find_winner
from tests.results.conftest import SyntheticLog

SLEEP = {"folds": 20, "replay": {"strategy": "strict", "ratio": 0.3}, "length": {"passes": 2.0, "ratio": None}}


def keep_config(log: SyntheticLog, trial: str, **sections: Any) -> None:
    folder = log.folder / "trials" / trial
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"sleep": SLEEP} | sections))


def search(log: SyntheticLog) -> None:
    log.open(parameters={"sleep.folds": {}, "training.learning_rate": {}}, base={"data": "toy", "sleep.folds": 3})
    for number, value in ((1, 2.0), (2, 1.5), (3, 1.9)):
        parameters = {"sleep.folds": 5 * number, "training.learning_rate": 0.001 * number}
        log.ask(f"t000{number}", parameters=parameters)
        log.complete(f"t000{number}", {"eval/nll": value})
        keep_config(log, f"t000{number}")


def test_a_finalist_is_chosen_by_its_mean_on_dev_and_not_by_test(log: SyntheticLog) -> None:
    search(log)
    for seed in (1000, 1001):
        for arm, dev, test in (("t0002", 1.8, 1.2), ("t0003", 1.7, 1.4)):
            log.run(arm, seed, test, 0.8, role="finalist", metrics={"eval/nll": dev + seed / 1e6})
            keep_config(log, f"{arm}-s{seed}")
    winner = find_winner(log.folder)
    assert winner.arm == "t0003"
    assert winner.run == log.folder / "trials" / "t0003-s1000"
    assert winner.why == "t0003 has the best mean eval/nll on dev, 1.7010 over 2 fresh seeds"
    assert winner.sleep == {"folds": 20, "replay": {"strategy": "strict", "ratio": 0.3}, "length": {"passes": 2.0}}
    assert winner.base == {"data": "toy"}


def test_an_arm_that_diverged_does_not_win_by_the_seeds_that_survived(log: SyntheticLog) -> None:
    search(log)
    for seed in (1000, 1001):
        for arm, dev in (("t0001", 1.9), ("t0002", 1.8), ("t0003", 1.7)):
            trial = f"{arm}-s{seed}"
            if arm == "t0003" and seed == 1001:
                log.ask(trial, role="finalist", arm=arm, seed=seed)
                log.event("failed", trial, 1, kind="diverged", reason="loss is nan", log=None)
            else:
                log.run(arm, seed, 1.2, 0.8, role="finalist", metrics={"eval/nll": dev})
                keep_config(log, trial)
    winner = find_winner(log.folder)
    assert winner.arm == "t0002"
    assert "of the arms that diverged least, 1.8000 over 2 fresh seeds" in winner.why


def test_means_are_over_the_seeds_that_all_arms_have(log: SyntheticLog) -> None:
    """t0002 was decided after two seeds; the third, which was hard for every arm, is not held against t0003."""
    search(log)
    for arm, values in (("t0002", (1.8, 1.8)), ("t0003", (1.7, 1.7, 2.9))):
        for seed, value in enumerate(values, start=1000):
            log.run(arm, seed, 1.2, 0.8, role="finalist", metrics={"eval/nll": value})
            keep_config(log, f"{arm}-s{seed}")
    winner = find_winner(log.folder)
    assert winner.arm == "t0003"
    assert "1.7000 over 2 fresh seeds that all of them have" in winner.why
    log.run("t0001", 2000, 1.2, 0.8, role="finalist", metrics={"eval/nll": 1.75})
    keep_config(log, "t0001-s2000")
    winner = find_winner(log.folder)
    assert (winner.arm, "1.7500 over 1 fresh seeds; no seed" in winner.why) == ("t0001", True)


def test_an_arm_wins_by_its_mean_and_its_best_run_is_named_whatever_their_order(log: SyntheticLog) -> None:
    """t0002 has the best single run and the worse mean; t0003's best seed is not its first."""
    search(log)
    for arm, values in (("t0002", (1.0, 2.4)), ("t0003", (1.6, 1.5))):
        for seed, value in zip((1000, 1001), values, strict=True):
            log.run(arm, seed, 1.2, 0.8, role="finalist", metrics={"eval/nll": value})
            keep_config(log, f"{arm}-s{seed}")
    winner = find_winner(log.folder)
    assert (winner.arm, winner.run.name) == ("t0003", "t0003-s1001")


@pytest.mark.parametrize("finalists", [True, False])
def test_where_more_is_better_the_highest_wins(log: SyntheticLog, finalists: bool) -> None:
    metric = "eval/pairs_accuracy"
    log.open(objective={"metric": metric, "mode": "max"})
    for number, value in ((1, 0.6), (2, 0.9), (3, 0.7)):
        log.ask(f"t000{number}")
        log.complete(f"t000{number}", {"eval/nll": 2.0, metric: value})
        keep_config(log, f"t000{number}")
    for arm, value in (("t0002", 0.8), ("t0003", 0.9)) if finalists else ():
        log.run(arm, 1000, 2.0, 0.8, role="finalist", metrics={metric: value})
        keep_config(log, f"{arm}-s1000")
    assert find_winner(log.folder).arm == ("t0003" if finalists else "t0002")


def test_a_trial_that_did_not_spend_its_budget_is_no_winner(log: SyntheticLog) -> None:
    """A stopped trial's value is of another share of the budget, and a repeat has no run of its own."""
    search(log)
    log.ask("t0004")
    log.rung("t0004", 100_000, decision="stop", nll=0.5)
    log.event("stopped", "t0004", 1, reason="not among the best", outcome=None)
    log.ask("t0005")
    log.event("completed", "t0005", value=0.1, outcome=None, repeats="t0002", reason="has the result of t0002")
    assert find_winner(log.folder).arm == "t0002"


def test_without_finalists_the_best_trial_is_it_and_the_sentence_says_so(log: SyntheticLog) -> None:
    search(log)
    winner = find_winner(log.folder)
    assert winner.arm == "t0002"
    assert winner.others == {"training.learning_rate": 0.002}
    assert "under one seed: no finalist was repeated" in winner.why


def test_nothing_completed_and_a_missing_folder_are_reported(log: SyntheticLog) -> None:
    log.open()
    log.ask("t0001")
    with pytest.raises(DataError, match=r"eval/nll.* 1 trials"):
        find_winner(log.folder)
    log.complete("t0001", {"eval/nll": 1.0})
    with pytest.raises(RunFolderError, match=r"config\.yaml .*missing"):
        find_winner(log.folder)


def test_without_a_search_the_best_arm_wins_and_never_the_reference_or_a_control(log: SyntheticLog) -> None:
    log.open(comparison={"reference": "plain"}, base={"data": "toy"})
    tuned = {"sleep.folds": 20, "training.learning_rate": 0.01}
    for seed in (1000, 1001):
        for arm, dev, more in (
            ("plain", 1.0, {}),
            ("weighted", 1.8, {}),
            ("strict", 1.7, {"parameters": tuned}),
            ("strict_matched", 1.1, {"parameters": tuned, "matched": "strict"}),
        ):
            log.run(arm, seed, 1.2, 0.8, role="arm", metrics={"eval/nll": dev + seed / 1e6}, **more)
            keep_config(log, f"{arm}-s{seed}")
    winner = find_winner(log.folder)
    assert (winner.arm, winner.others) == ("strict", {"training.learning_rate": 0.01})
    assert winner.run == log.folder / "trials" / "strict-s1000"


def test_an_arm_wins_by_its_last_settings(log: SyntheticLog) -> None:
    log.open()
    for version, dev in (({"sleep.folds": 5}, 1.0), ({"sleep.folds": 20}, 1.9)):
        trial = f"strict-{version['sleep.folds']}"
        log.ask(trial, role="arm", arm="strict", seed=1, parameters=version)
        log.complete(trial, {"eval/nll": dev})
        keep_config(log, trial)
    log.run("weighted", 1, 1.2, 0.8, role="arm", metrics={"eval/nll": 1.5})
    keep_config(log, "weighted-s1")
    assert find_winner(log.folder).arm == "weighted"
