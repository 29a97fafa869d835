"""From a configuration to packed arrays, which are made once and then memory-mapped by every run on a node.

This module holds the order of the steps and the table of corpora. Importing it imports neither torch nor transformers
nor tokenizers, and a corpus that is in the cache is opened without them.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.cache import cache_folder, cached_folder, content_key, require_cache_space
from sleep_tune.data.description import describe_text
from sleep_tune.data.documents import SPLITS, Document, Inventory, RawCorpus, Splits
from sleep_tune.data.encoding import mean_unspaced_length
from sleep_tune.data.hf_corpus import hf_corpus
from sleep_tune.data.overlap import Overlap, count_overlap
from sleep_tune.data.packing import Rows, pack
from sleep_tune.data.pairs import MinimalPair, read_pairs, write_pairs
from sleep_tune.data.preprocess import preprocess
from sleep_tune.data.split import complete_splits, keep_words
from sleep_tune.data.text import babylm_corpus, text_corpus
from sleep_tune.data.tokenizer import TOKENIZERS, TokenizedText, TokenizerRecipe
from sleep_tune.data.toy_corpus import toy_corpus
from sleep_tune.errors import ConfigError, DataError, shortened
from sleep_tune.files import write_whole
from sleep_tune.import_paths import import_function, is_import_path, lookup, require_parameters
from sleep_tune.sleep.samples import Samples, SpecialTokens

__all__ = ["CORPORA", "Corpus", "prepare"]

logger = logging.getLogger(__name__)

CORPORA: dict[str, Callable[[DataConfig], RawCorpus]] = {
    "babylm": babylm_corpus,
    "hf": hf_corpus,
    "text": text_corpus,
    "toy": toy_corpus,
}
"""Kind -> function of the configuration that finds the text."""

KIND = "data.kind"

FORMAT = 1
"""Version of preprocessing, packing and file layout; increased when one of them changes."""
LONGEST_UNSPACED = 6.0
"""Mean length of words in scripts without spaces, in characters, above which the text was not cut into words."""
MAX_SOURCES = int(np.iinfo(np.int16).max)
ARRAYS = ("tokens", "starts_word", "sources")


@dataclass(frozen=True, slots=True)
class Corpus:
    """A prepared corpus: all that training and evaluation read."""

    train: Samples
    dev: Samples
    test: Samples
    tokenizer_dir: Path
    """Folder that `transformers.AutoTokenizer.from_pretrained` opens."""
    pairs: Mapping[str, tuple[MinimalPair, ...]]
    """Minimal pairs by split ('dev', 'test'), preprocessed as the text was; empty where the corpus has none."""
    key: str
    """Identifies the content: corpora with equal keys have equal arrays."""
    description: tuple[str, ...] = ()
    """Lines for the user: files and words of each split, files that are not read, warnings, and what was changed in an
    existing tokenizer."""


def prepare(data: DataConfig, tokenizer: TokenizerConfig) -> Corpus:
    """Return the tokenised corpus from the cache; make it first if this text was not prepared with these settings.

    Raises:
        DataError: text or tokenizer is missing, malformed or empty.
        ConfigError: an option that the corpus needs is not set, or the cache cannot be written to.
        DiskError: there is too little space for the cache.
    """
    raw = _raw_corpus(data)
    cache = cache_folder(data.cache_dir)
    recipe = TOKENIZERS[tokenizer.kind](tokenizer, cache)
    identity = {
        "format": FORMAT,
        "corpus": dict(raw.identity),
        "tokenizer": dict(recipe.identity),
        "data": {
            name: getattr(data, name)
            for name in ("max_words", "dev_ratio", "include_punctuation", "join_sentences", "max_length", "seed")
        },
    }
    key = content_key(identity)
    folder = cached_folder(cache, key, lambda path: _make(path, data, raw, recipe, identity))
    return _open(folder, key, raw.inventory)


def _raw_corpus(data: DataConfig) -> RawCorpus:
    """Return the corpus, not read yet; the source of a user's own function is part of its identity."""
    function = lookup(CORPORA, data.kind, KIND)
    require_parameters(function, f"{KIND}={data.kind}", "data")
    raw: object = function(data)
    if not is_import_path(data.kind):
        return cast(RawCorpus, raw)
    if not (isinstance(raw, RawCorpus) and all(isinstance(text, str) for text in raw.identity.values())):
        raise ConfigError(
            f"{KIND}={data.kind} must return a RawCorpus whose identity holds texts; got {shortened(repr(raw))}"
        )
    identity = {**raw.identity, "function": f"{data.kind} {import_function(data.kind, KIND).source}"}
    return replace(raw, identity=identity, read=lambda: _checked_splits(raw.read(), data.kind))


def _checked_splits(splits: object, name: str) -> Splits:
    """Return the documents that a user's own function has read, if they are documents.

    Raises:
        ConfigError: they are not; the message names the function and what it returned.
    """
    if not isinstance(splits, Splits):
        raise ConfigError(f"{KIND}={name}: its RawCorpus must read Splits; got {shortened(repr(splits))}")
    for split in SPLITS:
        for document in getattr(splits, split):
            if not (
                isinstance(document, Document)
                and isinstance(document.sentences, tuple)
                and all(isinstance(text, str) for text in (document.source, *document.sentences))
            ):
                raise ConfigError(
                    f"{KIND}={name}: its {split} must hold Documents, each with a source and a tuple of sentences; got "
                    f"{shortened(repr(document))}"
                )
    return splits


def _make(
    folder: Path, data: DataConfig, raw: RawCorpus, recipe: TokenizerRecipe, identity: Mapping[str, object]
) -> None:
    """Fill a cache folder: arrays of each split, the tokenizer's files, the pairs, and about.json."""
    logger.info("reading the text (data=%s)", data.kind)
    splits = complete_splits(raw.read(), dev_ratio=data.dev_ratio, seed=data.seed)
    documents = {
        "train": _clean(splits.train, data.include_punctuation),
        "dev": _clean(splits.dev, data.include_punctuation),
        "test": _clean(splits.test, data.include_punctuation),
    }
    for split, kept in documents.items():
        if not kept:
            raise DataError(
                f"the {split} text must not be empty after preprocessing; it holds only punctuation and white space"
            )
    documents["train"] = keep_words(documents["train"], data.max_words, seed=data.seed)
    source_names = tuple(dict.fromkeys(document.source for split in SPLITS for document in documents[split]))
    if len(source_names) > MAX_SOURCES:
        raise DataError(
            f"the text must have at most {MAX_SOURCES:,} sources; got {len(source_names):,}: join some of the files, "
            "or set data.source_field to a column with fewer values"
        )
    texts = {split: [sentence for document in documents[split] for sentence in document.sentences] for split in SPLITS}
    tokenized = recipe.tokenize(texts, folder / "tokenizer")
    rows = {split: _pack(documents[split], tokenized, split, source_names, data) for split in SPLITS}
    require_cache_space(folder, sum(getattr(part, name).nbytes for part in rows.values() for name in ARRAYS))
    for split, part in rows.items():
        for name in ARRAYS:
            np.save(folder / f"{split}-{name}.npy", getattr(part, name))
    for split, pairs in splits.pairs.items():
        write_pairs(
            folder / f"pairs-{split}.jsonl",
            (
                MinimalPair(
                    pair.paradigm,
                    preprocess(pair.good, include_punctuation=data.include_punctuation),
                    preprocess(pair.bad, include_punctuation=data.include_punctuation),
                )
                for pair in pairs
            ),
        )
    about = {
        "special": asdict(tokenized.special),
        "vocab_size": tokenized.vocab_size,
        "source_names": source_names,
        "pairs": sorted(splits.pairs),
        "overlap": {split: asdict(count_overlap(documents["train"], documents[split])) for split in ("dev", "test")},
        "warnings": [*splits.warnings, *_without_spaces(texts["train"])],
        "notes": tokenized.notes,
        "made_from": identity,
    }
    write_whole(folder / "about.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")


def _without_spaces(sentences: Sequence[str]) -> Iterator[str]:
    """Yield a warning if the text is in a script without spaces and was not cut into words."""
    length = mean_unspaced_length(sentences)
    if length > LONGEST_UNSPACED:
        yield (
            f"the training text is not cut into words: words in scripts without spaces (Chinese, Japanese, Thai) have "
            f"{length:.1f} characters on average. Budgets count words between spaces: cut the text into words first if "
            "budgets must be comparable with those of other languages"
        )


def _clean(documents: Sequence[Document], include_punctuation: bool) -> tuple[Document, ...]:
    """Preprocess every sentence; drop sentences and documents that are empty then."""
    cleaned = []
    for document in documents:
        sentences = (preprocess(text, include_punctuation=include_punctuation) for text in document.sentences)
        kept = tuple(sentence for sentence in sentences if sentence)
        if kept:
            cleaned.append(Document(document.source, kept))
    return tuple(cleaned)


def _pack(
    documents: Sequence[Document], tokenized: TokenizedText, split: str, source_names: Sequence[str], data: DataConfig
) -> Rows:
    """Return the packed rows of one split."""
    number = {name: index for index, name in enumerate(source_names)}
    sources = np.repeat(
        np.asarray([number[document.source] for document in documents], np.int16),
        [len(document.sentences) for document in documents],
    )
    return pack(
        tokenized.streams[split],
        sources,
        special=tokenized.special,
        vocab_size=tokenized.vocab_size,
        max_length=data.max_length,
        join_sentences=data.join_sentences,
    )


def _open(folder: Path, key: str, inventory: Inventory) -> Corpus:
    """Memory-map a cache folder."""
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    special = SpecialTokens(**about["special"])

    def samples(split: str) -> Samples:
        # A plain view of the map: fancy indexing through np.memmap's own class costs more than the gather.
        arrays = {name: np.asarray(np.load(folder / f"{split}-{name}.npy", mmap_mode="r")) for name in ARRAYS}
        return Samples(
            **arrays, source_names=tuple(about["source_names"]), special=special, vocab_size=about["vocab_size"]
        )

    pairs = {split: read_pairs(folder / f"pairs-{split}.jsonl") for split in about["pairs"]}
    parts = {split: samples(split) for split in SPLITS}
    description = describe_text(
        inventory,
        {split: part.num_words for split, part in parts.items()},
        {split: Overlap(**counts) for split, counts in about["overlap"].items()},
        tuple(about["warnings"]),
    )
    described = (*description, *about.get("notes", ()))
    return Corpus(**parts, tokenizer_dir=folder / "tokenizer", pairs=pairs, key=key, description=described)
