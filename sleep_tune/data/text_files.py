"""The text files below a folder, with the split of each, and the files that are not read, with the reason."""

import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from sleep_tune.data.documents import SPLITS, Inventory
from sleep_tune.data.split_names import FileSplit, find_split, is_text_name
from sleep_tune.errors import DataError, listed, shortened

__all__ = ["TextFile", "describe_files", "find_text_files", "read_errors"]

DOCUMENTATION = frozenset(
    {"authors", "changelog", "citation", "contributing", "contributors", "copying", "credits"}
    | {"licence", "license", "notice", "requirements"}
)
"""Stems, in any case, of files about a corpus; names that begin with 'readme' are such, too."""

COMPRESSED = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file, its split and the name of its source."""

    path: Path
    split: str
    source: str


def find_text_files(folder: Path, key: str) -> tuple[list[TextFile], Inventory]:
    """Return the text files below `folder`, at any depth; the inventory also names every other file.

    A file belongs to the split that its path names (`split_names`). Files whose paths name none are training text. They
    are an error if another file is named as training text, since it is not clear then whether they should be read.

    Args:
        folder: is searched; links to folders are followed, once.
        key: option that names the folder, for messages.

    Returns:
        The text files and the inventory, sorted by path.

    Raises:
        DataError: no training text; a path that names two splits, or none clearly; files without a split beside named
            training text; two files of one split and source (two sizes of a corpus); a folder or a name that cannot
            be read.
    """
    paths: list[PurePath] = []
    not_read: dict[str, list[str]] = {}
    for path, reason in sorted(_walk(folder), key=lambda found: found[0]):
        if reason is None:
            paths.append(_readable(path, folder))
        else:
            not_read.setdefault(reason, []).append(path.as_posix() + "/" * (folder / path).is_dir())
    places = [(path, _split_of(path, folder, key)) for path in paths]
    named = {split: [path for path, place in places if place.split == split] for split in SPLITS}
    unnamed = [path for path, place in places if place.split is None]
    if not unnamed and not named["train"]:
        found = [describe_files({f"of {split} text": files}) for split, files in named.items() if files]
        if not_read:
            which = "which is" if sum(map(len, not_read.values())) == 1 else "which are"
            found.append(f"{describe_files(not_read)}, {which} not read")
        raise DataError(
            f"{key}: {folder} must hold training text in *.txt or *.train files; found "
            f"{'only ' * bool(found)}{'; '.join(found) or 'no files'}"
        )
    if unnamed and named["train"]:
        raise DataError(
            f"{key}: {folder} holds files that are named as training text ({listed(named['train'])}) and files whose "
            f"names contain no split ({listed(unnamed)}): name a split in each, as in news_train.txt, or move the "
            "files that should not be read out of the folder"
        )
    files = [TextFile(folder / path, place.split or "train", place.source) for path, place in places]
    _require_distinct([file for file, (_, place) in zip(files, places, strict=True) if place.split], folder, key)
    inventory = Inventory(
        {split: tuple(_below(file.path, folder) for file in files if file.split == split) for split in SPLITS},
        {reason: tuple(names) for reason, names in not_read.items()},
    )
    return files, inventory


def describe_files(files: Mapping[str, Sequence[object]]) -> str:
    """Return the number of files of each kind, with some names: '1 folder, hidden (.git/); 1 file, of type .md (a.md)'.

    Args:
        files: kind -> names, at least one; the name of a folder ends in /.
    """
    return "; ".join(f"{_count(names)}, {kind} ({listed(names)})" for kind, names in files.items())


def _count(names: Sequence[object]) -> str:
    num_folders = sum(str(name).endswith("/") for name in names)
    kind = "folder" if num_folders == len(names) else "file" if num_folders == 0 else "file or folder"
    plural = "files or folders" if kind == "file or folder" else f"{kind}s"
    return f"{len(names):,} {kind if len(names) == 1 else plural}"


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors about `path` into one sentence.

    Raises:
        DataError: the path cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{shortened(str(path), 200)} cannot be read: {error.strerror or error}") from error


def _walk(folder: Path) -> Iterator[tuple[PurePath, str | None]]:
    """Yield every file below `folder`, with the reason if it is not read; and every folder that is not entered."""
    seen: set[tuple[int, int]] = set()
    folders, links = [PurePath()], list[PurePath]()
    while folders or links:
        inner = folders.pop() if folders else links.pop(0)  # the folder's own content comes before what it links to
        with read_errors(folder / inner):
            status = (folder / inner).stat()
            if (status.st_dev, status.st_ino) in seen:
                yield inner, "a link to a folder that is read already"
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = list(os.scandir(folder / inner))
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = inner / entry.name
            if _is_hidden(entry.name):
                yield path, "hidden"
                continue
            with read_errors(folder / path):
                is_folder, reason = entry.is_dir(), _reason(folder / path)
            if is_folder:
                (links if entry.is_symlink() else folders).append(path)
            else:
                yield path, reason


def _is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, a backup of an editor, or a trace of macOS in an archive."""
    backup = name.endswith("~") or (name.startswith("#") and name.endswith("#"))
    return name.startswith(".") or backup or name == "__MACOSX"


def _reason(path: Path) -> str | None:
    """Return why a file is not read; None if it is text, or a broken link with the name of text, which fails later."""
    name, suffix = path.name, path.suffix.casefold()
    if suffix in COMPRESSED:
        return f"compressed as {suffix}, to be unpacked first"
    if not is_text_name(name):
        return f"of type {suffix}" if suffix else "without a suffix"
    stem = path.stem.casefold()
    if suffix == ".txt" and (stem in DOCUMENTATION or stem.startswith("readme")):
        return "about the corpus"
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        return "a device or pipe"
    return None


def _split_of(path: PurePath, folder: Path, key: str) -> FileSplit:
    """Return the split and source of a file.

    Raises:
        DataError: its path names two splits, or none clearly; the message begins with `key` and the folder.
    """
    try:
        return find_split(path)
    except DataError as error:
        raise DataError(f"{key}: in {folder}, {error}") from error


def _readable(path: PurePath, folder: Path) -> PurePath:
    """Return the path after checking that its name can be written in messages, tables and files.

    Raises:
        DataError: it is not UTF-8, or holds a line break or another control character.
    """
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in str(path)):
        raise DataError(
            f"the name of a text file must be UTF-8 without control characters; got {shortened(str(path), 200)} in "
            f"{folder}: rename it"
        )
    return path


def _require_distinct(files: Sequence[TextFile], folder: Path, key: str) -> None:
    """Check that no two files have the same split and source.

    Raises:
        DataError: two do.
    """
    seen: dict[tuple[str, str], Path] = {}
    for file in files:
        other = seen.setdefault((file.split, file.source), file.path)
        if other is not file.path:
            raise DataError(
                f"{key}: {folder} must hold one corpus; it has two files of the same name for {file.split}, "
                f"{_below(other, folder)} and {_below(file.path, folder)}: use the folder of one of them, or rename one"
            )


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
