from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from sleep_tune.errors import DataError
from sleep_tune.evaluation.suite import Suite
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import TASKS
from tests.evaluation import official_data

KNOWN = ("blimp_fast", "supplement_fast", "ewok_fast")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fast_eval")
    official_data.write_data(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    folder = tmp_path_factory.mktemp("tokenizer")
    official_data.write_tokenizer(folder, framed=True)
    opened: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    return opened


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    return official_data.masked_model(len(tokenizer))


def suite_of(data: Path, tokenizer: PreTrainedTokenizerBase, *names: str, positions: int | None = None) -> Suite:
    folders = find_task_folders(data, TASKS, names)
    return Suite(folders, tokenizer, backend="mlm", batch_tokens=4096, positions=positions)


def folders_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        path = tmp_path / name
        path.write_bytes(b"") if path.suffix else path.mkdir()
    return tmp_path


def test_folders_and_zips_are_found_in_the_order_of_the_table(tmp_path: Path) -> None:
    found = find_task_folders(folders_of(tmp_path, "ewok_fast.zip", "supplement_fast", "other"), KNOWN)
    assert list(found.items()) == [
        ("supplement_fast", tmp_path / "supplement_fast"),
        ("ewok_fast", tmp_path / "ewok_fast.zip"),
    ]


def test_a_folder_goes_before_its_zip(tmp_path: Path) -> None:
    found = find_task_folders(folders_of(tmp_path, "ewok_fast.zip", "ewok_fast"), KNOWN)
    assert found == {"ewok_fast": tmp_path / "ewok_fast"}


def test_tasks_are_selected_by_folder_or_by_name(tmp_path: Path) -> None:
    folders_of(tmp_path, *KNOWN)
    assert list(find_task_folders(tmp_path, KNOWN, ["ewok", "blimp_fast"])) == ["blimp_fast", "ewok_fast"]


@pytest.mark.parametrize(
    ("names", "only", "message"),
    [
        ((), (), "blimp_fast, supplement_fast, ewok_fast; it holds none"),
        (("ewok_fast",), ("blimp_fast",), "blimp_fast.*holds ewok_fast"),
        (("ewok_fast",), ("ewok_fats",), "'ewok_fats'.*did you mean 'ewok_fast'"),
    ],
)
def test_a_missing_task_is_named(tmp_path: Path, names: tuple[str, ...], only: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_task_folders(folders_of(tmp_path, *names), KNOWN, only)


def test_a_missing_folder_or_that_of_a_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere .*no such folder"):
        find_task_folders(tmp_path / "nowhere", KNOWN)
    (tmp_path / "blimp_fast").mkdir()
    with pytest.raises(DataError, match=f"did you mean {tmp_path}"):
        find_task_folders(tmp_path / "blimp_fast", KNOWN)


def test_tasks_scored_together_score_as_alone(
    data: Path, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> None:
    together = suite_of(data, tokenizer, "blimp_fast", "ewok_fast").score(model).tasks
    assert [result.name for result in together] == ["blimp_fast", "ewok_fast"]
    for result in together:
        (alone,) = suite_of(data, tokenizer, result.name).score(model).tasks
        np.testing.assert_allclose(np.stack(alone.scores), np.stack(result.scores), atol=1e-4)
        assert alone.report == result.report
        assert alone.score == result.score


def test_the_model_is_left_as_it_was(data: Path, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> None:
    """Mode, weights, gradients and torch's generator, on both precisions."""
    model.train()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    suite = suite_of(data, tokenizer, "wug_past_tense")
    for precision in ("fp32", "bf16"):
        suite.score(model, precision=precision)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_task_longer_than_the_models_positions_is_left_out(
    data: Path, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> None:
    suite = suite_of(data, tokenizer, "blimp_fast", "entity_tracking_fast", positions=60)
    assert suite.names == ("blimp_fast",)
    (left,) = suite.too_long
    assert (left.name, left.of) == ("entity_tracking_fast", 72)
    assert 0 < left.items < 72
    assert left.longest > 60
    (result,) = suite.score(model).tasks
    assert len(result.items) == len(result.scores) == 68
