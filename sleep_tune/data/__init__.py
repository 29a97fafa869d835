"""From text to packed arrays: corpora, tokenizers, packing, the token cache, masking; without torch."""

__all__: list[str] = []
