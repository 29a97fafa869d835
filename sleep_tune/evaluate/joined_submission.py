"""The file for the leaderboard by the evaluation command, joined from the files of a model's results."""

import argparse
from collections.abc import Iterator

from sleep_tune.babylm.data_protocol import protocol_of_data
from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import choose_backends
from sleep_tune.evaluation.collation import FAST_RESULTS, collate, write_collation
from sleep_tune.evaluation.result_folders import result_names
from sleep_tune.evaluation.submission import Gaps, missing_parts, require_one_protocol

__all__ = ["join_submission"]


def join_submission(options: argparse.Namespace) -> Iterator[str]:
    """Write the file for the leaderboard, and yield the lines to print.

    Raises:
        DataError: a part was scored by another protocol; or something is missing or of another size than the
            challenge's, and the protocol does not allow it (the message lists everything); or the data is not whole.
    """
    protocol = protocol_of_data(options.data, options.protocol)
    backend, *others = choose_backends(options.model, options.backend)
    top = result_names(options.model).folder(options.output_dir).parent
    require_one_protocol(top, backend, options.track, protocol)
    gaps = missing_parts(top, backend, options.track, protocol)
    if gaps and not protocol.allows_missing:
        raise DataError(
            f"{top} must be a complete submission of {protocol.year}, of back end {backend} for {options.track}; "
            f"{_count(gaps)} things are missing or wrong:\n{_lines(gaps)}"
        )
    if not top.is_dir():
        raise DataError(
            f"{top} must hold the results of a model, of which some may be missing; there is no such folder"
        )
    content, gaps = collate(top, backend, options.track, options.data, protocol, gaps)
    path = write_collation(top, backend, content)
    if gaps:
        yield (
            f"{_count(gaps)} things are missing or wrong; these parts are null in the file, and the leaderboard scores "
            f"them 0:\n{_lines(gaps)}"
        )
    if any(content[FAST_RESULTS].get("ewok", ())) and protocol.whole_sentences:
        yield (
            "EWoK of the checkpoints is the share of right sentences; the official collation compares each with the "
            "bare target and writes 0 for every model"
        )
    hint = "".join(f"; --backend {other} joins the other one" for other in others)
    yield (
        f"{'incomplete' if gaps else 'complete'} submission of {protocol.year}, of back end {backend} for "
        f"{options.track}: upload {path} ({path.stat().st_size / 2**20:,.1f} MiB) to the leaderboard{hint}"
    )


def _count(gaps: Gaps) -> int:
    return sum(map(len, gaps.values()))


def _lines(gaps: Gaps) -> str:
    return "\n".join(f"  {line}" for lines in gaps.values() for line in lines)
