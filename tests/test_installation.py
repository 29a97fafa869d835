"""How commands are called in messages, and what `sleep-tune` does with its first argument."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sleep_tune import __main__, __version__, cli, installation
from tests.messages import missing


@pytest.mark.parametrize(
    ("called", "in_a_clone", "in_a_wheel"),
    [
        ("tune.py", "python tune.py", "sleep-tune search"),
        ("/opt/venv/bin/sleep-tune", "sleep-tune search", "sleep-tune search"),
        ("/lib/sleep_tune/__main__.py", "python -m sleep_tune search", "python -m sleep_tune search"),
        ("/lib/sleep_tune/simulation/__main__.py", "python tune.py", "sleep-tune search"),
        ("", "python tune.py", "sleep-tune search"),
    ],
)
def test_a_command_is_written_as_this_one_was_called(
    called: str, in_a_clone: str, in_a_wheel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert installation.command("search") == in_a_clone
    monkeypatch.setattr(installation, "CLONE", None)
    assert installation.command("search") == in_a_wheel


def test_a_module_that_was_called_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "CLONE", None)
    monkeypatch.setattr(sys, "argv", ["/lib/sleep_tune/simulation/__main__.py"])
    assert installation.command("simulate") == "python -m sleep_tune.simulation"
    assert installation.command("evaluate") == "sleep-tune evaluate"


def test_every_command_line_is_a_command() -> None:
    folder = Path(__main__.__file__).with_name("commands")
    mains = {
        file.stem for file in folder.glob("*.py") if "\ndef main(arguments: Sequence[str]) -> int:" in file.read_text()
    }
    assert set(__main__.COMMANDS) == mains


def imported(file: Path) -> Iterator[str]:
    """Return the packages of others that a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            for name in [module] if module else [alias.name for alias in node.names]:
                if (top := name.partition(".")[0]) not in {"sleep_tune", *sys.stdlib_module_names}:
                    yield top


def test_what_the_package_imports_is_installed_with_it() -> None:
    """Beside what its dependencies cannot be without: hydra's configurations, ray's network, jinja's strings."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
    needed = {re.split(r"[^\w-]", text)[0].lower() for text in project["dependencies"]}
    owners = importlib.metadata.packages_distributions()
    found = {owners[name][0].lower() for file in installation.PACKAGE.rglob("*.py") for name in imported(file)}
    assert {name.replace("_", "-") for name in found} - needed <= {"omegaconf", "grpcio", "markupsafe"}


@pytest.mark.parametrize("name", __main__.COMMANDS)
def test_every_command_has_help(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its usage begins with how it was called."""
    monkeypatch.setattr(sys, "argv", ["sleep-tune"])
    try:
        code = __main__.main([name, "--help"])
    except SystemExit as end:
        assert isinstance(end.code, int)
        code = end.code
    out = capsys.readouterr().out
    assert code == 0
    assert out.startswith(f"usage: sleep-tune {name} ")
    assert "tune.py" not in out and "train_worker" not in out and "python -m" not in out


def test_the_first_argument_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(__main__.main, []) == 2
    assert set(__main__.COMMANDS) <= set(capsys.readouterr().err.split())
    assert cli.run(__main__.main, ["--help"]) == 0
    assert set(__main__.COMMANDS) <= set(capsys.readouterr().out.split())
    assert cli.run(__main__.main, ["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"
    assert cli.run(__main__.main, ["serach"]) == 2
    assert not missing(capsys.readouterr().err, "'serach'|'search'|simulate")
