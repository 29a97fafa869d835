"""Model card of a published model: what it is, how it was trained and repeated, its scores, and how it is opened."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from sleep_tune.experiment.run_folder import MODEL
from sleep_tune.older_transformers import RELEASE
from sleep_tune.results.arms import Comparison
from sleep_tune.results.card_metadata import Licences, card_metadata
from sleep_tune.results.card_scores import Score, read_scores
from sleep_tune.results.markup import as_markdown, markdown_text
from sleep_tune.results.provenance import Provenance, read_provenance
from sleep_tune.results.published_model import PublishedModel, read_published_model
from sleep_tune.results.winner import Winner

__all__ = ["CardFacts", "Licences", "checkpoint_card", "model_card"]

KINDS = {
    "mlm": "A masked language model",
    "clm": "A causal language model",
    "hybrid": "A hybrid language model, masked and causal with one set of weights (GPT-BERT, arXiv 2410.24159),",
}
"""training.objective -> how the card's first sentence begins."""

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

PINNED = ("torch", "transformers", "tokenizers", "accelerate", "numpy")
"""Packages whose releases the section on reproduction names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What a card says that the folders of a search and a run do not."""

    place: str
    """What `from_pretrained` is given: OWNER/NAME, or the path of a folder."""
    command: str
    """The shell command that trains the model again."""
    repository: str | None = None
    """Address of the repository of the code."""
    licences: Licences = field(default_factory=Licences)
    revisions: Sequence[str] = ()
    """Branches with models at numbers of words."""


def model_card(winner: Winner, comparison: Comparison | None, facts: CardFacts) -> str:
    """Return a README.md with the metadata that the Hugging Face Hub reads.

    Args:
        winner: the model that is published.
        comparison: of the experiment that it comes from; None for a run by itself.
        facts: what the user states, and how the model is trained again.
    """
    model, made = read_published_model(winner.model), read_provenance(winner.run)
    scores = read_scores(winner, comparison, made)
    name = winner.arm if comparison is None else f"{comparison.experiment.name}: {winner.arm}"
    sections = [
        f"# {markdown_text(name)}",
        _summary(winner, model, made),
        _description(model),
        f"## Data\n\n{_data(made, facts.licences)}",
        f"## Sleep settings\n\n{_block('yaml', yaml.safe_dump(dict(winner.sleep), sort_keys=False))}",
        f"## Scores\n\n{_scores(scores, made)}" if scores else "",
        "" if comparison is None else _comparison(comparison),
        f"## Use\n\n{_use(model, facts)}",
        f"## Reproduce\n\n{_reproduction(made, facts)}",
    ]
    head = card_metadata(name, model, made, scores, facts.licences)
    return f"---\n{head}\n---\n\n" + "\n\n".join(section.strip() for section in sections if section) + "\n"


def checkpoint_card(name: str, place: str) -> str:
    """Return the README.md of a model that was saved on the way.

    Args:
        name: of the checkpoint: chck_10M.
        place: OWNER/NAME of the whole model.
    """
    words = name.removeprefix("chck_").removesuffix("M")
    return (
        f"# {markdown_text(place)} after {words} million words\n\nThe model as it was after {words} million words of "
        f'its training. Open it with `from_pretrained("{place}", revision="{name}")`. The whole model and its card are '
        "in the branch `main`; the scores there are not those of this checkpoint.\n"
    )


def _summary(winner: Winner, model: PublishedModel, made: Provenance) -> str:
    averaged = ", averaged over its updates (training.ema)" if winner.weights != MODEL else ""
    text = (
        f"{KINDS.get(model.objective, 'A language model')} trained with sleep-tune: "
        f"{markdown_text(winner.why)}. The weights are those of the run {markdown_text(winner.run.name)}{averaged}."
    )
    return text if made.base is None else f"{text} It was trained further from {markdown_text(made.base)} (model.init)."


def _description(model: PublishedModel) -> str:
    """Return a list of the model's family and sizes, and the objective."""
    sizes: Mapping[str, int | None] = {
        **model.sizes,
        "parameters": model.parameters,
        "longest row, in tokens": model.max_length,
    }
    lines = [f"- family: {markdown_text(model.family)}"] if model.family else []
    lines += [f"- {name}: {value:,}" for name, value in sizes.items() if value is not None]
    return "\n".join([*lines, f"- training.objective: {markdown_text(model.objective)}"])


def _data(made: Provenance, licences: Licences) -> str:
    lines = [f"- text: {markdown_text(made.data)}"]
    if made.revision:
        lines.append(f"- revision: {markdown_text(made.revision)}")
    if made.words:
        lines.append(f"- words: {', '.join(f'{split} {number:,}' for split, number in made.words.items())}")
    if made.words_seen is not None:
        lines.append(f"- words seen in training, repetitions included: {made.words_seen:,}")
    if made.corpus:
        lines.append(f"- key of the prepared corpus (a digest of text, tokenizer and settings): `{made.corpus}`")
    stated = "not stated" if licences.data is None else markdown_text(licences.data)
    return "\n".join([*lines, f"- licence of the text: {stated}"])


def _scores(scores: Sequence[Score], made: Provenance) -> str:
    """Return a table of the model's own scores beside those of its arm, and how they are read."""
    seed = "" if made.seed is None else f" (seed {made.seed})"
    means = [score for score in scores if score.mean is not None]
    heads = ["score", f"this model{seed}", *(["mean over the seeds of its arm"] if means else [])]
    rows = [
        [score.heading, "" if score.own is None else score.own_text, *([score.mean_text] if means else [])]
        for score in scores
    ]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    table = "\n".join(f"| {' | '.join(map(markdown_text, row))} |" for row in lines)
    if not means:
        return f"{table}\n\nThe scores are those of one run, under one seed."
    return (
        f"{table}\n\nThis model is the run of its arm with the best value on dev, so its own scores are above what "
        "another seed is likely to give: quote the mean. In brackets: 95% interval over seeds."
    )


def _comparison(comparison: Comparison) -> str:
    return f"## Comparison with the baseline\n\n{as_markdown(comparison).partition(chr(10))[2].strip()}"


def _use(model: PublishedModel, facts: CardFacts) -> str:
    needed = "".join(f"{sentence}\n\n" for sentence in _needed(model, facts))
    example = EXAMPLES.get(model.objective, EXAMPLES["mlm"]).replace("REPO", facts.place)
    if model.is_replaced:
        example = example.replace("AutoTokenizer", "PreTrainedTokenizerFast")
    return f"{needed}{_block('python', example)}"


def _needed(model: PublishedModel, facts: CardFacts) -> Iterator[str]:
    """Say what opening the model needs besides transformers, and which releases of it open the model."""
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
    if model.is_replaced:
        yield "AutoTokenizer of transformers 5 reads another tokenizer than the folder's: use PreTrainedTokenizerFast."
    if model.written_by:
        older = (
            f"Release {RELEASE} gives models of this family the same token ids, and the same logits up to rounding."
            if model.opens_alike
            else f"Releases 4 were not tested with it, and may compute other values without a warning: use release "
            f"{model.written_by.partition('.')[0]}."
        )
        yield f"The model was written by transformers {markdown_text(model.written_by)}. {older}"
    if facts.revisions:
        listed = ", ".join(f"`{name}`" for name in facts.revisions)
        yield f"Models saved at numbers of words are in the branches {listed}: add `revision` to each from_pretrained."


def _reproduction(made: Provenance, facts: CardFacts) -> str:
    """Return the commands that install the code and train the model again."""
    version = f"sleep-tune {made.version}" if made.version else "sleep-tune"
    if made.commit is None:
        about = f"The model was trained with {version}; its commit is not recorded."
    else:
        about = f"The model was trained with {version}, commit `{made.commit}`."
    if made.uncommitted:
        about += " The code had changes that are in no commit, so these commands may give another model."
    if facts.repository is None:
        about += " The address of the code's repository is not stated: REPOSITORY stands for it."
    if made.python:
        about += f" Python was {made.python}."
    lines = [f"git clone {facts.repository or 'REPOSITORY'} sleep-tune", "cd sleep-tune"]
    lines += [f"git checkout {made.commit}"] if made.commit else []
    pins = [f"{name}=={made.packages[name].partition('+')[0]}" for name in PINNED if name in made.packages]
    lines += [" ".join(["pip install .", *pins]), facts.command]
    return (
        f"{about} Names in capitals stand for files and folders of your own machine.\n\n"
        f"{_block('sh', chr(10).join(lines))}\n\n"
        "On the same machine with the same releases the run is the same to the bit; on another one up to rounding."
    )


def _block(language: str, text: str) -> str:
    """Return a block of code, with a fence that is longer than any in the text."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
