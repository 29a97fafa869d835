"""From a packed row back to text, for people to read."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.data.cache import still_there
from sleep_tune.sleep.samples import Samples

__all__ = ["decoder"]


def decoder(samples: Samples, tokenizer_dir: Path) -> Callable[[int], str]:
    """Sample -> its text: a line for each sentence, or piece of one, in the row; special tokens left out.

    The tokenizer is opened when the first text is asked for: most runs of a search that stop early never are.

    Args:
        samples: what the numbers are of.
        tokenizer_dir: the tokenizer that they were packed with.

    Raises:
        DataError: by the function that is returned: somebody has removed the tokenizer from the cache.
    """

    @cache
    def tokenizer() -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(still_there(tokenizer_dir), trust_remote_code=False, local_files_only=True)

    def text(sample: int) -> str:
        tokens = np.asarray(samples.tokens[sample])
        ends = np.flatnonzero(tokens == samples.special.separator) + 1
        lines = (tokenizer().decode(part.tolist(), skip_special_tokens=True).strip() for part in np.split(tokens, ends))
        return "\n".join(line for line in lines if line)

    return text
