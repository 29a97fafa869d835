"""Functions by import path: they are found, their source is identified, and what cannot be imported is refused."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sleep_tune.errors import ConfigError
from sleep_tune.import_paths import import_function, is_import_path, lookup, require_parameters
from tests.messages import raises_naming
from tests.own_code import own_code

KEY = "sleep.replay.strategy"


@pytest.fixture(autouse=True)
def lab(tmp_path: Path) -> Iterator[Path]:
    """A working directory with a package of its own."""
    files = {
        "own_lab/__init__.py": "from own_lab.replay import middle\n",
        "own_lab/replay.py": "SIZE = 3\n\n\ndef middle():\n    return SIZE\n",
    }
    with own_code(tmp_path, files):
        yield tmp_path


@pytest.mark.parametrize(
    ("text", "is_path"),
    [
        ("a:b", True),
        ("a.b_c.d1:e_2", True),
        ("größe:maß", True),
        ("strict", False),
        ("a.b", False),
        ("a:", False),
        (":b", False),
        ("a:b:c", False),
        ("a:b.c", False),
        ("a/b.py:c", False),
        ("1a:b", False),
        ("a..b:c", False),
        ("a:b\n", False),
        (3, False),
        (["a:b"], False),
    ],
)
def test_the_form_of_an_import_path(text: object, is_path: bool) -> None:
    assert is_import_path(text) is is_path


def test_a_module_in_the_working_directory_is_found(lab: Path) -> None:
    found = import_function("own_lab.replay:middle", KEY)
    assert found.function() == 3
    assert found.file == lab / "own_lab" / "replay.py"
    assert found.source == f"own_lab/replay.py sha256:{hashlib.sha256(found.file.read_bytes()).hexdigest()}"


def test_the_working_directory_comes_last(lab: Path) -> None:
    import_function("own_lab.replay:middle", KEY)
    assert sys.path[-1] == str(lab)


def test_the_source_of_an_imported_name_is_the_file_that_defines_it(lab: Path) -> None:
    assert import_function("own_lab:middle", KEY).file == lab / "own_lab" / "replay.py"


def test_an_object_that_can_be_called_has_the_source_of_its_module(lab: Path) -> None:
    (lab / "own_lab" / "made.py").write_text(
        "import functools\nfrom own_lab.replay import middle\n\nsame = functools.partial(middle)\n"
    )
    assert import_function("own_lab.made:same", KEY).file == lab / "own_lab" / "made.py"


def test_a_source_is_that_of_the_code_which_runs(lab: Path) -> None:
    before = import_function("own_lab.replay:middle", KEY)
    (lab / "own_lab" / "replay.py").write_text("def middle():\n    return 4\n")
    assert import_function("own_lab.replay:middle", KEY) is before


def test_a_table_is_looked_up_first_by_name() -> None:
    table = {"strict": len}
    assert lookup(table, "strict", KEY) is len
    assert lookup(table, "own_lab.replay:middle", KEY).__name__ == "middle"
    with raises_naming(ConfigError, KEY, "strickt", "'strict'", "package.module:function"):
        lookup(table, "strickt", KEY)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("own_lob.replay:middle", "own_lob|own_lab?"),
        ("own_lab.reply:middle", "own_lab.reply|own_lab.replay?"),
        ("own_lab.replay.more:middle", "own_lab.replay.more"),
        ("own_lab.replay:midle", "midle|replay.py|middle?"),
        ("own_lab.replay:SIZE", "SIZE|replay.py|int"),
        ("sys:exit", "sys|file"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest_name(path: str, names: str) -> None:
    with raises_naming(ConfigError, f"{KEY}={path}", *names.split("|")):
        import_function(path, KEY)


@pytest.mark.parametrize(
    ("code", "line", "names"),
    [
        ("x = 1\ny = x / 0\n", 2, "ZeroDivisionError"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),
        ("import no_such_library\n", 1, "no_such_library"),
        ("from own_lab.replay import missing\n", 1, "missing"),
        ("def f(:\n", 1, "SyntaxError"),
        ("raise SystemExit('bye')\n", 1, "SystemExit|bye"),
    ],
)
def test_an_error_in_the_users_module_is_named_with_its_line(lab: Path, code: str, line: int, names: str) -> None:
    file = lab / "own_broken.py"
    file.write_text(code)
    with raises_naming(ConfigError, KEY, "own_broken", f"{file}:{line}:", *names.split("|")):
        import_function("own_broken:f", KEY)


def test_a_function_with_other_arguments_is_refused_before_it_is_called() -> None:
    require_parameters(lambda model, **others: None, "model.kind=a:b", "model", named=("seed",))
    with raises_naming(ConfigError, "model.kind=a:b", "(model, *, seed)", "(model)"):
        require_parameters(lambda model: None, "model.kind=a:b", "model", named=("seed",))
    with raises_naming(ConfigError, f"{KEY}=a:b", "(priorities, n)", "(priorities)"):
        require_parameters(lambda priorities: None, f"{KEY}=a:b", "priorities", "n")
    require_parameters(dict, "data.kind=builtins:dict", "data")
