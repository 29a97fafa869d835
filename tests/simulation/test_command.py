from pathlib import Path

import pytest

from sleep_tune import cli
from sleep_tune.commands.simulate import main
from sleep_tune.search.space.search_space import Scheduler, Stop
from tests.search.studies import plain, search

SPACE = str(Path(__file__).parents[2] / "search_spaces" / "replay.yaml")


def test_it_compares_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.csv"
    arguments = ["algorithm=random", "--curves", "parallel", "--seeds", "2", "--runs", "2", "--csv", str(file)]
    assert cli.run(main, [SPACE, *arguments]) == 0
    printed = capsys.readouterr().out
    assert "parallel: regret at equal cost, 2 seeds" in printed
    assert "algorithm=random" in printed
    assert "Kendall's tau" in printed
    assert len(file.read_text().splitlines()) == 1 + 2 * 2


def test_it_searches_the_curves_of_an_own_experiment_and_says_what_they_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search(tmp_path / "mine", plain(stop=Stop(trials=9), scheduler=Scheduler(name="none")))
    arguments = ["algorithm=random", "--every", "within=null,scheduler.name=none", "--curves", str(tmp_path / "mine")]
    assert cli.run(main, [SPACE, *arguments, "--seeds", "1", "--runs", "2"]) == 0
    assert "there is no noise" in capsys.readouterr().out.replace("\n", " ")


def test_help_lists_the_curves(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "one_pass" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--curves", "crosing"], "did you mean 'crossing'"),
        (["reductoin=2"], "did you mean 'reduction'"),
        (["reduction=0.5"], "reduction"),
    ],
)
def test_a_mistake_ends_in_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(main, [SPACE, *arguments]) == cli.MISTAKE
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "arguments", [["--seeds", "0"], ["--runs", "-1"], ["--start", "x"], ["--processes", "two"], []]
)
def test_a_wrong_number_is_a_mistake_of_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([SPACE, *arguments] if arguments else [])
    assert ended.value.code == 2
