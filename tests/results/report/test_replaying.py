"""What was replayed: shares that add up, the rule's bound, ages and scores apart, texts escaped and few."""

from pathlib import Path

import pandas as pd
import pytest

from sleep_tune.results.comparison import compare
from sleep_tune.results.report.journals import Journal, read_journal, read_journals
from sleep_tune.results.report.page import Plot
from sleep_tune.results.report.replay_figures import ages, exposures, sources
from sleep_tune.results.report.replaying import examples_table, replayed
from tests.results.report.searches import make_search, write_journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    write_journal(tmp_path / "t", 9)
    read = read_journal(tmp_path / "t")
    assert read is not None
    return read


def test_texts_of_the_first_a_middle_and_the_last_sleep_are_shown_and_escaped(journal: Journal) -> None:
    table = examples_table(journal)
    assert table.count("<tr><td>") == 3 * 2
    assert [f"<td>{sleep}</td>" in table for sleep in (2, 3, 6, 10)] == [True, False, True, True]
    assert "the &lt;b&gt;cat&lt;/b&gt; sat &amp; slept" in table
    row = '<td class="n">7.25</td><td class="n">3</td><td class="n">12</td></tr>'
    assert row in table


def test_a_journal_without_texts_has_no_table(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "t" / "metrics.jsonl"
    path.write_text(path.read_text().replace('"examples"', '"others"'))
    old = read_journal(tmp_path / "t")
    assert old is not None
    assert len(old.sleeps) == len(journal.sleeps)
    assert examples_table(old) == ""


def test_one_sleep_is_shown_once_and_a_missing_score_is_a_dash(journal: Journal) -> None:
    one = pd.DataFrame([{"cycle": 0, "age": 1, "score": None, "times_seen": 2, "text": "a"}])
    short = Journal(journal.losses, journal.evaluations, journal.sleeps, journal.sources, journal.exposures, one)
    table = examples_table(short)
    assert table.count("<tr><td>") == 1
    assert '<td class="n">–</td>' in table  # noqa: RUF001


def test_the_section_shows_a_finalist_and_tells_its_settings(tmp_path: Path) -> None:
    folder = make_search(tmp_path / "replay", 12).folder
    firsts = {arm: runs[0] for arm, runs in read_journals(folder).runs.items()}
    parts = list(replayed(compare(folder), firsts))
    captions = [part.caption for part in parts if isinstance(part, Plot)]
    assert (
        "Where the buffer of each sleep of t0003 (folds 5, ratio 0.4) came from; its first seed, as below." in captions
    )
    assert "<h3>Texts that t0003 (folds 5, ratio 0.4) replayed</h3>" in parts
    assert list(replayed(compare(folder), {"epochs": firsts["epochs"]})) == [
        "<p>No run that is compared has slept yet.</p>"
    ]


def test_shares_of_samples_and_of_sources_add_up(journal: Journal) -> None:
    seen, mix = exposures({"t": journal}, {"t": "<b>t</b> folds 5"}), sources(journal)
    assert seen is not None
    assert mix is not None
    assert seen["data"][0]["name"] == "<b>t</b> folds 5"
    assert sum(seen["data"][0]["y"]) == pytest.approx(1)
    assert [sum(shares) for shares in zip(*(trace["y"] for trace in mix["data"]), strict=True)] == pytest.approx(
        [1] * 9
    )
    assert "shapes" not in seen["layout"]  # nothing was seen more than ten times


def test_the_rules_bound_is_drawn_where_it_is_passed(journal: Journal) -> None:
    often = Journal(
        journal.losses, journal.evaluations, journal.sleeps, journal.sources, (0,) * 12 + (5,), journal.examples
    )
    seen = exposures({"t": often})
    assert seen is not None
    assert seen["layout"]["shapes"][0]["x0"] == 10.5
    assert seen["data"][0]["x"][-1] == "12+"


def test_ages_and_scores_have_a_panel_each(journal: Journal) -> None:
    figure = ages(journal)
    assert figure is not None
    assert [trace["yaxis"] for trace in figure["data"]] == ["y", "y2"]
    assert figure["data"][0]["y"] == journal.sleeps["mean_age"].tolist()
