"""The report's section on the evidence look by look."""

import html
import re

import numpy as np
import pytest

from sleep_tune.experiment.look_evidence import DECISIONS
from sleep_tune.results.comparison import compare
from sleep_tune.results.look_judge import judge_look
from sleep_tune.results.look_table import list_looks
from sleep_tune.results.look_text import REASONS
from sleep_tune.results.report.look_figures import SYMBOLS, plot_looks
from sleep_tune.results.report.page import write_report
from sleep_tune.results.report.palette import BETTER, INK
from tests.messages import missing
from tests.results.conftest import SyntheticLog

ARMS = {"clear": -0.06, "equal": 0.0, "small": -0.012}
"""Arm -> its true difference in nats; the scatter of a difference over seeds is 0.014."""


def study(log: SyntheticLog, looks: tuple[int, ...] = (5, 8, 12), *, taken: int = 3, seed: int = 6) -> None:
    """Write a study of three arms that was judged at the first `taken` looks; decided arms got no more seeds."""
    claim = {"reserve": 0.1, "smallest": 0.02}
    seeds: dict[str, object] | int = {"looks": list(looks)} if len(looks) > 1 else looks[0]
    space = {"name": "replay", "comparison": claim, "finalists": {"seeds": seeds}, "arms": {name: {} for name in ARMS}}
    log.open(**space)
    log.event("changed", space=space, differences=[])
    rng, going = np.random.default_rng(seed), list(ARMS)
    for number, count in enumerate(looks[:taken], 1):
        for at in range(0 if number == 1 else looks[number - 2], count):
            log.run("epochs", at, 3.0 + rng.normal(0, 0.01), 0.5)
            for arm in going:
                value = 3.0 + ARMS[arm] + rng.normal(0, 0.01)
                log.run(arm, at, value, 0.5, role="arm", parameters={"sleep.folds": 5 + len(arm)})
        found = judge_look(log.folder, range(count))
        log.event("look", number=number, seeds=count, arms={arm: found[arm].to_json() for arm in going}, reason=None)
        going = [arm for arm in going if found[arm].decided is None]
    log.event("closed", finished=taken == len(looks))


def section(log: SyntheticLog) -> str:
    """The text of the section, without tags."""
    page = write_report(log.folder).read_text(encoding="utf-8")
    found = re.search(r'<section id="section-looks">(.*?)</section>', page, re.S)
    assert found is not None
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[1])).split())


def test_an_arm_has_a_point_per_look_with_its_repeated_interval(log: SyntheticLog) -> None:
    study(log)
    comparison = compare(log.folder)
    looks = list_looks(comparison)
    figure = plot_looks(looks, comparison)
    assert figure is not None
    points = figure["data"]
    assert len(points) == 3
    (clear,) = (row for row in looks if row.arm == "clear")
    made = clear.contrast.difference
    assert clear.decided == "significant" and made.high is not None
    assert (points[0]["x"], points[0]["y"]) == ([5], [made.mean])
    assert points[0]["error_y"]["array"] == [pytest.approx(made.high - made.mean)]
    assert (points[0]["marker"]["symbol"], points[0]["marker"]["color"]) == (["circle"], [BETTER])
    assert points[1]["marker"]["color"] == [INK] * len(points[1]["x"])
    assert figure["layout"]["xaxis"]["tickvals"] == [5, 8, 12]


def test_the_zone_ends_where_the_interval_leaves_out_0(log: SyntheticLog) -> None:
    study(log)
    comparison = compare(log.folder)
    looks = list_looks(comparison)
    figure = plot_looks(looks, comparison)
    assert figure is not None
    zones = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    for zone, row in zip(zones, looks, strict=True):
        made = row.contrast.difference
        assert made.low is not None and made.high is not None
        assert zone["x0"] < row.contrast.seeds < zone["x1"]
        assert (zone["y0"] < made.mean < zone["y1"]) is (made.low < 0 < made.high)


def test_the_section_says_what_was_decided_and_saved(log: SyntheticLog) -> None:
    study(log)
    text = section(log)
    runs = sum(len(arm.seeds) for arm in compare(log.folder).arms)
    assert not missing(text, f"5, 8 and 12 seeds|epochs|clear significant 5|0.045|{runs} runs|have been 48")
    assert runs < 48


def test_between_two_looks_nothing_is_saved_yet(log: SyntheticLog) -> None:
    study(log, taken=1)
    text = section(log)
    assert "saved" not in text
    assert not missing(text, "clear significant 5")


def test_a_study_of_an_earlier_version_says_how_to_plan_several_looks(log: SyntheticLog) -> None:
    log.run("epochs", 0, 3.0, 0.5)
    assert not missing(section(log), "fixed in advance|looks: [5, 8, 12]")


def test_a_study_of_one_look_has_no_table_of_looks(log: SyntheticLog) -> None:
    study(log, (5,), taken=1)
    assert not missing(section(log), "fixed in advance|looks: [5, 8, 12]")
    assert "Holm" not in section(log)


def test_before_the_first_look_it_says_when_that_is(log: SyntheticLog) -> None:
    study(log, taken=0)
    log.run("epochs", 0, 3.0, 0.5)
    assert "the first is at 5 seeds" in section(log)


def test_seeds_that_were_added_are_drawn_after_the_last_look(log: SyntheticLog) -> None:
    study(log, (5,), taken=1)
    for seed in range(5, 7):
        for arm in ("epochs", *ARMS):
            role = "baseline" if arm == "epochs" else "arm"
            parameters = {} if arm == "epochs" else {"sleep.folds": 5 + len(arm)}
            log.run(arm, seed, 3.0 + seed / 1000 + len(arm) / 900, 0.5, role=role, parameters=parameters)
    looks = list_looks(compare(log.folder))
    assert [(row.contrast.seeds, row.look) for row in looks if row.arm == "small"] == [(5, 1), (7, None)]
    assert "seeds were added" in section(log)


def test_every_decision_has_its_words_and_its_symbol() -> None:
    assert set(REASONS) == set(DECISIONS)
    assert set(SYMBOLS) == {*DECISIONS, None}
