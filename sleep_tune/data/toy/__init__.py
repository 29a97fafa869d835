"""A generated child-like language: a grammar of a hundred words with its own minimal pairs. Nothing to download."""

__all__ = ["draws", "genres", "language", "lexicon", "paradigms", "phrases", "sentences"]
