"""Colours of figures: apart for the colour-blind, visible on their page, and each with one counterpart in the dark."""

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sleep_tune.results.report import palette
from sleep_tune.results.report.figure_style import SYMBOLS, arm_line, arm_symbol, bar_fill
from sleep_tune.results.report.palette import COLOURS, DARK, PAPER
from tests.results.report.searches import make_search
from tests.results.report.test_page import figures_of, page_of

FURTHEST = 20.0
"""Least distance of two series in CIELAB, where about 2 can just be seen side by side."""

SIGHTS = {
    "all three cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
"""Machado, Oliveira and Fernandes (2009), "A physiologically-based model for simulation of color vision deficiency",
table for severity 1.0: what a person sees of a colour in linear RGB."""

TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def linear(colour: str) -> NDArray[np.float64]:
    """The colour in linear RGB, by the formula of sRGB."""
    shares = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """A colour of linear RGB in CIELAB (CIE 1976)."""
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2 defines it, from 1 to 21."""
    low, high = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("colours", [COLOURS, [DARK[colour] for colour in COLOURS]], ids=["light", "dark"])
def test_any_two_series_are_apart_for_the_colour_blind(colours: list[str], sight: str) -> None:
    seen = {colour: lab(SIGHTS[sight] @ linear(colour)) for colour in colours}
    for one, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > FURTHEST, (one, other)


def test_every_series_and_every_text_is_visible_on_its_page() -> None:
    for colour in COLOURS:
        assert contrast(colour, PAPER) > 3
        assert contrast(DARK[colour], DARK[PAPER]) > 3
    assert contrast(palette.INK, PAPER) > 7
    assert contrast(DARK[palette.INK], DARK[PAPER]) > 7


def test_arms_differ_without_colour_too() -> None:
    looks = [(arm_line(number)["dash"], arm_symbol(number)) for number in range(SYMBOLS)]
    assert len(set(looks)) == SYMBOLS
    fills = [bar_fill(number)["pattern"]["shape"] for number in range(len(COLOURS))]
    assert len(set(fills)) == len(COLOURS)


def test_no_colour_is_both_light_and_dark() -> None:
    assert len(set(DARK.values())) == len(DARK)
    assert not DARK.keys() & set(DARK.values())


def colours_in(part: Any) -> set[str]:
    """Every colour in a figure."""
    if isinstance(part, dict):
        return set().union(*map(colours_in, part.values()))
    if isinstance(part, list):
        return set().union(*map(colours_in, part))
    return (
        {part} if isinstance(part, str) and re.fullmatch(r"#[0-9A-Fa-f]{3,8}|rgba?\(.*\)|white|black", part) else set()
    )


def test_every_colour_of_a_report_has_a_counterpart(tmp_path: Path) -> None:
    folder = make_search(tmp_path / "replay", 20, paradigms=("one", "two", "three")).folder
    used = colours_in(figures_of(page_of(folder)))
    assert len(used) > len(COLOURS)
    assert used <= DARK.keys()
