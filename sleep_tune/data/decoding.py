"""Decoding of packed rows, for people to read."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.data.cache import require_cached
from sleep_tune.sleep.samples import Samples

__all__ = ["decoder"]


def decoder(samples: Samples, tokenizer_dir: Path) -> Callable[[int], str]:
    """Return a function from a sample's number to its text: a line for each sentence, or piece of one, in the row.

    Special tokens are left out. The tokenizer is opened at the first call, which runs that stop early never make.

    Args:
        samples: the packed rows.
        tokenizer_dir: folder of the tokenizer with which they were packed.

    Raises:
        DataError: raised by the returned function if the tokenizer has been removed from the cache.
    """

    @cache
    def tokenizer() -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(
            require_cached(tokenizer_dir), trust_remote_code=False, local_files_only=True
        )

    def text(sample: int) -> str:
        tokens = np.asarray(samples.tokens[sample])
        ends = np.flatnonzero(tokens == samples.special.separator) + 1
        lines = (tokenizer().decode(part.tolist(), skip_special_tokens=True).strip() for part in np.split(tokens, ends))
        return "\n".join(line for line in lines if line)

    return text
