"""Functions of the user's own code, which an option names by import path: `package.module:function`.

Where an option names an entry of a table, such as a replay strategy, it can also name such a function, in a module on
Python's path or in the working directory. The SHA-256 of its source file is part of a run's configuration.
"""

import functools
import importlib
import inspect
import pkgutil
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from sleep_tune.errors import ConfigError, nearest, unknown
from sleep_tune.files import sha256_of

__all__ = [
    "FORM",
    "ImportedFunction",
    "function_name",
    "import_function",
    "is_import_path",
    "lookup",
    "require_parameters",
]

FORM = "package.module:function"
"""How an import path is written."""

_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))

Entry = TypeVar("Entry", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ImportedFunction:
    """A function that was imported by its path."""

    function: Callable[..., Any]
    file: Path
    """Absolute path of the source file in which it is defined, or of the module that the import path names."""
    source: str
    """That file below its package's folder, and its SHA-256 at the import: 'my_lab/replay.py sha256:<64 digits>'."""


def is_import_path(value: object) -> bool:
    """Return whether a value has the form of an import path.

    >>> is_import_path("my_lab.replay:middle"), is_import_path("strict"), is_import_path("my_lab/replay.py:middle")
    (True, False, False)
    """
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


def function_name(path: str) -> str:
    """Return the last part of an import path.

    >>> function_name("my_lab.tasks:stripes")
    'stripes'
    """
    return path.rpartition(":")[2]


def lookup(table: Mapping[str, Entry], name: str, key: str) -> Entry:
    """Return the entry of a table, or the function at an import path.

    Args:
        table: name -> function.
        name: a name in the table, or an import path.
        key: of the option, for messages.

    Raises:
        ConfigError: no such name; or see `import_function`.
    """
    if is_import_path(name):
        return import_function(name, key).function  # type: ignore[return-value]
    if name not in table:
        raise ConfigError(f"{unknown(key, name, table)}, or {FORM}")
    return table[name]


def import_function(path: str, key: str) -> ImportedFunction:
    """Return the function at an import path, with its source file.

    Modules in the working directory are found too, after those on Python's path. A process imports each path once, so
    the SHA-256 is that of the code which runs in it.

    Args:
        path: an import path.
        key: of the option, for messages.

    Raises:
        ConfigError: there is no such module or function, its import raises an error, or it has no source file.
    """
    try:
        return _import(path)
    except ConfigError as error:
        raise ConfigError(f"{key}={path}: {error}") from error.__cause__


def require_parameters(function: Callable[..., Any], what: str, *positional: str, named: tuple[str, ...] = ()) -> None:
    """Check that a function can be called with these arguments, before the call that would fail for them.

    Args:
        function: of the user's own.
        what: the option and the import path, for messages: 'data.kind=my_lab.corpora:read'.
        positional: names of the positional arguments, for messages.
        named: keyword arguments.

    Raises:
        ConfigError: it takes others.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some callables of compiled modules have none
        return
    try:
        signature.bind(*positional, **dict.fromkeys(named))
    except TypeError as error:
        taken = ", ".join((*positional, *(("*", *named) if named else ())))
        raise ConfigError(f"{what} must take the arguments ({taken}); got {signature}: {error}") from None


@functools.cache
def _import(path: str) -> ImportedFunction:
    name, _, attribute = path.partition(":")
    module = _module(name)
    if not hasattr(module, attribute):
        functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"{_place(module)} must define {attribute}; {_did_you_mean(attribute, functions)}")
    function = getattr(module, attribute)
    if not callable(function):
        raise ConfigError(f"{attribute} in {_place(module)} must be a function; got {type(function).__name__}")
    defining = _defining_module(function, module)
    origin = getattr(defining, "__file__", None)
    if origin is None:
        raise ConfigError(f"{name} must be in a file, whose SHA-256 is recorded; it is built into Python")
    file = Path(origin).absolute()
    depth = defining.__name__.count(".") + (2 if hasattr(defining, "__path__") else 1)
    return ImportedFunction(function, file, f"{'/'.join(file.parts[-depth:])} sha256:{sha256_of(file)}")


def _module(name: str) -> ModuleType:
    """Import a module.

    Raises:
        ConfigError: there is no such module, or its own code raises an error.
    """
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # last, so that no file of the user replaces a module of a library
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _failed(name, error) from error
        parent, _, last = error.name.rpartition(".")
        folders = getattr(sys.modules.get(parent), "__path__", ()) if parent else [here]
        hint = _did_you_mean(
            last, (found.name for found in pkgutil.iter_modules(folders)), f"{parent}." if parent else ""
        )
        raise ConfigError(
            f"there must be a module {error.name} on Python's path or in the working directory, {here}; {hint}"
        ) from None
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error


def _failed(name: str, error: BaseException) -> ConfigError:
    """Return the error for a module whose own code fails, with the line of the user's code at which it fails."""
    what = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, SyntaxError):
        return ConfigError(f"{error.filename}:{error.lineno}: {name} cannot be imported: SyntaxError: {error.msg}")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    theirs = [frame for frame in frames[1:] if not frame.filename.startswith(_LIBRARIES)]
    last = (theirs or frames)[-1]
    return ConfigError(f"{last.filename}:{last.lineno}: {name} cannot be imported: {what}")


def _defining_module(function: Any, named: ModuleType) -> ModuleType:
    """Return the module in which a function is defined; the module that names it, for any other object."""
    inner = inspect.unwrap(function)
    defining = sys.modules.get(inner.__module__) if inspect.isroutine(inner) or inspect.isclass(inner) else None
    return named if defining is None or getattr(defining, "__file__", None) is None else defining


def _place(module: ModuleType) -> str:
    return f"{module.__name__} ({module.__file__})"


def _did_you_mean(given: str, names: Iterable[str], prefix: str = "") -> str:
    close = nearest(given, names)
    return "found none" if close is None else f"found none; did you mean {prefix}{close}?"
