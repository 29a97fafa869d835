"""exposures.npz of a run that has completed: how often it trained on each sample of its corpus.

A control trains on the same exposures in another order (`sleep.matched`).
"""

import hashlib
import io
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sleep_tune.errors import RunFolderError, shortened
from sleep_tune.experiment.run_folder import EXPOSURES, read_outcome
from sleep_tune.files import write_whole

__all__ = ["EXPOSURES", "Exposures", "read_exposures", "write_exposures"]

KEY = "sleep.matched"
"""Option that names the run whose exposures are read, for messages."""


@dataclass(frozen=True, slots=True, eq=False)
class Exposures:
    """How often a run trained on each sample, and what another run must share to be compared with it."""

    times_seen: NDArray[np.int32]
    """(N,) readings and replays of each sample, >= 0."""
    corpus: str
    """The corpus's key, a digest of the text and the tokenizer."""
    context: str
    """sleep.context."""
    budget_words: int
    """Words that the run was allowed."""
    seed: int
    """training.seed."""

    @property
    def num_samples(self) -> int:
        """N, the samples of the corpus."""
        return len(self.times_seen)

    def digest(self) -> str:
        """Return 64 hexadecimal digits that identify the exposures, wherever the file is."""
        return hashlib.sha256(self.times_seen.astype("<i4").tobytes()).hexdigest()

    def differences_from(self, other: "Exposures") -> str:
        """Return how another run differs in what both must share, in words; empty if it does not."""
        pairs = {
            text: (getattr(self, name), getattr(other, name))
            for text, name in (
                ("its corpus (text or tokenizer)", "corpus"),
                ("its number of samples", "num_samples"),
                ("its budget in words", "budget_words"),
                ("sleep.context", "context"),
                ("training.seed", "seed"),
            )
        }
        found = [f"{text} is {there} there, {here} here" for text, (there, here) in pairs.items() if there != here]
        return "; ".join(found)


def write_exposures(run: Path, exposures: Exposures) -> None:
    """Write run/exposures.npz, as a whole."""
    content = io.BytesIO()
    np.savez_compressed(content, **asdict(exposures))
    write_whole(run / EXPOSURES, content.getvalue())


def read_exposures(run: Path) -> Exposures:
    """Return what `write_exposures` wrote into the folder of a run that has completed.

    Raises:
        RunFolderError: there is no such run, it has not completed, or the file is missing or damaged.
    """
    outcome = read_outcome(run)
    if outcome is None or outcome.state != "completed":
        state = "there is no such folder" if not run.is_dir() else "it has no outcome.json: no run has ended there"
        raise RunFolderError(
            f"{KEY} must be the folder of a run that has completed; got {run}, but "
            f"{state if outcome is None else f'that run is {outcome.state}'}"
        )
    file = run / EXPOSURES
    if not file.is_file():
        raise RunFolderError(
            f"{KEY}={run} must hold {EXPOSURES}, which every run writes as it completes; it has none: an earlier "
            "version trained it, train it again"
        )
    content = io.BytesIO(file.read_bytes())
    try:
        if not zipfile.is_zipfile(content):  # numpy would take it for a pickle, and advise to load it unsafely
            raise ValueError("it is no archive")
        content.seek(0)
        with np.load(content, allow_pickle=False) as arrays:
            times_seen = arrays["times_seen"]
            found = Exposures(
                times_seen.astype(np.int32),
                corpus=str(arrays["corpus"]),
                context=str(arrays["context"]),
                budget_words=int(arrays["budget_words"]),
                seed=int(arrays["seed"]),
            )
        if times_seen.ndim != 1 or not np.issubdtype(times_seen.dtype, np.integer) or times_seen.min(initial=0) < 0:
            raise ValueError("times_seen is no list of counts")
    except Exception as error:  # numpy may raise anything on a file with any content
        reason = shortened(f"{type(error).__name__}: {error}", 200)
        raise RunFolderError(
            f"{KEY}: {file} must hold the exposures of a run ({reason}); restore it, or train the run again"
        ) from None
    return found
