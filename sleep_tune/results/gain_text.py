"""What a difference is made of, in words: effects, whether they are significant, and what is missing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sleep_tune.results.arms import Arm, Comparison, Contrast, Effect, Gain, mode_of
from sleep_tune.results.columns import column, short_names
from sleep_tune.results.gain import (
    EXPOSURE,
    ORDER,
    PHASES,
    SELECTION,
    WHOLE,
    asleep_settings,
    cuts_rows,
    other_settings,
)
from sleep_tune.results.look_text import level_text
from sleep_tune.results.missing_controls import find_missing
from sleep_tune.results.sheet import MINUS, p_text
from sleep_tune.results.verdict import contrast_text

__all__ = ["MEANINGS", "TITLE", "EffectText", "GainText", "describe_gain", "effect_title", "gain_notes"]
__all__ += ["gain_statistics", "gain_texts", "verdict_of"]

MEANINGS = {
    EXPOSURE: "reading some samples more often than others, chosen at random",
    SELECTION: "choosing these samples by loss or another rule, not at random, which may repeat a few far more often",
    ORDER: "when samples are read: as this arm reads and replays them, not the same samples in one random order",
    PHASES: "sleeping in phases, instead of mixing the same replay into reading; no part of the sum",
}
"""Part of a difference -> what it is the effect of."""

TITLE = "What the gain is made of"

COUNTS = {1: "one", 2: "two", 3: "three"}


@dataclass(frozen=True, slots=True)
class EffectText:
    """An effect in words."""

    title: str
    """`Exposure`, or `Exposure and selection` where the control between them is missing."""
    meaning: str
    numbers: str
    """Difference with interval and unit."""
    reading: str
    """Whether it is significant, and in which direction."""
    compared: str
    """The two arms: `t0007_matched minus epochs`."""


@dataclass(frozen=True, slots=True)
class GainText:
    """What one arm's difference to the reference is made of, in words."""

    arm: str
    summary: str
    """The whole difference, and its parts as a sum."""
    conclusion: str
    """Which parts are significant."""
    effects: tuple[EffectText, ...]
    caveats: tuple[str, ...]
    """Other differences between the arms, and seeds left out."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Everything, a sentence or two each."""
        parts = (f"{one.title} ({one.meaning}): {one.numbers}; {one.reading}." for one in self.effects)
        return (self.summary, *parts, self.conclusion, *self.caveats)


def gain_texts(comparison: Comparison) -> list[GainText]:
    """Return the gains at the primary endpoint in words."""
    return [describe_gain(gain, comparison) for gain in comparison.gains if gain.endpoint == comparison.endpoints[0]]


def describe_gain(gain: Gain, comparison: Comparison) -> GainText:
    """Return a gain in words that need no knowledge of the code."""
    endpoint = gain.endpoint
    better = "lower" if mode_of(endpoint, comparison.experiment) == "min" else "higher"
    unit = column(endpoint).unit
    parts = " ".join(_signed(effect, gain) for effect in gain.effects)
    summary = (
        f"{gain.arm} {MINUS} {comparison.baseline} in {comparison.column(endpoint).heading}: "
        f"{contrast_text(gain.whole.contrast, endpoint)} {unit}".rstrip()
        + f" over {_seeds(len(gain.seeds))} ({better} is better) = {parts}."
    )
    effects = tuple(
        EffectText(
            title=effect_title(effect).capitalize(),
            meaning="; ".join(MEANINGS[part] for part in effect.parts),
            numbers=f"{contrast_text(effect.contrast, endpoint)} {unit}".rstrip(),
            reading=_reading(effect.contrast, gain, comparison),
            compared=f"{effect.arm} minus {effect.minus}",
        )
        for effect in (*gain.effects, *gain.further)
    )
    return GainText(
        arm=gain.arm,
        summary=summary,
        conclusion=_conclusion(gain, comparison),
        effects=effects,
        caveats=tuple(_caveats(gain, comparison)),
    )


def effect_title(effect: Effect) -> str:
    """Return the name of an effect: `exposure`, `exposure and selection`, or `the whole`."""
    return "the whole" if effect.parts == (WHOLE,) else " and ".join(effect.parts)


def verdict_of(contrast: Contrast, endpoint: str, comparison: Comparison) -> str | None:
    """Return 'better' or 'worse' where an effect is significant after Holm correction, else None."""
    if not contrast.is_significant:
        return None
    return (
        "better" if (contrast.difference.mean < 0) == (mode_of(endpoint, comparison.experiment) == "min") else "worse"
    )


def _signed(effect: Effect, gain: Gain) -> str:
    """Return an effect as a term of the sum: `+ exposure -0.012`; the first has no +."""
    number = contrast_text(effect.contrast, gain.endpoint).partition(" ")[0]
    return f"{'+ ' if effect is not gain.effects[0] else ''}{effect_title(effect)} ({number})"


def _seeds(count: int) -> str:
    return f"{count} seed{'' if count == 1 else 's'}"


def _reading(contrast: Contrast, gain: Gain, comparison: Comparison) -> str:
    """Say whether an effect is significant, and in which direction."""
    difference, word = contrast.difference, verdict_of(contrast, gain.endpoint, comparison)
    if contrast.p_holm is None:
        return "not tested, because one seed does not show how much seeds vary"
    p = f"Holm p {p_text(contrast.p_holm)}"
    if contrast.diverged:
        p += f", which counts {contrast.diverged} more seed{'' if contrast.diverged == 1 else 's'} where a run diverged"
    if word is not None:
        return f"significantly {word} ({p})"
    if difference.is_untested:
        return "not tested, because it is the same at every seed"
    not_shown = f"not significant with {_seeds(difference.count)}"
    low, high = difference.low, difference.high
    if not contrast.diverged and low is not None and high is not None and not low <= 0 <= high:
        return f"its interval excludes 0, but as one of {gain.tests} tests it is {not_shown} ({p})"
    return f"{not_shown} ({p})"


def _conclusion(gain: Gain, comparison: Comparison) -> str:
    """Say which of the parts are significant."""
    number, seeds = len(gain.effects), _seeds(len(gain.seeds))
    if len(gain.seeds) == 1:
        return "One seed supports no claim about any part, because the variation between seeds is unknown."
    significant = [effect for effect in gain.effects if effect.contrast.is_significant]
    if not significant:
        none = "Neither of the two" if number == 2 else f"None of the {COUNTS[number]}"
        whole = gain.whole.contrast
        is_nothing = whole.difference.p is not None and whole.difference.p >= whole.level
        nothing = " Nor is the whole, so there may be nothing to explain." if is_nothing else ""
        return f"{none} parts is significant with {seeds}; this does not show that any of them is 0.{nothing}"
    named = _and(
        f"{effect_title(effect)} ({verdict_of(effect.contrast, gain.endpoint, comparison)})" for effect in significant
    )
    if len(significant) == number:
        return f"{'Both' if number == 2 else 'All three'} parts are significant: {named}."
    rest = [part for effect in gain.effects if effect not in significant for part in effect.parts]
    shown = f"which does not show that {'it is' if len(rest) == 1 else 'they are'} 0"
    found = f"{named} {_are([part for effect in significant for part in effect.parts])} significant"
    return f"Of the {COUNTS[number]} parts, {found}; {_and(rest)} {_are(rest)} not with {seeds}, {shown}."


def _are(parts: Sequence[str]) -> str:
    return "is" if len(parts) == 1 else "are"


def _and(words: Iterable[str]) -> str:
    found = list(words)
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def _caveats(gain: Gain, comparison: Comparison) -> Iterator[str]:
    """Say in what else the arms differ, and which seeds are left out."""
    arms = {arm.name: arm for arm in comparison.arms}
    first = gain.effects[0]
    other = other_settings(arms[first.arm], arms[first.minus])
    if other:
        yield (
            f"Warning: {gain.arm} and {comparison.baseline} also differ in {', '.join(short_names(other).values())}, "
            f"whose effect is part of {effect_title(first)}."
        )
    asleep = asleep_settings(arms[gain.arm])
    last = gain.effects[-1]
    if asleep:
        yield (
            f"{gain.arm} trains differently asleep than awake ({', '.join(asleep)}); its control never sleeps, so the "
            f"effect of this is part of {effect_title(last)}."
        )
    if cuts_rows(arms[gain.arm]):
        yield (
            f"{gain.arm} cuts the rows that it replays anew (sleep.context), and its controls cut all rows anew; the "
            f"effect of this is part of {effect_title(first)} and of {effect_title(last)}."
        )
    involved = [arms[name] for name in dict.fromkeys((gain.arm, first.minus, *(one.arm for one in gain.effects)))]
    left_out: dict[str, list[int]] = {}
    for seed in sorted({seed for arm in involved for seed in (*arm.seeds, *arm.failures, *arm.unfinished)}):
        lacking = [arm for arm in involved if seed not in arm.values.get(gain.endpoint, {})]
        if lacking:
            left_out.setdefault(_and(_state(arm, seed) for arm in lacking), []).append(seed)
    for why, seeds in left_out.items():
        yield f"Not used: seed {', '.join(map(str, seeds))} ({why})."


def _state(arm: Arm, seed: int) -> str:
    """Say why an arm has no value at a seed."""
    if seed in arm.diverged:
        return f"{arm.name} diverged"
    if seed in arm.failures:
        return f"{arm.name} failed"
    if arm.decided is not None and seed not in arm.unfinished:
        return f"{arm.name} was decided at {arm.decided.seeds} seeds"
    return f"{arm.name} has not ended" if seed in arm.unfinished else f"{arm.name} has no result"


def gain_notes(comparison: Comparison) -> Iterator[str]:
    """Yield what the gains say, without their numbers, which `gain_sheet` has; nothing where there are none."""
    if not comparison.gains:
        return
    for text in gain_texts(comparison):
        yield f"{text.summary} {text.conclusion}"
        yield from text.caveats
    parts = dict.fromkeys(
        part for gain in comparison.gains for one in (*gain.effects, *gain.further) for part in one.parts
    )
    yield f"{'; '.join(f'{part}: {MEANINGS[part]}' for part in parts)}.".capitalize()
    yield gain_statistics(comparison)
    missing = find_missing(comparison)
    yield from (f"Missing: {reason}" for reason in missing.reasons)
    if missing.arms:
        yield f"To add what is missing, give the search space {missing.line} and run the same command again."


def gain_statistics(comparison: Comparison) -> str:
    """Explain intervals and p of the effects."""
    primary = comparison.endpoints[0]
    tests = {gain.endpoint == primary: gain.tests for gain in comparison.gains}
    families = [f"{tests[True]} effects at {comparison.column(primary).heading}"] if tests.get(True) else []
    families += [f"{tests[False]} at all other endpoints"] if tests.get(False) else []
    tested = ""  # a single seed has neither intervals nor tests
    if families:
        tested = "Intervals are 95%, without correction; p is Holm-corrected over a family of tests "
        tested += f"({_and(families)}).{level_text(comparison)} "
    return (
        "Effects are paired over the seeds that all arms involved share, and add up to the whole before rounding. "
        f"{tested}"
        f"Exposure also contains a difference in order: controls read in one random order, {comparison.baseline} reads "
        "pass by pass."
    )
