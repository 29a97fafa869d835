"""Overrides of a search space on the command line: `key=value` after the file. Checks no values."""

from collections.abc import Iterator
from typing import Any

from sleep_tune.config.load import parse
from sleep_tune.config.schema import ONE_OF
from sleep_tune.errors import ConfigError
from sleep_tune.search.space.yaml_lines import Path, read_value

__all__ = ["SECTIONS", "override"]

SECTIONS = (
    "name",
    "base",
    "objective",
    "parameters",
    "search",
    "scheduler",
    "stop",
    "baselines",
    "finalists",
    "comparison",
    "resources",
    "enqueue",
    "warm_start",
)
"""The keys of a search space; an override that begins with any other is one of `base`."""

DOMAIN_KEYS = ("choice", "uniform", "log_uniform", "int")


def override(raw: dict[str, Any], places: dict[Path, str], text: str) -> None:
    """Change a space in place, and remember that the command line did.

    Args:
        raw: the space as the file has it.
        places: where each of its values was written.
        text: `key=value`. In the space, the value is YAML; in `base` it follows hydra's grammar.

    Raises:
        ConfigError: it is no `key=value`, its value cannot be read, or it goes into what is no mapping.
    """
    key, separator, value = text.partition("=")
    key = key.strip()
    section, _, rest = key.partition(".")
    if not separator or not key:
        raise ConfigError(f"an override must be key=value; got '{text}'")
    place = f"{key} on the command line"
    if section not in SECTIONS or (section == "base" and rest):
        _override_base(raw, places, text.removeprefix("base."), place)
        return
    path = (section, *_split(section, rest))
    node = raw
    for depth, part in enumerate(path[:-1], 1):
        inner = node.setdefault(part, {})
        if inner is None or isinstance(inner, dict):
            node[part] = inner or {}
            node = node[part]
        else:
            raise ConfigError(f"{place}: {'.'.join(path[:depth])} is not a mapping; got {inner!r}")
    if section == "parameters" and path[-1] in DOMAIN_KEYS:
        for other in DOMAIN_KEYS:
            node.pop(other, None)
    node[path[-1]] = read_value(value, place)
    _forget(places, path)
    places[path] = place


def _split(section: str, rest: str) -> Iterator[str]:
    """The parts of a key after its section; an option's own key is one part, though it has dots."""
    if not rest:
        return
    if section != "parameters":
        yield from rest.split(".")
        return
    head, _, last = rest.rpartition(".")
    name, found, condition = rest.partition(".when.")
    if found:
        yield from (name, "when", condition)
    elif head and last in (*DOMAIN_KEYS, "when"):
        yield from (head, last)
    else:
        yield rest


def _override_base(raw: dict[str, Any], places: dict[Path, str], text: str, place: str) -> None:
    try:
        ((key, value),) = parse([text]).items()
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    base = raw.get("base")
    if base is None:
        base = raw["base"] = {}
    if not isinstance(base, dict):
        return  # what the file has is refused when it is read
    section, _, name = key.rpartition(".")
    if name in ONE_OF.get(section, ()):
        for other in ONE_OF[section]:
            base.pop(f"{section}.{other}", None)
    if "." not in key:  # a group chosen anew starts its section afresh
        for other in [other for other in base if other.startswith(f"{key}.") and ("base", other) in places]:
            if not places["base", other].endswith("on the command line"):
                del base[other]
    base[key] = value
    _forget(places, ("base", key))
    places["base", key] = place


def _forget(places: dict[Path, str], path: Path) -> None:
    """Drop the lines of what an override has replaced."""
    for other in [other for other in places if other[: len(path)] == path]:
        del places[other]
