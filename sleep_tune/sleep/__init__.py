"""The sleep mechanism: read a fold awake, replay a buffer asleep, within a budget of words.

Arrays in, arrays out, with numpy alone: no model, no text, no files.

Shapes used in the docstrings: N samples in the corpus; T tokens in a row; R rows in a batch; C candidates for replay; n
samples in a buffer; S sentences; M predicted positions. A cycle is one wake fold and the sleep phase after it; cycles,
passes, folds and batches are counted from 0.
"""

__all__ = [
    "batch",
    "batch_stream",
    "budget",
    "buffer",
    "context",
    "interleaved_stream",
    "matched_stream",
    "normalisation",
    "priorities",
    "randomness",
    "refresh",
    "replayer",
    "row_reader",
    "sample_history",
    "samples",
    "selection",
    "sentence_index",
    "signals",
    "sleep_phase",
    "sleep_record",
    "stream",
    "wake_pass",
]
