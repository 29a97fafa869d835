"""What a model must hold of the text that it reads."""

from dataclasses import dataclass
from typing import Any

from sleep_tune.sleep.samples import SpecialTokens

__all__ = ["TextFormat"]


@dataclass(frozen=True, slots=True)
class TextFormat:
    """What a model must hold of the text that it reads."""

    vocab_size: int
    """Rows of the embedding, special tokens included, >= 1."""
    max_length: int
    """Tokens in the longest row, special tokens included, >= 1."""
    special: SpecialTokens

    def token_ids(self) -> dict[str, Any]:
        """Return the ids of special tokens under transformers' names."""
        return {
            "bos_token_id": self.special.start,
            "eos_token_id": self.special.separator,
            "pad_token_id": self.special.pad,
        }
