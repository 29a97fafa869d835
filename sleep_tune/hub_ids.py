"""Ids of models and datasets on the Hugging Face Hub: OWNER/NAME."""

import re

__all__ = ["is_hub_id"]

_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def is_hub_id(value: object) -> bool:
    """Return whether a value is OWNER/NAME, of letters, digits, -, _ and .; neither part begins with a dot."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None
