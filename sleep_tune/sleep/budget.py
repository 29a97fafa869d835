"""The budget of words: how many passes it holds, how long a sleep phase lasts, and which settings do not fit.

Counts are compared with exact fractions, so that rounding errors never add up.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from sleep_tune.errors import BudgetError

__all__ = ["SleepPlan", "plan_budget", "to_fraction"]


def to_fraction(number: float) -> Fraction:
    """Return a number rounded to 12 significant digits as a fraction: 0.1 and 1.1 - 1 both become exactly 1/10."""
    return Fraction(f"{number:.12g}")


@dataclass(frozen=True, slots=True)
class SleepPlan:
    """Plan of how a run spends its budget of words; made by `plan_budget`, which checks it."""

    budget_words: int
    """B, the words that the run may train on, replay included."""
    corpus_words: int
    """W, the words in the corpus: those of one pass."""
    num_samples: int
    """N, the samples in the corpus."""
    batch_size: int
    """Samples in a batch, over all processes."""
    batches_per_pass: int
    """ceil(N / batch)."""
    folds: int
    """K, folds in a pass."""
    ratio: Fraction | None
    """r, words asleep per word awake; None where `repeats` is set."""
    repeats: float | None
    """m, times that each buffer is replayed; None where `ratio` is set."""
    passes: float | None
    """Expected passes over the corpus; None if that needs the size of buffers, which was not given."""
    matched: bool = False
    """Whether the run sees the exposures of another run; it has no sleep then."""
    interleave: bool = False
    """Whether replay is mixed into the batches read awake, from the second fold on, in place of sleep phases."""
    largest_exposures: int | None = None
    """About the most times that a sample is seen: one that is in every buffer from the first on. None: not known."""

    @property
    def sleeps(self) -> bool:
        """Whether the run has sleep phases; without them (`epochs`) no scores are needed."""
        return self.repeats is not None or bool(self.ratio)

    def sleep_continues(self, *, words_seen: int, words_read_awake: int, rows_replayed: int, rows_chosen: int) -> bool:
        """Return whether a sleep phase takes another batch.

        With `ratio`, it does while words_seen < (1 + r) x words_read_awake: strictly less, so that a run with r = 0 has
        no sleep phase. With `repeats`, it does while fewer rows have been replayed than m x the sizes of all buffers so
        far. Counts are over the whole run, so that rounding never adds up.

        Args:
            words_seen: words so far, awake and asleep, >= 0.
            words_read_awake: words so far, awake, in [0, words_seen].
            rows_replayed: rows handed out asleep so far, >= 0.
            rows_chosen: sum of the sizes of all buffers so far, the current one included.
        """
        if self.ratio is not None:
            whole, part = self.ratio.denominator, self.ratio.numerator
            return words_seen * whole < (whole + part) * words_read_awake
        return rows_replayed < to_fraction(self.repeats or 0) * rows_chosen

    def rows_in_batch(self, rows_before: int) -> int:
        """Return the number of rows in the next batch, in [1, batch_size].

        Every N rows are cut as a pass is, into full batches and a last one with the rest, whatever the sizes of
        buffers. With full batches alone, runs that replay more would make fewer updates from the same words.

        Args:
            rows_before: rows handed out so far, >= 0: asleep where a run has sleep phases, else all.
        """
        return min(self.batch_size, self.num_samples - rows_before % self.num_samples)

    def describe(self) -> str:
        """Return one sentence for users: the budget, its passes, how long the run sleeps, and where it ends."""
        size = self.budget_words / self.corpus_words
        budget = f"{self.budget_words:,} words ({size:.4g} x the corpus of {self.corpus_words:,})"
        if self.matched:
            return f"{budget}: the exposures of another run in one random order, without sleep"
        if not self.sleeps:
            return f"{budget}: {_count(size, 'pass', 'passes')} without sleep"
        cycle = f"{_count(self.folds, 'fold')} a pass"
        if self.ratio is None:
            passes = "" if self.passes is None else f"about {_count(self.passes, 'pass', 'passes')}, "
            return f"{budget}: {passes}{cycle}, each buffer replayed {_count(self.repeats or 0, 'time')}"
        passes = _count(self.passes or 0, "pass", "passes")
        if self.interleave:
            words = f"{float(self.ratio):.4g} words replayed per word read, mixed into reading from the second fold on"
            return f"{budget}: {passes}, {cycle}, {words}"
        words = f"{float(self.ratio):.4g} words asleep per word awake"
        return f"{budget}: {passes}, {cycle}, {words}; {self._ending(self.ratio)}"

    def _ending(self, ratio: Fraction) -> str:
        """Return where the run ends if every fold has W / K words: after a sleep phase, or within a later fold."""
        fold_words = Fraction(self.corpus_words, self.folds)
        cycles, rest = divmod(Fraction(self.budget_words), (1 + ratio) * fold_words)
        if rest < 1:  # a budget of passes is floored to whole words
            return f"ends after sleep {cycles}"
        phase = "awake" if rest <= fold_words else "asleep"
        pass_index, fold = divmod(cycles, self.folds)
        return f"{_count(cycles, 'cycle')}, then ends {phase} in pass {pass_index + 1}, fold {fold + 1}"


def _count(number: float, one: str, many: str | None = None) -> str:
    """Return a number with its noun: '1 pass', '6.667 passes'."""
    return f"{number:.4g} {one if number == 1 else many or one + 's'}"


def plan_budget(
    *,
    corpus_words: int,
    num_samples: int,
    batch_size: int,
    folds: int,
    budget_passes: float | None = None,
    budget_words: int | None = None,
    length_passes: float | None = None,
    length_ratio: float | None = None,
    length_repeats: float | None = None,
    replay_ratio: float | None = None,
    replay_scope: str = "seen",
    interleave: bool = False,
    max_exposures: int | None = None,
) -> SleepPlan:
    """Return the plan of a run; exactly one of the two budgets and one of the three lengths must be given.

    The budget must hold one whole pass over the corpus; only a run without sleep may be shorter.

    Usage:
        plan_budget(
            corpus_words=10**7, num_samples=111_600, batch_size=32, folds=10, budget_passes=10, length_ratio=1
        )

    Args:
        corpus_words: W, >= 1.
        num_samples: N, >= 1.
        batch_size: samples in a batch over all processes, >= 1.
        folds: K, in [1, ceil(N / batch_size)].
        budget_passes: the budget as a multiple of W, > 0.
        budget_words: the budget in words, >= 1.
        length_passes: P, passes over the corpus, in [1, B / W]; the rest of the budget is sleep: r = B / (P W) - 1.
        length_ratio: r, words asleep per word awake, in [0, B / W - 1].
        length_repeats: m, times that each buffer is replayed, > 0.
        replay_ratio: buffer size per candidate, in (0, 1]; needed to check `length_repeats` and to compute its passes.
        replay_scope: 'seen' or 'fold', which samples are candidates.
        interleave: replay is mixed into the batches that are read, from the second fold on.
        max_exposures: the most times that a sample is seen, >= 1; None: no limit.

    Raises:
        BudgetError: the budget cannot hold the settings; the message names the key and its bound.
    """
    _exactly_one("budget", passes=budget_passes, words=budget_words)
    _exactly_one("sleep.length", passes=length_passes, ratio=length_ratio, repeats=length_repeats)
    for key, value in (("corpus_words", corpus_words), ("num_samples", num_samples), ("batch_size", batch_size)):
        if value < 1:
            raise BudgetError(f"{key} must be at least 1; got {value}")
    batches = math.ceil(num_samples / batch_size)
    if not 1 <= folds <= batches:
        held = f"{num_samples:,} samples are {batches:,} batches of {batch_size}"
        raise BudgetError(f"sleep.folds must be in [1, {batches}], the batches of a pass ({held}); got {folds}")

    size = to_fraction(budget_passes) if budget_passes is not None else Fraction(budget_words or 0, corpus_words)
    words = int(size * corpus_words)
    if words < 1:
        key, given = ("words", budget_words) if budget_passes is None else ("passes", budget_passes)
        raise BudgetError(f"budget.{key} must hold at least one word; got {given}")
    ratio: Fraction | None = None
    passes: Fraction | None = None
    if length_repeats is not None:
        passes = _passes_by_repeats(size, to_fraction(length_repeats), folds, replay_ratio, replay_scope)
    else:
        ratio = _ratio_by_passes(size, length_passes) if length_passes is not None else to_fraction(length_ratio or 0)
        _check_ratio(ratio, size)
        passes = size / (1 + ratio)
    if interleave:
        _check_interleave(ratio, passes, folds)
    largest = None
    if passes is not None and replay_ratio is not None:
        largest = _largest_exposures(passes, folds, ratio, length_repeats, replay_ratio, replay_scope)
    if passes is not None and max_exposures is not None:
        _check_exposures(max_exposures, passes, size)
        largest = max_exposures if largest is None else min(largest, max_exposures)
    return SleepPlan(
        budget_words=words,
        corpus_words=corpus_words,
        num_samples=num_samples,
        batch_size=batch_size,
        batches_per_pass=batches,
        folds=folds,
        ratio=ratio,
        repeats=length_repeats,
        passes=None if passes is None else float(passes),
        interleave=interleave,
        largest_exposures=largest,
    )


def _exactly_one(section: str, **options: float | None) -> None:
    """Raise BudgetError unless exactly one option of a section is set."""
    given = [f"{section}.{name}" for name, value in options.items() if value is not None]
    if len(given) != 1:
        names = ", ".join(f"{section}.{name}" for name in options)
        raise BudgetError(f"exactly one of {names} must be set; got {', '.join(given) or 'none'}")


def _ratio_by_passes(size: Fraction, length_passes: float) -> Fraction:
    """Return the r with which the budget holds exactly that many passes."""
    passes = to_fraction(length_passes)
    if size < 1 and passes != size:
        raise BudgetError(_too_short(size))
    if not (passes == size or 1 <= passes <= size):
        bound = f"in [1, {float(size):.6g}], whole passes that a budget of {float(size):.6g} passes holds"
        raise BudgetError(f"sleep.length.passes must be {bound}; got {length_passes:g}")
    return size / passes - 1


def _check_ratio(ratio: Fraction, size: Fraction) -> None:
    """Raise BudgetError if sleep would leave no room for one whole pass."""
    if ratio < 0:
        raise BudgetError(f"sleep.length.ratio must be at least 0, no sleep; got {float(ratio):g}")
    if ratio > 0 and size < 1:
        raise BudgetError(_too_short(size))
    if ratio > 0 and ratio > size - 1:
        bound = f"at most {float(size - 1):.6g}, budget / corpus - 1, for the first pass to fit the budget"
        raise BudgetError(f"sleep.length.ratio must be {bound}; got {float(ratio):g}")


def _check_interleave(ratio: Fraction | None, passes: Fraction | None, folds: int) -> None:
    """Raise BudgetError if there is no fold into which replay could be mixed."""
    if ratio == 0:
        raise BudgetError("sleep.interleave=true needs replay to mix in, but sleep.length.ratio is 0 (no sleep)")
    if passes is not None and passes * folds < 2:
        raise BudgetError(
            "sleep.interleave=true needs at least two folds within the budget, since the first is read alone; got "
            f"{float(passes):.4g} passes of sleep.folds={folds}: raise sleep.folds"
        )


def _check_exposures(most: int, passes: Fraction, size: Fraction) -> None:
    """Raise BudgetError if samples that are seen at most so often are too few for the budget."""
    needed = math.ceil(passes) + math.ceil(size - passes)
    if most < needed:
        raise BudgetError(
            f"sleep.replay.max_exposures must be at least {needed} for this budget: a sample is read up to "
            f"{math.ceil(passes)} times and replayed {float(size - passes):.4g} times on average; got {most}"
        )


def _largest_exposures(
    passes: Fraction, folds: int, ratio: Fraction | None, repeats: float | None, replay_ratio: float, replay_scope: str
) -> int:
    """Return about how often a sample of the first fold is seen if it is in every buffer that it can be in.

    All folds count as of one size. In the first pass buffers grow, so that each sample of a small one is replayed more.
    """
    share = to_fraction(replay_ratio)
    cycles = math.ceil(passes * folds)
    if replay_scope != "seen":  # in the buffer of one cycle a pass, of W / K words
        replays = math.ceil(passes) * (to_fraction(repeats or 0) if ratio is None else ratio / share)
    elif ratio is None:
        replays = cycles * to_fraction(repeats or 0)
    else:
        growing = sum(1 / cycle for cycle in range(1, min(folds, cycles) + 1))
        later = max(cycles - folds, 0) / folds
        replays = to_fraction(float(ratio / share) * (growing + later))
    return math.ceil(passes) + math.ceil(replays)


def _passes_by_repeats(
    size: Fraction, repeats: Fraction, folds: int, replay_ratio: float | None, replay_scope: str
) -> Fraction | None:
    """Return the passes that fit if each buffer is replayed `repeats` times; None if buffer sizes are not known."""
    if repeats <= 0:
        raise BudgetError(f"sleep.length.repeats must be above 0; got {float(repeats):g}")
    if size < 1:
        raise BudgetError(_too_short(size))
    if replay_ratio is None:
        return None
    # Sizes of the buffers of one pass as shares of the corpus: they grow over the first pass, then stay.
    grown = folds if replay_scope == "seen" else 1
    first = to_fraction(replay_ratio) * (Fraction(folds + 1, 2) if replay_scope == "seen" else 1)
    if repeats * first > size - 1:
        bound = f"at most {float((size - 1) / first):.4g}, for the first pass and its sleeps to fit the budget"
        raise BudgetError(f"sleep.length.repeats must be {bound}; got {float(repeats):g}")
    return 1 + (size - 1 - repeats * first) / (1 + repeats * to_fraction(replay_ratio) * grown)


def _too_short(size: Fraction) -> str:
    """Return the message for a budget of less than one pass in a run with sleep."""
    return (
        f"a budget of {float(size):.4g} passes cannot hold one pass and its sleep: raise budget.passes or budget.words "
        "to at least one pass, or set sleep.length.ratio=0 (no sleep)"
    )
