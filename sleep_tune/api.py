"""The package from Python, for a notebook or a script: train, search, evaluate, compare, load_experiment.

Usage::

    from sleep_tune import search
    experiment = search("search_spaces/demo.yaml", {"stop.trials": 4}, launcher="inline")
    experiment                                   # the table of arms, with the verdict
    experiment.curves.query("metric == 'eval/nll'")

A mistake raises one exception of the family `sleep_tune.UserError`, with the message that the command would print.
Ctrl-C (in a notebook: interrupt the kernel) saves, and raises KeyboardInterrupt; the same call resumes. Each function
prints its progress. Importing this module loads no torch, Ray or pandas. Call one function at a time: training sets
the threads and the random state of the process.
"""

import contextlib
import functools
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from sleep_tune import cli
from sleep_tune.babylm.protocols import PROTOCOLS
from sleep_tune.errors import ConfigError, refusal, unknown
from sleep_tune.files import expanded
from sleep_tune.interrupts import catching, current
from sleep_tune.names import DEVICES, LAUNCHERS, MATCHED, PRECISIONS

if TYPE_CHECKING:
    from sleep_tune.evaluate.evaluation_results import EvaluationResults
    from sleep_tune.results.experiment_results import ComparisonResults, ExperimentResults
    from sleep_tune.results.run_results import RunResults

__all__ = ["compare", "evaluate", "load_experiment", "search", "train"]

Overrides = Mapping[str, Any] | Sequence[str]
"""Options by dotted key and choices of groups, such as `{"data": "toy", "training.seed": 3}`; or the same as on a
command line: `["data=toy", "training.seed=3"]`."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _as_exceptions(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Turn a full disk or a limit on files into a UserError, and signals into a KeyboardInterrupt after saving."""

    @functools.wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        farewell = f"nothing that was saved is lost: to resume, call {function.__name__} again as before"
        with warnings.catch_warnings(), _interruptible(farewell):
            # Libraries import tqdm.auto, which warns of missing widgets in a notebook.
            warnings.filterwarnings("ignore", "IProgress not found")
            try:
                return function(*args, **kwargs)
            except OSError as error:
                refused = refusal(error, str(error.filename or "the results"))
                if refused is None:
                    raise
                raise refused from error
        raise AssertionError("a signal raises an exception")

    return call


@contextlib.contextmanager
def _interruptible(farewell: str) -> Iterator[None]:
    """Catch signals while a block runs, in the main thread only, and never end the process.

    Raises:
        KeyboardInterrupt: Ctrl-C came. After SIGTERM or SIGHUP the caller's own handler is called first, which ends
            the process unless it was changed.
    """
    with catching(exits=False) as interrupts:
        interrupts.farewell = farewell
        try:
            yield
            return
        except (KeyboardInterrupt, SystemExit):
            if interrupts.number is None:
                raise
        interrupts.farewell = farewell
    assert interrupts.number is not None
    if interrupts.number != signal.SIGINT:
        signal.raise_signal(interrupts.number)
    raise KeyboardInterrupt(interrupts.last_line())


@_as_exceptions
def train(overrides: Overrides = ()) -> "RunResults":
    """Train one model, resume its run, or return the results of one that has ended.

    Usage::

        run = train({"run.name": "tiny", "data.sentences": 5000, "budget.passes": 4})
        run.metrics["test/nll"]
        run.losses.plot(x="words_seen", y="loss", backend="plotly")

    Args:
        overrides: options by dotted key and choices of groups, as `sleep-tune train --help` lists them: a mapping
            (`{"data": "toy", "training.seed": 3}`) or texts (`["data=toy", "training.seed=3"]`). The folder is run.dir,
            or runs/<run.name>; a run without a name is called after its settings.

    Raises:
        UserError: a mistake in an option, the text or the folder.
        TrialFailure: the configuration cannot be trained: it diverges, or the device has too little memory.
        KeyboardInterrupt: Ctrl-C; the same call resumes.
    """
    from sleep_tune.commands import train as command
    from sleep_tune.experiment.run_place import compose_run
    from sleep_tune.results.run_results import RunResults

    config = compose_run(_plain_overrides(overrides))
    folder = Path(config.run.dir or "")
    command.train(folder, config)
    return RunResults(folder)


@_as_exceptions
def search(
    space: str | Path | Mapping[str, Any],
    overrides: Overrides = (),
    *,
    results: str | Path = "results",
    launcher: str = "ray",
    address: str | None = None,
) -> "ExperimentResults":
    """Run a search, resume it, or return the results of one that has ended.

    Usage::

        experiment = search("search_spaces/demo.yaml", {"name": "mine", "data": "text", "data.path": "stories.jsonl"})
        experiment.trials.sort_values("eval/nll")

    The tables and the report are written to the experiment's folder, results/<name>.

    Args:
        space: the search space: a file, or a mapping with the keys of one, as `sleep-tune search --help` lists them.
        overrides: as for `train`; a key that begins with a section of the space (stop.trials) changes the space.
        results: folder of all experiments.
        launcher: ray: as many trials at a time as fit on the machine or cluster; inline: one at a time in this
            process.
        address: a Ray cluster to join: auto, or host:port. Without it the search starts its own Ray on this machine.

    Raises:
        UserError: a mistake in the space, the text, the folder or the cluster.
        KeyboardInterrupt: Ctrl-C; the same call resumes.
    """
    from sleep_tune.results.experiment_results import ExperimentResults
    from sleep_tune.results.look_judge import judge_look
    from sleep_tune.results.report.page import write_report
    from sleep_tune.results.table_files import write_tables
    from sleep_tune.search.run.launch import Interrupted, PreparedSearch

    _require_choice("launcher", launcher, LAUNCHERS)
    given = _plain(space) if isinstance(space, Mapping) else expanded(str(space))
    with cli.echo_log("sleep_tune.data"):
        prepared = PreparedSearch.read(given, _plain_overrides(overrides), expanded(str(results)))
    try:
        prepared.run(launcher=launcher, address=address, judge=functools.partial(judge_look, prepared.folder))
    except Interrupted:
        current().end()
        raise
    write_report(prepared.folder, write_tables(prepared.folder))
    return ExperimentResults(prepared.folder)


@_as_exceptions
def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    tasks: Sequence[str] = (),
    backend: str = "auto",
    output: str | Path = "results",
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int = 16_384,
    revision: str | None = None,
    trust_remote_code: bool = False,
    protocol: str | int = "auto",
) -> "EvaluationResults":
    """Score a model on BabyLM's zero-shot tasks, and write the official files.

    Usage::

        scores = evaluate("runs/tiny/model", "evaluation_data/fast_eval", tasks=["blimp"]).scores

    Args:
        model: folder that transformers opens, with a fast tokenizer.
        data: folder of tasks, such as evaluation_data/fast_eval.
        tasks: names of folders, of tasks such as blimp, or import paths of functions of your own; all by default.
        backend: mlm, mntp, causal, or auto: by the model's config.json.
        output: folder of the results.
        device: cpu, cuda, mps, or auto: a GPU (cuda) if there is one.
        dtype: fp32, bf16, or auto; options are chosen alike in all of them.
        batch_tokens: largest number of tokens in a forward pass, >= 1.
        revision: in the path of the results; by default the checkpoint's name, or main.
        trust_remote_code: run the Python files in the model's folder.
        protocol: year of the challenge whose rules are followed, or auto: by the data's folders.

    Raises:
        UserError: a model or data that cannot be used.
        KeyboardInterrupt: Ctrl-C; back ends whose files are not written yet are lost.
    """
    from sleep_tune.babylm.data_protocol import AUTO_PROTOCOL
    from sleep_tune.babylm.protocols import PROTOCOLS
    from sleep_tune.evaluate.evaluation_results import EvaluationResults
    from sleep_tune.evaluate.progress_bars import text_bars
    from sleep_tune.evaluate.zero_shot import ZeroShot, score_zero_shot
    from sleep_tune.training.hardware import find_device

    _require_choice("device", device, DEVICES)
    _require_choice("dtype", dtype, PRECISIONS)
    year = str(protocol)
    _require_choice("protocol", year, (AUTO_PROTOCOL, *PROTOCOLS))
    if batch_tokens < 1:
        raise ConfigError(f"batch_tokens must be an integer >= 1; got {batch_tokens}")
    what = ZeroShot(
        model=expanded(str(model)),
        data=expanded(str(data)),
        tasks=tuple(tasks),
        backend=backend,
        output_dir=expanded(str(output)),
        batch_tokens=batch_tokens,
        device=find_device(device, "device"),
        dtype=dtype,
        revision_name=revision,
        trust_remote_code=trust_remote_code,
        protocol=year,
    )
    with text_bars() as begin:
        return EvaluationResults(list(score_zero_shot(what, begin)))


@_as_exceptions
def compare(
    folders: str | Path | Sequence[str | Path] | Mapping[str, str | Path | Sequence[str | Path]],
    *,
    published: str | Path | Sequence[str | Path] = (),
    baseline: str | None = None,
    matched: str | None = None,
    protocol: str | int | None = None,
) -> "ComparisonResults":
    """Compare the arms of experiments, of models trained elsewhere, and published figures with a baseline.

    Usage::

        compare(["results/replay", "results/other"]).comparison
        compare({"base": ["out/a1", "out/a2"], "sleep": ["out/b1", "out/b2"]}).verdict

    Args:
        folders: experiments, or folders of the official pipeline's reports; a mapping names the models: name -> its
            folder, or the folders of its seeds.
        published: CSV files of figures, or names of tables that come with the package, such as babylm2026.
        baseline: name of the arm that all others are compared with; by default the reference of the first experiment,
            else the first model.
        matched: the resource that all arms should share: words, flops or device_hours; by default the first
            experiment's.
        protocol: year of official or published scores that do not show it by their tasks: 2025 or 2026.

    Raises:
        UserError: a folder or file that cannot be compared, or no arm with the name of the baseline.
    """
    from sleep_tune.results.experiment_results import ComparisonResults
    from sleep_tune.results.folder_comparison import compare_folders

    if matched is not None:
        _require_choice("matched", matched, MATCHED)
    tables = [published] if isinstance(published, str | Path) else published
    files = [expanded(str(path)) for path in tables]
    year = None if protocol is None else str(protocol)
    if year is not None:
        _require_choice("protocol", year, tuple(PROTOCOLS))
    named = _named_folders(folders)
    return ComparisonResults(*compare_folders(named, files, baseline=baseline, matched=matched, year=year))


@_as_exceptions
def load_experiment(folder: str | Path) -> "ExperimentResults":
    """Return the results of an experiment, as they are now; its search may still run.

    Usage::

        experiment = load_experiment("results/demo")
        experiment.verdict
        experiment.runs.groupby("arm")["test/nll"].describe()

    Args:
        folder: of the experiment, such as results/demo.

    Raises:
        UserError: the folder holds no experiment, or a file in it is not as it was written.
    """
    from sleep_tune.results.experiment_results import ExperimentResults

    return ExperimentResults(expanded(str(folder)))


def _require_choice(name: str, given: str, choices: Sequence[str]) -> None:
    if given not in choices:
        raise ConfigError(unknown(name, given, choices))


def _plain_overrides(given: Overrides) -> Any:
    """Return overrides with values as YAML has them; one text alone, which is a sequence of letters, is refused."""
    if isinstance(given, str):
        raise ConfigError(f"overrides must be a mapping, or a list of texts such as ['data=toy']; got {given!r}")
    return _plain(given)


def _plain(given: Any) -> Any:
    """Return overrides or a space with values as YAML has them: paths as text, tuples as lists, numpy's as Python's."""
    if isinstance(given, Mapping):
        return {str(key): _plain(value) for key, value in given.items()}
    if isinstance(given, Path):
        return str(given)
    if isinstance(given, Sequence) and not isinstance(given, str):
        return [_plain(value) for value in given]
    return given.item() if hasattr(given, "item") else given


def _named_folders(
    folders: str | Path | Sequence[str | Path] | Mapping[str, str | Path | Sequence[str | Path]],
) -> list[str]:
    """Return the folders as `compare_folders` takes them: with NAME= in front where they have one."""
    if isinstance(folders, Mapping):
        return [f"{name}={folder}" for name, given in folders.items() for folder in _named_folders(given)]
    listed = [folders] if isinstance(folders, str | Path) else list(folders)
    return [str(expanded(str(folder))) for folder in listed]
