"""Model card of a published model: what it is, how it was trained, the comparison it comes from, how it is opened."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from sleep_tune.experiment.run_folder import MODEL
from sleep_tune.results.arms import Comparison
from sleep_tune.results.markup import as_markdown, markdown_text
from sleep_tune.results.published_model import PublishedModel, read_published_model
from sleep_tune.results.winner import Winner

__all__ = ["model_card"]

KINDS = {
    "mlm": "A masked language model",
    "clm": "A causal language model",
    "hybrid": "A hybrid language model, masked and causal with one set of weights (GPT-BERT, arXiv 2410.24159),",
}
"""training.objective -> how the card's first sentence begins."""

PIPELINES = {"mlm": "fill-mask", "clm": "text-generation"}
"""training.objective -> pipeline that a page of the Hub offers. None fits a hybrid model: transformers' pipelines read
neither its masked tokens from the position before them, nor its text from left to right unless `is_decoder` is set."""

TOKENIZER = 'tokenizer = AutoTokenizer.from_pretrained("REPO")'
EXAMPLES = {
    "mlm": f"""\
from transformers import AutoModelForMaskedLM, AutoTokenizer

model = AutoModelForMaskedLM.from_pretrained("REPO")
{TOKENIZER}""",
    "clm": f"""\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("REPO")
{TOKENIZER}
prompt = tokenizer("The", return_tensors="pt")
print(tokenizer.decode(model.generate(**prompt, do_sample=True)[0], skip_special_tokens=True).strip())""",
    "hybrid": f"""\
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

{TOKENIZER}
# The output at a position predicts the token after it, masked or not.
masked = AutoModelForMaskedLM.from_pretrained("REPO")
causal = AutoModelForCausalLM.from_pretrained("REPO", is_decoder=True)
prompt = tokenizer("The", return_tensors="pt").input_ids[:, :-1]  # without the separator at the end
print(tokenizer.decode(causal.generate(prompt, do_sample=True)[0], skip_special_tokens=True))""",
}
"""training.objective -> Python that opens the model."""


def model_card(winner: Winner, comparison: Comparison) -> str:
    """Return a README.md with the metadata that the Hugging Face Hub reads.

    Args:
        winner: the arm whose model is published.
        comparison: shown in the card.
    """
    model = read_published_model(winner.model)
    averaged = ", averaged over its updates (training.ema)" if winner.weights != MODEL else ""
    metadata: dict[str, Any] = {"language": "en", "library_name": "transformers"}
    if model.objective in PIPELINES:
        metadata["pipeline_tag"] = PIPELINES[model.objective]
    metadata["tags"] = ["babylm", "sleep-tune"]
    sleep = yaml.safe_dump(dict(winner.sleep), sort_keys=False)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", sleep)), default=0))  # longer than any fence in the text
    table = as_markdown(comparison).partition("\n")[2].strip()
    needed = "".join(f"{sentence}\n\n" for sentence in _needed(model))
    return (
        f"---\n{yaml.safe_dump(metadata)}---\n\n# {markdown_text(f'{comparison.experiment.name}: {winner.arm}')}\n\n"
        f"{KINDS.get(model.objective, 'A language model')} trained by sleep-consolidated training with sleep-tune: "
        f"{markdown_text(winner.why)}. The weights are those of the run {markdown_text(winner.run.name)}{averaged}.\n\n"
        f"{_description(model)}"
        f"## Sleep settings\n\n{fence}yaml\n{sleep}{fence}\n\n## Comparison with the baseline\n\n{table}\n\n"
        f"## Use\n\n{needed}```python\n{_example(model)}\n```\n"
    )


def _description(model: PublishedModel) -> str:
    """Return a list of the model's family and sizes, and the objective."""
    sizes: Mapping[str, int | None] = {
        **model.sizes,
        "parameters": model.parameters,
        "longest row, in tokens": model.max_length,
    }
    lines = [f"- family: {markdown_text(model.family)}"] if model.family else []
    lines += [f"- {name}: {value:,}" for name, value in sizes.items() if value is not None]
    return "\n".join([*lines, f"- training.objective: {markdown_text(model.objective)}"]) + "\n\n"


def _needed(model: PublishedModel) -> Iterator[str]:
    """Say what opening the model needs besides transformers."""
    if model.code is not None:
        name = f" {markdown_text(model.class_name)}" if model.class_name else ""
        yield (
            f"The model was built by code of its author, {markdown_text(model.code)}. If its class{name} is not one of "
            "transformers', install that code and import it before the lines below."
        )
    if model.remote_code:
        yield (
            "The folder brings code of its own along: read it, then add trust_remote_code=True to each from_pretrained."
        )


def _example(model: PublishedModel) -> str:
    return EXAMPLES.get(model.objective, EXAMPLES["mlm"])
