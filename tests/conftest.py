"""Each test: one thread (or OMP_NUM_THREADS), a token cache of its session, no network, no deadlines, one Ray."""

import functools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts
os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
os.environ |= {"TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

# A shell without job control starts what it runs in the background with Ctrl-C ignored, nohup with the loss of the
# terminal, and children inherit both.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")


@functools.cache
def has_mark(file: Path, name: str) -> bool:
    """Whether a file of tests uses a mark; by its text, for who hands out the tests has not collected them."""
    return f"pytest.mark.{name}" in file.read_text()


class OneRay(LoadFileScheduling):  # type: ignore[misc]
    """Among several workers a file stays whole, and all files that start a Ray are one worker's."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "ray" if has_mark(self.config.rootpath / file, "ray") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneRay:
    """Xdist's own groups (loadgroup) would be by test, but pytest 9.2 does not let it name them."""
    return OneRay(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, for the workers to end together; by hand, the order is pytest's own."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (not has_mark(item.path, "ray"), not has_mark(item.path, "slow")))


@pytest.fixture(scope="session", autouse=True)
def token_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that a test tokenizes is left in the user's cache, nor taken from there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLEEP_TUNE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def unsynced() -> Iterator[None]:
    """Do not wait for the disk: only a power cut, which no test makes, shows whether a file was synced.

    A third of the time of the search's tests. Processes that tests start sync as ever.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield
