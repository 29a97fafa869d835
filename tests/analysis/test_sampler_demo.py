import re

import pytest

from analysis import sampler_demo
from sleep_tune import cli

SMALL = ["data.sentences=1500", "model.layers=1", "model.hidden=16", "model.heads=2", "model.feed_forward=32"]


@pytest.mark.slow
def test_mean_scores_of_buffers_are_in_the_order_of_the_strategies(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.run(sampler_demo.main, [*SMALL, "sleep.folds=3", "training.batch_size=16", "--samples", "2"])
    shown = capsys.readouterr().out
    assert code == 0, shown
    assert "strict > weighted > random: yes" in shown
    folds = re.findall(r"^ +(\d+) +(\d+) +(\d+) +([\d,]+)$", shown, re.MULTILINE)
    assert [fold[0] for fold in folds] == ["1", "2", "3"]
    total = re.search(r"toy: ([\d,]+) words in ([\d,]+) samples", shown)
    assert total is not None
    words, samples = (int(number.replace(",", "")) for number in total.groups())
    assert sum(int(fold[2]) for fold in folds) == samples
    assert sum(int(fold[3].replace(",", "")) for fold in folds) == words
    for strategy, buffers in (("strict", 1), ("weighted", 2), ("random", 2)):
        assert len(re.findall(rf"^{strategy}, draw", shown, re.MULTILINE)) == buffers
    assert len(re.findall(r"^ +\d\.\d\d  \S+", shown, re.MULTILINE)) == 2 * 5
    for context in ("keep", "repack", "shuffle"):
        assert re.search(rf"^  {context} +\S+ \S+", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sleep.replay.strategy=strickt"], "did you mean 'strict'"),
        (["--samples", "0"], "--samples must be at least 1; got 0"),
        (["data=text", "data.path=no/such/folder"], "data.path must name"),
        ([*SMALL, "sleep=epochs"], "a run must sleep to replay something"),
        ([*SMALL, "sleep.interleave=true"], "sleep.interleave must be false"),
        ([*SMALL, "sleep.matched=runs/a"], "sleep.matched must be null"),
        ([*SMALL, "sleep.folds=5000"], r"sleep.folds must be in \[1, "),
        ([*SMALL, "--cycles", "500"], "--cycles must be at most 66; got 500"),
    ],
)
def test_mistakes_end_in_one_message(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(sampler_demo.main, arguments) == 2
    shown = capsys.readouterr().err
    assert re.search(message, shown)
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
