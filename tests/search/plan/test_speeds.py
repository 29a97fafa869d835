"""A plan finds the latest speed of runs like its own."""

import json
import math
from pathlib import Path

import pytest
import yaml

from sleep_tune.config.load import compose
from sleep_tune.config.tree import from_dict, to_dict
from sleep_tune.search.plan.speeds import FILE, Speed, find_speed, save_speed, scale_speed
from sleep_tune.search.space.trial_configs import with_settings
from tests.search.studies import BASE, search, study

SPEED = Speed(words_per_second=1000.0, evaluation_seconds=2.0, device="cpu", time=10.0, source="measured")


def test_seconds_of_a_run() -> None:
    speed = Speed(
        words_per_second=10, evaluation_seconds=2, test_seconds=5, start_seconds=1, device="cpu", time=0, source=""
    )
    assert speed.seconds(100, evaluations=3) == 1 + 10 + 6
    assert speed.seconds(100, evaluations=1, tested=True) == 1 + 10 + 2 + 5


def test_what_was_measured_is_found_by_runs_like_it(tmp_path: Path) -> None:
    save_speed(tmp_path / "results", BASE, 1, SPEED)
    assert find_speed(tmp_path / "results", BASE, 1, on_gpu=False) == SPEED
    alike = from_dict(with_settings(to_dict(BASE), {"sleep.folds": 3, "training.learning_rate": 0.5}))
    assert find_speed(tmp_path / "results", alike, 1, on_gpu=False) == SPEED


@pytest.mark.parametrize(
    "change", ["model.layers=3", "data.max_length=64", "training.batch_size=7", "tokenizer.vocab_size=99"]
)
def test_what_was_measured_of_others_is_not(change: str, tmp_path: Path) -> None:
    save_speed(tmp_path, BASE, 1, SPEED)
    assert find_speed(tmp_path, compose([change]), 1, on_gpu=False) is None


def test_another_device_or_number_scale_speed_is_another_speed(tmp_path: Path) -> None:
    save_speed(tmp_path, BASE, 1, SPEED)
    assert find_speed(tmp_path, BASE, 2, on_gpu=False) is None
    assert find_speed(tmp_path, BASE, 1, on_gpu=True) is None
    assert find_speed(tmp_path / "nowhere", BASE, 1, on_gpu=False) is None


def test_a_torn_line_is_passed_over_and_the_latest_counts(tmp_path: Path) -> None:
    later = Speed(words_per_second=1.0, device="cpu", time=11.0, source="later")
    save_speed(tmp_path, BASE, 1, later)
    save_speed(tmp_path, BASE, 1, SPEED)
    with (tmp_path / FILE).open("a") as file:
        file.write('{"like": {"mo')
    assert find_speed(tmp_path, BASE, 1, on_gpu=False) == later


def test_the_speed_of_an_earlier_experiment_is_read(tmp_path: Path) -> None:
    """The fake worker sees 10,000 words a second; trials of another batch size do not count."""
    trials = search(tmp_path / "small", study())
    default = sum(
        trial[7] == "completed" and trial[12] is None and trial[6].get("training.batch_size", 32) == 32
        for trial in trials.values()
    )
    (tmp_path / "not-one").mkdir()
    (tmp_path / "not-one" / "experiment.yaml").write_text("[1, 2")
    speed = find_speed(tmp_path, BASE, 1, on_gpu=False)
    assert speed is not None
    assert speed.words_per_second == pytest.approx(10_000)
    assert speed.source == f"{default} completed runs of {tmp_path}/small, evaluations included"
    assert find_speed(tmp_path, compose(["model.layers=3"]), 1, on_gpu=False) is None
    experiment = tmp_path / "small" / "experiment.yaml"
    older = yaml.safe_load(experiment.read_text())
    del older["sha256"], older["base"]["training"]["accumulation"]
    experiment.write_text(yaml.safe_dump(older))
    assert find_speed(tmp_path, BASE, 1, on_gpu=False) == speed, "a version without that option had its default"


def test_workers_are_assumed_to_share_the_work() -> None:
    assert scale_speed(SPEED, 1) == SPEED
    assert scale_speed(SPEED, 4).words_per_second == 4000
    assert scale_speed(SPEED, 4).source != SPEED.source


@pytest.mark.parametrize(
    "change",
    [
        {"time": "x"},
        {"words_per_second": 0},
        {"words_per_second": True},
        {"start_seconds": None},
        {"time": math.inf},
        {"device": 3},
        {"more": 1},
    ],
)
def test_a_damaged_line_is_passed_over(change: dict[str, object], tmp_path: Path) -> None:
    save_speed(tmp_path, BASE, 1, SPEED)
    line = json.loads((tmp_path / FILE).read_text())
    line["speed"] |= {"time": 99.0} | change
    with (tmp_path / FILE).open("a") as file:
        file.write(json.dumps(line) + "\n")
    assert find_speed(tmp_path, BASE, 1, on_gpu=False) == SPEED
