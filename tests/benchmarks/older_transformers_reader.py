"""Open published models with the transformers of this interpreter; print what each one computes, as JSON.

    python tests/benchmarks/older_transformers_reader.py '[["FOLDER", "clm"], ...]'

It imports nothing of this package, because `older_transformers.py` runs it in an environment that has no such package.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

TEXTS = (
    "the dog sees a cat",
    "don't say 'no' ! it's 10,000 times over-loud , naïve 日本語",
    "  two  spaces <s> and </s> spelled , mother runs home . ",
)
MASKED = "the dog sees a {} and mother"
STEPS = 6
"""Tokens that a causal model generates."""


def read(folder: str, objective: str) -> dict[str, Any]:
    """Return ids of texts, decoded texts, and logits; a text for what fails."""
    trust = {"trust_remote_code": "auto_map" in json.loads(Path(folder, "config.json").read_text())}
    tokenizer = AutoTokenizer.from_pretrained(folder, **trust)
    batch = tokenizer(list(TEXTS), padding=True, truncation=True, return_tensors="pt")
    found: dict[str, Any] = {
        "ids": [tokenizer(text)["input_ids"] for text in TEXTS],
        "pair": tokenizer(TEXTS[0], TEXTS[1])["input_ids"],
        "batch": {name: values.tolist() for name, values in batch.items()},
        "plain": tokenizer(list(TEXTS), add_special_tokens=False)["input_ids"],
        "decoded": [tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) for text in TEXTS],
        "special": sorted(tokenizer.special_tokens_map.items()),
        "offsets": tokenizer(TEXTS[0], return_offsets_mapping=True)["offset_mapping"],
        "longest": tokenizer.model_max_length,
    }
    known: dict[str, Any] = {"attention_mask": batch["attention_mask"], "input_ids": batch["input_ids"]}
    with torch.no_grad():
        if objective != "clm":
            found["masked text"] = tokenizer(MASKED.format(tokenizer.mask_token))["input_ids"]
            model: Any = AutoModelForMaskedLM.from_pretrained(folder, **trust)
            found["logits"] = _seen(model(**known).logits, batch["attention_mask"])
        if objective != "mlm":
            as_decoder = {"is_decoder": True} if objective == "hybrid" else {}
            causal: Any = AutoModelForCausalLM.from_pretrained(folder, **as_decoder, **trust)
            found["causal logits"] = _seen(causal(**known).logits, batch["attention_mask"])
            if causal.can_generate():
                prompt = torch.tensor([found["plain"][0][:4]])
                options = {"max_length": prompt.shape[1] + STEPS, "attention_mask": torch.ones_like(prompt)}
                found["generated"] = causal.generate(prompt, do_sample=False, **options).tolist()
        if not trust["trust_remote_code"]:
            AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    return found


def _seen(logits: torch.Tensor, mask: torch.Tensor) -> list[list[float]]:
    values: list[list[float]] = logits[mask.bool()].double().tolist()
    return values


def main(cases: list[list[str]]) -> None:
    """Print the version, and what each folder gives or the error that it raises."""
    results = []
    for folder, objective in cases:
        try:
            results.append(read(folder, objective))
        except Exception as error:
            results.append({"error": f"{type(error).__name__}: {error}"})
    print(json.dumps({"version": transformers.__version__, "results": results}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logs: Any = transformers.logging
    logs.set_verbosity_error()
    main(json.loads(sys.argv[1]))
