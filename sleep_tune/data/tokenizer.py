"""Tokenizers: one trained on the training text, or one that exists. Knows no corpus and no rows."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleep_tune.config.schema import TokenizerConfig
from sleep_tune.data.encoding import Encode, encode_by_offsets, encode_by_words, one_thread
from sleep_tune.data.hub import asking_hub, hub_token
from sleep_tune.errors import ConfigError, DataError
from sleep_tune.files import write_whole
from sleep_tune.sleep.samples import SpecialTokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TOKENIZERS", "BuiltTokenizer", "TokenizerRecipe"]

SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
"""In the order of their ids."""
ALPHABET = 256
"""A byte-level vocabulary holds every byte, so that no text is ever unknown."""


@dataclass(frozen=True, slots=True)
class BuiltTokenizer:
    """A tokenizer whose files lie in a folder that `transformers.AutoTokenizer` opens."""

    tokenizer: "Tokenizer"
    special: SpecialTokens
    vocab_size: int
    encode: Encode


@dataclass(frozen=True, slots=True)
class TokenizerRecipe:
    """A tokenizer that can be identified cheaply, and made when it is not in the cache."""

    identity: Mapping[str, str]
    """What it is a pure function of, besides the training text."""
    build: Callable[[Sequence[str], Path], BuiltTokenizer]
    """(training sentences, folder to write its files to) -> the tokenizer."""


def bpe_recipe(config: TokenizerConfig) -> TokenizerRecipe:
    """A byte-level BPE (Sennrich et al., 2016; bytes as in GPT-2) of at most `vocab_size` tokens.

    Raises:
        ConfigError: the vocabulary cannot hold the special tokens and the 256 bytes.
    """
    smallest = ALPHABET + len(SPECIAL)
    if config.vocab_size < smallest:
        raise ConfigError(
            f"tokenizer.vocab_size must be at least {smallest} for tokenizer=bpe "
            f"({ALPHABET} bytes and {len(SPECIAL)} special tokens); got {config.vocab_size}"
        )

    def build(sentences: Sequence[str], folder: Path) -> BuiltTokenizer:
        tokenizer = train_bpe(sentences, config.vocab_size)
        special = _write_bpe(tokenizer, folder)
        return BuiltTokenizer(tokenizer, special, tokenizer.get_vocab_size(), encode_by_words)

    return TokenizerRecipe({"kind": "bpe", "vocab_size": str(config.vocab_size)}, build)


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
        tokenizer.train_from_iterator(sentences, trainer, length=len(sentences))
    start, end = SPECIAL["bos_token"], SPECIAL["eos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} $B {end}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (start, end)],
    )
    return tokenizer


def _write_bpe(tokenizer: "Tokenizer", folder: Path) -> SpecialTokens:
    """Write what AutoTokenizer reads, without importing transformers (which takes seconds)."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = SPECIAL | {"cls_token": SPECIAL["bos_token"], "sep_token": SPECIAL["eos_token"]}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    write_whole(folder / "tokenizer_config.json", json.dumps(settings | names, indent=2) + "\n")
    write_whole(folder / "special_tokens_map.json", json.dumps(names, indent=2) + "\n")
    tokenizer.encode_special_tokens = True
    ids = tokenizer.get_vocab()
    return SpecialTokens(
        **{
            field: ids[SPECIAL[role]]
            for field, role in (
                ("start", "bos_token"),
                ("separator", "eos_token"),
                ("pad", "pad_token"),
                ("mask", "mask_token"),
            )
        }
    )


def hub_recipe(config: TokenizerConfig) -> TokenizerRecipe:
    """A tokenizer that exists: a folder, or an id on the Hub.

    Raises:
        ConfigError: tokenizer.name is not set.
    """
    name = config.name
    if name is None:
        raise ConfigError("tokenizer.name must be set for tokenizer=hub: a folder, or an id on the Hub; got nothing")
    identity = {"kind": "hub", "name": name}
    folder_given = Path(name)
    if folder_given.is_dir():
        digest = hashlib.sha256()
        for path in sorted(path for path in folder_given.iterdir() if path.is_file()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        identity = {"kind": "hub", "files": digest.hexdigest()}
    return TokenizerRecipe(identity, lambda _sentences, folder: load_tokenizer(name, folder))


def load_tokenizer(name: str, folder: Path) -> BuiltTokenizer:
    """Load with transformers, check that it can mask, and save it to `folder`.

    Raises:
        DataError: it cannot be loaded, is no fast tokenizer, or lacks a token that masked modelling needs.
    """
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    with asking_hub(f"tokenizer '{name}'", "tokenizer.name"):
        try:
            loaded = AutoTokenizer.from_pretrained(name, token=hub_token())
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"tokenizer.name: '{name}' cannot be read as a tokenizer: {error}") from error
    if not loaded.is_fast:
        raise DataError(f"tokenizer.name: '{name}' must have a fast tokenizer (tokenizer.json); it has none")
    special = SpecialTokens(
        start=_id_of(loaded, name, "cls_token", "bos_token"),
        separator=_id_of(loaded, name, "sep_token", "eos_token"),
        pad=_id_of(loaded, name, "pad_token"),
        mask=_id_of(loaded, name, "mask_token"),
    )
    loaded.save_pretrained(str(folder))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return BuiltTokenizer(tokenizer, special, len(loaded), encode_by_offsets)


def _id_of(tokenizer: Any, name: str, *roles: str) -> int:
    """The id of the first of the roles that the tokenizer has."""
    for role in roles:
        token = getattr(tokenizer, f"{role}_id")
        if token is not None:
            return int(token)
    raise DataError(
        f"tokenizer.name: '{name}' must have a {' or '.join(roles)} for masked language modelling; it has "
        f"{', '.join(sorted(tokenizer.special_tokens_map)) or 'no special tokens'}"
    )


TOKENIZERS: dict[str, Callable[[TokenizerConfig], TokenizerRecipe]] = {"bpe": bpe_recipe, "hub": hub_recipe}
"""Kind -> function of the configuration that says how to make the tokenizer."""
