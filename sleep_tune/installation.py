"""Where the files of this installation are, and how its commands are called.

| | in a clone, or an editable installation of it | in a wheel |
|---|---|---|
| conf/, search_spaces/, analysis/reference/ | beside the package | inside the package |
| the search, without another sign | python tune.py | sleep-tune search |
"""

import sys
from pathlib import Path

__all__ = ["CLONE", "COMMIT", "CONF", "PACKAGE", "REFERENCE", "SPACES", "command"]

PACKAGE = Path(__file__).resolve().parent
"""The folder of this package."""

CLONE = None if (PACKAGE / "conf").is_dir() else PACKAGE.parent
"""The root of the clone whose package this is; None in a wheel."""

CONF = (CLONE or PACKAGE) / "conf"
"""The configuration groups."""

SPACES = (CLONE or PACKAGE) / "search_spaces"
"""The search spaces that come with the package."""

REFERENCE = PACKAGE / "reference" if CLONE is None else CLONE / "analysis" / "reference"
"""Tables of published figures."""

COMMIT = PACKAGE / "commit.json"
"""The commit that a wheel was built from (hatch_build.py); a clone has no such file."""

_IN_A_CLONE = {
    "search": "python tune.py",
    "train": "python train_worker.py",
    "evaluate": "python -m sleep_tune.evaluate",
    "compare": "python analysis/compare.py",
    "report": "python analysis/report.py",
    "simulate": "python -m sleep_tune.simulation",
    "export": "python analysis/export_best.py",
}


def command(name: str) -> str:
    """Return how to call a command, in the way in which this process was called: 'sleep-tune search'.

    Args:
        name: of a module in sleep_tune/commands.
    """
    program = Path(sys.argv[0])
    if program.stem == "sleep-tune":
        return f"sleep-tune {name}"
    if program.parts[-2:] == ("sleep_tune", "__main__.py"):
        return f"python -m sleep_tune {name}"
    module = f"python -m {'.'.join(program.parts[-3:-1])}"
    if CLONE is not None or _IN_A_CLONE.get(name) == module:
        return _IN_A_CLONE.get(name, f"python -m sleep_tune {name}")
    return f"sleep-tune {name}"
