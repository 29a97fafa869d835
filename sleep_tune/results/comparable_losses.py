"""Which arms have losses that can be compared: those of one training objective and one tokenizer.

A loss is in nats per token. A masked model predicts a token from both sides, a causal one from the left only, and
another vocabulary cuts the same text into other tokens. So a lower loss says nothing where either differs. Scores of
test items (minimal pairs, BabyLM's tasks) are shares of right answers and compare between all models.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from sleep_tune.errors import listed
from sleep_tune.metric_names import split_variant
from sleep_tune.results.arms import Arm, Comparison
from sleep_tune.results.columns import MOST_NAMED

__all__ = [
    "DEFAULT",
    "OBJECTIVE",
    "OTHER_MEASURE",
    "LossMeasure",
    "are_comparable",
    "is_loss",
    "loss_notes",
    "measure_of",
    "no_loss_verdict",
]

LOSSES = ("nll", "perplexity", "pseudo_perplexity")
"""Metrics, without their split, that are losses or functions of one."""

OBJECTIVE, DEFAULT = "training.objective", "mlm"
"""The option that names the objective, and that of runs whose configuration is older than the option."""


OTHER_MEASURE = "‡"
"""Marks a loss that cannot be compared with the baseline's; a note explains it."""


@dataclass(frozen=True, slots=True)
class LossMeasure:
    """What the loss of a run is measured by."""

    objective: str
    tokenizer: str
    """Kind and size, or kind and name, such as `bpe 8,192`."""

    def __str__(self) -> str:
        return f"objective {self.objective}, tokenizer {self.tokenizer}"


def is_loss(metric: str) -> bool:
    """Return whether a metric is a loss, in nats per token, or the exponential of one.

    >>> is_loss("ema/eval/nll"), is_loss("test/pairs_accuracy"), is_loss("nll")
    (True, False, False)
    """
    return split_variant(metric)[1].partition("/")[2] in LOSSES


def measure_of(config: Mapping[str, Any]) -> LossMeasure | None:
    """Return what the loss of a run is measured by.

    Args:
        config: its options by dotted key.

    Returns:
        None where the configuration does not name a tokenizer, so that it is unknown.
    """
    kind = config.get("tokenizer.kind")
    if kind is None:
        return None
    size, name = config.get("tokenizer.vocab_size"), config.get("tokenizer.name")
    # A folder may lie elsewhere on another machine, so only the last part of its path counts.
    which = f"{size:,}" if name is None and isinstance(size, int) else PurePath(str(name)).name
    return LossMeasure(str(config.get(OBJECTIVE, DEFAULT)), f"{kind} {which}")


def are_comparable(arm: Arm, other: Arm, metric: str) -> bool:
    """Return whether two arms can be compared at a metric: always, unless it is a loss of another measure."""
    if not is_loss(metric):
        return True
    ours, theirs = _measure(arm), _measure(other)
    return ours is None or theirs is None or ours == theirs


def _measure(arm: Arm) -> LossMeasure | None:
    return next((measure for run in arm.facts if (measure := measure_of(run.config)) is not None), None)


def loss_notes(comparison: Comparison) -> Iterator[str]:
    """Name the arms whose losses cannot be compared with the baseline's, and say what compares."""
    metrics = [key for key in comparison.metrics if is_loss(key)]
    apart = _apart(comparison, comparison.arms, metrics)
    if apart:
        yield (
            f"Not comparable ({OTHER_MEASURE}): the losses (nll, perplexity) {_with_measures(comparison, apart)}, "
            "because a loss is in nats per token of one objective and one tokenizer. Their differences are left out; "
            f"{_alternative(comparison, apart)}."
        )


def no_loss_verdict(comparison: Comparison) -> str | None:
    """Return the verdict where the primary endpoint is a loss that no compared arm shares with the baseline."""
    primary = comparison.endpoints[0]
    arms = [arm for arm in comparison.compared if primary in arm.values]
    apart = _apart(comparison, arms, [primary])
    if not apart or len(apart) < len(arms):
        return None
    what = comparison.column(primary).heading
    return (
        f"No verdict: {what} is not comparable {_with_measures(comparison, apart)}; {_alternative(comparison, apart)}."
    )


def _apart(comparison: Comparison, arms: Sequence[Arm], metrics: Sequence[str]) -> list[Arm]:
    reference = comparison.reference
    if reference is None:
        return []
    return [
        arm for arm in arms if any(key in arm.values and not are_comparable(arm, reference, key) for key in metrics)
    ]


def _with_measures(comparison: Comparison, arms: Sequence[Arm]) -> str:
    """Return such as 'of t0004 (objective clm, ...) with those of epochs (objective mlm, ...)'."""
    assert comparison.reference is not None
    alike: dict[str, list[str]] = {}
    for arm in arms:
        alike.setdefault(str(_measure(arm)), []).append(arm.name)
    ours = "; ".join(f"{listed(names, MOST_NAMED)} ({measure})" for measure, names in alike.items())
    return f"of {ours} with {comparison.baseline} ({_measure(comparison.reference)})"


def _alternative(comparison: Comparison, arms: Sequence[Arm]) -> str:
    """Say which endpoints of the table compare these arms with the baseline."""
    scores = [key for key in comparison.endpoints if not is_loss(key)]
    found = [key for key in scores if any(key in arm.contrasts for arm in arms)]
    if found:
        return f"what compares is {listed([f'{comparison.column(key).heading} ({key})' for key in found], MOST_NAMED)}"
    return (
        "scores of test items (minimal pairs, BabyLM's tasks) compare, where both arms have them at the same seeds "
        "(finalists.first_seed)"
    )
