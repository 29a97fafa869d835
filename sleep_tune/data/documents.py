"""A corpus before it is tokenised: documents by split, and an inventory of its files."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sleep_tune.data.pairs import MinimalPair

__all__ = ["SPLITS", "Document", "Inventory", "RawCorpus", "Splits"]

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Document:
    """A piece of text that goes to one split as a whole."""

    source: str
    """A file's name, or a genre of the toy language."""
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Splits:
    """Documents by split, in the order in which they are read; dev and test may still be empty."""

    train: tuple[Document, ...]
    dev: tuple[Document, ...] = ()
    test: tuple[Document, ...] = ()
    pairs: Mapping[str, tuple[MinimalPair, ...]] = field(default_factory=dict)
    """Minimal pairs by split ('dev' and 'test'); only the toy language has them."""
    warnings: tuple[str, ...] = ()
    """What is unusual in the text, a sentence each: characters left by a wrong conversion, files without words."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The files of a corpus: those of each split, and those that are not read."""

    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Split -> names of its files, below the corpus's folder; empty for a corpus without files."""
    not_read: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Reason ('hidden', 'of type .md') -> names of the files that are not read; the name of a folder ends in /."""
    warnings: tuple[str, ...] = ()
    """What is unusual about the files, a sentence each."""
    notes: tuple[str, ...] = ()
    """How they are read, a line each: the columns of tables, the commit of a dataset."""


@dataclass(frozen=True, slots=True)
class RawCorpus:
    """A corpus that is identified without being read; it is read when its tokens are not in the cache."""

    identity: Mapping[str, str]
    """Everything on which the text depends: digests of files, or settings of a generator."""
    read: Callable[[], Splits]
    inventory: Inventory = field(default_factory=Inventory)
    stream: Callable[[list[str]], Iterator[tuple[str, Document]]] | None = None
    """Yields the split and the document of each that `read` returns, without holding all of them, and appends the
    warnings to a list; None if the corpus can only be read whole."""
