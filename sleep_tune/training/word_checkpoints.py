"""Models along the way, at the words seen that BabyLM's rules name: run/checkpoints/chck_1M, chck_2M, ...

From them an age of acquisition is read: when each word was learned. They are models, not checkpoints to resume from.
Knows nothing of tasks and scores.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS
from sleep_tune.errors import BudgetError
from sleep_tune.experiment.run_folder import WORD_CHECKPOINTS
from sleep_tune.training.products import publish, write_model
from sleep_tune.training.session import Session

__all__ = ["WordCheckpoints", "word_marks"]

MILLION = 1_000_000


def word_marks(budget_words: int) -> tuple[int, ...]:
    """Words seen at which models are saved: every million up to ten, every ten up to a hundred, every hundred to 1,000.

    As many of them as the budget holds; a smaller budget has fewer, at the same words, since ages are told in words.

    Raises:
        BudgetError: it holds none.
    """
    marks = tuple(mark * MILLION for mark in AOA_CHECKPOINTS["strict"] if mark * MILLION <= budget_words)
    if not marks:
        raise BudgetError(
            f"training.word_checkpoints needs a budget of at least {MILLION:,} words, where the first model is saved; "
            f"got {budget_words:,} (budget.words or budget.passes)"
        )
    return marks


class WordCheckpoints(TrainerCallback):
    """Saves a model after the first update at or past each mark; it needs no state, as what is ahead says enough.

    A mark that a run was killed behind is passed again by the next attempt, which leaves the same model.
    """

    def __init__(self, session: Session, tokenizer: Path, marks: Sequence[int]) -> None:
        """Stand where the run does.

        Args:
            session: the attempt.
            tokenizer: folder of the tokenizer's files.
            marks: words seen, ascending.
        """
        self._session = session
        self._tokenizer = tokenizer
        self._ahead = [mark for mark in marks if mark > session.course.words_seen]

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save where a mark was passed."""
        while self._ahead and self._ahead[0] <= self._session.course.words_seen:
            self._save(kwargs["model"], self._ahead.pop(0))

    def finish(self, model: PreTrainedModel) -> None:
        """Save the marks that the budget holds and the last update fell short of: a run ends within a batch of it."""
        while self._ahead:
            self._save(model, self._ahead.pop(0))

    def _save(self, model: PreTrainedModel, mark: int) -> None:
        """Make the model's folder where no other attempt writes, and move it when it is whole."""
        session, name = self._session, f"chck_{mark // MILLION}M"
        made = session.attempt / WORD_CHECKPOINTS / name
        session.require_current()
        session.peers.lead(lambda: write_model(made, model, self._tokenizer))
        session.require_current()
        session.peers.lead(lambda: publish(made, session.run / WORD_CHECKPOINTS / name))
