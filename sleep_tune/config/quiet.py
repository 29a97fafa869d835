"""Libraries' noise goes to a file: log records, warnings and progress bars of transformers and datasets.

Set before those are imported; knows nothing of what they do.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from sleep_tune.errors import RunFolderError

__all__ = ["log_to", "redirect_libraries"]

ENVIRONMENT = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}


@contextlib.contextmanager
def log_to(file: Path) -> Iterator[None]:
    """Send log records and warnings of this process to `file` (appended), and nothing of them to the terminal.

    Raises:
        RunFolderError: the file cannot be written.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"{file} must be a file that can be written ({error.strerror})") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.handlers, root.level = [handler], logging.INFO
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers = before
        root.setLevel(level)
        handler.close()


def redirect_libraries() -> None:
    """Take down the handlers that libraries hung up for themselves when they were imported; their records propagate."""
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and any(type(h) is logging.StreamHandler for h in logger.handlers):
            logger.handlers = [h for h in logger.handlers if type(h) is not logging.StreamHandler]
            logger.propagate = True
