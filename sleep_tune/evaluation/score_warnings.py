"""What a reader of zero-shot scores must know before believing them, in sentences. Knows no model and no files."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from sleep_tune.babylm.group_sizes import expected_size
from sleep_tune.evaluation.suite import TaskScores, TooLong

__all__ = ["score_warnings"]

NOTICED = 0.01
"""Share of ties from which on they are told: a few sentences tokenise alike in any vocabulary."""

CONSTANT = 0.5
"""Share of ties from which on a model is taken to score a constant."""


def score_warnings(
    results: Sequence[TaskScores], *, too_long: Sequence[TooLong] = (), positions: int | None = None
) -> tuple[str, ...]:
    """Everything to be warned of.

    Args:
        results: of the tasks that were scored.
        too_long: tasks that were left out.
        positions: tokens in the longest text that the model was trained on, if known.
    """
    told = [
        f"{one.name} is left out: {one.items:,} of its {one.of:,} items are longer than the model's {positions} "
        f"positions (the longest has {one.longest} tokens); the official pipeline fails on it, too"
        for one in too_long
    ]
    for result in results:
        told += [f"{result.name}: {text}" for text in _of_scores(result)]
        told += [f"{result.name}: {text}" for text in _of_items(result, positions)]
    return tuple(told)


def _of_scores(result: TaskScores) -> Iterator[str]:
    undefined = sum(not np.isfinite(scores).all() for scores in result.scores)
    if undefined:
        yield f"{undefined:,} of {len(result.items):,} items have a score that is no finite number: the model is broken"
    share = result.ties
    if share >= CONSTANT:
        yield (
            f"the model gives options the same score: in {share:.1%} of the items the best options tie, and ties count "
            "as right, so the score says nothing"
        )
    elif share >= NOTICED:
        yield f"in {share:.1%} of the items the best options tie, and ties count as right"


def _of_items(result: TaskScores, positions: int | None) -> Iterator[str]:
    alike = int(result.alike.sum())
    if alike:
        example = result.items[int(np.argmax(result.alike))].id
        yield f"{alike:,} items have options that are the same tokens (as {example}); they count as right"
    if positions is not None and (over := int((result.longest > positions).sum())):
        yield (
            f"{over:,} of {len(result.items):,} items are longer than the {positions} positions that the model was "
            f"trained on (the longest has {int(result.longest.max())} tokens); they are scored as they are, as the "
            "official pipeline does"
        )
    sizes = Counter(item.uid for item in result.items)
    expected = {uid: expected_size(result.name, uid) for uid in sizes}
    other = [uid for uid, size in sizes.items() if expected[uid] is not None and expected[uid] != size]
    if other:
        uid = other[0]
        yield (
            f"{len(other)} of {len(sizes)} groups have another size than the official data (as {uid}: {sizes[uid]:,} "
            f"items for {expected[uid]:,}); compare with nobody's published scores"
        )
