"""Names of splits: from a file's path to its split and the source that it is called.

| below data.path | split | source |
|---|---|---|
| `train.txt`, `valid.txt`, `TEST.txt` | train, dev, test | `text` |
| `childes.train`, `childes.dev.txt` (BabyLM) | train, dev | `childes` |
| `wiki.valid.tokens`, `news_test.txt` | dev, test | `wiki`, `news` |
| `train-00001-of-00004.txt` | train | `00001-of-00004` |
| `train/a.txt`, `train_10M/tales/b.txt`, `Test/a.txt` | train, train, test | `a`, `tales/b`, `a` |
| `emma.txt`, `trainspotting.txt` | none | `emma`, `trainspotting` |
| `train/test.txt`, `a_test_of_wills.txt` | refused | |
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from sleep_tune.errors import DataError, shortened

__all__ = ["MARKED_SUFFIXES", "SPLIT_NAMES", "Place", "is_text", "place_of"]

SPLIT_NAMES: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "dev": ("dev", "devel", "valid", "validation", "val", "eval", "evaluation"),
    "test": ("test", "testing"),
}
"""Split -> what files and folders of it are usually called, in any case."""

FILLERS = frozenset({"set", "data", "split", "text", "corpus", "part", "shard", "of", "clean", "raw"})
"""Words that may follow a split's name, as numbers may: test_data.txt, train_10M, dev-00001-of-00002.txt."""

MARKED_SUFFIXES = frozenset({"tokens", "raw"})
"""WikiText's suffixes: text where a split's name stands before them (wiki.train.tokens)."""

WORD = re.compile(r"(?:[^\W\d_](?!(?<=[a-z])[A-Z]))*[^\W\d_]|\d+(?:[kKmMbB](?![^\W\d_]))?")
"""A run of letters, ended also where wikiTest turns to a capital; or a number, perhaps of thousands or millions."""
SEPARATOR = re.compile(r"[\W_]$")
SPLIT_WORD = re.compile(
    "|".join(f"(?P<{split}>(?:{'|'.join(names)})(?:set|data)?)" for split, names in SPLIT_NAMES.items())
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file's text belongs."""

    split: str | None
    """None: its path names no split."""
    source: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What a name says of its split."""

    splits: frozenset[str]
    """Splits whose names are words of it."""
    clear: bool
    """Whether it is of one split without doubt."""
    rest: str
    """The name; where it is clear, without the split's name."""


def is_text(name: str) -> bool:
    """Whether a file of this name is read as text.

    >>> [is_text(name) for name in ("a.txt", "a.train", "test", "wiki.valid.tokens", "a.tokens", "a.txt.gz", "a.md")]
    [True, True, True, True, False, False, False]
    """
    stem, dot, suffix = name.casefold().rpartition(".")
    if suffix == "txt" and dot:
        return True
    if suffix in MARKED_SUFFIXES:
        return _mark(stem).clear
    return any(suffix in names for names in SPLIT_NAMES.values())


def place_of(path: PurePath) -> Place:
    """The split and the source of a text file.

    A name is cut into words; a split's name counts where it is the last of them, but for numbers and fillers such as
    'set'. A file may be marked by its own name or by any folder's. A word elsewhere in a name is no clear mark: it is
    refused, unless another part of the path is clear.

    Args:
        path: below data.path, of a file for which `is_text` holds.

    Raises:
        DataError: two parts of the path name different splits, or it is not clear whether one names a split.
    """
    stem = path.stem if path.suffix.casefold().removeprefix(".") in {"txt", *MARKED_SUFFIXES} else path.name
    marks = [*map(_mark, path.parts[:-1]), own := _mark(stem)]
    clear = frozenset[str]().union(*(mark.splits for mark in marks if mark.clear))
    if len(clear) > 1:
        raise DataError(
            f"{shortened(str(path), 200)} must belong to one split; its folder and its name say {_joined(clear)}: "
            "rename one of them"
        )
    if not clear and any(mark.splits for mark in marks):
        words = _joined(frozenset[str]().union(*(mark.splits for mark in marks)))
        raise DataError(
            f"{shortened(str(path), 200)} must say clearly whether it is {words} text: put it into a folder named "
            "train, dev or test, or rename it (the name of a split counts as the last word of a name: news_test.txt)"
        )
    if not clear:
        return Place(None, stem)
    (split,) = clear
    if own.clear and own.rest and path.name.casefold().startswith(f"{own.rest.casefold()}."):  # BabyLM's names
        return Place(split, own.rest)
    folders = [part for part, mark in zip(path.parts[:-1], marks[:-1], strict=True) if not mark.clear]
    return Place(split, "/".join([*folders, *([own.rest] if own.rest else [])]) or "text")


def _joined(splits: Iterable[str]) -> str:
    return " and ".join(sorted(splits))


def _mark(name: str) -> Mark:
    """Find the names of splits among the words of a name without its suffix."""
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
