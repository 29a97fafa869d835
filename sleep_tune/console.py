"""The console of all commands, on which text from outside is neither markup nor moves the cursor."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from sleep_tune.plain_text import visible

__all__ = ["PlainConsole"]


class PlainConsole(Console):
    """Console of rich that prints strings literally: `[red]` is not a colour, `:boom:` not a picture.

    Control characters are shown as symbols. Styles are set by `rich.text.Text`. In a notebook it writes plain text to
    its file, as everywhere else.
    """

    def __init__(self, **options: Any) -> None:
        if _is_notebook(options.get("file") or sys.stdout):  # it calls itself a terminal, but the cursor cannot go up
            options |= {"force_terminal": False}
        super().__init__(markup=False, emoji=False, force_jupyter=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the segments to print; only those that rich itself marks as control sequences stay such."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


def _is_notebook(file: object) -> bool:
    return type(file).__module__.partition(".")[0] == "ipykernel"
