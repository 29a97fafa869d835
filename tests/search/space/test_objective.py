"""What can be an objective, and what the base must have for it."""

from pathlib import Path

import pytest

from sleep_tune.errors import UserError
from sleep_tune.experiment.run_protocol import protocol_of_experiment
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
        ("babylm2026/macro", "blimp_fast, zorro"),
        ("babylm2026/blimp_fast", "blimp_fast"),
        ("babylm2026/reading_self_paced", "reading"),
        ("babylm2026/ewok_fast", "ewok_fast"),
        ("babylm2026/zorro", "zorro"),
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
        ("babylm2026/blimp_fats", "[]", "objective.metric|'babylm2026/blimp_fats'|'babylm2026/blimp_fast'"),
        ("babylm2026/comps, mode: min", "[]", "objective.mode|max|babylm2026/comps|got min"),
        ("babylm2026/comps", "[]", "babylm2026/comps needs comps|evaluation.tasks: none"),
        ("babylm2026/comps", "[zorro]", "needs comps|evaluation.tasks: [zorro]"),
        ("babylm2026/reading_eye_tracking", "[zorro]", "needs reading"),
        ("babylm2026/macro", "[zorro]", "babylm2026/macro|at least one task"),
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


@pytest.mark.parametrize(
    ("metric", "protocol", "facts"),
    [
        ("babylm/macro", "auto", "2026|babylm/macro|write babylm2026/macro|evaluation.protocol: 2025"),
        ("babylm2026/blimp_fast", "2025", "write babylm/blimp_fast|evaluation.protocol: 2026"),
        ("babylm2026/global_piqa_parallel", "2025", "2025 has no global_piqa_parallel"),
        ("babylm/wug_past_tense", "2026", "2026 has no wug_past_tense"),
    ],
)
@pytest.mark.parametrize("section", ["objective", "comparison"])
def test_a_score_of_another_year_than_the_runs_is_refused(
    tmp_path: Path, data: Path, section: str, metric: str, protocol: str, facts: str
) -> None:
    base = f"  evaluation.data: {data}\n  evaluation.tasks: [blimp_fast]\n  evaluation.protocol: {protocol}\n"
    key = {"objective": "objective.metric", "comparison": "comparison.primary"}[section]
    chosen = {
        "objective": f"{{metric: {metric}}}",
        "comparison": f"{{metric: eval/nll}}\ncomparison: {{primary: {metric}}}",
    }
    with pytest.raises(UserError) as raised:
        load(tmp_path, chosen[section], base)
    assert not missing(raised.value, f"{key}|{facts}")


def test_the_protocol_is_that_of_the_data_or_as_given(tmp_path: Path, data: Path) -> None:
    base = f"  evaluation.data: {data}\n  evaluation.tasks: [blimp_fast]\n"
    load(tmp_path, "{metric: babylm/macro}", f"{base}  evaluation.protocol: 2025\n")  # a number in YAML
    assert compose_base(load_space(tmp_path / "study.yaml")).evaluation.protocol == "2025"
    (data / "wug_past_tense").mkdir()
    load(tmp_path, "{metric: babylm/macro}", base)
    assert compose_base(load_space(tmp_path / "study.yaml")).evaluation.protocol == "2025"
    with pytest.raises(UserError) as raised:
        load_space(tmp_path / "study.yaml", ["evaluation.tasks=[wug_past_tense]", "evaluation.protocol=2026"])
    assert not missing(raised.value, "evaluation.tasks|2026|got wug_past_tense, a task of 2025")
    (data / "global_piqa_parallel").mkdir()
    with pytest.raises(UserError) as raised:
        load(tmp_path, "{metric: eval/nll}", base)
    assert not missing(raised.value, "wug_past_tense of 2025|global_piqa_parallel of 2026|evaluation.protocol")


def test_a_search_in_the_folder_decides_where_the_space_does_not(tmp_path: Path, data: Path) -> None:
    """An experiment that was begun before there were two protocols names none: its scores are those of 2025."""
    load(tmp_path, "{metric: eval/nll}", f"  evaluation.data: {data}\n  evaluation.tasks: [blimp_fast]\n")
    file, results = tmp_path / "study.yaml", tmp_path / "results"
    old = ["objective.metric=babylm/macro"]
    with pytest.raises(UserError):
        load_space(file, old, results)
    (results / load_space(file).name).mkdir(parents=True)
    experiment = results / load_space(file).name / "experiment.yaml"
    experiment.write_text(f"base: {{evaluation: {{data: {data}, tasks: [blimp_fast]}}}}\n")
    assert load_space(file, old, results).objective.metric == "babylm/macro"
    assert compose_base(load_space(file), protocol_of_experiment(experiment.parent)).evaluation.protocol == "2025"
    with pytest.raises(UserError):
        load_space(file, [*old, "base.evaluation.protocol=2026"], results)
    experiment.write_text(f"base: {{evaluation: {{data: {data}, protocol: '2026'}}}}\n")
    with pytest.raises(UserError):
        load_space(file, old, results)


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
        ("primary: babylm2026/blimp_filtered", ":3: |babylm2026/blimp_filtered|evaluation.data"),
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
        ("ema/babylm2026/comps", "ema/babylm2026/comps|comps|evaluation.tasks"),
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
        ("causal/babylm2026/comps", "hybrid", "causal/babylm2026/comps needs comps|evaluation.tasks: none"),
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
            ":3: |comparison.primary|clm and mlm|test/pairs_accuracy|babylm2026/blimp_filtered|got test/nll",
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
