"""The base of a search space: what every run starts from, checked option by option and as a whole."""

import re
from collections.abc import Mapping

from sleep_tune.babylm.data_protocol import AUTO_PROTOCOL
from sleep_tune.config.checker import check_one_of
from sleep_tune.config.entry import Entry, Mistake
from sleep_tune.config.groups import groups, read_setting
from sleep_tune.config.load import compose
from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.sources import with_sources
from sleep_tune.errors import Mistakes, UserError
from sleep_tune.experiment.run_protocol import with_protocol
from sleep_tune.import_paths import is_import_path
from sleep_tune.search.space.arms import named_by_arms
from sleep_tune.search.space.parameters import always_searched
from sleep_tune.search.space.search_space import Choice, Parameter, Space
from sleep_tune.search.space.trial_configs import absolute

__all__ = ["check_base", "compose_base", "read_base"]

SET_BY_SEARCH = (
    "run",
    "sleep.matched",
    "evaluation.rungs",
    "evaluation.test",
    "tracking.group",
    "tracking.role",
    "tracking.arm",
)
"""Options and sections that the search sets in every run."""


def read_base(entry: Entry, parameters: tuple[Parameter, ...]) -> dict[str, object]:
    """Return the groups and options of the base by key, without those that have a mistake; mistakes are kept.

    Raises:
        ConfigError: it is no mapping.
    """
    choices, searched = groups(), always_searched(parameters)
    base: dict[str, object] = {}
    for key, inner in entry.mapping("a mapping of groups and options").items():
        with entry.mistakes:
            if any(key == name or key.startswith(f"{name}.") for name in SET_BY_SEARCH):
                raise inner.error(f"{key} cannot be set: the search sets it in every run")
            base[key] = read_setting(key, inner, choices)
            if key in searched:
                raise inner.error(
                    f"{key} is set in base and searched: remove one (to search one value only: "
                    f"parameters.{key}.choice=[value])"
                )
    check_one_of(entry, base)
    return base


def check_base(space: Space, entry: Entry, recorded: str = AUTO_PROTOCOL) -> RunConfig | None:
    """Return the configuration that every run starts from, or None if options of the base do not fit together.

    Each mistake is kept with the line of the first option that it names. For `recorded` see `compose_base`.
    """
    try:
        return compose_base(space, recorded)
    except UserError as error:
        for each in error.errors if isinstance(error, Mistakes) else (error,):
            entry.mistakes.add(Mistake(_where(space.where, str(each)), str(each)))
        return None


def compose_base(space: Space, recorded: str = AUTO_PROTOCOL) -> RunConfig:
    """Return the configuration that every run starts from, with absolute paths, as trials run in other folders.

    Its `run.sources` are those of all import paths that a trial may have; each trial gets those that it uses. Its
    evaluation.protocol is a year if it has evaluation.data (`with_protocol`).

    Args:
        space: the study.
        recorded: protocol of the search that is resumed.

    Raises:
        UserError: options that do not fit together.
    """
    base = compose([], base=space.base)
    for section, key in (
        (base.data, "data.path"),
        (base.data, "data.cache_dir"),
        (base.data, "data.dataset"),
        (base.evaluation, "evaluation.data"),
        (base.sleep.replay, "sleep.replay.reference"),
        (base.tokenizer, "tokenizer.name"),
        (base.model, "model.init"),
    ):
        name = key.rpartition(".")[2]
        setattr(section, name, absolute(key, getattr(section, name)))
    base = with_protocol(base, recorded)
    choices = {parameter.key: parameter.domain for parameter in space.parameters}
    searched = {
        str(value): key
        for key, domain in choices.items()
        if isinstance(domain, Choice)
        for value in domain.values
        if options()[key].extensible and is_import_path(value)
    }
    return with_sources(base, searched | dict(named_by_arms(space)))


def _where(where: Mapping[str, str], message: str) -> str:
    """Return the place of the first option of the base that a message names; the place of the base if it names none."""
    named = re.findall(r"[a-z_]+(?:\.[a-z_]+)+|[a-z_]+(?==)", message)
    return next((where[f"base.{key}"] for key in named if f"base.{key}" in where), where.get("base", "base"))
