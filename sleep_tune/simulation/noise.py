"""Chance that is the same for the same run: numbers that settings, a seed and a share determine, on any machine."""

import hashlib

import numpy as np

from sleep_tune.experiment.trial_state import configuration_key
from sleep_tune.simulation.points import Settings

__all__ = ["generator", "normal"]


def generator(settings: Settings, seed: int, share: float = 0.0) -> np.random.Generator:
    """A generator of the run's own."""
    digest = hashlib.sha256(f"{configuration_key(settings)} {seed} {share:.9f}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def normal(settings: Settings, seed: int, share: float = 0.0) -> float:
    """A standard normal."""
    return float(generator(settings, seed, share).standard_normal())
