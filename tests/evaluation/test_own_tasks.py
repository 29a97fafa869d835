"""Tasks of the user's own code: read from their folder, checked item by item, and scored beside BabyLM's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sleep_tune.errors import ConfigError, DataError
from sleep_tune.evaluation.benchmark import Benchmark
from sleep_tune.evaluation.tasks import own_tasks, read_items
from tests.evaluation.folders import SENTENCES, write_data
from tests.evaluation.tiny import LONGEST, tiny_model, tiny_tokenizer
from tests.messages import raises_naming
from tests.own_code import own_code

MODULE = """\
from sleep_tune.evaluation.items import Item, TextOption


def item(*texts, label=0):
    return Item(uid="stripes", id="", options=tuple(map(TextOption, texts)), label=label)


def stripes(file):
    for line in file.content.decode().splitlines():
        good, bad = line.split(",")
        yield item(good, bad)


def label(file):
    yield item("the dog", "the cat", label=2)


def one(file):
    yield item("the dog")


def blank(file):
    yield item("the dog", " ")


def ending(file):
    yield Item(uid="x", id="", options=(TextOption("the dog", "cat"), TextOption("the cat", "cat")))


def text(file):
    yield "the dog"


def nothing(file):
    pass


def none(file):
    return []


def blimp_fast(file):
    yield item("the dog", "the cat")


def macro(file):
    yield item("the dog", "the cat")
"""


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A folder of evaluation data with one more task, in a working directory with the module of its function."""
    folder = write_data(tmp_path / "fast_eval")
    (folder / "stripes").mkdir()
    (folder / "stripes" / "a.csv").write_text("the dog saw the cat .,the cat the saw dog .\n" * 3)
    with own_code(tmp_path, {"task_lab.py": MODULE}):
        yield folder


def test_an_own_task_is_scored_beside_the_others(data: Path) -> None:
    tokenizer = tiny_tokenizer(SENTENCES)
    model = tiny_model("mlm", tokenizer)
    names = ("task_lab:stripes", "blimp_fast")
    chosen = Benchmark(data, tokenizer, only=names, backend="mlm", batch_tokens=512, positions=LONGEST)
    others = Benchmark(data, tokenizer, without=names, backend="mlm", batch_tokens=512, positions=LONGEST)
    with torch.no_grad():
        first, second = chosen.score(model), others.score(model)
    assert {key for key in first if key.startswith("babylm/")} == {"babylm/blimp_fast", "babylm/stripes"}
    assert first["babylm/stripes"] in (0.0, 100.0)
    assert "babylm/zorro" in second
    assert not {"babylm/stripes", "babylm/blimp_fast"} & second.keys()


def test_a_folder_may_hold_own_tasks_only(data: Path, tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer(SENTENCES)
    (data / "stripes").rename(tmp_path / "alone")
    (tmp_path / "own").mkdir()
    (tmp_path / "alone").rename(tmp_path / "own" / "stripes")
    without = Benchmark(
        tmp_path / "own", tokenizer, without=("task_lab:stripes",), backend="mlm", batch_tokens=512, positions=LONGEST
    )
    assert without.score(tiny_model("mlm", tokenizer)) == {}


def test_items_have_ids_and_a_group(data: Path) -> None:
    items = read_items(own_tasks(["task_lab:stripes"])["stripes"], data / "stripes")
    assert [item.id for item in items] == ["stripes_0", "stripes_1", "stripes_2"]
    assert items[0].groups == {"UID": "stripes"}


@pytest.mark.parametrize("name", ["label", "one", "blank", "ending", "text", "nothing"])
def test_what_is_no_item_is_refused_with_the_function_and_the_file(data: Path, name: str) -> None:
    task = own_tasks([f"task_lab:{name}"])[name]
    with raises_naming(ConfigError, f"evaluation.tasks=task_lab:{name}", "Item", "a.csv"):
        read_items(task, data / "stripes")


def test_a_task_without_items_is_refused(data: Path) -> None:
    with raises_naming(DataError, "none", str(data / "stripes")):
        read_items(own_tasks(["task_lab:none"])["none"], data / "stripes")


@pytest.mark.parametrize("names", [["task_lab:blimp_fast"], ["task_lab:macro"], ["task_lab:stripes", "other:stripes"]])
def test_a_function_has_a_name_of_its_own(data: Path, names: list[str]) -> None:
    Path("other.py").write_text("from task_lab import stripes\n")
    with raises_naming(ConfigError, "evaluation.tasks", names[-1]):
        own_tasks(names)


def test_an_error_in_the_function_names_its_line(data: Path) -> None:
    (data / "stripes" / "b.csv").write_text("one column\n")
    with pytest.raises(ValueError, match="unpack") as caught:
        read_items(own_tasks(["task_lab:stripes"])["stripes"], data / "stripes")
    assert "task_lab.py" in str(caught.traceback[-1].path)
