import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sleep_tune.errors import ConfigError, RunFolderError
from sleep_tune.search.space.search_space import Finalists, Scheduler, Space, Stop
from sleep_tune.search.space.space_json import to_json
from sleep_tune.simulation.points import Settings, draw
from sleep_tune.simulation.recorded_curves import (
    FOLDER,
    Recording,
    read_experiment_curves,
    read_recording,
    recorded_landscape,
)
from tests.search.studies import plain, search
from tests.simulation.spaces import PARAMETERS

SHARES = [0.1, 0.5, 1.0]
NONE = Scheduler(name="none")


def write(path: Path, runs: Sequence[tuple[Settings, int, list[float]]], **more: Any) -> Path:
    head = {
        "shares": SHARES,
        "mode": "min",
        "parameters": to_json(Space(name="x", parameters=PARAMETERS))["parameters"],
    }
    lines = [head | more, *({"settings": settings, "seed": seed, "values": curve} for settings, seed, curve in runs)]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def ten(path: Path, **more: Any) -> Recording:
    """Ten settings, the first two under two seeds."""
    rng = np.random.default_rng(0)
    drawn = [draw(PARAMETERS, rng) for _ in range(10)]
    runs = [(settings, 0, [4.0 + n, 2.0 + n, 1.0 + n]) for n, settings in enumerate(drawn)]
    runs += [(settings, 1, [4.4 + n, 2.2 + n, 1.2 + n]) for n, settings in enumerate(drawn[:2])]
    return read_recording(write(path, runs, **more))


def test_seeds_of_a_setting_are_averaged_and_their_spread_is_that_of_one_run(tmp_path: Path) -> None:
    recording = ten(tmp_path / "ten.jsonl")
    assert recording.name == "ten"
    assert recording.parameters == PARAMETERS
    assert len(recording.settings) == len(recording.values) == 10
    np.testing.assert_allclose(recording.values[0], [4.2, 2.1, 1.1])
    np.testing.assert_allclose(recording.values[5], [9, 7, 6])
    assert recording.noise.shape == (4, 3)
    np.testing.assert_allclose((recording.noise**2).mean(axis=0), np.array([0.4, 0.2, 0.2]) ** 2 / 2)


def test_at_a_recorded_setting_the_landscape_is_what_was_recorded(tmp_path: Path) -> None:
    recording = ten(tmp_path / "ten.jsonl")
    landscape = recorded_landscape(recording)
    assert landscape.first_share == 0.1
    assert landscape.truth(recording.settings[4]) == pytest.approx(5.0, abs=1e-3)
    reports = [landscape.curve(recording.settings[4], seed, 0.3) for seed in range(200)]
    assert np.mean(reports) == pytest.approx(7.0, abs=0.05)
    noise = {round(report - float(np.mean(reports)), 2) for report in reports}
    assert len(noise) > 1
    assert reports[0] == landscape.curve(recording.settings[4], 0, 0.3)


def test_the_noise_of_a_run_is_that_of_the_settings_near_it(tmp_path: Path) -> None:
    rates = [1e-4 * 1.2**n for n in range(20)]
    drawn = [draw(PARAMETERS, np.random.default_rng(0), {"training.learning_rate": rate}) for rate in rates]
    noisy = {settings["training.learning_rate"]: 0.1 if n < 10 else 1.0 for n, settings in enumerate(drawn)}
    runs = [
        (settings, seed, [3.0, 2.0, 1.0 + noisy[settings["training.learning_rate"]] * seed])
        for settings in drawn
        for seed in (0, 1)
    ]
    landscape = recorded_landscape(read_recording(write(tmp_path / "x.jsonl", runs)))
    for settings, sd in ((drawn[3], 0.1), (drawn[16], 1.0)):
        ends = [landscape.curve(settings, seed, 1.0) - landscape.truth(settings) for seed in range(50)]
        np.testing.assert_allclose(np.abs(ends), sd / np.sqrt(2), rtol=1e-3)


def test_between_recorded_settings_it_lies_between_the_neighbours(tmp_path: Path) -> None:
    recording = ten(tmp_path / "ten.jsonl")
    landscape = recorded_landscape(recording)
    rng = np.random.default_rng(5)
    for _ in range(20):
        assert 1.1 <= landscape.truth(draw(PARAMETERS, rng)) <= 10.0


def test_what_is_to_be_maximised_becomes_a_loss(tmp_path: Path) -> None:
    recording = ten(tmp_path / "ten.jsonl", mode="max")
    np.testing.assert_allclose(recording.values[5], [-9, -7, -6])


def test_an_experiment_gives_its_completed_trials_and_the_noise_of_its_repeats(tmp_path: Path) -> None:
    search(tmp_path, plain(stop=Stop(trials=10), scheduler=NONE, finalists=Finalists(count=2, seeds=3)))
    recording = read_experiment_curves(tmp_path)
    assert recording.parameters == plain().parameters
    np.testing.assert_allclose(recording.shares, [1.0])
    assert len(recording.settings) == 10
    assert recording.noise.shape == (6, 1)
    assert recorded_landscape(recording).truth(recording.settings[0]) == pytest.approx(
        recording.values[0, -1], abs=1e-3
    )


def test_of_an_experiment_with_rungs_what_was_stopped_is_left_out(tmp_path: Path) -> None:
    told = search(tmp_path, plain(stop=Stop(trials=30), scheduler=Scheduler(first_rung=0.4, reduction=1.5)))
    recording = read_experiment_curves(tmp_path)
    np.testing.assert_allclose(recording.shares, [0.444444, 0.666667, 1], atol=1e-6)
    assert len(recording.settings) == sum(trial[7] == "completed" for trial in told.values()) < 30


def test_too_few_settings_are_refused(tmp_path: Path) -> None:
    search(tmp_path, plain(stop=Stop(trials=3)))
    with pytest.raises(ConfigError, match="at least 8 settings must have been trained to their end; got"):
        read_experiment_curves(tmp_path)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"shares": [1]}')
    with pytest.raises(ConfigError, match=r"x\.jsonl must be a file of recorded curves"):
        read_recording(tmp_path / "x.jsonl")
    with pytest.raises(RunFolderError):
        read_experiment_curves(tmp_path)


def test_without_seeds_there_is_no_noise_and_it_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    runs = [(draw(PARAMETERS, rng), 0, [3.0, 2.0, 1.0]) for _ in range(8)]
    landscape = recorded_landscape(read_recording(write(tmp_path / "x.jsonl", runs)))
    assert landscape.curve(runs[0][0], 0, 0.5) == landscape.curve(runs[0][0], 1, 0.5)
    assert "no noise" in landscape.notes[0]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.jsonl")), ids=lambda path: path.stem)
def test_recordings_of_the_project_are_whole(path: Path) -> None:
    recording = read_recording(path)
    assert path.stat().st_size < 100_000
    assert len(recording.settings) >= 30
    assert len(recording.noise) >= 10
    assert np.isfinite(recording.values).all()
    assert np.mean(recording.values[:, -1] < recording.values[:, 0]) > 0.9, "a few settings may memorise their replays"
