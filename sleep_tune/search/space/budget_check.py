"""Whether the budget can hold what a space offers, found out before anything is started.

Only options on which the plan of a run depends are looked at (`PLANNED`), and those they are conditional on.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import to_dict
from sleep_tune.errors import BudgetError, ConfigError, UserError, together
from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.search_space import Choice, CorpusSummary, Parameter, Space, settings
from sleep_tune.search.space.trial_configs import baseline_settings, plan_run, with_settings

__all__ = ["PLANNED", "budget_words", "check_ends", "check_fits", "planned"]

PLANNED = (
    "sleep.folds",
    "sleep.length.passes",
    "sleep.length.ratio",
    "sleep.length.repeats",
    "sleep.replay.ratio",
    "sleep.replay.scope",
    "training.batch_size",
)
"""Options that decide how many passes a budget holds, and whether it holds one."""

MOST = 2_000
"""Combinations tried at most; a space with more of them is checked as far as these go."""


def budget_words(base: RunConfig, corpus: CorpusSummary) -> int:
    """B, the words that every run of the study may see.

    Raises:
        BudgetError: not one word.
    """
    plain = with_settings(to_dict(base), {"sleep.folds": 1, "sleep.length.ratio": 0.0})
    return plan_run(plain, corpus, 1).budget_words


def check_fits(space: Space, base: RunConfig, corpus: CorpusSummary) -> None:
    """Refuse baselines, a base and choices that no trial could use, all at once.

    Raises:
        BudgetError: the budget cannot hold it; the message says where it was given, and the bound.
        ConfigError: options that do not fit together, or several mistakes.
    """
    tree, workers = to_dict(base), space.resources.workers
    errors: list[UserError] = []
    for name in space.baselines:
        try:
            plan_run(with_settings(tree, baseline_settings(name)), corpus, workers)
        except (BudgetError, ConfigError) as error:
            errors.append(_at(error, space, f"baselines.{name}"))
    errors += _unusable(space, tree, corpus)
    if errors:
        raise together(errors, space.name)


def _unusable(space: Space, tree: Mapping[str, Any], corpus: CorpusSummary) -> list[UserError]:
    """What of the base and the parameters no trial could use: nothing at all, or choices of which none ever fits."""
    relevant = planned(space.parameters)
    first: BudgetError | ConfigError | None = None
    errors: dict[tuple[str, Value], BudgetError | ConfigError] = {}
    fitting: set[tuple[str, Value]] = set()
    fits = False
    for chosen in islice(settings(relevant, corners=True), MOST):
        try:
            plan_run(with_settings(tree, chosen), corpus, space.resources.workers)
        except (BudgetError, ConfigError) as error:
            errors |= {item: errors.get(item, error) for item in chosen.items()}
            first = first or error
        else:
            fitting.update(chosen.items())
            fits = True
    if first is not None and not fits:
        return [_at(first, space, f"parameters.{relevant[0].key}" if relevant else "base")]
    choices = {parameter.key for parameter in relevant if isinstance(parameter.domain, Choice)}
    return [
        _at(problem, space, f"parameters.{key}", f"the choice {value!r} can never be used: ")
        for (key, value), problem in errors.items()
        if key in choices and (key, value) not in fitting
    ]


def check_ends(space: Space, gpus: float) -> None:
    """Refuse a search that nothing would ever end.

    Raises:
        ConfigError: only GPU-hours limit it, and its trials hold no GPU.
    """
    stop = space.stop
    others = (stop.trials, stop.hours, stop.no_improvement)
    if gpus == 0 and stop.gpu_hours is not None and others == (None, None, None):
        raise ConfigError(
            f"{space.where.get('stop.gpu_hours', 'stop.gpu_hours')}: stop.gpu_hours alone never ends a search without "
            "GPUs; set stop.trials or stop.hours too"
        )


def planned(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Those on which the plan of a run depends, and those they are conditional on."""
    wanted = {parameter.key for parameter in parameters if parameter.key in PLANNED}
    for parameter in reversed(parameters):
        if parameter.key in wanted:
            wanted.update(parameter.when)
    return tuple(parameter for parameter in parameters if parameter.key in wanted)


def _at(error: BudgetError | ConfigError, space: Space, key: str, what: str = "") -> BudgetError | ConfigError:
    where: Mapping[str, str] = space.where
    return type(error)(f"{where.get(key, key)}: {what}{error}")
