"""Facts on how a run was made, from its folder: code version, configuration, and how often it saw a sample.

A comparison is fair only where these agree, apart from what is compared. A missing or damaged file counts as unknown.
"""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sleep_tune.babylm.data_protocol import AUTO_PROTOCOL
from sleep_tune.babylm.protocols import ABSENT
from sleep_tune.errors import RunFolderError
from sleep_tune.experiment.exposures import read_exposures
from sleep_tune.experiment.run_folder import CONFIG, ENVIRONMENT, EXPOSURES, METRICS
from sleep_tune.experiment.run_protocol import complete_stored
from sleep_tune.files import read_json_object
from sleep_tune.results.columns import setting_text, short_names

__all__ = ["MOST_EXPOSURES", "UNRELATED", "RunFacts", "fact_notes", "flatten_section", "model_notes", "read_facts"]

MOST_EXPOSURES = 10
"""BabyLM allows ten passes over the corpus; read strictly, no sample may be seen more often."""

UNRELATED = (
    *("evaluation.rungs", "evaluation.test", "training.seed"),
    *("run.", "tracking.", "data.cache_dir", "training.mirror", "training.checkpoint_"),
)
"""Beginnings of the keys of the seed, and of options that do not change the result of a run."""

COMPARED = ("sleep.", *UNRELATED)
"""Beginnings of the keys in which arms may differ."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Facts on how one run was made."""

    commit: str | None = None
    """Of the code, with a + where it had uncommitted changes."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Every option by its dotted key."""
    seen_often: float | None = None
    """Share of the samples seen more than `MOST_EXPOSURES` times, in [0, 1]; None where it is unknown."""
    has_exposures: bool = False
    """Whether it kept how often it trained on each sample."""
    left_out: tuple[str, ...] = ()
    """Tasks that it should have been scored on but was not, each with the reason."""

    @property
    def year(self) -> str:
        """The protocol of BabyLM that it was scored by; `ABSENT` where its configuration names none."""
        named = self.config.get("evaluation.protocol")
        return ABSENT if named in (None, AUTO_PROTOCOL) else str(named)


def read_facts(run: Path) -> RunFacts:
    """Return how the run in a folder was made."""
    environment = read_json_object(run / ENVIRONMENT) or {}
    commit = environment.get("commit")
    dirty = "+" if environment.get("uncommitted") else ""
    path = run / CONFIG
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        config = {}
    options = flatten_section(complete_stored(config) if isinstance(config, Mapping) else {})
    return RunFacts(
        commit=f"{str(commit)[:10]}{dirty}" if commit else None,
        config=options,
        seen_often=_seen_often(run, options.get("budget.passes")),
        has_exposures=(run / EXPOSURES).is_file(),
        left_out=_texts(run / "eval" / "left_out.json"),
    )


def fact_notes(
    facts: Mapping[str, Sequence[RunFacts]], baseline: str, settings: Mapping[str, Collection[str]] | None = None
) -> Iterator[str]:
    """Yield warnings about runs that were not made alike.

    Args:
        facts: arm -> its runs.
        baseline: the arm that every other is compared with.
        settings: arm -> the options that a search set for it. One that was tuned for both arms may differ.
    """
    tuned = settings or {}
    commits = {run.commit for runs in facts.values() for run in runs if run.commit}
    if len(commits) > 1:
        yield f"Warning: the runs used {len(commits)} versions of the code ({', '.join(sorted(commits))})."
    reference = next((run.config for run in facts.get(baseline, ()) if run.config), {})
    for arm, runs in facts.items():
        both = set() if arm == baseline else set(tuned.get(arm, ())) & set(tuned.get(baseline, ()))
        differing = {key: value for key, value in _differing(runs, reference).items() if key not in both}
        if differing:
            names = short_names(differing)
            values = ", ".join(f"{names[key]} {_instead_of(value, reference[key])}" for key, value in differing.items())
            if arm == baseline:
                yield f"Warning: the runs of {arm} differ in options other than the seed: {values}."
            else:
                yield f"Warning: {arm} differs from {baseline} in options other than those of sleep: {values}."
    for reason in dict.fromkeys(reason for runs in facts.values() for run in runs for reason in run.left_out):
        yield f"Warning: {reason}."
    often = {arm: max((run.seen_often or 0.0 for run in runs), default=0.0) for arm, runs in facts.items()}
    shares = ", ".join(f"{arm} {share:.1%}" for arm, share in often.items() if share > 0)
    if shares:
        yield (
            f"Warning: some samples were seen more than {MOST_EXPOSURES} times (share of the samples: {shares}); "
            "BabyLM's rule, read strictly, does not allow that."
        )


def model_notes(runs: Sequence[RunFacts]) -> Iterator[str]:
    """Say which model was trained, with which objective and optimizer; nothing where no configuration is known."""
    configs = [run.config for run in runs if "model.kind" in run.config]
    if not configs:
        return
    kind, layers, width, named, objective, optimizer = (_values(configs, *option) for option in TRAINED)
    # The sizes of an architecture of transformers (model=hf) are in its own configuration.
    what = f"{kind} {named}" if named else f"{kind}, {layers} layers of width {width}"
    yield f"Model: {what}; objective {objective}; optimizer {optimizer}."


TRAINED = (
    (("model.kind",), ""),
    (("model.layers",), ""),
    (("model.hidden",), ""),
    (("model.config", "model.init"), ""),
    (("training.objective",), "mlm"),
    (("training.optimizer",), "adamw"),
)
"""Options that say what was trained, of which the first one that is set counts, and their value in older runs."""


def _values(configs: Sequence[Mapping[str, Any]], keys: Sequence[str], older: str) -> str:
    """Return the values of the first key that is set, in all configurations: `clm`, or `adamw or muon`."""
    found = (next((config[key] for key in keys if config.get(key) is not None), older) for config in configs)
    return " or ".join(dict.fromkeys(map(str, found)))


def _differing(runs: Sequence[RunFacts], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, with the first deviating value, in which a run differs from the reference but should not."""
    found: dict[str, Any] = {}
    for run in runs:
        for key, value in run.config.items():
            if key in reference and value != reference[key] and not key.startswith(COMPARED):
                found.setdefault(key, value)
    return found


def _instead_of(value: object, other: object) -> str:
    """Return such as `0.0003123 instead of 0.001`, with all digits where the shortened numbers are equal."""
    short, other_short = setting_text(value), setting_text(other)
    return f"{value} instead of {other}" if short == other_short else f"{short} instead of {other_short}"


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _seen_often(run: Path, passes: float | None) -> float | None:
    """Return the share by the run's exposures.

    Where an earlier version kept none, by the histogram of the last recorded sleep; without sleeps, a pass sees each
    sample once.
    """
    with contextlib.suppress(RunFolderError):
        return float((read_exposures(run).times_seen > MOST_EXPOSURES).mean())
    path = run / METRICS
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


def flatten_section(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the options of a nested section by dotted key; each key begins with `prefix`. No key is checked."""
    found: dict[str, Any] = {}
    for key, value in section.items():
        found |= flatten_section(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
