"""Weights & Biases: a run of it for each run, in wandb/ of the run's folder, grouped by experiment.

Knows no journal: it is told line by line, and says from which line on. `wandb` is imported when it is asked for.
"""

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
from sleep_tune.files import write_whole

__all__ = ["WeightsAndBiases", "sync_command", "wandb_mode"]

HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
"""Where Weights & Biases is, under which `wandb login` keeps a key; a server of one's own is in $WANDB_BASE_URL."""

OFFLINE = "offline-run-*"
"""Folders in wandb/ that are written where there is no network, one for each time that a run was opened."""

NOTE = "told.json"
"""In the folder of a run that was finished: how many lines of the journal it knows, and how the run ended."""

SETTINGS: Mapping[str, Any] = {
    "silent": True,
    "console": "off",
    "disable_git": True,
    "init_timeout": 30.0,
    # The versions of all packages take 0.2 s to list at each opening; environment.json has those that matter.
    "x_save_requirements": False,
    # Otherwise a run whose server is gone waits for it at its end, for ever. What was not uploaded stays on disk, for
    # `wandb sync --include-online`.
    "finish_timeout": 30.0,
}
"""Of `wandb.Settings`; a version of the package that lacks one goes without."""

logger = logging.getLogger(__name__)


class WeightsAndBiases:
    """One run: one id for all attempts.

    Online, the server says how far it has been told. Offline, a folder is uploaded later, by hand: what has been
    uploaded stays, and only the lines after it are told; any other folder that an earlier attempt left is replaced by
    one that has it all. So a run has one folder, however often it was killed or paused.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        """Open it.

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
            # Its service, which this process's runs share, has died since the last of them. The next starts another.
            with suppress(ConnectionError):
                self._wandb.teardown()
            if not online:
                self._clear()  # of what that made before it failed
            self._run = self._wandb.init(**options)
        self._run.define_metric("*", step_metric="words_seen")
        self.begins_at: int = self._run.starting_step if online else known
        self._told = self.begins_at

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        """Take what line `number` of the journal says."""
        self._run.log({"words_seen": words_seen, **values}, step=number)
        self._told = number + 1

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        """The attempt is over: completed, stopped, paused, or failed."""
        self._run.summary.update({"state": state, **metrics})
        place = Path(self._run.dir).parent
        # Another exit code than 0 would show a run that the search stopped, or that goes on later, as crashed.
        self._run.finish(exit_code=1 if state == "failed" else 0)
        if place.is_dir():  # else a later attempt, which knows more, has removed it
            write_whole(place / NOTE, json.dumps({"told": self._told, "state": state}))

    @staticmethod
    def check(tracking: TrackingConfig) -> None:
        """Find out before anything is trained whether runs can be tracked as asked for.

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
    def ended(folder: Path) -> str | None:
        """How the run in `folder` ended as last told; None if it was not told to the end."""
        states = [str(note["state"]) for _, note in _notes(folder / "wandb")]
        return states[-1] if states else None

    def _clear(self) -> int:
        """Remove what was never uploaded.

        Returns:
            How many lines those know that were.
        """
        finished = dict(_notes(self._root))
        for place in self._root.glob(OFFLINE):
            if place not in finished or not list(place.glob("*.synced")):
                shutil.rmtree(place, ignore_errors=True)
        return max((int(note["told"]) for place, note in finished.items() if place.is_dir()), default=0)


def wandb_mode(tracking: TrackingConfig, environment: Mapping[str, str] = os.environ) -> str:
    """'online' or 'offline': as asked for, or online only where a key is at hand ($WANDB_API_KEY or ~/.netrc).

    $WANDB_MODE=offline holds where a configuration asks for neither.
    """
    if tracking.wandb != "auto":
        return tracking.wandb
    if environment.get("WANDB_MODE", "online") != "online":
        return "offline"
    return "online" if _has_key(environment) else "offline"


def sync_command(tracking: TrackingConfig, runs: Path) -> str | None:
    """The shell command that uploads what lies offline, as often as one likes; None if nothing does.

    Args:
        tracking: of the runs.
        runs: the folder of a run, or a pattern for several.
    """
    if tracking.wandb == "off" or wandb_mode(tracking) == "online":
        return None
    return f"wandb sync {runs}/wandb/{OFFLINE}"


def _notes(root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Folders that were finished, the oldest first, and what is noted in each; one that cannot be read is none."""
    for path in sorted(root.glob(f"*run-*/{NOTE}"), key=lambda path: path.stat().st_mtime):
        with suppress(OSError, ValueError):
            note = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(note, dict) and note.keys() >= {"told", "state"}:
                yield path.parent, note


def _imported() -> Any:
    """The package."""
    # Its error reports ask the network even where the run itself is offline.
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
