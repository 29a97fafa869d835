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
    "roles",
    "sentences",
    "text",
    "tokenizer",
    "tokenizer_files",
    "toy",
]
