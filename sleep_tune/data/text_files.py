"""The files of a corpus, with the type and the split of each, and the files that are not read, with the reason."""

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from sleep_tune.data.documents import SPLITS, Inventory
from sleep_tune.data.file_types import TEXT, TYPES, FileType, find_type
from sleep_tune.data.split_names import FileSplit, find_split
from sleep_tune.errors import DataError, listed, nearest, shortened

__all__ = ["TextFile", "describe_files", "find_listed_files", "find_text_files", "read_errors"]

DOCUMENTATION = frozenset(
    {"authors", "changelog", "citation", "contributing", "contributors", "copying", "credits"}
    | {"licence", "license", "notice", "requirements"}
)
"""Stems, in any case, of files about a corpus; names that begin with 'readme' are such, too."""

COMPRESSED = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file that is read, its type and split, and the name of its source."""

    path: Path
    split: str
    source: str
    type: FileType


def find_text_files(folder: Path, key: str, *, skip_unnamed: bool = False) -> tuple[list[TextFile], Inventory]:
    """Return the files below `folder` that are read, at any depth; the inventory also names every other file.

    Files of one type are read: plain text if there is any, else the type of all tables or compressed files.

    A file belongs to the split that its path names (`split_names`). Files whose paths name none are training text. They
    are an error if another file is named as training text, since it is not clear then whether they should be read.

    Args:
        folder: is searched; links to folders are followed, once.
        key: option that names the folder, for messages.
        skip_unnamed: do not read those files, instead of the error.

    Returns:
        The files and the inventory, sorted by path.

    Raises:
        DataError: no training text; tables or compressed files of several types; a path that names two splits, or none
            clearly; files without a split beside named training text; two files of one split and source (two sizes of
            a corpus); a folder or a name that cannot be read.
    """
    types, not_read = _search(folder, key)
    return _divide(folder, types, not_read, key, skip_unnamed=skip_unnamed)


def find_listed_files(paths: Sequence[Path], key: str) -> tuple[Path, list[TextFile], Inventory]:
    """Return the files of a corpus that is given by a list of files and folders, as `find_text_files` does.

    A file of the list is read whatever its type is; of each folder, files of one type are.

    Args:
        paths: at least one.
        key: option that holds the list, for messages.

    Returns:
        The deepest folder that holds all of them, below which names of folders count for the split; the files; and the
        inventory.

    Raises:
        DataError: as `find_text_files`; or a path that does not exist, is of a type that cannot be read, or is named
            twice.
    """
    for path in paths:
        with read_errors(path):
            if not path.is_dir():
                _require_file(path, key)
    if len(paths) > 1:
        paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - Path.resolve follows links
    root = Path(os.path.commonpath([path if path.is_dir() else path.parent for path in paths]))
    types: dict[PurePath, FileType] = {}
    not_read: dict[str, list[str]] = {}
    found: dict[PurePath, FileType]
    for path in paths:
        below = path.relative_to(root)
        prefix = f"{below.as_posix()}/" if below.parts else ""
        if path.is_dir():
            inner, left = _search(path, key)
            found = {below / name: type for name, type in inner.items()}
            for reason, names in left.items():
                not_read.setdefault(reason, []).extend(f"{prefix}{name}" for name in names)
        else:
            found = {_readable(below, root): _type_of(path)}
        types |= _require_new(found, types, root, key)
    return root, *_divide(root, dict(sorted(types.items())), not_read, key)


def _search(folder: Path, key: str) -> tuple[dict[PurePath, FileType], dict[str, list[str]]]:
    """Return the files below a folder that are read, with their types, and the others by reason; sorted by path.

    Raises:
        DataError: there are tables or compressed files of several types, and no plain text.
    """
    types: dict[PurePath, FileType] = {}
    not_read: dict[str, list[str]] = {}
    for path, reason in sorted(_walk(folder), key=lambda found: found[0]):
        if reason is None:
            types[_readable(path, folder)] = _type_of(path)
        else:
            not_read.setdefault(reason, []).append(path.as_posix() + "/" * (folder / path).is_dir())
    names = dict.fromkeys(type.name for type in types.values())
    if TEXT in names:
        for path, type in list(types.items()):
            if type.name != TEXT:
                not_read.setdefault(f"of type {type.name} beside plain text", []).append(path.as_posix())
                del types[path]
    elif len(names) > 1:
        found = {f"of type {name}": [path for path, type in types.items() if type.name == name] for name in names}
        raise DataError(
            f"{key}: {folder} must hold files of one type; found {describe_files(found)}: list the files to read, as "
            "in data.path=[a.jsonl,b.csv], or move the others out of the folder"
        )
    return types, not_read


def _divide(
    folder: Path,
    types: Mapping[PurePath, FileType],
    not_read: Mapping[str, Sequence[str]],
    key: str,
    *,
    skip_unnamed: bool = False,
) -> tuple[list[TextFile], Inventory]:
    """Return the files with their splits, and the inventory.

    Args:
        folder: that the paths are below.
        types: path -> type.
        not_read: reason -> names of files.
        key: for messages.
        skip_unnamed: do not read files whose paths name no split beside files that are named as training text.
    """
    places = [(path, _split_of(path, types[path], folder, key)) for path in types]
    named = {split: [path for path, place in places if place.split == split] for split in SPLITS}
    unnamed = [path for path, place in places if place.split is None]
    if not unnamed and not named["train"]:
        found = [describe_files({f"of {split} text": files}) for split, files in named.items() if files]
        if not_read:
            which = "which is" if sum(map(len, not_read.values())) == 1 else "which are"
            found.append(f"{describe_files(not_read)}, {which} not read")
        raise DataError(
            f"{key}: {folder} must hold training text in {TYPES}; found "
            f"{'only ' * bool(found)}{'; '.join(found) or 'no files'}"
        )
    if unnamed and named["train"] and skip_unnamed:
        not_read = {**not_read, "without a split in its name": [path.as_posix() for path in unnamed]}
        places = [(path, place) for path, place in places if place.split is not None]
    elif unnamed and named["train"]:
        raise DataError(
            f"{key}: {folder} holds files that are named as training text ({listed(named['train'])}) and files whose "
            f"names contain no split ({listed(unnamed)}): name a split in each, as in news_train.txt, or move the "
            "files that should not be read out of the folder"
        )
    shared = Counter(place.source for path, place in places if place.split is None)
    files = [
        TextFile(folder / path, place.split or "train", _source(path, place, types[path], shared), types[path])
        for path, place in places
    ]
    _require_distinct([file for file, (_, place) in zip(files, places, strict=True) if place.split], folder, key)
    inventory = Inventory(
        {split: tuple(_below(file.path, folder) for file in files if file.split == split) for split in SPLITS},
        {reason: tuple(names) for reason, names in not_read.items()},
    )
    return files, inventory


def _source(path: PurePath, place: FileSplit, type: FileType, shared: Mapping[str, int]) -> str:
    """Return the source of a file: its path, if files without a split in other folders have the same name.

    Files of plain text keep the name, so that corpora of earlier versions stay the same.
    """
    if place.split is not None or shared[place.source] == 1 or type.name == TEXT:
        return place.source
    return (path.parent / place.source).as_posix()


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
    """Return why a file is not read; None if its type is, or a broken link of such a name, which fails later."""
    suffix, type = path.suffix.casefold(), find_type(path.name)
    if type is None:
        if suffix in COMPRESSED:
            return f"compressed as {suffix}, to be unpacked first"
        return f"of type {suffix}" if suffix else "without a suffix"
    name = path.name.casefold().removesuffix(type.compression)
    stem = name.removesuffix(".txt")
    if stem != name and (stem in DOCUMENTATION or stem.startswith("readme")):
        return "about the corpus"
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        return "a device or pipe"
    return None


def _type_of(path: PurePath) -> FileType:
    """Return the type of a file that has one."""
    found = find_type(path.name)
    assert found is not None
    return found


def _require_file(path: Path, key: str) -> None:
    """Check that a path of a list is a file that can be read.

    Raises:
        DataError: it does not exist, or is of another type.
    """
    if not path.exists():
        raise DataError(f"{key} must name files or folders that exist; {_missing(path)}")
    if find_type(path.name) is None or not path.is_file():
        raise DataError(
            f"{key} must name {TYPES}, or a folder of them; got {shortened(str(path), 200)}: rename or convert it"
        )


def _missing(path: Path) -> str:
    """Return that nothing is at `path`, with the nearest name that exists."""
    if path.is_symlink():
        return f"got {shortened(str(path), 200)}, a link to what does not exist"
    if re.match(r"\w\w+:/", str(path)):
        return f"got the address {shortened(str(path), 200)}: download the file first"
    if "*" in path.name:
        return f"got {shortened(str(path), 200)}, a pattern, which is not expanded: name the folder, or list the files"
    missing = path
    while not missing.parent.is_dir():
        missing = missing.parent
    close = nearest(missing.name, (entry.name for entry in missing.parent.iterdir()))
    hint = f"; did you mean {missing.parent / close}?" if close else ""
    return f"got {shortened(str(path), 200)}, which does not exist{hint}"


def _require_new(
    found: Mapping[PurePath, FileType], before: Mapping[PurePath, FileType], root: Path, key: str
) -> Mapping[PurePath, FileType]:
    """Return `found` if it holds none of the files `before`.

    Raises:
        DataError: it does, by the same or another path.
    """
    real = {os.path.realpath(root / path) for path in before}
    for path in found:
        if os.path.realpath(root / path) in real:
            raise DataError(f"{key} must name each file once; {root / path} is named twice")
    return found


def _split_of(path: PurePath, type: FileType, folder: Path, key: str) -> FileSplit:
    """Return the split and source of a file.

    Raises:
        DataError: its path names two splits, or none clearly; the message begins with `key` and the folder.
    """
    try:
        return find_split(path, type.suffix)
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
