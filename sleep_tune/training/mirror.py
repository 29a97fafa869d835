"""A second place for checkpoints: each complete one is copied there, and a run that has none here goes on from there.

For machines that may vanish with their disks. The place is a URI of pyarrow's (file://, s3://, gs://, hdfs://). What a
run leaves at its end is not copied. Knows nothing of what is in a checkpoint.
"""

import logging
import shutil
from pathlib import Path
from typing import Any

from sleep_tune.errors import ConfigError
from sleep_tune.training.checkpoint import CHECKPOINT, MARKER

__all__ = ["Mirror", "open_mirror"]

JOURNAL = "metrics.jsonl"


class Mirror:
    """One run's place there: <uri>/<the last three parts of run.dir>/checkpoint-<updates>.

    Object stores know no renaming, so a copy is complete once it has its marker, which is written last.
    """

    def __init__(self, uri: str, run: Path) -> None:
        """Look for nothing yet.

        Args:
            uri: of a folder.
            run: the run's folder here.

        Raises:
            ConfigError: pyarrow knows no such file system.
        """
        from pyarrow import ArrowException, fs  # type: ignore[import-untyped]

        try:
            self._there, root = fs.FileSystem.from_uri(uri)
        except (ArrowException, ValueError, OSError) as error:
            raise ConfigError(
                f"training.mirror must be a URI such as s3://bucket/folder; got '{uri}' ({error})"
            ) from None
        self._fs: Any = fs
        self._run = run
        self._place = "/".join((root.rstrip("/"), *run.parts[-3:]))

    def push(self, checkpoint: Path, journal_bytes: int) -> None:
        """Copy a complete checkpoint with the lines of the run that belong to it, and remove those before it.

        A place that cannot be reached is warned of: training goes on, and the next checkpoint is tried again.
        """
        try:
            target = f"{self._place}/{checkpoint.name}"
            self._there.create_dir(target, recursive=True)
            for file in checkpoint.iterdir():
                if file.name != MARKER:
                    self._send(file, target)
            with self._there.open_output_stream(f"{target}/{JOURNAL}") as stream:
                stream.write((self._run / JOURNAL).read_bytes()[:journal_bytes])
            self._send(checkpoint / MARKER, target)
            for updates, path in self._complete():
                if updates < int(checkpoint.name.removeprefix("checkpoint-")):
                    self._there.delete_file(f"{path}/{MARKER}")
                    self._there.delete_dir(path)
        except OSError as error:
            logging.getLogger(__name__).warning("%s was not copied to training.mirror: %s", checkpoint, error)

    def pull(self, attempt: Path) -> None:
        """Bring the furthest complete checkpoint into an attempt's folder, and its lines to the run's; if there is one.

        Raises:
            ConfigError: the place cannot be read.
        """
        try:
            found = self._complete()
            if not found:
                return
            _, path = found[-1]
            folder = attempt / path.rpartition("/")[2]
            folder.mkdir()
            files = [info.base_name for info in self._there.get_file_info(self._fs.FileSelector(path))]
            for name in sorted(files, key=lambda name: name == MARKER):
                target = self._run / JOURNAL if name == JOURNAL else folder / name
                with self._there.open_input_stream(f"{path}/{name}") as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
        except OSError as error:
            raise ConfigError(f"training.mirror must be a place that can be read: {error}") from error

    def _complete(self) -> list[tuple[int, str]]:
        """Complete checkpoints there, the furthest last."""
        selector = self._fs.FileSelector(self._place, recursive=True, allow_not_found=True)
        marked = [
            info.path.rpartition("/")[0] for info in self._there.get_file_info(selector) if info.base_name == MARKER
        ]
        named = ((CHECKPOINT.fullmatch(path.rpartition("/")[2]), path) for path in marked)
        return sorted((int(match[1]), path) for match, path in named if match)

    def _send(self, file: Path, target: str) -> None:
        with file.open("rb") as source, self._there.open_output_stream(f"{target}/{file.name}") as stream:
            shutil.copyfileobj(source, stream)


def open_mirror(uri: str | None, run: Path) -> Mirror | None:
    """The mirror of a run that has one."""
    return None if uri is None else Mirror(uri, run)
