"""What a run's folder says of how it was made: code version, configuration, how often it saw a sample at most.

A comparison is fair only where these agree, or differ in what is compared. A file that is missing or torn says nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sleep_tune.results.columns import setting_text, short_names

__all__ = ["MOST_EXPOSURES", "RunFacts", "fact_notes", "read_facts"]

MOST_EXPOSURES = 10
"""BabyLM lets a model see its corpus ten times; read to the letter, no sample more often."""

COMPARED = (
    *("sleep.", "evaluation.rungs", "evaluation.test", "training.seed"),
    *("run.", "tracking.", "data.cache_dir", "training.mirror", "training.checkpoint_"),
)
"""Options, or how their keys begin, in which arms may differ: what is compared, and what changes nothing of a run."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run."""

    commit: str | None = None
    """Of the code, with a + where it had uncommitted changes."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Every option by its dotted key."""
    seen_often: float | None = None
    """Share of the samples that it saw more than `MOST_EXPOSURES` times; None where it does not say."""
    left_out: tuple[str, ...] = ()
    """Tasks that it was to be scored on and was not, each with the reason."""


def read_facts(run: Path) -> RunFacts:
    """What the folder of a run says."""
    environment = _json(run / "environment.json")
    commit = environment.get("commit")
    dirty = "+" if environment.get("uncommitted") else ""
    path = run / "config.yaml"
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        config = {}
    options = dict(_flat(config if isinstance(config, Mapping) else {}))
    return RunFacts(
        commit=f"{str(commit)[:10]}{dirty}" if commit else None,
        config=options,
        seen_often=_seen_often(run / "metrics.jsonl", options.get("budget.passes")),
        left_out=_texts(run / "eval" / "left_out.json"),
    )


def fact_notes(facts: Mapping[str, Sequence[RunFacts]], baseline: str) -> Iterator[str]:
    """What a reader must beware of.

    Args:
        facts: arm -> its runs.
        baseline: the arm that every other is compared with.
    """
    commits = {run.commit for runs in facts.values() for run in runs if run.commit}
    if len(commits) > 1:
        yield f"Beware: the runs were made by {len(commits)} versions of the code ({', '.join(sorted(commits))})."
    reference = next((run.config for run in facts.get(baseline, ()) if run.config), {})
    for arm, runs in facts.items():
        differing = _differing(runs, reference)
        if differing:
            names = short_names(differing)
            told = ", ".join(f"{names[key]} {_against(value, reference[key])}" for key, value in differing.items())
            who = f"the runs of {arm} differ" if arm == baseline else f"{arm} differs from {baseline}"
            yield f"Beware: {who} in more than {'their seeds' if arm == baseline else 'its sleep'}: {told}."
    for reason in dict.fromkeys(reason for runs in facts.values() for run in runs for reason in run.left_out):
        yield f"Beware: {reason}."
    often = {arm: max((run.seen_often or 0.0 for run in runs), default=0.0) for arm, runs in facts.items()}
    told = ", ".join(f"{arm} {share:.1%}" for arm, share in often.items() if share > 0)
    if told:
        yield (
            f"Beware: some samples were seen more than {MOST_EXPOSURES} times (share of the samples: {told}), which "
            "BabyLM's rule, read to the letter, does not allow."
        )


def _differing(runs: Sequence[RunFacts], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Options in which any of the runs is not as the reference, though it should be, with the first such value."""
    found: dict[str, Any] = {}
    for run in runs:
        for key, value in run.config.items():
            if key in reference and value != reference[key] and not key.startswith(COMPARED):
                found.setdefault(key, value)
    return found


def _against(value: object, other: object) -> str:
    """`0.0003123 against 0.001`; with all their digits where fewer would not tell them apart."""
    short, other_short = setting_text(value), setting_text(other)
    return f"{value} against {other}" if short == other_short else f"{short} against {other_short}"


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _seen_often(path: Path, passes: float | None) -> float | None:
    """From the histogram of the last sleep on record; without any, all was read awake, pass after pass."""
    if not path.is_file():
        return None
    for line in reversed(path.read_bytes().splitlines()):
        if line.startswith(b'{"kind":"sleep"'):
            try:
                counts = json.loads(line)["exposures"]
                return float(sum(counts[MOST_EXPOSURES + 1 :]) / max(1, sum(counts)))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                continue
    return None if passes is None else min(1.0, max(0.0, passes - MOST_EXPOSURES))


def _texts(path: Path) -> tuple[str, ...]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ()
    return tuple(str(text) for text in found) if isinstance(found, list) else ()


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _flat(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
