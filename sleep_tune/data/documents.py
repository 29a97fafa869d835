"""A corpus before it is tokenised: documents by split, and an inventory of its files."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sleep_tune.config.schema import SPLITS
from sleep_tune.data.pairs import MinimalPair

__all__ = ["SPLITS", "Document", "Inventory", "RawCorpus", "Splits", "Stream", "collect"]


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


Stream = Callable[[list[str]], Iterator[tuple[str, Document]]]
"""Function that yields the documents of a corpus with their splits, without holding all of them, and appends what is
unusual in the text to a list, as `Splits.warnings`."""


def collect(stream: Stream) -> Splits:
    """Return all documents of a stream."""
    splits: Mapping[str, list[Document]] = {split: [] for split in SPLITS}
    warnings: list[str] = []
    for split, document in stream(warnings):
        splits[split].append(document)
    return Splits(tuple(splits["train"]), tuple(splits["dev"]), tuple(splits["test"]), warnings=tuple(warnings))


@dataclass(frozen=True, slots=True)
class RawCorpus:
    """A corpus that is identified without being read; it is read when its tokens are not in the cache."""

    identity: Mapping[str, str]
    """Everything on which the text depends: digests of files, or settings of a generator."""
    read: Callable[[], Splits]
    inventory: Inventory = field(default_factory=Inventory)
    stream: Stream | None = None
    """Yields what `read` returns; None if the corpus can only be read whole."""
