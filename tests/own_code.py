"""The user's own code, for tests: modules in a working directory, which the process forgets afterwards."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from sleep_tune import import_paths

__all__ = ["own_code"]


@contextmanager
def own_code(folder: Path, files: Mapping[str, str]) -> Iterator[None]:
    """Write files into a folder and work there; forget what was imported from it.

    Args:
        folder: the working directory.
        files: path below the folder -> its text.
    """
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    _forget(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        yield
    _forget(folder)


def _forget(folder: Path) -> None:
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)  # a folder without __init__.py has no __file__, but is found in places
        places = [getattr(module, "__file__", None) or "", *(getattr(spec, "submodule_search_locations", None) or ())]
        if any(str(place).startswith(f"{folder}/") for place in places):
            del sys.modules[name]
    import_paths._import.cache_clear()
