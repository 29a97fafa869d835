"""The source files of functions that a configuration names by import path (`run.sources`).

Each entry is the import path, the file below its package's folder, and its SHA-256:
'my_lab.replay:middle my_lab/replay.py sha256:<64 digits>'. Entries are sorted. Only the file that defines the function
is compared, not the files that it imports.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import Tree, to_dict
from sleep_tune.errors import ConfigError
from sleep_tune.import_paths import ImportedFunction, import_function, is_import_path

__all__ = ["SOURCES", "compared_by_source", "imported_functions", "joined_sources", "named_paths", "used_sources"]
__all__ += ["with_sources"]

SOURCES = "run.sources"


def named_paths(tree: Tree) -> dict[str, str]:
    """Return the import paths that a configuration names: import path -> key of the option."""
    found: dict[str, str] = {}
    for key in _extensible():
        *sections, name = key.split(".")
        value = functools.reduce(lambda section, part: section[part], sections, tree)[name]
        for item in value if isinstance(value, list) else (value,):
            if is_import_path(item):
                found[item] = key
    return found


def imported_functions(config: RunConfig) -> dict[str, ImportedFunction]:
    """Return the functions that a configuration names by import path.

    Raises:
        ConfigError: one cannot be imported.
    """
    return {path: import_function(path, key) for path, key in named_paths(to_dict(config)).items()}


def with_sources(config: RunConfig, searched: Mapping[str, str] | None = None) -> RunConfig:
    """Return the configuration with `run.sources` filled in; sources that it states already must be those here.

    Args:
        config: a run's configuration.
        searched: import paths that trials of a search may have -> key of the option.

    Raises:
        ConfigError: a function cannot be imported, or its source file is not the one that `run.sources` states.
    """
    paths = named_paths(to_dict(config)) | dict(searched or {})
    found = {path: import_function(path, key) for path, key in paths.items()}
    for path, stated in _by_path(config.run.sources).items():
        if path not in found:
            raise ConfigError(f"{SOURCES} is filled in for the functions that options name; none names '{path}'")
        if found[path].source != stated:
            raise ConfigError(
                f"{paths[path]}={path}: its source file, {found[path].file}, has changed: it must be {stated}; got "
                f"{found[path].source}"
            )
    sources = tuple(f"{path} {function.source}" for path, function in sorted(found.items()))
    return replace(config, run=replace(config.run, sources=sources))


def used_sources(tree: Tree, sources: Iterable[str]) -> list[str]:
    """Return those of `sources` whose import path a configuration names."""
    used = named_paths(tree)
    return [f"{path} {source}" for path, source in _by_path(sources).items() if path in used]


def joined_sources(earlier: Iterable[str], now: Iterable[str]) -> tuple[str, ...]:
    """Return the entries of both; of an import path in both, the present one."""
    return tuple(f"{path} {source}" for path, source in sorted({**_by_path(earlier), **_by_path(now)}.items()))


def compared_by_source(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two configurations by dotted key, with one key for the source of each import path that both name.

    An import path that only one of them names differs in the option that names it.
    """
    there, here = _by_path(theirs.get(SOURCES) or ()), _by_path(ours.get(SOURCES) or ())
    both = [path for path in there if path in here]
    return (
        {**_without_sources(theirs), **{f"the source of {path}": there[path] for path in both}},
        {**_without_sources(ours), **{f"the source of {path}": here[path] for path in both}},
    )


def _without_sources(options_by_key: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options_by_key.items() if key != SOURCES}


def _by_path(sources: Iterable[str]) -> dict[str, str]:
    """Return import path -> file and SHA-256."""
    return {path: source for path, _, source in (entry.partition(" ") for entry in sources)}


@functools.cache
def _extensible() -> Sequence[str]:
    return tuple(key for key, option in options().items() if option.extensible)
