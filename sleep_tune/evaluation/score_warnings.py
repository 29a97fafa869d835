"""Warnings that belong beside zero-shot scores, as sentences."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from sleep_tune.babylm.group_sizes import NUM_GROUPS, expected_size
from sleep_tune.babylm.protocols import ABSENT, EXPECTED_CREDIT, PROTOCOLS, Protocol
from sleep_tune.evaluation.suite import LongTask, TaskScores

__all__ = ["score_warnings"]

NOTICED = 0.01
"""Share of ties from which on they are reported: a few sentences are the same tokens in any vocabulary."""

CONSTANT = 0.5
"""Share of ties from which on a score is called meaningless."""


def score_warnings(
    results: Sequence[TaskScores],
    *,
    too_long: Sequence[LongTask] = (),
    positions: int | None = None,
    protocol: Protocol = PROTOCOLS[ABSENT],
) -> tuple[str, ...]:
    """Return all warnings about a model's scores.

    Args:
        results: scores of the tasks.
        too_long: tasks that were skipped.
        positions: tokens in the longest text that the model was trained on, if known.
        protocol: says what ties count, and how many items there should be.
    """
    warnings = [
        f"{one.name} is not scored: {one.items:,} of its {one.of:,} items are longer than the model's {positions} "
        f"positions (the longest has {one.longest} tokens); the official pipeline fails on it, too"
        for one in too_long
    ]
    for result in results:
        warnings += [f"{result.name}: {text}" for text in _about_scores(result, protocol)]
        warnings += [f"{result.name}: {text}" for text in _about_items(result, positions, protocol)]
    return tuple(warnings)


def _worth(protocol: Protocol) -> str:
    """Return what ties count."""
    return "as 1/k, k options being the best" if protocol.ties == EXPECTED_CREDIT else "as right"


def _about_scores(result: TaskScores, protocol: Protocol) -> Iterator[str]:
    undefined = sum(not np.isfinite(scores).all() for scores in result.scores)
    if undefined:
        items = f"{undefined:,} of {len(result.items):,} items"
        yield f"{items} have a score that is not a finite number: the model is broken"
    share = result.ties
    if share >= CONSTANT:
        yield (
            f"in {share:.1%} of the items the model gives the right option and another one the same score; ties count "
            f"{_worth(protocol)}, so this score is meaningless"
        )
    elif share >= NOTICED:
        yield f"in {share:.1%} of the items the right option ties with another one; ties count {_worth(protocol)}"


def _about_items(result: TaskScores, positions: int | None, protocol: Protocol) -> Iterator[str]:
    alike = int(result.alike.sum())
    if alike:
        example = result.items[int(np.argmax(result.alike))].id
        yield f"in {alike:,} items (such as {example}) two options are the same tokens; ties count {_worth(protocol)}"
    if positions is not None and (over := int((result.longest > positions).sum())):
        yield (
            f"{over:,} of {len(result.items):,} items are longer than the {positions} positions that the model was "
            f"trained on (the longest has {int(result.longest.max())} tokens); they are scored nevertheless, as in the "
            "official pipeline"
        )
    sizes = Counter(item.uid for item in result.items)
    expected = {uid: expected_size(result.name, uid, protocol.year) for uid in sizes}
    other = [uid for uid, size in sizes.items() if expected[uid] is not None and expected[uid] != size]
    if other:
        uid = other[0]
        yield (
            f"{len(other)} of {len(sizes)} groups do not have the official number of items (such as {uid}: "
            f"{sizes[uid]:,} instead of {expected[uid]:,}); do not compare this score with published ones"
        )
    groups = NUM_GROUPS.get(result.name)
    if groups is not None and groups != len(sizes):
        yield f"{len(sizes)} items instead of the official {groups}; do not compare this score with published ones"
