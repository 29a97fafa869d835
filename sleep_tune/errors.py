"""The error tree, and how a message names the nearest valid choice. Imports nothing of ours.

SleepTuneError
├── UserError (a ValueError)        the user's mistake: one message, exit code 2, no traceback
│   ├── ConfigError                 a key, value, type or choice of the configuration or a search space
│   │   └── Mistakes                several at once, each with a line of its own
│   ├── BudgetError                 settings that the budget of words cannot hold
│   ├── DataError                   a corpus, tokenizer or evaluation file that cannot be read
│   ├── RunFolderError              a run or experiment folder that holds something else, or is in use
│   ├── DiskError                   too little space left, or a disk that cannot be written for now
│   ├── LimitError                  a limit on files that the shell or the system has set
│   └── ClusterError                a cluster that cannot run what was asked for
├── TrialFailure                    a configuration that cannot be trained; told to the search
│   ├── Diverged                    loss is NaN, infinite or exploding
│   └── OutOfMemory                 the device has too little memory for this configuration
├── Superseded                      a later attempt at the run has begun; this one leaves everything as it stands
├── JobCancelled                    the run is given up by its search or its leading process, as is this process's part
└── ScoresMissing (a RuntimeError)  our bug: a sleep was asked for before its wake scores arrived
"""

import difflib
import errno
import os
from collections.abc import Iterable, Sequence

__all__ = [
    "REFUSALS",
    "BudgetError",
    "ClusterError",
    "ConfigError",
    "DataError",
    "DiskError",
    "Diverged",
    "JobCancelled",
    "LimitError",
    "Mistakes",
    "OutOfMemory",
    "RunFolderError",
    "ScoresMissing",
    "SleepTuneError",
    "Superseded",
    "TrialFailure",
    "UserError",
    "listed",
    "nearest",
    "refusal",
    "shortened",
    "together",
    "unknown",
]


class SleepTuneError(Exception):
    """Root of every error raised on purpose."""


class UserError(SleepTuneError, ValueError):
    """The user's mistake. The command line prints the message and exits with 2."""


class ConfigError(UserError):
    """A key, value, type or choice that the configuration or the search space does not have."""


class Mistakes(ConfigError):
    """Several mistakes, told at once: `together` makes one."""

    def __init__(self, message: str, errors: tuple[UserError, ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class BudgetError(UserError):
    """Settings that the budget of words cannot hold; the message names the bound."""


class DataError(UserError):
    """A corpus, tokenizer or evaluation file that is missing or malformed."""


class RunFolderError(UserError):
    """A folder that belongs to another configuration, or that another process is writing."""


class DiskError(UserError):
    """Too little space left where results go, or a disk that cannot be written for now."""


class LimitError(UserError):
    """A limit on files that the shell or the system has set."""


class ClusterError(UserError):
    """A cluster that cannot run what was asked for."""


class TrialFailure(SleepTuneError):
    """A configuration that cannot be trained, whoever tries: told to the search, never retried."""


class Diverged(TrialFailure):
    """The loss became NaN, infinite or exploded."""


class OutOfMemory(TrialFailure):
    """The device has too little memory for this configuration."""


class Superseded(SleepTuneError):
    """A later attempt at the same run has begun: this one writes nothing more and is to be forgotten."""


class JobCancelled(SleepTuneError):
    """The run is given up, by its search or by the process that leads it: it is left as it stands."""


class ScoresMissing(SleepTuneError, RuntimeError):
    """A sleep batch was asked for before the scores of its wake phase had arrived."""


def together(errors: Sequence[UserError], what: str) -> UserError:
    """One error that tells all of `errors` (at least one), in their order; of a single one, that one.

    Args:
        errors: the mistakes.
        what: what they were made in: 'study.yaml'.
    """
    if len(errors) == 1:
        return errors[0]
    return Mistakes("\n  ".join([f"{what} has {len(errors)} mistakes:", *map(str, errors)]), tuple(errors))


def nearest(given: str, choices: Iterable[str]) -> str | None:
    """The choice spelt most like `given`, or None if none is close."""
    close = difflib.get_close_matches(given, list(choices), n=1, cutoff=0.6)
    return close[0] if close else None


def unknown(what: str, given: object, choices: Iterable[str]) -> str:
    """Say that `given` is no valid `what`: the choices, and the nearest one.

    >>> unknown("sleep.replay.strategy", "strickt", ("random", "strict", "weighted"))
    "unknown sleep.replay.strategy 'strickt'; did you mean 'strict'? Choose one of: random, strict, weighted"
    """
    names = sorted(choices)
    close = nearest(str(given), names)
    hint = f" did you mean '{close}'? Choose" if close else " choose"
    return f"unknown {what} '{shortened(str(given))}';{hint} one of: {', '.join(names)}"


def shortened(text: str, most: int = 60) -> str:
    """`text` on one line, of at most `most` characters."""
    text = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text[: most + 1]
    )
    return text if len(text) <= most else f"{text[: most - 3]}..."


def listed(names: Sequence[object], most: int = 3, *, width: int = 80, between: str = ", ") -> str:
    """Return the first few of `names`, and how many more there are: 'a.txt, b.txt and 7 more'.

    Args:
        names: at least one.
        most: names that are shown, at most.
        width: characters of each name, at most.
        between: separates the names.
    """
    shown = between.join(shortened(str(name), width) for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


REFUSALS: dict[int, tuple[type[UserError], str]] = {
    errno.ENOSPC: (DiskError, "the disk must have room for {}; it is full"),
    errno.EDQUOT: (DiskError, "your quota on the disk must have room for {}; it is used up"),
    errno.EROFS: (DiskError, "the disk must be writable for {}; it is read-only now"),
    errno.EIO: (DiskError, "the disk must work for {}; it answers with an input/output error"),
    errno.ESTALE: (DiskError, "the disk must be there for {}; its server no longer knows the file (stale file handle)"),
    errno.EFBIG: (LimitError, "larger files must be allowed for {}; raise the limit (ulimit -f)"),
    errno.EMFILE: (LimitError, "a process must be allowed more open files for {}; raise the limit (ulimit -n)"),
    errno.ENFILE: (LimitError, "the system must allow more open files for {}; raise the limit (sysctl fs.file-max)"),
}
"""What the system says of a disk or of files -> what it means for what was to be written."""


def refusal(error: Exception, what: str) -> UserError | None:
    """Return what to say of a disk that cannot be written or of a limit on files; None for any other error.

    Args:
        error: of the system, or of a library that passes on what the system said.
        what: was to be read or written.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        number = next((number for number in REFUSALS if os.strerror(number) in str(error)), None)
    if number not in REFUSALS:
        return None
    kind, text = REFUSALS[number]
    return kind(text.format(what))
