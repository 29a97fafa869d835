"""What a corpus is before it is tokenised: documents by split, and whatever comes with them. Knows no tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sleep_tune.data.pairs import MinimalPair

__all__ = ["SPLITS", "Document", "Inventory", "RawCorpus", "Splits"]

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Document:
    """A piece of text that is kept or left out as a whole."""

    source: str
    """Where it comes from: a file's name, or a genre of the toy language."""
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Splits:
    """Documents by split, in the order in which they are read; dev and test may still be empty."""

    train: tuple[Document, ...]
    dev: tuple[Document, ...] = ()
    test: tuple[Document, ...] = ()
    pairs: Mapping[str, tuple[MinimalPair, ...]] = field(default_factory=dict)
    """Minimal pairs of the language itself, by split ('dev' and 'test'), where it has any."""
    warnings: tuple[str, ...] = ()
    """What is odd in the text, a sentence each: characters that a wrong conversion leaves, files without words."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The files of a corpus: which are read as which split, and which are not read."""

    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Split -> names of its files, below the corpus's folder; empty for a corpus without files."""
    not_read: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Why files are not read ('hidden', '.gz, compressed') -> their names; a name that ends in / is a folder's."""
    warnings: tuple[str, ...] = ()
    """What is odd about the files, a sentence each."""


@dataclass(frozen=True, slots=True)
class RawCorpus:
    """A corpus that can be identified cheaply, and read when its tokens are not in the cache."""

    identity: Mapping[str, str]
    """What the text is a pure function of: digests of files, or settings of a generator."""
    read: Callable[[], Splits]
    inventory: Inventory = field(default_factory=Inventory)
