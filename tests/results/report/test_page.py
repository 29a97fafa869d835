"""The report of whole, running, damaged and odd folders; and in a browser, offline, with every figure drawn."""

import base64
import gzip
import html
import json
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.errors import RunFolderError
from sleep_tune.results.html_templates import TEMPLATES
from sleep_tune.results.report.page import write_report
from sleep_tune.results.report.palette import DARK, PAPER
from sleep_tune.results.report.report_sections import SECTIONS
from tests.browser import Browser, browsing, find_browser
from tests.results.conftest import BUDGET, SyntheticLog
from tests.results.report.searches import make_search, write_training_log

MOST_BYTES = 5_000_000
VOID = {"meta", "link", "br"}


class Balance(HTMLParser):
    """Fails where a tag is closed that is not the last one opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Open it."""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last one."""
        assert self.open.pop() == tag


def page_of(folder: Path) -> str:
    """The report without plotly.js; all its tags are closed in their order."""
    text = write_report(folder).read_text(encoding="utf-8")
    text = re.sub(r'<script type="text/plain" id="plotly">.*?</script>', "", text, flags=re.DOTALL)
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    return text


def figures_of(page: str) -> list[dict[str, Any]]:
    found = re.search(r'<script type="text/plain" id="figures">(.*?)</script>', page, re.DOTALL)
    figures: list[dict[str, Any]] = json.loads(gzip.decompress(base64.b64decode(found[1]))) if found else []
    return figures


def warnings_of(page: str) -> list[str]:
    return [html.unescape(" ".join(text.split())) for text in re.findall(r'<p class="warning">(.*?)</p>', page, re.S)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = make_search(tmp_path_factory.mktemp("whole") / "replay", 14, seeds=2)
    log.event("closed", finished=True)
    return log.folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "replay"))


def test_a_whole_search_has_every_section_and_figure_and_names_no_other_place(tmp_path: Path) -> None:
    folder = make_search(tmp_path / "replay", 40).folder
    text = page_of(folder)
    assert (folder / "report.html").stat().st_size < MOST_BYTES
    for name, section in SECTIONS.items():
        assert f'<section id="section-{name}">\n<h2>{section.title}</h2>' in text
    figures = figures_of(text)
    assert text.count('class="plot') == len(figures) >= 11
    assert {trace["type"] for figure in figures for trace in figure["data"]} == {
        "scatter", "bar", "heatmap", "parcoords",
    }  # fmt: skip
    assert "the loss became &lt;nan&gt; &amp; stayed so" in text
    assert not re.search(r"(src|href)=\"(?!#|data:)", text)
    assert "http" not in text.replace("http-equiv", "")


def test_every_section_has_its_template() -> None:
    pages = {"comparison.html", "parts.html", "report.html"}
    assert {f"{name}.html" for name in SECTIONS} | pages == {path.name for path in TEMPLATES.glob("*.html")}


def cut(folder: Path, number: int, *, torn: bool) -> int:
    """Leave the first lines of the event log and half of the next; return the number of trials asked for."""
    path = folder / "trials.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    rest = lines[number][: len(lines[number]) // 2] if torn else b""
    path.write_bytes(b"".join(lines[:number]) + rest)
    return sum(b'"event":"asked"' in line for line in lines[:number])


@pytest.mark.parametrize("number", [1, 2, 3, 5, 20, 50, 70, 77])
def test_after_any_line_there_is_a_report_that_says_how_far_it_goes(folder: Path, number: int) -> None:
    asked = cut(folder, number, torn=number % 2 == 0)
    partial, *_ = warnings_of(page_of(folder))
    assert "partial" in partial
    assert f" of {asked} trials" in partial or "the search has not ended" in partial


def test_a_search_that_was_closed_with_all_trials_ended_is_whole(tmp_path: Path) -> None:
    log = make_search(tmp_path / "replay", 8)
    assert "1 of 17 trials" in warnings_of(page_of(log.folder))[0]
    log.event("completed", "t0008", 1, value=4.0, outcome=None)
    assert "the search has not ended" in warnings_of(page_of(log.folder))[0]
    log.event("closed", finished=True)
    assert not any("partial" in text for text in warnings_of(page_of(log.folder)))


def test_runs_whose_folders_are_gone_are_compared_by_the_event_log(folder: Path) -> None:
    shutil.rmtree(folder / "trials" / "t0003-s0")
    assert "<h3>Texts replayed by t0003 (folds 5, ratio 0.4)</h3>" in page_of(folder)  # by its other seed
    shutil.rmtree(folder / "trials")
    text = page_of(folder)
    assert "<strong>t0003</strong>" in text
    assert "Texts replayed by" not in text


def test_a_log_without_its_description_and_a_torn_training_log_are_no_obstacle(log: SyntheticLog) -> None:
    log.open()
    log.run("epochs", 0, 4.0, 0.8)
    write_training_log(log.folder / "trials" / "epochs-s0", 0, torn=True)
    (log.folder / "experiment.yaml").unlink()
    assert "The folder has no experiment.yaml." in page_of(log.folder)


def overwrite(path: Path) -> None:
    path.write_bytes(b"\x00\xff{\n" + path.read_bytes())


def change_fields(path: Path) -> None:
    path.write_text(
        '{"kind":"sleep","exposures":3}\n{"kind":"train","words_seen":"<b>"}\n{"kind":"eval","metrics":3}\n'
    )


@pytest.mark.parametrize(("damage", "named"), [(overwrite, ""), (change_fields, "'exposures'")])
def test_a_training_log_that_cannot_be_read_is_named_and_left_out(
    folder: Path, damage: Callable[[Path], None], named: str
) -> None:
    damage(folder / "trials" / "t0003-s0" / "metrics.jsonl")
    text = page_of(folder)
    (warning,) = (one for one in warnings_of(text) if "Left out" in one)
    assert "t0003-s0/metrics.jsonl:1" in warning
    assert named in warning
    assert "<h3>Texts replayed by t0003 (folds 5, ratio 0.4)</h3>" in text  # by its other seed


def test_a_damaged_event_log_and_another_folder_are_refused(folder: Path, tmp_path: Path) -> None:
    overwrite(folder / "trials.jsonl")
    with pytest.raises(RunFolderError, match=r"trials\.jsonl:1"):
        write_report(folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RunFolderError, match=r"trials\.jsonl"):
        write_report(empty)
    assert not list(empty.iterdir())


def a_whole_search(folder: Path) -> None:
    make_search(folder, 40)


def a_partial_one(folder: Path) -> None:
    make_search(folder, 14)
    cut(folder, 70, torn=True)
    (folder / "trials" / "epochs-s0" / "metrics.jsonl").write_text("no log\n\n")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if find_browser() is None:
        pytest.skip("no Chromium is installed")
    with browsing(tmp_path / "profile") as started:
        yield started


def background(browser: Browser) -> tuple[str, set[str]]:
    """The page's background, and those of its figures."""
    page = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    figures = "[...document.querySelectorAll('.js-plotly-plot')].map(place => place.layout.paper_bgcolor)"
    return page, set(browser.evaluate(figures))


@pytest.mark.slow
@pytest.mark.parametrize("make", [a_whole_search, a_partial_one])
def test_a_browser_draws_every_figure_offline_without_a_word_on_its_console(
    make: Callable[[Path], None], tmp_path: Path, browser: Browser
) -> None:
    make(tmp_path / "replay")
    figures = figures_of(page_of(tmp_path / "replay"))
    page = tmp_path / "replay" / "report.html"
    for width in (1200, 390):
        browser.open(page, width=width)
        assert browser.evaluate("document.body.dataset.drawn") == str(len(figures))
        assert browser.evaluate("document.querySelectorAll('.js-plotly-plot').length") == len(figures)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width  # tables scroll by themselves
    titles = browser.evaluate("[...document.querySelectorAll('[data-title]')].map(one => one.dataset.title)")
    assert titles  # the buttons of plotly.js, none of which sends anything anywhere
    assert not [title for title in titles if "share" in title.lower() or "cloud" in title.lower()]
    assert [line for line in browser.console() if "WebGL" not in line] == []  # of which a machine without a GPU warns


@pytest.mark.slow
def test_figures_follow_the_page_into_the_dark_and_are_light_on_paper_and_in_files(
    tmp_path: Path, browser: Browser
) -> None:
    make_search(tmp_path / "replay", 40)
    page = write_report(tmp_path / "replay")
    browser.open(page, dark=True)
    assert background(browser) == ("rgb(22, 24, 28)", {DARK[PAPER]})
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert background(browser)[1] == {PAPER}
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    assert background(browser)[1] == {DARK[PAPER]}
    svg, png = (f"document.querySelectorAll('.save button')[{number}].click()" for number in (0, 1))
    drawing = browser.download(svg, tmp_path / "replay-differences-to-epochs.svg").decode()
    assert "rgb(255, 255, 255)" in drawing
    assert "t0003" in drawing
    picture = browser.download(png, tmp_path / "replay-differences-to-epochs.png")
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == 2700  # pixels of width
    assert browser.pdf().startswith(b"%PDF")


def test_a_study_without_a_search_has_a_report(tmp_path: Path) -> None:
    """Arms alone: no trial is searched; runs over fresh seeds report their end."""
    log = SyntheticLog(tmp_path / "arms")
    log.open(stop={"trials": 0}, arms={"epochs": {"sleep": "epochs"}, "sleep": {"sleep": "default"}}, parameters={})
    for arm in ("epochs", "sleep"):
        for seed in range(2):
            log.ask(f"{arm}-s{seed}", role="arm", arm=arm, seed=seed)
            log.rung(f"{arm}-s{seed}", BUDGET, nll=4.0)
            log.complete(f"{arm}-s{seed}", {"eval/nll": 4.0, "test/nll": 4.0})
    log.event("closed", finished=True)
    page = page_of(log.folder)
    assert "This study has no search" in page
    assert "no trial yet" not in page
