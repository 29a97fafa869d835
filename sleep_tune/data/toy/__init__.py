"""The toy language: a generated language of a hundred words with minimal pairs of its own; nothing to download."""

__all__ = ["constructions", "draws", "genres", "language", "lexicon", "paradigms", "phrases"]
