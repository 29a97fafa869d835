"""Settings in a form that others can use: short numbers, a file of conf/sleep, the command of a run."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sleep_tune.config.groups import default_choices, group_settings, groups
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import flatten, to_dict
from sleep_tune.errors import RunFolderError
from sleep_tune.experiment.run_folder import default_options, defining_options
from sleep_tune.files import expanded, write_whole
from sleep_tune.plain_text import visible

__all__ = ["overrides_of", "shell_command", "short_numbers", "write_settings"]

DIGITS = 4
CLOSE = 5e-4
"""Greatest change by shortening, as a share of a number and, if it lies between 0 and 1, of its distance from 1."""

RUNGS = "evaluation.rungs"
MODEL, ANY = "model", "hf"
"""The group and its choice whose sizes cannot be set (`model.options` has them)."""

PLACES = (
    "data.path",
    "data.dataset",
    "tokenizer.name",
    "model.init",
    "evaluation.data",
    "sleep.matched",
    "sleep.replay.reference",
)
"""Options that may name a file or folder of the machine on which a run was made."""


def short_numbers(value: Any) -> Any:
    """Return a setting, or a mapping or list of settings, with numbers of about four digits.

    >>> short_numbers({"ratio": 0.31234567, "decay": 0.99996, "rate": 1.23456e-5, "folds": 12})
    {'ratio': 0.3123, 'decay': 0.99996, 'rate': 1.235e-05, 'folds': 12}
    """
    if isinstance(value, Mapping):
        return {key: short_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [short_numbers(inner) for inner in value]
    if not isinstance(value, float):
        return value
    allowed = CLOSE * min(abs(value), abs(1 - value) if 0 < value < 1 else abs(value))
    shortened = (float(f"{value:.{digits}g}") for digits in range(DIGITS, 17))
    return next((short for short in shortened if abs(short - value) <= allowed), value)


def write_settings(path: Path, comments: Sequence[str], sleep: Mapping[str, Any], *, force: bool) -> None:
    """Write settings as a choice of the group `sleep`; a file that holds them, with as many digits or more, stays.

    Args:
        path: conf/sleep/<name>.yaml.
        comments: sentences at its top, a line each.
        sleep: the section, nested.
        force: whether to replace other settings.

    Raises:
        RunFolderError: there are other settings of that name.
    """
    lines = "".join(f"# {' '.join(visible(comment).split())}\n" for comment in comments)
    if path.exists() and not force:
        there = _read_settings(path)
        if sleep not in (there, short_numbers(there)):
            raise RunFolderError(
                f"{path} holds other settings; give these another name (--name), or replace it (--force)"
            )
        return
    write_whole(path, f"{lines}{yaml.safe_dump(dict(sleep), sort_keys=False)}")


def _read_settings(path: Path) -> Any:
    """Return what a file of settings holds; None if it is not YAML."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None


def overrides_of(config: RunConfig) -> dict[str, Any]:
    """Return the options of a run that a command must set: those that differ from a run without any.

    A path is replaced by a name in capitals, because it is of the machine on which the run was made.
    """
    defaults = dict(default_options())
    chosen = {MODEL: ANY} if config.model.kind == ANY else {}
    for group, choice in (default_choices() | chosen).items():
        defaults |= group_settings(group, groups()[group][choice])
    given = flatten(to_dict(config))
    kept = {*defining_options(config), *PLACES} - {"run.sources"} | {RUNGS}
    changed = {key: value for key, value in given.items() if key in kept and value != defaults.get(key)}
    shown = {
        key: _place(key, value) if key in PLACES and value is not None else value for key, value in changed.items()
    }
    return chosen | {key: value for key, value in shown.items() if not (chosen and key == "model.kind")}


def shell_command(command: str, settings: Mapping[str, Any]) -> str:
    """Return the line for a shell that calls a command with settings.

    >>> shell_command("sleep-tune train", {"sleep": "strict", "sleep.max_exposures": None, "data.path": "my text"})
    "sleep-tune train sleep=strict sleep.max_exposures=null 'data.path=my text'"
    """
    return " ".join([command, *(shlex.quote(f"{key}={_text(value)}") for key, value in settings.items())])


def _place(key: str, value: Any) -> Any:
    """Return the id of something on the Hub as it is, and a name in capitals for a path."""
    is_id = isinstance(value, str) and value[:1] not in ("/", ".", "~") and value.count("/") == 1
    if is_id and key not in ("data.path", "evaluation.data", "sleep.matched") and not expanded(value).exists():
        return value
    return key.replace(".", "_").upper()


def _text(value: Any) -> str:
    """Return a value in the grammar of overrides; a text is taken as it is."""
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_inner(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_inner, value))}]"
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)


def _inner(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else _text(value)
