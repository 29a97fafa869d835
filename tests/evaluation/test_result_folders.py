"""Names of the folders of a model's results."""

from pathlib import Path

import pytest

from sleep_tune.evaluation.result_folders import ResultNames, result_names


def test_any_folder_has_its_own_name_cut_at_a_dot_as_the_pipeline_does() -> None:
    found = result_names(Path("/models/gpt.small"))
    assert found == ResultNames("gpt", "main")
    assert found.zero_shot(Path("results"), "causal") == Path("results/gpt/main/zero_shot/causal")
    assert found.fine_tuned(Path("results")) == Path("results/gpt/main/finetune")
    assert result_names(Path("/models/model"), "chck_10M") == ResultNames("model", "chck_10M")
    assert result_names(Path("/models/checkpoints/last")) == ResultNames("last", "main")


@pytest.mark.parametrize("kept", ["config.yaml", "checkpoints/x"])
def test_a_run_s_model_and_checkpoints_stand_under_its_name(tmp_path: Path, kept: str) -> None:
    run = tmp_path / "rate.005"
    (run / kept).parent.mkdir(parents=True, exist_ok=True)
    (run / kept).touch()
    (run / "model").mkdir()
    assert result_names(run / "model") == ResultNames("rate-005", "main")
    assert result_names(run / "model-ema") == ResultNames("rate-005-ema", "main")
    assert result_names(run / "checkpoints" / "chck_20M") == ResultNames("rate-005", "chck_20M")
    assert result_names(run / "checkpoints" / "chck_20M", "other") == ResultNames("rate-005", "other")
