"""From text to packed arrays: corpora, tokenizers, packing, the token cache, masking. Never torch, ray or optuna."""

__all__ = [
    "cache",
    "corpora",
    "documents",
    "encoding",
    "hub",
    "masking",
    "packing",
    "pairs",
    "prepare",
    "preprocess",
    "sentences",
    "text",
    "tokenizer",
    "toy",
]
