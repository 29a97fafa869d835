"""What the screen, the plain lines and --status say of looks."""

from dataclasses import replace
from pathlib import Path

from sleep_tune.errors import DataError
from sleep_tune.experiment.look_evidence import ArmEvidence
from sleep_tune.search.monitor.event_lines import EventLines, heartbeat_line
from sleep_tune.search.monitor.forecast import forecast
from sleep_tune.search.monitor.look_lines import describe_look, describe_looks
from sleep_tune.search.monitor.snapshot import read_recorded
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Arm, Baseline, Finalists, Stop
from tests.search.studies import WORKER, open_search, plain

STUDY = plain(
    stop=Stop(trials=0),
    baselines={"epochs": Baseline()},
    arms={
        "strict": Arm(settings={"sleep.folds": 5}),
        "null": Arm(settings={"sleep.folds": 7}),
        "control": Arm(matched="strict"),
    },
    finalists=Finalists(count=0, seeds=(2, 3, 4)),
)


def judge(seeds: tuple[int, ...]) -> dict[str, ArmEvidence]:
    null = ArmEvidence(p=0.5) if len(seeds) < 4 else ArmEvidence(decided="futile", p=0.6, power=0.02)
    return {"strict": ArmEvidence(decided="significant", p=0.0004, difference=-0.3), "null": null}


def test_lines_and_screen_name_the_look_and_what_is_decided(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", STUDY, judge=judge)
    events = EventLines(director)
    printed: list[str] = []
    shown: dict[str | None, tuple[int | None, bool]] = {}

    def refresh() -> None:
        printed.extend(line for line in events.lines() if line.startswith("look"))
        state = forecast(director, 1)
        assert state.total is not None and state.done <= state.total
        shown.setdefault(describe_looks(director), (state.total, state.is_most))

    run_inline(director, WORKER, refresh)
    refresh()
    assert printed == [
        "look 1 of 3, at 2 seeds: strict significant (p < 0.001); more seeds for null",
        "look 2 of 3, at 3 seeds: more seeds for null",
        "look 3 of 3, at 4 seeds: null futile",
    ]
    strict = "strict significant (p < 0.001) at 2 seeds"
    assert shown == {
        "next look: 1 of 3, at 2 seeds": (16, True),
        f"next look: 2 of 3, at 3 seeds · {strict} · undecided: null": (12, True),
        f"next look: 3 of 3, at 4 seeds · {strict} · undecided: null": (12, False),
        f"looks over at 4 seeds · {strict} · null futile at 4 seeds": (12, False),
    }
    director.close()
    assert describe_looks(read_recorded(tmp_path / "x", is_driven=False)) == list(shown)[-1]


def test_a_heartbeat_counts_the_runs_that_looks_may_spare(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", STUDY, judge=judge)
    assert heartbeat_line(director, 1).startswith("0 of at most 16 runs done")
    director.close()


def test_why_arms_cannot_be_compared_is_printed_once(tmp_path: Path) -> None:
    def refuse(seeds: tuple[int, ...]) -> dict[str, ArmEvidence]:
        raise DataError("no run has test/blimp")

    director = open_search(tmp_path / "x", STUDY, judge=refuse)
    events = EventLines(director)
    run_inline(director, WORKER)
    assert [line for line in events.lines() if line.startswith("look")] == [
        "look 1 of 3, at 2 seeds: no arm can be decided: no run has test/blimp",
        "look 2 of 3, at 3 seeds: no arm can be decided",
        "look 3 of 3, at 4 seeds: no arm can be decided",
    ]
    assert "no arm can be decided: no run has test/blimp" in str(describe_looks(director))
    director.close()


def test_a_search_of_one_look_says_nothing_of_looks(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", replace(STUDY, finalists=Finalists(count=0, seeds=2)))
    run_inline(director, WORKER)
    assert describe_looks(director) is None
    assert not forecast(director, 1).is_most
    director.close()


def test_each_version_of_an_arm_has_its_own_looks(tmp_path: Path) -> None:
    """An arm that gets other settings is judged anew, and the line of a look says what was found then."""
    director = open_search(tmp_path / "x", STUDY, judge=judge)
    run_inline(director, WORKER)
    before = len(director.state.looks)
    director.close()
    changed = replace(STUDY, arms={**STUDY.arms, "strict": Arm(settings={"sleep.folds": 9})})

    def undecided(seeds: tuple[int, ...]) -> dict[str, ArmEvidence]:
        return {"strict": ArmEvidence(p=0.7), "null": ArmEvidence(p=0.5)}

    director = open_search(tmp_path / "x", changed, judge=undecided)
    run_inline(director, WORKER)
    state = director.state
    lines = [describe_look(state, place, 3) for place in range(len(state.looks))]
    assert lines[0].startswith("look 1 of 3, at 2 seeds: strict significant")
    assert lines[before] == "look 1 of 3, at 2 seeds: more seeds for strict"
    director.close()


def test_arms_are_not_undecided_by_looks_that_compared_none(tmp_path: Path) -> None:
    def refuse(seeds: tuple[int, ...]) -> dict[str, ArmEvidence]:
        raise DataError("no run has test/blimp")

    director = open_search(tmp_path / "x", STUDY, judge=refuse)
    run_inline(director, WORKER)
    assert "undecided" not in (describe_looks(director) or "")
    director.close()
