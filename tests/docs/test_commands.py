"""Every command in the pages is one that works: composed or planned on a toy text, and a few are run in miniature."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import yaml

import sleep_tune
from sleep_tune import __main__ as entry
from sleep_tune.commands import search, train
from sleep_tune.commands.evaluate_arguments import parse_arguments
from sleep_tune.config.load import compose
from sleep_tune.data.toy_corpus import generate
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.space_file import load_space
from tests.analysis.commands import call
from tests.docs.pages import PAGES, ROOT, Command, blocks, command_of, lines, read, spans
from tests.own_code import own_code

OTHER_TOOLS = {"python3", "source", "pip", "jupyter", "export", "rsync", "ray", "(umask", "kubectl", "hf"}
"""First words of the commands in the pages that are not ours."""

QUICK_START = ROOT / "docs" / "quick-start.md"
EXTENDING = ROOT / "docs" / "extending.md"
WHY = ROOT / "docs" / "why.md"

TINY_RUN = ["model.layers=1", "model.hidden=16", "model.heads=2", "model.feed_forward=32", "tokenizer.vocab_size=512"]
TINY_RUN += ["budget.passes=2", "sleep.folds=2", "training.batch_size=8", "evaluation.samples=8", "training.device=cpu"]
TINY_SEARCH = [*TINY_RUN[:6], "training.batch_size=8", "evaluation.samples=8", "stop.trials=1", "finalists.count=1"]
TINY_SEARCH += ["finalists.seeds=2", "parameters.sleep.folds.choice=[2]", "parameters.sleep.length.passes.choice=[1]"]


def found() -> Iterator[Command]:
    """Yield every command of ours in the pages, once."""
    seen = set()
    for page in PAGES:
        for words in (*lines(read(page)), *spans(read(page))):
            command = command_of(page, words)
            if command is not None and str(command) not in seen:
                seen.add(str(command))
                yield command


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a reader who followed the pages: texts, files to be written, and what the quick start made."""
    folder = tmp_path_factory.mktemp("reader")
    write_files(folder)
    with own_code(folder, {}):
        yield folder


def write_files(folder: Path) -> None:
    """Write the files that the pages name, with the content that they give."""
    documents = generate(700, 0.05, 0).train
    for name in ("DIR/stripes", "my_lab", "evaluation_data/fast_eval/blimp_fast", "runs/NAME/model", "FOLDER"):
        (folder / name).mkdir(parents=True)
    text = "\n\n".join("\n".join(document.sentences) for document in documents)
    (folder / "DIR" / "a.txt").write_text(text, encoding="utf-8")
    (folder / "lines.txt").write_text(text.replace("\n\n", "\n"), encoding="utf-8")
    stories = (json.dumps({"text": " ".join(document.sentences)}) for document in documents)
    (folder / "stories.jsonl").write_text("".join(f"{story}\n" for story in stories), encoding="utf-8")
    (folder / "DIR" / "stripes" / "pairs.csv").write_text("a cat sleeps.,a cat sleep.\n", encoding="utf-8")
    for name, block in re.findall(r"`(my_lab/\w+\.py)`:\n\n```python\n(.*?)```", read(EXTENDING), re.DOTALL):
        (folder / name).write_text(block, encoding="utf-8")
    (config,) = blocks(read(ROOT / "docs" / "models.md"), "json")
    (folder / "my_config.json").write_text(config, encoding="utf-8")
    (folder / "evaluation_data/fast_eval/blimp_fast/a.jsonl").touch()
    space = blocks(read(ROOT / "docs" / "space.md"), "yaml")[0].replace("/path/to/texts", "DIR")
    for name in ("mine.yaml", "SPACE.yaml", "SPACE"):
        (folder / name).write_text(space, encoding="utf-8")


def check_search(arguments: Sequence[str]) -> None:
    """Read the space with the overrides, and compose what its runs share."""
    options = search.parse(arguments)
    if not (options.help or options.status):
        compose_base(load_space(options.space, options.overrides))


def check_train(arguments: Sequence[str]) -> None:
    """Compose the run's configuration."""
    compose(train.parse(arguments).overrides)


PARSERS: dict[str, Callable[[Sequence[str]], object]] = {
    "search": check_search,
    "train": check_train,
    "evaluate": parse_arguments,
}
"""Command -> a check of its arguments; the flags of the others are compared with their --help."""


@pytest.mark.parametrize("command", list(found()), ids=str)
def test_a_command_is_one_that_works(command: Command, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if command.name in PARSERS and command.arguments:
        PARSERS[command.name](command.arguments)
        return
    with contextlib.suppress(SystemExit):  # argparse ends the process after --help
        entry.main([command.name, "--help"] if command.name else ["--help"])
    usage = capsys.readouterr().out
    assert [flag for flag in command.arguments if flag.startswith("--") and flag not in usage] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_line_of_shell_calls_a_tool_that_there_is(page: Path) -> None:
    targets = set(re.findall(r"^(\w+):", read(ROOT / "Makefile"), re.MULTILINE))
    for words in lines(read(page)):
        if command_of(page, words) is None:
            first = next(word for word in words if "=" not in word)
            assert first in OTHER_TOOLS or first.startswith(".venv/bin/") or (first == "make" and words[1] in targets)
            assert not any(".whl" in word for word in words) or f"./sleep_tune-{sleep_tune.__version__}" in words[2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_s_yaml_is_a_search_space_or_a_part_of_one(page: Path, place: Path) -> None:
    demo = yaml.safe_load(read(ROOT / "search_spaces" / "demo.yaml"))
    for block in blocks(read(page), "yaml"):
        given = yaml.safe_load(block.replace("/path/to/texts", "DIR"))
        searched = given.get("parameters", {})
        base = {key: value for key, value in demo["base"].items() if key not in searched} | given.get("base", {})
        space = given if "name" in given else demo | given | {"base": base}
        (place / "space.yaml").write_text(yaml.safe_dump(space), encoding="utf-8")
        load_space(place / "space.yaml", [])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_s_python_is_python(page: Path) -> None:
    for block in blocks(read(page), "python"):
        compile(block, page.name, "exec")


@pytest.mark.slow
def test_the_quick_start_leads_to_a_report_and_to_a_notebook(place: Path) -> None:
    """Its commands in their order, then its cells; the search is made small, in both alike."""
    more = {"search": [*TINY_SEARCH, "--launcher", "inline"], "export": ["--conf", str(place / "conf")]}
    for words in lines(read(QUICK_START)):
        command = command_of(QUICK_START, words)
        if command is not None:
            small = more.get(command.name, ())
            done = call(entry.main, *filter(None, [command.name]), *command.arguments, *small)
            assert done.returncode == 0, done.stderr
    assert (place / "results" / "stories" / "report.html").is_file()
    settings = "".join(f'"{key}": {value}, ' for key, value in (text.split("=", 1) for text in TINY_SEARCH))
    names: dict[str, object] = {}
    for block in blocks(read(QUICK_START), "python"):
        exec(block.replace("    },\n)", f"{settings}}}, launcher='inline')"), names)
    assert names["experiment"] is not None


@pytest.mark.slow
def test_a_sleeping_run_and_its_control_are_trained(place: Path) -> None:
    """The two commands of the page on controls; the second one needs what the first one wrote."""
    for words in lines(read(WHY)):
        command = command_of(WHY, words)
        if command is not None and command.name == "train":
            done = call(entry.main, "train", *command.arguments, "data.sentences=400", *TINY_RUN)
            assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_reader_s_own_strategy_model_corpus_and_task_are_trained_with(place: Path) -> None:
    """All commands of the page on extending as one, since each sets another option."""
    own = [words for words in lines(read(EXTENDING)) if command_of(EXTENDING, words) is not None]
    overrides = [word for words in own for word in words if "=" in word]
    done = call(entry.main, "train", "run.name=own", *overrides, *TINY_RUN)
    assert done.returncode == 0, done.stderr
    assert "stripes" in done.stdout
