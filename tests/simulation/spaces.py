"""A small space with a parameter of each kind, and ways to look at landscapes over it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from sleep_tune.search.space.search_space import Choice, Int, LogUniform, Parameter, Uniform
from sleep_tune.simulation import analytic
from sleep_tune.simulation.landscape import Landscape
from sleep_tune.simulation.points import Settings

PARAMETERS = (
    Parameter("sleep.folds", Choice((5, 10, 20))),
    Parameter("sleep.replay.strategy", Choice(("strict", "weighted", "random"))),
    Parameter("sleep.replay.decay", Uniform(0.0, 0.7), {"sleep.replay.strategy": ("strict", "weighted")}),
    Parameter("sleep.length.passes", Choice((1.0, 2.0, 5.0))),
    Parameter("training.learning_rate", LogUniform(1e-4, 1e-2)),
    Parameter("training.batch_size", Int(8, 64)),
)
STEPPED = (Parameter("model.layers", Int(2, 12, 5)), Parameter("model.width", Int(16, 256, log=True)))


def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the noise out of made-up curves."""
    monkeypatch.setattr(analytic, "NOISE", 0.0)
    monkeypatch.setattr(analytic, "EARLY_NOISE", 0.0)


def flat(truth: Callable[[Settings], float], **more: Any) -> Landscape:
    """Curves that are at their end from the start."""
    landscape = Landscape("flat", PARAMETERS, truth, lambda settings, seed, share: truth(settings))
    return dataclasses.replace(landscape, **more)
