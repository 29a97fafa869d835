"""The report of whole, partial and odd folders; and in a browser, offline, with every figure drawn."""

import base64
import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sleep_tune.errors import RunFolderError
from sleep_tune.results.report.building import write_report
from tests.results.conftest import SyntheticLog
from tests.results.report.searches import make_search, write_journal

MOST_BYTES = 5_000_000


def text_of(page: Path) -> str:
    """The page without what plotly brings."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r'<script type="text/plain" id="plotly">.*?</script>', "", text, flags=re.DOTALL)


def figures_of(page: Path) -> list[dict[str, object]]:
    found = re.search(r'<script type="text/plain" id="figures">(.*?)</script>', text_of(page), re.DOTALL)
    figures: list[dict[str, object]] = json.loads(gzip.decompress(base64.b64decode(found[1]))) if found else []
    return figures


def test_a_whole_search_has_every_section_and_figure(tmp_path: Path) -> None:
    make_search(tmp_path / "replay", 40)
    page = write_report(tmp_path / "replay")
    text = text_of(page)
    assert page.stat().st_size < MOST_BYTES
    for title in (
        "The answer",
        "Arms against the baseline",
        "Learning curves",
        "The search",
        "What was replayed",
        "Failures",
        "How to reproduce this",
    ):
        assert f">{title}</h2>" in text
    assert text.count('class="plot') == len(figures_of(page)) >= 11
    assert "Sleep beats epochs at the same words" in text
    assert "the loss became &lt;nan&gt; &amp; stayed so" in text
    kinds = {str(trace["type"]) for one in figures_of(page) for trace in one["data"]}  # type: ignore[attr-defined]
    assert kinds == {"scatter", "bar", "heatmap", "parcoords"}


def test_the_page_names_no_other_place(tmp_path: Path) -> None:
    make_search(tmp_path / "replay", 12)
    text = text_of(write_report(tmp_path / "replay"))
    assert not re.search(r"(src|href)=\"(?!#|data:)", text)
    assert "http" not in text.replace("http-equiv", "")


def test_a_partial_search_says_so(tmp_path: Path) -> None:
    make_search(tmp_path / "replay", 8)
    assert "This report is partial: 1 running of 17 trials had not ended." in text_of(write_report(tmp_path / "replay"))


def test_a_search_that_has_just_begun_has_a_report(log: SyntheticLog) -> None:
    log.open()
    log.ask("t0001", parameters={"sleep.folds": 5})
    text = text_of(write_report(log.folder))
    assert "No verdict yet" in text
    assert "No run over fresh seeds has been asked for yet." in text
    assert "No run over fresh seeds has been trained yet." in text
    assert 'id="figures"' not in text


def test_a_log_without_its_description_and_a_torn_journal_are_no_obstacle(log: SyntheticLog) -> None:
    log.open()
    log.run("epochs", 0, 4.0, 0.8)
    write_journal(log.folder / "trials" / "epochs-s0", 0, torn=True)
    (log.folder / "experiment.yaml").unlink()
    assert "The folder has no experiment.yaml." in text_of(write_report(log.folder))


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"got no trials\.jsonl in it"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


def a_whole_search(folder: Path) -> None:
    make_search(folder, 40)


def a_partial_one(folder: Path) -> None:
    make_search(folder, 14)
    lines = (folder / "trials.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "trials.jsonl").write_bytes(b"".join(lines[:70]) + lines[70][:40])
    (folder / "trials" / "epochs-s0" / "metrics.jsonl").write_text("no journal\n\n")


@pytest.mark.slow
@pytest.mark.parametrize("make", [a_whole_search, a_partial_one])
def test_a_browser_draws_every_figure_offline_without_a_word_on_its_console(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no Chromium is installed")
    make(tmp_path / "replay")
    page = write_report(tmp_path / "replay")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=30000"]
    flags += [
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=400,800",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ]
    done = subprocess.run(
        [browser, *flags, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True, timeout=200
    )
    assert f'data-drawn="{len(figures_of(page))}"' in done.stdout
    assert done.stdout.count("js-plotly-plot") >= len(figures_of(page))
    buttons = set(re.findall(r'data-title="([^"]+)"', done.stdout))
    assert buttons  # and none of them sends anything anywhere
    assert not [title for title in buttons if "share" in title.lower() or "cloud" in title.lower()]
    lines = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "source: chrome://" not in line]
    said = [line for line in lines if "WebGL" not in line]
    assert said == []  # but for what a machine without a GPU says of WebGL, and the browser of its own pages
