"""The metadata at the top of a model card, which the Hugging Face Hub reads: languages, licence, data, base, scores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sleep_tune.babylm.challenge import DATASETS
from sleep_tune.metric_names import split_variant
from sleep_tune.plain_text import visible
from sleep_tune.results.card_scores import Score, seeds
from sleep_tune.results.columns import PAIRS, is_score
from sleep_tune.results.provenance import Provenance
from sleep_tune.results.published_model import PublishedModel

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

__all__ = ["PIPELINES", "Licences", "card_metadata"]

PIPELINES = {"mlm": "fill-mask", "clm": "text-generation"}
"""training.objective -> pipeline that a page of the Hub offers. None fits a hybrid model: transformers' pipelines read
neither its masked tokens from the position before them, nor its text from left to right unless `is_decoder` is set."""

DIGITS = 6
"""Significant digits of a score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Licences:
    """What a publisher states; nothing is assumed."""

    model: str | None = None
    """Licence of the weights, by its name on the Hub, such as apache-2.0."""
    data: str | None = None
    """Licence of the text, in the publisher's words."""
    language: str | None = None
    """Language of the text, such as en; BabyLM's own datasets are English without it."""


def card_metadata(
    name: str, model: PublishedModel, made: Provenance, scores: Sequence[Score], licences: Licences
) -> str:
    """Return the YAML between the dashes.

    Args:
        name: of the model, in the Hub's tables of scores.
        model: its family and objective.
        made: its text and its base model.
        scores: each becomes two entries: the value of this model, and the mean over the seeds of its arm.
        licences: what the publisher states.
    """
    from huggingface_hub import ModelCardData

    english = made.dataset in DATASETS.values()
    return str(
        ModelCardData(
            language=licences.language or ("en" if english else None),
            license=licences.model,
            library_name="transformers",
            pipeline_tag=PIPELINES.get(model.objective),
            tags=["babylm", "sleep-tune"] if english else ["sleep-tune"],
            datasets=[made.dataset] if made.dataset else None,
            base_model=made.base_id,
            model_name=visible(name),
            eval_results=[entry for score in scores for entry in _entries(score, model, made)] or None,
        ).to_yaml(line_break="\n")
    ).strip()


def _entries(score: Score, model: PublishedModel, made: Provenance) -> Iterator["EvalResult"]:
    """Yield the entries of a score; names say which value is whose."""
    from huggingface_hub import EvalResult

    plain = split_variant(score.metric)[1]
    on_task = is_score(score.metric)
    task = plain.partition("/")[2]
    where: dict[str, Any] = {
        "task_type": PIPELINES.get(model.objective, "text-generation"),
        "dataset_type": visible(task) if on_task else made.dataset or "text",
        "dataset_name": visible(f"BabyLM {score.heading}") if on_task else visible(f"test split of {made.data}"),
        "dataset_split": None if on_task else "test",
        "dataset_revision": None if on_task else made.revision,
        "metric_type": "accuracy" if plain == PAIRS else visible(task),
    }
    title = visible(score.heading.removesuffix(" %"))
    seed = "" if made.seed is None else f" of seed {made.seed}"
    if score.own is not None:
        yield EvalResult(**where, metric_value=_rounded(score.own), metric_name=f"{title}, this model{seed}")
    if score.mean is not None:
        about = f"mean over {seeds(score.mean.count)}"
        interval = f", 95% interval {score.mean.low:.4g} to {score.mean.high:.4g}" if score.interval else ""
        yield EvalResult(**where, metric_value=_rounded(score.mean.mean), metric_name=f"{title}, {about}{interval}")


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
