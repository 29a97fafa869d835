"""Very many arms or parameters: what is printed can still be read, and nothing warns of being slow."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from sleep_tune.results.columns import MOST_NAMED
from sleep_tune.results.comparison import compare
from sleep_tune.results.notes import MOST_NOTES
from sleep_tune.results.report.page import write_report
from sleep_tune.results.terminal import MOST_ARMS, print_comparison
from sleep_tune.results.verdict import MOST_CLAIMS, is_claim
from tests.results.conftest import SyntheticLog, has_note

ARMS = MOST_ARMS + 20


@pytest.fixture
def many(log: SyntheticLog) -> SyntheticLog:
    """Sixty finalists, of which every second is far better than the baseline, the last the best; each lost a seed."""
    log.open()
    for seed in range(4):
        log.run("epochs", seed, 2.0 + seed / 1000, 0.8)
        for arm in range(ARMS):
            nll = 2.0 - (arm % 2) * (0.3 + arm / 1000) + seed**2 / 900
            log.run(f"t{arm:04d}", seed, nll, 0.8 + arm * seed / 1e4, role="finalist")
    for arm in range(ARMS):
        log.ask(f"t{arm:04d}-s9", role="finalist", arm=f"t{arm:04d}", seed=9)
        log.event("failed", f"t{arm:04d}-s9", 1, kind="infrastructure", reason="its node was lost", log=None)
    return log


def test_a_comparison_of_many_arms_prints_the_best_and_names_few(many: SyntheticLog) -> None:
    comparison = compare(many.folder)
    screen = io.StringIO()
    print_comparison(comparison, Console(file=screen, width=100))
    shown = {line.split()[0] for line in screen.getvalue().splitlines() if line.strip()}
    finalists = {arm.name for arm in comparison.arms if arm.kind == "finalist"}
    assert len(finalists) == ARMS
    assert len(shown & finalists) == MOST_ARMS - 1
    assert {"epochs", f"t{ARMS - 1:04d}"} <= shown
    assert f"{MOST_ARMS} of {ARMS + 1} arms are shown" in screen.getvalue()
    better = ARMS // 2
    assert comparison.verdict.count(" is better (") == MOST_CLAIMS
    assert f"{better - MOST_CLAIMS} more arms are better" in comparison.verdict
    assert f" and {ARMS - better - MOST_NAMED} more" in comparison.verdict
    assert sum("its node was lost" in note for note in comparison.notes) == MOST_NOTES
    assert has_note(comparison, f"{ARMS - MOST_NOTES} more notes")


def test_the_arms_that_are_named_in_a_claim_are_those_with_the_smallest_p(many: SyntheticLog) -> None:
    comparison = compare(many.folder)
    p_by_arm = {arm.name: arm.contrasts["test/nll"].p_holm for arm in comparison.arms if is_claim(arm, "test/nll")}
    smallest = sorted(p_by_arm, key=lambda name: p_by_arm[name] or 0.0)[:MOST_CLAIMS]
    assert re.findall(r"(t\d+) is better \(", comparison.verdict) == smallest
    assert smallest != list(p_by_arm)[:MOST_CLAIMS]


def test_a_hundred_parameters_are_reported_without_a_warning(tmp_path: Path) -> None:
    log = SyntheticLog(tmp_path / "wide")
    keys = [f"sleep.option_{number:03d}" for number in range(100)]
    log.open(parameters={key: {} for key in keys})
    for number in range(12):
        log.ask(f"t{number:04d}", parameters={key: (number + at) % 7 / 7 for at, key in enumerate(keys)})
        log.complete(f"t{number:04d}", {"eval/nll": 4.0 + number / 10})
    assert write_report(log.folder).stat().st_size < 5e6
