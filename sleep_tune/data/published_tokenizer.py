"""The tokenizer in a published model's folder: that of the corpus, set up for the model's length and for generation.

A corpus's tokenizer puts the start token before a text and the separator after it, as rows of text are packed. A causal
model would then be asked to continue a text that has ended. So the tokenizer beside a causal model adds the start token
only, as Llama's does. It also keeps the space before a decoded text, because transformers' pipeline decodes the
continuation of a prompt by itself and puts it after the prompt.

Token ids and the characters of each token stay the same. Scores stay the same, too: a causal model reads nothing after
the last token that is scored, and special tokens are never scored.

A hybrid model keeps both tokens, because it is a masked model first.

The settings also hold what releases 4 of transformers need (`older_transformers`).
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sleep_tune.data.cache import require_cached
from sleep_tune.files import write_whole
from sleep_tune.older_transformers import tokenizer_settings

__all__ = ["write_tokenizer"]

TOKENIZER, SETTINGS = "tokenizer.json", "tokenizer_config.json"

FOR_GENERATION = {"padding_side": "left"}
"""Settings beside a causal model: `generate` continues each row of a batch after its last column, so padding stands
before a prompt."""

Processor = Mapping[str, Any]
"""A post-processor of the library `tokenizers`, as it is saved: what adds special tokens, and where tokens end."""


def write_tokenizer(source: Path, folder: Path, *, causal: bool, max_length: int | None) -> dict[str, int]:
    """Copy a corpus's tokenizer beside a model.

    Args:
        source: folder of the tokenizer's files, in the cache.
        folder: of the model.
        causal: whether the model predicts each next token only (training.objective=clm).
        max_length: tokens in the longest text that the model reads, special tokens included; None: no limit.

    Returns:
        The ids of the special tokens by their names in transformers, such as `eos_token_id`; empty where the folder
        does not name them.

    Raises:
        DataError: the tokenizer has been removed from the cache.
    """
    for file in require_cached(source).iterdir():
        shutil.copyfile(file, folder / file.name)
    path = folder / SETTINGS
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    saved: dict[str, Any] = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
    limit = {} if max_length is None else {"model_max_length": max_length}
    written = settings | limit | tokenizer_settings(saved) | (FOR_GENERATION if causal else {})
    write_whole(path, json.dumps(written, indent=2) + "\n")
    if "bos_token" not in settings:
        return {}
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(folder / TOKENIZER)).get_vocab()
    start, separator = ((settings[role], vocabulary[settings[role]]) for role in ("bos_token", "eos_token"))
    if causal:
        saved["post_processor"] = _starting(saved["post_processor"], start, separator)
        saved["decoder"] = _keeping_space(saved["decoder"])
        write_whole(folder / TOKENIZER, json.dumps(saved, ensure_ascii=False, indent=2))
    return {
        "bos_token_id": start[1],
        "eos_token_id": separator[1],
        "pad_token_id": vocabulary[settings["pad_token"]],
    }


def _starting(processor: Processor, start: tuple[str, int], separator: tuple[str, int]) -> Processor:
    """Return a post-processor that adds `start` before a text, and `separator` only between the texts of a pair.

    Args:
        processor: the one to replace. What it does to the characters of tokens (`ByteLevel`) stays.
        start: the token and its id.
        separator: the token and its id.
    """
    parts = processor["processors"] if processor["type"] == "Sequence" else [processor]
    kept = [part for part in map(_characters, parts) if part is not None]
    template = {
        "type": "TemplateProcessing",
        "single": [_special("start"), _text("A")],
        "pair": [_special("start"), _text("A"), _special("separator"), _text("B")],
        # A token itself may hold characters that have a meaning in a template.
        "special_tokens": {
            name: {"id": name, "ids": [number], "tokens": [token]}
            for name, (token, number) in (("start", start), ("separator", separator))
        },
    }
    return {"type": "Sequence", "processors": [*kept, template]} if kept else template


def _keeping_space(decoder: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a decoder without the part that removes the space before a text."""
    if decoder is None or decoder["type"] != "Sequence":
        return decoder
    kept = [part for part in decoder["decoders"] if not (part["type"] == "Strip" and part["content"] == " ")]
    return {**decoder, "decoders": kept}


def _characters(processor: Processor) -> Processor | None:
    """Return the part of a post-processor that says which characters a token has; None if there is none."""
    if processor["type"] == "ByteLevel":
        return processor
    if processor["type"] == "RobertaProcessing" and processor["trim_offsets"]:
        spaces = processor["add_prefix_space"]
        return {"type": "ByteLevel", "add_prefix_space": spaces, "trim_offsets": True, "use_regex": True}
    return None


def _special(name: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": name, "type_id": 0}}


def _text(name: str) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": 0}}
