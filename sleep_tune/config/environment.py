"""The environment of a result: versions, commit and platform, written beside every run and search."""

import functools
import importlib.metadata
import platform
import re
import subprocess
from typing import Any

import sleep_tune
from sleep_tune.files import read_json_object
from sleep_tune.installation import CLONE, COMMIT

__all__ = ["environment", "repository"]

PACKAGES = ("numpy", "torch", "transformers", "tokenizers", "accelerate", "datasets", "ray", "optuna", "hydra-core")

ADDRESS = re.compile(r"(https?|ssh|git)://|[\w.-]+@[\w.-]+:")
"""Beginning of the address of a repository elsewhere."""
USER = re.compile(r"^((?:https?)://)[^/@]*@")
"""A user's name or token in an address."""


@functools.cache
def environment() -> dict[str, Any]:
    """Return the versions of sleep-tune, Python and the main packages, the git commit, and the platform.

    A package that is not installed is left out. `commit` is that of the clone, or the one that an installed wheel was
    built from; None if it is not known. `uncommitted` is whether tracked files differed from it.
    """
    versions: dict[str, str] = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "sleep_tune": sleep_tune.__version__,
        **_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
    }


def repository() -> str | None:
    """Return the address of the repository that this clone comes from, without a user's name or token in it.

    None outside a clone, and for one that comes from a folder.
    """
    address = _git("remote", "get-url", "origin") or ""
    return USER.sub(r"\1", address) if ADDRESS.match(address) else None


def _commit() -> dict[str, Any]:
    """Return `commit` and `uncommitted` of this package."""
    built = read_json_object(COMMIT)
    if built is not None:
        return {"commit": built.get("commit"), "uncommitted": built.get("uncommitted")}
    commit = _git("rev-parse", "HEAD")
    changed = bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None
    return {"commit": commit, "uncommitted": changed}


def _git(*arguments: str) -> str | None:
    """Return what git prints about the clone that holds this package, or None if it is in none."""
    if CLONE is None or not (CLONE / ".git").exists():  # a folder inside another project's clone is not of that project
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(CLONE), *arguments], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
