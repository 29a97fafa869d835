"""The environment of a result: versions, commit and platform, written beside every run and search."""

import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import sleep_tune

__all__ = ["environment"]

PACKAGES = ("numpy", "torch", "transformers", "tokenizers", "accelerate", "datasets", "ray", "optuna", "hydra-core")


@functools.cache
def environment() -> dict[str, Any]:
    """Return the versions of sleep-tune, Python and the main packages, the git commit, and the platform.

    A package that is not installed is left out. `commit` is None outside a git clone; `uncommitted` is whether tracked
    files differed from it.
    """
    versions: dict[str, str] = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    commit = _git("rev-parse", "HEAD")
    return {
        "sleep_tune": sleep_tune.__version__,
        "commit": commit,
        "uncommitted": bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
    }


def _git(*arguments: str) -> str | None:
    """Return what git prints about the clone that holds this package, or None if it is in none."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():  # an installation inside another project's clone is not of that project
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
