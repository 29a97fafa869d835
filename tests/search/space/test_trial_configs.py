"""From proposals to whole configurations."""

from pathlib import Path

import pytest

from sleep_tune.config.load import compose
from sleep_tune.config.tree import from_dict, to_dict
from sleep_tune.errors import ConfigError
from sleep_tune.names import BASELINES
from sleep_tune.search.space.trial_configs import baseline_settings, with_settings


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_the_group_s_choice(name: str) -> None:
    base = compose(["model=tiny"])
    assert from_dict(with_settings(to_dict(base), baseline_settings(name))) == compose(["model=tiny", f"sleep={name}"])


def test_baselines_switch_off_what_a_base_switched_on() -> None:
    """The A/A control sleeps, so whatever makes sleep differ from reading would be no noise."""
    on = {
        "sleep.interleave": True,
        "sleep.learning_rate": 2.0,
        "sleep.masking": 0.3,
        "sleep.shrink.factor": 0.9,
        "sleep.replay.max_exposures": 12,
    }
    excess = {"sleep.replay.signal": "excess", "sleep.replay.reference": "runs/small/model"}
    ranked = to_dict(compose(["sleep.replay.normalise=rank"]))
    noise = baseline_settings("as_epochs")
    assert with_settings(with_settings(ranked, on | excess), noise) == with_settings(ranked, noise)
    epochs = from_dict(with_settings(with_settings(to_dict(compose([])), on), baseline_settings("epochs"))).sleep
    assert not epochs.interleave
    assert epochs.replay.max_exposures is None


def test_settings_leave_the_base_alone() -> None:
    base = to_dict(compose([]))
    changed = with_settings(base, {"sleep.length.ratio": 2.0, "sleep.folds": 3})
    assert changed["sleep"]["length"] == {"passes": None, "ratio": 2.0, "repeats": None}
    assert base["sleep"]["length"]["ratio"] is None
    assert base == to_dict(compose([]))


def test_an_unknown_baseline() -> None:
    with pytest.raises(ConfigError, match="unknown baseline 'epoch'; did you mean 'epochs'"):
        baseline_settings("epoch")


def test_a_folder_that_an_arm_or_a_choice_names_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    given = {"sleep.replay.reference": "small", "model.init": "weights"}
    changed = with_settings(to_dict(compose([])), given)
    assert changed["sleep"]["replay"]["reference"] == str(tmp_path.resolve() / "small")
    assert changed["model"]["init"] == str(tmp_path.resolve() / "weights")
    assert with_settings(changed, {"model.init": "some/hub-id"})["model"]["init"] == "some/hub-id"
