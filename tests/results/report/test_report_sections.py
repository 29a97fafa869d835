"""The sections' content: finalists with settings, results and costs; warnings once; costs apart; texts; failures."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sleep_tune.results.comparison import compare
from sleep_tune.results.paradigms import compare_paradigms
from sleep_tune.results.report.report_sections import SECTIONS, example_texts, source_table
from sleep_tune.results.report.search_tables import make_search_tables
from sleep_tune.results.report.section_figures import FIGURES, ReportData, make_plots
from sleep_tune.results.report.training_logs import TrainingLog, read_training_logs
from sleep_tune.results.sheet import Sheet
from sleep_tune.results.trial_tables import read_curves, read_trials
from tests.results.conftest import SyntheticLog
from tests.results.report.searches import make_search


def report_data(folder: Path) -> ReportData:
    comparison = compare(folder)
    trials, curves = read_trials(folder), read_curves(folder)
    search = make_search_tables(trials, curves, comparison.experiment)
    logs, paradigms = read_training_logs(folder, trials), compare_paradigms(comparison)
    return ReportData(folder, comparison, trials, search, logs, ended=True, paradigms=paradigms)


def values(name: str, data: ReportData) -> dict[str, Any]:
    return SECTIONS[name].values(data)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return report_data(make_search(tmp_path_factory.mktemp("search") / "replay", 14).folder)


def test_the_answer_has_a_finalists_settings_results_difference_and_costs(whole: ReportData) -> None:
    (finalist,) = values("answer", whole)["finalists"]
    assert (finalist["name"], finalist["settings"]) == ("t0003", "folds 5, ratio 0.4")
    assert finalist["result"].startswith("4.")
    assert finalist["baseline_result"].startswith("4.")
    assert finalist["difference"].startswith("-0.")
    assert finalist["costs"] == "999,700 words seen, 250 updates, 2.00e13 FLOPs, 0.01 CPU-hours"


def test_a_warning_is_in_the_answer_and_not_among_the_notes(tmp_path: Path) -> None:
    data = report_data(make_search(tmp_path / "replay", 12, seeds=2).folder)
    warnings, notes = values("answer", data)["warnings"], values("arms", data)["notes"]
    assert warnings
    assert not {*warnings} & {*notes}
    assert {*warnings, *values("answer", data)["power"], *notes} == {*data.comparison.notes}


def test_a_metric_stands_beside_its_difference_and_costs_have_a_table_of_their_own(whole: ReportData) -> None:
    results, costs = (values("arms", whole)[name] for name in ("results", "costs"))
    at = results.headings.index("test nll")
    assert "epochs" in results.headings[at + 1]
    assert results.headings[at + 2] == "Holm p"
    assert "FLOPs" not in results.headings
    assert costs.headings == ("arm", "words seen", "updates", "FLOPs", "CPU-hours")


def test_a_search_that_has_just_begun_has_no_figures(log: SyntheticLog) -> None:
    log.open()
    data = report_data(log.folder)
    assert values("arms", data)["results"] is None
    assert values("replay", data)["arm"] is None
    assert values("search", data)["count"] == 0
    assert [make_plots(name, data) for name in FIGURES] == [[]] * len(FIGURES)


def test_what_a_finalist_replayed_is_shown_under_its_settings(whole: ReportData) -> None:
    assert values("replay", whole)["arm"] == "t0003 (folds 5, ratio 0.4)"
    assert sum("t0003 (folds 5, ratio 0.4)" in plot.caption for plot in make_plots("replay", whole)) == 2


def test_a_matched_control_is_described_by_the_arm_whose_exposures_it_has(log: SyntheticLog) -> None:
    """Also in the table of results, which leaves out what an arm switches off."""
    log.run("epochs", 0, 4.0, 0.8, role="arm", parameters={"sleep.interleave": False, "sleep.length.ratio": 0.0})
    log.run("strict", 0, 3.9, 0.8, role="arm", parameters={"sleep.folds": 5})
    matched: dict[str, Any] = {"role": "arm", "arm": "same", "seed": 0, "matched": "strict-s0"}
    log.ask("same-s0", parameters={"sleep.folds": 5}, **matched)
    log.complete("same-s0", {"eval/nll": 3.95, "test/nll": 3.95})
    data = report_data(log.folder)
    assert data.panel_titles() == {
        "epochs": "<b>epochs</b> ratio 0",
        "strict": "<b>strict</b> folds 5",
        "same": "<b>same</b> exposures of strict",
    }
    rows = {row[0].text.split()[0]: row[1].text for row in values("arms", data)["results"].rows}
    assert rows == {"epochs": "ratio 0", "strict": "folds 5", "same": "exposures of strict"}
    assert data.describe("same") == "same (exposures of strict)"


def texts_of(log: TrainingLog) -> list[list[str]]:
    return [[cell.text for cell in row] for row in example_texts(log).rows]


def test_texts_are_of_the_first_a_middle_and_the_last_sleep(whole: ReportData) -> None:
    texts = texts_of(whole.first_logs["t0003"])
    assert [row[0] for row in texts] == ["2", "2", "7", "7", "11", "11"]
    assert texts[0][1:] == ["the <b>cat</b> sat & slept", "7.25", "3", "12"]


def test_one_sleep_is_shown_once_a_missing_score_is_a_dash_and_no_text_is_no_row(whole: ReportData) -> None:
    log = whole.first_logs["t0003"]
    one = pd.DataFrame([{"cycle": 0, "age": 1, "score": None, "times_seen": 2, "text": "a"}])
    parts = (log.losses, log.evaluations, log.sleeps, log.sources, log.exposures)
    assert texts_of(TrainingLog(*parts, examples=one)) == [["1", "a", "–", "1", "2"]]  # noqa: RUF001
    assert texts_of(TrainingLog(*parts, examples=log.examples.head(0))) == []


def test_paradigms_are_counted_for_each_task_and_arm_and_without_answers_a_sentence_says_why(
    whole: ReportData, tmp_path: Path
) -> None:
    assert values("paradigms", whole)["table"].rows == ()
    names = [f"paradigm_{number}" for number in range(6)]
    data = report_data(make_search(tmp_path / "replay", 8, seeds=4, paradigms=names).folder)
    rows = [[cell.text for cell in row] for row in values("paradigms", data)["table"].rows]
    assert [row[:3] for row in rows] == [["BLiMP fast", "t0003", "6"], ["BLiMP fast", "as_epochs", "6"]]
    assert all(sum(map(int, row[3:6])) == 6 for row in rows)
    (plot,) = make_plots("paradigms", data)
    assert "epochs" in plot.caption


def test_sources_are_listed_against_the_corpus_where_the_run_logged_it(whole: ReportData) -> None:
    rows = [[cell.text for cell in row] for row in values("replay", whole)["sources"].rows]
    assert rows[0] == ["tales", "50.0%", "75.0%", "1.50"]
    assert source_table(replace(whole.first_logs["t0003"], corpus={})) is None


def test_failures_have_their_reasons(whole: ReportData) -> None:
    table: Sheet = values("failures", whole)["table"]
    reason = "the loss became <nan> & stayed so"
    assert [[cell.text for cell in row] for row in table.rows] == [["t0007", "failed", "diverged", reason]]


def test_versions_that_are_not_known_are_left_out(whole: ReportData) -> None:
    assert values("reproduce", whole)["versions"] == {"commit": "unknown"}
    assert "sleep.folds" in values("reproduce", whole)["space"]
