"""Models saved at the numbers of words that BabyLM's rules name: run/checkpoints/chck_1M, chck_2M, ...

The age of acquisition is computed from them: when each word was learned. A run cannot be resumed from them.
"""

from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS
from sleep_tune.errors import BudgetError
from sleep_tune.experiment.run_folder import WORD_CHECKPOINTS
from sleep_tune.training.outputs import publish_model
from sleep_tune.training.session import Session

__all__ = ["WordCheckpoints", "word_marks"]

MILLION = 1_000_000


def word_marks(budget_words: int) -> tuple[int, ...]:
    """Return the words seen at which models are saved: every million to 10, every 10 to 100, every 100 to 1,000.

    Args:
        budget_words: marks above it are left out.

    Raises:
        BudgetError: no mark is left.
    """
    marks = tuple(mark * MILLION for mark in AOA_CHECKPOINTS["strict"] if mark * MILLION <= budget_words)
    if not marks:
        raise BudgetError(
            f"training.word_checkpoints needs a budget of at least {MILLION:,} words, where the first model is saved; "
            f"got {budget_words:,} (budget.words or budget.passes)"
        )
    return marks


class WordCheckpoints:
    """Saves a model after the first update at or past each mark.

    Checkpoints need no state of it: an attempt that resumes before a mark passes it again, and saves the same model.
    """

    def __init__(self, session: Session, tokenizer: Path, marks: Sequence[int]) -> None:
        """Begin at the run's present position.

        Args:
            session: the attempt.
            tokenizer: folder of the tokenizer's files.
            marks: words seen, ascending; may be empty.
        """
        self._session = session
        self._tokenizer = tokenizer
        self._ahead = [mark for mark in marks if mark > session.progress.words_seen]

    def save_due(self, model: PreTrainedModel) -> None:
        """Save the model for every mark that was passed."""
        while self._ahead and self._ahead[0] <= self._session.progress.words_seen:
            self._save(model, self._ahead.pop(0))

    def finish(self, model: PreTrainedModel) -> None:
        """Save the model for the marks that are left: the run has ended less than a batch before the budget."""
        while self._ahead:
            self._save(model, self._ahead.pop(0))

    def _save(self, model: PreTrainedModel, mark: int) -> None:
        publish_model(self._session, f"{WORD_CHECKPOINTS}/chck_{mark // MILLION}M", model, self._tokenizer)
