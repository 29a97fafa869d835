"""The report's section on what a gain is made of: a bar per part, coloured where significant, and what is missing."""

import html
import re

import pytest

from sleep_tune.results.gain_text import TITLE
from sleep_tune.results.report.gain_figures import MOST_GAINS, plot_gains, shown_gains
from sleep_tune.results.report.page import write_report
from sleep_tune.results.report.palette import BETTER, NEUTRAL, PAPER, WORSE
from tests.messages import missing
from tests.results.conftest import SyntheticLog
from tests.results.test_gain import SEEDS, SLEEP
from tests.results.test_gain_text import EVERY, study


def section(log: SyntheticLog) -> str:
    """The text of the section, without tags."""
    page = write_report(log.folder).read_text(encoding="utf-8")
    found = re.search(r'<section id="section-gain">(.*?)</section>', page, re.S)
    assert found is not None
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[1])).split())


def test_a_bar_has_its_effect_its_interval_and_the_colour_of_its_direction(log: SyntheticLog) -> None:
    comparison = study(log)
    figure = plot_gains(comparison)
    assert figure is not None
    gain, twin = shown_gains(comparison)
    bars = figure["data"]
    assert len(bars) == 4 + 3
    assert [bar["marker"]["color"] for bar in bars[:4]] == [BETTER, NEUTRAL, WORSE, PAPER]
    assert [bar["marker"]["pattern"]["shape"] for bar in bars[:4]] == ["", "", "/", ""]
    for bar, effect in zip(bars, (*gain.effects, gain.whole, *twin.effects, twin.whole), strict=True):
        made = effect.contrast.difference
        assert made.low is not None
        assert made.high is not None
        assert bar["x"] == [made.mean]
        assert made.mean - bar["error_x"]["arrayminus"][0] == pytest.approx(made.low)
        assert made.mean + bar["error_x"]["array"][0] == pytest.approx(made.high)
    assert [label.partition("<br>")[0] for label in figure["layout"]["yaxis"]["ticktext"]] == [
        "<b>exposure</b>", "<b>selection</b>", "<b>order</b>", "<b>the whole</b>",
    ]  # fmt: skip
    assert "left is better" in figure["layout"]["annotations"][0]["text"]


def test_shares_are_drawn_in_points_and_more_is_to_the_right(log: SyntheticLog) -> None:
    figure = plot_gains(study(log, comparison={"reference": "plain", "primary": "test/pairs_accuracy"}))
    assert figure is not None
    assert figure["data"][0]["x"] == [pytest.approx(1.0, abs=0.1)]
    assert "right is better" in figure["layout"]["annotations"][0]["text"]


def test_the_section_says_in_words_what_the_figure_shows(log: SyntheticLog) -> None:
    study(log)
    text = section(log)
    assert text.startswith(TITLE)
    assert not missing(
        text, "Exposure|Selection|Order|sharp_same minus chance_same|significantly better|not significant"
    )
    assert "missing" not in text


def test_a_study_without_controls_says_so_and_shows_the_lines_that_add_them(log: SyntheticLog) -> None:
    comparison = study(log, arms=("sharp",))
    assert plot_gains(comparison) is None
    text = section(log)
    assert not missing(text, "cannot tell|What is missing|sharp_matched: {matched: sharp}|sharp_random_matched")


def test_a_study_without_a_sleeping_arm_says_that(log: SyntheticLog) -> None:
    study(log, arms=())
    assert "No arm that sleeps" in section(log)


def test_of_many_arms_the_first_are_drawn_and_the_caption_counts_the_others(log: SyntheticLog) -> None:
    study(log)
    for number in range(4):
        for seed in SEEDS:
            name, parameters = f"more{number}", SLEEP | {"sleep.folds": 20 + number}
            log.run(name, seed, 3.0 + seed / (number + 7), 0.5, role="arm", parameters=parameters)
            log.run(f"same{number}", seed, 3.0 + seed / 5, 0.5, role="arm", parameters=parameters, matched=name)
    assert not missing(section(log), f"Shown are {MOST_GAINS} of {len(EVERY) - 2 + 4}")
