"""Tracking in Weights & Biases: one run for each of ours, in wandb/ of its folder, grouped by experiment."""

import hashlib
import json
import logging
import netrc
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sleep_tune.config.schema import RunConfig, TrackingConfig
from sleep_tune.config.tree import to_dict
from sleep_tune.errors import ConfigError
from sleep_tune.files import read_json_object, write_whole

__all__ = ["WeightsAndBiases", "wandb_mode", "wandb_sync_command"]

HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
"""Hosts of Weights & Biases, under which `wandb login` stores a key; $WANDB_BASE_URL names another server."""

OFFLINE = "offline-run-*"
"""Folders in wandb/ that are written offline, one for each time that a run was opened."""

NOTE = "told.json"
"""File in the folder of a run that was finished: how many lines of the journal it has, and how the run ended."""

SETTINGS: Mapping[str, Any] = {
    "silent": True,
    "console": "off",
    "disable_git": True,
    "init_timeout": 30.0,
    # The versions of all packages take 0.2 s to list at each opening; environment.json has those that matter.
    "x_save_requirements": False,
    # Otherwise a run whose server is gone waits for it at its end, forever. What was not uploaded stays on disk, for
    # `wandb sync --include-online`.
    "finish_timeout": 30.0,
}
"""Passed to `wandb.Settings`; those that a version of the package lacks are left out."""

logger = logging.getLogger(__name__)


class WeightsAndBiases:
    """One run, under the same id in all attempts.

    Online, the server knows how many lines it has. Offline, a folder is uploaded later, by hand: a folder that has been
    uploaded stays, and only the lines after it are logged; any other folder of an earlier attempt is replaced by one
    with all lines. So a run has one folder, however often it was killed or paused.

    Attributes:
        begins_at: number of the first line that it has not logged.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        """Open the run; if the server does not answer, offline.

        Args:
            config: of the run.
            folder: of the run.

        Raises:
            ConfigError: the package is not installed.
        """
        self._wandb = _imported()
        self._root = folder / "wandb"
        online = wandb_mode(config.tracking) == "online"
        try:
            self._open(config, folder, online=online)
        except (self._wandb.Error, TimeoutError) as error:
            if not online:
                raise
            logger.warning("Weights & Biases does not answer; this run is tracked offline: %s", error)
            self._open(config, folder, online=False)

    def _open(self, config: RunConfig, folder: Path, *, online: bool) -> None:
        known = 0 if online else self._clear()
        self._root.mkdir(parents=True, exist_ok=True)
        tracking = config.tracking
        options: dict[str, Any] = {
            "project": tracking.project,
            "entity": tracking.entity,
            "group": tracking.group,
            "name": config.run.name if tracking.group is None else f"{tracking.group}/{config.run.name}",
            "job_type": tracking.role,
            "tags": [tag for tag in (tracking.role, tracking.arm) if tag is not None],
            "id": hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16],
            "resume": "allow",
            "mode": "online" if online else "offline",
            "dir": str(folder),
            # Nested, for its tables and filters flatten the names themselves and cannot look a dotted key up.
            "config": to_dict(config),
            "settings": self._wandb.Settings(
                **{name: value for name, value in SETTINGS.items() if name in self._wandb.Settings.model_fields}
            ),
        }
        try:
            self._run = self._wandb.init(**options)
        except ConnectionError:
            # The service that all runs of this process share has died since the last one; the next call starts another.
            with suppress(ConnectionError):
                self._wandb.teardown()
            if not online:
                self._clear()  # of what that made before it failed
            self._run = self._wandb.init(**options)
        self._run.define_metric("*", step_metric="words_seen")
        self.begins_at: int = self._run.starting_step if online else known
        self._num_logged = self.begins_at

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        """Log line `number` of the journal, from 0."""
        self._run.log({"words_seen": words_seen, **values}, step=number)
        self._num_logged = number + 1

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        """End the attempt as completed, stopped, paused or failed."""
        self._run.summary.update({"state": state, **metrics})
        place = Path(self._run.dir).parent
        # With another exit code than 0, a run that the search has stopped or paused would be shown as crashed.
        self._run.finish(exit_code=1 if state == "failed" else 0)
        if place.is_dir():  # else a later attempt, which has more lines, has removed it
            write_whole(place / NOTE, json.dumps({"told": self._num_logged, "state": state}))

    @staticmethod
    def check(tracking: TrackingConfig) -> None:
        """Check, before anything is trained, that runs can be tracked as configured.

        Raises:
            ConfigError: the package is not installed; there is no key; the server does not answer or accept the key.
        """
        wandb = _imported()
        if wandb_mode(tracking) == "offline":
            return
        instead = "tracking.wandb=offline needs no network, and `wandb sync` uploads later"
        if not _has_key(os.environ):
            raise ConfigError(f"tracking.wandb=online needs a key (wandb login, or $WANDB_API_KEY); {instead}")
        try:
            wandb.setup(settings=wandb.Settings(silent=True))
            wandb.login(verify=True)
        except (wandb.Error, ValueError, TimeoutError, ConnectionError) as error:
            raise ConfigError(f"tracking.wandb: {str(error).rstrip('.')}; {instead}") from error
        finally:
            with suppress(ConnectionError):
                wandb.teardown()

    @staticmethod
    def final_state(folder: Path) -> str | None:
        """Return the state with which the run in `folder` was finished last; None if it was not."""
        states = [str(note["state"]) for _, note in _notes(folder / "wandb")]
        return states[-1] if states else None

    def _clear(self) -> int:
        """Remove folders that were not uploaded, and return how many lines the others have."""
        finished = dict(_notes(self._root))
        for place in self._root.glob(OFFLINE):
            if place not in finished or not list(place.glob("*.synced")):
                shutil.rmtree(place, ignore_errors=True)
        return max((int(note["told"]) for place, note in finished.items() if place.is_dir()), default=0)


def wandb_mode(tracking: TrackingConfig, environment: Mapping[str, str] = os.environ) -> str:
    """Return 'online' or 'offline': as configured; with 'auto', online if there is a key ($WANDB_API_KEY or ~/.netrc).

    With 'auto', $WANDB_MODE=offline is followed too.
    """
    if tracking.wandb != "auto":
        return tracking.wandb
    if environment.get("WANDB_MODE", "online") != "online":
        return "offline"
    return "online" if _has_key(environment) else "offline"


def wandb_sync_command(tracking: TrackingConfig, runs: Path) -> str | None:
    """Return the shell command that uploads offline runs, and may be repeated; None if runs are not offline.

    Args:
        tracking: of the runs.
        runs: the folder of a run, or a pattern for several.
    """
    if tracking.wandb == "off" or wandb_mode(tracking) == "online":
        return None
    return f"wandb sync {runs}/wandb/{OFFLINE}"


def _notes(root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield folders that were finished, the oldest first, each with its note; skip those that cannot be read."""
    for path in sorted(root.glob(f"*run-*/{NOTE}"), key=lambda path: path.stat().st_mtime):
        note = read_json_object(path)
        if note is not None and note.keys() >= {"told", "state"}:
            yield path.parent, note


def _imported() -> Any:
    """Return the package, imported."""
    # Its error reports use the network even where the run itself is offline.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    try:
        import wandb
    except ImportError as error:
        raise ConfigError(f"tracking.wandb needs the package wandb (pip install wandb): {error}") from error
    return wandb


def _has_key(environment: Mapping[str, str]) -> bool:
    if environment.get("WANDB_API_KEY"):
        return True
    own = urlsplit(environment.get("WANDB_BASE_URL", "")).hostname
    with suppress(FileNotFoundError, netrc.NetrcParseError, RuntimeError):
        known = netrc.netrc().hosts
        return any(host in known for host in (*HOSTS, own))
    return False
