"""Check, before a search starts, that the budget can hold what its space offers.

Only options on which the plan of a run depends are tried (`PLANNED`), and those that they are conditional on.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from sleep_tune.babylm.word_limits import warn_of_words
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import to_dict
from sleep_tune.errors import BudgetError, ConfigError, UserError, together
from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.arm_settings import arm_settings, found_first
from sleep_tune.search.space.search_space import BEST, Choice, CorpusSummary, Parameter, Space
from sleep_tune.search.space.settings import list_settings
from sleep_tune.search.space.trial_configs import plan_run, with_settings

__all__ = [
    "MOST_SETTINGS",
    "PLANNED",
    "budget_words",
    "check_budget",
    "check_search_ends",
    "corpus_lines",
    "planned_parameters",
]

PLANNED = (
    "sleep.folds",
    "sleep.interleave",
    "sleep.length.passes",
    "sleep.length.ratio",
    "sleep.length.repeats",
    "sleep.replay.max_exposures",
    "sleep.replay.ratio",
    "sleep.replay.scope",
    "training.batch_size",
)
"""Options that decide how many passes a budget holds, and whether it holds one."""

MOST_SETTINGS = 2_000
"""Settings that are tried, at most; of a space that has more, the rest is not checked."""


def budget_words(base: RunConfig, corpus: CorpusSummary) -> int:
    """Return B, the words that every run of the study may see.

    Raises:
        BudgetError: it is less than one word.
    """
    alone = {"sleep.folds": 1, "sleep.length.ratio": 0.0, "sleep.interleave": False, "sleep.replay.max_exposures": None}
    plain = with_settings(to_dict(base), alone)
    return plan_run(plain, corpus, 1).budget_words


def corpus_lines(base: RunConfig, corpus: CorpusSummary) -> tuple[str, ...]:
    """Return the corpus's description, with a warning if the budget exceeds the words that BabyLM's track allows.

    Raises:
        BudgetError: the budget is less than one word.
    """
    excess = warn_of_words(base.data.dataset, corpus.words, budget_words(base, corpus))
    return corpus.description if excess is None else (*corpus.description, f"warning: {excess}")


def check_budget(space: Space, base: RunConfig, corpus: CorpusSummary) -> None:
    """Refuse a base, arms and choices that no trial could use; all of them are reported.

    Raises:
        BudgetError: the budget cannot hold one; the message says where it was given, and the bound.
        ConfigError: options that do not fit together, or several mistakes.
    """
    tree = to_dict(base)
    errors: list[UserError] = []
    for name in (*space.baselines, *space.arms):
        mistakes = [_mistake(with_settings(tree, settings), space, corpus) for settings in _possible(space, name)]
        if mistakes[0] is not None and None not in mistakes:
            errors.append(_at(mistakes[0], space, f"{'arms' if name in space.arms else 'baselines'}.{name}"))
    if space.stop.trials != 0:
        errors += _unusable(space, tree, corpus)
    if errors:
        raise together(errors, space.name)


def _possible(space: Space, name: str) -> Iterator[dict[str, Any]]:
    """Yield the settings that an arm may have: one, or of an arm like the best trial, one for each of the space."""
    found: Iterable[Mapping[str, Mapping[str, Any]] | None] = [None]
    if found_first(space, name) == BEST:
        settings = list_settings(planned_parameters(space.parameters), corners=True)
        found = ({BEST: chosen} for chosen in islice(settings, MOST_SETTINGS))
    yield from (arm_settings(space, name, each) or {} for each in found)


def _mistake(tree: Mapping[str, Any], space: Space, corpus: CorpusSummary) -> BudgetError | ConfigError | None:
    """Return why a configuration cannot be trained; None if it can."""
    try:
        plan_run(tree, corpus, space.resources.workers)
    except (BudgetError, ConfigError) as error:
        return error
    return None


def _unusable(space: Space, tree: Mapping[str, Any], corpus: CorpusSummary) -> list[UserError]:
    """Return an error for each choice that the budget can never hold; one error if it can hold no setting at all."""
    relevant = planned_parameters(space.parameters)
    first: BudgetError | ConfigError | None = None
    errors: dict[tuple[str, Value], BudgetError | ConfigError] = {}
    fitting: set[tuple[str, Value]] = set()
    fits = False
    for chosen in islice(list_settings(relevant, corners=True), MOST_SETTINGS):
        error = _mistake(with_settings(tree, chosen), space, corpus)
        if error is not None:
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


def check_search_ends(space: Space, gpus: float) -> None:
    """Refuse a search that would never end.

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


def planned_parameters(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Return the parameters on which the plan of a run depends, and those that they are conditional on."""
    wanted = {parameter.key for parameter in parameters if parameter.key in PLANNED}
    for parameter in reversed(parameters):
        if parameter.key in wanted:
            wanted.update(parameter.when)
    return tuple(parameter for parameter in parameters if parameter.key in wanted)


def _at(error: BudgetError | ConfigError, space: Space, key: str, what: str = "") -> BudgetError | ConfigError:
    where: Mapping[str, str] = space.where
    return type(error)(f"{where.get(key, key)}: {what}{error}")
