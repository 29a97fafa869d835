"""Score a model on BabyLM's tasks: `python -m sleep_tune.evaluate MODEL_DIR --data evaluation_data/fast_eval`.

Parses, loads, scores and prints; what a score is, and which files are written, is `sleep_tune.evaluation`'s.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune import cli
from sleep_tune.evaluate import requests
from sleep_tune.interrupts import current

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress

    from sleep_tune.evaluation.zero_shot import Scored

HELP = """\
Score a language model on the zero-shot tasks of the BabyLM challenge, as its 2025 pipeline does: the same choices, the
same files, in one process.

  python -m sleep_tune.evaluate runs/tiny/model --data evaluation_data/fast_eval
  python -m sleep_tune.evaluate MODEL --data evaluation_data/full_eval --tasks blimp,entity_tracking --backend causal

MODEL is a folder that AutoModelForMaskedLM or AutoModelForCausalLM opens, with a fast tokenizer. It must hold every
weight of its model: missing, unused and non-finite weights are refused. None of its code is run without
--trust-remote-code. DATA holds a folder for each task, under the official names; what is there is scored:

  blimp_fast, blimp_filtered                minimal pairs              % of pairs
  supplement_fast, supplement_filtered      minimal pairs              % of pairs
  ewok_fast, ewok_filtered                  a target after a context   % of items; ewok_fast.zip is read as it is
  entity_tracking_fast, entity_tracking     what a box holds, of five  % of items
  comps                                     a property of two things   % of items
  wug_adj_nominalization, wug_past_tense    made-up words              Spearman's rho with people, x 100
  reading                                   reading times              % of the variance left, of two kinds
  zorro                                     minimal pairs              % of pairs; not BabyLM's

A text's score is the sum of its tokens' log-probabilities, without normalisation, each token masked in turn where the
back end masks. Ties go to the first option, which is right: a model that gives all options the same score has 100%
(with a warning).

Written to OUTPUT_DIR/<model>/<revision>/zero_shot/<backend>/, where RUN/model and RUN/checkpoints/chck_1M, ... of a run
are the revisions main and chck_1M of a model named RUN:
  <task>/<folder>/predictions.json, best_temperature_report.txt   the official files
  reading/predictions.json, report.txt                            the same of reading times
  scores.json                                                     this evaluation's scores, by group, and warnings
  items.parquet                                                   its items: option scores, choice, margin
"""

BACKENDS = ("auto", "mlm", "mntp", "causal")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16")


def main(arguments: Sequence[str]) -> int:
    """Parse, score, write and print."""
    options = parse(arguments)
    current().farewell = "tasks whose files are not written yet are lost: run the same command again"
    # Read by the libraries when they are imported: their bars and advice would run into ours.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if requests.requested(options):
        with _progress() as progress:
            _tell(requests.fulfil(options, _device(options.device), progress))
    else:
        evaluate(options)
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments; a mistake among them exits with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m sleep_tune.evaluate",
        description=f"{HELP}\n{requests.HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="the model's folder")
    parser.add_argument("--data", type=Path, required=True, help="folder of tasks, as evaluation_data/fast_eval")
    parser.add_argument(
        "--tasks", type=_names, default=(), metavar="A,B", help="these only: folders, or tasks as blimp (default: all)"
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="masked, masked next-token prediction (GPT-BERT), causal; auto: masked or causal, by the architecture",
    )
    parser.add_argument("--output-dir", type=Path, default=Path("results"), help="default: results")
    parser.add_argument(
        "--batch-tokens", type=requests.positive, default=16_384, metavar="N", help="tokens in a forward pass"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto: a GPU where there is one")
    parser.add_argument(
        "--dtype",
        choices=PRECISIONS,
        default="auto",
        help="bf16 scores near-ties again in fp32 and makes the same choices; auto: bf16 on a GPU that has it",
    )
    parser.add_argument(
        "--revision-name", metavar="NAME", help="as chck_10M (default: that of RUN/checkpoints/chck_10M, or else main)"
    )
    parser.add_argument("--trust-remote-code", action="store_true", help="run the Python files of the model's folder")
    requests.add_arguments(parser)
    return parser.parse_args(arguments)


def _names(text: str) -> tuple[str, ...]:
    """Names with commas between them, at least one."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"must name at least one task; got '{text}'")
    return names


def evaluate(options: argparse.Namespace) -> None:
    """Score the model on the tasks found, write the files, print the table and the warnings."""
    from sleep_tune.babylm.challenge import FOLDERS
    from sleep_tune.evaluation import backends, positions, score_warnings, zero_shot
    from sleep_tune.evaluation.result_folders import result_names
    from sleep_tune.evaluation.suite import find_folders
    from sleep_tune.names import TASKS

    folders = find_folders(options.data, [name for name in FOLDERS if name in TASKS], options.tasks)
    backend = backends.backend_of(options.model, options.backend)
    device = _device(options.device)
    precision = _precision(options.dtype, device)
    trust = {"trust_remote_code": options.trust_remote_code}
    notes: list[str] = []
    model = backends.load_model(options.model, backend, note=notes.append, **trust)
    tokenizer = backends.load_tokenizer(options.model, backend, model, **trust)
    model.to(device)  # type: ignore[arg-type]
    with _progress() as progress:
        bar = progress.add_task("reading and tokenising", total=None)
        scored = zero_shot.score(
            folders,
            model,
            tokenizer,
            backend=backend,
            batch_tokens=options.batch_tokens,
            precision=precision,
            ready=lambda tokens: progress.update(bar, description=f"scoring {', '.join(folders)}", total=tokens),
            advance=lambda tokens: progress.advance(bar, tokens),
        )
    names = result_names(options.model, options.revision_name)
    top = names.zero_shot(options.output_dir, backend)
    warnings = (
        *notes,
        *score_warnings.score_warnings(
            scored.tasks, too_long=scored.too_long, positions=positions.trained_positions(model)
        ),
        *_written_over(top, options.model, scored),
    )
    what = {"model": str(options.model), "revision": names.revision, "backend": backend, "precision": precision}
    zero_shot.write(top, scored, warnings, what)
    show(scored, warnings, title=f"{options.model} ({backend}, {precision} on {device})", written=top)


def _written_over(top: Path, model: Path, scored: "Scored") -> "Iterator[str]":
    """Warnings where results are written over: of another model of the same name, of tasks not scored now."""
    from sleep_tune.babylm.score_names import MACRO
    from sleep_tune.evaluation.score_files import SCORES, scored_before

    other, names = scored_before(top / SCORES)
    if other is not None and Path(other).resolve() != model.resolve():
        yield (
            f"{top} held the results of another model of this name, {other}: those of its tasks that were not scored "
            "now are still there; give each model an --output-dir of its own"
        )
    elif lost := [name for name in names if name not in (*scored.scores, MACRO)]:
        yield (
            f"{top / SCORES} held scores of {', '.join(lost)} too, which were not scored now: they are gone from it, "
            "and not in its macro average; score all tasks in one command to have them in one file"
        )


def _device(given: str) -> str:
    """Where to score."""
    import torch

    from sleep_tune.errors import DataError

    if given == "cuda" and not torch.cuda.is_available():
        raise DataError("--device cuda needs a GPU that torch can use; there is none")
    return ("cuda" if torch.cuda.is_available() else "cpu") if given == "auto" else given


def _precision(given: str, device: str) -> str:
    """How to score: on a CPU bf16 gains nothing unless asked for."""
    import torch

    if given != "auto":
        return given
    return "bf16" if device == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


@contextmanager
def _progress() -> "Iterator[Progress]":
    """Bars on standard error, where it is a terminal; gone when all is done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def show(scored: "Scored", warnings: Sequence[str], *, title: str, written: Path) -> None:
    """One table on standard output, the warnings below it, and where the files are."""
    from rich.table import Table

    from sleep_tune.babylm.challenge import CHANCE, FOLDERS
    from sleep_tune.babylm.score_names import MACRO
    from sleep_tune.console import PlainConsole
    from sleep_tune.evaluation.score_files import macro

    table = Table(title=title, title_justify="left")
    table.add_column("task", no_wrap=True)
    for heading in ("items", "score", "chance", "ties"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in scored.tasks:
        chance = CHANCE[FOLDERS[result.name]]
        table.add_row(
            result.name, f"{len(result.items):,}", f"{result.score:.2f}", f"{chance:.0f}", f"{result.ties:.1%}"
        )
    for name, score in scored.reading_scores.items():
        words = len(scored.reading.words) if scored.reading is not None else 0
        table.add_row(name, f"{words:,}", f"{score:.2f}", f"{CHANCE['reading']:.0f}", "")
    average = macro(scored.scores)
    if average is not None:
        table.add_section()
        table.add_row(f"{MACRO} average", "", f"{average:.2f}", "", "")
    PlainConsole(soft_wrap=True).print(table)
    _tell([*(f"warning: {warning}" for warning in warnings), f"written to {written}"])


def _tell(lines: Sequence[str]) -> None:
    """Lines on standard output, as they are."""
    from sleep_tune.console import PlainConsole

    console = PlainConsole(soft_wrap=True)
    for line in lines:
        console.print(line, highlight=False)


if __name__ == "__main__":
    sys.exit(cli.run(main, sys.argv[1:]))
