import doctest

from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.babylm import protocols
from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.protocols import ABSENT, NEWEST, PROTOCOLS, split_score
from sleep_tune.babylm.score_names import known_scores


def test_the_examples_in_the_docstrings_are_right() -> None:
    assert doctest.testmod(protocols) == doctest.TestResults(failed=0, attempted=2)


def test_each_year_has_names_of_its_own() -> None:
    assert {year: protocol.year for year, protocol in PROTOCOLS.items()} == {year: year for year in PROTOCOLS}
    prefixes = [protocol.prefix for protocol in PROTOCOLS.values()]
    assert all(prefix.endswith("/") and prefix.count("/") == 1 for prefix in prefixes)
    assert len(set(prefixes)) == len(prefixes)
    assert {ABSENT, NEWEST} <= set(PROTOCOLS)


def test_each_year_has_known_folders_and_tasks() -> None:
    assert {folder for protocol in PROTOCOLS.values() for folder in protocol.folders} == set(FOLDERS)
    for protocol in PROTOCOLS.values():
        assert set(protocol.submitted_as) <= {FOLDERS[folder] for folder in protocol.full}


@given(year=st.sampled_from(list(PROTOCOLS)), score=st.sampled_from(known_scores()))
def test_a_score_belongs_to_the_protocol_in_its_name(year: str, score: str) -> None:
    assert split_score(PROTOCOLS[year].prefix + score) == (PROTOCOLS[year], score)
    assert split_score(f"eval/{score}") is None
