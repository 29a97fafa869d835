"""Log records and warnings of libraries, sent to a file; progress bars of transformers and datasets, turned off.

Called before these libraries are imported.
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
    """Append log records and warnings of this process to `file`, and print none of them.

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
    """Remove the handlers that libraries installed when they were imported, so that `log_to` gets their records."""
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and any(type(h) is logging.StreamHandler for h in logger.handlers):
            logger.handlers = [h for h in logger.handlers if type(h) is not logging.StreamHandler]
            logger.propagate = True
