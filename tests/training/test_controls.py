"""Runs with interleaved replay or a limit of exposures: trained to their end, resumed, and described truthfully."""

import logging
import re
from pathlib import Path

import pytest

from sleep_tune.babylm.challenge import DATASETS
from sleep_tune.babylm.word_limits import WORD_LIMITS
from sleep_tune.config.schema import RunConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.experiment.exposures import read_exposures
from sleep_tune.records import Decision, Progress
from sleep_tune.training.run import train
from tests.messages import missing
from tests.training.runs import keep_training, make_config, read_lines, same_outcome, weigh

RUNG = 0.5
CAP = 5
KINDS = {"mlm": "roberta_prelayernorm", "clm": "gpt2", "hybrid": "roberta"}
"""Objective -> a model that has it."""


class Cut(Exception):
    """What ends a run in these tests."""


def cut(progress: Progress) -> Decision:
    if progress.rung is not None:
        raise Cut
    return Decision.CONTINUE


def configure(folder: Path, control: str, objective: str = "mlm") -> RunConfig:
    config = make_config(folder, rungs=(RUNG,), objective=objective, save_model=False)
    config.model.kind = KINDS[objective]
    if control == "interleaved":
        config.sleep.interleave = True
    else:
        config.sleep.replay.max_exposures = CAP
    return config


@pytest.mark.parametrize(
    "objective", ["mlm", pytest.param("clm", marks=pytest.mark.slow), pytest.param("hybrid", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("control", ["interleaved", "capped"])
def test_a_control_that_was_cut_equals_an_uninterrupted_one(
    control: str, objective: str, corpus: Corpus, tmp_path: Path
) -> None:
    whole = train(configure(tmp_path / "whole", control, objective), keep_training, corpus=corpus, evaluate=weigh)
    config = configure(tmp_path / "cut", control, objective)
    with pytest.raises(Cut):
        train(config, cut, corpus=corpus, evaluate=weigh)
    assert list((tmp_path / "cut").glob("attempt-*/checkpoint-*"))
    assert same_outcome(train(config, keep_training, corpus=corpus, evaluate=weigh), whole)
    lines = read_lines(tmp_path / "cut")
    assert lines == read_lines(tmp_path / "whole")
    assert whole.words_seen > 0.97 * 3.5 * corpus.train.num_words
    phases = {line["phase"] for line in lines if line["kind"] == "train"}
    times_seen = read_exposures(tmp_path / "cut").times_seen
    assert times_seen.min() >= 1
    if control == "interleaved":
        assert phases == {"wake"}
        assert times_seen.max() > CAP, "some samples were replayed"
        assert [line for line in lines if line["kind"] == "sleep"], "what was replayed is recorded"
    else:
        assert phases == {"wake", "sleep"}
        assert times_seen.max() == CAP


def test_a_run_warns_of_more_words_than_its_track_allows(
    corpus: Corpus, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(tmp_path, save_model=False)
    config.data.dataset = DATASETS["strict"]
    monkeypatch.setitem(WORD_LIMITS, "strict", 100)
    train(config, keep_training, corpus=corpus, evaluate=weigh)
    (warning,) = [text for text in caplog.messages if text.startswith("warning: ")]
    assert "budget.words=100" in warning


def test_a_run_says_how_it_spends_its_budget_and_what_it_does_not_read(
    corpus: Corpus, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = configure(tmp_path / "parent", "interleaved")
    matched = make_config(tmp_path / "matched", save_model=False)
    matched.sleep.matched = str(tmp_path / "parent")
    parent.sleep.masking = matched.sleep.masking = 0.3
    place = r"loss \d\.\d{3} · words [\d,]+/[\d,]+ · \d+ s"
    expected = {
        "interleaved": (parent, "mixed into|no effect|sleep.masking", rf"pass 1/2 · interleaved \d/3 · {place}"),
        "matched": (
            matched,
            "exposures of another run|no effect|sleep.masking",
            rf"part 1/4 · matched · {place}",
        ),
    }
    for config, facts, shown in expected.values():
        caplog.clear()
        with caplog.at_level(logging.INFO, "sleep_tune.training.session"):
            train(config, keep_training, corpus=corpus, evaluate=weigh, show_progress=True)
        assert not missing(caplog.text, facts)
        assert re.fullmatch(shown, capsys.readouterr().err.splitlines()[0])
