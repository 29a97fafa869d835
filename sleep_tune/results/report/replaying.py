"""The report's section on what was replayed: how often, from where, how old, how hard, and a few texts."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from sleep_tune.results.arms import Comparison
from sleep_tune.results.markup import html_text
from sleep_tune.results.report.answering import described
from sleep_tune.results.report.journals import Journal
from sleep_tune.results.report.page import Plot
from sleep_tune.results.report.replay_figures import ages, exposures, sources
from sleep_tune.results.report.style import wrapped
from sleep_tune.results.sheet import MISSING, settings_text

__all__ = ["examples_table", "replayed"]


def replayed(comparison: Comparison, journals: Mapping[str, Journal]) -> Iterator[str | Plot]:
    """The section.

    Args:
        comparison: of the arms.
        journals: arm -> that of its first seed.
    """
    slept = {name: journal for name, journal in journals.items() if not journal.sleeps.empty}
    if not slept:
        yield "<p>No run that is compared has slept yet.</p>"
        return
    names = {arm.name: described(arm, comparison) for arm in comparison.arms}
    seen = exposures(journals, {arm.name: wrapped(arm.name, settings_text(arm, comparison)) for arm in comparison.arms})
    if seen:
        yield Plot(
            seen,
            "How often samples had been seen, awake and asleep, by the end of the last sleep (each arm's first seed). "
            "An arm that never sleeps sees every sample once a pass.",
        )
    shown = next(
        (arm.name for arm in comparison.arms if arm.kind == "finalist" and arm.name in slept), next(iter(slept))
    )
    journal, name = slept[shown], names.get(shown, shown)
    for made, caption in (
        (sources(journal), f"Where the buffer of each sleep of {name} came from; its first seed, as below."),
        (ages(journal), f"How old what {name} replayed was, and how hard when it was last read awake."),
    ):
        if made:
            yield Plot(made, caption)
    if not journal.examples.empty:
        yield f"<h3>Texts that {html_text(name)} replayed</h3>"
        yield (
            "<p>From the hardest of a sleep's buffer to the easiest. Score: the mean loss when it was last read awake, "
            "in nats. Age: cycles since then. Times seen, awake and asleep, by the end of the sleep.</p>"
        )
        yield examples_table(journal)


def examples_table(journal: Journal) -> str:
    """The texts that were kept of the first, a middle and the last sleep, hardest first; empty where none were kept."""
    cycles = sorted(journal.examples["cycle"].unique())
    if not cycles:
        return ""
    chosen = dict.fromkeys((cycles[0], cycles[len(cycles) // 2], cycles[-1]))
    rows = "".join(
        f'<tr><td>{row.cycle + 1}</td><td class="text">{html_text(str(row.text))}</td>'
        f'<td class="n">{_number(row.score, 2)}</td><td class="n">{_number(row.age, 0)}</td>'
        f'<td class="n">{_number(row.times_seen, 0)}</td></tr>'
        for cycle in chosen
        for row in journal.examples[journal.examples["cycle"] == cycle].itertuples()
    )
    numbers = "".join(f'<th class="n">{name}</th>' for name in ("score", "age", "times seen"))
    head = f"<tr><th>sleep</th><th>text</th>{numbers}</tr>"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _number(value: Any, digits: int) -> str:
    return MISSING if pd.isna(value) else f"{value:.{digits}f}"
