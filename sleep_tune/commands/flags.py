"""Parser of a command line of flags and key=value overrides, with hints for flags of other tools."""

import argparse
from collections.abc import Callable, Mapping, Sequence

from sleep_tune.config.foreign_names import ForeignName, find_foreign_name, plain_name
from sleep_tune.config.options import options
from sleep_tune.errors import nearest

__all__ = ["FlagParser"]


class FlagParser(argparse.ArgumentParser):
    """Parser that says how an unknown flag is written here: training.learning_rate=1e-3 for --learning_rate 1e-3.

    Args:
        prog: name of the command in messages.
        flags: name of a flag of other tools or commands, as Python writes it -> its hint, where {} is its value.
        find_key: from such a name to its entry; asked before the names of options of a run.
        is_key: whether an override can have this key.
    """

    def __init__(
        self,
        prog: str,
        flags: Mapping[str, str] | None = None,
        find_key: Callable[[str], ForeignName | None] = find_foreign_name,
        is_key: Callable[[str], bool] = lambda key: key in options(),
    ) -> None:
        super().__init__(prog=prog, add_help=False, allow_abbrev=False)
        self._others_flags = flags or {}
        self._find_key = find_key
        self._is_key = is_key

    def parse_line(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Return the flags and overrides, which may come in any order; a mistake exits with code 2."""
        parsed, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            flags = [word for word in unknown if word.startswith("-")] or unknown[:1]
            hints = {_name(flag): self._hint(_name(flag), _value_after(flag, arguments)) for flag in flags}
            lines = [f"{flag}: {hint}" for flag, hint in hints.items() if hint]
            lines.append("options of a run are written key=value, without dashes")
            self.error("\n  ".join([f"unrecognized arguments: {' '.join(unknown)}", *lines]))
        return parsed

    def _hint(self, name: str, value: str) -> str:
        """Return what to write instead of an unknown flag; '' if that is not known."""
        key = plain_name(name)
        if key in self._others_flags:
            return self._others_flags[key].format(value or "VALUE")
        entry = self._find_key(key) or find_foreign_name(key)
        if self._is_key(key) or (entry is not None and not entry.difference):
            return f"write {entry.key if entry is not None else key}={value or 'VALUE'}"
        if entry is not None:
            return entry.hint
        close = nearest(key, [known[2:] for known in self._option_string_actions if known.startswith("--")])
        return "" if close is None else f"did you mean --{close}?"


def _name(flag: str) -> str:
    return flag.partition("=")[0]


def _value_after(flag: str, arguments: Sequence[str]) -> str:
    """Return the value of a flag: --seed=3, or --seed 3; '' if it has none."""
    _, separator, value = flag.partition("=")
    following = arguments[arguments.index(flag) + 1 :] if not separator else []
    return value or next((word for word in following[:1] if not word.startswith("-")), "")
