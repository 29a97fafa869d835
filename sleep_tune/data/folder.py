"""Files below a folder: which are read, as which split, and which are not read and why. Opens no file."""

import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from sleep_tune.data.documents import SPLITS, Inventory
from sleep_tune.data.split_names import Place, is_text, place_of
from sleep_tune.errors import DataError, listed, shortened

__all__ = ["TextFile", "counted", "find_files", "reading"]

DOCUMENTATION = frozenset(
    {"authors", "changelog", "citation", "contributing", "contributors", "copying", "credits"}
    | {"licence", "license", "notice", "requirements"}
)
"""Stems, in any case, of files about a corpus that are no text of it; so is every name that begins with 'readme'."""

COMPRESSED = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})


@dataclass(frozen=True, slots=True)
class TextFile:
    """One file and what it is for."""

    path: Path
    split: str
    source: str


def find_files(folder: Path, key: str) -> tuple[list[TextFile], Inventory]:
    """Find the text files below `folder`, at any depth; the name of every other file is in the inventory.

    A file is of the split that its path names (`split_names`). Files whose paths name none are training text; they are
    refused where another file is named as training text, since they would be either forgotten or trained on by mistake.

    Args:
        folder: where to look. Links to folders are followed, once.
        key: what named the folder, for messages.

    Returns:
        The text files and the inventory, sorted by path.

    Raises:
        DataError: no training text; a path that names two splits, or none clearly; unnamed files beside named training
            text; two files of one split and source (two sizes of a corpus); a folder or a name that cannot be read.
    """
    paths: list[PurePath] = []
    not_read: dict[str, list[str]] = {}
    for path, reason in sorted(_walk(folder), key=lambda found: found[0]):
        if reason is None:
            paths.append(_readable(path, folder))
        else:
            not_read.setdefault(reason, []).append(path.as_posix() + "/" * (folder / path).is_dir())
    places = [(path, _place(path, folder, key)) for path in paths]
    named = {split: [path for path, place in places if place.split == split] for split in SPLITS}
    unnamed = [path for path, place in places if place.split is None]
    if not unnamed and not named["train"]:
        others: dict[str, Sequence[object]] = {f"of {split} text": files for split, files in named.items() if files}
        others |= not_read
        raise DataError(
            f"{key}: {folder} must hold training text in *.txt or *.train files; it has "
            f"{'only ' * bool(others)}{counted(others) or 'no files at all'}"
        )
    if unnamed and named["train"]:
        raise DataError(
            f"{key}: {folder} has training text by name ({listed(named['train'])}) and beside it text whose name says "
            f"no split ({listed(unnamed)}): name a split in each (news_train.txt), or move what is not to be read out"
        )
    files = [TextFile(folder / path, place.split or "train", place.source) for path, place in places]
    _refuse_twins([file for file, (_, place) in zip(files, places, strict=True) if place.split], folder, key)
    inventory = Inventory(
        {split: tuple(_below(file.path, folder) for file in files if file.split == split) for split in SPLITS},
        {reason: tuple(names) for reason, names in not_read.items()},
    )
    return files, inventory


def counted(files: Mapping[str, Sequence[object]]) -> str:
    """Say how many files there are of each kind, with a few names: '2 hidden (.git/, .DS_Store); 1 of type .md (a.md)'.

    Args:
        files: kind -> names, at least one.
    """
    return "; ".join(f"{len(names):,} {kind} ({listed(names)})" for kind, names in files.items())


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the operating system says of `path` into one sentence.

    Raises:
        DataError: the path cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{shortened(str(path), 200)} cannot be read: {error.strerror or error}") from error


def _walk(folder: Path) -> Iterator[tuple[PurePath, str | None]]:
    """Every file below `folder` and why it is not read, if it is not; a folder that is not entered counts as one."""
    seen: set[tuple[int, int]] = set()
    folders, links = [PurePath()], list[PurePath]()
    while folders or links:
        inner = folders.pop() if folders else links.pop(0)  # what lies in the folder itself comes before what is linked
        with reading(folder / inner):
            status = (folder / inner).stat()
            if (status.st_dev, status.st_ino) in seen:
                yield inner, "link to a folder that is read already"
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = list(os.scandir(folder / inner))
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = inner / entry.name
            if _is_hidden(entry.name):
                yield path, "hidden"
                continue
            with reading(folder / path):
                is_folder, reason = entry.is_dir(), _reason(folder / path)
            if is_folder:
                (links if entry.is_symlink() else folders).append(path)
            else:
                yield path, reason


def _is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or an editor's backup, or what a Mac leaves in an archive."""
    backup = name.endswith("~") or (name.startswith("#") and name.endswith("#"))
    return name.startswith(".") or backup or name == "__MACOSX"


def _reason(path: Path) -> str | None:
    """Why a file is not read, or None if it is text (or a link to nothing that is called so: reading will say it)."""
    name, suffix = path.name, path.suffix.casefold()
    if suffix in COMPRESSED:
        return f"compressed as {suffix}, to be unpacked first"
    if not is_text(name):
        return f"of type {suffix}" if suffix else "without a suffix"
    stem = path.stem.casefold()
    if suffix == ".txt" and (stem in DOCUMENTATION or stem.startswith("readme")):
        return "about the corpus"
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        return "no file but a device or pipe"
    return None


def _place(path: PurePath, folder: Path, key: str) -> Place:
    """The split and source of a file.

    Raises:
        DataError: its path names two splits, or none clearly; with what named the folder.
    """
    try:
        return place_of(path)
    except DataError as error:
        raise DataError(f"{key}: in {folder}, {error}") from error


def _readable(path: PurePath, folder: Path) -> PurePath:
    """The path, if its name can stand in messages, tables and files.

    Raises:
        DataError: it is not UTF-8, or holds a line break or another control character.
    """
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in str(path)):
        raise DataError(
            f"the name of a text file must be UTF-8 without control characters; got {shortened(str(path), 200)} in "
            f"{folder}: rename it"
        )
    return path


def _refuse_twins(files: Sequence[TextFile], folder: Path, key: str) -> None:
    """Refuse two files of one split and source.

    Raises:
        DataError: there are two.
    """
    seen: dict[tuple[str, str], Path] = {}
    for file in files:
        other = seen.setdefault((file.split, file.source), file.path)
        if other is not file.path:
            raise DataError(
                f"{key}: {folder} must hold one corpus; it has two files of one name for {file.split}, "
                f"{_below(other, folder)} and {_below(file.path, folder)}: give the folder of one, or rename one"
            )


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
