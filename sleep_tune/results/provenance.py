"""How a published model came to be, from the folder of its run: text, words, seed, scores, versions, starting weights.

A fact that no file states, or that a damaged one states, is left out.
"""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sleep_tune.errors import RunFolderError
from sleep_tune.experiment.experiment_file import EXPERIMENT, read_experiment_file
from sleep_tune.experiment.exposures import read_exposures
from sleep_tune.experiment.run_folder import ENVIRONMENT, LOG, read_outcome
from sleep_tune.files import read_json_object
from sleep_tune.hub_ids import is_hub_id
from sleep_tune.results.run_facts import read_facts

__all__ = ["Provenance", "read_provenance"]

WORDS = re.compile(r"\b(train|dev|test) ([\d,]+) words")
GENERATED = "toy"
"""data.kind of the generated language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How one run was made, and what it gave."""

    data: str
    """The text, in words."""
    dataset: str | None = None
    """Id of the text on the Hub."""
    revision: str | None = None
    """Of that dataset, where the run fixed one."""
    corpus: str | None = None
    """Key of the prepared corpus: a digest of text, tokenizer and settings."""
    words: Mapping[str, int] = field(default_factory=dict)
    """Split -> number of its words."""
    words_seen: int | None = None
    """Words that the run trained on, repetitions included."""
    seed: int | None = None
    base: str | None = None
    """Id on the Hub, or last part of the path, of the weights that the run began with (model.init)."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Of the run itself, at its end."""
    commit: str | None = None
    uncommitted: bool = False
    """Whether the code had changes that are in no commit."""
    version: str | None = None
    """Of sleep-tune."""
    python: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def base_id(self) -> str | None:
        """The base model's id on the Hub, if it has one."""
        return self.base if self.base and "/" in self.base else None


def read_provenance(run: Path) -> Provenance:
    """Return how the run in a folder was made."""
    options, made = read_facts(run).config, read_json_object(run / ENVIRONMENT) or {}
    dataset, init, seed = options.get("data.dataset"), options.get("model.init"), options.get("training.seed")
    outcome, packages = _outcome(run), made.get("packages")
    commit = made.get("commit")
    return Provenance(
        data=_data(options),
        dataset=dataset if is_hub_id(dataset) else None,
        revision=_text(options.get("data.revision")),
        corpus=_corpus(run),
        words=_words(run),
        words_seen=None if outcome is None else outcome.words_seen,
        seed=seed if isinstance(seed, int) else None,
        base=init if is_hub_id(init) else Path(init).name if isinstance(init, str) else None,
        metrics={} if outcome is None else outcome.metrics,
        commit=_text(commit),
        uncommitted=bool(made.get("uncommitted")),
        version=_text(made.get("sleep_tune")),
        python=_text(made.get("python")),
        packages={str(name): str(version) for name, version in packages.items()} if isinstance(packages, dict) else {},
    )


def _data(options: Mapping[str, Any]) -> str:
    kind, dataset = str(options.get("data.kind", GENERATED)), options.get("data.dataset")
    if kind == GENERATED:
        return f"a generated toy language of sleep-tune (data.sentences={options.get('data.sentences')})"
    if is_hub_id(dataset):
        return f"the dataset {dataset} of the Hugging Face Hub"
    return f"text of the author's own, read by {kind}" if ":" in kind else "text of the author's own"


def _words(run: Path) -> dict[str, int]:
    """Return the words of each split, by the first line of the log that names them, or those of train by the search."""
    with contextlib.suppress(OSError):
        lines = (run / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        found = WORDS.findall(next((line for line in lines if ": text: " in line), ""))
        if found:
            return {split: int(words.replace(",", "")) for split, words in found}
    with contextlib.suppress(OSError, RunFolderError):
        corpus = read_experiment_file(run.resolve().parents[1] / EXPERIMENT).get("corpus")
        words = corpus.get("words") if isinstance(corpus, dict) else None
        return {"train": words} if isinstance(words, int) else {}
    return {}


def _corpus(run: Path) -> str | None:
    try:
        return read_exposures(run).corpus
    except RunFolderError:
        return None


def _outcome(run: Path) -> Any:
    try:
        return read_outcome(run)
    except RunFolderError:
        return None


def _text(value: object) -> str | None:
    return str(value) if value else None
