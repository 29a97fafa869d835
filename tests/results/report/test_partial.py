"""The report at any moment of a search, of folders that lost runs, and of files that were torn or overwritten."""

import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sleep_tune.errors import RunFolderError
from sleep_tune.results.report.building import write_report
from tests.results.report.searches import make_search
from tests.results.report.test_building import text_of

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
    """The report, whose tags are closed in their order."""
    text, balance = text_of(write_report(folder)), Balance()
    balance.feed(text)
    assert balance.open == []
    return text


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = make_search(tmp_path_factory.mktemp("whole") / "replay", 14, seeds=2)
    log.event("closed", finished=True)
    return log.folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "replay"))


def cut(folder: Path, number: int, *, torn: bool) -> int:
    """Leave the first lines of the log, and half of the next one; how many trials had been asked for."""
    path = folder / "trials.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    rest = lines[number][: len(lines[number]) // 2] if torn else b""
    path.write_bytes(b"".join(lines[:number]) + rest)
    return sum(b'"event":"asked"' in line for line in lines[:number])


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 9, 20, 35, 50, 62, 70, 77])
def test_after_any_line_there_is_a_report_that_says_how_far_it_goes(folder: Path, number: int) -> None:
    asked = cut(folder, number, torn=number % 2 == 0)
    text = page_of(folder)
    assert "This report is partial: " in text
    if "had not ended" in text:
        assert f" of {asked} trials had not ended." in text
    if not asked:
        assert "No trial of the search has been asked for yet." in text


def test_a_search_that_was_closed_with_all_trials_ended_is_whole(tmp_path: Path) -> None:
    log = make_search(tmp_path / "replay", 8)
    log.event("completed", "t0008", 1, value=4.0, outcome=None)
    assert "This report is partial: the search has not ended." in page_of(log.folder)
    log.event("closed", finished=True)
    assert "This report is partial" not in page_of(log.folder)


def test_runs_whose_folders_are_gone_are_compared_by_the_log(folder: Path) -> None:
    shutil.rmtree(folder / "trials" / "t0003-s0")
    assert "Texts that t0003 (folds 5, ratio 0.4) replayed" in page_of(folder)
    shutil.rmtree(folder / "trials")
    text = page_of(folder)
    assert "<strong>t0003</strong>" in text
    assert "No run over fresh seeds has been trained yet." in text
    assert "No run that is compared has slept yet." in text


def overwrite(path: Path) -> None:
    path.write_bytes(b"\x00\xff{\n" + path.read_bytes())


def other_fields(path: Path) -> None:
    path.write_text(
        '{"kind":"sleep","exposures":3}\n{"kind":"train","words_seen":"<b>"}\n{"kind":"eval","metrics":3}\n'
    )


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (overwrite, "metrics.jsonl:1: expected a JSON object"),
        (other_fields, "metrics.jsonl:1 is no line of a run&#x27;s journal: &#x27;exposures&#x27; cannot be 3"),
    ],
)
def test_a_journal_that_cannot_be_read_is_told_and_left_out(
    folder: Path, spoil: Callable[[Path], None], told: str
) -> None:
    spoil(folder / "trials" / "t0003-s0" / "metrics.jsonl")
    text = page_of(folder)
    assert '<p class="warn">Left out: ' in text
    assert told in text
    assert "Texts that t0003 (folds 5, ratio 0.4) replayed" in text  # of its other seed


def test_a_log_that_was_overwritten_is_refused_in_one_line(folder: Path) -> None:
    overwrite(folder / "trials.jsonl")
    with pytest.raises(RunFolderError, match=r"trials\.jsonl:1 must be an event of a search"):
        write_report(folder)
