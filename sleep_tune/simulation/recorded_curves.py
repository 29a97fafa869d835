"""Recorded learning curves: of runs made by tests/benchmarks/record_curves.py, or of your own experiments.

Between recorded settings the curve is the mean of the NEIGHBOURS nearest curves, weighted by the inverse of their
distance (`points.distances`); between two evaluations it is linear. Some noise remains in these means and counts as
truth. The noise of a run is the deviation of one seed from its setting's mean, a whole curve, drawn from the seeds of
the NEIGHBOURS nearest settings that were trained under several: bad settings often vary more than good ones.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sleep_tune.errors import ConfigError
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.experiment_file import EXPERIMENT
from sleep_tune.experiment.search_state import MAIN, fold_events
from sleep_tune.experiment.trial_state import configuration_key
from sleep_tune.search.decide.experiment_identity import ExperimentIdentity
from sleep_tune.search.space.search_space import Parameter
from sleep_tune.search.space.space_json import parameters_from_json
from sleep_tune.simulation.landscape import Landscape, run_generator
from sleep_tune.simulation.points import Settings, coordinates, distances

__all__ = ["FOLDER", "Recording", "read_experiment_curves", "read_recording", "recorded_landscape"]

FOLDER = Path(__file__).parent / "recorded"
"""Folder of the recordings that come with the project."""

NEIGHBOURS = 3

FEWEST = 8
"""Fewest settings of a recording."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Curves of n settings at m shares of the budget; lower is better."""

    name: str
    parameters: tuple[Parameter, ...]
    shares: NDArray[np.float64]
    """(m,), ascending; the last is 1."""
    settings: tuple[Settings, ...]
    values: NDArray[np.float64]
    """(n, m): mean over a setting's seeds."""
    noise: NDArray[np.float64]
    """(k, m): deviations of single seeds, with the variance of a single run; k may be 0."""
    noise_settings: NDArray[np.int64]
    """(k,): index of the setting that each deviation belongs to; -1 where it may be drawn for any setting."""


def read_recording(path: Path) -> Recording:
    """Read a file of recorded curves: a head line, then a line for each run.

    Raises:
        ConfigError: the file cannot be read as one, or holds too few settings.
    """
    try:
        head, *lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        parameters = parameters_from_json(head["parameters"])
        shares = [float(share) for share in head["shares"]]
        sign = 1 if head["mode"] == "min" else -1
        runs = [(line["settings"], [sign * float(value) for value in line["values"]]) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} must be a file of recorded curves; it cannot be read as one ({error!r})") from error
    return _recording(path.stem, parameters, shares, runs, [])


def read_experiment_curves(folder: Path) -> Recording:
    """Read the curves of an experiment: its completed search trials at their rungs and the end.

    Stopped trials have no end and are left out, so bad settings are too rare. The noise is that of finalists and
    baselines over seeds at the end; it is taken as constant over a run.

    Raises:
        ConfigError: too few completed trials.
        RunFolderError: it has no log or no experiment.yaml, or one that cannot be read.
    """
    events = read_events(folder / LOG)
    space = ExperimentIdentity(folder).space
    try:
        parameters = parameters_from_json(space["parameters"])
        mode = space["objective"]["mode"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(f"{folder}/{EXPERIMENT} cannot be read as an experiment ({error!r})") from error
    state = fold_events(events, mode)
    sign = 1 if mode == "min" else -1
    done = [trial for trial in state.trials.values() if trial.state == "completed" and trial.repeats is None]
    whole = [trial for trial in done if trial.study == MAIN]
    rungs = max((sorted(trial.rungs) for trial in whole), key=len, default=[])
    runs = [
        (trial.parameters, [sign * trial.rungs[rung] for rung in rungs])
        for trial in whole
        if trial.rungs.keys() >= set(rungs)
    ]
    shares = [rung / max(rungs) for rung in rungs]
    ends: dict[str, list[float]] = defaultdict(list)
    for trial in done:
        if trial.number is None and trial.value is not None:
            ends[trial.arm].append(sign * trial.value)
    return _recording(folder.name, parameters, shares, runs, [end for end in ends.values() if len(end) > 1])


def recorded_landscape(recording: Recording) -> Landscape:
    """Return a landscape that interpolates between the recorded settings."""
    points = np.array([coordinates(recording.parameters, settings) for settings in recording.settings])
    repeated = np.unique(recording.noise_settings[recording.noise_settings >= 0])

    def distances_from(settings: Settings) -> NDArray[np.float64]:
        return distances(recording.parameters, points, coordinates(recording.parameters, settings))

    def mean_curve(apart: NDArray[np.float64]) -> NDArray[np.float64]:
        nearest = np.argsort(apart, kind="stable")[:NEIGHBOURS]
        return np.asarray(np.average(recording.values[nearest], axis=0, weights=1 / (apart[nearest] + 1e-6)))

    def truth(settings: Settings) -> float:
        return float(mean_curve(distances_from(settings))[-1])

    def curve(settings: Settings, seed: int, share: float) -> float:
        apart = distances_from(settings)
        values = mean_curve(apart)
        if len(recording.noise):
            nearest = repeated[np.argsort(apart[repeated], kind="stable")[:NEIGHBOURS]]
            drawn_from = np.flatnonzero(np.isin(recording.noise_settings, [-1, *nearest]))
            values = values + recording.noise[run_generator(settings, seed).choice(drawn_from)]
        return float(np.interp(share, recording.shares, values))

    notes = () if len(recording.noise) else ("no setting was recorded under two seeds: there is no noise",)
    return Landscape(recording.name, recording.parameters, truth, curve, float(recording.shares[0]), notes)


def _recording(
    name: str,
    parameters: tuple[Parameter, ...],
    shares: Sequence[float],
    runs: Sequence[tuple[Settings, Sequence[float]]],
    ends: Sequence[Sequence[float]],
) -> Recording:
    """Return a recording: the mean curve of each setting, and the scaled deviations of its seeds.

    Args:
        name: name of the recording.
        parameters: of the space.
        shares: of the budget, (m,).
        runs: settings and curve (m values) of each run.
        ends: values at the end of runs of one setting under different seeds; used for the noise only.
    """
    by_settings: dict[str, list[tuple[Settings, NDArray[np.float64]]]] = defaultdict(list)
    for settings, values in runs:
        by_settings[configuration_key(settings)].append((settings, np.array(values)))
    if len(by_settings) < FEWEST:
        raise ConfigError(
            f"{name}: at least {FEWEST} settings must have been trained to their end; got {len(by_settings)}"
        )
    groups = [np.array([values for _, values in group]) for group in by_settings.values()]
    noise = [(number, _spread(group)) for number, group in enumerate(groups) if len(group) > 1]
    noise += [(-1, np.repeat(_spread(np.array(end)[:, None]), len(shares), axis=1)) for end in ends]
    return Recording(
        name=name,
        parameters=parameters,
        shares=np.array(shares),
        settings=tuple(group[0][0] for group in by_settings.values()),
        values=np.array([group.mean(axis=0) for group in groups]),
        noise=np.concatenate([np.zeros((0, len(shares))), *(curves for _, curves in noise)]),
        noise_settings=np.repeat([number for number, _ in noise], [len(curves) for _, curves in noise]).astype(
            np.int64
        ),
    )


def _spread(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the deviations of (s, m) curves from their mean, scaled to the variance of a single curve."""
    return np.asarray((curves - curves.mean(axis=0)) * np.sqrt(len(curves) / (len(curves) - 1)))
