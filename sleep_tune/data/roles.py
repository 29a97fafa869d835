"""The special tokens of a tokenizer that exists: which token starts a row, ends a sentence, pads and masks.

A special token is one that no text produces. A tokenizer's own is taken where that holds; else a new one is added: many
tokenizers pad with the token that ends a text (GPT-2's have neither a pad nor a mask), and content that equals the pad
would be hidden from the model. Knows no files.
"""

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sleep_tune.data.encoding import TokenStream
from sleep_tune.sleep.samples import SpecialTokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["NAMES", "PLACEHOLDER", "RULES", "Roles", "fill_placeholder", "settle_roles"]

RULES = "2"
"""Version of the rules of this file; a change counts it up, for the tokens made by them are cached."""

PLACEHOLDER = -1
"""Stands for the separator in a stream that is made before it is known which token that is."""

CANDIDATES: dict[str, tuple[str, ...]] = {
    "start": ("cls_token", "bos_token"),
    "separator": ("sep_token", "eos_token"),
    "pad": ("pad_token",),
    "mask": ("mask_token",),
}
"""Our role -> transformers' roles whose token may take it, the first that can."""
OWN = {"start": "<s>", "separator": "</s>", "pad": "<pad>", "mask": "<mask>"}
"""Our role -> the token that is added where the tokenizer has none for it."""
NAMES = {"start": "bos_token", "separator": "eos_token", "pad": "pad_token", "mask": "mask_token"}
"""Our role -> what it is called in the saved tokenizer."""
PROBE = " ".join(map(chr, range(33, 127))) + " \u2603 \u6f22 \U00013080"
"""Text that holds every printable character of ASCII by itself, and characters that few vocabularies hold."""
FAR = 1000
"""An id from which on the rows that RoBERTa's position table holds before the first one in use are worth saying."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Which token has which role."""

    tokenizer: "Tokenizer"
    """With what was added."""
    special: SpecialTokens
    names: Mapping[str, str]
    """transformers' role, such as 'pad_token' -> the token."""
    notes: tuple[str, ...]
    """What was added and why, in words."""


def settle_roles(tokenizer: "Tokenizer", named: Mapping[str, str], streams: Iterable[TokenStream]) -> Roles:
    """Find the token of each role; where need be, with new tokens and a new frame of start and separator.

    Args:
        tokenizer: with `encode_special_tokens` set, so that special tokens spelt in a text are text.
        named: the tokenizer's own special tokens by transformers' role.
        streams: all text that it has encoded, with PLACEHOLDER for separators.
    """
    produced = set(tokenizer.encode(PROBE, add_special_tokens=False).ids)
    for stream in streams:
        produced |= set(np.unique(stream.tokens).tolist())
    chosen: dict[str, str] = {}
    rejected = set()
    notes = []
    for role, candidates in CANDIDATES.items():
        # A row's start may also end its sentences; pad and mask are each a token of their own.
        taken = {} if role == "separator" else {token: other for other, token in chosen.items()}
        reasons = []
        for candidate in candidates:
            token = named.get(candidate)
            if token is None:
                continue
            if tokenizer.token_to_id(token) in produced or _is_plain(token):
                rejected.add(token)
                reasons.append(f"its {candidate} {token} also occurs as text")
            elif token in taken:
                reasons.append(f"its {candidate} {token} is its {taken[token]} too")
            else:
                chosen[role] = token
                break
        else:
            tokenizer, chosen[role] = _add(tokenizer, OWN[role], takes_space=role == "mask")
            why = " and ".join(reasons) or f"it has no {' or '.join(candidates)}"
            notes.append(f"{chosen[role]} was added as {role}, for {why}")
    tokenizer = _as_text(tokenizer, rejected - {named.get("unk_token", "")})
    ids = tokenizer.get_vocab()
    special = SpecialTokens(**{role: ids[token] for role, token in chosen.items()})
    _frame(tokenizer, chosen["start"], chosen["separator"])
    if special.pad >= FAR:
        notes.append(
            f"its pad has the id {special.pad:,}; RoBERTa counts positions from there, so the model has as many rows "
            "of positions that are never read"
        )
    names = {NAMES[role]: token for role, token in chosen.items()}
    if "unk_token" in named:
        names["unk_token"] = named["unk_token"]
    return Roles(tokenizer, special, names, tuple(notes))


def fill_placeholder(stream: TokenStream, separator: int) -> TokenStream:
    """The stream with `separator` where PLACEHOLDER stands."""
    return replace(stream, tokens=np.where(stream.tokens == PLACEHOLDER, np.int32(separator), stream.tokens))


def _frame(tokenizer: "Tokenizer", start: str, separator: str) -> None:
    """Let encoding add `start` before a text and `separator` after it, so that evaluation reads a text as it is packed.

    A tokenizer's own frame stays where it does the same.
    """
    from tokenizers import processors

    ids = tokenizer.get_vocab()
    plain = tokenizer.encode("a", add_special_tokens=False).ids
    if tokenizer.encode("a").ids != [ids[start], *plain, ids[separator]]:
        # Under names of their own: a token may hold what means something in a template.
        tokenizer.post_processor = processors.TemplateProcessing(
            single="start $A separator",
            pair="start $A separator $B separator",
            special_tokens=[
                {"id": "start", "ids": [ids[start]], "tokens": [start]},
                {"id": "separator", "ids": [ids[separator]], "tokens": [separator]},
            ],
        )


def _is_plain(token: str) -> bool:
    """Whether a token is spelt as words are, or blank: transformers would cut it out of every text that it reads."""
    return not token.strip() or token.strip().isalnum()


def _add(tokenizer: "Tokenizer", wanted: str, *, takes_space: bool) -> "tuple[Tokenizer, str]":
    """The tokenizer with one more special token, called `wanted` or nearly so, and its name."""
    from tokenizers import AddedToken, Tokenizer

    vocabulary = tokenizer.get_vocab()
    names = (wanted, *(f"{wanted[:-1]}_{number}>" for number in range(1, len(vocabulary) + 1)))
    token = next(name for name in names if name not in vocabulary)
    following = max(vocabulary.values()) + 1
    if following != len(vocabulary):
        # The library gives a new token their number as its id, which in ids with holes may be another token's.
        saved = json.loads(tokenizer.to_str())
        if isinstance(saved["model"]["vocab"], dict):
            saved["model"]["vocab"][token] = following
            tokenizer = Tokenizer.from_str(json.dumps(saved))
            tokenizer.encode_special_tokens = True
    tokenizer.add_special_tokens([AddedToken(token, lstrip=takes_space, special=True)])
    return tokenizer, token


def _as_text(tokenizer: "Tokenizer", rejected: Set[str]) -> "Tokenizer":
    """The tokenizer with `rejected` no longer cut out of a text before its model sees it; ids stay."""
    from tokenizers import Tokenizer

    if not rejected:
        return tokenizer
    ordinary = tokenizer.get_vocab(with_added_tokens=False)
    saved = json.loads(tokenizer.to_str())
    saved["added_tokens"] = [
        # One that the model does not have keeps its id under a name that no text holds.
        {**token, "content": f"<unused_{token['id']}>"} if token["content"] in rejected else token
        for token in saved["added_tokens"]
        if token["content"] not in rejected or token["content"] not in ordinary
    ]
    made = Tokenizer.from_str(json.dumps(saved))
    made.encode_special_tokens = True
    return made
