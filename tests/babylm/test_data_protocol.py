"""Which protocol a folder of evaluation data is scored by."""

from pathlib import Path

import pytest

from sleep_tune.babylm.data_protocol import protocol_of_data
from sleep_tune.babylm.protocols import NEWEST, PROTOCOLS
from sleep_tune.errors import DataError


@pytest.mark.parametrize("year", PROTOCOLS)
@pytest.mark.parametrize("kind", ["full", "fast"])
def test_a_protocol_is_known_by_its_own_folders(year: str, kind: str, tmp_path: Path) -> None:
    for name in getattr(PROTOCOLS[year], kind):
        (tmp_path / name).mkdir()
    assert protocol_of_data(tmp_path).year == year
    assert all(protocol_of_data(tmp_path, given) is PROTOCOLS[given] for given in PROTOCOLS)


def test_data_of_several_protocols_is_of_the_newest(tmp_path: Path) -> None:
    (tmp_path / "blimp_fast").mkdir()
    assert protocol_of_data(tmp_path).year == protocol_of_data(tmp_path / "none").year == NEWEST


def test_data_of_two_protocols_needs_a_choice(tmp_path: Path) -> None:
    for name in ("wug_past_tense", "global_piqa_parallel"):
        (tmp_path / f"{name}.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"wug_past_tense of 2025; global_piqa_parallel of 2026.*--protocol"):
        protocol_of_data(tmp_path)
    assert protocol_of_data(tmp_path, "2025").year == "2025"
