"""Progress of an evaluation as a line of text on standard error, in a terminal and in a notebook."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from sleep_tune.evaluate.zero_shot import Begin

__all__ = ["text_bars"]


@contextmanager
def text_bars() -> Iterator[Begin]:
    """Return a function that begins a part of the work and shows a bar for its tokens; the last one stays."""
    bar: tqdm[Any] = tqdm(unit=" tokens", unit_scale=True, delay=1e-3)

    def begin(description: str, total: int | None) -> Callable[[int], None]:
        bar.set_description_str(description, refresh=False)
        bar.reset(total)

        def advance(tokens: int) -> None:
            bar.update(tokens)

        return advance

    with bar:
        yield begin
