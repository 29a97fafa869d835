"""The report's last sections: which runs failed and why, and how to do it all again."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import yaml

from sleep_tune.experiment.experiment_file import EXPERIMENT, read_experiment_file
from sleep_tune.results.markup import html_text

__all__ = ["failures", "reproduce"]

MOST_FAILURES = 50
"""Failures told one by one."""


def failures(table: pd.DataFrame) -> Iterator[str]:
    """The section: failed and refused trials with their reasons, as they stand in the log."""
    failed = table[table["state"].isin(["failed", "refused"])]
    if failed.empty:
        yield "<p>None.</p>"
        return
    rows = "".join(
        f"<tr>{''.join(f'<td>{html_text(_text(value))}</td>' for value in row)}</tr>"
        for row in failed[["trial", "state", "kind", "reason"]].head(MOST_FAILURES).itertuples(index=False)
    )
    if len(failed) > MOST_FAILURES:
        yield f"<p>The first {MOST_FAILURES} of {len(failed)}; all are in tables/trials.csv.</p>"
    head = "<thead><tr><th>trial</th><th>state</th><th>kind</th><th>reason</th></tr></thead>"
    yield f'<div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>'


def reproduce(folder: Path) -> Iterator[str]:
    """The section: the versions that the experiment ran under, and its space.

    Raises:
        RunFolderError: its description is not as it was written.
    """
    path = folder / EXPERIMENT
    if not path.is_file():
        yield f"<p>The folder has no {EXPERIMENT}.</p>"
        return
    read = read_experiment_file(path)
    packages = read.get("packages") or {}
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    commit = read.get("commit") or "unknown"
    dirty = " with uncommitted changes" if read.get("uncommitted") else ""
    yield (
        f"<p>sleep-tune {html_text(_text(read.get('sleep_tune')))}, commit <code>{html_text(str(commit))}</code>"
        f"{dirty}, Python {html_text(_text(read.get('python')))}, {html_text(_text(read.get('platform')))}; "
        f"{html_text(versions)}.</p>"
    )
    space = yaml.safe_dump(read.get("space"), sort_keys=False, allow_unicode=True)
    yield "<p>Save this as <code>space.yaml</code> and run <code>python tune.py space.yaml</code>:</p>"
    yield f"<pre>{html_text(space)}</pre>"


def _text(value: object) -> str:
    """As it is; nothing where it is missing."""
    return "" if value is None or value is pd.NA or value != value else str(value)
