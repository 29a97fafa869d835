"""Text from outside that a terminal, a page or a spreadsheet would take for commands, as plain text."""

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

So are characters without width, by which two names would look alike (but not the joiners, which emoji and some scripts
need), and halves of characters (surrogates), which no file can hold.
"""

FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a formula of a spreadsheet begins with, in the wide letters of East Asia too."""


def visible(text: str) -> str:
    r"""Return `text` with each control character but tabs and ends of lines as a character that is only seen.

    >>> visible("a\x1b[31mb")
    'a\u241b[31mb'
    """
    return text.translate(INVISIBLE)


def spreadsheet_cell(value: Any) -> Any:
    """Return a value as a cell of a CSV file: a text that a spreadsheet would compute gets a ' in front.

    A text that is a number, such as -1, stays as it is, and so does everything that is no text.
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
