"""Description of a corpus for the user: the files and words of each split, files that are not read, warnings."""

from collections.abc import Iterator, Mapping

from sleep_tune.data.documents import Inventory
from sleep_tune.data.overlap import LONG_SENTENCE, Overlap
from sleep_tune.data.text_files import describe_files
from sleep_tune.errors import listed

__all__ = ["describe_text"]

FEW_WORDS = 100
"""Words of dev or test below which its metrics are mostly chance."""
WARN_FROM = 0.05
"""Share of a split's long sentences that also occur in train, from which on there is a warning (phrases recur)."""
WARN_FROM_WORDS = 0.001
"""Share of a split's words in documents that are also in train, from which on there is a warning (headings recur)."""


def describe_text(
    inventory: Inventory, words: Mapping[str, int], overlap: Mapping[str, Overlap], warnings: tuple[str, ...]
) -> tuple[str, ...]:
    """Describe a corpus: a line for its splits, one for the files that are not read, and one for each warning.

    Args:
        inventory: the files.
        words: number in each split, as training and evaluation count them.
        overlap: of dev and test with train.
        warnings: about the text.

    Returns:
        Lines such as 'text: train 8,000 words (train.txt); dev 800 words (cut from train by document); ...'.
    """
    parts = [f"{split} {number:,} words{_origin(split, inventory)}" for split, number in words.items()]
    lines = [f"text: {'; '.join(parts)}", *inventory.notes]
    if inventory.not_read:
        lines.append(f"not read: {describe_files(inventory.not_read)}")
    found = [*inventory.warnings, *warnings, *(text for split in overlap for text in _repeated(split, overlap[split]))]
    found += [
        f"{split} has only {words[split]:,} words: metrics on it are mostly chance"
        for split in overlap
        if words[split] < FEW_WORDS
    ]
    return (*lines, *(f"warning: {text}" for text in found))


def _origin(split: str, inventory: Inventory) -> str:
    if not inventory.files:
        return ""
    files = inventory.files[split]
    return f" ({listed(files)})" if files else " (cut from the training files by document)"


def _repeated(split: str, overlap: Overlap) -> Iterator[str]:
    share = overlap.repeated_sentences / max(1, overlap.sentences)
    share_of_words = overlap.repeated_words / max(1, overlap.words)
    if share_of_words >= WARN_FROM_WORDS or share >= WARN_FROM:
        yield (
            f"of {split}, {overlap.repeated_documents:,} of {overlap.documents:,} documents "
            f"({share_of_words:.1%} of its words) and {share:.1%} of the sentences of "
            f"{LONG_SENTENCE} words or more also occur in train: a model may have memorised them"
        )
