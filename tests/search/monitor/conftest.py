import contextlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import RunFolderError
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from tests.search.monitor.shown import study


@pytest.fixture
def open_director(tmp_path: Path) -> Iterator[Callable[..., Director]]:
    """Opens directors on one folder; the last is closed at the end."""
    opened: list[Director] = []

    def open_one(gpus: float = 0.0, shared: Collection[str] = (), **space: Any) -> Director:
        for director in opened:
            director.close()
        opened[:] = [Director(study(**space), RunConfig(), TOY_CORPUS, tmp_path / "demo", gpus=gpus, shared=shared)]
        return opened[0]

    yield open_one
    for director in opened:
        with contextlib.suppress(RunFolderError):  # the test has changed its log
            director.close()
