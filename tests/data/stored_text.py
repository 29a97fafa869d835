"""Preprocessed sentences as preparation stores them, and their tokens in one piece."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from sleep_tune.data.documents import Document
from sleep_tune.data.encoding import EncodedText, TokenStream
from sleep_tune.data.tokenizer import TokenizerRecipe
from sleep_tune.data.word_store import WordStore, WordText, temporary_files
from sleep_tune.sleep.samples import SpecialTokens


@contextmanager
def stored_text(documents: Mapping[str, Iterable[Document]]) -> Iterator[WordText]:
    """Yield the documents of each split as they are stored."""
    with tempfile.TemporaryDirectory() as folder, temporary_files(Path(folder)) as make_file:
        store = WordStore(make_file, include_punctuation=True)
        for split, given in documents.items():
            for document in given:
                store.add(document, split)
        yield store.finish()


def joined(streams: Iterable[TokenStream]) -> TokenStream:
    """Return all pieces of a stream as one."""
    empty = TokenStream(np.zeros(0, np.int32), np.zeros(0, np.bool_), np.zeros(0, np.int32))
    pieces = [empty, *streams]
    return TokenStream(
        np.concatenate([piece.tokens for piece in pieces]),
        np.concatenate([piece.starts_word for piece in pieces]),
        np.concatenate([piece.lengths for piece in pieces]),
    )


def encode(
    function: Callable[[WordText, Tokenizer], EncodedText], tokenizer: Tokenizer, sentences: Sequence[str], end: int
) -> TokenStream:
    """Return the tokens of sentences, each followed by the token `end`."""
    with stored_text({"train": [Document("a", tuple(sentences))]}) as text:
        return joined(function(text, tokenizer).pieces("train", end))


@dataclass(frozen=True)
class Tokenized:
    """What a recipe has made of texts."""

    streams: dict[str, TokenStream]
    special: SpecialTokens
    vocab_size: int
    notes: tuple[str, ...]


def tokenize(recipe: TokenizerRecipe, texts: Mapping[str, Sequence[str]], folder: Path) -> Tokenized:
    """Return what a recipe makes of sentences by split, after it has written its files to `folder`."""
    with stored_text({split: [Document("a", tuple(given))] for split, given in texts.items()}) as text:
        made = recipe.tokenize(text, folder)
        streams = {split: joined(made.encoded.pieces(split, made.special.separator)) for split in texts}
        return Tokenized(streams, made.special, made.vocab_size, made.notes)
