"""What is printed on our console is text, whatever it holds."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.control import Control
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sleep_tune.console import PlainConsole
from sleep_tune.plain_text import spreadsheet_cell, visible

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula."""


def printed(*parts: object, terminal: bool = False) -> str:
    text = io.StringIO()
    PlainConsole(file=text, width=200, force_terminal=terminal, highlight=False).print(*parts)
    return text.getvalue()


def test_names_are_no_markup_and_move_no_cursor() -> None:
    name = "[red]a[/red] :boom: \x1b[2J\x9b31m\r\x07"
    table = Table(name)
    table.add_row(name, Text(name))
    shown = printed(name, Text(name), Panel(name, title=name), table, terminal=True)
    assert "[red]a[/red] :boom: \u241b[2J\ufffd31m" in shown
    assert "\x1b[2J" not in shown
    assert not set(shown) & set("\x9b\r\x07")


def test_styles_and_commands_of_our_own_stay() -> None:
    assert printed(Text("good", style="bold green"), terminal=True) == "\x1b[1;32mgood\x1b[0m\n"
    assert "\x1b[2J" in printed(Control.clear(), terminal=True)


@given(st.text())
def test_what_is_shown_can_be_written_and_commands_nothing(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert len(shown) == len(text)
    assert all(letter.isprintable() or letter in "\t\n" or ord(letter) > 0x9F for letter in shown)
    assert visible(shown) == shown


@given(st.text())
@pytest.mark.parametrize("first", ["", *FORMULA])
def test_a_cell_is_no_formula(first: str, text: str) -> None:
    text = first + text
    cell = spreadsheet_cell(text)
    if cell.startswith(FORMULA):
        float(cell)  # a number stays one
    assert cell.removeprefix("'") == visible(text).removeprefix("'")


def test_numbers_stay_numbers() -> None:
    for value in (-1, -1.5, "-1", "+1e-5", None, float("-inf"), "-inf", "plain", "a=b"):
        assert spreadsheet_cell(value) is value or spreadsheet_cell(value) == value
