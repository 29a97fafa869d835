"""sleep-tune: does sleep beat epochs at the same budget of words, with which settings, and by how much?

The five functions of `sleep_tune.api`, and the root of the users' mistakes; both are loaded when they are first used.
`search` and `evaluate` are also the names of subpackages: `from sleep_tune.search.space import ...` imports from these,
and the attributes of this package are always the functions.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sleep_tune.api import compare as compare
    from sleep_tune.api import evaluate as evaluate
    from sleep_tune.api import load_experiment as load_experiment
    from sleep_tune.api import search as search
    from sleep_tune.api import train as train
    from sleep_tune.errors import UserError as UserError

if importlib.util.find_spec("fcntl") is None:  # Windows itself: folders could not be locked
    sys.stderr.write("error: sleep-tune needs Linux or macOS; on Windows, install it in WSL (wsl --install)\n")
    raise SystemExit(2)

__all__ = ["UserError", "__version__", "compare", "evaluate", "load_experiment", "search", "train"]

__version__ = "0.1.0"


class _Loaded:
    """Attribute of the package that is imported when it is read.

    A subpackage of the same name, which Python binds to the package once it is imported, does not replace it.
    """

    def __init__(self, module: str) -> None:
        self.module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, package: object, owner: type) -> Any:
        return getattr(importlib.import_module(self.module), self.name)

    def __set__(self, package: object, value: object) -> None:
        pass


class _Package(ModuleType):
    compare = _Loaded("sleep_tune.api")
    evaluate = _Loaded("sleep_tune.api")
    load_experiment = _Loaded("sleep_tune.api")
    search = _Loaded("sleep_tune.api")
    train = _Loaded("sleep_tune.api")
    UserError = _Loaded("sleep_tune.errors")


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
