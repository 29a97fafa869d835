"""Published figures: what a file may hold, and how each mistake in it is reported with its line."""

from pathlib import Path

import pytest

from sleep_tune.babylm.challenge import WUG
from sleep_tune.babylm.protocols import PROTOCOLS, Protocol, split_score
from sleep_tune.babylm.score_names import ALIASES, RHOS, known_scores, score_names
from sleep_tune.errors import DataError
from sleep_tune.results.columns import column
from sleep_tune.results.published_figures import PUBLISHED, find_published, read_published

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


B = "babylm/blimp_fast"

MISTAKES: dict[str, tuple[str, str]] = {
    "a word": (f"model,{B}\nx,1\ny,seventy\n", f"csv:3: {B} .*'seventy'"),
    "an infinity": (f"# a comment\nmodel,{B}\nx,inf\n", f"csv:3: {B} .*'inf'"),
    "a decimal comma": (f'model,{B}\nx,"71,5"\n', f"csv:2: {B} .*decimal point"),
    "thousands": (f"model;{B}\nx;1.234,5\n", f"csv:2: {B} .*'1.234,5'"),
    "more than all": (f"model,{B}\nx,174.5\n", f"csv:2: {B} .*percent.*\\[0, 100\\].*174.5"),
    "less than nothing": (f"model,{B}\nx,-1\n", "got -1"),
    "a share": (f"model,{B}\nx,0.745\n", "percent; got 0.745, .*share.* 74.5"),
    "a percentage of pairs": (
        "model,test/pairs_accuracy\nx,74.5\n",
        r"share .*\[0, 1\].*74.5",
    ),
    "rho itself": (
        "model,wug_past_tense\nx,0.53\n",
        r"x 100; got 0.53, .*53.*wug_past_rho",
    ),
    "rho times 100": ("model,wug_adj_rho\nx,53\n", r"csv:2: wug_adj_rho .*rho.*\[-1, 1\].*53"),
    "no model": (f"name,{B}\nx,1\n", r"csv:1: .*'model'"),
    "turned": ("metric,ours\nblimp_fast,71.5\n", "csv:1: .*'metric,ours'.*each model"),
    "no score": ("model,source\nx,a paper\n", "csv:1: .*score.*model, source"),
    "nothing": ("", r"csv: .*'model'"),
    "headings alone": (f"model,{B}\n", "csv:1: .*model"),
    "a model twice": (f"model,{B}\nx,71\n\nx,72\n", r"csv:4: .*'x'"),
    "no name": (f"model,{B}\n,71\n", r"csv:2: .*'model'.*empty"),
    "a cell too many": (f"model,{B}\nx,71,72\n", r"csv:2: .*2 cells.*got 3"),
    "a cell too few": (f"model,{B},zorro\nx,71\n", r"csv:2: .*3 cells.*got 2"),
    "a column twice": (f"model,{B},{B}\nx,71,72\n", f"csv:1: .*'{B}' and '{B}'"),
    "a column under two names": (f"model,{B},BLiMP fast\nx,71,72\n", f"csv:1: .*'{B}' and 'BLiMP fast' .*{B}"),
    "figures without a heading": (f"model,{B},\nx,71,72\n", "csv:1: column 3 .*name"),
    "a typo": (
        "model,babylm/blimp_fst\nx,71\n",
        r"csv:1: .*'babylm/blimp_fst'; did you mean babylm/blimp_f",
    ),
    "an unknown column": (
        "model,parameters\nx,71\n",
        r"csv:1: .*'parameters'; .*'source' or .*track",
    ),
    "an open quote": (f'model,{B}\n"x,71\n', "csv:2 .*unexpected end of data"),
}
"""What is wrong -> the file, and the error."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_reported_with_its_line_and_column(tmp_path: Path, name: str) -> None:
    text, message = MISTAKES[name]
    with pytest.raises(DataError, match=message):
        read_published(write(tmp_path, text))


def test_columns_are_known_by_the_names_that_babylm_s_tables_have(tmp_path: Path) -> None:
    text = "Model,BLiMP,BLiMP Supplement,ewok_fast,Reading (Self-Paced Reading Time),wug_adj_rho,WUGs,WUG adj accuracy"
    (arm,) = read_published(
        write(tmp_path, f"{text},Macroaverage,MRPC (F1)\nGPT,74.53,65%,50,0.04,\N{MINUS SIGN}0.62,43.5,57,58.1,84\n")
    )
    assert {key.removeprefix("babylm/"): value.mean for key, value in arm.estimates.items()} == {
        "blimp_filtered": 74.53,
        "supplement_filtered": 65.0,
        "ewok_fast": 50.0,
        "reading_self_paced": 0.04,
        "wug_adj_nominalization": -62.0,
        "wug_adj_nominalization_unspecified": 43.5,
        "wug_adj_nominalization_accuracy": 57.0,
        "macro": 58.1,
        "mrpc_f1": 84.0,
    }


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_decimal_commas_are_read(tmp_path: Path, delimiter: str) -> None:
    text = "\ufeffmodel;track;blimp_fast;zorro;;source\nGPT;strict;74,53;61.2;;a paper\n;;;;;\n"
    (arm,) = read_published(write(tmp_path, text.replace(";", delimiter)))
    assert arm.name == "GPT"
    assert {key: value.mean for key, value in arm.estimates.items()} == {B: 74.53, "babylm/zorro": 61.2}


def test_labels_tell_rows_of_one_model_apart(tmp_path: Path) -> None:
    text = f"track,model,backend,{B}\nstrict,GPT,mntp,71\nstrict,GPT,causal,72\nstrict-small,BERT,mlm,73\n"
    names = [arm.name for arm in read_published(write(tmp_path, text))]
    assert names == ["GPT, strict, mntp", "GPT, strict, causal", "BERT"]
    with pytest.raises(DataError, match=r"csv:3: .*'GPT, strict, mntp'"):
        read_published(write(tmp_path, text.replace("causal", "mntp")))


@pytest.mark.parametrize("cell", ["", "-", "\N{EN DASH}", "nan", "NaN", "n/a", "None"])
def test_a_cell_without_a_figure_is_left_out(tmp_path: Path, cell: str) -> None:
    (arm,) = read_published(write(tmp_path, f"model,{B},zorro\nx,{cell},60\n"))
    assert list(arm.estimates) == ["babylm/zorro"]


def test_what_other_arms_measured_may_be_published(tmp_path: Path) -> None:
    path = write(tmp_path, "model,test/pairs/agreement\nx,0.9\n")
    with pytest.raises(DataError, match="'test/pairs/agreement'"):
        read_published(path)
    (arm,) = read_published(path, {"test/pairs/agreement"})
    assert arm.estimates["test/pairs/agreement"].mean == 0.9


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
@pytest.mark.parametrize("with_year", [False, True])
def test_the_headings_of_a_protocols_own_tables_are_read(tmp_path: Path, protocol: Protocol, with_year: bool) -> None:
    scores = [score for folder in protocol.fast for score in score_names(folder)]
    for score in scores:
        if score == WUG[0]:
            continue  # without a word on the measure, it may be either
        key = f"{protocol.prefix}{score}"
        path = write(tmp_path, f"model,{column(key, with_year=with_year).heading}\nGPT,40\n")
        (arm,) = read_published(path, (), None if with_year else protocol.year)
        assert list(arm.estimates) == [key]


def test_every_alias_is_a_score_with_a_heading_of_its_own() -> None:
    assert {*ALIASES.values(), *RHOS.values()} <= set(known_scores())
    headings = [column(f"babylm/{score}").heading for score in known_scores()]
    assert len(set(headings)) == len(headings)


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_published(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"bytes.csv .*UTF-8"):
        read_published(tmp_path / "bytes.csv")


SHARED = Path(__file__).parents[3] / "shared" / "reference"


@pytest.mark.parametrize(("name", "models"), [("babylm2025_baselines", 15), ("babylm2026_baselines", 2)])
def test_the_published_baselines_are_read_as_they_were_noted(name: str, models: int) -> None:
    if not SHARED.is_dir():
        pytest.skip("the published figures are not beside the repository")
    arms = read_published(SHARED / f"{name}.csv")
    assert len(arms) == models
    assert all(arm.estimates for arm in arms)


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.csv")), ids=lambda path: path.stem)
def test_the_reference_figures_are_read_and_say_where_they_are_from(path: Path) -> None:
    arms = read_published(path)
    assert len(arms) >= 2
    assert all(split_score(key) for arm in arms for key in arm.estimates)
    text = path.read_text()
    assert text.startswith("#")
    assert all(line.split(",")[-1] for line in text.splitlines()[2:])
    assert ",-0," not in text


def test_a_table_that_comes_with_the_package_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert {name: find_published(Path(name)) for name in PUBLISHED} == PUBLISHED
    with pytest.raises(DataError, match=r"one of .*babylm2026.*got babylm2027"):
        find_published(Path("babylm2027"))
    (tmp_path / "babylm2026").mkdir()
    assert find_published(Path("babylm2026")) == PUBLISHED["babylm2026"], "a folder is no table"
    (tmp_path / "babylm2026").rmdir()
    (tmp_path / "babylm2026").touch()
    assert find_published(Path("babylm2026")) == Path("babylm2026"), "a file of the user's own goes first"
    assert find_published(Path("tables/mine.csv")) == Path("tables/mine.csv")


@pytest.mark.parametrize(
    ("headings", "year", "key"),
    [
        ("blimp_fast", None, "babylm/blimp_fast"),
        ("blimp_fast", "2026", "babylm2026/blimp_fast"),
        ("babylm2026/blimp_fast", None, "babylm2026/blimp_fast"),
        ("babylm/blimp_fast", "2026", "babylm/blimp_fast"),
        ("global_piqa_parallel", None, "babylm2026/global_piqa_parallel"),
        ("wug_past_tense", "2025", "babylm/wug_past_tense"),
        ("PIQA non-parallel", None, "babylm2026/global_piqa_nonparallel"),
        ("BLiMP fast 2026", None, "babylm2026/blimp_fast"),
        ("macro average 2025", "2026", "babylm/macro"),
        ("BabyLM2025/COMPS", "2026", "babylm/comps"),
        ("entity_tracking_old_rule", None, "babylm/entity_tracking"),
    ],
)
def test_a_column_has_the_year_that_it_names_or_shows_or_is_given(
    tmp_path: Path, headings: str, year: str | None, key: str
) -> None:
    (tmp_path / "figures.csv").write_text(f"model,{headings}\nGPT,40\n")
    (arm,) = read_published(tmp_path / "figures.csv", (), year)
    assert list(arm.estimates) == [key]


@pytest.mark.parametrize(
    ("headings", "year", "facts"),
    [
        ("wug_past_tense,global_piqa_parallel", None, r"wug_past_tense' of 2025.*global_piqa_parallel' of 2026"),
        ("wug_past_tense", "2026", r"wug_past_tense' of 2025, but --protocol is 2026"),
        ("babylm2026/wug_past_tense", None, r"2026, which does not evaluate it: write babylm/wug_past_tense"),
        ("wug past 2026", None, r"2026, which does not evaluate it: write babylm/wug_past_tense"),
        ("babylm2026/entity_tracking_old_rule", None, r"does not evaluate it: write babylm/entity_tracking"),
        ("PIQA parallel,entity_tracking_old_rule", None, r"PIQA parallel' of 2026.*old_rule' of 2025"),
        ("BLiMP fast 2026,babylm2026/blimp_fast", None, r"both babylm2026/blimp_fast"),
        ("babylm/BLiMP fast 2026", None, r"unknown column 'babylm/BLiMP fast 2026'"),
    ],
)
def test_columns_that_two_years_would_share_are_refused(
    tmp_path: Path, headings: str, year: str | None, facts: str
) -> None:
    (tmp_path / "figures.csv").write_text(f"model,{headings}\nGPT,40,40\n".replace(",40\n", "\n", "," not in headings))
    with pytest.raises(DataError, match=facts):
        read_published(tmp_path / "figures.csv", (), year)
