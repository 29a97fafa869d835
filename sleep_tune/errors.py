"""The tree of errors, and helpers for their messages.

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
├── TrialFailure                    a configuration that cannot be trained; counts as a failed trial
│   ├── Diverged                    loss is NaN, infinite or exploding
│   └── OutOfMemory                 the device has too little memory for this configuration
├── Superseded                      a later attempt at the run has begun; this one writes nothing more
├── JobCancelled                    the run was cancelled by its search or by its leading process
└── ScoresMissing (a RuntimeError)  a bug: a sleep phase began before the scores of its wake phase arrived
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
    """Several mistakes in one message; `together` makes it."""

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
    """A configuration that cannot be trained. It counts as a failed trial and is not retried."""


class Diverged(TrialFailure):
    """The loss became NaN, infinite or exploded."""


class OutOfMemory(TrialFailure):
    """The device has too little memory for this configuration, or for all that run on it at the same time.

    Args:
        message: in a sentence.
        on_gpu: whether it is the GPU's memory that ran out, and not the machine's.
    """

    def __init__(self, message: str, *, on_gpu: bool = False) -> None:
        super().__init__(message)
        self.on_gpu = on_gpu


class Superseded(SleepTuneError):
    """A later attempt at the same run has begun; this one writes nothing more."""


class JobCancelled(SleepTuneError):
    """The run was cancelled by its search or by its leading process; its folder stays as it is."""


class ScoresMissing(SleepTuneError, RuntimeError):
    """A sleep batch was requested before the scores of its wake phase arrived."""


def together(errors: Sequence[UserError], what: str) -> UserError:
    """Return one error that lists all of `errors`, in their order; a single error is returned itself.

    Args:
        errors: at least one.
        what: name of the file that holds the mistakes.
    """
    if len(errors) == 1:
        return errors[0]
    return Mistakes("\n  ".join([f"{what} has {len(errors)} mistakes:", *map(str, errors)]), tuple(errors))


def nearest(given: str, choices: Iterable[str]) -> str | None:
    """Return the choice that is spelt most like `given`; None if none is close."""
    close = difflib.get_close_matches(given, list(choices), n=1, cutoff=0.6)
    return close[0] if close else None


def unknown(what: str, given: object, choices: Iterable[str]) -> str:
    """Return a message that `given` is not a valid `what`, with the nearest choice and all choices.

    >>> unknown("sleep.replay.strategy", "strickt", ("random", "strict", "weighted"))
    "unknown sleep.replay.strategy 'strickt'; did you mean 'strict'? Choose one of: random, strict, weighted"
    """
    names = sorted(choices)
    close = nearest(str(given), names)
    hint = f" did you mean '{close}'? Choose" if close else " choose"
    return f"unknown {what} '{shortened(str(given))}';{hint} one of: {', '.join(names)}"


def shortened(text: str, most: int = 60) -> str:
    """Return `text` on one line of at most `most` characters, with escapes for what cannot be printed."""
    text = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text[: most + 1]
    )
    return text if len(text) <= most else f"{text[: most - 3]}..."


def listed(names: Sequence[object], most: int = 3, *, width: int = 80, between: str = ", ") -> str:
    """Return the first few of `names`, and how many more there are: 'a.txt, b.txt and 7 more'.

    Args:
        names: at least one.
        most: greatest number of names that are shown.
        width: greatest length of each name, in characters.
        between: separator of the names.
    """
    shown = between.join(shortened(str(name), width) for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


REFUSALS: dict[int, tuple[type[UserError], str]] = {
    errno.ENOSPC: (DiskError, "the disk must have room for {}; it is full"),
    errno.EDQUOT: (DiskError, "your quota on the disk must have room for {}; it is used up"),
    errno.EROFS: (DiskError, "the disk must be writable for {}; it is read-only now"),
    errno.EIO: (DiskError, "the disk must work for {}; it answers with an input/output error"),
    errno.ESTALE: (DiskError, "the disk must be there for {}; its server no longer has the file (stale file handle)"),
    errno.EFBIG: (LimitError, "larger files must be allowed for {}; raise the limit (ulimit -f)"),
    errno.EMFILE: (LimitError, "a process must be allowed more open files for {}; raise the limit (ulimit -n)"),
    errno.ENFILE: (LimitError, "the system must allow more open files for {}; raise the limit (sysctl fs.file-max)"),
}
"""Error number of the operating system -> error of ours and its message; {} is what was to be written."""


def refusal(error: Exception, what: str) -> UserError | None:
    """Return the error for a disk that cannot be written, or for a limit on files; None for any other error.

    Args:
        error: of the operating system, or of a library that repeats its text.
        what: name of what was to be read or written.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        number = next((number for number in REFUSALS if os.strerror(number) in str(error)), None)
    if number not in REFUSALS:
        return None
    kind, text = REFUSALS[number]
    return kind(text.format(what))
