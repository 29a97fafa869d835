"""Notes on settings without effect: each key with its reason, and none where all are read."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.config.load import compose
from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.run_folder import record_run
from sleep_tune.training.setting_notes import OF_SLEEP, UNREAD, UNREAD_IN_TRAINING, setting_notes
from tests.messages import missing
from tests.training.runs import make_config


def notes_on(*overrides: str, replays: bool = True) -> list[str]:
    return setting_notes(compose(list(overrides)), replays=replays)


@pytest.mark.parametrize("choice", ["default", "weighted", "random", "strict", "as_epochs"])
def test_the_choices_of_the_group_have_no_settings_in_vain(choice: str) -> None:
    assert notes_on(f"sleep={choice}") == []


def test_the_baseline_has_no_settings_in_vain() -> None:
    assert notes_on("sleep=epochs", replays=False) == []


@pytest.mark.parametrize(
    ("given", "facts"),
    [
        (
            "sleep.replay.strategy=random sleep.replay.uniform=.1 sleep.replay.alpha=2",
            "sleep.replay.alpha, sleep.replay.uniform have no effect|sleep.replay.strategy=random",
        ),
        ("sleep.replay.uniform=1 sleep.replay.normalise=rank", "sleep.replay.normalise has|sleep.replay.uniform=1"),
        ("sleep.replay.scope=fold sleep.replay.decay=.1", "sleep.replay.decay has|sleep.replay.scope=fold"),
        ("sleep.replay.floor=.1", "sleep.replay.floor has|sleep.replay.decay is 0"),
        ("sleep.shrink.protect=.5", "sleep.shrink.protect has|sleep.shrink.factor is 1"),
        ("sleep.shrink.protect=1 sleep.shrink.factor=.5", "sleep.shrink.factor has|sleep.shrink.protect is 1"),
        ("sleep.interleave=true sleep.masking=.3", "sleep.masking has|sleep.interleave=true"),
        ("training.cooldown=.3", "training.cooldown has|training.schedule=wsd"),
        ("tracking.project=mine", "tracking.project has|tracking=wandb"),
        ("tracking.project=mine tracking.entity=us tracking=tensorboard", "tracking.project and tracking.entity have"),
        (
            "model=gpt2_tiny training.masking.probability=.3 training.masking.kind=bernoulli",
            "training.masking.kind, training.masking.probability have|training.objective=clm",
        ),
    ],
)
def test_a_setting_in_vain_is_named_with_the_reason(given: str, facts: str) -> None:
    (note,) = notes_on(*given.split())
    assert not missing(note, facts)
    assert "\n" not in note


@pytest.mark.parametrize(
    "given",
    [
        "training.schedule=wsd training.cooldown=.3",
        "training.masking.probability=.3",
        "model=gpt2_tiny",
        "tracking=wandb tracking.project=mine",
        "tracking.group=ours tracking.role=search tracking.arm=t0001",
    ],
)
def test_what_training_reads_has_no_note(given: str) -> None:
    assert notes_on(*given.split()) == []


def test_without_sleep_no_setting_of_sleep_is_read() -> None:
    given = ("sleep.learning_rate=.5", "sleep.replay.strategy=random", "sleep.replay.uniform=.1")
    (note,) = notes_on("sleep.length.ratio=0", *given, replays=False)
    assert not missing(note, "sleep.learning_rate|sleep.replay.strategy|sleep.replay.uniform|no sleep")


def test_every_name_is_an_option() -> None:
    for _, _, names in (*UNREAD, (None, "", OF_SLEEP)):
        assert {f"sleep.{name}" for name in names} <= options().keys()
    for _, _, keys in UNREAD_IN_TRAINING:
        assert set(keys) <= options().keys()


def test_a_control_may_inherit_and_is_compared_with_its_run(tmp_path: Path) -> None:
    parent = make_config(tmp_path / "parent")
    record_run(tmp_path / "parent", parent)

    def notes(**training: Any) -> list[str]:
        sleep = dataclasses.replace(parent.sleep, matched=str(tmp_path / "parent"), learning_rate=0.5)
        config: RunConfig = make_config(tmp_path / "control", **training)
        return setting_notes(dataclasses.replace(config, sleep=sleep), replays=False)

    (inherited,) = notes()
    assert not missing(inherited, "sleep.learning_rate|no effect|sleep.matched")
    _, warning = notes(batch_size=4)
    assert not missing(warning, "warning|sleep.matched|training.batch_size is 8 there, 4 here")
