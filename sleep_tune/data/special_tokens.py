"""Special tokens of an existing tokenizer: the tokens that start a row, end a sentence, pad and mask.

Text must not produce a special token. The tokenizer's own token is used if it does not; otherwise a new one is added.
Many tokenizers pad with the token that ends a text (GPT-2's have neither a pad nor a mask), and content that equals
the pad would be hidden from the model.
"""

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sleep_tune.sleep.samples import SpecialTokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["NAMES", "RULES", "Roles", "assign_roles"]

RULES = "2"
"""Version of the rules in this module; increased when they change, since the tokens they give are cached."""

CANDIDATES: dict[str, tuple[str, ...]] = {
    "start": ("cls_token", "bos_token"),
    "separator": ("sep_token", "eos_token"),
    "pad": ("pad_token",),
    "mask": ("mask_token",),
}
"""Role -> names in transformers of the tokens that may have it; the first suitable one is used."""
OWN = {"start": "<s>", "separator": "</s>", "pad": "<pad>", "mask": "<mask>"}
"""Role -> token that is added if the tokenizer has no suitable one."""
NAMES = {"start": "bos_token", "separator": "eos_token", "pad": "pad_token", "mask": "mask_token"}
"""Role -> its name in the saved tokenizer."""
PROBE = " ".join(map(chr, range(33, 127))) + " \u2603 \u6f22 \U00013080"
"""Text that holds every printable ASCII character as a word, and characters that few vocabularies hold."""
FAR = 1000
"""Id of the pad from which on a note says that RoBERTa's position table has rows that are never read."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The tokens of the roles."""

    tokenizer: "Tokenizer"
    """Includes the tokens that were added."""
    special: SpecialTokens
    names: Mapping[str, str]
    """Name in transformers, such as 'pad_token' -> token."""
    notes: tuple[str, ...]
    """Sentences about what was added, and why."""


def assign_roles(tokenizer: "Tokenizer", named: Mapping[str, str], used: Iterable[int]) -> Roles:
    """Return the token of each role, after adding tokens and a template of start and separator where needed.

    Args:
        tokenizer: with `encode_special_tokens` set, so that special tokens spelt in a text are text.
        named: the tokenizer's own special tokens by their names in transformers.
        used: ids of the tokens of all text.
    """
    produced = {*tokenizer.encode(PROBE, add_special_tokens=False).ids, *used}
    chosen: dict[str, str] = {}
    rejected = set()
    notes = []
    for role, candidates in CANDIDATES.items():
        # Start and separator may be the same token; pad and mask must differ from all others.
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


def _frame(tokenizer: "Tokenizer", start: str, separator: str) -> None:
    """Make encoding add `start` before a text and `separator` after it, so that evaluation sees text as it is packed.

    The tokenizer's own template stays if it does the same.
    """
    from tokenizers import processors

    ids = tokenizer.get_vocab()
    plain = tokenizer.encode("a", add_special_tokens=False).ids
    if tokenizer.encode("a").ids != [ids[start], *plain, ids[separator]]:
        # A token itself may hold characters that have a meaning in a template.
        tokenizer.post_processor = processors.TemplateProcessing(
            single="start $A separator",
            pair="start $A separator $B separator",
            special_tokens=[
                {"id": "start", "ids": [ids[start]], "tokens": [start]},
                {"id": "separator", "ids": [ids[separator]], "tokens": [separator]},
            ],
        )


def _is_plain(token: str) -> bool:
    """Return whether a token is spelt like a word, or blank: transformers would cut it out of every text."""
    return not token.strip() or token.strip().isalnum()


def _add(tokenizer: "Tokenizer", wanted: str, *, takes_space: bool) -> "tuple[Tokenizer, str]":
    """Return the tokenizer with one more special token, named `wanted` or similarly, and the token."""
    from tokenizers import AddedToken, Tokenizer

    vocabulary = tokenizer.get_vocab()
    names = (wanted, *(f"{wanted[:-1]}_{number}>" for number in range(1, len(vocabulary) + 1)))
    token = next(name for name in names if name not in vocabulary)
    following = max(vocabulary.values()) + 1
    if following != len(vocabulary):
        # The library uses the number of tokens as the id of a new one; if ids have gaps, another token may have it.
        saved = json.loads(tokenizer.to_str())
        if isinstance(saved["model"]["vocab"], dict):
            saved["model"]["vocab"][token] = following
            tokenizer = Tokenizer.from_str(json.dumps(saved))
            tokenizer.encode_special_tokens = True
    tokenizer.add_special_tokens([AddedToken(token, lstrip=takes_space, special=True)])
    return tokenizer, token


def _as_text(tokenizer: "Tokenizer", rejected: Set[str]) -> "Tokenizer":
    """Return the tokenizer changed so that it encodes `rejected` as ordinary text; ids stay the same."""
    from tokenizers import Tokenizer

    if not rejected:
        return tokenizer
    ordinary = tokenizer.get_vocab(with_added_tokens=False)
    saved = json.loads(tokenizer.to_str())
    saved["added_tokens"] = [
        # A token that is not in the model's vocabulary keeps its id under a name that no text holds.
        {**token, "content": f"<unused_{token['id']}>"} if token["content"] in rejected else token
        for token in saved["added_tokens"]
        if token["content"] not in rejected or token["content"] not in ordinary
    ]
    made = Tokenizer.from_str(json.dumps(saved))
    made.encode_special_tokens = True
    return made
