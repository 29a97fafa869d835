"""One thread a test, a token cache of the session's own, no network, and no deadlines on a machine that is shared."""

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}  # before torch starts
os.environ |= {"TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

# A shell without job control starts what it runs in the background with Ctrl-C ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")


@pytest.fixture(scope="session", autouse=True)
def token_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that a test tokenizes is left in the user's cache, nor taken from there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLEEP_TUNE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
