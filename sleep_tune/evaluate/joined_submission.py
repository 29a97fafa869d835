"""The file for the leaderboard by the evaluation command, joined from the files of a model's results."""

import argparse
from collections.abc import Iterator

from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import choose_backends
from sleep_tune.evaluation.collation import write_collation
from sleep_tune.evaluation.result_folders import result_names
from sleep_tune.evaluation.submission import missing_parts

__all__ = ["join_submission"]


def join_submission(options: argparse.Namespace) -> Iterator[str]:
    """Write the file for the leaderboard, and yield the lines to print.

    Raises:
        DataError: something is missing or of another size than the challenge's; the message lists everything.
    """
    backend, *others = choose_backends(options.model, options.backend)
    top = result_names(options.model).folder(options.output_dir).parent
    wrong = missing_parts(top, backend, options.track)
    if wrong:
        lines = "\n".join(f"  {line}" for line in wrong)
        raise DataError(
            f"{top} must be a complete submission of back end {backend} for {options.track}; {len(wrong)} things are "
            f"missing or wrong:\n{lines}"
        )
    path = write_collation(top, backend, options.track, options.data)
    hint = "".join(f"; --backend {other} joins the other one" for other in others)
    yield (
        f"complete submission of back end {backend} for {options.track}: upload {path} "
        f"({path.stat().st_size / 2**20:,.1f} MiB) to the leaderboard{hint}"
    )
