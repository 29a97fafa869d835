"""Tokenizers: one trained on the training text, or one that exists. Knows no corpus and no rows."""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune.config.schema import TokenizerConfig
from sleep_tune.data.encoding import TokenStream, encode_by_offsets, encode_by_words, num_words, one_thread
from sleep_tune.data.roles import NAMES, PLACEHOLDER, RULES, fill_placeholder, settle_roles
from sleep_tune.data.tokenizer_files import digest_of, find_folder, open_tokenizer, refuse
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
"""A byte-level vocabulary holds every byte, so that no text is ever unknown."""
LONGEST_WORD = 1000
"""Characters of a word that the training of a vocabulary takes whole: its time grows with their square."""
LONG_WORD = re.compile(rf"[^ ]{{{LONGEST_WORD}}}(?=[^ ])")
MAX_VOCABULARY = 1_000_000
"""Ids of a loaded tokenizer, at most: each is a row of the model's embedding."""
NOTABLE = 0.01
"""Share of the training text that is unknown, or of its words that have no token, from which on it is said."""


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """Text in tokens of a tokenizer whose files lie in a folder that `transformers.AutoTokenizer` opens."""

    streams: Mapping[str, TokenStream]
    """By split. No text token is one of the special ones."""
    special: SpecialTokens
    vocab_size: int
    """The highest id + 1."""
    notes: tuple[str, ...] = ()
    """What the user must know of it, a line each: 'tokenizer: ...' or 'warning: ...'."""


@dataclass(frozen=True, slots=True)
class TokenizerRecipe:
    """A tokenizer that can be identified cheaply, and made when its tokens are not in the cache."""

    identity: Mapping[str, str]
    """What it is a pure function of, besides the training text."""
    tokenize: Callable[[Mapping[str, Sequence[str]], Path], TokenizedText]
    """(preprocessed sentences by split, 'train' among them; folder to write its files to) -> tokens."""


def bpe_recipe(config: TokenizerConfig, cache: Path) -> TokenizerRecipe:
    """A byte-level BPE (Sennrich et al., 2016; bytes as in GPT-2) of at most `vocab_size` tokens.

    Takes `cache` as every recipe does, and ignores it.

    Raises:
        ConfigError: the vocabulary cannot hold the special tokens and the 256 bytes.
    """
    smallest = ALPHABET + len(SPECIAL)
    if config.vocab_size < smallest:
        raise ConfigError(
            f"tokenizer.vocab_size must be at least {smallest} for tokenizer=bpe "
            f"({ALPHABET} bytes and {len(SPECIAL)} special tokens); got {config.vocab_size}"
        )

    def tokenize(texts: Mapping[str, Sequence[str]], folder: Path) -> TokenizedText:
        words = num_words(texts["train"])
        logger.info("training a tokenizer of at most %s tokens on %s words", f"{config.vocab_size:,}", f"{words:,}")
        tokenizer = train_bpe(texts["train"], config.vocab_size)
        _write(tokenizer, SPECIAL, folder)
        tokenizer.encode_special_tokens = True
        ids = tokenizer.get_vocab()
        special = SpecialTokens(**{role: ids[SPECIAL[name]] for role, name in NAMES.items()})
        _say_tokenizing(texts)
        streams = {name: encode_by_words(tokenizer, texts[name], special.separator) for name in texts}
        return TokenizedText(streams, special, tokenizer.get_vocab_size())

    return TokenizerRecipe({"kind": "bpe", "vocab_size": str(config.vocab_size)}, tokenize)


def train_bpe(sentences: Sequence[str], vocab_size: int) -> "Tokenizer":
    """Train on preprocessed sentences; the same sentences give the same tokenizer.

    Encoding adds `<s>` before and `</s>` after a text. A text's first word is encoded as any other (prefix space).
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        # The mask takes the space before it, as a word's first token does: "a <mask> b" is four tokens, not five.
        special_tokens=[AddedToken(text, lstrip=role == "mask_token", special=True) for role, text in SPECIAL.items()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    with one_thread():
        tokenizer.train_from_iterator(_with_short_words(sentences), trainer, length=len(sentences))
    start, end = SPECIAL["bos_token"], SPECIAL["eos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} $B {end}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (start, end)],
    )
    return tokenizer


def _with_short_words(sentences: Sequence[str]) -> Iterator[str]:
    """The sentences, with words longer than LONGEST_WORD cut into pieces."""
    for sentence in sentences:
        yield LONG_WORD.sub(r"\g<0> ", sentence) if len(sentence) > LONGEST_WORD else sentence


def hub_recipe(config: TokenizerConfig, cache: Path) -> TokenizerRecipe:
    """A tokenizer that exists: a folder, or an id on the Hub, which is downloaded once.

    Args:
        config: names it.
        cache: folder that the download is kept in.

    Raises:
        ConfigError: tokenizer.name is not set.
        DataError: it is no folder, and the Hub does not give it.
    """
    name = config.name
    if name is None:
        raise ConfigError("tokenizer.name must be set for tokenizer=hub: a folder, or an id on the Hub; got nothing")
    source = find_folder(name, cache)
    identity = {"kind": "hub", "files": digest_of(source, name), "rules": RULES}
    return TokenizerRecipe(identity, lambda texts, folder: tokenize_loaded(name, source, texts, folder))


def tokenize_loaded(name: str, source: Path, texts: Mapping[str, Sequence[str]], folder: Path) -> TokenizedText:
    """Tokenize with a tokenizer that exists, and save it with special tokens that the text does not produce.

    Args:
        name: of the tokenizer, for messages.
        source: folder of its files.
        texts: preprocessed sentences by split, 'train' among them.
        folder: to write the tokenizer that training and evaluation use to.

    Raises:
        DataError: it cannot be loaded, is no fast tokenizer, has too many ids, or cannot encode the text.
    """
    tokenizer, named = open_tokenizer(source, name)
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if not 0 <= highest < MAX_VOCABULARY:
        raise refuse(name, f"must have ids from 0 to {MAX_VOCABULARY - 1:,}; its highest id is {highest:,}")
    tokenizer.encode_special_tokens = True
    _say_tokenizing(texts)
    try:
        streams = {split: encode_by_offsets(tokenizer, texts[split], PLACEHOLDER) for split in texts}
        roles = settle_roles(tokenizer, named, streams.values())
    except Exception as error:
        if type(error) is not Exception:  # what tokenizers raises is of no class of its own
            raise
        raise refuse(name, f"cannot encode the text: {error}") from error
    flagged, words = int(streams["train"].starts_word.sum()), num_words(texts["train"])
    if flagged == 0:
        raise refuse(name, "must have tokens for the text's words; it has one for none of them")
    _write(roles.tokenizer, roles.names, folder)
    notes = [f"tokenizer: {note}" for note in roles.notes]
    if flagged < (1 - NOTABLE) * words:
        notes.append(f"warning: {1 - flagged / words:.1%} of the training words have no token of their own")
    unknown = tokenizer.token_to_id(named["unk_token"]) if "unk_token" in named else None
    share = 0.0 if unknown is None else float((streams["train"].tokens == unknown).mean())
    if share > NOTABLE:
        notes.append(f"warning: {share:.1%} of the training text is unknown to the tokenizer ({named['unk_token']})")
    return TokenizedText(
        {split: fill_placeholder(stream, roles.special.separator) for split, stream in streams.items()},
        roles.special,
        max(roles.tokenizer.get_vocab().values()) + 1,
        tuple(notes),
    )


def _say_tokenizing(texts: Mapping[str, Sequence[str]]) -> None:
    logger.info("tokenizing %s words", f"{sum(map(num_words, texts.values())):,}")


def _write(tokenizer: "Tokenizer", names: Mapping[str, str], folder: Path) -> None:
    """Write what AutoTokenizer reads, without importing transformers (which takes seconds).

    Args:
        tokenizer: is written as it is, but without truncation and padding.
        names: the special tokens by their role in transformers, such as 'pad_token'.
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
"""Kind -> function (configuration, folder of the cache) that says how to make the tokenizer."""
