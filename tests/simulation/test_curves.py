from pathlib import Path

import pytest

from sleep_tune.errors import ConfigError
from sleep_tune.search.space.search_space import Scheduler, Stop
from sleep_tune.simulation.curves import read_source, source_names
from tests.search.studies import plain, search
from tests.simulation.spaces import PARAMETERS


@pytest.mark.parametrize("name", source_names())
def test_every_name_is_a_source_whose_seeds_are_landscapes(name: str) -> None:
    source = read_source(name, PARAMETERS)
    landscape = source.landscape(0)
    assert landscape.name == name.removeprefix("recorded/")
    assert landscape.parameters == source.parameters
    assert (source.recording is None) == (source.parameters == PARAMETERS)


def test_an_experiment_is_a_source(tmp_path: Path) -> None:
    search(tmp_path / "mine", plain(stop=Stop(trials=10), scheduler=Scheduler(name="none")))
    source = read_source(str(tmp_path / "mine"), PARAMETERS)
    assert source.parameters == plain().parameters


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"crosing.*did you mean 'crossing'.*or an experiment's folder"):
        read_source("crosing", PARAMETERS)


def test_curves_that_do_not_suit_the_space_are_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="must search"):
        read_source("one_pass", PARAMETERS[:1])
