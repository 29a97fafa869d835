"""Back ends: the ways to get a token's probability from a language model, under the names of BabyLM's pipeline."""

from dataclasses import dataclass
from pathlib import Path

from sleep_tune.errors import DataError, unknown
from sleep_tune.evaluation.model_config import MASKED, read_architectures, read_model_config

__all__ = ["AUTO", "BACKENDS", "MLM", "Backend", "choose_backend"]

AUTO, MLM = "auto", "mlm"
"""AUTO stands for the back end that fits the model's architecture; MLM is the one of models trained by this package."""

CAUSAL = ("CausalLM", "LMHeadModel")
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


BACKENDS: dict[str, Backend] = {
    MLM: Backend(masks=True, shift=0, model_class="AutoModelForMaskedLM"),
    "mntp": Backend(masks=True, shift=1, model_class="AutoModelForMaskedLM"),
    "causal": Backend(masks=False, shift=1, model_class="AutoModelForCausalLM"),
}
"""Name -> masked language models, masked next-token prediction (as GPT-BERT) and causal language models."""


def choose_backend(folder: Path, given: str = AUTO) -> str:
    """Return the name of the back end for a model folder.

    Args:
        folder: a model's folder with a config.json.
        given: a name of BACKENDS, which is returned as it is, or AUTO: mlm or causal, by the architecture in
            config.json. Masked next-token prediction cannot be seen in a folder, so it must be given.

    Raises:
        DataError: there is no such back end; the folder holds no model; or `given` is AUTO and the architecture is
            neither masked nor causal.
    """
    if given in BACKENDS:
        return given
    if given != AUTO:
        raise DataError(unknown("backend", given, [*BACKENDS, AUTO]))
    architectures = read_architectures(folder, read_model_config(folder))
    if any(name.endswith(MASKED) for name in architectures):
        return MLM
    if any(name.endswith(CAUSAL) for name in architectures):
        return "causal"
    raise DataError(
        f"{folder / 'config.json'}: architectures must name a masked or causal language model for --backend auto; got "
        f"{list(architectures)}: choose --backend {', '.join(BACKENDS)}"
    )
