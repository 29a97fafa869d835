"""Ages of acquisition by the evaluation command: surprisal of words at checkpoints, and the agreement with children."""

import argparse
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from sleep_tune.babylm.data_protocol import protocol_of_data
from sleep_tune.babylm.protocols import AGE_SCORE, Protocol
from sleep_tune.evaluation import aoa
from sleep_tune.evaluation.backends import choose_backends
from sleep_tune.evaluation.model_folder import holds_tokenizer, open_auto_tokenizer
from sleep_tune.evaluation.result_folders import result_names

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["score_ages"]


def score_ages(options: argparse.Namespace, device: str, progress: Progress) -> Iterator[str]:
    """Score the words at every checkpoint by each back end, and yield the agreement with children."""
    protocol = protocol_of_data(options.data, options.protocol)
    words = aoa.read_words(options.data / "aoa" / aoa.CONTEXTS_FILE)
    beside = (options.model / "checkpoints", options.model.resolve().parent / "checkpoints")
    folder = options.checkpoints or next((path for path in beside if path.is_dir()), beside[0])
    found, missing = aoa.find_checkpoints(folder, options.track)
    if missing:
        yield f"warning: {folder} lacks {len(missing)} checkpoints of {options.track}: {', '.join(missing)}"
    tokenizer = _main_tokenizer(options, found)
    expected = len(found) + len(missing)
    for backend in choose_backends(next(iter(found.values())), options.backend):
        yield from _score_words(options, protocol, words, found, expected, backend, device, progress, tokenizer)


def _main_tokenizer(options: argparse.Namespace, found: Mapping[int, Path]) -> "PreTrainedTokenizerBase":
    """Return the tokenizer of MODEL, or of the last checkpoint if MODEL has none."""
    folder = options.model if holds_tokenizer(options.model) else found[max(found)]
    return open_auto_tokenizer(folder, trust_remote_code=options.trust_remote_code)


def _score_words(
    options: argparse.Namespace,
    protocol: Protocol,
    words: aoa.Words,
    found: Mapping[int, Path],
    expected: int,
    backend: str,
    device: str,
    progress: Progress,
    tokenizer: "PreTrainedTokenizerBase",
) -> Iterator[str]:
    """Score the words at every checkpoint by one back end, write the official file, and yield the agreement.

    Args:
        options: arguments of the command.
        protocol: the year's rules.
        words: words in contexts.
        found: millions of words seen -> the checkpoint's folder.
        expected: number of checkpoints of the track.
        backend: a name of BACKENDS.
        device: of the models.
        progress: shows a bar for the checkpoints.
        tokenizer: the model's.
    """
    notes: list[str] = []
    bar = progress.add_task(f"{len(words):,} contexts at {len(found)} checkpoints", total=len(found))
    surprisals, unread = aoa.score_checkpoints(
        words,
        found,
        backend=backend,
        batch_tokens=options.batch_tokens,
        device=device,
        trust_remote_code=options.trust_remote_code,
        advance=lambda number: progress.advance(bar, number),
        note=notes.append,
    )
    record = aoa.surprisal_record(words, surprisals, model=str(options.model), expected=expected)
    top = result_names(options.model, options.revision_name).zero_shot(options.output_dir, backend)
    path = aoa.write_surprisal(top, record)
    yield (
        f"surprisal of {len(words.contexts)} words in {len(words):,} contexts at {len(found)} checkpoints ({backend}), "
        f"written to {path}"
    )
    yield from (f"warning: {note}" for note in notes)
    if unread:
        yield (
            f"warning: {unread} contexts have no surprisal (NaN): they are longer than the model can read, or the "
            "tokenizer has no token for their word"
        )
    children = options.data / "aoa" / aoa.CHILDREN_FILE
    if not children.is_file():
        yield f"not compared with children's ages of acquisition: there is no {children}"
        return
    ages = aoa.compare_with_children(record, children, year=protocol.year, tokenizer=tokenizer)
    counted = "" if ages.score == ages.correlation or math.isnan(ages.score) else ", so the score is 0"
    yield (
        f"correlation with children's ages of acquisition: r = {ages.correlation:.3f} "
        f"(p = {ages.p_value:.2g}{counted}) over {len(ages.words)} words that both acquire within the observed range"
    )
    if AGE_SCORE in protocol.ages.values():
        yield f"score of {protocol.year}: {ages.score:.4f}, written to {aoa.write_score(top, ages.score)}"
