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
        flags: name of a flag of other tools, as Python writes it -> the flag of this command.
        find_key: from such a name to its entry; asked before the names of options of a run.
    """

    def __init__(
        self,
        prog: str,
        flags: Mapping[str, str] | None = None,
        find_key: Callable[[str], ForeignName | None] = find_foreign_name,
    ) -> None:
        super().__init__(prog=prog, add_help=False, allow_abbrev=False)
        self._others_flags = flags or {}
        self._find_key = find_key

    def parse_line(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Return the flags and overrides, which may come in any order; a mistake exits with code 2."""
        parsed, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            hint = self._hint(unknown[0], _value_after(unknown[0], arguments))
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint and f' ({hint})'}")
        return parsed

    def _hint(self, flag: str, value: str) -> str:
        """Return what to write instead of an unknown flag; '' if that is not known."""
        name = flag.partition("=")[0]
        key = plain_name(name)
        if key in self._others_flags:
            return f"write {self._others_flags[key]} {value}".rstrip()
        entry = self._find_key(key) or find_foreign_name(key)
        if key in options() or (entry is not None and not entry.difference):
            return f"write {entry.key if entry is not None else key}={value or 'VALUE'}"
        if entry is not None:
            return f"{entry.hint}; options are written key=value, without dashes"
        own = [known for known in self._option_string_actions if known.startswith("--")]
        close = nearest(name, own)
        return f"did you mean {close}?" if close is not None else "options are written key=value, without dashes"


def _value_after(flag: str, arguments: Sequence[str]) -> str:
    """Return the value of a flag: --seed=3, or --seed 3; '' if it has none."""
    _, separator, value = flag.partition("=")
    following = arguments[arguments.index(flag) + 1 :] if not separator else []
    return value or next((word for word in following[:1] if not word.startswith("-")), "")
