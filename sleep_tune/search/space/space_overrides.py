"""Overrides of a search space: the `key=value` texts that follow the file on the command line, or a mapping."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sleep_tune.config.entry import Entry, KeyPath, Mistake
from sleep_tune.config.groups import override_settings
from sleep_tune.config.load import parse_override
from sleep_tune.config.yaml_file import read_value
from sleep_tune.errors import ConfigError, unknown
from sleep_tune.search.space.domain_reader import DOMAIN_KEYS, DOMAINS
from sleep_tune.search.space.foreign_spaces import hint_at_key

__all__ = ["SECTIONS", "override_space"]

SECTIONS = (
    "name",
    "base",
    "objective",
    "parameters",
    "search",
    "scheduler",
    "stop",
    "baselines",
    "arms",
    "finalists",
    "comparison",
    "resources",
    "enqueue",
    "warm_start",
)
"""The keys of a search space; an override that begins with any other key sets `base`."""


REMOVABLE = ("arms", "baselines", "parameters")
"""Sections whose keys the user names: null on the command line removes one of them."""


def override_space(root: Entry, overrides: Sequence[str] | Mapping[str, Any]) -> None:
    """Change a space in place, and note as the place of each changed value that it was among the overrides.

    Values are not checked here. A text that is no `key=value`, whose value cannot be read, or that sets something in
    a value that is no mapping is kept as a mistake.

    Args:
        root: the space as its file has it; its `value` and `places` are changed.
        overrides: `key=value` texts. A key that begins with a section of the space sets the space, and the value is
            YAML; any other key sets `base`, and the value follows hydra's grammar. Or a mapping from such keys to
            values. An arm, a baseline or a parameter that is set to null is removed.
    """
    values = overrides if isinstance(overrides, Mapping) else None
    in_base: dict[str, Any] = {}
    places: dict[str, str] = {}
    for text in overrides:
        key, separator, value = text.partition("=") if values is None else (text, "=", values[text])
        key = key.strip()
        section, _, rest = key.partition(".")
        place = f"{key} {'on the command line' if values is None else 'in the overrides'}"
        try:
            if not separator or not key:
                raise ConfigError(f"an override must be key=value; got '{text}'")
            if section not in SECTIONS and not rest and (hint := hint_at_key(key)) is not None:
                raise ConfigError(f"{place}: {hint}")
            if section not in SECTIONS or (section == "base" and rest):
                own = text.removeprefix("base.")
                in_base |= [_parse(own, place) if values is None else (own, value)]
                places[key.removeprefix("base.")] = place
            else:
                path = (section, *_split(section, rest))
                _set(root.value, path, read_value(value, place) if values is None else value, place)
                _set_place(root, path, place)
        except ConfigError as error:
            root.mistakes.add(Mistake(None, str(error)))
    base = root.value.get("base") or {}
    if in_base and isinstance(base, dict):  # anything else is refused when the base is read
        root.value["base"] = override_settings(base, in_base)
        for key, place in places.items():
            _set_place(root, ("base", key), place)


def _parse(text: str, place: str) -> tuple[str, Any]:
    try:
        return parse_override(text)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error


def _set(space: dict[str, Any], path: tuple[str, ...], value: Any, place: str) -> None:
    if path[0] == "arms" and len(path) > 2:
        _check_arm(space.get("arms"), path[1], place)
    if path == ("finalists", "seeds", "looks"):  # instead of a number of seeds, which is no mapping
        path, value = path[:2], {"looks": value}
    node = space
    for depth, part in enumerate(path[:-1], 1):
        inner = node.setdefault(part, {})
        if inner is not None and not isinstance(inner, dict):
            raise ConfigError(f"{place}: {'.'.join(path[:depth])} is not a mapping; got {inner!r}")
        node[part] = inner or {}
        node = node[part]
    if path[0] == "parameters" and path[-1] in DOMAINS:
        for other in DOMAINS if path[-1] in node else DOMAIN_KEYS:
            node.pop(other, None)  # a step belongs to the domain that the file has, with other ends too
    if value is None and len(path) == 2 and path[0] in REMOVABLE:
        if path[1] not in node:
            known = unknown(f"key of {path[0]}", path[1], node) if node else f"{path[0]} has no {path[1]}"
            raise ConfigError(f"{place}: {known}: null removes one that the file has")
        del node[path[1]]
    elif path[0] == "arms" and len(path) > 2:
        kept = override_settings(node, {path[-1]: value})
        node.clear()
        node |= kept
    else:
        node[path[-1]] = value


def _check_arm(arms: object, name: str, place: str) -> None:
    """Refuse an option of an arm that there is not: its name may be misspelt."""
    if arms is None or (isinstance(arms, dict) and name not in arms):
        known = unknown("arm", name, arms) if arms else f"there is no arm '{name}'"
        raise ConfigError(f"{place}: {known}. To add an arm: arms.{name}={{...}}")


def _split(section: str, rest: str) -> Iterator[str]:
    """Yield the parts of a key after its section; the key of an option is one part, though it has dots."""
    if not rest:
        return
    if section == "arms":
        name, _, key = rest.partition(".")
        yield from (name, key) if key else (name,)
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


def _set_place(root: Entry, path: KeyPath, place: str) -> None:
    """Note a new place, and forget the lines of what was there before."""
    places = root.places
    assert isinstance(places, dict)
    for other in [other for other in places if other[: len(path)] == path]:
        del places[other]
    places[path] = place
