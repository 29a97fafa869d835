"""Back ends: the ways to get a token's probability from a language model, under the names of BabyLM's pipeline."""

from dataclasses import dataclass
from pathlib import Path

from sleep_tune.errors import DataError, unknown
from sleep_tune.evaluation.model_config import HYBRID, MASKED, OBJECTIVE, read_architectures, read_model_config

__all__ = [
    "AUTO",
    "BACKENDS",
    "CAUSAL",
    "MLM",
    "MNTP",
    "OBJECTIVE_BACKENDS",
    "Backend",
    "choose_backends",
    "variants",
]

AUTO, MLM, MNTP, CAUSAL = "auto", "mlm", "mntp", "causal"
"""AUTO stands for the back ends that fit a model's objective or architecture; the others are the names of BACKENDS."""

CAUSAL_ARCHITECTURES = ("CausalLM", "LMHeadModel")
"""Endings of the names of causal architectures."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A way to compute a token's probability."""

    masks: bool
    """Whether the token is masked, one token at a time (Salazar et al. 2020); if not, the text is read unchanged."""
    shift: int
    """Number of positions before the token at which the model predicts it."""
    model_class: str
    """Class of `transformers` that opens the models."""

    @property
    def perplexity(self) -> str:
        """Name of the exponential of the loss; of a model that sees both sides of a token it is no perplexity."""
        return "pseudo_perplexity" if self.masks else "perplexity"


BACKENDS: dict[str, Backend] = {
    MLM: Backend(masks=True, shift=0, model_class="AutoModelForMaskedLM"),
    MNTP: Backend(masks=True, shift=1, model_class="AutoModelForMaskedLM"),
    CAUSAL: Backend(masks=False, shift=1, model_class="AutoModelForCausalLM"),
}
"""Name -> masked language models, masked next-token prediction (as GPT-BERT) and causal language models."""

OBJECTIVE_BACKENDS: dict[str, tuple[str, ...]] = {"mlm": (MLM,), "clm": (CAUSAL,), HYBRID: (MNTP, CAUSAL)}
"""training.objective -> the back ends that read its models, the most important first."""


def variants(objective: str) -> dict[str, str]:
    """Return the back ends of an objective, each with the variant of its metrics: '' for the first one.

    >>> variants("hybrid")
    {'mntp': '', 'causal': 'causal'}
    """
    first, *others = OBJECTIVE_BACKENDS[objective]
    return {first: ""} | {backend: backend for backend in others}


def choose_backends(folder: Path, given: str = AUTO) -> tuple[str, ...]:
    """Return the names of the back ends for a model folder, the most important first.

    Args:
        folder: a model's folder with a config.json.
        given: a name of BACKENDS, or AUTO: the back ends of the objective that config.json names, as the folders of
            this package do; without one, mlm or causal, by the architecture. Masked next-token prediction cannot be
            seen in a folder that names no objective, so it must be given. A given back end needs no folder.

    Raises:
        DataError: there is no such back end; the folder holds no model; the back end does not fit the objective that
            config.json names, or that objective is unknown; or `given` is AUTO, there is no objective, and the
            architecture is neither masked nor causal.
    """
    if given != AUTO and given not in BACKENDS:
        raise DataError(unknown("backend", given, [*BACKENDS, AUTO]))
    if given != AUTO and not (folder / "config.json").is_file():
        return (given,)
    config = read_model_config(folder)
    objective = config.get(OBJECTIVE)
    if isinstance(objective, str) and objective in OBJECTIVE_BACKENDS:
        fitting = OBJECTIVE_BACKENDS[objective]
        if given != AUTO and given not in fitting:
            raise DataError(
                f"{folder / 'config.json'}: {OBJECTIVE} is {objective}, whose models are read by --backend "
                f"{' or '.join(fitting)}; got --backend {given}"
            )
        return fitting if given == AUTO else (given,)
    if given != AUTO:
        return (given,)
    if objective is not None:
        raise DataError(
            f"{folder / 'config.json'}: {unknown(OBJECTIVE, str(objective), OBJECTIVE_BACKENDS)}: choose --backend "
            f"{', '.join(BACKENDS)}"
        )
    architectures = read_architectures(folder, config)
    if any(name.endswith(MASKED) for name in architectures):
        return (MLM,)
    if any(name.endswith(CAUSAL_ARCHITECTURES) for name in architectures):
        return (CAUSAL,)
    raise DataError(
        f"{folder / 'config.json'}: architectures must name a masked or causal language model for --backend auto; got "
        f"{list(architectures)}: choose --backend {', '.join(BACKENDS)}"
    )
