"""The mechanism: read a fold awake, replay a buffer asleep, within a budget of words.

Arrays in, arrays out: numpy alone, no model, no text, no files. Knows nothing of who trains on its batches.
"""

__all__ = [
    "batch",
    "budget",
    "buffer",
    "context",
    "folds",
    "memory",
    "randomness",
    "reading",
    "record",
    "samples",
    "scoring",
    "selection",
    "sentences",
    "sleeping",
    "stream",
]
