"""The pages of the documentation, and what is in their blocks."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Command", "blocks", "command_of", "lines", "read", "spans"]

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "analysis/README.md", "cluster/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]

FENCED = re.compile(r"^```([\w{}-]*).*?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
"""Language and text of a block in fences."""
INDENTED = re.compile(r"^    (\S.*)$", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")

COMMANDS = {
    ("python", "tune.py"): "search",
    ("python", "train_worker.py"): "train",
    ("python", "-m", "sleep_tune.evaluate"): "evaluate",
    ("python", "-m", "sleep_tune.simulation"): "simulate",
    ("python", "analysis/compare.py"): "compare",
    ("python", "analysis/report.py"): "report",
    ("python", "analysis/export_best.py"): "export",
    ("sbatch", "cluster/slurm.sh"): "search",
    ("python", "-m", "sleep_tune"): "",
    ("sleep-tune",): "",
}
"""First words of a command of ours -> its name; empty: the next word is the name."""


@dataclass(frozen=True, slots=True)
class Command:
    """A call of `sleep-tune`, or of a script that does the same."""

    page: str
    name: str
    """Such as 'search'; empty for `sleep-tune --help`."""
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {self.name} {shlex.join(self.arguments)}"


def read(page: Path) -> str:
    """Return the text of a page."""
    return page.read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks in fences of this language."""
    return [block for found, block in FENCED.findall(text) if found == language]


def lines(text: str) -> Iterator[list[str]]:
    """Yield the words of each line of shell commands, without its comment: those in fences, and those indented."""
    for block in (*blocks(text, "bash"), *INDENTED.findall(FENCED.sub("", text))):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def spans(text: str) -> Iterator[list[str]]:
    """Yield the words of each `code` in a sentence or table."""
    for span in SPAN.findall(FENCED.sub("", text)):
        if span.count("'") % 2 == 0 and span.count('"') % 2 == 0:
            yield shlex.split(span)


def command_of(page: Path, words: list[str]) -> Command | None:
    """Return the command of ours that these words call, or None."""
    for start, name in COMMANDS.items():
        rest = words[len(start) :]
        if tuple(words[: len(start)]) == start and rest:
            named = name or (rest.pop(0) if not rest[0].startswith("-") else "")
            return Command(page.relative_to(ROOT).as_posix(), named, tuple(rest))
    return None
