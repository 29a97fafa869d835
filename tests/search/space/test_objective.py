"""What can be an objective, and what the base must have for it."""

from pathlib import Path

import pytest

from sleep_tune.errors import UserError
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.search_space import Objective
from sleep_tune.search.space.space_file import load_space
from tests.messages import missing
from tests.search.space.broken_spaces import WHOLE


def load(tmp_path: Path, objective: str, base: str = "") -> Objective:
    file = tmp_path / "study.yaml"
    text = WHOLE.replace("  data: toy\n", f"  data: toy\n{base}")
    file.write_text(text.replace("{metric: eval/nll, mode: min}", objective), encoding="utf-8")
    return load_space(file).objective


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("blimp_fast", "reading", "zorro"):
        (tmp_path / "fast_eval" / name).mkdir(parents=True)
    (tmp_path / "fast_eval" / "ewok_fast.zip").touch()
    return tmp_path / "fast_eval"


@pytest.mark.parametrize(
    ("metric", "tasks"),
    [
        ("babylm/macro", "blimp_fast, zorro"),
        ("babylm/blimp_fast", "blimp_fast"),
        ("babylm/reading_self_paced", "reading"),
        ("babylm/ewok_fast", "ewok_fast"),
        ("babylm/zorro", "zorro"),
        ("eval/nll", ""),
    ],
)
def test_a_task_s_score_or_their_average_is_an_objective(tmp_path: Path, data: Path, metric: str, tasks: str) -> None:
    base = f"  evaluation.data: {data}\n  evaluation.tasks: [{tasks}]\n"
    mode = "min" if metric == "eval/nll" else "max"
    assert load(tmp_path, f"{{metric: {metric}}}", base) == Objective(metric=metric, mode=mode)


@pytest.mark.parametrize(
    ("metric", "tasks", "facts"),
    [
        ("babylm/blimp_fats", "[]", "objective.metric|'babylm/blimp_fats'|'babylm/blimp_fast'"),
        ("babylm/comps, mode: min", "[]", "objective.mode|max|babylm/comps|got min"),
        ("babylm/comps", "[]", "babylm/comps needs comps|evaluation.tasks: none"),
        ("babylm/comps", "[zorro]", "needs comps|evaluation.tasks: [zorro]"),
        ("babylm/reading_eye_tracking", "[zorro]", "needs reading"),
        ("babylm/macro", "[zorro]", "babylm/macro|at least one task"),
        ("eval/nll", "[blimp_filtered]", ":5: |evaluation.tasks|blimp_filtered|'blimp_fast'"),
        ("eval/nll", "[comps]", "comps|blimp_fast, ewok_fast, reading, zorro"),
    ],
)
def test_an_objective_that_no_run_reports_is_refused(
    tmp_path: Path, data: Path, metric: str, tasks: str, facts: str
) -> None:
    with pytest.raises(UserError) as raised:
        load(tmp_path, f"{{metric: {metric}}}", f"  evaluation.data: {data}\n  evaluation.tasks: {tasks}\n")
    assert not missing(raised.value, facts)


def test_minimal_pairs_are_the_toy_language_s(tmp_path: Path) -> None:
    assert load(tmp_path, "{metric: eval/pairs_accuracy}").mode == "max"
    with pytest.raises(UserError) as raised:
        load(tmp_path, "{metric: eval/pairs_accuracy}", "  evaluation.pairs: 0\n")
    assert not missing(raised.value, "eval/pairs_accuracy|data.kind=toy|evaluation.pairs=0")


def test_the_data_s_folder_is_looked_for_and_made_absolute(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError) as raised:
        load(tmp_path, "{metric: eval/nll}", "  evaluation.data: no/such\n")
    assert not missing(raised.value, f":4: |evaluation.data|{Path('no/such').absolute()}")
    monkeypatch.chdir(tmp_path)
    load(tmp_path, "{metric: eval/nll}", "  evaluation.data: fast_eval\n")
    assert compose_base(load_space(tmp_path / "study.yaml")).evaluation.data == str(data)


def test_the_endpoint_of_claims_is_named_with_the_study(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        "base: {data: toy}\nparameters: {sleep.folds: {choice: [2, 5]}}\n"
        "comparison: {primary: test/nll, smallest: 0.01, matched: flops}\n"
    )
    claim = load_space(tmp_path / "study.yaml").comparison
    assert (claim.primary, claim.smallest, claim.matched) == ("test/nll", 0.01, "flops")
    for override, facts in (
        ("comparison.primary=test/nl", "comparison.primary|'test/nl'|'test/nll'"),
        ("comparison.smallest=0", "comparison.smallest|> 0|got 0"),
        ("comparison.matched=flop", "comparison.matched|'flop'|'flops'"),
    ):
        with pytest.raises(UserError) as raised:
            load_space(tmp_path / "study.yaml", [override])
        assert not missing(raised.value, facts)


@pytest.mark.parametrize(
    ("claim", "facts"),
    [
        ("primary: test/pairs_accuracy, smallest: 1", ":3: |comparison.smallest|below 0.1|test/pairs_accuracy|got 1"),
        ("smallest: 0.5", ":3: |comparison.smallest|below 0.1|eval/pairs_accuracy|got 0.5"),
        ("primary: babylm/blimp_filtered", ":3: |babylm/blimp_filtered|evaluation.data"),
    ],
)
def test_what_claims_are_about_must_be_measured_and_in_its_unit(tmp_path: Path, claim: str, facts: str) -> None:
    (tmp_path / "study.yaml").write_text(
        "base: {data: toy}\nparameters: {sleep.folds: {choice: [2, 5]}}\n"
        f"comparison: {{{claim}}}\nobjective: {{metric: eval/pairs_accuracy}}\n"
    )
    with pytest.raises(UserError) as raised:
        load_space(tmp_path / "study.yaml")
    assert not missing(raised.value, facts)
    load_space(tmp_path / "study.yaml", ["comparison.primary=test/pairs_accuracy", "comparison.smallest=0.01"])


def test_minimal_pairs_judge_only_where_there_are_some(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("a cat sat .\n")
    (tmp_path / "study.yaml").write_text(
        f"base: {{data: text, data.path: {tmp_path}/corpus}}\nparameters: {{sleep.folds: {{choice: [2, 5]}}}}\n"
        "comparison: {primary: test/pairs_accuracy}\n"
    )
    with pytest.raises(UserError) as raised:
        load_space(tmp_path / "study.yaml")
    assert not missing(raised.value, ":3: |test/pairs_accuracy|data.kind=text")


@pytest.mark.parametrize(
    ("metric", "mode"),
    [("ema/eval/nll", "min"), ("ema/eval/pairs_accuracy", "max"), ("ema/eval/pairs/agreement", "max")],
)
def test_averaged_weights_may_be_the_objective_of_runs_that_have_them(tmp_path: Path, metric: str, mode: str) -> None:
    assert load(tmp_path, f"{{metric: {metric}}}", "  training.ema: 0.99\n").mode == mode
    with pytest.raises(UserError) as raised:
        load(tmp_path, f"{{metric: {metric}}}")
    assert not missing(raised.value, f"{metric}|training.ema|base")


@pytest.mark.parametrize(
    ("metric", "facts"),
    [
        ("ema/eval/nl", "objective.metric|'ema/eval/nl'|'eval/nll'"),
        ("causal/eval/nll", "causal/eval/nll|training.objective: hybrid"),
        ("causal/ema/eval/nll", "'causal/ema/eval/nll'|ema/causal/eval/nll"),
        ("ema/ema/eval/nll", "'ema/ema/eval/nll'|ema/eval/nll"),
        ("ema/babylm/comps", "ema/babylm/comps|comps|evaluation.tasks"),
    ],
)
def test_a_variant_that_no_run_measures_is_refused(tmp_path: Path, metric: str, facts: str) -> None:
    with pytest.raises(UserError) as raised:
        load(tmp_path, f"{{metric: {metric}}}", "  training.ema: 0.99\n")
    assert not missing(raised.value, facts)


@pytest.mark.parametrize("primary", ["ema/test/nll", "ema/test/pairs_accuracy"])
def test_claims_may_be_about_averaged_weights(tmp_path: Path, primary: str) -> None:
    text = (
        "base: {{data: toy, training.ema: {decay}}}\nparameters: {{sleep.folds: {{choice: [2, 5]}}}}\n"
        "comparison: {{primary: {primary}}}\n"
    )
    (tmp_path / "study.yaml").write_text(text.format(decay=0.99, primary=primary))
    assert load_space(tmp_path / "study.yaml").comparison.primary == primary
    (tmp_path / "study.yaml").write_text(text.format(decay="null", primary=primary))
    with pytest.raises(UserError) as raised:
        load_space(tmp_path / "study.yaml")
    assert not missing(raised.value, f":3: |{primary}|training.ema")


ROBERTA = "  training.objective: {}\n"


@pytest.mark.parametrize(
    ("metric", "base"),
    [
        ("causal/eval/nll", "hybrid"),
        ("causal/eval/perplexity", "hybrid"),
        ("eval/pseudo_perplexity", "hybrid"),
        ("causal/eval/pairs_accuracy", "hybrid"),
        ("causal/eval/pairs/agreement", "hybrid"),
        ("eval/perplexity", "clm"),
        ("eval/pseudo_perplexity", "mlm"),
    ],
)
def test_what_runs_of_an_objective_report_can_be_an_objective(tmp_path: Path, metric: str, base: str) -> None:
    mode = "max" if "pairs" in metric else "min"
    assert load(tmp_path, f"{{metric: {metric}}}", ROBERTA.format(base)) == Objective(metric=metric, mode=mode)


@pytest.mark.parametrize(
    ("metric", "base", "facts"),
    [
        (
            "causal/eval/nll",
            "mlm",
            "study.yaml:7: |causal/eval/nll|training.objective: hybrid|mlm",
        ),
        ("causal/eval/nll", "clm", "causal/eval/nll|training.objective: hybrid|clm"),
        ("causal/eval/nnl", "hybrid", "objective.metric|'causal/eval/nnl'|'eval/nll'"),
        ("causal/eval/pseudo_perplexity", "hybrid", "objective.metric|causal/eval/perplexity|got causal/eval/pseudo"),
        ("eval/pseudo_perplexity", "clm", "objective.metric|eval/perplexity|training.objective=clm|got eval/pseudo"),
        ("eval/perplexity", "mlm", "objective.metric|eval/pseudo_perplexity|training.objective=mlm"),
        ("causal/babylm/comps", "hybrid", "causal/babylm/comps needs comps|evaluation.tasks: none"),
        ("causal/eval/nll, mode: max", "hybrid", "objective.mode|min|causal/eval/nll|got max"),
    ],
)
def test_a_variant_that_no_run_reports_is_refused(tmp_path: Path, metric: str, base: str, facts: str) -> None:
    with pytest.raises(UserError) as raised:
        load(tmp_path, f"{{metric: {metric}}}", ROBERTA.format(base))
    assert not missing(raised.value, facts)


@pytest.mark.parametrize(
    ("lines", "facts"),
    [
        ("objective: {metric: eval/nll}", ":3: |objective.metric|clm and mlm|eval/pairs_accuracy|got eval/nll"),
        (
            "comparison: {primary: test/nll}\nobjective: {metric: eval/pairs_accuracy}",
            ":3: |comparison.primary|clm and mlm|test/pairs_accuracy|babylm/blimp_filtered|got test/nll",
        ),
    ],
)
def test_a_loss_judges_no_runs_of_several_objectives(tmp_path: Path, lines: str, facts: str) -> None:
    text = "base: {data: toy}\nparameters: {training.objective: {choice: [CHOICES]}}\n" + lines + "\n"
    for choices, baselines in (("clm, mlm", "{}"), ("clm", "{epochs: {}}")):
        (tmp_path / "study.yaml").write_text(text.replace("CHOICES", choices) + f"baselines: {baselines}\n")
        with pytest.raises(UserError) as raised:
            load_space(tmp_path / "study.yaml")
        assert not missing(raised.value, facts)
        scores = ["objective.metric=eval/pairs_accuracy", "comparison.primary=test/pairs_accuracy"]
        assert load_space(tmp_path / "study.yaml", scores).objective.mode == "max"
