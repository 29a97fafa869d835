"""Hook of the build: a wheel or source archive records the commit that it is built from in sleep_tune/commit.json."""

import json
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACE = "sleep_tune/commit.json"


class CommitHook(BuildHookInterface[BuilderConfig]):
    """Adds the file, where git knows the commit. An editable installation asks git itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file beside what is built, and include it."""
        root = Path(self.root)
        if version == "editable" or not (root / ".git").exists():  # a source archive has the file already
            return
        try:
            commit = _git(root, "rev-parse", "HEAD")
            changed = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
        except (OSError, subprocess.SubprocessError):
            return
        self._file().parent.mkdir(parents=True, exist_ok=True)
        self._file().write_text(json.dumps({"commit": commit, "uncommitted": changed}), encoding="utf-8")
        build_data["force_include"][str(self._file())] = PLACE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the file."""
        self._file().unlink(missing_ok=True)

    def _file(self) -> Path:
        return Path(self.directory) / "commit.json"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
