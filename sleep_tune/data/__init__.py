"""From text to packed arrays: corpora, tokenizers, packing, the token cache, masking; without torch."""

__all__ = [
    "cache",
    "documents",
    "encoding",
    "hub",
    "masking",
    "packing",
    "pairs",
    "prepare",
    "preprocess",
    "sentences",
    "special_tokens",
    "text",
    "text_files",
    "tokenizer",
    "tokenizer_files",
    "toy",
]
