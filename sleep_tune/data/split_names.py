"""Names of splits: from the path of a file to its split and the name of its source.

| path below data.path | split | source |
|---|---|---|
| `train.txt`, `valid.txt`, `TEST.txt` | train, dev, test | `text` |
| `childes.train`, `childes.dev.txt` (BabyLM) | train, dev | `childes` |
| `wiki.valid.tokens`, `news_test.txt` | dev, test | `wiki`, `news` |
| `train-00001-of-00004.txt` | train | `00001-of-00004` |
| `train/a.txt`, `train_10M/tales/b.txt`, `Test/a.txt` | train, train, test | `a`, `tales/b`, `a` |
| `train.jsonl`, `news_test.csv.gz`, `valid/a.parquet` | train, test, dev | `text`, `news`, `a` |
| `emma.txt`, `trainspotting.txt` | none | `emma`, `trainspotting` |
| `train/test.txt`, `a_test_of_wills.txt` | refused | |
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from sleep_tune.errors import DataError, shortened

__all__ = ["MARKED_SUFFIXES", "SPLIT_NAMES", "FileSplit", "find_split", "is_text_name", "split_of_name"]

SPLIT_NAMES: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "dev": ("dev", "devel", "valid", "validation", "val", "eval", "evaluation"),
    "test": ("test", "testing"),
}
"""Split -> usual names of its files and folders, in any case."""

FILLERS = frozenset({"set", "data", "split", "text", "corpus", "part", "shard", "of", "clean", "raw"})
"""Words that may follow a split's name, as numbers may: test_data.txt, train_10M, dev-00001-of-00002.txt."""

MARKED_SUFFIXES = frozenset({"tokens", "raw"})
"""WikiText's suffixes: text where a split's name stands before them (wiki.train.tokens)."""

WORD = re.compile(r"(?:[^\W\d_](?!(?<=[a-z])[A-Z]))*[^\W\d_]|\d+(?:[kKmMbB](?![^\W\d_]))?")
"""A run of letters, which also ends before a capital (wikiTest); or a number, perhaps with k, M or B."""
SEPARATOR = re.compile(r"[\W_]$")
SPLIT_WORD = re.compile(
    "|".join(f"(?P<{split}>(?:{'|'.join(names)})(?:set|data)?)" for split, names in SPLIT_NAMES.items())
)


@dataclass(frozen=True, slots=True)
class FileSplit:
    """The split of a file's text, and its source."""

    split: str | None
    """None if the path names no split."""
    source: str


@dataclass(frozen=True, slots=True)
class Mark:
    """The splits that one part of a path names."""

    splits: frozenset[str]
    """Splits whose names are words of the part."""
    clear: bool
    """Whether the part names exactly one split, as its last word."""
    rest: str
    """The part; without the split's name if that is clear."""


def is_text_name(name: str) -> bool:
    """Return whether a file of this name is read as text.

    >>> [is_text_name(name) for name in ("a.txt", "a.train", "test", "wiki.valid.tokens", "a.txt.gz", "a.md")]
    [True, True, True, True, False, False]
    """
    stem, dot, suffix = name.casefold().rpartition(".")
    if suffix == "txt" and dot:
        return True
    if suffix in MARKED_SUFFIXES:
        return _mark(stem).clear
    return any(suffix in names for names in SPLIT_NAMES.values())


def find_split(path: PurePath, suffix: str = "") -> FileSplit:
    """Return the split and the source of a file, by its name and the names of its folders.

    A split's name counts if it is the last word of the file's or a folder's name, not counting numbers and fillers such
    as 'set'. A split's name elsewhere is unclear, and an error unless another part of the path is clear.

    Args:
        path: below data.path, of a file for which `is_text_name` holds without `suffix`, or of a table.
        suffix: end of its name that says what it holds, such as '.jsonl.gz'; the name without it counts.

    Raises:
        DataError: two parts of the path name different splits, or it is not clear whether one names a split.
    """
    name = PurePath(path.name.removesuffix(suffix))
    stem = name.stem if name.suffix.casefold().removeprefix(".") in {"txt", *MARKED_SUFFIXES} else name.name
    marks = [*map(_mark, path.parts[:-1]), own := _mark(stem)]
    clear = frozenset[str]().union(*(mark.splits for mark in marks if mark.clear))
    if len(clear) > 1:
        raise DataError(
            f"{shortened(str(path), 200)} must belong to one split; its path names {_joined(clear)}: rename the file "
            "or its folder"
        )
    if not clear and any(mark.splits for mark in marks):
        words = _joined(frozenset[str]().union(*(mark.splits for mark in marks)))
        raise DataError(
            f"{shortened(str(path), 200)}: it is not clear whether this is {words} text. Put it into a folder named "
            "train, dev or test, or rename it: a split counts if it is the last word of a name, as in news_test.txt"
        )
    if not clear:
        return FileSplit(None, stem)
    (split,) = clear
    if own.clear and own.rest and path.name.casefold().startswith(f"{own.rest.casefold()}."):  # BabyLM's names
        return FileSplit(split, own.rest)
    folders = [part for part, mark in zip(path.parts[:-1], marks[:-1], strict=True) if not mark.clear]
    return FileSplit(split, "/".join([*folders, *([own.rest] if own.rest else [])]) or "text")


def split_of_name(name: str) -> str | None:
    """Return the split that a name means by its last word; None if it names none clearly.

    >>> [split_of_name(name) for name in ("train", "validation_clean", "TEST", "unsupervised")]
    ['train', 'dev', 'test', None]
    """
    mark = _mark(name)
    return next(iter(mark.splits)) if mark.clear else None


def _joined(splits: Iterable[str]) -> str:
    return " and ".join(sorted(splits))


def _mark(name: str) -> Mark:
    """Return the splits that are named by the words of a name without its suffix."""
    words = list(WORD.finditer(name))
    found = [(word, match.lastgroup) for word in words if (match := SPLIT_WORD.fullmatch(word[0].casefold()))]
    splits = frozenset(split for _, split in found if split is not None)
    if len(splits) != 1:
        return Mark(splits, False, name)
    last = found[-1][0]
    after = [word[0].casefold() for word in words if word.start() > last.start()]
    clear = all(word[0].isdecimal() or word in FILLERS for word in after)
    if not clear:
        return Mark(splits, False, name)
    before, rest = SEPARATOR.sub("", name[: last.start()]), name[last.end() :].strip("._- ")
    return Mark(splits, True, "-".join(part for part in (before, rest) if part))
