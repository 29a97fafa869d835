"""Mirror of a run's checkpoints: each complete one is copied there, and a run without local ones resumes from there.

For machines that may disappear with their disks. The place is a URI of pyarrow (file://, s3://, gs://, hdfs://). The
outputs of a run are not copied, and its copies are removed at its end.
"""

import logging
import re
import shutil
from pathlib import Path
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import ConfigError, RunFolderError
from sleep_tune.training.attempts import KEPT
from sleep_tune.training.checkpoint import CHECKPOINT, MARKER, Checkpoint, read_checkpoint
from sleep_tune.training.identity import Identity

__all__ = ["Mirror", "mirror_name", "open_mirror"]

DIGITS = 12
"""Hexadecimal digits of a run's digest in the name of its folder."""


class Mirror:
    """One run's folder in the mirror: <uri>/<name>/checkpoint-<updates>.

    Object stores cannot rename, so a copy is complete once it has its marker, which is written last.

    Attributes:
        place: the run's folder in the mirror's file system.
    """

    def __init__(self, uri: str, name: str) -> None:
        """Open the file system; nothing is read yet.

        Args:
            uri: of a folder.
            name: the run's folder in it (`mirror_name`).

        Raises:
            ConfigError: pyarrow has no such file system.
        """
        from pyarrow import ArrowException, fs

        try:
            self._there, root = fs.FileSystem.from_uri(uri)
        except (ArrowException, ValueError, OSError) as error:
            raise ConfigError(
                f"training.mirror must be a URI such as s3://bucket/folder; got '{uri}' ({error})"
            ) from None
        self._fs: Any = fs
        self.place = f"{root.rstrip('/')}/{name}"

    def push(self, checkpoint: Path) -> None:
        """Copy a complete checkpoint, and remove all copies but the last `KEPT`.

        If the mirror cannot be reached, a warning is logged and training continues.
        """
        try:
            target = f"{self.place}/{checkpoint.name}"
            self._there.create_dir(target, recursive=True)
            for file in sorted(checkpoint.iterdir(), key=lambda file: file.name == MARKER):
                with file.open("rb") as source, self._there.open_output_stream(f"{target}/{file.name}") as stream:
                    shutil.copyfileobj(source, stream)
            ours = int(checkpoint.name.removeprefix("checkpoint-"))
            for _, path in [found for found in self._complete() if found[0] <= ours][:-KEPT]:
                self._there.delete_file(f"{path}/{MARKER}")
                self._there.delete_dir(path)
        except OSError as error:
            _logger.warning("%s was not copied to training.mirror: %s", checkpoint, error)

    def pull(self, attempt: Path) -> Checkpoint | None:
        """Copy the furthest complete checkpoint into an attempt's folder and return it; None if there is none.

        If it is damaged, a warning is logged and the one before it is copied.

        Raises:
            ConfigError: the mirror cannot be read.
            RunFolderError: all checkpoints in it are damaged.
        """
        damage = None
        for _, path in reversed(self._listed()):
            folder = attempt / path.rpartition("/")[2]
            self._fetch(path, folder)
            try:
                return read_checkpoint(folder)
            except RunFolderError as error:
                damage = RunFolderError(f"training.mirror holds {path}, and its copy {error}")
                _logger.warning("%s", damage)
                shutil.rmtree(folder)
        if damage is not None:
            raise RunFolderError(
                f"{damage}, and no other checkpoint is left: remove {self.place} to train the run from its beginning"
            )
        return None

    def remove(self) -> None:
        """Remove all copies of a run that is over; if the mirror cannot be reached, log a warning."""
        try:
            if self._there.get_file_info(self.place).type != self._fs.FileType.NotFound:
                self._there.delete_dir(self.place)
        except OSError as error:
            _logger.warning("%s was not removed: %s", self.place, error)

    def _listed(self) -> list[tuple[int, str]]:
        try:
            return self._complete()
        except OSError as error:
            raise _unreadable(error) from error

    def _fetch(self, path: str, folder: Path) -> None:
        """Copy a checkpoint from the mirror, its marker last."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            found = self._there.get_file_info(self._fs.FileSelector(path))
            for info in sorted(found, key=lambda info: info.base_name == MARKER):
                with (
                    self._there.open_input_stream(info.path) as source,
                    (folder / info.base_name).open("wb") as file,
                ):
                    shutil.copyfileobj(source, file)
        except OSError as error:
            raise _unreadable(error) from error

    def _complete(self) -> list[tuple[int, str]]:
        """Return updates and path of the complete checkpoints in the mirror, the furthest last."""
        selector = self._fs.FileSelector(self.place, recursive=True, allow_not_found=True)
        marked = [
            info.path.rpartition("/")[0] for info in self._there.get_file_info(selector) if info.base_name == MARKER
        ]
        named = ((CHECKPOINT.fullmatch(path.rpartition("/")[2]), path) for path in marked)
        return sorted((int(match[1]), path) for match, path in named if match)


def mirror_name(config: RunConfig, identity: Identity) -> str:
    """Return the name of a run's folder in the mirror: its experiment's name, its own, and digits of its identity.

    The path of the run's folder is not part of it, so the same command finds its checkpoints on another machine. Runs
    of one name share a folder only if they are the same run, and then each can use the other's checkpoints.
    """
    names = [name for name in (config.tracking.group, config.run.name) if name]
    return re.sub(r"[^\w.-]", "_", "-".join([*names, identity.digest()[:DIGITS]]))


def open_mirror(config: RunConfig, identity: Identity) -> Mirror | None:
    """Return the run's mirror; None if training.mirror is not set.

    Raises:
        ConfigError: training.mirror is not a URI of a supported file system.
    """
    uri = config.training.mirror
    return None if uri is None else Mirror(uri, mirror_name(config, identity))


def _unreadable(error: OSError) -> ConfigError:
    return ConfigError(f"training.mirror must be a place that can be read: {error}")


_logger = logging.getLogger(__name__)
