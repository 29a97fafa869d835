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
from sleep_tune.data.packing import ARRAYS, Packing, count_rows, pack, save_rows
from sleep_tune.data.pairs import MinimalPair, read_pairs, write_pairs
from sleep_tune.data.preprocess import preprocess
from sleep_tune.data.split import complete_splits, keep_words
from sleep_tune.data.text import babylm_corpus, text_corpus
from sleep_tune.data.tokenizer import TOKENIZERS, TokenizerRecipe
from sleep_tune.data.toy_corpus import toy_corpus
from sleep_tune.data.word_store import LEFT_OUT, MakeFile, WordStore, WordText, temporary_files
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
BYTES_OF_TOKEN = 4 + 2 + 1
"""Least space that a token takes: in a temporary file, and in the rows as an id and a flag."""


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
    return replace(raw, identity=identity, read=lambda: _checked_splits(raw.read(), data.kind), stream=None)


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
    with temporary_files(folder) as make_file:
        _fill(folder, data, raw, recipe, identity, make_file)


def _fill(
    folder: Path,
    data: DataConfig,
    raw: RawCorpus,
    recipe: TokenizerRecipe,
    identity: Mapping[str, object],
    make_file: MakeFile,
) -> None:
    logger.info("reading the text (data=%s)", data.kind)
    text, pairs, warnings = _store_text(raw, make_file, data)
    text = _split_text(text, data)
    used = {split: text.documents(split) for split in SPLITS}
    numbers = dict.fromkeys(number for split in SPLITS for number in text.source_of[used[split]].tolist())
    if len(numbers) > MAX_SOURCES:
        raise DataError(
            f"the text must have at most {MAX_SOURCES:,} sources; got {len(numbers):,}: join some of the files, or set "
            "data.source_field to a column with fewer values"
        )
    source_number = np.zeros(len(text.source_names), np.int16)
    source_number[list(numbers)] = np.arange(len(numbers))
    num_tokens = int(text.sizes[text.split_of_sentence != LEFT_OUT].sum(dtype=np.int64))  # if each word is one token
    require_cache_space(folder, num_tokens * BYTES_OF_TOKEN)
    tokenized = recipe.tokenize(text, folder / "tokenizer")
    packing = Packing(tokenized.special, tokenized.vocab_size, data.max_length, data.join_sentences)
    num_rows = {split: count_rows(tokenized.encoded.lengths(split), packing) for split in SPLITS}
    require_cache_space(folder, sum(num_rows.values()) * packing.bytes_of_row)
    for split in SPLITS:
        sources = np.repeat(source_number[text.source_of[used[split]]], text.sentences_of[used[split]])
        rows = pack(tokenized.encoded.pieces(split, tokenized.special.separator), sources, packing)
        save_rows(rows, num_rows[split], packing, folder, split)
    for split, given in pairs.items():
        write_pairs(
            folder / f"pairs-{split}.jsonl",
            (
                MinimalPair(
                    pair.paradigm,
                    preprocess(pair.good, include_punctuation=data.include_punctuation),
                    preprocess(pair.bad, include_punctuation=data.include_punctuation),
                )
                for pair in given
            ),
        )
    about = {
        "special": asdict(tokenized.special),
        "vocab_size": tokenized.vocab_size,
        "source_names": [text.source_names[number] for number in numbers],
        "pairs": sorted(pairs),
        "overlap": {split: asdict(overlap) for split, overlap in count_overlap(text).items()},
        "warnings": [*warnings, *_without_spaces(text)],
        "notes": tokenized.notes,
        "made_from": identity,
    }
    write_whole(folder / "about.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")


def _store_text(
    raw: RawCorpus, make_file: MakeFile, data: DataConfig
) -> tuple[WordText, Mapping[str, Sequence[MinimalPair]], Sequence[str]]:
    """Return the preprocessed text of all splits, the minimal pairs and the warnings."""
    store = WordStore(make_file, include_punctuation=data.include_punctuation)
    if raw.stream is not None:
        streamed: list[str] = []
        for split, document in raw.stream(streamed):
            store.add(document, split)
        return store.finish(), {}, streamed
    splits = raw.read()
    for split in SPLITS:
        for document in getattr(splits, split):
            store.add(document, split)
    return store.finish(), splits.pairs, splits.warnings


def _split_text(text: WordText, data: DataConfig) -> WordText:
    """Return the text with the splits that are missing, and with no more training text than `data.max_words`.

    Raises:
        DataError: there are too few documents, or nothing is left of a split's text.
    """
    text = replace(text, split_of=complete_splits(text.split_of, dev_ratio=data.dev_ratio, seed=data.seed))
    for split in SPLITS:
        if not len(text.documents(split)):
            raise DataError(
                f"the {split} text must not be empty after preprocessing; it holds only punctuation and white space"
            )
    if data.max_words is None:
        return text
    split_of, train = text.split_of.copy(), text.documents("train")
    split_of[train] = LEFT_OUT
    split_of[train[keep_words(text.words_of[train], data.max_words, seed=data.seed)]] = SPLITS.index("train")
    return replace(text, split_of=split_of)


def _without_spaces(text: WordText) -> Iterator[str]:
    """Yield a warning if the training text is in a script without spaces and was not cut into words."""
    length = mean_unspaced_length(text.words, text.counts("train"))
    if length > LONGEST_UNSPACED:
        yield (
            f"the training text is not cut into words: words in scripts without spaces (Chinese, Japanese, Thai) have "
            f"{length:.1f} characters on average. Budgets count words between spaces: cut the text into words first if "
            "budgets must be comparable with those of other languages"
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
