"""The whole configuration of a trial: the base, what a baseline sets, the trial's parameters, seed and folder.

Also whether the budget can hold it.
"""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sleep_tune.config.groups import group_settings, groups
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.size import plan_words
from sleep_tune.config.sources import SOURCES, used_sources
from sleep_tune.config.tree import Tree, assign, from_dict, to_dict
from sleep_tune.errors import BudgetError, ConfigError, unknown
from sleep_tune.experiment.run_folder import CONFIG, EXPOSURES
from sleep_tune.experiment.search_state import TrialState
from sleep_tune.files import expanded, is_file, is_folder
from sleep_tune.names import BASELINES
from sleep_tune.search.space.search_space import CorpusSummary, Space
from sleep_tune.sleep.budget import SleepPlan

__all__ = ["Refusal", "TrialConfigs", "absolute", "baseline_settings", "plan_run", "with_settings"]


@functools.cache
def baseline_settings(name: str) -> Mapping[str, Any]:
    """Return what a baseline sets, by dotted key: the choice of that name in the group `sleep`.

    Raises:
        ConfigError: there is no such choice.
    """
    choices = groups()["sleep"]
    if name not in choices:
        raise ConfigError(unknown("baseline", name, choices))
    return group_settings("sleep", choices[name])


FOLDERS = ("data.path", "data.cache_dir", "evaluation.data", "sleep.replay.reference")
"""Options that name a folder (or, of data.path, a file, or a list of both)."""

NAMES = ("tokenizer.name", "model.init", "data.dataset")
"""Options that name a folder, or something on the Hub."""


def absolute(key: str, value: Any) -> Any:
    """Return the value of an option, as an absolute path if it names a folder, since trials run in other folders.

    Links to folders are followed. A file keeps the name of a link to it, which says what it holds and its split.

    Args:
        key: dotted key of the option.
        value: as it was given.
    """
    if isinstance(value, list | tuple) and key in FOLDERS:
        return tuple(absolute(key, item) for item in value)
    if isinstance(value, str) and (key in FOLDERS or (key in NAMES and is_folder(value))):
        path = expanded(value)
        return str(Path(os.path.realpath(path.parent), path.name)) if is_file(path) else os.path.realpath(path)
    return value


def with_settings(tree: Mapping[str, Any], settings: Mapping[str, Any]) -> Tree:
    """Return a copy of `tree` with options set, in their order; one that excludes another (`ONE_OF`) clears it.

    Folders have absolute paths.
    """
    changed = _copied(tree)
    for key, value in settings.items():
        assign(changed, key, absolute(key, value))
    return changed


def _copied(tree: Mapping[str, Any]) -> Tree:
    """Return a copy of nested dictionaries and lists of plain values; `copy.deepcopy` takes ten times as long."""
    return {
        key: _copied(value) if isinstance(value, Mapping) else list(value) if isinstance(value, list) else value
        for key, value in tree.items()
    }


def plan_run(config: RunConfig | Mapping[str, Any], corpus: CorpusSummary, workers: int) -> SleepPlan:
    """Return what a run would do with its budget.

    Raises:
        ConfigError: options that do not fit together.
        BudgetError: the budget cannot hold them.
    """
    run = config if isinstance(config, RunConfig) else from_dict(config)
    return plan_words(run, corpus_words=corpus.words, num_samples=corpus.samples, processes=workers)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why a trial is not trained."""

    kind: str
    """'budget' (the budget cannot hold it) or 'config' (options that do not fit together)."""
    reason: str


class TrialConfigs:
    """The whole configuration of each trial of a study.

    Args:
        space: the study.
        base: what every run starts from.
        corpus: what every run reads.
        folder: of the experiment.
        rungs: shares of the budget at which search trials are compared.
    """

    def __init__(
        self, space: Space, base: RunConfig, corpus: CorpusSummary, folder: Path, rungs: tuple[float, ...]
    ) -> None:
        self._space = space
        self._base = to_dict(base)
        self._sources = base.run.sources
        self._corpus = corpus
        self._folder = folder
        self._rungs = rungs

    def of(self, trial: TrialState) -> Tree:
        """Return the trial's configuration: base, baseline, parameters; then its seed, folder and evaluations."""
        is_search = trial.role == "search"
        baseline = baseline_settings(trial.arm) if trial.role != "arm" and trial.arm in BASELINES else {}
        run = {
            "run.name": trial.id,
            "run.dir": str(self._folder / "trials" / trial.id),
            "training.seed": trial.seed,
            "evaluation.rungs": self._rungs if is_search else self._space.finalists.rungs,
            "evaluation.test": not is_search,
            "tracking.group": self._space.name,
            "tracking.role": trial.role,
            "tracking.arm": trial.arm,
        }
        if trial.matched is not None:
            run["sleep.matched"] = str(self._folder / "trials" / trial.matched)
        tree = with_settings(self._base, dict(baseline) | trial.parameters | run)
        assign(tree, SOURCES, used_sources(tree, self._sources))
        return tree

    def refusal(self, trial: TrialState) -> Refusal | None:
        """Return why the trial cannot be trained, or None if it can."""
        if trial.matched is not None:
            parent = self._folder / "trials" / trial.matched
            if (parent / CONFIG).is_file() and not (parent / EXPOSURES).is_file():
                return Refusal("config", f"{trial.matched} has no {EXPOSURES}: an earlier version trained it")
        try:
            plan_run(self.of(trial), self._corpus, self._space.resources.workers)
        except BudgetError as error:
            return Refusal("budget", str(error))
        except ConfigError as error:
            return Refusal("config", str(error))
        return None
