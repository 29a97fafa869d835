"""The layers of sleep_tune: which layers, and which heavy libraries, each may import.

| layer | what it is for |
|---|---|
| errors, files, folder_lock, records, names, metric_names, import_paths, installation, ... | the base |
| cli | the frame of every command: exit codes and messages |
| sleep | the mechanism, as functions of arrays |
| config | options of one run, with ranges and help |
| experiment | what the folders of an experiment and its runs hold |
| data | from text to packed rows of tokens |
| models | the models |
| evaluation, evaluate | scores of a model; the tasks of the command that computes them |
| training | training of one run |
| statistics | intervals and tests over seeds, as functions of arrays |
| search/* | the search: space, decisions, running, monitoring, planning |
| simulation | searches over recorded curves |
| results | comparison, tables, report and model card of an experiment |
| sharing | settings, commands and models in a form for others; the Hub |
| commands, every `__main__` | the command lines |
| api | the functions for notebooks and scripts |

The test reads the syntax tree of every file, and imports every layer in a clean interpreter. An import under
`if TYPE_CHECKING` loads nothing and may name any library, but only layers that are allowed.
"""

import ast
import functools
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sleep_tune"

BASE = frozenset({"errors", "records", "names", "metric_names", "import_paths", "babylm", "files"})
BASE |= {"folder_lock", "interrupts", "console", "output_redirection", "plain_text", "installation", "sleep_tune"}
BASE |= {"older_transformers", "hub_ids"}
HEAVY = frozenset({"torch", "transformers", "ray", "optuna", "hydra", "omegaconf", "datasets", "pandas"})
HYDRA = frozenset({"hydra", "omegaconf"})
SEARCHERS = frozenset({"ray", "optuna"})


@dataclass(frozen=True)
class Layer:
    """What a layer may import of ours besides itself, and what it never imports of others'."""

    ours: frozenset[str]
    never: frozenset[str]
    exceptions: dict[str, frozenset[str]] = field(default_factory=dict)
    """File -> what it alone may import besides, inside functions where it is a layer of ours."""


CONFIGURED = BASE | {"sleep", "config", "experiment"}
SEARCH = frozenset({"torch", "transformers"})
LAYERS = {
    **{name: Layer(BASE, HEAVY | {"numpy"}) for name in sorted(BASE - {"sleep_tune"})},
    "cli": Layer(BASE, HEAVY | {"numpy"}),
    "sleep": Layer(frozenset({"errors"}), HEAVY),
    "config": Layer(
        frozenset(
            {
                "errors",
                "names",
                "files",
                "folder_lock",
                "import_paths",
                "installation",
                "records",
                "sleep",
                "sleep_tune",
            }
        ),
        HEAVY,
        {"config/load.py": HYDRA},
    ),
    "experiment": Layer(BASE | {"config"}, HEAVY),
    "data/toy": Layer(frozenset(), HEAVY),
    "data": Layer(CONFIGURED | {"data/toy"}, HYDRA | SEARCHERS | {"torch"}),
    "models": Layer(CONFIGURED | {"data"}, HYDRA | SEARCHERS),
    "evaluation": Layer(CONFIGURED | {"data", "models"}, HYDRA | SEARCHERS),
    "evaluate": Layer(
        CONFIGURED | {"data", "models", "evaluation"},
        HYDRA | SEARCHERS,
        {"evaluate/glue_jobs.py": frozenset({"ray", "search/run/on_ray"})},
    ),
    "training": Layer(CONFIGURED | {"data", "models", "evaluation"}, HYDRA | SEARCHERS),
    "statistics": Layer(frozenset(), HEAVY),
    "search/space": Layer(CONFIGURED, SEARCH | {"ray", "optuna"}),
    "search/decide": Layer(CONFIGURED | {"search/space"}, SEARCH | {"ray"}),
    "search/monitor": Layer(CONFIGURED | {"search/space", "search/decide"}, SEARCH | {"ray", "optuna"}),
    "search/plan": Layer(CONFIGURED | {"statistics", "search/space", "search/decide"}, SEARCH | {"ray", "optuna"}),
    "search/run/on_ray": Layer(CONFIGURED | {"search/space", "search/decide"}, SEARCH),
    "search/run": Layer(
        CONFIGURED | {"search/space", "search/decide", "search/monitor", "search/plan", "search/run/on_ray"},
        SEARCH | {"scipy"},
        {"search/run/worker.py": frozenset({"data", "training"})},
    ),
    "simulation": Layer(
        CONFIGURED | {"statistics", "search/space", "search/decide", "search/monitor"}, SEARCH | {"ray"}
    ),
    "results": Layer(
        BASE | {"experiment", "statistics"}, HEAVY - {"pandas"}, {"results/report/importance.py": frozenset({"optuna"})}
    ),
}
LAYERS["sharing"] = Layer(CONFIGURED | {"data"}, HEAVY)
LAYERS["commands"] = Layer(BASE | LAYERS.keys(), HEAVY, {"commands/evaluate.py": frozenset({"torch"})})
LAYERS["api"] = Layer(BASE | LAYERS.keys(), HEAVY)
"""The table of layers: none imports one that stands below it. A new file beside these, or a folder, needs a line."""


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    module: str
    line: int
    lazy: bool
    """Inside a function."""
    for_types: bool
    """Under `if TYPE_CHECKING`."""


@functools.cache
def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer_of(file: Path) -> str:
    return layer_named(file.relative_to(PACKAGE).with_suffix("").parts)


def layer_named(parts: Sequence[str]) -> str:
    """Return the layer of a module, given the parts of its name below the package."""
    if not parts or parts[0] in ("", "__init__"):
        return "sleep_tune"
    if parts[-1] == "__main__":
        return "commands"
    names = ["/".join(parts[:length]) for length in (3, 2)]
    return next((name for name in names if name in LAYERS), parts[0])


def imports(file: Path) -> Iterator[Import]:
    def walk(node: ast.AST, lazy: bool, for_types: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, lazy, for_types)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}", node.lineno, lazy, for_types)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                yield from walk(statement, lazy, True)
            for statement in node.orelse:
                yield from walk(statement, lazy, for_types)
        else:
            inner = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from walk(child, inner, for_types)

    yield from walk(ast.parse(file.read_text(encoding="utf-8")), False, False)


def broken(file: Path) -> Iterator[str]:
    """Each import of a file that its layer may not make."""
    name = layer_of(file)
    layer = LAYERS[name]
    relative = file.relative_to(PACKAGE).as_posix()
    allowed = layer.exceptions.get(relative, frozenset())
    for item in imports(file):
        top, _, rest = item.module.partition(".")
        where = f"{relative}:{item.line} imports {item.module}"
        if top == "sleep_tune":
            ours = layer_named(rest.split(".")) if not rest.startswith("__") else "sleep_tune"
            if ours not in layer.ours | {name} and not (ours in allowed and item.lazy):
                yield f"{where}; {name} may import {', '.join(sorted(layer.ours)) or 'nothing'} of ours"
        elif top in layer.never - allowed and not item.for_types:
            yield f"{where}; {name} never imports {top}"


def test_no_layer_imports_one_below_it() -> None:
    names = list(LAYERS)
    for place, name in enumerate(names):
        assert not LAYERS[name].ours & set(names[place + 1 :]) - BASE, name


@pytest.mark.parametrize("file", files(), ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_a_file_imports_what_its_layer_may(file: Path) -> None:
    if file in (PACKAGE / "__init__.py", PACKAGE / "search" / "__init__.py"):
        assert all(item.for_types or not item.module.startswith("sleep_tune") for item in imports(file))
        assert not HEAVY & {item.module.partition(".")[0] for item in imports(file)}
        return
    assert layer_of(file) in LAYERS, f"{file} belongs to no layer of the table"
    assert not list(broken(file))


@pytest.mark.parametrize(
    ("file", "source", "message"),
    [
        ("sleep/x.py", "import torch", "sleep never imports torch"),
        ("sleep/x.py", "from sleep_tune.config import schema", "sleep may import errors of ours"),
        ("sleep/x.py", "def f():\n    import ray.tune", "x.py:2 imports ray.tune; sleep never imports ray"),
        ("data/x.py", "from torch import Tensor", "data never imports torch"),
        ("search/run/x.py", "def f():\n    from sleep_tune.training import run", "search/run may import"),
        ("search/run/worker.py", "from sleep_tune.training import run", "search/run may import"),
        ("config/tree.py", "import omegaconf", "config never imports omegaconf"),
        ("results/x.py", "import sleep_tune.search.decide.director", "results may import"),
        ("search/plan/x.py", "from sleep_tune.search.run import launch", "search/plan may import"),
        ("search/run/x.py", "if TYPE_CHECKING:\n    from sleep_tune.training import run", "search/run may import"),
    ],
)
def test_the_check_itself_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, source: str, message: str
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(source)
    (found,) = broken(tmp_path / file)
    assert message in found


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("config/load.py", "import omegaconf"),
        ("search/run/worker.py", "def f():\n    from sleep_tune.training import run"),
        ("data/x.py", "if TYPE_CHECKING:\n    import torch"),
        ("data/x.py", "import numpy\nfrom sleep_tune.sleep.samples import Samples"),
    ],
)
def test_the_check_lets_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, source: str) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(source)
    assert not list(broken(tmp_path / file))


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_loads_only_what_it_may_in_a_clean_interpreter(name: str) -> None:
    """All of a layer's modules, bar those with an exception in the table, loaded one after another."""
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in files()
        if layer_of(file) == name and file.relative_to(PACKAGE).as_posix() not in LAYERS[name].exceptions
    ]
    if not modules:
        pytest.skip(f"every file of sleep_tune.{name} has an exception")
    script = (
        "import importlib, json, sys\n"
        "for module in json.loads(sys.argv[1]): importlib.import_module(module)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(modules)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert not {module for module in loaded if module in LAYERS[name].never}
    ours = {layer_named(module.split(".")[1:]) for module in loaded if module.startswith("sleep_tune.")}
    packages = {"data", "search", "search/run"}
    assert ours <= LAYERS[name].ours | reachable(name) | {name} | packages


def reachable(name: str) -> frozenset[str]:
    """Return the layers that a layer may load through those that it may import, at any distance."""
    found: frozenset[str] = LAYERS[name].ours
    while more := frozenset().union(*(LAYERS[other].ours for other in found & LAYERS.keys())) - found:
        found |= more
    return found


@pytest.mark.parametrize("script", ["tune", "train_worker"])
def test_importing_a_script_does_nothing_and_loads_nothing(script: str) -> None:
    code = f"import sys, {script}; print([name for name in sys.modules if name.startswith('sleep_tune')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
