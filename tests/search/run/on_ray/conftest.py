from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.search.run.on_ray.driving import Driver


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """Start a search of this test's; whichever still runs at the end is killed."""
    drivers: list[Driver] = []

    def start(*options: str, name: str = "study") -> Driver:
        drivers.append(Driver(tmp_path / "results" / name, *options))
        return drivers[-1]

    yield start
    for driver in drivers:
        if driver.process.poll() is None:
            driver.process.kill()
