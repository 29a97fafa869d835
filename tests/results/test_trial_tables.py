"""The event log as tables: every end of a trial, partial folders, attempts, curves."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sleep_tune.errors import RunFolderError
from sleep_tune.results.trial_tables import parameter_columns, read_curves, read_trials
from tests.made import make_outcome


def states(folder: Path) -> dict[str, str]:
    table = read_trials(folder)
    return dict(zip(table["trial"], table["state"], strict=True))


def test_every_end_of_a_trial_is_a_state(log: Any) -> None:
    log.open()
    for number in range(1, 6):
        log.ask(f"t000{number}", parameters={"sleep.folds": number})
    log.rung("t0001", 300_000, nll=3.0)
    log.complete("t0001", {"eval/nll": 2.5})
    log.rung("t0002", 300_000, nll=4.0, decision="stop")
    log.event("stopped", "t0002", 1, outcome=None)
    log.event("failed", "t0003", 1, reason="loss is nan", kind="diverged", log=None)
    log.event("refused", "t0004", 1, kind="budget", reason="sleep.folds is 900; at most 88")
    log.ask("t0006")
    log.event("asked", "t0007", study="search", number=6, parameters={"sleep.folds": 7}, group="")
    expected = ["completed", "stopped", "failed", "refused", "running", "running", "waiting"]
    assert list(states(log.folder).values()) == expected
    table = read_trials(log.folder).set_index("trial")
    assert table.loc["t0001", "eval/nll"] == 2.5
    assert table.loc["t0001", "words_seen"] == 999_700
    assert table.loc["t0002", "eval/nll"] == 4.0
    assert table.loc["t0002", "words_seen"] == 299_900
    assert (table.loc["t0003", "kind"], table.loc["t0003", "reason"]) == ("diverged", "loss is nan")
    assert str(table.loc["t0004", "reason"]).startswith("sleep.folds is 900")
    assert parameter_columns(table) == ["sleep.folds"]
    assert [n if pd.notna(n) else None for n in table["sleep.folds"]] == [1, 2, 3, 4, 5, None, 7]


def test_what_had_not_ended_when_the_search_closed_is_interrupted_until_it_runs_again(log: Any) -> None:
    log.ask("t0001")
    log.event("closed", finished=False)
    assert states(log.folder) == {"t0001": "interrupted"}
    log.event("resumed")
    assert states(log.folder) == {"t0001": "waiting"}
    log.event("started", "t0001", 2, after="resumed", gpus=0.0)
    assert states(log.folder) == {"t0001": "running"}


def test_a_trial_of_an_earlier_experiment_is_shown_with_its_source(log: Any) -> None:
    log.open()
    asked = {"study": "search", "number": None, "parameters": {"sleep.folds": 5}, "group": "", "source": "results/old"}
    end = {"value": 3.0, "outcome": make_outcome(seconds=7.0, metrics={"eval/nll": 3.0}).to_json()}
    parts = [{"event": "asked", "data": asked}, {"event": "completed", "data": end}]
    log.event("adopted", "old.t0001", events=parts)
    row = read_trials(log.folder).iloc[0]
    assert (row["trial"], row["source"], row["state"], row["eval/nll"]) == ("old.t0001", "results/old", "completed", 3)
    assert (row["sleep.folds"], row["seconds"], row["asked"]) == (5, 7.0, row["ended"])


def test_the_last_attempts_values_win(log: Any) -> None:
    log.ask("t0001")
    log.rung("t0001", 300_000, nll=3.0)
    log.event("failed", "t0001", 1, reason="KeyError", kind="bug")
    log.event("resumed")
    log.event("started", "t0001", 2, after="resumed", gpus=0.0)
    row = read_trials(log.folder).iloc[0]
    assert row["state"] == "running"
    assert pd.isna(row["reason"])
    log.rung("t0001", 300_000, attempt=2, nll=2.9)
    log.complete("t0001", {"eval/nll": 2.0}, attempt=2)
    row = read_trials(log.folder).iloc[0]
    assert (row["attempt"], row["eval/nll"], row["state"]) == (2, 2.0, "completed")
    curves = read_curves(log.folder)
    assert curves[["rung", "attempt", "value"]].values.tolist() == [[300_000, 2, 2.9]]


def test_seconds_are_known_from_the_first_event_that_states_them(log: Any) -> None:
    log.ask("t0001")
    assert pd.isna(read_trials(log.folder)["seconds"].iloc[0])
    log.event("closed", finished=False, seconds={"t0001": 0.0})
    assert read_trials(log.folder)["seconds"].iloc[0] == 0.0


def test_a_text_that_no_trial_has_is_missing_and_no_number(log: Any) -> None:
    log.ask("t0001")
    table = read_trials(log.folder)
    for column in ("device", "repeats", "source", "kind", "reason", "not_finite"):
        assert table[column].tolist() == [None]


def test_a_partial_log_gives_a_partial_table_cut_at_any_byte(log: Any) -> None:
    """A driver may be killed, or read, while it writes any byte of the log."""
    log.open()
    log.ask("t0001", parameters={"sleep.folds": 5})
    log.rung("t0001", 300_000, nll=3.0)
    log.complete("t0001", {"eval/nll": 2.5})
    whole = log.path.read_bytes()
    for length in range(0, len(whole), 29):
        log.path.write_bytes(whole[:length])
        table = read_trials(log.folder)
        assert len(table) <= 1
        assert {"trial", "state", "seed", "words_seen"} <= set(table.columns)
        read_curves(log.folder)


def test_curves_have_a_row_per_trial_rung_and_metric_by_words(log: Any) -> None:
    log.ask("t0001", seed=3)
    log.rung("t0001", 300_000, nll=3.0, pairs_accuracy=0.6)
    log.rung("t0001", 1_000_000, nll=2.0, pairs_accuracy=0.8)
    curves = read_curves(log.folder)
    nll = curves[curves["metric"] == "eval/nll"]
    assert nll["rung"].tolist() == [300_000, 1_000_000]
    assert nll["words_seen"].tolist() == [299_900, 999_900]
    assert nll["value"].tolist() == [3.0, 2.0]
    assert set(curves["seed"]) == {3}
    assert set(curves["decision"]) == {"continue"}
    assert set(curves["phase"]) == {"sleep"}


def test_two_thousand_trials_are_read_in_seconds(log: Any) -> None:
    for number in range(2000):
        log.ask(f"t{number:04}", parameters={"sleep.folds": number})
        log.rung(f"t{number:04}", 300_000, nll=3.0)
    assert len(read_trials(log.folder)) == 2000


def test_a_folder_without_a_log_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=f"{tmp_path} .*trials.jsonl"):
        read_trials(tmp_path)


def test_a_line_that_is_no_event_is_named(log: Any) -> None:
    log.open()
    with log.path.open("a") as file:
        file.write('{"schema":1}\n')
    log.event("closed", finished=True)
    with pytest.raises(RunFolderError, match=r"jsonl:2 "):
        read_trials(log.folder)
