"""Encoding of sentences as one stream of tokens, in which the first token of each word is marked.

Each split is encoded in order, so the stream depends on text and tokenizer alone (and not, as when batches are mapped
in several processes, on their number). It goes to temporary files; only a part of it is in memory at a time.
"""

import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sleep_tune.data.documents import SPLITS
from sleep_tune.data.word_rule import encodes_words_alone, is_plain
from sleep_tune.data.word_store import END, PIECE, MakeFile, Sentences, Spelling, WordText

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "CHUNK",
    "EncodedText",
    "TokenStream",
    "encode_by_offsets",
    "encode_by_words",
    "mean_unspaced_length",
    "one_thread",
]

UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
"""A letter of Thai, Lao, Burmese, Khmer, Japanese or Chinese."""
CHUNK = 4096
"""Strings given to the tokenizer at a time."""
SEPARATOR = -1 << 1
"""Code of the separator that ends each sentence, whose id is chosen later. The code of a token is twice its id, plus 1
if it is the first of a word."""


@dataclass(frozen=True, slots=True)
class TokenStream:
    """S sentences as L tokens, each sentence followed by its separator."""

    tokens: NDArray[np.int32]
    """(L,) token ids."""
    starts_word: NDArray[np.bool_]
    """(L,) True at the first token of each whitespace-separated word."""
    lengths: NDArray[np.int32]
    """(S,) tokens of each sentence, its separator included."""


def mean_unspaced_length(words: Sequence[str], counts: NDArray[np.int64]) -> float:
    """Return the mean length, in characters, of the words in scripts that are written without spaces; 0 without any.

    In segmented text it is about 2 for Chinese and Japanese, 4 for Thai; a sentence that was not segmented is one word.

    Args:
        words: V distinct words.
        counts: (V,) how often each of them occurs.
    """
    letters = occurrences = 0
    for word, count in zip(words, counts.tolist(), strict=True):
        if not word.isascii() and UNSPACED.search(word):
            letters += len(word) * count
            occurrences += count
    return letters / max(1, occurrences)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run `tokenizers` on one thread, unless TOKENIZERS_PARALLELISM says otherwise.

    Its thread pool does not survive a fork, and once used it warns at every fork. A search forks.
    """
    name = "TOKENIZERS_PARALLELISM"
    if name in os.environ:
        yield
        return
    os.environ[name] = "false"
    try:
        yield
    finally:
        os.environ.pop(name, None)


class EncodedText:
    """The sentences of each split as tokens, in temporary files."""

    def __init__(self, make_file: MakeFile, num_ids: int) -> None:
        """Make the files, for ids below `num_ids`."""
        self._files = {split: make_file() for split in SPLITS}
        self._lengths = {split: array("i") for split in SPLITS}
        self.counts = {split: np.zeros(num_ids, np.int64) for split in SPLITS}
        """Split -> (ids,) how often each token occurs, separators not counted."""
        self.num_words = dict.fromkeys(SPLITS, 0)
        """Split -> words whose first token is marked."""

    def append(self, split: str, sentences: Sentences, spelling: Spelling) -> None:
        """Append sentences to a split.

        Args:
            split: name of the split.
            sentences: as numbers of words, END among them.
            spelling: codes of each word.
        """
        places, sizes = spelling.places(sentences.words)
        codes = spelling.items[places]
        self._files[split].write(codes.data)
        begins = np.cumsum(sentences.sizes) - sentences.sizes
        self._lengths[split].frombytes(np.add.reduceat(sizes, begins).astype(np.int32).tobytes())
        self.counts[split] += np.bincount(codes[codes != SEPARATOR] >> 1, minlength=len(self.counts[split]))
        self.num_words[split] += int(np.count_nonzero(codes & 1))

    def lengths(self, split: str) -> NDArray[np.int32]:
        """Return the tokens of each sentence of a split, its separator included: (S,)."""
        return np.array(self._lengths[split], np.int32)

    def pieces(self, split: str, separator: int) -> Iterator[TokenStream]:
        """Yield the sentences of a split in order, some at a time.

        Args:
            split: name of the split.
            separator: id of the token that ends each sentence.
        """
        lengths = self.lengths(split)
        ends = np.cumsum(lengths, dtype=np.int64)
        self._files[split].seek(0)
        begin, first = 0, 0
        while first < len(ends):
            last = max(first + 1, int(np.searchsorted(ends, begin + PIECE, side="right")))
            codes = np.frombuffer(self._files[split].read(4 * (int(ends[last - 1]) - begin)), np.int32)
            tokens = np.where(codes == SEPARATOR, np.int32(separator), codes >> 1)
            yield TokenStream(tokens, (codes & 1).astype(np.bool_), lengths[first:last])
            begin, first = int(ends[last - 1]), last


def encode_by_words(text: WordText, tokenizer: "Tokenizer") -> EncodedText:
    """Encode each distinct word once and look up its later occurrences: 50 times faster on 10 million words.

    Exact for a tokenizer that never merges over a space and encodes the first word of a text like any other, as our
    byte-level BPE with its prefix space does. For other tokenizers use `encode_by_offsets`.

    Args:
        text: preprocessed.
        tokenizer: with `encode_special_tokens` set, so that special tokens spelt in a text are text.
    """
    codes, sizes = array("i", [SEPARATOR]), array("i", [1])
    for _, ids, _ in _encode(tokenizer, text.words[END + 1 :]):
        codes.extend(_coded(ids, 0))
        sizes.append(len(ids))
    spelling = Spelling(np.asarray(codes, np.int32), np.asarray(sizes, np.int32))
    encoded = EncodedText(text.make_file, _num_ids(tokenizer))
    for split in SPLITS:
        for piece in text.pieces(split):
            encoded.append(split, piece, spelling)
    return encoded


def encode_by_offsets(text: WordText, tokenizer: "Tokenizer") -> EncodedText:
    """Encode with any tokenizer; a word starts at the first token that covers one of its characters.

    A word that shares its only token with the word before it is not counted (some tokenizers merge over spaces), nor is
    a word that the tokenizer drops. Budgets count words in the same way, so all runs with one tokenizer are comparable.

    If the tokenizer splits every text at its spaces first, each distinct word is encoded once, and its later
    occurrences are looked up. Sentences with a word that may have rules of its own (`is_plain`) are encoded whole.

    Args:
        text: preprocessed.
        tokenizer: with `encode_special_tokens` set, so that special tokens spelt in a text are text.
    """
    spelling = _spell_words(text, tokenizer)
    encoded = EncodedText(text.make_file, _num_ids(tokenizer))
    for split in SPLITS:
        for piece in text.pieces(split):
            encoded.append(split, *_with_whole_sentences(piece, spelling, text.words, tokenizer))
    return encoded


def _spell_words(text: WordText, tokenizer: "Tokenizer") -> Spelling:
    """Return the codes of each word after a space and, V further on, at the beginning of a sentence.

    Words without codes are those that must be encoded with their sentence.
    """
    codes = array("i", [SEPARATOR])
    sizes = np.zeros(2 * len(text.words), np.int32)
    sizes[END] = 1
    if encodes_words_alone(tokenizer):
        opens = np.zeros(len(text.words), np.bool_)
        for piece in text.pieces():
            opens[piece.words[np.cumsum(piece.sizes) - piece.sizes]] = True
        plain = np.asarray([number for number, word in enumerate(text.words) if number != END and is_plain(word)], int)
        for space, numbers in ((" ", plain), ("", plain[opens[plain]])):
            spelt = _encode(tokenizer, [space + text.words[number] for number in numbers.tolist()])
            for number, (_, ids, ends) in zip(numbers.tolist(), spelt, strict=True):
                start = int(np.searchsorted(np.maximum.accumulate(ends), len(space), side="right")) if ends else 0
                if start < len(ids):
                    codes.extend(_coded(ids, start))
                    sizes[number + (0 if space else len(text.words))] = len(ids)
    return Spelling(np.asarray(codes, np.int32), sizes)


def _with_whole_sentences(
    piece: Sentences, spelling: Spelling, words: Sequence[str], tokenizer: "Tokenizer"
) -> tuple[Sentences, Spelling]:
    """Return a piece in which each sentence that cannot be spelt is one made-up word, and a spelling of these, too.

    Args:
        piece: sentences of the text.
        spelling: of `_spell_words`.
        words: (V,) the text's words by number.
        tokenizer: encodes whole sentences.
    """
    numbers = piece.words.copy()
    begins = np.cumsum(piece.sizes) - piece.sizes
    numbers[begins] += len(words)
    is_whole = np.logical_or.reduceat(spelling.sizes[numbers] == 0, begins)
    if not is_whole.any():
        return Sentences(numbers, piece.sizes), spelling
    chosen = piece.chosen(is_whole)
    ends = np.cumsum(chosen.sizes).tolist()
    running = chosen.words.tolist()
    sentences = [
        " ".join([words[number] for number in running[begin : end - 1]])
        for begin, end in zip([0, *ends], ends, strict=False)
    ]
    codes, sizes = array("i"), array("i")
    for sentence, ids, offsets in _encode(tokenizer, sentences):
        codes.extend(((np.asarray(ids, np.int32) << 1) | _word_starts(sentence, offsets)).tolist())
        sizes.append(len(ids))
    keeps = ~np.repeat(is_whole, piece.sizes)
    keeps[begins[is_whole]] = True
    keeps[begins + piece.sizes - 1] = True
    numbers[begins[is_whole]] = np.arange(2 * len(words), 2 * len(words) + len(sentences))
    made_up = Spelling(
        np.concatenate([spelling.items, np.asarray(codes, np.int32)]),
        np.concatenate([spelling.sizes, np.asarray(sizes, np.int32)]),
    )
    return Sentences(numbers[keeps], np.where(is_whole, np.int32(2), piece.sizes)), made_up


def _encode(tokenizer: "Tokenizer", texts: Sequence[str]) -> Iterator[tuple[str, list[int], list[int]]]:
    """Yield each text with the ids of its tokens and the offsets at which they end."""
    for at in range(0, len(texts), CHUNK):
        chunk = texts[at : at + CHUNK]
        with one_thread():
            encodings = tokenizer.encode_batch(list(chunk), add_special_tokens=False)
        for text, encoding in zip(chunk, encodings, strict=True):
            yield text, encoding.ids, [end for _, end in encoding.offsets]


def _coded(ids: Iterable[int], start: int) -> list[int]:
    """Return the codes of tokens of which number `start` is the first of a word."""
    return [token << 1 | (at == start) for at, token in enumerate(ids)]


def _num_ids(tokenizer: "Tokenizer") -> int:
    return max(tokenizer.get_vocab().values()) + 1


def _word_starts(sentence: str, ends: Sequence[int]) -> NDArray[np.bool_]:
    """Return (tokens,) flags, True where a word of `sentence` starts."""
    flags = np.zeros(len(ends) + 1, np.bool_)
    sizes = np.fromiter((len(word) for word in sentence.split(" ")), np.int64)
    starts = np.cumsum(sizes + 1) - sizes - 1
    flags[np.searchsorted(np.maximum.accumulate(ends), starts, side="right")] = True
    return flags[:-1]
