"""Texts that are held exactly: a screen or a message as a user reads it, in tests/golden/.

After a change on purpose, write them anew and read the difference: `UPDATE_GOLDEN=1 pytest tests/test_golden.py`.
"""

import os
from pathlib import Path

__all__ = ["assert_golden"]

FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str) -> None:
    """Check that `text` equals tests/golden/<name>; with UPDATE_GOLDEN set, write it there."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path} differs: if that is intended, set UPDATE_GOLDEN=1"
