"""Trackers: Weights & Biases and TensorBoard are told, line by line, what the journal is told. Off unless asked for.

The journal is the truth and a tracker its reader: a line has the number that it has in metrics.jsonl. A resumed run
tells a tracker what the journal has kept and the tracker lacks, then goes on: nothing is logged twice, or lost with a
worker. Nothing is imported before it is asked for.
"""

import hashlib
import json
import math
import netrc
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from sleep_tune.config.schema import RunConfig, TrackingConfig
from sleep_tune.config.tree import flatten, to_dict
from sleep_tune.errors import ConfigError
from sleep_tune.files import read_json_lines, write_whole

__all__ = ["TRACKERS", "Tracked", "Tracker", "tracked", "wandb_mode"]

HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
"""Where Weights & Biases is, under which `wandb login` keeps a key; a server of one's own is in $WANDB_BASE_URL."""

NUMBERS = {
    "train": ("loss", "loss/wake", "loss/sleep", "learning_rate", "cycle", "pass_index", "read_ratio", "seconds"),
    "sleep": ("buffer_size", "candidates", "mean_score", "mean_age"),
}
"""Kind of a line -> what of it is tracked; of an evaluation every metric."""


class Tracker(Protocol):
    """One run as a tracker sees it."""

    begins_at: int
    """Number of the first line that it has not been told."""

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        """Take what line `number` of the journal says."""

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        """The attempt is over: completed, stopped, paused, or failed. All that was told is kept."""


class Tracked:
    """What the journal calls with each line: passes on what a tracker has not been told."""

    def __init__(self, trackers: Sequence[Tracker], kept: Sequence[Mapping[str, Any]] = ()) -> None:
        """Tell the lines that the journal has kept of earlier attempts.

        Args:
            trackers: any number.
            kept: the journal's lines from its beginning.
        """
        self._trackers = trackers
        self._words = 0  # as last told: what a sleep replayed is told without
        self._lines = 0
        self.state = "failed"
        """How the attempt ends, unless it is told otherwise."""
        self.metrics: Mapping[str, float] = {}
        for number, line in enumerate(kept):
            self(number, line)

    def __call__(self, number: int, line: Mapping[str, Any]) -> None:
        """Pass on line `number` (from 0) of the journal."""
        self._words = line.get("words_seen", self._words)
        values = _values(line)
        for tracker in self._trackers:
            if number >= tracker.begins_at and values:
                tracker.log(number, self._words, values)

    def finish(self) -> None:
        """Close every tracker with how the attempt ended."""
        for tracker in self._trackers:
            tracker.finish(self.state, self.metrics)


@contextmanager
def tracked(config: RunConfig, *, leads: bool, resumes_at: int | None) -> Iterator[Tracked]:
    """Open the trackers that the configuration asks for; finish them however the attempt ends.

    Args:
        config: of the run.
        leads: whether this process speaks for the run; else nothing is tracked.
        resumes_at: words seen at the checkpoint that the attempt goes on from; None at a beginning.

    Raises:
        ConfigError: a tracker that is asked for is not installed.
    """
    assert config.run.dir is not None
    folder = Path(config.run.dir)
    opened = [
        start(config, folder, resumes_at) for wanted, start in TRACKERS.values() if leads and wanted(config.tracking)
    ]
    kept = list(read_json_lines(folder / "metrics.jsonl")) if opened else []
    told = Tracked(opened, kept)
    with ExitStack() as stack:
        stack.callback(told.finish)
        yield told


def wandb_mode(tracking: TrackingConfig, environment: Mapping[str, str] = os.environ) -> str:
    """'online' or 'offline': as asked for, or online only where a key is at hand ($WANDB_API_KEY or ~/.netrc)."""
    if tracking.wandb != "auto":
        return tracking.wandb
    return "online" if environment.get("WANDB_API_KEY") or _in_netrc(environment) else "offline"


class _Wandb:
    """A run of Weights & Biases: one id for all attempts, grouped by experiment.

    Online, the server says how far it has been told. Offline, `tracking.json` does: what an attempt wrote counts when
    it was finished; the files of one that was killed may lack their end, so they are removed and told again.
    """

    def __init__(self, config: RunConfig, folder: Path, resumes_at: int | None) -> None:
        # Its error reports ask the network even where the run itself is offline.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        try:
            import wandb
        except ImportError as error:
            raise ConfigError(f"tracking.wandb needs the package wandb (pip install wandb): {error}") from error
        tracking, mode = config.tracking, wandb_mode(config.tracking)
        self._note = folder / "tracking.json"
        known: dict[str, Any] = {"told": 0, "open": None}
        if self._note.is_file():
            known = json.loads(self._note.read_text(encoding="utf-8"))
        if known["open"] is not None:
            shutil.rmtree(known["open"], ignore_errors=True)
        self._run = wandb.init(
            project=tracking.project,
            entity=tracking.entity,
            group=tracking.group,
            name=config.run.name if tracking.group is None else f"{tracking.group}/{config.run.name}",
            id=hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16],
            resume="allow",
            mode=mode,  # type: ignore[arg-type]
            dir=str(folder),
            config=flatten(to_dict(config)),
            settings=wandb.Settings(silent=True, console="off", disable_git=True),
        )
        self._run.define_metric("*", step_metric="words_seen")
        self.begins_at: int = known["told"] if mode == "offline" else self._run.starting_step
        self._told = self.begins_at
        self._write(open_files=str(Path(self._run.dir).parent) if mode == "offline" else None)

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        self._run.log({"words_seen": words_seen, **values}, step=number)
        self._told = number + 1

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        self._run.summary.update({"state": state, **metrics})
        if state == "stopped":
            self._run.tags = (*(self._run.tags or ()), "stopped early")
        # Another exit code than 0 would show a run that the search stopped, or that goes on later, as crashed.
        self._run.finish(exit_code=1 if state == "failed" else 0)
        self._write(open_files=None)

    def _write(self, *, open_files: str | None) -> None:
        told = self.begins_at if open_files else self._told
        write_whole(self._note, json.dumps({"told": told, "open": open_files}))


class _TensorBoard:
    """Event files in the run's folder; a resumed run's replace those from its checkpoint on."""

    def __init__(self, config: RunConfig, folder: Path, resumes_at: int | None) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                f"tracking.tensorboard needs the package tensorboard (pip install tensorboard): {error}"
            ) from error
        self.begins_at = len(list(read_json_lines(folder / "metrics.jsonl")))
        self._writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=resumes_at)

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        for key, value in values.items():
            self._writer.add_scalar(key, value, words_seen)
        self._writer.flush()

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        self._writer.close()


Open = Callable[[RunConfig, Path, int | None], Tracker]

TRACKERS: dict[str, tuple[Callable[[TrackingConfig], bool], Open]] = {
    "wandb": (lambda tracking: tracking.wandb != "off", _Wandb),
    "tensorboard": (lambda tracking: tracking.tensorboard, _TensorBoard),
}
"""Name -> whether it is asked for, and what opens it."""


def _values(line: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a line, named as they are in tables; of a sleep, under sleep/."""
    kind = line["kind"]
    numbers: Mapping[str, Any] = line["metrics"] if kind == "eval" else line
    wanted = NUMBERS.get(kind, tuple(numbers))
    prefix = "sleep/" if kind == "sleep" else ""
    return {f"{prefix}{key}": float(numbers[key]) for key in wanted if _is_number(numbers.get(key))}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _in_netrc(environment: Mapping[str, str]) -> bool:
    own = urlsplit(environment.get("WANDB_BASE_URL", "")).hostname
    with suppress(FileNotFoundError, netrc.NetrcParseError, RuntimeError):
        known = netrc.netrc().hosts
        return any(host in known for host in (*HOSTS, own))
    return False
