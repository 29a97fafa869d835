from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.search.run.on_ray.driving import Driver


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """Start a search, or another command of Python, of this test's; whichever still runs at the end is killed."""
    drivers: list[Driver] = []

    def start(*options: str, name: str = "study", script: bool = False) -> Driver:
        drivers.append(Driver(tmp_path / "results" / name, *options, command=options if script else None))
        return drivers[-1]

    yield start
    for driver in drivers:
        if driver.process.poll() is None:
            driver.process.kill()
