"""Escaping of text that a terminal or a spreadsheet would execute as commands."""

from typing import Any

__all__ = ["spreadsheet_cell", "visible"]

INVISIBLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
    | {0x7F: 0x2421}
    | dict.fromkeys([*range(0x80, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD)
    | dict.fromkeys([0x200B, *range(0x2060, 0x2065), 0xFEFF], 0xFFFD)
    | dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)
)
"""Characters that move a cursor, colour what follows, turn the direction of writing or break a line -> what is shown.

They include characters without width, which make different names look alike (but not the joiners, which emoji and some
scripts need), and surrogates, which cannot be written to a file.
"""

FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""First characters of a spreadsheet's formula, also in their full-width forms."""


def visible(text: str) -> str:
    r"""Return `text` with each control character except tabs and line ends replaced by a visible symbol.

    >>> visible("a\x1b[31mb")
    'a\u241b[31mb'
    """
    return text.translate(INVISIBLE)


def spreadsheet_cell(value: Any) -> Any:
    """Return a value as a cell of a CSV file: text that a spreadsheet would compute gets a ' in front.

    Text that is a number, such as -1, and values that are not text are returned unchanged.
    """
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
