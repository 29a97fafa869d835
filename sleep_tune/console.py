"""The console that all commands print on, where nothing from outside is markup or moves the cursor."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from sleep_tune.plain_text import visible

__all__ = ["PlainConsole"]


class PlainConsole(Console):
    """A console of rich that prints strings as they are: `[red]` is no colour, `:boom:` no picture.

    A control character in a name, a reason or a text is shown as a character; styles are given by `rich.text.Text`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the segments of what is printed; only those that rich itself marks as control are."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))
