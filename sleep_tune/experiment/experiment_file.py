"""experiment.yaml as a file: its first line is a checksum of the rest, and whoever reads it checks that.

It decides which study a folder holds, what its comparison is about and what a warm start may take, so that an edit that
nobody notices would change all of these. Files of earlier versions begin without the checksum and are read as they are.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

import yaml

from sleep_tune.errors import RunFolderError

__all__ = ["EXPERIMENT", "read_experiment_file", "sealed"]

EXPERIMENT = "experiment.yaml"
"""The file's name in an experiment folder."""

FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""For what a search wrote: it crashes the process where brackets are nested 100,000 deep."""
SEAL = re.compile(rb"sha256: '?([0-9a-f]{64})'?\r?\n")


def sealed(text: str) -> bytes:
    """Return the file's content: `text`, YAML of a mapping, below the line with its checksum."""
    content = text.encode()
    return b"sha256: '%s'\n%s" % (hashlib.sha256(content).hexdigest().encode(), content)


def read_experiment_file(path: Path) -> dict[str, Any]:
    """Return what the file holds.

    Raises:
        FileNotFoundError: there is none.
        RunFolderError: it was edited or cut off, is no YAML, or no mapping.
    """
    try:
        content = path.read_bytes()
        seal = SEAL.match(content)
        if seal is not None and hashlib.sha256(content[seal.end() :]).hexdigest().encode() != seal[1]:
            raise _edited(path, "its checksum differs")
        read = yaml.load(content, yaml.SafeLoader if seal is None else FAST_LOADER)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunFolderError(f"{path} must be a file that can be read ({error.strerror})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, RunFolderError):
            raise
        what = " ".join(str(error).split())
        raise RunFolderError(f"{path} cannot be read as an experiment; it is not YAML: {what}") from error
    if not isinstance(read, dict):
        what = "it is empty" if read is None else f"it is no mapping but a {type(read).__name__}"
        raise RunFolderError(f"{path} cannot be read as an experiment: {what}; put it back from a copy")
    if seal is None and "sha256" in read:
        raise _edited(path, "its checksum is not its first line")
    return read


def _edited(path: Path, how: str) -> RunFolderError:
    return RunFolderError(
        f"{path} is not as it was written ({how}): put it back from a copy, and change options of a study in the file "
        "of its search space. To accept it as it is, remove the line that begins with 'sha256:'"
    )
