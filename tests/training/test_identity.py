"""What makes two runs the same one, where the checkpoint is of an earlier version."""

from pathlib import Path

import pytest

from sleep_tune.training.identity import Identity, identify
from tests.training.runs import make_config


def scored_by(protocol: str) -> Identity:
    """The identity of a run with tasks' data."""
    config = make_config(Path("x"))
    config.evaluation.data, config.evaluation.protocol = "evaluation_data/fast_eval", protocol
    return identify(config, "corpus", 1)


@pytest.mark.parametrize(("protocol", "differs"), [("2025", ""), ("2026", "evaluation.protocol is 2025 there, 2026")])
def test_a_checkpoint_without_a_protocol_is_of_2025(protocol: str, differs: str) -> None:
    """And it lies in the mirror where it did before there was a protocol."""
    earlier = identify(make_config(Path("x")), "corpus", 1)
    there = earlier.to_json()
    del there["options"]["evaluation.protocol"]
    found = scored_by(protocol).differences_from(there)
    assert found.startswith(differs) and bool(found) == bool(differs)
    assert (scored_by(protocol).digest() == earlier.digest()) == (not differs)
    assert earlier.differences_from(there) == ""
