"""Tokenizers: one that is trained on the training text, or an existing one."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sleep_tune.config.schema import TokenizerConfig
from sleep_tune.data.documents import SPLITS
from sleep_tune.data.encoding import EncodedText, encode_by_offsets, encode_by_words, one_thread
from sleep_tune.data.special_tokens import NAMES, RULES, assign_roles
from sleep_tune.data.tokenizer_files import digest_files, find_tokenizer_folder, load_tokenizer, tokenizer_error
from sleep_tune.data.word_store import WordText
from sleep_tune.errors import ConfigError
from sleep_tune.files import write_whole
from sleep_tune.sleep.samples import SpecialTokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TOKENIZERS", "TokenizedText", "TokenizerRecipe"]

logger = logging.getLogger(__name__)

SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
"""In the order of their ids."""
ALPHABET = 256
"""Bytes, all of which are in a byte-level vocabulary, so that no text is unknown."""
LONGEST_WORD = 1000
"""Length at which words are cut for training a vocabulary, in characters: its time grows with the square."""
REPEATS = 1024
"""Pieces of text that are given to the library at a time."""
MAX_VOCABULARY = 1_000_000
"""Greatest number of ids of an existing tokenizer: each is a row of the model's embedding."""
NOTABLE = 0.01
"""Share of unknown tokens, or of words without a token, in the training text above which there is a warning."""


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """Tokenized text; `transformers.AutoTokenizer` opens the folder of its tokenizer."""

    encoded: EncodedText
    """No token of text is one of the special tokens."""
    special: SpecialTokens
    vocab_size: int
    """The highest id + 1."""
    notes: tuple[str, ...] = ()
    """Lines for the user: 'tokenizer: ...' or 'warning: ...'."""


@dataclass(frozen=True, slots=True)
class TokenizerRecipe:
    """A tokenizer that is identified without being made; it is made when its tokens are not in the cache."""

    identity: Mapping[str, str]
    """Everything on which it depends, besides the training text."""
    tokenize: Callable[[WordText, Path], TokenizedText]
    """(preprocessed text; folder to write its files to) -> tokens."""


def bpe_recipe(config: TokenizerConfig, cache: Path) -> TokenizerRecipe:
    """Return the recipe of a byte-level BPE (Sennrich et al., 2016; bytes as in GPT-2) of at most `vocab_size` tokens.

    `cache` is not used.

    Raises:
        ConfigError: the vocabulary cannot hold the special tokens and the 256 bytes.
    """
    smallest = ALPHABET + len(SPECIAL)
    if config.vocab_size < smallest:
        raise ConfigError(
            f"tokenizer.vocab_size must be at least {smallest} for tokenizer=bpe "
            f"({ALPHABET} bytes and {len(SPECIAL)} special tokens); got {config.vocab_size}"
        )

    def tokenize(text: WordText, folder: Path) -> TokenizedText:
        words = text.num_words("train")
        logger.info("training a tokenizer of at most %s tokens on %s words", f"{config.vocab_size:,}", f"{words:,}")
        counts = text.counts("train")
        tokenizer = train_bpe({text.words[at]: int(counts[at]) for at in np.flatnonzero(counts)}, config.vocab_size)
        _write(tokenizer, SPECIAL, folder)
        tokenizer.encode_special_tokens = True
        ids = tokenizer.get_vocab()
        special = SpecialTokens(**{role: ids[SPECIAL[name]] for role, name in NAMES.items()})
        _log_words(text)
        return TokenizedText(encode_by_words(text, tokenizer), special, tokenizer.get_vocab_size())

    return TokenizerRecipe({"kind": "bpe", "vocab_size": str(config.vocab_size)}, tokenize)


def train_bpe(counts: Mapping[str, int], vocab_size: int) -> "Tokenizer":
    """Train a tokenizer on words of preprocessed text; the same counts give the same tokenizer.

    Encoding adds `<s>` before a text and `</s>` after it. Its first word is encoded like any other (prefix space).

    Args:
        counts: distinct word -> how often it occurs.
        vocab_size: largest number of tokens.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        # The mask takes the space before it, as a word's first token does: "a <mask> b" is four tokens, not five.
        special_tokens=[AddedToken(text, lstrip=role == "mask_token", special=True) for role, text in SPECIAL.items()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces: Counter[str] = Counter()
    for word, count in counts.items():
        for part in _short_words(word):
            for piece, _ in byte_level.pre_tokenize_str(part):
                pieces[piece] += count
    # The library counts pieces itself: it gets each as often as it occurs, cut at spaces, which no piece contains. This
    # takes half the time of cutting every sentence into pieces.
    tokenizer.pre_tokenizer = pre_tokenizers.CharDelimiterSplit(" ")
    with one_thread():
        tokenizer.train_from_iterator(_repeated(pieces), trainer)
    tokenizer.pre_tokenizer = byte_level
    start, end = SPECIAL["bos_token"], SPECIAL["eos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} $B {end}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (start, end)],
    )
    return tokenizer


def _short_words(word: str) -> list[str]:
    """Return the word, in pieces if it is longer than LONGEST_WORD."""
    return [word[at : at + LONGEST_WORD] for at in range(0, len(word), LONGEST_WORD)]


def _repeated(pieces: Mapping[str, int]) -> Iterator[str]:
    """Yield texts that hold each piece as often as its count says, with a space after each."""
    for piece, count in pieces.items():
        for at in range(0, count, REPEATS):
            yield f"{piece} " * min(REPEATS, count - at)


def hub_recipe(config: TokenizerConfig, cache: Path) -> TokenizerRecipe:
    """Return the recipe of an existing tokenizer: a folder, or an id on the Hub, which is downloaded once.

    Args:
        config: names the tokenizer.
        cache: folder that holds the download.

    Raises:
        ConfigError: tokenizer.name is not set.
        DataError: it is not a folder, and cannot be downloaded from the Hub.
    """
    name = config.name
    if name is None:
        raise ConfigError(
            "tokenizer.name must be set for tokenizer=hub, to a folder or an id on the Hub; it is not set"
        )
    source = find_tokenizer_folder(name, cache)
    identity = {"kind": "hub", "files": digest_files(source, name), "rules": RULES}
    return TokenizerRecipe(identity, lambda text, folder: tokenize_loaded(name, source, text, folder))


def tokenize_loaded(name: str, source: Path, text: WordText, folder: Path) -> TokenizedText:
    """Tokenize with an existing tokenizer, and save it with special tokens that the text does not produce.

    Args:
        name: of the tokenizer, for messages.
        source: folder of its files.
        text: preprocessed.
        folder: for the tokenizer that training and evaluation use; is made.

    Raises:
        DataError: it cannot be loaded, is not a fast tokenizer, has too many ids, or cannot encode the text.
    """
    tokenizer, named = load_tokenizer(source, name)
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if not 0 <= highest < MAX_VOCABULARY:
        raise tokenizer_error(name, f"must have ids from 0 to {MAX_VOCABULARY - 1:,}; its highest id is {highest:,}")
    tokenizer.encode_special_tokens = True
    _log_words(text)
    try:
        encoded = encode_by_offsets(text, tokenizer)
        used = np.flatnonzero(sum(encoded.counts[split] for split in SPLITS)).tolist()
        roles = assign_roles(tokenizer, named, used)
    except Exception as error:
        if type(error) is not Exception:  # tokenizers raises Exception itself
            raise
        raise tokenizer_error(name, f"cannot encode the text: {error}") from error
    flagged, words = encoded.num_words["train"], text.num_words("train")
    if flagged == 0:
        raise tokenizer_error(name, "must have tokens for the text's words; it has no token for any of them")
    _write(roles.tokenizer, roles.names, folder)
    notes = [f"tokenizer: {note}" for note in roles.notes]
    if flagged < (1 - NOTABLE) * words:
        notes.append(f"warning: {1 - flagged / words:.1%} of the training words have no token of their own")
    unknown = tokenizer.token_to_id(named["unk_token"]) if "unk_token" in named else None
    total = int(encoded.lengths("train").sum())
    share = 0.0 if unknown is None else int(encoded.counts["train"][unknown]) / total
    if share > NOTABLE:
        notes.append(f"warning: {share:.1%} of the training text is unknown to the tokenizer ({named['unk_token']})")
    vocab_size = max(roles.tokenizer.get_vocab().values()) + 1
    return TokenizedText(encoded, roles.special, vocab_size, tuple(notes))


def _log_words(text: WordText) -> None:
    logger.info("tokenizing %s words", f"{sum(map(text.num_words, SPLITS)):,}")


def _write(tokenizer: "Tokenizer", names: Mapping[str, str], folder: Path) -> None:
    """Write the files that AutoTokenizer reads, without importing transformers (which takes seconds).

    Args:
        tokenizer: is written without truncation and padding.
        names: special tokens by their role in transformers, such as 'pad_token'.
        folder: is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {**names, "cls_token": names["bos_token"], "sep_token": names["eos_token"]}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    write_whole(folder / "tokenizer_config.json", json.dumps(settings | names, indent=2) + "\n")
    write_whole(folder / "special_tokens_map.json", json.dumps(names, indent=2) + "\n")


TOKENIZERS: dict[str, Callable[[TokenizerConfig, Path], TokenizerRecipe]] = {"bpe": bpe_recipe, "hub": hub_recipe}
"""Kind -> function of (configuration, folder of the cache) that returns the recipe."""
