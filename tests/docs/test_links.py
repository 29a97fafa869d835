"""What a page refers to is there: files, other pages, and headings; and the site is built without a warning."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import FENCED, PAGES, ROOT, read

PATH = re.compile(
    r"\b(?:tune|train_worker)\.py\b|\b(?:analysis|cluster|conf|docs|search_spaces|sleep_tune|tests)/[\w/-]+\.\w+"
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    titles = HEADING.findall(FENCED.sub("", read(page)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = [path for path in PATH.findall(read(page)) if "<" not in path]
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_or_a_heading(page: Path) -> None:
    for link in LINK.findall(FENCED.sub("", read(page))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), (
            f"{page.name} links to {link}; {target.name} has no such heading"
        )


def test_every_page_is_in_the_contents_and_on_the_first_page() -> None:
    contents, first = read(ROOT / "docs" / "index.rst"), read(ROOT / "docs" / "README.md")
    for page in (ROOT / "docs").glob("*.md"):
        if page.name != "README.md":
            assert f"\n   {page.stem}\n" in contents
            assert f"({page.name})" in first


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "quick-start.html").is_file()
