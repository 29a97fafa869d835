"""Published figures: what a file may hold, and how each mistake in it is told with its line."""

from pathlib import Path

import pytest

from sleep_tune.errors import DataError
from sleep_tune.results.published import read_published

REFERENCE = Path(__file__).parents[2] / "analysis" / "reference"


def write(folder: Path, text: str) -> Path:
    path = folder / "figures.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_row_is_an_arm_without_seeds(tmp_path: Path) -> None:
    text = (
        "# where it is from\nmodel,babylm/blimp_fast,test/nll,source\n\n"
        '"GPT, causal",71.5,,a paper\n# no more\nours,60,2.5,\n'
    )
    first, second = read_published(write(tmp_path, text))
    assert (first.name, first.kind, first.seeds, first.values) == ("GPT, causal", "published", (), {})
    assert {key: estimate.mean for key, estimate in first.estimates.items()} == {"babylm/blimp_fast": 71.5}
    assert second.estimates.keys() == {"babylm/blimp_fast", "test/nll"}
    assert second.estimates["test/nll"].low is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model,a\nx,1\ny,seventy\n", r"csv:3: a must be a number, or empty; got 'seventy'"),
        ("# a comment\nmodel,a\nx,nan\n", r"csv:3: a must be a number, or empty; got 'nan'"),
        ("name,a\nx,1\n", r"csv:1: expected a column 'model' and one for each metric; got 'name, a'"),
        ("", r"csv: expected a column 'model'"),
        ("model,a\nx,1\n\nx,2\n", r"csv:4: every model must have a name of its own; 'x' is there already"),
        ("model,a\n,1\n", r"csv:2: expected a name in the column 'model'; it is empty"),
        ("model,a\nx,1,2\n", r"csv:2: expected 2 cells, as the first line has; got 3"),
        ("model,a,a\nx,1,2\n", r"csv:1: every column must have a name of its own; got model, a, a"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_published(write(tmp_path, text))


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_published(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"bytes.csv must be a CSV"):
        read_published(tmp_path / "bytes.csv")


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.csv")), ids=lambda path: path.stem)
def test_the_reference_figures_are_read_and_say_where_they_are_from(path: Path) -> None:
    arms = read_published(path)
    assert len(arms) >= 4
    assert all(key.startswith("babylm/") for arm in arms for key in arm.estimates)
    text = path.read_text()
    assert text.startswith("#")
    assert all(line.split(",")[-1] for line in text.splitlines()[2:])
    assert ",-0," not in text
